"""The page of an order: one that has arrived, one in parts, one in Arabic with a name longer than a phone is wide."""

from __future__ import annotations

from dataclasses import replace
from datetime import timedelta

from connector.testing.fakes.people import BEANS, MUG
from connector.testing.world import World
from tests.pages.life import AINO, NORA, link

PARTS = replace(NORA, email="parts@example.test")
ARABIC = replace(NORA, email="arabic@example.test", locale="ar")
LONG = replace(MUG, title="Donaudampfschifffahrtselektrizitätenhauptbetriebswerk <script>alert(1)</script>", sku="LONG")


def prepare(world: World) -> None:
    for buyer, goods in ((PARTS, MUG), (ARABIC, LONG)):
        order = world.shopify.place_order(((goods, 3), (BEANS, 1)), buyer)
        first, second = order["line_items"]
        parcel = world.shopify.fulfill(order, [(first, 2)])
        world.shopify.carrier_event(parcel, "delivered")
        late = world.shopify.fulfill(order, [(second, 1)], tracking=("Matkahuolto", "MH123456789"))
        world.shopify.carrier_event(late, "in_transit", eta=world.clock.now() + timedelta(days=90))
    world.deliver()


def pages(world: World) -> dict[str, str]:
    shown = {"order-Nora": NORA, "order-Aino": AINO, "order-parts": PARTS, "order-ar": ARABIC}
    return {name: link(world, buyer, "order") for name, buyer in shown.items()}
