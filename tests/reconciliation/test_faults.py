"""R5: what the platform failed to send arrives anyway. Virtual time; both platforms; each fault, and all together."""

from __future__ import annotations

from collections.abc import Callable
from datetime import timedelta

import pytest

from connector.testing.world import SHOPIFY, WOO
from tests.reconciliation.conftest import Town, Towns

HALF_HOUR = timedelta(minutes=30)


def lossy(town: Town) -> None:
    town.shopify.weather.lose = town.woo.weather.lose = 0.3


def unsubscribed(town: Town) -> None:
    """Shopify deletes the subscriptions, WooCommerce disables the webhooks."""
    town.shopify.subscriptions.clear()
    for hook in town.woo.queue.hooks.values():
        hook.status = "disabled"


def we_are_down(town: Town) -> None:
    """Our receiver is away for six hours: Shopify gives up and deletes, WooCommerce counts to seven and disables."""
    town.shopify.weather.deaf_until = town.woo.weather.deaf_until = town.clock.now() + timedelta(hours=6)


def they_are_down(town: Town) -> None:
    town.shopify.weather.down_until = town.woo.weather.down_until = town.clock.now() + timedelta(hours=6)


def throttled(town: Town) -> None:
    for weather in (town.shopify.weather, town.woo.weather):
        weather.throttle, weather.retry_after = 0.2, 60


def slow(town: Town) -> None:
    town.shopify.weather.slow = town.woo.weather.slow = 3.0


def everything(town: Town) -> None:
    for bad in (lossy, unsubscribed, we_are_down, they_are_down, throttled, slow):
        bad(town)


FAULTS = (lossy, unsubscribed, we_are_down, they_are_down, throttled, slow, everything)


@pytest.mark.parametrize("bad", FAULTS, ids=lambda fault: fault.__name__)
def test_every_order_is_there_half_an_hour_after_recovery(town: Town, bad: Callable[[Town], None]) -> None:
    bad(town)
    town.live(hours=6, orders_every=6)
    for weather in (town.shopify.weather, town.woo.weather):
        weather.clear()
    town.live(minutes=30)
    assert town.missing() == []
    # What was found in the last minutes is confirmed within the next.
    town.live(minutes=5)
    assert town.mailed() == town.bought, "each customer is mailed exactly once"
    assert len(town.bought) == 24
    assert town.shopify.gaps == town.woo.gaps == []
    assert town.shopify.weather.early == town.woo.weather.early == 0, "no request before Retry-After"


def test_subscriptions_are_back_when_an_order_was_missed(town: Town) -> None:
    before = {row.topic for row in town.shopify.subscriptions.values()}
    unsubscribed(town)
    town.live(hours=1, minutes=30, orders_every=12)
    assert {row.topic for row in town.shopify.subscriptions.values()} == before
    assert {hook.status for hook in town.woo.queue.hooks.values()} == {"active"}
    assert town.missing() == []


def test_a_sleeping_queue_is_woken_by_the_poll(town: Town) -> None:
    """No visitor comes to the WooCommerce shop: without the poll its webhooks would wait for ever."""
    town.woo.visitors = False
    town.buy(WOO)
    town.until(town.clock.now() + timedelta(minutes=1))
    town.live(minutes=20)
    assert town.missing() == []
    assert any(call.path == "/wp-cron.php" for call in town.woo.calls)


def test_what_was_seen_is_not_read_twice(town: Town) -> None:
    """With working webhooks a changed order is read once by the poll and never again for that change."""
    town.buy(SHOPIFY)
    town.live(hours=2)
    reads = [call for call in town.shopify.calls if call.operation == "Order"]
    assert 1 <= len(reads) <= 2
    assert town.mailed() == town.bought


def test_a_lost_second_word_within_the_same_second_is_found(town: Town) -> None:
    """orders/create arrives, orders/paid of the same second is lost: only asking tells that it was paid."""
    order = town.buy(SHOPIFY, pay=False)
    town.deliver()
    town.shopify.weather.lose = 1.0
    town.shopify.pay(order)
    town.deliver()
    assert _financial(town, order["id"]) == "pending"
    town.live(minutes=20)
    assert _financial(town, order["id"]) == "paid"


def _financial(town: Town, number: int) -> str:
    from connector.store import entities

    with town.kiitos.store.work.read() as tx:
        found = entities.order(tx, SHOPIFY, str(number))
    assert found is not None
    return str(found.financial)


def test_an_old_fact_recovered_late_starts_nothing(town: Town) -> None:
    """Four days away: the orders are known, and nobody is told that the order of last week has been received."""
    town.shopify.weather.lose = town.woo.weather.lose = 1.0
    for weather in (town.shopify.weather, town.woo.weather):
        weather.down_until = town.clock.now() + timedelta(days=4)
    town.buy(SHOPIFY)
    town.buy(WOO)
    town.live(hours=1)
    town.wait(days=4)
    assert town.missing() == []
    assert sum(town.mailed().values()) == 0


def test_one_shops_trouble_is_not_anothers(town: Town) -> None:
    """R10: while WooCommerce is away, Shopify's orders come as ever."""
    town.woo.weather.down_until = town.clock.now() + timedelta(hours=6)
    town.shopify.weather.lose = 1.0
    order = town.buy(SHOPIFY)
    town.live(minutes=20)
    assert f"{SHOPIFY}/{order['id']}" not in town.missing()
    assert town.job(WOO, "poll").error_code == "TRANSIENT"
    assert town.job(SHOPIFY, "poll").error_code == ""


def test_refused_credentials_pause_the_shop_and_nothing_is_dropped(town: Town) -> None:
    town.woo.weather.lose = 1.0
    key, town.woo.consumer_key = town.woo.consumer_key, "ck_another"
    order = town.buy(WOO)
    town.live(minutes=30)
    with town.kiitos.store.work.read() as tx:
        from connector.store import shops

        stored = shops.get(tx, WOO)
    assert stored is not None
    assert (str(stored.status), town.job(WOO, "poll").error_code) == ("disconnected", "AUTH_EXPIRED")
    town.woo.consumer_key = key
    town.live(hours=1, minutes=15)
    assert f"{WOO}/{order['id']}" not in town.missing()
    with town.kiitos.store.work.read() as tx:
        stored = shops.get(tx, WOO)
    assert stored is not None
    assert str(stored.status) == "active"


def test_without_reconciliation_orders_are_missing(towns: Towns) -> None:
    """The control of all the above: the same losses, and nobody asks."""
    town = towns()
    town.worker.reconciler = None
    lossy(town)
    town.live(hours=6, orders_every=6)
    town.live(minutes=35)
    assert town.missing()
