"""Somebody with points at Aurora and the way to their page."""

from __future__ import annotations

import re
from datetime import timedelta
from typing import Any

from flask.testing import FlaskClient
from werkzeug.test import TestResponse

from connector.store import accounts, entities, links
from connector.testing.world import SHOPIFY, World
from flows.sending.addressing import derive_token
from flows.value.bookings import give_points, position_of
from tests.pages.life import NORA

PROGRAMME: dict[str, Any] = {
    "return_window": "14d",
    "expires": "365d",
    "rules": {"spend": {"kind": "spend", "points": 1, "per": "1 EUR"}},
    "tiers": {"silver": {"at": "20 EUR"}, "gold": {"at": "1000 EUR"}},
    "badges": {"first": {"title": "First of many", "orders": 1}},
    "challenges": {
        "spring": {"title": "Spring", "orders": 3, "spent": "200 EUR", "begins": "2026-03-01", "ends": "2026-05-31"}
    },
    "perks": {
        "spring": {
            "kind": "early_access",
            "title": "Spring, before everybody else",
            "tiers": ["silver", "gold"],
            "begins": "2026-03-01 10:00",
            "opens": "2027-05-31 10:00",
            "link": "https://shop.example/spring",
        }
    },
    "rewards": {
        "five": {"points": 100, "amount": "5 EUR"},
        "tenth": {"title": "A tenth off", "points": 50, "percent": 10, "minimum": "20 EUR"},
        "delivery": {"points": 80, "free_delivery": True},
        "dear": {"points": 5000, "amount": "500 EUR"},
    },
}
SETTINGS = {"loyalty": PROGRAMME}


def page_of(world: World, address: str = str(NORA.email), shop: str = SHOPIFY, locale: str = "en") -> str:
    token = derive_token(world.kiitos.salt, "link", shop, "loyalty", address.lower())
    with world.kiitos.store.work.transaction() as tx:
        links.put(tx, shop, token, "loyalty", {"address": address.lower(), "locale": locale}, world.clock.now())
    return f"/p/loyalty/{token}"


def gives(world: World, points: int, address: str = str(NORA.email), name: str = "gift") -> None:
    now, key = world.clock.now(), address.lower()
    with world.kiitos.store.work.transaction() as tx:
        owner = entities.customer_by_email(tx, SHOPIFY, key)
        until = now + timedelta(days=200)
        give_points(tx, SHOPIFY, f"adjustment/{name}", owner.id if owner else None, key, points, now,
                    cause="adjustment", expires_at=until)  # fmt: skip


def usable(world: World, address: str = str(NORA.email)) -> int:
    with world.kiitos.store.work.read() as tx:
        owner = entities.customer_by_email(tx, SHOPIFY, address.lower())
        holder = accounts.find(tx, SHOPIFY, owner.id if owner else None, address.lower())
        return int(position_of(tx, SHOPIFY, holder, world.clock.now()).available)


def key_of(html: str) -> str:
    found = re.search(r'name="key" value="(\w+)"', html)
    assert found is not None
    return found[1]


def exchanges(visitor: FlaskClient, path: str, reward: str) -> TestResponse:
    """As a person does it: open the page, press the button, land on the page again."""
    form = {"reward": reward, "key": _key_beside(visitor.get(path).text, reward)}
    return visitor.post(path, data=form, follow_redirects=True)


def _key_beside(html: str, reward: str) -> str:
    found = re.search(rf'name="key" value="(\w+)">\s*<p><button name="reward" value="{reward}"', html)
    assert found is not None, f"no button for {reward}"
    return found[1]
