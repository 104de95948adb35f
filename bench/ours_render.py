"""The product's way from a delivery's body to a finished message, cut into steps the render phase can time."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterable, Iterator
from contextlib import contextmanager
from datetime import UTC, datetime

from bench import corpus
from connector.clock import SystemClock
from connector.contracts import Accepted, Message, Verified
from connector.model import Event, Order, Purpose, Shop
from flows.channels.smtp import Smtp
from flows.render.context import MessageView
from flows.render.headers import headers_for
from flows.render.mime import Letter, build
from flows.render.renderer import Renderer
from platforms.shopify.adapter import ShopifyAdapter

TEMPLATE = "order_confirmation"
SENDER = "Kiitos Bench <hello@bench.example.com>"
AT = datetime(2026, 11, 22, 8, 0, tzinfo=UTC)
SHOP = Shop(
    id="bench-main",
    client_id="bench",
    platform="shopify",
    domain=corpus.SHOP_DOMAIN,
    name="Kiitos Bench",
    timezone="Europe/Helsinki",
    support_email="help@bench.example.com",
)
VERIFIED = Verified(topic=corpus.TOPIC, dedup_key="bench", shop_domain=corpus.SHOP_DOMAIN)


def _order_of(events: list[Event]) -> Order:
    order = next((event.order for event in events if event.order is not None), None)
    if order is None:
        raise RuntimeError("the adapter found no order in a body of the corpus")
    return order


def steps() -> dict[str, Callable[[bytes], object]]:
    """normalise: body to events; parts: subject, HTML and text with the template cached; mime: the bytes; whole: all.

    `parts` and `mime` work on what the step before made of the same body, made once and outside the timing.
    """
    adapter, renderer = ShopifyAdapter(), Renderer()
    headers = headers_for(Purpose.TRANSACTIONAL, SHOP, None)
    orders: dict[bytes, Order] = {}
    letters: dict[bytes, Letter] = {}

    def normalise(body: bytes) -> list[Event]:
        return list(adapter.normalise(VERIFIED, body, SHOP))

    def view_of(order: Order) -> MessageView:
        return MessageView(shop=SHOP, locale="en", purpose=Purpose.TRANSACTIONAL, timezone=SHOP.timezone, order=order)

    def message(order: Order) -> bytes:
        recipient, name = order.customer.email if order.customer else None, "Aino"
        rendered = renderer.render(
            TEMPLATE,
            view_of(order),
            key=order.id,
            sender=SENDER,
            reply_to=None,
            recipient=recipient or "",
            recipient_name=name,
            headers=headers,
            at=AT,
        )
        return rendered.mime_bytes

    def order_of(body: bytes) -> Order:
        if body not in orders:
            orders[body] = _order_of(normalise(body))
        return orders[body]

    def parts(body: bytes) -> object:
        return renderer.parts(TEMPLATE, view_of(order_of(body)))

    def letter_of(body: bytes) -> Letter:
        if body not in letters:
            made = renderer.parts(TEMPLATE, view_of(order_of(body)))
            letters[body] = Letter(
                key="bench",
                sender=SENDER,
                recipient="order@example.com",
                subject=made.subject,
                text=made.text,
                html=made.html,
                at=AT,
                headers=headers,
            )
        return letters[body]

    return {
        "normalise": normalise,
        "parts": parts,
        "mime": lambda body: build(letter_of(body)),
        "whole": lambda body: message(_order_of(normalise(body))),
    }


def confirmation() -> Callable[[bytes], tuple[str, bytes]]:
    """A delivery's body to (recipient, finished message), by one renderer whose caches are kept."""
    adapter, renderer = ShopifyAdapter(), Renderer()
    headers = headers_for(Purpose.TRANSACTIONAL, SHOP, None)

    def compose(body: bytes) -> tuple[str, bytes]:
        order = _order_of(list(adapter.normalise(VERIFIED, body, SHOP)))
        recipient = (order.customer.email if order.customer else None) or order.email or ""
        view = MessageView(shop=SHOP, locale="en", purpose=Purpose.TRANSACTIONAL, timezone=SHOP.timezone, order=order)
        rendered = renderer.render(
            TEMPLATE,
            view,
            key=order.id,
            sender=SENDER,
            reply_to=None,
            recipient=recipient,
            recipient_name="",
            headers=headers,
            at=AT,
        )
        return recipient, rendered.mime_bytes

    return compose


@contextmanager
def posting(port: int) -> Iterator[Callable[[Iterable[bytes]], int]]:
    """Sends finished messages over the SMTP channel; how many were accepted. Raises `RuntimeError` when one was not."""
    channel = Smtp.from_settings({"host": "127.0.0.1", "port": port, "tls": "none"}, SystemClock())

    def send(contents: Iterable[bytes]) -> int:
        messages = (
            Message(key=f"m{number}", channel="email", sender=SENDER, recipient="a@example.com", content=content)
            for number, content in enumerate(contents)
        )
        accepted = 0
        for outcome in channel.send_all(messages):
            if not isinstance(outcome, Accepted):
                raise RuntimeError(f"the sink did not take a message: {outcome}")
            accepted += 1
        return accepted

    try:
        yield send
    finally:
        channel.close()


def first_ms(body: bytes) -> float:
    """Milliseconds from a new renderer to its first message: the template is read, compiled and proved."""
    adapter, began = ShopifyAdapter(), time.monotonic()
    order = _order_of(list(adapter.normalise(VERIFIED, body, SHOP)))
    view = MessageView(shop=SHOP, locale="en", purpose=Purpose.TRANSACTIONAL, timezone=SHOP.timezone, order=order)
    Renderer().parts(TEMPLATE, view)
    return (time.monotonic() - began) * 1000
