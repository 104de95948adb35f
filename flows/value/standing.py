"""Tiers, badges and challenges: where somebody stands, how near the next is, and when time alone changes it. Pure."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import date, datetime, timedelta
from decimal import Decimal
from zoneinfo import ZoneInfo

from connector.clock import from_text, to_text
from connector.config.loyalty import Goal, Programme, Tier
from connector.model import Purchase
from connector.model.value import POINTS, Fact, FactKind
from flows.value.settling import NONE

DONE_REVIEW, DONE_REFERRAL = "done/review", "done/referral"
"""Units that count deeds: a review, a friend who bought. One that is taken back no longer counts."""
_DEED_UNITS = {"reviews": DONE_REVIEW, "referrals": DONE_REFERRAL}


@dataclass(frozen=True, slots=True, kw_only=True)
class Standing:
    """What is kept of somebody between two looks. `falls_at` is when they lose a tier they no longer reach; `year` the
    calendar period the tier was last confirmed in."""

    tier: str = ""
    since: datetime | None = None
    falls_at: datetime | None = None
    year: int = 0

    @classmethod
    def read(cls, state: Mapping[str, object]) -> Standing:
        def at(key: str) -> datetime | None:
            return from_text(str(state[key])) if state.get(key) else None

        year = state.get("year", 0)
        return cls(
            tier=str(state.get("tier", "")),
            since=at("since"),
            falls_at=at("falls_at"),
            year=year if isinstance(year, int) else 0,
        )

    def dump(self) -> dict[str, object]:
        times = {name: to_text(at) for name, at in (("since", self.since), ("falls_at", self.falls_at)) if at}
        return {"tier": self.tier, "year": self.year, **times}


@dataclass(frozen=True, slots=True, kw_only=True)
class Deeds:
    """What somebody did, as far as it stands: purchases in the shop's currency, and the facts of the ledger."""

    purchases: Sequence[Purchase]
    facts: Sequence[Fact]
    currency: str
    zone: str

    def reached(self, programme: Programme, begins: datetime | None, ends: datetime | None) -> Decimal:
        """The measure of tiers over a time."""
        if programme.measure == "points":
            return _kept(self.facts, POINTS, begins, ends)
        return self.of("orders" if programme.measure == "orders" else "spent", begins, ends)

    def of(self, deed: str, begins: datetime | None, ends: datetime | None) -> Decimal:
        """A deed over a time: the begin belongs to it, the end does not."""
        if deed in _DEED_UNITS:
            return _kept(self.facts, _DEED_UNITS[deed], begins, ends)
        bought = [one for one in self.purchases if _within(one.placed_at, begins, ends)]
        if deed == "orders":
            return Decimal(len(bought))
        return sum((one.amount.amount for one in bought if one.amount.currency == self.currency), NONE)


def _within(at: datetime, begins: datetime | None, ends: datetime | None) -> bool:
    return (begins is None or at >= begins) and (ends is None or at < ends)


def _kept(facts: Iterable[Fact], unit: str, begins: datetime | None, ends: datetime | None) -> Decimal:
    known = {fact.id: fact for fact in facts if fact.unit == unit}
    back: dict[str, Decimal] = {}
    for fact in known.values():
        if fact.kind is FactKind.TAKE_BACK:
            back[fact.of] = back.get(fact.of, NONE) + fact.amount
    given = (fact for fact in known.values() if fact.kind is FactKind.GRANT and _within(fact.at, begins, ends))
    return sum((max(fact.amount - back.get(fact.id, NONE), NONE) for fact in given), NONE)


def measured(programme: Programme, deeds: Deeds, now: datetime) -> Decimal:
    """What counts towards tiers now. A calendar year counts until the end of the next: what was reached in May is not
    lost in January."""
    if programme.period == "rolling":
        return deeds.reached(programme, now - programme.span, None)
    if programme.period == "ever":
        return deeds.reached(programme, None, None)
    year = now.astimezone(ZoneInfo(deeds.zone)).year
    this, last = (
        deeds.reached(programme, _new_year(each, deeds.zone), _new_year(each + 1, deeds.zone))
        for each in (year, year - 1)
    )
    return max(this, last)


def _new_year(year: int, zone: str) -> datetime:
    return midnight(date(year, 1, 1), zone)


def midnight(day: date, zone: str) -> datetime:
    """When a day begins on the shop's calendar."""
    return datetime(day.year, day.month, day.day, tzinfo=ZoneInfo(zone))


def reached(tiers: Sequence[Tier], value: Decimal) -> str:
    """The highest tier a measure reaches; empty for none."""
    return next((tier.name for tier in reversed(tiers) if value >= tier.at), "")


def next_tier(tiers: Sequence[Tier], tier: str, value: Decimal) -> tuple[Tier, Decimal] | None:
    """The next tier above where somebody stands, and how much is missing to it."""
    above = next((each for each in tiers if each.at > value and _rank(tiers, each.name) > _rank(tiers, tier)), None)
    return (above, above.at - value) if above is not None else None


def _rank(tiers: Sequence[Tier], name: str) -> int:
    return next((number for number, tier in enumerate(tiers) if tier.name == name), -1)


@dataclass(frozen=True, slots=True)
class Moved:
    """`direction` is `up`, `down` or `retained`; the tier before and after."""

    direction: str
    before: str
    after: str


def stand(programme: Programme, was: Standing, deeds: Deeds, now: datetime) -> tuple[Standing, Moved | None]:
    """Where somebody stands now. Up at once; down only after the grace, which begins when the tier is no longer
    reached. `retained` is who reached it again within the grace, and with calendar years who has it for one more."""
    tiers = programme.tiers
    due = reached(tiers, measured(programme, deeds, now))
    year = now.astimezone(ZoneInfo(deeds.zone)).year if programme.period == "calendar" else 0
    if _rank(tiers, was.tier) < 0:
        was = replace(was, tier="")  # the tier is not configured any more
    if _rank(tiers, due) > _rank(tiers, was.tier):
        return Standing(tier=due, since=now, year=year), Moved("up", was.tier, due)
    if due == was.tier:
        kept = replace(was, falls_at=None, year=year)
        again = bool(due) and (was.falls_at is not None or (was.year and year > was.year))
        return kept, Moved("retained", due, due) if again else None
    falls_at = was.falls_at or now + programme.grace
    if falls_at > now:
        return replace(was, falls_at=falls_at, year=year), None
    return Standing(tier=due, since=now, year=year), Moved("down", was.tier, due)


def next_look(programme: Programme, standing: Standing, deeds: Deeds, now: datetime) -> datetime | None:
    """When time alone may change where somebody stands: something leaves the period, a year ends, a grace ends."""
    times = [standing.falls_at] if standing.falls_at else []
    if programme.tiers and programme.period == "calendar":
        times.append(_new_year(now.astimezone(ZoneInfo(deeds.zone)).year + 1, deeds.zone))
    if programme.tiers and programme.period == "rolling" and standing.tier:
        counted = (
            [fact.at for fact in deeds.facts if fact.kind is FactKind.GRANT and fact.unit == POINTS]
            if programme.measure == "points"
            else [one.placed_at for one in deeds.purchases]
        )
        # A moment after: what is exactly a period old still counts.
        times += [at + programme.span + timedelta(microseconds=1) for at in counted]
    return min((at for at in times if at > now), default=None)


def achieved(goal: Goal, deeds: Deeds) -> bool:
    """Whether all that a badge or a challenge wants is done, in its days."""
    begins = midnight(goal.begins, deeds.zone) if goal.begins else None
    ends = midnight(goal.ends + timedelta(days=1), deeds.zone) if goal.ends else None
    return all(deeds.of(deed, begins, ends) >= number for deed, number in goal.wants.items())


def birthday_after(birthday: str | None, zone: str, after: datetime) -> datetime | None:
    """The next birthday's beginning on the shop's calendar; the 29th of February is the 28th in other years."""
    if not birthday or len(birthday) < len("--03-02"):
        return None
    try:
        month, day = int(birthday[-5:-3]), int(birthday[-2:])
        for year in (after.year - 1, after.year, after.year + 1):
            leap = (month, day) == (2, 29) and (year % 4 or (year % 100 == 0 and year % 400))
            at = midnight(date(year, month, 28 if leap else day), zone)
            if at > after:
                return at
    except ValueError:
        return None
    return None
