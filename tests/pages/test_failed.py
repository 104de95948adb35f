"""Dead letters on a page: shown with their reasons, taken again by whoever has the link, by nobody else's doing."""

from __future__ import annotations

from datetime import timedelta
from urllib.parse import urlsplit

import pytest

from connector.pages import failed
from connector.store import deliveries, inbox
from connector.store.inbox import NewDelivery
from connector.testing.world import SHOPIFY, WOO, World
from tests.pages.life import client, rows, snapshot

HOSTILE = '"><script>alert(1)</script>'


def bury(world: World, shop_id: str, count: int, reason: str = "total: not a number") -> list[int]:
    """Deliveries that were received, taken once, and given up."""
    now = world.clock.now()
    new = [
        NewDelivery(
            shop_id=shop_id,
            platform="shopify",
            topic="orders/create",
            dedup_key=f"{shop_id}-{number}",
            headers={},
            body=b"{}",
            received_at=now,
        )
        for number in range(count)
    ]
    store = world.kiitos.store
    inbox.append(store.inbox, new)
    leased = deliveries.claim(store, now, 1000, timedelta(seconds=30))
    with store.work.transaction() as tx:
        for row in leased:
            deliveries.fail(tx, shop_id, row.delivery.id, now, "MALFORMED", reason, None)
    return [row.delivery.id for row in leased]


def page_for(world: World, life: timedelta = timedelta(days=1)) -> str:
    return urlsplit(failed.new_link(world.kiitos, SHOPIFY, life)).path


def open_ones(world: World, shop_id: str) -> list[int]:
    query = f"SELECT delivery_id FROM delivery_progress WHERE shop_id = '{shop_id}' AND status = 'new'"
    return sorted(number for (number,) in rows(world, query))


def test_who_looks_changes_nothing(world: World) -> None:
    (number,) = bury(world, SHOPIFY, 1, HOSTILE)
    path, visitor = page_for(world), client(world)
    before = snapshot(world)
    text = visitor.get(path).text
    assert str(number) in text
    assert "orders/create" in text
    assert "MALFORMED" in text
    assert "<script>" not in text
    assert snapshot(world) == before


@pytest.mark.parametrize("chosen", ["one", "all"])
def test_one_or_all_are_taken_again_and_no_other_shop_s(world: World, chosen: str) -> None:
    ours, theirs = bury(world, SHOPIFY, 3), bury(world, WOO, 1)
    wanted = ours if chosen == "all" else ours[1:2]
    answer = client(world).post(page_for(world), data={"delivery": "all" if chosen == "all" else str(wanted[0])})
    assert answer.status_code == 200
    assert f"Taken again: {len(wanted)}." in answer.text
    assert open_ones(world, SHOPIFY) == sorted(wanted)
    assert open_ones(world, WOO) == []
    client(world).post(page_for(world), data={"delivery": str(theirs[0])})
    assert open_ones(world, WOO) == [], "a number of another shop is nobody's"


def test_nothing_chosen_is_nothing_done(world: World) -> None:
    bury(world, SHOPIFY, 1)
    assert "Taken again: 0." in client(world).post(page_for(world), data={"delivery": "x"}).text
    assert open_ones(world, SHOPIFY) == []


def test_the_link_ends_by_itself(world: World) -> None:
    bury(world, SHOPIFY, 1)
    path = page_for(world, timedelta(hours=2))
    world.clock.advance(timedelta(hours=1, minutes=59))
    assert client(world).get(path).status_code == 200
    world.clock.advance(timedelta(minutes=1))
    assert client(world).get(path).status_code == 404
    assert client(world).post(path, data={"delivery": "all"}).status_code == 404
    assert open_ones(world, SHOPIFY) == []


def test_an_empty_list_says_so(world: World) -> None:
    assert "There are none." in client(world).get(page_for(world)).text
