"""What a review earns by what it is now: pending until it is shown, taken back while it is not. Pure.

Points are promised when it is written, whatever its stars; a review that is held keeps them waiting for a release, one
that is withdrawn or hidden gives them back, and one that is shown again has them again.
"""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime
from decimal import Decimal

from connector.model.value import Fact, FactKind
from connector.store.reviews import ReviewRow, ReviewState
from flows.value.giving import deed
from flows.value.standing import DONE_REVIEW

_GONE = (ReviewState.HIDDEN, ReviewState.WITHDRAWN)


def opens_at(row: ReviewRow, now: datetime) -> datetime | None:
    """When what it earns may be used; `None` while nobody knows."""
    return max(row.publish_at or now, now) if row.state is ReviewState.PUBLISHED else None


def opinion(row: ReviewRow, known: Sequence[Fact], now: datetime) -> tuple[list[Fact], dict[str, Decimal]]:
    """The deed once it is shown, the release of what waited for that, and how much of each grant is to be taken back.
    `known` are the person's facts."""
    cause = f"review/{row.id}"
    had = [fact for fact in known if fact.cause == cause and fact.kind is FactKind.GRANT]
    told = {fact.id for fact in known}
    found: list[Fact] = []
    if opens_at(row, now) is not None:
        done = deed(cause, DONE_REVIEW, now)
        found = [] if done.id in told else [done]
        waits = [fact for fact in had if fact.available_at is None]
        found += [shown for fact in waits if (shown := _release(fact, now)).id not in told]
    gone = row.state in _GONE
    return found, {fact.id: fact.amount if gone else Decimal(0) for fact in had}


def _release(grant: Fact, now: datetime) -> Fact:
    return Fact(
        id=f"{grant.id}/shown",
        account=grant.account,
        unit=grant.unit,
        kind=FactKind.RELEASE,
        of=grant.id,
        amount=Decimal(0),
        at=now,
        cause=grant.cause,
        # What somebody else kept waiting is as long in their hands as what was shown at once.
        expires_at=now + (grant.expires_at - grant.at) if grant.expires_at else None,
    )
