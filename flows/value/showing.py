"""What somebody sees of their programme: tier and how near the next is, badges, challenges, what lapses when, history.

Facts as they stand, in no language: pages and messages find the words.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from datetime import date, datetime, timedelta
from decimal import Decimal
from zoneinfo import ZoneInfo

from connector.config.loyalty import Goal, Programme
from connector.model import Shop
from connector.model.value import POINTS, Entry, Fact, FactKind
from connector.store import accounts, books, purchases
from connector.store.accounts import Holder
from connector.store.db import Tx
from flows.value.settling import NONE, Position, settle
from flows.value.standing import Deeds, Standing, measured, midnight, next_tier

_FAR = timedelta(days=36_500)


@dataclass(frozen=True, slots=True, kw_only=True)
class Level:
    """Where somebody stands among the tiers, in their measure. `goal` is where `next` begins."""

    name: str
    next: str = ""
    reached: Decimal = NONE
    goal: Decimal = NONE
    missing: Decimal = NONE


@dataclass(frozen=True, slots=True, kw_only=True)
class Contest:
    """A challenge of these days: `done` of `wanted`, by deed."""

    title: str
    ends: date
    points: int
    deeds: Mapping[str, tuple[Decimal, Decimal]]


@dataclass(frozen=True, slots=True, kw_only=True)
class Line:
    """A line of the history. `what` is `earned`, `taken`, `spent`, `returned` or `lapsed`; `cause` is the fact's."""

    at: datetime
    what: str
    amount: Decimal
    cause: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Account:
    """All of it. `opening` and `lapsing` are what can be used from when, and what lapses when."""

    usable: Decimal
    level: Level | None
    badges: tuple[str, ...]
    contests: tuple[Contest, ...]
    opening: Mapping[datetime, Decimal]
    lapsing: Mapping[datetime, Decimal]
    history: tuple[Line, ...]


def account_of(tx: Tx, shop: Shop, programme: Programme, holder: Holder, now: datetime, lines: int = 50) -> Account:
    """What this person has; an empty account for somebody who is in no book yet."""
    facts = books.facts_of(tx, shop.id, holder.accounts) if holder else []
    entries = books.entries_of(tx, shop.id, holder.accounts) if holder else []
    position = settle([fact for fact in facts if fact.unit == POINTS], now)
    names = accounts.names_of(tx, shop.id, holder.accounts) if holder else {}
    bought = purchases.of_names(tx, shop.id, [name for each in names.values() for name in each]) if names else ()
    deeds = Deeds(purchases=bought, facts=facts, currency=shop.currency, zone=shop.timezone)
    state = accounts.member(tx, shop.id, holder.account).state if holder else {}
    return Account(
        usable=position.available,
        level=_level(programme, Standing.read(state), deeds, now) if programme.tiers else None,
        badges=tuple(_badges(programme, facts, now)),
        contests=tuple(_contest(goal, deeds) for goal in programme.challenges if _runs(goal, shop, now)),
        opening=_opening(position),
        lapsing=position.lapsing(now + _FAR),
        history=tuple(_history(facts, entries))[:lines],
    )


def _level(programme: Programme, standing: Standing, deeds: Deeds, now: datetime) -> Level:
    titles = {tier.name: tier.title for tier in programme.tiers}
    value = measured(programme, deeds, now)
    above = next_tier(programme.tiers, standing.tier, value)
    name = titles.get(standing.tier, "")
    if above is None:
        return Level(name=name, reached=value)
    return Level(name=name, next=above[0].title, reached=value, goal=above[0].at, missing=above[1])


def _badges(programme: Programme, facts: Iterable[Fact], now: datetime) -> Iterable[str]:
    """Titles of the badges that stand, each once."""
    by_unit: dict[str, list[Fact]] = {}
    for fact in facts:
        if fact.unit.startswith("badge/"):
            by_unit.setdefault(fact.unit, []).append(fact)
    titles = {goal.badge: goal.title for goal in (*programme.challenges, *programme.badges) if goal.badge}
    for unit, told in sorted(by_unit.items()):
        if settle(told, now).available > NONE:
            name = unit.removeprefix("badge/")
            yield titles.get(name, name.replace("_", " ").replace("-", " ").title())


def _runs(goal: Goal, shop: Shop, now: datetime) -> bool:
    today = now.astimezone(ZoneInfo(shop.timezone)).date()
    return goal.begins is not None and goal.ends is not None and goal.begins <= today <= goal.ends


def _contest(goal: Goal, deeds: Deeds) -> Contest:
    assert goal.begins is not None
    assert goal.ends is not None
    begins, ends = midnight(goal.begins, deeds.zone), midnight(goal.ends + timedelta(days=1), deeds.zone)
    done = {deed: (min(deeds.of(deed, begins, ends), wanted), wanted) for deed, wanted in goal.wants.items()}
    return Contest(title=goal.title, ends=goal.ends, points=goal.points, deeds=done)


def _opening(position: Position) -> Mapping[datetime, Decimal]:
    found: dict[datetime, Decimal] = {}
    for lot in position.lots.values():
        if lot.pending > NONE and lot.opens_at is not None:
            found[lot.opens_at] = found.get(lot.opens_at, NONE) + lot.pending
    return dict(sorted(found.items()))


_WHAT = {FactKind.GRANT: "earned", FactKind.SPEND: "spent", FactKind.GIVE_BACK: "returned"}


def _history(facts: Iterable[Fact], entries: Iterable[Entry]) -> list[Line]:
    """What was told, and what time took, the newest first."""
    causes = {fact.id: fact.cause for fact in facts}
    found = []
    for fact in facts:
        if fact.unit != POINTS or not fact.amount:
            continue
        if fact.kind in _WHAT:
            amount = -fact.amount if fact.kind is FactKind.SPEND else fact.amount
            cause = causes.get(fact.of, fact.cause) if fact.kind is FactKind.GIVE_BACK else fact.cause
            found.append(Line(at=fact.at, what=_WHAT[fact.kind], amount=amount, cause=cause))
        elif fact.kind is FactKind.TAKE_BACK:
            what = "taken" if fact.amount > NONE else "returned"
            found.append(Line(at=fact.at, what=what, amount=-fact.amount, cause=causes.get(fact.of, fact.cause)))
    lapsed = (entry for entry in entries if entry.unit == POINTS and entry.kind == "expire")
    found += [Line(at=each.at, what="lapsed", amount=-each.amount, cause=causes.get(each.lot, "")) for each in lapsed]
    return sorted(found, key=lambda line: line.at, reverse=True)
