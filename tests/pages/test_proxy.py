"""What a theme asks through Shopify's app proxy: only signed requests are answered, and each only what is its own."""

from __future__ import annotations

import hmac
from collections.abc import Mapping
from datetime import timedelta
from urllib.parse import urlencode

import requests

from connector.model import Event, EventKind, Ref
from connector.model.party import Customer
from connector.store import entities, referrals, reviews
from connector.store.reviews import ReviewRow
from connector.testing.world import SHOPIFY, SHOPIFY_DOMAIN, WOO, World


def signed(world: World, *, secret: str = "", **values: str) -> str:
    """A query as Shopify signs it, at the world's time."""
    now = str(int(world.clock.now().timestamp()))
    base = {"shop": SHOPIFY_DOMAIN, "timestamp": now, "path_prefix": "/apps/kiitos", "logged_in_customer_id": ""}
    query: Mapping[str, str] = {**base, **values}
    text = "".join(sorted(f"{name}={value}" for name, value in query.items()))
    key = (secret or world.shopify.client_secret).encode()
    return urlencode({**query, "signature": hmac.digest(key, text.encode(), "sha256").hex()})


def ask(world: World, what: str, query: str, shop_id: str = SHOPIFY) -> requests.Response:
    kiitos = world.kiitos
    key = kiitos.endpoint_key(kiitos.catalog.settings(shop_id))
    return requests.get(f"{kiitos.config.app.base_url}/p/proxy/{key}/{what}?{query}", timeout=10)


def known(world: World) -> None:
    """Two reviews of product 7, and two customers of whom one has a code to share."""
    now = world.clock.now()
    with world.kiitos.store.work.transaction() as tx:
        for number, stars in (("1", 5), ("2", 4)):
            row = ReviewRow(id=f"{number}-7", order_id=number, product_id="7", rating=stars, text="Hyvä", at=now)
            reviews.save(tx, SHOPIFY, row, now)
        for number, address in (("31", "aino@example.test"), ("32", "eero@example.test")):
            customer = Customer(id=number, email=address, updated_at=now)
            event = Event(
                kind=EventKind.CUSTOMER_UPDATED, key=number, subject=Ref("customer", number), at=now, customer=customer
            )
            entities.apply_many(tx, SHOPIFY, [event], now)
        referrals.put_code(tx, SHOPIFY, "friend-7", "aino@example.test", "31", None, "run", now)


def test_a_rating_is_told_to_anybody(world: World) -> None:
    known(world)
    answer = ask(world, "rating", signed(world, product="7"))
    assert (answer.status_code, answer.json()) == (200, {"count": 2, "average": "4.5"})
    assert ask(world, "rating", signed(world, product="8")).json() == {"count": 0, "average": None}
    assert answer.headers["Cache-Control"] == "no-store"


def test_reviews_are_shown_inside_the_shop(world: World) -> None:
    known(world)
    page = ask(world, "reviews", signed(world, product="7"))
    assert page.headers["Content-Type"].startswith("text/html")
    assert (page.text.count("Hyvä"), '"ratingValue": "4.5"' in page.text) == (4, True)
    assert "product=7" in page.text, "its own links stay at the product"
    assert ask(world, "reviews", "shop=" + SHOPIFY_DOMAIN + "&product=7").status_code == 401


def test_a_code_is_told_to_its_owner_alone(world: World) -> None:
    known(world)
    assert ask(world, "friend", signed(world, logged_in_customer_id="31")).json() == {"code": "FRIEND-7"}
    for somebody in ("32", "33", ""):
        assert ask(world, "friend", signed(world, logged_in_customer_id=somebody)).json() == {"code": None}


def test_what_the_platform_did_not_sign_is_not_answered(world: World) -> None:
    known(world)
    good = signed(world, logged_in_customer_id="32")
    forged = good.replace("logged_in_customer_id=32", "logged_in_customer_id=31")
    unsigned = "shop=" + SHOPIFY_DOMAIN
    other = signed(world, secret="another", logged_in_customer_id="31")
    for query in (forged, unsigned, other, good + "&product=1", "", signed(world, shop="other.myshopify.com")):
        answer = ask(world, "friend", query)
        assert (answer.status_code, answer.json()) == (401, {"error": "unsigned"})


def test_a_request_that_was_kept_is_not_answered_later(world: World) -> None:
    known(world)
    kept = signed(world, logged_in_customer_id="31")
    assert ask(world, "friend", kept).status_code == 200
    world.clock.advance(timedelta(minutes=2))
    assert ask(world, "friend", kept).status_code == 401


def test_other_keys_other_platforms_and_other_questions_are_not_there(world: World) -> None:
    good = signed(world)
    assert ask(world, "secrets", good).status_code == 404
    assert ask(world, "friend", good, WOO).status_code == 404
    base = world.kiitos.config.app.base_url
    assert requests.get(f"{base}/p/proxy/unknown-key/friend?{good}", timeout=10).status_code == 404
    assert requests.post(f"{base}/p/proxy/unknown-key/friend", timeout=10).status_code == 405
