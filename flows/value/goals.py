"""Badges and challenges: facts of what somebody has reached now, or no longer. Pure."""

from __future__ import annotations

from datetime import datetime
from decimal import Decimal

from connector.config.loyalty import Programme
from connector.model.value import Fact
from flows.value import giving
from flows.value.settling import taking_back
from flows.value.standing import Deeds, achieved


def goals(programme: Programme, account: str, deeds: Deeds, cause: str, now: datetime) -> list[Fact]:
    """What is to be told of each goal: a grant that was reached, what takes one back that is not."""
    found: list[Fact] = []
    for goal in (*programme.badges, *programme.challenges):
        done = achieved(goal, deeds)
        for grant in giving.rewards(programme, account, goal, now):
            had = [
                one for one in deeds.facts if (one.kind, one.cause, one.unit) == (grant.kind, grant.cause, grant.unit)
            ]
            if done and not had:
                found.append(grant)
            # Two accounts that became one had reached it both: it counts once.
            for number, known in enumerate(sorted(had, key=lambda one: (one.at, one.id))):
                target = Decimal(0) if done and not number else known.amount
                told = taking_back(known, deeds.facts, target, now, cause or "time")
                found += [told] if told is not None else []
    return found
