"""The page that asks for notifications, by a message's link and by an order's own address."""

from __future__ import annotations

from dataclasses import replace

from connector.pages.push import shop_key
from connector.store import entities, links
from connector.testing.world import SHOPIFY, World
from flows.channels.webpush.vapid import make_private_key
from tests.pages.life import NORA

TOKEN = "abcdefghjkmnpqrstvwxyz0123"
STATUS = "https://aurora.example/orders/authenticate?key=Zx81kPqLm3Zx81kPqLm3"


def pages(world: World) -> dict[str, str]:
    kiitos, now, address = world.kiitos, world.clock.now(), str(NORA.email).lower()
    table = {"kind": "webpush", "private_key": make_private_key(), "subject": "mailto:it@example.com"}
    settings = kiitos.config.shops[SHOPIFY]
    kiitos.config.channels["push"] = table  # type: ignore[index]
    kiitos.config.shops[SHOPIFY] = replace(settings, channels={**settings.channels, "push": "push"})  # type: ignore[index]
    with kiitos.store.work.transaction() as tx:
        links.put(tx, SHOPIFY, TOKEN, "push", {"address": address, "locale": "en"}, now)
        order = entities.orders_of(tx, SHOPIFY, address, limit=1)[0]
    key = shop_key(kiitos.salt, SHOPIFY)
    return {"push": f"/p/push/{TOKEN}", "push-order": f"/p/push/order/{key}/{order.id}?from={order.status_url}"}
