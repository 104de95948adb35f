"""Order confirmations show what was bought: pictures come along although Shopify's webhooks carry none."""

from __future__ import annotations

from email import message_from_bytes
from email.message import EmailMessage
from email.policy import default

import pytest

from connector.explaining.explain import explain
from connector.store import entities
from connector.testing.demo.scenario import JAM, LIISA
from connector.testing.fakes.people import AINO, BEANS, EERO, MUG
from connector.testing.fakes.web import Trouble
from connector.testing.world import SHOPIFY, WOO, World
from tests.journeys.conftest import Worlds


@pytest.fixture
def world(worlds: Worlds) -> World:
    return worlds(flows={"order-confirmation": {"file": "order_confirmation"}})


def pictures(world: World, number: int = -1) -> list[str]:
    """The addresses of the pictures in the newest mail."""
    mail = message_from_bytes(world.sink.messages[number].content, policy=default)
    assert isinstance(mail, EmailMessage)
    html = mail.get_body(("html",))
    assert html is not None
    return [part.split('"')[0] for part in html.get_content().split('src="')[1:]]


def asked(world: World) -> int:
    return sum(call.operation == "ProductsRead" for call in world.shopify.calls)


def journal(world: World, who: str, shop_id: str = SHOPIFY) -> list[str]:
    story = explain(world.kiitos.store, shop_id, who)
    assert story is not None
    return [line.detail["why"] for line in story.lines if line.what == "without_pictures"]


def test_shopify_pictures_are_asked_for_once(world: World) -> None:
    world.shopify.place_order([(MUG, 1), (BEANS, 2)], AINO)
    world.deliver()
    shown = pictures(world)
    assert len(shown) == 2
    assert all(url.startswith(f"{world.shopify.cdn}/files/") for url in shown), shown
    assert asked(world) == 1, "both products in one question"
    world.shopify.place_order([(MUG, 3)], EERO)
    world.deliver()
    assert (len(pictures(world)), asked(world)) == (1, 1), "what is known is not asked again"
    assert journal(world, "1001") == []


def test_a_batch_asks_once(world: World) -> None:
    for buyer in (AINO, EERO, LIISA):
        world.shopify.place_order([(MUG, 1)], buyer)
    world.deliver()
    assert asked(world) == 1
    assert all(pictures(world, number) for number in range(3))


@pytest.mark.parametrize("trouble", [Trouble(status=503), Trouble(drop=True), Trouble(status=500)])
def test_a_shop_that_is_down_holds_nothing(world: World, trouble: Trouble) -> None:
    world.shopify.place_order([(MUG, 1)], AINO)
    world.shopify.trouble(*[trouble] * 50)
    began = world.clock.now()
    world.deliver()
    assert [kept.recipients for kept in world.sink.messages] == [("aino@example.test",)]
    assert (world.clock.now() - began).total_seconds() < 1, "no second try, no waiting"
    assert pictures(world) == []
    assert journal(world, "1001") == ["the shop gave no answer in time"]
    before = len(world.shopify.calls)
    world.shopify.place_order([(MUG, 1)], EERO)
    world.deliver()
    assert len(world.shopify.calls) == before, "it is left alone for a while"
    assert journal(world, "1002") == ["the shop gave no answer in time"]
    world.shopify.troubles.clear()
    world.wait(minutes=6)
    world.shopify.place_order([(MUG, 1)], LIISA)
    world.deliver()
    assert len(pictures(world)) == 1
    assert journal(world, "1003") == []


def test_without_the_scope_the_journal_says_so(world: World) -> None:
    world.shopify.scopes.discard("read_products")
    world.shopify.place_order([(MUG, 1)], AINO)
    world.deliver()
    assert (len(world.sink.messages), pictures(world)) == (1, [])
    assert journal(world, "1001") == ["the shop refused: REFUSED"]


def test_a_product_that_is_gone_is_not_asked_for_again(world: World) -> None:
    order = world.shopify.place_order([(MUG, 1)], AINO)
    product_id = order["line_items"][0]["product_id"]
    del world.shopify.products[product_id]
    world.deliver()
    assert pictures(world) == []
    with world.kiitos.store.work.read() as tx:
        assert entities.products(tx, SHOPIFY, [str(product_id)])[str(product_id)].deleted
    assert journal(world, "1001") == [], "the shop answered: it has none"


@pytest.fixture
def jam(world: World) -> None:
    """A product whose stock nobody counts: no webhook tells of it when it is bought."""
    product = world.woo.product_of(JAM)
    product.update(manage_stock=False, images=[{"id": 7, "src": "https://metsa.example/wp-content/hillo.jpg"}])


@pytest.mark.usefixtures("jam")
def test_woo_asks_for_lines_without_a_picture(world: World) -> None:
    world.woo.place_order([(JAM, 1)], LIISA)
    world.deliver()
    assert pictures(world) == ["https://metsa.example/wp-content/hillo.jpg"]
    before = [call.path for call in world.woo.calls].count("/wp-json/wc/v3/products")
    assert before == 1
    world.woo.place_order([(JAM, 1)], LIISA)
    world.deliver()
    assert [call.path for call in world.woo.calls].count("/wp-json/wc/v3/products") == before


@pytest.mark.usefixtures("jam")
def test_woo_down_holds_nothing(world: World) -> None:
    world.woo.place_order([(JAM, 1)], LIISA)
    world.woo.trouble(*[Trouble(status=503)] * 50)
    world.deliver()
    assert len(world.sink.messages) == 1
    (number,) = [order["number"] for order in world.woo.orders.values()]
    assert journal(world, str(number), WOO) == ["the shop gave no answer in time"]
