"""What a review earns while somebody else has it in their hands."""

from __future__ import annotations

from dataclasses import replace
from datetime import UTC, datetime, timedelta
from decimal import Decimal

from connector.model.value import POINTS, Fact, FactKind
from connector.store.reviews import ReviewRow, ReviewState
from flows.value.opinions import opinion
from flows.value.settling import settle

WRITTEN = datetime(2026, 3, 2, 9, tzinfo=UTC)
LOOKED_AT = WRITTEN + timedelta(days=70)
ROW = ReviewRow(id="r1", product_id="p1", rating=4, at=WRITTEN, state=ReviewState.HELD)


def waiting(lasts: timedelta | None) -> Fact:
    """The points of a review that is held; points here are good for so long."""
    return Fact(
        id="review/r1/review",
        account="a",
        unit=POINTS,
        kind=FactKind.GRANT,
        amount=Decimal(20),
        at=WRITTEN,
        cause="review/r1",
        rule="review",
        available_at=None,
        expires_at=WRITTEN + lasts if lasts else None,
    )


def test_what_was_held_for_long_is_good_for_as_long_as_what_was_shown_at_once() -> None:
    """Counted from the day it was written, it would have lapsed while it waited (found by tests/swarm/value)."""
    grant = waiting(timedelta(days=60))
    told, back = opinion(replace(ROW, state=ReviewState.PUBLISHED), [grant], LOOKED_AT)
    facts = [grant, *(fact for fact in told if fact.unit == POINTS)]
    assert back == {grant.id: 0}
    assert settle(facts, LOOKED_AT - timedelta(days=1)).pending == 20
    assert settle(facts, LOOKED_AT + timedelta(days=59)).available == 20
    assert settle(facts, LOOKED_AT + timedelta(days=61)).available == 0


def test_what_never_lapses_does_not_begin_to() -> None:
    grant = waiting(None)
    told, _ = opinion(replace(ROW, state=ReviewState.PUBLISHED), [grant], LOOKED_AT)
    assert (
        settle([grant, *(fact for fact in told if fact.unit == POINTS)], LOOKED_AT + timedelta(days=999)).available
        == 20
    )
