"""An abandoned checkout: the shop is asked for orders before each message: nobody is reminded of what they bought."""

from __future__ import annotations

from datetime import UTC, datetime
from pathlib import Path

import pytest

from connector.model import Checkout, Event, EventKind, LineItem, Money, Ref
from connector.testing.fakes.people import MUG, Buyer
from connector.testing.fakes.shopify import FakeUnavailable
from connector.testing.world import SHOPIFY, World

START = datetime(2026, 3, 2, 8, 0, tzinfo=UTC)
NORA = Buyer(first_name="Nora", last_name="Lind", email="nora.lind@example.test", locale="en-GB")


def leave_a_cart(world: World) -> None:
    now, price = world.clock.now(), Money.parse("24.90", "EUR")
    cart = Checkout(
        token="cart-1",
        currency="EUR",
        started_at=now,
        updated_at=now,
        email=NORA.email,
        lines=(LineItem(id="1", title="Mug", quantity=1, unit_price=price, total=price),),
        recovery_url="https://aurora.example/checkouts/cart-1",
    )
    event = Event(
        kind=EventKind.CHECKOUT_STARTED, key="checkout/cart-1/started", subject=Ref("checkout", "cart-1"), at=now,
        checkout=cart,
    )  # fmt: skip
    with world.kiitos.store.work.transaction() as tx:
        world.kiitos.runner.ingest(tx, SHOPIFY, [event], now)


def live(folder: Path, *, bought: bool, looks: bool) -> list[str]:
    """The subjects Nora gets in a day; `bought`: after the first, in an order no webhook tells of."""
    settings = {
        "flows": {"abandoned-checkout": {"file": "abandoned_checkout"}},
        "soft_opt_in": ["marketing"],
        "fetch_before_send": looks,
    }
    try:
        with World(folder, START, settings=settings, unchecked=True) as world:
            leave_a_cart(world)
            world.wait(hours=2)
            if bought:
                world.shopify.outbox.loses = lambda: True
                world.shopify.place_order([(MUG, 1)], NORA)
            world.wait(hours=24)
            return [str(message.content).partition("Subject: ")[2][:24] for message in world.sink.to(str(NORA.email))]
    except FakeUnavailable as reason:
        pytest.skip(str(reason))


def test_who_bought_without_our_hearing_of_it_is_not_reminded(tmp_path: Path) -> None:
    assert len(live(tmp_path, bought=True, looks=True)) == 1


@pytest.mark.parametrize(("bought", "looks"), [(False, True), (True, False)])
def test_it_is_the_look_that_keeps_silent(tmp_path: Path, bought: bool, looks: bool) -> None:
    assert len(live(tmp_path, bought=bought, looks=looks)) == 2
