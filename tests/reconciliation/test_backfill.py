"""History is read once, in pages, goes on where it stopped, and is news for nobody."""

from __future__ import annotations

from datetime import timedelta
from typing import Any

import pytest

from connector.model import Channel, ConsentState, Purpose
from connector.store import consents, entities, events, runs
from connector.testing.fakes.people import AINO, EERO, MUG, Article, Buyer
from connector.testing.world import SHOPIFY, WOO
from tests.reconciliation.conftest import START, Town, Towns


@pytest.fixture
def old_town(towns: Towns) -> Town:
    """Two shops with a past of twelve orders each, the last of yesterday, sent and paid; connected just now."""
    town = towns(settled=False)
    town.clock.set(START - timedelta(days=120))
    for number in range(12):
        buyer = Buyer(
            first_name="Vanha",
            last_name=str(number),
            email=f"old{number}@example.test",
            accepts_marketing=number % 2 == 0,
        )
        order = town.shopify.place_order(
            [(MUG, 1), (Article(title=f"Kirja {number}", price=MUG.price, sku=f"B{number}"), 2)], buyer
        )
        parcel = town.shopify.fulfill(order)
        if number % 3 == 0:
            town.shopify.carrier_event(parcel, "delivered")
        done = town.woo.place_order([(MUG, 1)], buyer, account=number % 2 == 0)
        if number % 3 == 0:
            town.woo.set_status(done, "completed")
        town.clock.advance(timedelta(days=10, minutes=7) if number < 11 else timedelta(days=9))
    town.shopify.outbox.pending.clear()
    town.woo.queue.pending.clear()
    assert town.clock.now() < START
    town.clock.set(START)
    return town


def read_all(town: Town) -> None:
    town.worker.drain()
    town.live(minutes=15)


def test_everything_is_known_and_nobody_is_mailed(old_town: Town) -> None:
    read_all(old_town)
    assert old_town.missing() == []
    old_town.live(hours=2)
    assert sum(old_town.mailed().values()) == 0
    for shop in (SHOPIFY, WOO):
        assert old_town.job(shop, "backfill").due_at is None
        report = old_town.reports(shop, "backfill")[0]
        assert (report["counts"]["order"], report["faults"]) == (12, 0)
    with old_town.kiitos.store.work.read() as tx:
        assert runs.next_wake(tx) is None
        shopify = next(iter(old_town.shopify.orders.values()))
        found = entities.order(tx, SHOPIFY, str(shopify["id"]))
        assert found is not None
        assert (len(found.lines), found.paid_at is not None) == (2, True)
        assert len(entities.shipments(tx, SHOPIFY, found.id)) == 1
        kinds = {row.kind for row in events.for_order(tx, SHOPIFY, found.id)}
        assert {"order.created", "order.paid", "order.shipped", "order.delivered"} <= kinds
        state, _ = consents.state(tx, SHOPIFY, "old0@example.test", Channel.EMAIL, Purpose.MARKETING)
        assert state is ConsentState.GRANTED
        woo_customer = next(iter(old_town.woo.customers))
        assert entities.customer(tx, WOO, str(woo_customer)) is not None
        product = next(iter(old_town.woo.products))
        assert entities.products(tx, WOO, [str(product)])


def test_the_next_webhook_of_an_old_order_is_news_only_of_what_is_new(old_town: Town) -> None:
    """Yesterday's order was confirmed by the platform, long before us. It is edited now: no confirmation for it."""
    old_town.clock.set(START - timedelta(days=1))
    late_shopify, late_woo = old_town.buy(SHOPIFY), old_town.buy(WOO)
    old_town.shopify.outbox.pending.clear()
    old_town.woo.queue.pending.clear()
    old_town.clock.set(START)
    read_all(old_town)
    old_town.shopify.edit_order(late_shopify, note="Ovikoodi 1234")
    old_town.woo.set_status(late_woo, "completed")
    old_town.live(hours=1)
    with old_town.kiitos.store.work.read() as tx:
        found = entities.order(tx, WOO, str(late_woo["id"]))
    assert found is not None
    assert found.raw_status == "completed"
    assert sum(old_town.mailed().values()) == 0


def test_what_happens_meanwhile_is_not_swallowed(old_town: Town) -> None:
    """An order placed while the history is being read is news, wherever the bulk file shows it."""
    old_town.worker.drain()
    old_town.buy(SHOPIFY)
    old_town.buy(WOO)
    old_town.live(hours=1)
    assert old_town.mailed() == old_town.bought


def test_it_goes_on_after_an_interruption_at_any_page(old_town: Town, monkeypatch: pytest.MonkeyPatch) -> None:
    """Killed after each step and begun anew by another process: everything is read, no step twice over."""
    from platforms.shopify import bulk
    from platforms.woocommerce import catching_up

    monkeypatch.setattr(bulk, "PART", 2)
    monkeypatch.setattr(catching_up, "FIRST_SIZE", 2)
    monkeypatch.setattr(catching_up, "LARGEST_SIZE", 2)
    reconciler = old_town.worker.reconciler
    assert reconciler is not None
    reconciler.plan()
    for _ in range(400):
        pending = [shop for shop in (SHOPIFY, WOO) if old_town.job(shop, "backfill").due_at is not None]
        if not pending:
            break
        for shop in pending:
            reconciler.run_now(shop, "backfill", budget=0.0)
            old_town.kiitos.registry.platform("shopify").close()  # type: ignore[attr-defined]
        old_town.clock.advance(timedelta(seconds=11))
    assert old_town.missing() == []
    assert any(wanted.startswith("bytes=") for wanted in old_town.shopify.bulk.downloads)
    assert sum(old_town.mailed().values()) == 0


@pytest.mark.parametrize("trouble", ["no_ranges", "cut", "timeout", "canceled"])
def test_a_bulk_operation_with_trouble_is_read_all_the_same(
    old_town: Town, monkeypatch: pytest.MonkeyPatch, trouble: str
) -> None:
    from platforms.shopify import bulk

    monkeypatch.setattr(bulk, "PART", 5)
    if trouble == "no_ranges":
        old_town.shopify.bulk.ranges = False
    elif trouble == "timeout":
        old_town.shopify.bulk.fail = ["", "", "TIMEOUT", "TIMEOUT"]
    elif trouble == "canceled":
        old_town.shopify.bulk.fail = ["INTERNAL_SERVER_ERROR"]
    else:
        old_town.shopify.bulk.cut = 700
    old_town.worker.drain()
    old_town.live(minutes=45)
    assert old_town.missing() == []
    if trouble == "timeout":
        windows = [one.query.partition("created_at")[2][:60] for one in old_town.shopify.bulk.operations.values()]
        assert len(windows) > 5, "half the window, until it is short enough"


def test_rate_limits_are_kept(old_town: Town) -> None:
    for weather in (old_town.shopify.weather, old_town.woo.weather):
        weather.throttle, weather.retry_after = 0.3, 30
    old_town.worker.drain()
    old_town.live(hours=1)
    assert old_town.missing() == []
    assert old_town.shopify.weather.early == old_town.woo.weather.early == 0


def test_a_first_order_is_no_first_order_of_an_old_customer(towns: Towns) -> None:
    """What the history feeds: a buyer of last year is known, so a friend's code is not theirs to be rewarded for."""
    town = towns(settled=False)
    town.clock.set(START - timedelta(days=60))
    town.shopify.place_order([(MUG, 1)], EERO)
    town.shopify.outbox.pending.clear()
    town.clock.set(START)
    read_all(town)
    with town.kiitos.store.work.read() as tx:
        known = entities.orders_of(tx, SHOPIFY, str(EERO.email))
        assert entities.orders_of(tx, SHOPIFY, str(AINO.email)) == []
    assert [order.placed_at < START for order in known] == [True]


def test_an_odd_order_of_years_ago_keeps_no_other_out(old_town: Town) -> None:
    odd: dict[str, Any] = next(iter(old_town.woo.orders.values()))
    odd["currency"] = None
    old_town.worker.drain()
    old_town.live(minutes=5)
    assert old_town.missing() == [f"{WOO}/{odd['id']}"]
    assert old_town.reports(WOO, "backfill")[0]["faults"] == 1


def test_a_birthday_is_read_and_no_webhook_without_it_takes_it_away(towns: Towns) -> None:
    """Shopify's customer webhooks carry no metafields; back-fill and poll ask for the standard one."""
    town = towns(settled=False)
    town.shopify.weather.lose = 1.0
    born = town.shopify.create_customer(Buyer(first_name="Aino", last_name="A", email="aino@example.test"))
    later = town.shopify.create_customer(Buyer(first_name="Eero", last_name="E", email="eero@example.test"))
    town.shopify.set_birthday(born, "1990-03-12")
    read_all(town)
    assert birthdays(town, born, later) == ["1990-03-12", None]
    town.live(minutes=20)
    town.shopify.set_birthday(later, "1985-12-24")
    town.live(minutes=40)
    assert birthdays(town, born, later) == ["1990-03-12", "1985-12-24"]
    town.shopify.weather.lose = 0.0
    town.shopify.announce(
        ["customers/update"], {**born, "first_name": "Aino Maria", "updated_at": town.shopify.stamp()}
    )
    town.live(minutes=5)
    assert birthdays(town, born, later) == ["1990-03-12", "1985-12-24"]
    with town.kiitos.store.work.read() as tx:
        found = entities.customer(tx, SHOPIFY, str(born["id"]))
    assert found is not None
    assert found.first_name == "Aino Maria", "the webhook itself was taken in"


def birthdays(town: Town, *customers: dict[str, Any]) -> list[str | None]:
    with town.kiitos.store.work.read() as tx:
        found = [entities.customer(tx, SHOPIFY, str(each["id"])) for each in customers]
    return [each.birthday if each else "unknown" for each in found]
