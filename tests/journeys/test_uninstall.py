"""The merchant leaves, and sometimes comes back before the word of it has arrived."""

from __future__ import annotations

import json
from datetime import UTC, datetime

import pytest

from connector.model import ShopStatus
from connector.store import shops
from connector.testing.fakes.shopify.deliveries import sign
from connector.testing.world import SHOPIFY, SHOPIFY_DOMAIN, World
from tests.journeys.conftest import Worlds
from tests.journeys.recorded import RECORDINGS, post

RECORDING = RECORDINGS["shopify/app_uninstalled/shop"]


def day(hour: int) -> datetime:
    return datetime(2026, 11, 20, hour, tzinfo=UTC)


def uninstalled(world: World, triggered_at: str | None) -> ShopStatus:
    """What the shop is after `app/uninstalled` came, triggered at that time."""
    body = json.dumps(json.loads(RECORDING.body) | {"myshopify_domain": SHOPIFY_DOMAIN}).encode()
    headers = {
        **RECORDING.headers,
        "X-Shopify-Shop-Domain": SHOPIFY_DOMAIN,
        "X-Shopify-Hmac-Sha256": sign(world.shopify.client_secret, body),
        "X-Shopify-Webhook-Id": f"uninstalled-{triggered_at}",
    }
    del headers["X-Shopify-Triggered-At"]
    if triggered_at:
        headers["X-Shopify-Triggered-At"] = triggered_at
    assert post(world.hook_url(SHOPIFY), body, headers) == 200
    world.worker.drain()
    with world.kiitos.store.work.read() as tx:
        found = shops.get(tx, SHOPIFY)
    assert found is not None
    return found.status


def reinstall(world: World) -> None:
    with world.kiitos.store.work.transaction() as tx:
        shops.note_installed(tx, SHOPIFY, world.clock.now())


def test_an_uninstall_that_comes_after_the_return_is_ignored(worlds: Worlds) -> None:
    world = worlds(day(6))
    world.until(day(8))
    reinstall(world)
    world.until(day(9))
    assert uninstalled(world, "2026-11-20T07:12:46.290670248Z") is ShopStatus.ACTIVE
    assert uninstalled(world, "2026-11-20T08:30:00.000000000Z") is ShopStatus.UNINSTALLED, "this one is of the new"


@pytest.mark.parametrize("triggered_at", ["2026-11-20T07:12:46.290670248Z", None])
def test_an_uninstall_without_a_return_or_a_time_is_obeyed(worlds: Worlds, triggered_at: str | None) -> None:
    world = worlds(day(6))
    world.until(day(9))
    if triggered_at is None:
        reinstall(world)  # nobody can say that it was before: an app that goes on uninvited is worse
    assert uninstalled(world, triggered_at) is ShopStatus.UNINSTALLED


def test_a_status_set_back_by_hand_counts_as_a_return(worlds: Worlds) -> None:
    world = worlds(day(6))
    world.until(day(9))
    assert uninstalled(world, "2026-11-20T07:12:46Z") is ShopStatus.UNINSTALLED
    with world.kiitos.store.work.transaction() as tx:
        shops.set_status(tx, SHOPIFY, ShopStatus.ACTIVE, world.clock.now(), "by command")
    assert uninstalled(world, "2026-11-20T08:59:00Z") is ShopStatus.ACTIVE
