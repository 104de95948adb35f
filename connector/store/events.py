"""What happened, once per key: the ledger flows are driven by."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime

from connector import codec
from connector.clock import from_text, to_text
from connector.model import Event, EventKind
from connector.store.db import Tx
from connector.store.sql import id_list


@dataclass(frozen=True, slots=True)
class EventRow:
    """A recorded event. `at` is when it happened, `recorded_at` when we knew; `data` the event's small texts."""

    kind: str
    key: str
    subject_kind: str
    subject_id: str
    at: datetime
    recorded_at: datetime
    delivery_id: int | None
    data: Mapping[str, str]


def record_many(
    tx: Tx, shop_id: str, events: Sequence[Event], now: datetime, delivery_id: int | None = None
) -> set[str]:
    """Record; return the keys that are new."""
    foresee(tx, shop_id, [event.key for event in events])
    known = tx.recall("event_known")
    at, new = to_text(now), set()
    for event in events:
        key = _storable(event.key)
        if not known[shop_id, key]:
            known[shop_id, key] = True
            new.add(event.key)
            _put(tx, shop_id, key, event, at, delivery_id)
    return new


def _storable(key: str) -> str:
    """Without NUL, which PostgreSQL has no place for: the same key in both databases, or it would be new each time."""
    return key.replace("\0", "") if "\0" in key else key


def record(tx: Tx, shop_id: str, event: Event, now: datetime, delivery_id: int | None = None) -> bool:
    """Record one event; `False` when its key is known."""
    return bool(record_many(tx, shop_id, (event,), now, delivery_id))


def foresee(tx: Tx, shop_id: str, keys: Iterable[str]) -> None:
    """Ask at once which of the keys are known."""
    known = tx.recall("event_known")
    missing = [key for key in dict.fromkeys(map(_storable, keys)) if (shop_id, key) not in known]
    if missing:
        known.update(((shop_id, key), False) for key in missing)
        for row in tx.all("event_known", shop_id=shop_id, keys=id_list(missing)):
            known[shop_id, row["event_key"]] = True


def _put(tx: Tx, shop_id: str, key: str, event: Event, now: str, delivery_id: int | None) -> None:
    if event.kind == EventKind.REVIEW_SUBMITTED:
        tx.forget("order_followers")
        tx.forget("situation")
    tx.later(
        "event_record",
        exact=True,
        shop_id=shop_id,
        event_key=key,
        kind=str(event.kind),
        subject_kind=event.subject.kind,
        subject_id=event.subject.id,
        order_id=event.order_id,
        customer_id=event.customer_id,
        at=to_text(event.at),
        now=now,
        delivery_id=delivery_id,
        data=codec.encode_text(event.data) if event.data else "{}",
    )


def has(tx: Tx, shop_id: str, key: str) -> bool:
    return tx.one("event_has", shop_id=shop_id, event_key=_storable(key)) is not None


def for_order(tx: Tx, shop_id: str, order_id: str) -> list[EventRow]:
    """The order's events, by the time they happened."""
    return [
        EventRow(
            kind=row["kind"],
            key=row["event_key"],
            subject_kind=row["subject_kind"],
            subject_id=row["subject_id"],
            at=from_text(row["at"]),
            recorded_at=from_text(row["recorded_at"]),
            delivery_id=row["delivery_id"],
            data=codec.decode(row["data"], dict[str, str]),
        )
        for row in tx.all("event_of_order", shop_id=shop_id, order_id=order_id)
    ]


def latest_at(tx: Tx, shop_id: str, order_id: str, kind: str) -> datetime | None:
    """When an event of this kind last happened to the order."""
    row = tx.one("event_latest_at", shop_id=shop_id, order_id=order_id, kind=str(kind))
    return from_text(row["at"]) if row and row["at"] else None
