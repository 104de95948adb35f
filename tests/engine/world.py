"""Invented people and orders, and a world of one run that moves under a manual clock: what tests of flows stand on."""

from __future__ import annotations

import importlib
import tomllib
from collections.abc import Iterable, Mapping
from datetime import UTC, datetime, timedelta
from functools import lru_cache
from pathlib import Path
from typing import Any

from connector.clock import ManualClock, to_text
from connector.contracts import Arrived, EffectDone, EffectFailed, EffectSkipped, Signal, Step, Woke, parse_span
from connector.model import (
    Address,
    Customer,
    Effect,
    Event,
    FinancialStatus,
    FulfillmentStatus,
    LineItem,
    Money,
    Order,
    OrderStatus,
    Ref,
    Refund,
    Return,
    Run,
    Shipment,
    ShipmentStatus,
    ShippedLine,
    Shop,
)
from flows import engine
from flows.definition import Flow, FlowEdits, load_flow
from flows.derive import derive, derived_events
from flows.facts import Facts, Progress, ReferralFacts, event_facts

ROOT = Path(__file__).parents[2]
LIBRARY = ROOT / "flows" / "library"
TEMPLATES = frozenset(path.name.split(".")[0] for path in (ROOT / "flows" / "templates").glob("*.liquid"))
START = datetime(2026, 11, 2, 9, 0, tzinfo=UTC)
SALT = b"a salt for tests only"

SHOP = Shop(
    id="shop1", client_id="c1", platform="fake", domain="metsa.example", name="Metsä", country="FI",
    timezone="Europe/Helsinki",
)  # fmt: skip
AINO = Customer(id="c-1", email="aino@example.com", first_name="Aino", orders_count=1)


@lru_cache(maxsize=1)
def step_types() -> Mapping[str, type[Step]]:
    """The built-in steps, found through the package's own entry points."""
    points = tomllib.loads((ROOT / "pyproject.toml").read_text("utf-8"))["project"]["entry-points"]["kiitos.steps"]
    found = {}
    for name, place in points.items():
        module, _, cls = place.partition(":")
        found[name] = getattr(importlib.import_module(module), cls)
    return found


def library(name: str, edits: FlowEdits | None = None) -> Flow:
    text = (LIBRARY / f"{name}.toml").read_text("utf-8")
    return load_flow(text, where=f"{name}.toml", registry_steps=step_types(), templates=TEMPLATES, edits=edits)


def flow_of(text: str, **more: Any) -> Flow:
    return load_flow(text, where="f.toml", registry_steps=step_types(), **more)


def line(line_id: str = "l1", quantity: int = 1, **more: Any) -> LineItem:
    price = Money.parse("20", "EUR")
    return LineItem(id=line_id, title="Birch cup", quantity=quantity, unit_price=price, total=price, **more)


def order(**more: Any) -> Order:
    given: dict[str, Any] = {
        "id": "o1",
        "number": "1001",
        "status": OrderStatus.OPEN,
        "raw_status": "processing",
        "financial": FinancialStatus.PAID,
        "fulfillment": FulfillmentStatus.UNFULFILLED,
        "placed_at": START,
        "updated_at": START,
        "paid_at": START,
        "currency": "EUR",
        "total": Money.parse("40.00", "EUR"),
        "customer": AINO,
        "email": "aino@example.com",
        "lines": (line(),),
        "shipping_address": Address(lines=("Koivukuja 3 A 4",), postcode="00100", city="Helsinki", country="FI"),
    }
    return Order(**{**given, **more})


def parcel(parcel_id: str = "s1", status: ShipmentStatus = ShipmentStatus.SHIPPED, **more: Any) -> Shipment:
    given: dict[str, Any] = {
        "id": parcel_id,
        "order_id": "o1",
        "status": status,
        "raw_status": str(status),
        "created_at": START,
        "updated_at": START,
        "tracking_numbers": ("JJFI1",),
        "lines": (ShippedLine(line_id="l1", quantity=1),),
    }
    return Shipment(**{**given, **more})


def event(kind: str, *, key: str = "", at: datetime = START, **more: Any) -> Event:
    given: dict[str, Any] = {"subject": Ref("order", "o1"), "order_id": "o1"}
    return Event(kind=kind, key=key or f"order/o1/{kind}", at=at, **{**given, **more})


def facts(**more: Any) -> Facts:
    given: dict[str, Any] = {
        "now": START,
        "shop": SHOP,
        "order": order(),
        "customer": AINO,
        "run_id": "run1",
        "salt": SALT,
    }
    return Facts(**{**given, **more})


class World:
    """One flow, one order, and the run between them. Effects are carried out at once unless a test holds them."""

    def __init__(
        self,
        flow: Flow,
        *,
        the_order: Order | None = None,
        referral: ReferralFacts | None = None,
        machine: Any = engine,
    ) -> None:
        self.flow = flow
        self.machine = machine
        self.clock = ManualClock(START)
        self.order = the_order or order()
        self.parcels: dict[str, Shipment] = {}
        self.times: dict[str, dict[str, datetime]] = {}
        self.refunds: list[Refund] = []
        self.returns: list[Return] = []
        self.reviewed_at: datetime | None = None
        self.referral = referral
        self.runs: dict[str, Run] = {}
        self.effects: list[tuple[datetime, Effect]] = []
        self.journal: list[engine.JournalEntry] = []
        self.seen: set[str] = set()
        self.answer: Any = self.succeed
        self.subject_shipment: str | None = None

    # -- what happens outside ----------------------------------------------------------------------------------------

    def ship(self, parcel_id: str = "s1", status: ShipmentStatus = ShipmentStatus.SHIPPED, **more: Any) -> None:
        now = self.clock.now()
        known = self.parcels.get(parcel_id)
        made = known.created_at if known else now
        self.parcels[parcel_id] = parcel(parcel_id, status, created_at=made, updated_at=now, **more)
        self.times.setdefault(parcel_id, {}).setdefault(status, now)
        for found in derived_events(SHOP, self.order, self.progress(), list(self.parcels.values())):
            self.happens(found)

    def happens(self, what: Event | str, **more: Any) -> None:
        """An event, seen once per key: it cancels, resumes and starts runs."""
        found = what if isinstance(what, Event) else event(what, at=self.clock.now(), **more)
        if found.key in self.seen:
            return
        self.seen.add(found.key)
        for run in list(self.runs.values()):
            if found.kind in self.flow.cancel_on:
                self._keep(self.machine.cancel(self.flow, run, found.kind, self.clock.now()))
            else:
                data = {**found.data, "at": to_text(found.at)}
                self._keep(self.machine.advance(self.flow, run, self.facts(run), Arrived(found.kind, data)))
        self._begin(found)

    def _begin(self, found: Event) -> None:
        now = self.clock.now()
        if not self.machine.triggered(self.flow, found) or self.machine.too_old(self.flow, found, now):
            return
        seen = self.facts(None, found)
        if not all(result.passed for result in self.machine.admits(self.flow, seen)):
            return
        made = self.machine.start(self.flow, found, seen, f"run{len(self.runs) + 1}")
        earlier = self.runs.get(made.run.entry_key)
        if earlier is None:
            self._keep(made)
            return
        again = self.machine.restart(self.flow, earlier, found, self.facts(earlier, found))
        if again is not None:
            self._keep(again)

    def review(self, **data: str) -> None:
        self.reviewed_at = self.clock.now()
        self.happens("review.submitted", data=data)

    def refund(self) -> None:
        self.refunds.append(Refund(id="r1", order_id="o1", at=self.clock.now()))
        self.happens("refund.created")

    def passes(self, span: str) -> None:
        """Time goes by; runs wake when they are due."""
        until = self.clock.now() + parse_span(span)
        while True:
            due = [run.wake_at for run in self.runs.values() if run.wake_at is not None and not run.status.ended]
            following = min([at for at in due if at <= until], default=None)
            if following is None:
                break
            self.clock.set(max(following, self.clock.now()))
            for run in list(self.runs.values()):
                self._keep(self.machine.advance(self.flow, run, self.facts(run), Woke()))
        self.clock.set(until)

    # -- what the worker would do ------------------------------------------------------------------------------------

    def progress(self) -> Progress:
        return derive(
            self.order, list(self.parcels.values()), self.times, self.refunds, self.returns, self.reviewed_at, SHOP
        )

    def facts(self, run: Run | None, found: Event | None = None) -> Facts:
        shipment_id = run.subject_id if run else (found.subject.id if found else "")
        return Facts(
            now=self.clock.now(),
            shop=SHOP,
            order=self.order,
            customer=self.order.customer,
            shipment=self.parcels.get(shipment_id),
            progress=self.progress(),
            referral=self.referral,
            event=run.event if run else event_facts(found) if found else {},
            salt=SALT,
        )

    def succeed(self, effect: Effect) -> Signal | None:
        if effect.request.get("do") == "create_discount":
            return EffectDone({"code": effect.request["discount"]["code"]})
        return EffectDone({})

    def _keep(self, moved: engine.Transition) -> None:
        self.runs[moved.run.entry_key] = moved.run
        self.journal.extend(moved.journal)
        for effect in moved.effects:
            self.effects.append((self.clock.now(), effect))
            signal = self.answer(effect)
            if signal is not None:
                self._keep(self.machine.advance(self.flow, moved.run, self.facts(moved.run), signal))

    # -- what tests ask ----------------------------------------------------------------------------------------------

    @property
    def run(self) -> Run:
        (only,) = self.runs.values()
        return only

    @property
    def sent(self) -> list[str]:
        """Templates in order."""
        return [effect.request["template"] for _, effect in self.effects if effect.kind == "message"]

    @property
    def done(self) -> list[str]:
        """Templates and platform effects in order."""
        return [effect.request.get("template") or effect.request["do"] for _, effect in self.effects]

    def sent_on(self, template: str) -> timedelta:
        """How long after the start a template was put in the outbox."""
        (at,) = [at for at, effect in self.effects if effect.request.get("template") == template]
        return at - START

    def skipped(self) -> Iterable[str]:
        return [entry.step_id for entry in self.journal if entry.what == "skipped"]


def refuse(code: str = "no_consent") -> Any:
    return lambda effect: EffectSkipped(code)


def fail(effect: Effect) -> Signal:
    return EffectFailed("550", "no such user")
