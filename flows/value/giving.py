"""What deeds, goals and days give under a programme's rules, as facts to be told. Pure."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from datetime import datetime, timedelta
from decimal import Decimal

from connector.config.loyalty import BIRTHDAY, Goal, Programme, Rule
from connector.model.value import POINTS, Fact, FactKind
from flows.value.standing import birthday_after

_YEAR = timedelta(days=365)
_LATE = timedelta(days=3)
"""A birthday we learn of later is left for the next year."""


def deed(cause: str, unit: str, now: datetime) -> Fact:
    """Something done, counted in a unit of its own."""
    return Fact(
        id=f"{cause}/{unit}",
        account="",
        unit=unit,
        kind=FactKind.GRANT,
        amount=Decimal(1),
        at=now,
        cause=cause,
        available_at=now,
    )


def points(programme: Programme, key: str, rule: Rule | Goal, cause: str, now: datetime, opens: datetime) -> Fact:
    """The points of a rule or a goal, to be used from `opens` on."""
    return Fact(
        id=key,
        account="",
        unit=POINTS,
        kind=FactKind.GRANT,
        amount=Decimal(rule.points),
        at=now,
        cause=cause,
        rule=rule.name,
        version=rule.version,
        available_at=opens,
        expires_at=opens + programme.expires if programme.expires else None,
    )


def by_rules(
    programme: Programme, known: Sequence[Fact], kind: str, cause: str, now: datetime, opens: datetime
) -> list[Fact]:
    """Points for one deed, as far as the rule's yearly limit goes; `known` is all that was told of the person."""
    found = []
    for rule in programme.of_kind(kind):
        key = f"{cause}/{rule.name}"
        if key not in {fact.id for fact in known} and has_room(rule, known, now):
            found.append(points(programme, key, rule, cause, now, opens))
    return found


def has_room(rule: Rule, known: Sequence[Fact], now: datetime) -> bool:
    """Whether the rule's yearly limit leaves room for one more."""
    given = (fact for fact in known if fact.kind is FactKind.GRANT and fact.rule == rule.name)
    return not rule.most or len({fact.id for fact in given if fact.at > now - _YEAR}) < rule.most


def rewards(programme: Programme, account: str, goal: Goal, now: datetime) -> list[Fact]:
    """What reaching a goal gives: points, pending as those of an order are, and a badge."""
    found = []
    cause = f"challenge/{goal.name}" if goal.begins else f"badge/{goal.name}"
    if goal.points:
        found.append(points(programme, f"{cause}/{account}", goal, cause, now, now + programme.pending))
    if goal.badge:
        badge = points(programme, f"{cause}/{account}/badge", goal, cause, now, now)
        found.append(replace(badge, unit=f"badge/{goal.badge}", amount=Decimal(1), expires_at=None))
    if not found:
        done = points(programme, f"{cause}/{account}/done", goal, cause, now, now)
        found.append(replace(done, unit=f"done/{goal.name}", amount=Decimal(1), expires_at=None))
    return found


def birthday(
    programme: Programme,
    account: str,
    known: Sequence[Fact],
    born: str | None,
    seen: datetime,
    zone: str,
    now: datetime,
) -> list[Fact]:
    """Points for a birthday that came since the last look (`seen`), once a year and person."""
    at = birthday_after(born, zone, seen)
    if at is None or not now - _LATE < at <= now:
        return []
    cause = f"birthday/{at.year}"
    had = {fact.rule for fact in known if fact.kind is FactKind.GRANT and fact.cause == cause}
    return [
        points(programme, f"{cause}/{account}/{rule.name}", rule, cause, now, now)
        for rule in programme.of_kind(BIRTHDAY)
        if rule.name not in had
    ]
