"""Long lists: what changes while we page must not push anything past us, and nothing may turn in a circle."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import UTC, datetime, timedelta

import pytest

from connector.clock import ManualClock
from connector.contracts import Access
from connector.errors import Refused
from connector.model import Shop
from connector.testing.fakes.people import AINO, MUG
from connector.testing.fakes.woocommerce import FakeWoo
from platforms.woocommerce import WooCommerce, lists

START = datetime(2026, 11, 2, 8, 0, tzinfo=UTC)


@pytest.fixture
def woo() -> Iterator[FakeWoo]:
    with FakeWoo(ManualClock(START), "https://metsa.example", "ck", "cs", timezone="Europe/Helsinki") as fake:
        yield fake


@pytest.fixture
def access(woo: FakeWoo) -> Access:
    shop = Shop(id="metsa", client_id="c", platform="woocommerce", domain="metsa.example", name="M", url=woo.home)
    secrets = {"consumer_key": "ck", "consumer_secret": "cs"}
    return Access(shop=shop, secrets=secrets, clock=woo.clock, base_url=woo.api_url)


def place(woo: FakeWoo, count: int, apart: float) -> None:
    for _ in range(count):
        woo.place_order([(MUG, 1)], AINO)
        woo.clock.advance(timedelta(seconds=apart))  # type: ignore[attr-defined]


def every(access: Access, since: datetime, meanwhile: FakeWoo | None = None) -> list[str]:
    """All pages; with `meanwhile` the oldest order listed changes between two pages."""
    platform, cursor, found = WooCommerce(), None, []
    for _ in range(100):
        page = platform.list_changes(access, "order", since, cursor)
        found += [mark.id for mark in page.marks]
        if page.cursor is None:
            return found
        cursor = page.cursor
        if meanwhile is not None:
            meanwhile.clock.advance(timedelta(seconds=5))  # type: ignore[attr-defined]
            meanwhile.set_status(meanwhile.orders[int(page.marks[0].id)], "completed")
    raise AssertionError("paging does not end")


def test_an_order_changing_between_pages_pushes_no_other_past_us(
    woo: FakeWoo, access: Access, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(lists, "PER_PAGE", 5)
    monkeypatch.setattr(lists.Place.at.__func__, "__defaults__", (5,))  # type: ignore[attr-defined]
    place(woo, 23, apart=3)
    assert set(every(access, START, woo)) == {str(number) for number in woo.orders}


def test_with_page_numbers_an_order_would_be_skipped(woo: FakeWoo, access: Access) -> None:
    """The control: the same list asked for by page."""
    place(woo, 23, apart=3)
    api = WooCommerce()._api(access)
    seen: set[int] = set()
    for page in range(1, 8):
        rows = api.rows("orders", {"orderby": "modified", "order": "asc", "per_page": 5, "page": page}).rows
        seen.update(row["id"] for row in rows)
        if rows:
            woo.clock.advance(timedelta(seconds=5))  # type: ignore[attr-defined]
            woo.set_status(woo.orders[rows[0]["id"]], "completed")
    assert seen != set(woo.orders)


def test_more_orders_in_one_second_than_a_page_holds(
    woo: FakeWoo, access: Access, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(lists.Place.at.__func__, "__defaults__", (5,))  # type: ignore[attr-defined]
    place(woo, 17, apart=0)
    place(woo, 3, apart=2)
    assert set(every(access, START)) == {str(number) for number in woo.orders}


def test_times_are_naive_gmt(woo: FakeWoo, access: Access) -> None:
    """Helsinki is two hours ahead: an order of this minute is after `since`, one of an hour ago is not."""
    place(woo, 1, apart=3600)
    place(woo, 1, apart=0)
    first, second = woo.orders
    assert every(access, woo.clock.now() - timedelta(minutes=5)) == [str(second)]
    assert every(access, START) == [str(first), str(second)]


def test_a_shop_that_ignores_the_filter_is_refused(
    woo: FakeWoo, access: Access, monkeypatch: pytest.MonkeyPatch
) -> None:
    """WooCommerce ignores a parameter it does not know: the whole history must not pass for news."""
    from connector.testing.fakes.woocommerce import listing

    monkeypatch.setattr(listing, "_within", lambda state, request, rows: rows)
    place(woo, 2, apart=3600)
    with pytest.raises(Refused, match="ignores modified_after"):
        every(access, woo.clock.now())
