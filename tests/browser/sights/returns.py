"""Returns and complaints: the form with long lines, after a request, the merchant's page of it, the lost way."""

from __future__ import annotations

from urllib.parse import urlsplit

from connector.pages import find
from connector.store import entities, links
from connector.store.cases import CaseLine
from connector.testing.world import SHOPIFY, World
from flows.care import cases as acting
from flows.care.cases import Request, case_link, desk_link
from tests.pages.life import AINO, NORA

HOSTILE = "<script>alert(1)</script> \u202e{{ shop.name }} & Donaudampfschifffahrtselektrizitätenhauptbetriebswerk " * 3
SETTINGS = {
    "flows": {"case-updates": {"file": "case_updates"}, "order-link": {"file": "order_link"}},
    "people": {"support": {"email": "support@example.test", "name": "Support"}},
    "returns": {"instructions": {"en": "You have 14 days.\nKeep the box, please.", "fi": "Sinulla on 14 päivää."}},
}


def pages(world: World) -> dict[str, str]:
    kiitos, now = world.kiitos, world.clock.now()
    settings, base, found = kiitos.config.shops[SHOPIFY], world.serving.url, {}
    with kiitos.store.work.transaction() as tx:
        for buyer, locale in ((NORA, "ar"), (AINO, "fi")):
            order = entities.orders_of(tx, SHOPIFY, str(buyer.email).lower(), limit=1)[0]
            url = case_link(tx, kiitos.salt, base, SHOPIFY, order.id, locale, now)
            name = "case-ar" if locale == "ar" else "case-Aino"
            found[name] = urlsplit(url).path
            asked = Request(
                kind="return",
                lines=[CaseLine(line.id, HOSTILE, line.quantity) for line in order.lines],
                reason="damaged",
                wish="refund",
                body=HOSTILE,
            )
            if buyer is NORA:
                case_id, _ = acting.open_case(tx, kiitos.runner, kiitos.salt, settings, order, asked, now)
                found["case-done-ar"] = f"{found[name]}?done={case_id}"
                found["desk"] = urlsplit(desk_link(tx, kiitos.salt, base, SHOPIFY, case_id, "support", now)).path
        token = "casesweep00000000000000000"
        links.put(tx, SHOPIFY, token, "case", {"order": order.id, "locale": "en"}, now)
    found["case"] = f"/p/case/{token}"
    form = urlsplit(find.find_link(kiitos, SHOPIFY)).path
    return {**found, "find": f"{form}?lang=en", "find-Aino": f"{form}?lang=fi", "find-ar": f"{form}?lang=ar"}
