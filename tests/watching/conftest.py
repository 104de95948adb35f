"""A small installation to look at: a file, a database and a key of its own, on a clock of ours."""

from __future__ import annotations

import json
from collections.abc import Iterator
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest

from connector.app import Kiitos, load
from connector.clock import ManualClock
from connector.codec import encode_text
from connector.contracts import Verified
from connector.store import inbox
from connector.store.inbox import NewDelivery
from connector.worker import Worker
from flows.channels.memory import Memory

START = datetime(2026, 11, 23, 9, 0, tzinfo=UTC)
SHOP = "acme-main"
APP = """
schema = 1
[app]
base_url = "https://kiitos.example"
database = "sqlite:///var/kiitos.db"
master_key = { file = "var/master.key", generate = true }
#APP
[channels.mail]
kind = "smtp"
url = "smtp://127.0.0.1:9"
tls = "none"
[defaults]
email = "mail"
fetch_before_send = false
#DEFAULTS
flows.order-confirmation = { file = "order_confirmation" }
flows.review-request = { file = "review_request", params = { wait = "10d" } }
[clients.acme.shops.main]
platform = "shopify"
domain = "acme.myshopify.com"
name = "Acme"
sender = "Acme <orders@acme.example>"
support_email = "help@acme.example"
address = ["Acme Oy", "Esimerkkikatu 1", "00100 Helsinki"]
country = "FI"
webhook_secret = { file = "var/secret", generate = true }
"""
BODY = Path(__file__).parents[1] / "recordings/shopify/orders_create/finnish_customer/body.json"


@dataclass
class House:
    """`app` is what else stands in `[app]`, `more` what stands below everything, `defaults` what stands in those.
    `trace` is the trace of the deliveries that arrive."""

    folder: Path
    clock: ManualClock
    mails: Memory = field(default_factory=Memory)
    app: str = ""
    more: str = ""
    defaults: str = ""
    trace: str = ""
    opened: list[Kiitos] = field(default_factory=list)

    @property
    def path(self) -> Path:
        path = self.folder / "app.toml"
        text = APP.replace("#APP", self.app).replace("#DEFAULTS", self.defaults)
        path.write_text(text + self.more, "utf-8")
        return path

    def open(self) -> Kiitos:
        kiitos = load(self.path, {}, clock=self.clock)
        kiitos.use_channel("mail", self.mails)
        self.opened.append(kiitos)
        return kiitos

    def order(self, kiitos: Kiitos, key: str, **changes: object) -> None:
        """A webhook of an order placed just now."""
        now = self.clock.now().isoformat()
        body = json.loads(BODY.read_text("utf-8")) | {"created_at": now, "processed_at": now, "updated_at": now}
        self.arrive(kiitos, key, json.dumps(body | changes).encode())

    def arrive(self, kiitos: Kiitos, key: str, body: bytes, topic: str = "orders/create") -> None:
        verified = Verified(topic=topic, dedup_key=key, shop_domain="acme.myshopify.com")
        headers = {"verified": encode_text(verified), **({"traceparent": self.trace} if self.trace else {})}
        now = self.clock.now()
        row = NewDelivery(
            shop_id=SHOP, platform="shopify", topic=topic, dedup_key=key, headers=headers, body=body, received_at=now
        )
        with kiitos.store.inbox.transaction() as tx:
            inbox.put_many(tx, [row])

    def until(self, kiitos: Kiitos, **span: float) -> None:
        """Let the worker live so long."""
        worker, end = Worker(kiitos), self.clock.now() + timedelta(**span)
        worker.drain()
        while (due := worker.next_due()) is not None and due <= end:
            self.clock.advance(max(due - self.clock.now(), timedelta(microseconds=1)))
            worker.drain()
        self.clock.advance(max(end - self.clock.now(), timedelta()))


@pytest.fixture
def house(tmp_path: Path) -> Iterator[House]:
    made = House(tmp_path, ManualClock(START))
    yield made
    for kiitos in made.opened:
        kiitos.close()
