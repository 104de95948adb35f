"""A shop's life up to the mails whose links lead to the pages, and what those mails say."""

from __future__ import annotations

import re
import sqlite3
from collections.abc import Mapping, Sequence
from dataclasses import replace
from datetime import UTC, datetime
from decimal import Decimal
from email import message_from_bytes
from email.message import EmailMessage
from email.policy import default
from typing import Any
from urllib.parse import urlsplit

from flask.testing import FlaskClient

from connector.app import create_app
from connector.testing.fakes.people import BEANS, MUG, Article, Buyer
from connector.testing.world import WOO, World

START = datetime(2026, 3, 2, 8, 0, tzinfo=UTC)
NORA = Buyer(first_name="Nora", last_name="Lind", email="Nora.Lind@example.test", locale="en-GB")
AINO = Buyer(first_name="Aino", last_name="Mäkinen", email="aino@example.test", locale="fi-FI")
GIFT = Article(title="Gift card", price=Decimal("20.00"), sku="GIFT", requires_shipping=False, is_gift_card=True)
TWO = ((MUG, 1), (BEANS, 2))
PAGE = re.compile(r"http://127\.0\.0\.1:\d+(/p/[^\s<>\"?]+)")


def order_arrives(world: World, buyer: Buyer = NORA, lines: Sequence[tuple[Article, int]] = TWO) -> dict[str, Any]:
    """Bought, sent and delivered at Aurora (Shopify) at START + 2 h."""
    order = world.shopify.place_order(lines, buyer)
    parcel = world.shopify.fulfill(order)
    world.wait(hours=2)
    world.shopify.carrier_event(parcel, "delivered")
    world.deliver()
    return order


def woo_order_leaves(world: World, buyer: Buyer, lines: Sequence[tuple[Article, int]] = TWO) -> dict[str, Any]:
    """Bought and sent at Metsä (WooCommerce), where nobody reports the arrival."""
    world.woo.create_webhooks(world.hook_url(WOO), "woo-demo-webhook-secret")
    order = world.woo.place_order(lines, buyer)
    world.woo.add_tracking(order, "JJFI65300000000000001")
    world.woo.set_status(order, "completed")
    world.deliver()
    return order


def asked(world: World, buyer: Buyer = NORA, lines: Sequence[tuple[Article, int]] = TWO) -> str:
    """The path of the review form in the mail that asks this buyer."""
    order_arrives(world, buyer, lines)
    world.wait(days=11)
    return link(world, buyer, "review")


def mails(world: World, buyer: Buyer | None = None) -> list[EmailMessage]:
    kept = world.sink.to(str(buyer.email)) if buyer is not None else world.sink.messages
    found = [message_from_bytes(message.content, policy=default) for message in kept]
    return [message for message in found if isinstance(message, EmailMessage)]


def subjects(world: World, buyer: Buyer) -> list[str]:
    return [str(message["Subject"]) for message in mails(world, buyer)]


def links_of(message: EmailMessage) -> list[str]:
    """Every address in the message: header, HTML and text part."""
    found = re.findall(r"<(https?://[^>]+)>", message.get("List-Unsubscribe", ""))
    for kind in ("html", "plain"):
        part = message.get_body((kind,))
        found += re.findall(r"https?://[^\s<>\"']+", part.get_content() if part is not None else "")
    return found


def link(world: World, buyer: Buyer, page: str) -> str:
    """The path of the page in the newest mail that has one: `review`, `unsubscribe`, `friend`."""
    for message in reversed(mails(world, buyer)):
        for url in links_of(message):
            path = urlsplit(url).path
            if path.startswith(f"/p/{page}/"):
                return path
    raise LookupError(f"no mail to {buyer.email} leads to {page}")


def client(world: World) -> FlaskClient:
    """A visitor without cookies or JavaScript."""
    return create_app(world.kiitos).test_client(use_cookies=False)


def snapshot(world: World) -> Mapping[str, list[tuple[Any, ...]]]:
    """Every row of every table of the working database."""
    connection = sqlite3.connect(f"file:{world.folder}/kiitos.db?mode=ro", uri=True)
    try:
        tables = [
            name
            for (name,) in connection.execute(
                "SELECT name FROM sqlite_master WHERE type = 'table' AND name NOT LIKE 'sqlite_%'"
            )
        ]
        return {name: sorted(connection.execute(f'SELECT * FROM "{name}"'), key=repr) for name in tables}
    finally:
        connection.close()


def rows(world: World, query: str) -> list[tuple[Any, ...]]:
    connection = sqlite3.connect(f"file:{world.folder}/kiitos.db?mode=ro", uri=True)
    try:
        return connection.execute(query).fetchall()
    finally:
        connection.close()


def with_base_url(world: World, url: str) -> None:
    """As behind another public address."""
    config = world.kiitos.config
    world.kiitos.config = replace(config, app=replace(config.app, base_url=url))
