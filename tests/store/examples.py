"""Invented shops, orders and parcels."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta

from connector.model import (
    Customer,
    Effect,
    EffectStatus,
    Event,
    EventKind,
    FinancialStatus,
    FulfillmentStatus,
    Money,
    Order,
    OrderStatus,
    Purpose,
    Ref,
    Run,
    RunStatus,
    Shipment,
    ShipmentEvent,
    ShipmentStatus,
)
from connector.store.inbox import NewDelivery

NOW = datetime(2026, 11, 22, 8, 0, tzinfo=UTC)
SHOP = "shop-aalto"


def at(hours: float) -> datetime:
    return NOW + timedelta(hours=hours)


def delivery(key: str, *, body: bytes = b"{}", quarantine: str = "", received_at: datetime = NOW) -> NewDelivery:
    return NewDelivery(
        SHOP, "shopify", "orders/create", key, {"X-Shopify-Topic": "orders/create"}, body, received_at, quarantine
    )


def order(
    order_id: str = "501", *, updated_at: datetime = NOW, note: str = "", email: str | None = "Aino@Example.test"
) -> Order:
    return Order(
        id=order_id,
        number=f"#{order_id}",
        status=OrderStatus.OPEN,
        raw_status="open",
        financial=FinancialStatus.PAID,
        fulfillment=FulfillmentStatus.UNFULFILLED,
        placed_at=NOW,
        updated_at=updated_at,
        currency="EUR",
        total=Money.parse("39.90", "EUR"),
        email=email,
        note=note,
        customer=Customer(id="71", email="aino@example.test", first_name="Aino"),
    )


def event(kind: str, subject: Ref, *, happened: datetime = NOW, key: str | None = None, **snapshots: object) -> Event:
    order_id = subject.id if subject.kind == "order" else None
    return Event(
        kind=kind,
        key=key or f"{subject}/{kind}",
        subject=subject,
        at=happened,
        order_id=snapshots.pop("order_id", order_id),  # type: ignore[arg-type]
        **snapshots,  # type: ignore[arg-type]
    )


def order_event(snapshot: Order, kind: str = EventKind.ORDER_UPDATED) -> Event:
    return event(kind, Ref("order", snapshot.id), happened=snapshot.updated_at, order=snapshot)


def shipment(status: ShipmentStatus, updated_at: datetime, shipment_id: str = "9001") -> Shipment:
    return Shipment(
        id=shipment_id,
        order_id="501",
        status=status,
        raw_status=status.value.upper(),
        created_at=NOW,
        updated_at=updated_at,
        tracking_numbers=("JJFI1",),
    )


def carrier(status: ShipmentStatus, happened: datetime, shipment_id: str = "9001") -> Event:
    said = ShipmentEvent(
        id=f"{shipment_id}/{status.value}/{happened.isoformat()}",
        shipment_id=shipment_id,
        order_id="501",
        status=status,
        raw_status=status.value,
        at=happened,
    )
    return event(
        f"shipment.{status.value}", Ref("shipment", shipment_id), happened=happened, order_id="501", shipment_event=said
    )


def run(run_id: str = "r1", **changes: object) -> Run:
    values: dict[str, object] = {
        "shop_id": SHOP,
        "id": run_id,
        "flow_id": "review",
        "version": "v1",
        "subject_kind": "order",
        "subject_id": "501",
        "entry_key": f"order/{run_id}",
        "status": RunStatus.SLEEPING,
        "step": 0,
        "created_at": NOW,
        "updated_at": NOW,
        "order_id": "501",
        "email_key": "aino@example.test",
        "wake_at": at(1),
    }
    return Run(**(values | changes))  # type: ignore[arg-type]


def effect(effect_id: str = "r1:ask", **changes: object) -> Effect:
    values: dict[str, object] = {
        "shop_id": SHOP,
        "id": effect_id,
        "run_id": "r1",
        "flow_id": "review",
        "version": "v1",
        "step_id": "ask",
        "kind": "message",
        "purpose": Purpose.REVIEW,
        "request": {"template": "ask", "with": {"days": 14, "deep": ["a", None, True]}},
        "status": EffectStatus.PENDING,
        "due_at": NOW,
        "created_at": NOW,
        "order_id": "501",
        "channel": "smtp",
    }
    return Effect(**(values | changes))  # type: ignore[arg-type]
