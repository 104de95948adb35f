"""The list of a product's newest reviews in the shop: which are in it, and what becomes of it when two are published at
the same time."""

from __future__ import annotations

from datetime import timedelta
from typing import Any, cast

import pytest

from connector.config import ShopSettings
from connector.contracts import (
    Access,
    PlatformAdapter,
    PublishesRatings,
    PublishesReviews,
    RatingRequest,
    ReviewRequest,
)
from connector.contracts.acting import RevisesReviews
from connector.model import Effect, by_itself
from connector.store import Store, reviews
from connector.store.reviews import ReviewRow, ReviewState
from flows.reviews import attached, publication
from flows.reviews.publication import NEVER, NEWEST, PUBLISH, REVIEW, rating_of, wanted, write_review, written
from tests.store.examples import NOW, SHOP

PRODUCT = "77"
NOBODY = cast("Access", None)
SETTINGS = cast("ShopSettings", None)


class Platform(PublishesReviews, RevisesReviews, PublishesRatings):
    """Calls what it is told p1, p2 and so on, and keeps the list it was given last."""

    name = "stub"

    def __init__(self) -> None:
        self.made = 0
        self.listed: tuple[str, ...] = ()

    def publish_review(self, access: Access, request: ReviewRequest) -> str:
        self.made += 1
        return f"p{self.made}"

    def revise_review(self, access: Access, platform_id: str, request: ReviewRequest) -> str:
        return platform_id

    def remove_review(self, access: Access, platform_id: str) -> None:
        """Nothing is kept."""

    def publish_rating(self, access: Access, request: RatingRequest) -> None:
        self.listed = request.listed


def put(store: Store, name: str, age: int = 0, **how: Any) -> ReviewRow:
    row = ReviewRow(id=name, product_id=PRODUCT, rating=4, text="Fine.", at=NOW - timedelta(hours=age), **how)
    with store.work.transaction() as tx:
        reviews.save(tx, SHOP, row, NOW)
    return row


def effect(name: str, **request: Any) -> Effect:
    told = {"do": REVIEW, "review_id": name, "product_id": PRODUCT, "platform_id": "", **request}
    return by_itself(SHOP, f"review:{name}", REVIEW, told, NOW)


def test_the_newest_that_the_shop_may_show(store: Store) -> None:
    """Ten at most, the newest first; none that is hidden, withdrawn, or was imported and is not for the shop."""
    for number in range(12):
        put(store, f"r{number:02}", number, platform_id=f"p{number}")
    put(store, "hidden", 0, state=ReviewState.HIDDEN)
    put(store, "withdrawn", 0, state=ReviewState.WITHDRAWN)
    put(store, "imported", 0, pushed=NEVER)
    put(store, "under-way", 1)
    with store.work.read() as tx:
        rating = rating_of(tx, SHOP, PRODUCT, NOW)
    assert rating.newest is not None
    assert list(rating.newest) == ["r00", "r01", "under-way", *(f"r{number:02}" for number in range(2, NEWEST - 1))]
    assert rating.listed == ("p0", "p1", *(f"p{number}" for number in range(2, NEWEST - 1)))
    assert rating.with_ids({"under-way": "new", "stranger": "x"}).listed[2] == "new"
    assert rating.count == 14, "all that are shown count, wherever they came from"


def test_two_at_the_same_time_are_both_in_the_list(store: Store, monkeypatch: pytest.MonkeyPatch) -> None:
    told: list[str] = []
    monkeypatch.setattr(publication, "tell", lambda tx, shop, row, now, **how: told.append(row.id))
    platform = cast("PlatformAdapter", Platform())
    older, newer = put(store, "older", 1), put(store, "newer", 0)
    first, second = effect(older.id), effect(newer.id)

    def look(each: Effect) -> publication.Wanted:
        with store.work.read() as tx:
            return wanted(tx, each, SETTINGS, "https://kiitos.example", NOW)

    def keep(each: Effect, values: dict[str, str]) -> None:
        with store.work.transaction() as tx:
            written(tx, each, values, NOW)

    looks = look(first), look(second)
    values = [write_review(platform, NOBODY, want) for want in looks]
    assert cast("Platform", platform).listed == ("p2",), "neither knew what the other would be called"
    keep(first, values[0])
    assert told == []
    keep(second, values[1])
    assert told == ["newer"], "whoever comes last tells again"
    keep(second, write_review(platform, NOBODY, look(second)))
    assert cast("Platform", platform).listed == ("p2", "p1")
    assert told == ["newer"], "and that is the end of it"


@pytest.mark.parametrize(("listed", "again"), [("77=p2", ["newer"]), ("77=p2,p1", []), ("", [])])
def test_a_flows_own_step_tells_again_too(
    store: Store, monkeypatch: pytest.MonkeyPatch, listed: str, again: list[str]
) -> None:
    """What the step wrote lacked one that another run published meanwhile; outcomes of before say nothing of a list."""
    told: list[str] = []
    monkeypatch.setattr(attached, "tell", lambda tx, shop, row, now, **how: told.append(row.id))
    put(store, "older", 1, platform_id="p1", pushed=1)
    put(store, "newer", 0)
    values = {"keys": "newer", "ids": "p2", "revisions": "newer=1", "listed": listed}
    with store.work.transaction() as tx:
        attached.published(tx, effect("newer", do=PUBLISH), values, NOW)
    assert told == again
