"""Perks (`[loyalty.perks]`): who is let in, once each, and the event that their flow begins with. Pure.

Who was let in stands with how they stand in the programme: a second look, another worker, or two accounts that became
one give it no second time.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from datetime import datetime

from connector.clock import to_text
from connector.config.loyalty import Programme
from connector.config.perks import Perk
from connector.model import Event, EventKind
from flows.value.tidings import Who

HAS = "perks"
"""The key of a member's state: the names of the perks they were let in for."""


def had(states: Iterable[Mapping[str, object]]) -> set[str]:
    """The perks that were given to anybody of these accounts."""
    found: set[str] = set()
    for state in states:
        names = state.get(HAS)
        found |= {str(name) for name in names} if isinstance(names, list) else set()
    return found


def due(programme: Programme, known: set[str], tier: str, now: datetime) -> list[Perk]:
    """What somebody who stands in `tier` is to be let in for now."""
    return [perk for perk in programme.perks if perk.name not in known and perk.is_for(tier, now)]


def kept(programme: Programme, known: set[str], new: Sequence[Perk]) -> dict[str, object]:
    """What is kept of it: a perk that the table has no longer is forgotten."""
    names = {perk.name for perk in programme.perks}
    found = sorted((known & names) | {perk.name for perk in new})
    return {HAS: found} if found else {}


def tidings(who: Who, new: Sequence[Perk], now: datetime) -> list[Event]:
    return [
        who.event(
            EventKind.PERK_OPENED,
            f"perk/{perk.name}/{who.account}",
            now,
            {"perk": perk.title, "name": perk.name, "link": perk.link, **_of_kind(perk)},
        )
        for perk in new
    ]


def _of_kind(perk: Perk) -> dict[str, str]:
    """`list` is where a code of it is to be had, and stands only where there is one."""
    until = to_text(perk.over)
    return {"list": perk.name, "kind": perk.kind, "ends": until} if perk.listed else {"tag": perk.tag, "opens": until}
