"""What is told of a programme: events that flows begin with. Pure."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from datetime import datetime
from decimal import Decimal

from connector.clock import to_text
from connector.config.loyalty import Programme
from connector.model import Customer, Event, EventKind, Ref, guest_id
from connector.model.value import POINTS
from connector.store.accounts import Holder
from flows.value.bookings import Change
from flows.value.settling import Position
from flows.value.standing import Deeds, Moved, Standing, measured, next_tier


@dataclass(frozen=True, slots=True, kw_only=True)
class Who:
    """Somebody as events name them: an account is named, only a guest is brought along."""

    account: str
    subject: Ref
    customer_id: str | None = None
    guest: Customer | None = None

    @classmethod
    def of(cls, holder: Holder, person: Customer | None) -> Who:
        if holder.customer_id:
            subject = Ref("customer", holder.customer_id)
            return cls(account=holder.account, subject=subject, customer_id=holder.customer_id)
        known = person or Customer(id=None, email=holder.email_key)
        subject = Ref("customer", guest_id(holder.email_key or ""))
        return cls(account=holder.account, subject=subject, guest=replace(known, id=None))

    def event(self, kind: EventKind, key: str, at: datetime, data: dict[str, str]) -> Event:
        return Event(
            kind=kind,
            key=key,
            subject=self.subject,
            at=at,
            customer_id=self.customer_id,
            customer=self.guest,
            data=data,
        )


def next_warning(position: Position, programme: Programme, now: datetime) -> datetime | None:
    """When somebody is next to be warned that points lapse."""
    lots = [lot for lot in position.lots.values() if lot.available > 0 or lot.pending > 0]
    times = (lot.lapses_at - programme.warning for lot in lots if lot.lapses_at is not None)
    return min((at for at in times if at > now), default=None)


def events(
    programme: Programme,
    who: Who,
    changes: Sequence[Change],
    position: Position,
    standing: Standing,
    moved: Moved | None,
    deeds: Deeds,
    now: datetime,
) -> list[Event]:
    """All that is to be told after somebody was looked at."""
    state = state_of(programme, position, standing, deeds, now)
    found = [*_points(who, changes, state, now), *_tier(programme, who, moved, state, now)]
    for change in changes:
        if change.told and change.unit.startswith("badge/") and change.after > change.before:
            name = change.unit.removeprefix("badge/")
            title = next((goal.title for goal in programme.badges if goal.name == name), name.title())
            key = f"{change.unit}/{who.account}/{change.entries[-1].id}"
            found.append(who.event(EventKind.BADGE_EARNED, key, now, {**state, "badge": title}))
    lots = {entry.lot for change in changes for entry in change.entries if entry.kind == "earn"}
    for goal in programme.challenges:
        if any(lot.startswith(f"challenge/{goal.name}/{who.account}") for lot in lots):
            data = {**state, "challenge": goal.title, "points": str(goal.points)}
            key = f"challenge/{goal.name}/{who.account}/{to_text(now)}"
            found.append(who.event(EventKind.CHALLENGE_COMPLETED, key, now, data))
    for at, points in position.lapsing(now + programme.warning).items():
        data = {**state, "points": whole(points), "expires_at": to_text(at)}
        found.append(who.event(EventKind.POINTS_EXPIRING, f"points.expiring/{who.account}/{to_text(at)}", now, data))
    return found


def state_of(
    programme: Programme, position: Position, standing: Standing, deeds: Deeds, now: datetime
) -> dict[str, str]:
    """Where somebody stands, as events and messages have it: `balance`, `pending`, `tier`, `next_tier` and what is
    `missing` to it, in the measure of the tiers."""
    titles = {tier.name: tier.title for tier in programme.tiers}
    found = {
        "balance": whole(position.available),
        "pending": whole(position.pending),
        "tier": titles.get(standing.tier, ""),
    }
    above = next_tier(programme.tiers, standing.tier, measured(programme, deeds, now)) if programme.tiers else None
    if above is not None:
        found |= {"next_tier": above[0].title, "missing": whole(above[1])}
    return found


def tier_words(programme: Programme, standing: Standing, deeds: Deeds, now: datetime) -> dict[str, str]:
    """The tier somebody has, since when, why, and how far the next is."""
    titles = {tier.name: tier.title for tier in programme.tiers}
    value = measured(programme, deeds, now)
    above = next_tier(programme.tiers, standing.tier, value)
    over = {"rolling": f"in the last {programme.span.days} days", "calendar": "in this or the last calendar year"}
    why = f"{whole(value)} {programme.measure} {over.get(programme.period, 'ever')}"
    reaches = next((tier for tier in programme.tiers if tier.name == standing.tier), None)
    if reaches is not None and value >= reaches.at:
        why += f", at least the {whole(reaches.at)} of {reaches.title}"
    elif reaches is not None:
        until = f" until {to_text(standing.falls_at)[:10]}" if standing.falls_at else ""
        why += f", less than the {whole(reaches.at)} of {reaches.title}, kept in grace{until}"
    return {
        "name": titles.get(standing.tier, ""),
        "since": to_text(standing.since)[:10] if standing.since else "",
        "next": above[0].title if above else "",
        "missing": whole(above[1]) if above else "",
        "why": why,
    }


def whole(amount: Decimal) -> str:
    """An amount as plain text, without zeros that say nothing."""
    return f"{amount.normalize():f}" if amount else "0"


def _points(who: Who, changes: Sequence[Change], state: dict[str, str], now: datetime) -> Iterator[Event]:
    of_points = [change for change in changes if change.unit == POINTS and change.entries]
    if not of_points:
        return
    last = of_points[-1]
    delta = last.after - of_points[0].before
    key = f"points/{who.account}/{last.entries[-1].id}"
    yield who.event(EventKind.POINTS_CHANGED, key, now, {**state, "points": whole(delta)})


def _tier(programme: Programme, who: Who, moved: Moved | None, state: dict[str, str], now: datetime) -> Iterator[Event]:
    if moved is None:
        return
    titles = {tier.name: tier.title for tier in programme.tiers}
    kind = EventKind.TIER_RETAINED if moved.direction == "retained" else EventKind.TIER_CHANGED
    data = {**state, "tier": titles.get(moved.after, ""), "before": titles.get(moved.before, "")}
    key = f"tier/{who.account}/{moved.direction}/{moved.after}/{to_text(now)}"
    yield who.event(kind, key, now, {**data, "direction": moved.direction})
