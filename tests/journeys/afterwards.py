"""A shop whose mail provider tells what became of messages: a real receiver, worker and store, and Postmark's words."""

from __future__ import annotations

import base64
import contextlib
import itertools
import json
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any, ClassVar

from connector.app import Kiitos, build, create_app
from connector.clock import Clock, ManualClock
from connector.config import parse_config
from connector.contracts import Message, Outcome, Unknown, Verified
from connector.contracts.channel import OnWire
from connector.model import Channel, Effect, Run
from connector.registry import CHANNELS, PLATFORMS, Registry
from connector.rehearsal import VOCABULARY
from connector.rehearsal.life import Life
from connector.store import channel_events, effects, runs, suppressions
from connector.store.channel_events import HeardRow
from connector.store.store import Store
from connector.testing.world import SHOPIFY, WOO, document
from connector.worker import Worker
from flows.channels.memory import Memory
from flows.sending.became import Became, furthest
from tests.journeys.bare import ENVIRON, RENDERER, ObligingShopify, ObligingWoo
from webhooks.receiver import receiver_of

START = datetime(2026, 11, 23, 9, 0, tzinfo=UTC)
AINO = "aino@example.test"
SIGNED = base64.b64encode(b"kiitos:sesame").decode()
FLOW = """
id = "office"
trigger = ["order.paid"]
purpose = "{purpose}"
subject = "order"

[[steps]]
id = "tell"
do = "send"
template = "{template}"
"""
CONFIRM = FLOW.format(purpose="transactional", template="order_confirmation")
ASK = FLOW.format(purpose="review", template="review_request")

VERIFIED = Verified(topic="events", dedup_key="x")
HARD = {"Type": "HardBounce", "Details": "smtp;550 5.1.1 unknown user"}
SOFT = {"Type": "SoftBounce", "Details": "smtp;552 5.2.2 mailbox full"}
BLOCKED = {"Type": "HardBounce", "Details": "smtp;550 5.7.1 message refused by policy"}


class Post(Memory):
    """A provider that takes mail and may keep its answer to itself."""

    name: ClassVar[str] = "postmark"

    @classmethod
    def from_settings(cls, settings: Mapping[str, object], clock: Clock) -> Post:
        assert not [key for key in settings if key.startswith("webhook_")], "those are not for sending"
        return cls()

    def send_all(self, messages: Iterable[Message], on_wire: OnWire | None = None) -> Iterator[Outcome]:
        return super().send_all(messages, on_wire)


@dataclass
class PostWorld:
    """One life. `tell` is the provider's webhook."""

    clock: ManualClock
    store: Store
    kiitos: Kiitos
    worker: Worker
    life: Life
    client: Any
    path: str
    counter: Iterator[int] = field(default_factory=lambda: itertools.count(1))

    @property
    def post(self) -> Post:
        found = self.kiitos.channel(self.kiitos.config.shop(WOO))
        assert isinstance(found, Post)
        return found

    def happens(self, word: str, rest: str = "") -> None:
        events = VOCABULARY[word](self.life, rest, self.clock.now())
        with self.store.work.transaction() as tx:
            self.kiitos.runner.ingest(tx, WOO, events, self.clock.now())

    def order(self, number: str = "1") -> None:
        self.happens("order", number)
        self.until(seconds=30)

    def until(self, **span: float) -> None:
        end = self.clock.now() + timedelta(**span)
        self.worker.drain()
        while (due := self.worker.next_due()) is not None and due <= end:
            self.clock.advance(max(due - self.clock.now(), timedelta(milliseconds=100)))
            self.worker.drain()
        self.clock.advance(max(end - self.clock.now(), timedelta()))

    def tell(self, record: str, number: int = -1, **more: Any) -> int:
        """What the provider says of a message, the last one by default."""
        message = self.post.messages[number]
        told = {
            "RecordType": record,
            "MessageID": f"memory-{number}",
            "Metadata": {"kiitos_key": message.key},
            "Recipient": message.recipient,
            "ID": next(self.counter),
            "ReceivedAt": self.clock.now().isoformat(),
            **more,
        }
        return self.send(told)

    def send(self, told: Mapping[str, Any]) -> int:
        answer = self.client.post(self.path, data=json.dumps(told), headers={"Authorization": f"Basic {SIGNED}"})
        self.worker.drain()
        status: int = answer.status_code
        return status

    def effect(self, number: int = 0) -> Effect:
        with self.store.work.read() as tx:
            run = sorted(runs.all_of_shop(tx, WOO), key=lambda run: run.created_at)[number]
            (found,) = effects.of_run(tx, WOO, run.id)
        return found

    def runs(self) -> list[Run]:
        with self.store.work.read() as tx:
            return runs.all_of_shop(tx, WOO)

    def heard(self, effect: Effect | None = None) -> list[HeardRow]:
        effect = effect or self.effect()
        with self.store.work.read() as tx:
            return channel_events.of_effects(tx, WOO, [effect.id]).get(effect.id, [])

    def became(self, effect: Effect | None = None) -> Became:
        effect = effect or self.effect()
        return furthest(effect.status, self.heard(effect))[0]

    def blocked(self, address: str = AINO, shop_id: str = WOO) -> dict[str, str]:
        with self.store.work.read() as tx:
            return {row.scope: row.reason for row in suppressions.find(tx, shop_id, address, Channel.EMAIL)}

    def strangers(self) -> list[HeardRow]:
        with self.store.work.read() as tx:
            return list(channel_events.unmatched(tx, "mail"))


@contextlib.contextmanager
def post_world(
    folder: Path, flow: str = CONFIRM, *, alone: bool = False, texts: bool = False, **more: Any
) -> Iterator[PostWorld]:
    """Two shops share the provider's account, unless the one is `alone`. `more` are settings of the Woo shop, which
    asks about a product with every order; with `texts` there is a channel of that name."""
    clock, store = ManualClock(START), Store.open("sqlite://:memory:")
    (folder / "office.toml").write_text(flow, "utf-8")
    found = document(flows={}, fetch_before_send=False)
    found["app"]["base_url"] = "http://localhost"
    found["channels"]["mail"] = {"kind": "postmark", "webhook_user": "kiitos", "webhook_password": "sesame"}
    shops = found["clients"]["demo"]["shops"]
    shops["metsa"] |= {"flows": {"office": {"file": "office.toml"}}, "reviews": {"again_after": "0d"}, **more}
    if texts:
        found["channels"]["texts"] = {"kind": "memory"}
    if alone:
        found["channels"]["other"] = {"kind": "memory"}
        shops["aurora"]["email"] = "other"
    registry = Registry(
        extra={
            (PLATFORMS, "shopify"): ObligingShopify,
            (PLATFORMS, "woocommerce"): ObligingWoo,
            (CHANNELS, "postmark"): Post,
        }
    )
    kiitos = build(parse_config(found, folder / "app.toml", ENVIRON), clock=clock, store=store, registry=registry)
    kiitos.renderer = RENDERER
    app = create_app(kiitos)
    receiver = receiver_of(app)
    receiver.start()
    path = kiitos.event_urls()["mail"].removeprefix("http://localhost")
    life = Life(kiitos.config.shop(WOO).shop, {}, {})
    try:
        yield PostWorld(clock, store, kiitos, Worker(kiitos), life, app.test_client(), path)
    finally:
        receiver.close()
        kiitos.close()


def silent(world: PostWorld) -> None:
    """The provider takes the next message and its answer never comes."""
    real = world.post.send_all

    def send(messages, on_wire=None):  # type: ignore[no-untyped-def]
        world.post.send_all = real  # type: ignore[method-assign]
        for message in messages:
            world.post.messages.append(message)
            yield Unknown(key=message.key, text="no answer")

    world.post.send_all = send  # type: ignore[method-assign]


def body_of(told: dict[str, object]) -> bytes:
    return json.dumps(told).encode()


__all__ = [
    "AINO",
    "ASK",
    "BLOCKED",
    "CONFIRM",
    "FLOW",
    "HARD",
    "SHOPIFY",
    "SIGNED",
    "SOFT",
    "VERIFIED",
    "WOO",
    "PostWorld",
    "body_of",
    "post_world",
    "silent",
]
