"""Surveys on each scale, in the merchant's own hostile words, answered and closed; and what staff see of them."""

from __future__ import annotations

from datetime import timedelta
from urllib.parse import urlsplit

from connector.pages import survey_results
from connector.store import entities, links, surveys
from connector.store.surveys import AskRow
from connector.testing.world import SHOPIFY, World
from flows.care import surveys as asking
from tests.pages.life import NORA

LONG = "Donaudampfschifffahrtselektrizitätenhauptbetriebswerk <b>{shop}</b> & \u202emore?"
SETTINGS = {
    "surveys": {
        "stages": {
            "hostile": {"kind": "nps", "question": {"en": LONG}, "follow_up": {"low": {"en": LONG}}},
        }
    }
}
KINDS = {"ces": "order", "nps": "sixty_days", "hostile": "hostile", "answered": "return", "closed": "case"}


def pages(world: World) -> dict[str, str]:
    kiitos, now, found = world.kiitos, world.clock.now(), {}
    settings = kiitos.config.shops[SHOPIFY]
    with kiitos.store.work.transaction() as tx:
        order = entities.orders_of(tx, SHOPIFY, str(NORA.email).lower(), limit=1)[0]
        for number, (name, stage) in enumerate(KINDS.items()):
            token = f"surveysweep0000000000000{number:02}".replace("l", "1")
            ask = AskRow(
                ask_id=f"sweep:{name}",
                survey=stage,
                kind=settings.surveys.stages[stage].scale.kind,
                flow_id="sweep",
                order_id=order.id,
                email_key=str(NORA.email).lower(),
                customer_id="",
                asked_at=now,
            )
            surveys.ask(tx, SHOPIFY, ask)
            links.put(tx, SHOPIFY, token, "survey", {"ask": ask.ask_id, "locale": "en"}, now)
            if name in ("answered", "closed"):
                at = now if name == "answered" else now - timedelta(days=60)
                words = "" if name == "answered" else "<script>alert(1)</script> " * 5
                asking.answer(tx, kiitos.runner, settings, ask, 2, words, at)
            found[f"survey-{name}"] = f"/p/survey/{token}"
    staff = urlsplit(survey_results.new_link(world.kiitos, SHOPIFY, timedelta(days=3650))).path
    return {
        **found,
        "survey-hostile-low": f"{found['survey-hostile']}?score=0",
        "survey-thanks": f"{found['survey-answered']}?done=1",
        "results": staff,
        "results-product": f"{staff}?by=product&days=365",
    }
