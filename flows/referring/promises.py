"""What both sides are promised when a referral comes in, and what the month's limits leave of it. Pure.

The promise is kept with the referral, so that a later change of the terms changes nothing that was earned: what both
sides get by a `referrals` table, and how long it is held. Without a table the version of the flow that the run is
pinned to is the promise of what they get.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from datetime import datetime, timedelta
from decimal import Decimal

from connector.config.referrals import POINTS, ReferralTerms, Reward
from connector.model import Money
from flows.limits.daytime import zone_of

ADVOCATE, FRIEND = "advocate", "friend"
SIDES = (ADVOCATE, FRIEND)


def promise(terms: ReferralTerms, nth: int) -> dict[str, str]:
    """What the advocate's `nth` friend brings: `kind`, `worth`, `valid` (seconds); the friend's as `friend_kind`.
    `hold` (seconds) and what it is counted `from`, where that is known."""
    found = {"nth": str(nth)}
    if terms.hold is not None:
        found |= {"hold": str(int(terms.hold.total_seconds())), "from": terms.pending_from}
    if terms.enabled:
        found |= _told("", terms.reward_for(nth))
    if terms.friend_reward is not None:
        found |= _told("friend_", terms.friend_reward)
    return found


def held_by(promised: Mapping[str, str]) -> tuple[timedelta, str] | None:
    """How long a reward is held and from what on; `None` where a flow waits by itself, or nothing was said of it."""
    hold = promised.get("hold")
    return (timedelta(seconds=int(hold)), promised.get("from", "")) if hold else None


def _told(prefix: str, reward: Reward) -> dict[str, str]:
    told = {f"{prefix}kind": reward.kind, f"{prefix}worth": reward.worth}
    if reward.valid is not None:
        told[f"{prefix}valid"] = str(int(reward.valid.total_seconds()))
    return told


def reward_of(promised: Mapping[str, str], side: str) -> Reward | None:
    """One side's reward as it was promised; `None` where nothing was."""
    prefix = "" if side == ADVOCATE else "friend_"
    if not promised.get(f"{prefix}kind"):
        return None
    valid = promised.get(f"{prefix}valid")
    return Reward(
        kind=promised[f"{prefix}kind"],
        worth=promised.get(f"{prefix}worth", ""),
        valid=timedelta(seconds=int(valid)) if valid else None,
    )


def points_of(reward: Reward | None) -> int:
    return int(reward.worth) if reward is not None and reward.kind == POINTS else 0


def month_of(at: datetime, timezone: str) -> str:
    """The calendar month of the shop: `2026-03`."""
    return f"{at.astimezone(zone_of(timezone)):%Y-%m}"


def over_cap(
    terms: ReferralTerms, promised: Mapping[str, str], advocate: str, counted: Sequence[tuple[str, Mapping[str, str]]]
) -> bool:
    """Whether one more would go over a limit of the month. `counted`: (advocate, promise) of what counts already."""
    caps, mine = terms.caps, [told for who, told in counted if who == advocate]
    everybody = [told for _, told in counted]
    limits = ((caps.rewards, caps.value, mine), (caps.shop_rewards, caps.shop_value, everybody))
    return any(
        (most and len(told) + 1 > most) or (value is not None and _sum([*told, promised], value) > value.amount)
        for most, value, told in limits
    )


def _sum(promises: Sequence[Mapping[str, str]], cap: Money) -> Decimal:
    """The advocates' amounts; a percentage has no amount before it is used, and points are counted by their number
    of rewards only."""
    found = [reward.money for told in promises if (reward := reward_of(told, ADVOCATE)) is not None]
    return sum((money.amount for money in found if money is not None and money.currency == cap.currency), Decimal(0))
