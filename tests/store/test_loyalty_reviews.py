"""Whose the points of a review are when the address of its order is corrected afterwards."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import pytest

from connector.model import Event, EventKind, Order, Ref
from connector.store import reviews
from connector.store.reviews import ReviewRow, ReviewState
from flows.value import loyalty
from tests.store.loyal import AINO, DAY, Loyal, faults, life, line, purchase, told
from tests.store.trade import SHOP

__all__ = ["life"]

SLIP = "aino@exmaple.test"


def writes(life: Loyal, made: Order, state: ReviewState = ReviewState.PUBLISHED) -> ReviewRow:
    row = ReviewRow(
        id=reviews.review_id(made.id, "p1"),
        order_id=made.id,
        product_id="p1",
        rating=2,
        at=life.clock.now(),
        state=state,
        publish_at=life.clock.now(),
    )
    with life.store.work.transaction() as tx:
        assert reviews.save(tx, SHOP, row, life.clock.now())
    life.take_in(happens(life, row, EventKind.REVIEW_SUBMITTED))
    return row


def becomes(life: Loyal, row: ReviewRow, state: ReviewState, kind: str) -> None:
    with life.store.work.transaction() as tx:
        known = reviews.get(tx, SHOP, row.id)
        assert known is not None
        assert reviews.move(tx, SHOP, known, state, life.clock.now())
    life.take_in(happens(life, row, kind))


def happens(life: Loyal, row: ReviewRow, kind: str) -> Event:
    key = f"{row.id}/{kind}/{life.clock.now().isoformat()}"
    return Event(kind=kind, key=key, subject=Ref("review", row.id), at=life.clock.now(), order_id=row.order_id)


def corrected(life: Loyal, made: Order, email: str = AINO) -> None:
    life.clock.advance(DAY)
    life.take_in(told(replace(made, email=email, updated_at=life.clock.now()), EventKind.ORDER_UPDATED))


def bought(life: Loyal, email: str = SLIP, order_id: str = "1") -> Order:
    made = purchase(line("a", "0.50"), order_id=order_id, email=email, at=life.clock.now())
    life.take_in(told(made, EventKind.ORDER_PAID))
    return made


def reviewed(life: Loyal, email: str) -> tuple[int, int, int]:
    """Points of reviews alone that can be used and that wait, and the reviews that count."""
    lots = [lot for lot in life.position(email).lots.values() if lot.grant.rule == "review"]
    usable, waiting = sum(lot.available for lot in lots), sum(lot.pending for lot in lots)
    return int(usable), int(waiting), int(life.position(email, "done/review").available)


def test_the_points_of_a_review_go_with_its_order(life: Loyal) -> None:
    made = bought(life)
    writes(life, made)
    assert reviewed(life, SLIP) == (20, 0, 1)
    corrected(life, made)
    assert reviewed(life, AINO) == (20, 0, 1)
    assert reviewed(life, SLIP) == (0, 0, 0)
    corrected(life, made)
    assert reviewed(life, AINO) == (20, 0, 1), "the same news again changes nothing"
    assert faults(life) == faults(life, SLIP) == []


def test_they_go_back_when_the_correction_was_the_slip(life: Loyal) -> None:
    made = bought(life, AINO)
    writes(life, made)
    corrected(life, made, SLIP)
    corrected(life, made, AINO)
    assert (reviewed(life, AINO), reviewed(life, SLIP)) == ((20, 0, 1), (0, 0, 0))
    corrected(life, made, SLIP)
    assert (reviewed(life, AINO), reviewed(life, SLIP)) == ((0, 0, 0), (20, 0, 1))
    assert faults(life) == faults(life, SLIP) == []


@pytest.mark.parametrize(
    ("state", "kind", "left"),
    [
        (ReviewState.HIDDEN, EventKind.REVIEW_HIDDEN, (0, 0)),
        (ReviewState.WITHDRAWN, EventKind.REVIEW_WITHDRAWN, (0, 0)),
        (ReviewState.PUBLISHED, EventKind.REVIEW_PUBLISHED, (20, 0)),
    ],
)
def test_what_becomes_of_it_later_becomes_of_theirs(
    life: Loyal, state: ReviewState, kind: str, left: tuple[int, int]
) -> None:
    made = bought(life)
    row = writes(life, made, ReviewState.HELD)
    assert reviewed(life, SLIP) == (0, 20, 0)
    corrected(life, made)
    assert reviewed(life, AINO) == (0, 20, 0), "as long as nobody has looked at it"
    life.clock.advance(DAY)
    becomes(life, row, state, kind)
    assert reviewed(life, AINO)[:2] == left
    assert reviewed(life, SLIP) == (0, 0, 0)
    assert faults(life) == faults(life, SLIP) == []


def test_what_was_shown_after_a_while_is_good_for_as_long_in_other_hands(life: Loyal) -> None:
    made = bought(life)
    row = writes(life, made, ReviewState.HELD)
    life.live(30 * DAY)
    becomes(life, row, ReviewState.PUBLISHED, EventKind.REVIEW_PUBLISHED)
    corrected(life, made)
    life.live(229 * DAY)
    assert reviewed(life, AINO)[0] == 20
    life.live(231 * DAY)
    assert reviewed(life, AINO)[0] == 0, "good for 200 days from the day it was shown"
    assert faults(life) == []


def test_the_limit_of_a_year_is_theirs(life: Loyal) -> None:
    for number in range(3):
        writes(life, bought(life, AINO, f"own{number}"))
    made = bought(life)
    writes(life, made)
    corrected(life, made)
    assert reviewed(life, AINO) == (60, 0, 4), "three earn, all count"
    assert reviewed(life, SLIP) == (0, 0, 0)


def test_without_looking_at_its_reviews_the_old_address_keeps_them(
    life: Loyal, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Negative control."""

    def none(*_: Any) -> list[ReviewRow]:
        return []

    made = bought(life)
    writes(life, made)
    monkeypatch.setattr(loyalty, "_written", none)
    corrected(life, made)
    assert (reviewed(life, AINO), reviewed(life, SLIP)) == ((0, 0, 0), (20, 0, 1))
