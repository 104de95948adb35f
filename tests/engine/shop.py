"""A shop over a store that outlives its processes, for tests of wake-ups and re-entry: the whole product, one clock."""

from __future__ import annotations

from dataclasses import replace
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

from connector.app import Kiitos, build
from connector.clock import ManualClock
from connector.config import parse_config
from connector.model import Customer, Event, EventKind, Ref
from connector.registry import PLATFORMS, Registry
from connector.rehearsal.life import Life
from connector.rehearsal.platform import NAME, Rehearsed
from connector.store import people, runs, wakeups
from connector.store.store import Store
from connector.worker import Worker
from connector.working import clockwatch

START = datetime(2026, 3, 2, 9, 0, tzinfo=UTC)
DAY = timedelta(days=1)
SHOP = "c-shop"
KEY = "k1=" + "cmVoZWFyc2FsIGtleSB0aGF0IGlzIDMyIGJ5dGVzISE="
FLOW = """
id = "{name}"
purpose = "transactional"
trigger = {trigger}
reentry = "always"
[[steps]]
id = "do"
do = "tag_order"
tag = "told"
"""
SILENCE = '{ silence = "60d", after = "order.created" }'
MONDAYS = '{ calendar = "mon", at = "10:00" }'
BIRTHDAY = '{ date = "customer.birthday", at = "10:00", yearly = true }'


class Shop:
    """One shop over a store that outlives its processes: `open` is a new process with these flows."""

    def __init__(self, folder: Path, store: Store) -> None:
        self.folder = folder
        self.store = store
        self.clock = ManualClock(START)
        with store.work.transaction() as tx:
            clockwatch.confirm(tx, START)

    def open(self, **flows: str) -> Worker:
        for name, trigger in flows.items():
            if not trigger:
                continue  # the test wrote the file itself
            (self.folder / f"{name}.toml").write_text(FLOW.format(name=name, trigger=trigger), "utf-8")
        table: dict[str, Any] = {
            "platform": NAME,
            "domain": "shop.example",
            "sender": "Shop <hello@shop.example>",
            "timezone": "Europe/Helsinki",
            "flows": {name: {"file": f"./{name}.toml"} for name in flows},
        }
        document = {
            "schema": 1,
            "app": {"master_key": {"env": "KEY"}},
            "channels": {"mail": {"kind": "memory"}},
            "clients": {"c": {"shops": {"shop": table}}},
        }
        config = parse_config(document, self.folder / "app.toml", {"KEY": KEY})
        registry = Registry(extra={(PLATFORMS, NAME): Rehearsed})
        self.kiitos: Kiitos = build(config, clock=self.clock, registry=registry, store=self.store)
        return Worker(self.kiitos)

    def happen(self, events: list[Event]) -> None:
        with self.store.work.transaction() as tx:
            self.kiitos.runner.ingest(tx, SHOP, events, self.clock.now())

    def order(self, number: int, who: str) -> None:
        life = Life(self.kiitos.config.shop(SHOP).shop, {})
        events = life.order(str(number), self.clock.now())
        buyer = Customer(id=None, email=f"{who}@example.test")
        self.happen([_of(event, buyer) for event in events])

    def account(self, name: str, birthday: str) -> None:
        customer = Customer(id=name, email=f"{name}@example.test", birthday=birthday, updated_at=self.clock.now())
        key = f"customer/{name}/{birthday}/{self.clock.now()}"
        self.happen(
            [Event(kind=EventKind.CUSTOMER_UPDATED, key=key, subject=Ref("customer", name), at=self.clock.now(),
                   customer_id=name, customer=customer)]
        )  # fmt: skip

    def pass_until(self, worker: Worker, until: datetime) -> None:
        worker.drain()
        while (due := worker.next_due()) is not None and due <= until:
            self.clock.advance(max(due - self.clock.now(), timedelta(microseconds=1)))
            worker.drain()
        self.clock.advance(until - self.clock.now())
        worker.watch.trusted()  # an idle worker looks at its clock all the while

    def begin_anew(self) -> None:
        """Nothing is known any more, and it is the first day again."""
        with self.store.work.transaction() as tx:
            while people.wipe_shop(tx, SHOP, 10_000):
                pass
            clockwatch.confirm(tx, START)
        self.clock = ManualClock(START)

    def believe(self) -> None:
        """The clock was moved on purpose."""
        with self.store.work.transaction() as tx:
            clockwatch.confirm(tx, self.clock.now())

    def rows(self, flow: str) -> int:
        with self.store.work.read() as tx:
            return wakeups.count(tx, SHOP, flow)

    def told(self) -> list[tuple[datetime, str | None]]:
        with self.store.work.read() as tx:
            return [
                (run.created_at, run.email_key) for run in runs.all_of_shop(tx, SHOP) if run.reason != "not started"
            ]


def _of(event: Event, buyer: Customer) -> Event:
    order = event.order
    assert order is not None
    return replace(event, customer_id=None, order=replace(order, customer=buyer, email=buyer.email))
