"""What the mails of a buyer lead to, and what a stranger finds."""

from __future__ import annotations

from dataclasses import replace

from connector.testing.world import SHOPIFY, World
from flows.people.signing_up import signup_token
from tests.pages.life import AINO, NORA, client, link

KINDS = ("review", "unsubscribe", "preferences", "friend", "survey")
SURVEY = """
id = "sweep-survey"
title = "Ask"
trigger = "order.delivered"
purpose = "loyalty"
subject = "order"
reentry = "once"

[[steps]]
id = "ask"
do = "send"
template = "loyalty_survey"
survey = "delivery"

[[steps]]
id = "answer"
do = "wait_for"
event = "survey.answered"
timeout = "60d"
"""
FLOWS = {"sweep-survey": SURVEY}
SETTINGS = {"signup": True, "soft_opt_in": ["review", "referral", "loyalty"], "flows": {"opt-in": {"file": "opt_in"}}}


def pages(world: World) -> dict[str, str]:
    found = {"gone": f"/p/review/{'0' * 26}"}
    for buyer, language in ((NORA, "en"), (AINO, "fi")):
        name = buyer.first_name
        found[f"signup-{name}"] = f"/p/signup/{signup_token(world.kiitos.salt, SHOPIFY)}?lang={language}"
        for kind in KINDS:
            found[f"{kind}-{name}"] = link(world, buyer, kind)
        found[f"rated-{name}"] = f"{found[f'review-{name}']}?rating=4"
    return found | confirmations(world)


def confirmations(world: World) -> dict[str, str]:
    """Two strangers sign up and are asked to confirm it."""
    strangers = {language: replace(NORA, email=f"new-{language}@example.test") for language in ("en", "fi")}
    for language, stranger in strangers.items():
        form = {"email": str(stranger.email), "agree": "1", "lang": language}
        client(world).post(f"/p/signup/{signup_token(world.kiitos.salt, SHOPIFY)}", data=form)
    world.wait(minutes=5)
    names = {"en": "Nora", "fi": "Aino"}
    return {f"confirm-{names[each]}": link(world, stranger, "confirm") for each, stranger in strangers.items()}
