"""The product in a folder, under a clock of its own: signed orders come in, a channel counts what leaves."""

from __future__ import annotations

import json
from collections import Counter
from collections.abc import Iterable, Iterator, Mapping
from datetime import UTC, datetime
from pathlib import Path
from typing import ClassVar

from bench import corpus
from connector.app import Kiitos, build, create_app
from connector.clock import Clock, ManualClock
from connector.config import load_config
from connector.contracts import Accepted, Channel, Message, Outcome
from connector.contracts.channel import OnWire
from connector.ledger import Ledger, folder_for
from connector.model import Effect
from connector.registry import Registry
from connector.store import deliveries, effects
from connector.worker import Worker
from flows.render.renderer import Renderer
from tests.kill.load import PATH
from tests.kill.product import SHOP, Product
from webhooks.receiver import receiver_of

START = datetime(2026, 11, 2, 9, 0, tzinfo=UTC)
_REGISTRY, _RENDERER = Registry(), Renderer()
"""Found and compiled once for all installations of a test process: they hold no state of any of them."""


class Counting(Channel):
    """Takes every message and counts it by its key. It says when a message leaves, as SMTP does."""

    name: ClassVar[str] = "counting"
    medium: ClassVar[str] = "email"
    marks_wire: ClassVar[bool] = True

    def __init__(self) -> None:
        self.taken: Counter[str] = Counter()
        self.order: list[str] = []

    @classmethod
    def from_settings(cls, settings: Mapping[str, object], clock: Clock) -> Counting:
        return cls()

    def send_all(self, messages: Iterable[Message], on_wire: OnWire | None = None) -> Iterator[Outcome]:
        for message in messages:
            if on_wire is not None:
                on_wire(message.key)
            self.take(message)
            yield Accepted(key=message.key)

    def take(self, message: Message) -> None:
        self.taken[message.key] += 1
        self.order.append(message.key)


class Installation:
    """One shop with an order confirmation and a review request that is sent at once (tests/kill/product.py).

    `boot` is the machine's boot as its ledgers know it: another one after a power cut.
    `within`: the seconds the check of each file may take.
    """

    def __init__(
        self,
        folder: Path,
        channel: Channel,
        *,
        at: datetime = START,
        boot: str = "one",
        within: float | None = None,
    ) -> None:
        if not (folder / "app.toml").exists():
            Product.set_up(folder, 25)
        self.folder = folder
        self.clock = ManualClock(at)
        self._boot = boot
        self._workers = 0
        config = load_config(folder / "app.toml", {})
        self.kiitos: Kiitos = build(config, clock=self.clock, registry=_REGISTRY, within=within)
        self.kiitos.renderer = _RENDERER
        self.kiitos.use_channel("sink", channel)

    def receive(self, bodies: Iterable[bytes], *, topic: str = "orders/paid", first: int = 0) -> list[int]:
        """Post them signed; the answers' statuses."""
        app = create_app(self.kiitos)
        receiver = receiver_of(app)
        receiver.start()
        try:
            client = app.test_client()
            return [
                client.post(PATH, data=body, headers=signed(body, topic, f"w{number}")).status_code
                for number, body in enumerate(bodies, first)
            ]
        finally:
            receiver.close()

    def name_workers(self, after: int) -> None:
        """In a forked process: no worker is called like one of its parent's."""
        self._workers = after

    def worker(self) -> Worker:
        folder = folder_for(self.kiitos.config.app.database, self.folder)
        self._workers += 1
        return Worker(self.kiitos, Ledger(folder, f"{self._boot}-{self._workers}", boot=self._boot))

    def orders(self, count: int) -> list[bytes]:
        return list(corpus.bodies(count, START))

    @staticmethod
    def order_id(body: bytes) -> str:
        return str(json.loads(body)["id"])

    def messages(self, bodies: Iterable[bytes]) -> list[Effect]:
        """The messages of these orders."""
        with self.kiitos.store.work.read() as tx:
            found = [effects.of_order(tx, SHOP, self.order_id(body)) for body in bodies]
        return [effect for each in found for effect in each if effect.kind == "message"]

    def deliveries(self) -> dict[str, int]:
        with self.kiitos.store.work.read() as tx:
            return deliveries.count_by_status(tx)

    def close(self) -> None:
        self.kiitos.close()


def signed(body: bytes, topic: str, webhook: str) -> dict[str, str]:
    """The headers of a delivery as Shopify sends it."""
    return {
        "Content-Type": "application/json",
        "X-Shopify-Hmac-Sha256": corpus.sign(body).decode(),
        "X-Shopify-Shop-Domain": corpus.SHOP_DOMAIN,
        "X-Shopify-Topic": topic,
        "X-Shopify-API-Version": corpus.API_VERSION,
        "X-Shopify-Webhook-Id": webhook,
    }
