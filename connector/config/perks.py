"""`[loyalty.perks]`: what is not money. Early access: a tier's people see something before everybody else. Invitations
and coupons: each of them gets one of a list (`kiitos loyalty coupons`), while there are any.

perks.autumn = { kind = "early_access", tiers = ["gold"], begins = "2026-11-20 10:00", opens = "2026-11-27 10:00",
                 link = "https://shop.example/autumn", tag = "early-autumn" }
perks.evening = { kind = "invitation", tiers = ["gold"], begins = "2026-11-20 10:00", ends = "2026-12-04 18:00" }
"""

from __future__ import annotations

import re
from collections.abc import Callable, Collection, Mapping
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any
from zoneinfo import ZoneInfo

EARLY_ACCESS, INVITATION, COUPON = "early_access", "invitation", "coupon"
KINDS = (EARLY_ACCESS, INVITATION, COUPON)
LISTED = (INVITATION, COUPON)
"""Kinds of which there is a list of codes, under the perk's own name."""

NAME = re.compile(r"[a-z0-9][a-z0-9_-]{0,62}")
"""What a list of codes may be called."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Perk:
    """From `begins` until it is `over`, whoever stands in one of `tiers` (none named: everybody in the programme) is
    let in once; whoever comes to stand there later, then. Early access is `over` when it opens to everybody: they are
    tagged with `tag` in the shop and told of `link`. Of the other kinds they are given a code of the list."""

    name: str
    title: str
    begins: datetime
    over: datetime
    kind: str = EARLY_ACCESS
    link: str = ""
    tag: str = ""
    tiers: tuple[str, ...] = ()

    @property
    def listed(self) -> bool:
        return self.kind in LISTED

    def is_for(self, tier: str, now: datetime) -> bool:
        return self.begins <= now < self.over and (not self.tiers or tier in self.tiers)


def moment_fault(value: Any) -> str:
    return "" if _local(value) is not None else 'should be a time of the shop\'s clock such as "2026-11-20 10:00"'


def link_fault(value: Any) -> str:
    fits = (
        isinstance(value, str) and value.startswith("https://") and len(value) <= 500 and not set(value) & set(" <>\"'")
    )
    return "" if fits else "should be an address that begins with https://"


def _local(value: Any) -> datetime | None:
    try:
        found = value if isinstance(value, datetime) else datetime.fromisoformat(value)
    except (TypeError, ValueError):
        return None
    return found if found.tzinfo is None else None


def read_perk(
    name: str, table: Mapping[str, Any], timezone: str, tiers: Collection[str], note: Callable[[str, str], None]
) -> Perk | None:
    """One perk of checked shapes; `None` where a time is missing. `note(path, text)` hears what only the whole can
    tell."""
    path = f"perks.{name}"
    kind = table.get("kind")
    if kind not in KINDS:
        note(path, f'needs kind = "{EARLY_ACCESS}", "{INVITATION}" or "{COUPON}"')
    if kind in LISTED and not NAME.fullmatch(name):
        note(path, "its name is that of its list of codes: small letters, digits, - and _")
    if kind in LISTED and table.get("tag"):
        note(f"{path}.tag", f'only of kind = "{EARLY_ACCESS}"')
    if kind not in LISTED and not (table.get("link") or table.get("tag")):
        note(path, "needs a link to be told of, or a tag to be had in the shop")
    for tier in table.get("tiers", ()):
        if tier not in tiers:
            note(f"{path}.tiers", f"no tier '{tier}' in loyalty.tiers")
    end, other = ("ends", "opens") if kind in LISTED else ("opens", "ends")
    if other in table:
        note(f"{path}.{other}", f'write {end}, as it is of kind = "{kind}"')
    begins, over = (_local(table.get(key)) for key in ("begins", end))
    if begins is None or over is None or begins >= over:
        note(path, f'needs begins = "2026-11-20 10:00" and a later {end} = "2026-11-27 10:00"')
        return None
    zone = ZoneInfo(timezone)
    return Perk(
        name=name,
        title=table.get("title", name.replace("_", " ").replace("-", " ").title()),
        begins=begins.replace(tzinfo=zone).astimezone(UTC),
        over=over.replace(tzinfo=zone).astimezone(UTC),
        kind=str(kind),
        link=table.get("link", ""),
        tag=table.get("tag", ""),
        tiers=tuple(table.get("tiers", ())),
    )
