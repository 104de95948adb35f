"""A shop with a loyalty programme on a clock of its own, for tests of what its customers own."""

from __future__ import annotations

import json
from dataclasses import replace
from datetime import datetime, timedelta
from decimal import Decimal
from pathlib import Path
from typing import Any

import pytest

from connector.app import build
from connector.config import parse_config
from connector.model import (
    Event,
    EventKind,
    LineItem,
    Money,
    Order,
    OrderStatus,
    Ref,
    Refund,
    Shipment,
    ShipmentStatus,
    ShippedLine,
)
from connector.model.value import POINTS, Entry
from connector.store import Store, accounts, books
from connector.worker import Worker
from flows.value.bookings import position_of
from flows.value.settling import Position, balances, wanted
from tests.store.examples import order
from tests.store.trade import SHOP, START, Trade, document

AINO = "aino@example.test"
DAY = timedelta(days=1)
PROGRAMME: dict[str, Any] = {
    "return_window": "14d",
    "expires": "200d",
    "rules": {
        "spend": {"kind": "spend", "points": 1, "per": "1 EUR"},
        "first": {"kind": "first_order", "points": 50},
        "review": {"kind": "review", "points": 20, "most": 3},
        "beans": {"kind": "product", "products": ["beans"], "points": 7},
    },
    "tiers": {"silver": {"at": "100 EUR"}, "gold": {"at": "300 EUR", "title": "Gold"}},
    "badges": {"regular": {"orders": 3, "title": "A regular"}},
    "challenges": {"spring": {"orders": 2, "begins": "2026-03-01", "ends": "2026-05-31", "points": 30}},
}


SPEND: dict[str, Any] = {
    "return_window": "14d",
    "expires": "200d",
    "rules": {"spend": {"kind": "spend", "points": 1, "per": "1 EUR"}},
}
"""One rule and nothing else."""


def euros(amount: str) -> Money:
    return Money.parse(amount, "EUR")


def line(line_id: str, total: str, quantity: int = 1, **more: Any) -> LineItem:
    price = Money(Decimal(total) / quantity, "EUR")
    return LineItem(id=line_id, title="Thing", quantity=quantity, unit_price=price, total=euros(total), **more)


class Loyal(Trade):
    """`programme` is the `[loyalty]` table, `flows` the one of that name."""

    def __init__(
        self,
        store: Store,
        folder: Path,
        programme: dict[str, Any] | None = None,
        flows: dict[str, Any] | None = None,
    ) -> None:
        self.programme = PROGRAMME if programme is None else programme
        super().__init__(store, folder, {}, flows)

    def configure(self, segments: dict[str, Any]) -> None:
        whole = document(segments)
        whole["loyalty"] = self.programme
        whole["defaults"]["flows"] = self.flows
        config = parse_config(
            whole, self.folder / "app.toml", {"KEY": "test=cmVoZWFyc2FsIGtleSB0aGF0IGlzIDMyIGJ5dGVzISE="}
        )
        self.kiitos = build(config, clock=self.clock, store=self.store)
        self.worker = Worker(self.kiitos)

    def buys(self, *lines: LineItem, order_id: str = "1", email: str = AINO, **more: Any) -> Order:
        made = purchase(*lines, order_id=order_id, email=email, at=self.clock.now(), **more)
        self.take_in(told(made, EventKind.ORDER_PAID))
        return made

    def points(self, email: str = AINO) -> tuple[int, int]:
        """What can be used, and what is pending."""
        found = self.position(email)
        return int(found.available), int(found.pending)

    def position(self, email: str = AINO, unit: str = POINTS) -> Position:
        with self.store.work.read() as tx:
            return position_of(tx, SHOP, accounts.find(tx, SHOP, None, email), self.clock.now(), unit)

    def state(self, email: str = AINO) -> dict[str, Any]:
        with self.store.work.read() as tx:
            return dict(accounts.member(tx, SHOP, accounts.find(tx, SHOP, None, email).account).state)

    def entries(self, email: str = AINO) -> list[Entry]:
        with self.store.work.read() as tx:
            return books.entries_of(tx, SHOP, accounts.find(tx, SHOP, None, email).accounts)

    def told(self, *kinds: str) -> list[tuple[int, str, dict[str, str]]]:
        """Day, kind and data of events of these kinds, as recorded."""
        with self.store.work.read() as tx:
            tx.script("SELECT at, kind, data FROM events ORDER BY at, event_key")
            rows = [tuple(row.values()) if isinstance(row, dict) else row for row in tx._cursor.fetchall()]
        return [((datetime.fromisoformat(at) - START).days, k, json.loads(d)) for at, k, d in rows if k in kinds]


def purchase(*lines: LineItem, order_id: str, email: str, at: datetime, **more: Any) -> Order:
    found = lines or (line("a", "90", 3),)
    total = Money(sum((one.total.amount for one in found), Decimal(0)), "EUR")
    return replace(
        order(order_id, email=email, updated_at=at),
        customer=None,
        placed_at=at,
        paid_at=at,
        total=total,
        lines=found,
        **more,
    )


def told(snapshot: Order, kind: str, refund: Refund | None = None) -> Event:
    key = f"order/{snapshot.id}/{kind}/{refund.id if refund else snapshot.updated_at.isoformat()}"
    return Event(
        kind=kind,
        key=key,
        subject=Ref("refund", refund.id) if refund else Ref("order", snapshot.id),
        at=snapshot.updated_at,
        order_id=snapshot.id,
        order=None if refund else snapshot,
        refund=refund,
    )


def refund(of: Order, refund_id: str, at: datetime, amount: str | None = None, **pieces: int) -> Event:
    lines = tuple(ShippedLine(line_id=key, quantity=number) for key, number in pieces.items())
    money = euros(amount) if amount else None
    made = Refund(id=refund_id, order_id=of.id, at=at, amount=money, lines=lines)
    return told(replace(of, updated_at=at), EventKind.REFUND_CREATED, made)


def cancelled(of: Order, at: datetime) -> Event:
    return told(replace(of, status=OrderStatus.CANCELLED, cancelled_at=at, updated_at=at), EventKind.ORDER_CANCELLED)


def delivered(of: Order, at: datetime) -> Event:
    parcel = Shipment(
        id=f"s{of.id}",
        order_id=of.id,
        status=ShipmentStatus.DELIVERED,
        raw_status="delivered",
        created_at=of.placed_at,
        updated_at=at,
        lines=tuple(ShippedLine(line_id=one.id, quantity=one.quantity) for one in of.lines),
    )
    return Event(
        kind="shipment.delivered",
        key=f"s{of.id}",
        subject=Ref("shipment", parcel.id),
        at=at,
        order_id=of.id,
        shipment=parcel,
    )


def faults(life: Loyal, email: str = AINO) -> list[str]:
    """What is wrong with somebody's books: they sum to nothing, and are where the facts say."""
    found = []
    with life.store.work.read() as tx:
        holder = accounts.find(tx, SHOP, None, email)
        facts, entries = books.facts_of(tx, SHOP, holder.accounts), books.entries_of(tx, SHOP, holder.accounts)
        for unit in {fact.unit for fact in facts}:
            has = balances(entry for entry in entries if entry.unit == unit)
            should = wanted(position_of(tx, SHOP, holder, life.clock.now(), unit))
            if any(sum(places.values()) for places in has.values()):
                found.append(f"{unit}: the sums are not zero")
            bare = [{k: {p: a for p, a in v.items() if a} for k, v in each.items()} for each in (has, should)]
            if {k: v for k, v in bare[0].items() if v} != {k: v for k, v in bare[1].items() if v}:
                found.append(f"{unit}: the books are not where the facts are")
    return found


@pytest.fixture
def life(store: Store, tmp_path: Path) -> Loyal:
    """A shop with the whole programme."""
    return Loyal(store, tmp_path)


@pytest.fixture
def plain(store: Store, tmp_path: Path) -> Loyal:
    """A shop where only what is spent earns points."""
    return Loyal(store, tmp_path, SPEND)
