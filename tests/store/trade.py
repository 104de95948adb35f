"""A shop on a clock of its own with its worker, for tests of what is kept of its customers."""

from __future__ import annotations

import json
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from decimal import Decimal
from pathlib import Path
from typing import Any

from connector.app import build
from connector.clock import ManualClock
from connector.config import parse_config
from connector.model import (
    Event,
    EventKind,
    Money,
    Order,
    Ref,
)
from connector.store import Store, standings
from connector.worker import Worker
from tests.store.examples import order

START = datetime(2026, 3, 2, 9, 0, tzinfo=UTC)
SHOP = "acme-main"
KEY = "test=" + "cmVoZWFyc2FsIGtleSB0aGF0IGlzIDMyIGJ5dGVzISE="


class Trade:
    """A shop on a clock of its own, its worker, and customers who order."""

    def __init__(
        self, store: Store, folder: Path, segments: dict[str, Any], flows: dict[str, Any] | None = None
    ) -> None:
        self.flows = flows or {}
        self.store = store
        self.folder = folder
        self.clock = ManualClock(START)
        self.count = 0
        self.configure(segments)

    def configure(self, segments: dict[str, Any]) -> None:
        whole = document(segments)
        whole["defaults"]["flows"] = self.flows
        config = parse_config(whole, self.folder / "app.toml", {"KEY": KEY})
        self.kiitos = build(config, clock=self.clock, store=self.store)
        self.worker = Worker(self.kiitos)

    def take_in(self, *events: Event) -> None:
        with self.store.work.transaction() as tx:
            self.kiitos.runner.ingest(tx, SHOP, events, self.clock.now())

    def order(self, email: str = "aino@example.test", total: int = 30, **changes: Any) -> Order:
        self.count += 1
        now = self.clock.now()
        made = replace(
            order(f"{self.count}", email=email, updated_at=now),
            customer=None,
            placed_at=now,
            total=Money(Decimal(total), "EUR"),
            **changes,
        )
        self.take_in(told(made, EventKind.ORDER_CREATED))
        return made

    def tell(self, changed: Order, **changes: Any) -> Order:
        made = replace(changed, updated_at=self.clock.now(), **changes)
        self.take_in(told(made, EventKind.ORDER_UPDATED))
        return made

    def live(self, until: timedelta) -> None:
        """Let time pass as the worker would see it: from one due thing to the next."""
        self.worker.drain()
        end = START + until
        while (due := self.worker.next_due()) is not None and due <= end:
            self.clock.advance(max(due - self.clock.now(), timedelta(microseconds=1)))
            self.worker.drain()
        if end > self.clock.now():
            self.clock.advance(end - self.clock.now())
            self.worker.watch.trusted()  # an idle worker looks at its clock all the while

    def said(self) -> list[str]:
        """`day kind segment person`, as recorded."""
        with self.store.work.read() as tx:
            tx.script(
                "SELECT at, kind, data FROM events WHERE kind IN ('segment.entered', 'segment.left')"
                " ORDER BY at, event_key"
            )
            rows = [tuple(row.values()) if isinstance(row, dict) else row for row in tx._cursor.fetchall()]
        days = [(datetime.fromisoformat(at) - START).days for at, *_ in rows]
        return [f"{day}d {kind} {json.loads(data)['segment']}" for day, (_, kind, data) in zip(days, rows, strict=True)]

    def members(self, segment: str) -> list[str]:
        with self.store.work.read() as tx:
            return [member.name for member in standings.members(tx, SHOP, segment)]


def told(snapshot: Order, kind: str) -> Event:
    return Event(
        kind=kind,
        key=f"order/{snapshot.id}/{kind}/{snapshot.updated_at.isoformat()}",
        subject=Ref("order", snapshot.id),
        at=snapshot.updated_at,
        order_id=snapshot.id,
        order=snapshot,
    )


def document(segments: dict[str, Any]) -> dict[str, Any]:
    return {
        "schema": 1,
        "app": {"master_key": {"env": "KEY"}, "base_url": "https://kiitos.example"},
        "channels": {"mail": {"kind": "memory"}},
        "segments": segments,
        "defaults": {"email": "mail", "fetch_before_send": False},
        "clients": {
            "acme": {
                "shops": {
                    "main": {
                        "platform": "shopify",
                        "domain": "acme.myshopify.com",
                        "sender": "Acme <orders@acme.example>",
                        "timezone": "Europe/Helsinki",
                        "country": "FI",
                    }
                }
            }
        },
    }
