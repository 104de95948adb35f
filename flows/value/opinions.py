"""What a review earns by what it is now: pending until it is shown, taken back while it is not. Pure.

Points are promised when it is written, whatever its stars; a review that is held keeps them waiting for a release, one
that is withdrawn or hidden gives them back, and one that is shown again has them again.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import replace
from datetime import datetime
from decimal import Decimal

from connector.config.loyalty import REVIEW, Programme
from connector.model.value import Fact, FactKind
from connector.store.accounts import Holder
from connector.store.reviews import ReviewRow, ReviewState
from flows.value.giving import deed, has_room
from flows.value.standing import DONE_REVIEW

_GONE = (ReviewState.HIDDEN, ReviewState.WITHDRAWN)


def review_cause(row: ReviewRow) -> str:
    return f"review/{row.id}"


def opens_at(row: ReviewRow, now: datetime) -> datetime | None:
    """When what it earns may be used; `None` while nobody knows."""
    return max(row.publish_at or now, now) if row.state is ReviewState.PUBLISHED else None


def opinion(row: ReviewRow, known: Sequence[Fact], now: datetime) -> tuple[list[Fact], dict[str, Decimal]]:
    """The deed once it is shown, the release of what waited for that, and how much of each grant is to be taken back.
    `known` are the person's facts."""
    cause = review_cause(row)
    had = [fact for fact in known if fact.cause == cause and fact.kind is FactKind.GRANT and not fact.in_platform]
    told = {fact.id for fact in known}
    found: list[Fact] = []
    if opens_at(row, now) is not None:
        found = [] if any(fact.unit == DONE_REVIEW for fact in had) else [deed(cause, DONE_REVIEW, now)]
        waits = [fact for fact in had if fact.available_at is None]
        found += [shown for fact in waits if (shown := _release(fact, now)).id not in told]
    gone = row.state in _GONE
    return found, {fact.id: fact.amount if gone else Decimal(0) for fact in had}


def moved(
    programme: Programme, told: Iterable[Fact], holder: Holder, known: Sequence[Fact], row: ReviewRow, now: datetime
) -> tuple[list[Fact], dict[str, Decimal]]:
    """The order of a review names `holder` now and named somebody else when it was written (a guest's address was
    corrected): the same facts in their hands, under names of their own, as earned and as long as before; and how much
    of what they have for it is to be taken back. `told` is all that was told because of it, `known` the holder's facts.
    """
    strange = [fact for fact in told if fact.account not in holder.accounts]
    if not strange:
        return [], {}
    cause = review_cause(row)
    mine: list[Fact] = []
    if not any(fact.cause == cause and fact.kind is FactKind.GRANT and not fact.in_platform for fact in known):
        rules = {rule.name: rule for rule in programme.of_kind(REVIEW)}
        for fact in strange:
            if fact.kind is FactKind.GRANT and (
                fact.rule not in rules or has_room(rules[fact.rule], [*known, *mine], fact.at)
            ):
                mine.append(replace(fact, id=f"{fact.id}/{holder.account}", account=""))
        given = {fact.id.removesuffix(f"/{holder.account}"): fact.id for fact in mine}
        mine += [
            replace(word, id=f"{given[word.of]}{word.id.removeprefix(word.of)}", account="", of=given[word.of])
            for word in strange
            if word.kind in (FactKind.HOLD, FactKind.RELEASE) and word.of in given
        ]
    more, back = opinion(row, [*known, *mine], now)
    return [*mine, *more], back


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
