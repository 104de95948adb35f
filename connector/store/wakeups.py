"""Wake-ups: what becomes an event when its time comes; and how far they are made for what was known before.

One row for what a flow waits for; sleeping rows cost an index entry, no scan and no timer.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime

from connector.clock import from_text, to_text
from connector.model import Ref
from connector.store.db import Row, Tx

ARMING, REMOVING, DONE = "arming", "removing", "done"
_OF_PERSON = "wakeup_of_person"


@dataclass(frozen=True, slots=True, kw_only=True)
class Wakeup:
    """One row. `due_at` is when to look (`None`: it fired and may still be moved), `moment` the intended time,
    `origin` what it is counted from as text, `fired_at` the last moment that became an event."""

    shop_id: str
    flow_id: str
    subject: Ref
    trigger_key: str
    due_at: datetime | None
    moment: datetime
    origin: str
    fired_at: datetime | None = None
    order_id: str | None = None
    customer_id: str | None = None
    email_key: str | None = None


@dataclass(frozen=True, slots=True)
class Arming:
    """How far the wake-ups of a flow's trigger have been made or removed. `source` names the places that are still to
    be looked at, in their order; `after_id` is where the last page of the first of them ended."""

    shop_id: str
    flow_id: str
    trigger_key: str
    state: str
    source: str
    after_id: str


@dataclass(frozen=True, slots=True)
class Told:
    """An event as a page of the past has it."""

    kind: str
    subject: Ref
    order_id: str | None
    customer_id: str | None
    at: datetime


def put(tx: Tx, row: Wakeup) -> None:
    """Make or move it."""
    tx.forget(_OF_PERSON)
    tx.run("wakeup_put", **_arguments(row))


def move(tx: Tx, row: Wakeup) -> None:
    """The same for one whose origin only ever moves on: what another transaction has moved further stays."""
    tx.forget(_OF_PERSON)
    tx.run("wakeup_move", **_arguments(row))


def _arguments(row: Wakeup) -> dict[str, str | None]:
    return {
        "shop_id": row.shop_id,
        "flow_id": row.flow_id,
        "subject_kind": row.subject.kind,
        "subject_id": row.subject.id,
        "trigger_key": row.trigger_key,
        "due_at": to_text(row.due_at) if row.due_at else None,
        "moment": to_text(row.moment),
        "origin": row.origin,
        "fired_at": to_text(row.fired_at) if row.fired_at else None,
        "order_id": row.order_id,
        "customer_id": row.customer_id,
        "email_key": row.email_key,
    }


def get(tx: Tx, shop_id: str, flow_id: str, subject: Ref) -> Wakeup | None:
    row = tx.one("wakeup_get", shop_id=shop_id, flow_id=flow_id, subject_kind=subject.kind, subject_id=subject.id)
    return _wakeup(row) if row else None


def due(tx: Tx, now: datetime, limit: int) -> list[Wakeup]:
    """Those whose time has come, longest overdue first; locked by others are passed over on PostgreSQL."""
    return [_wakeup(row) for row in tx.all("wakeup_due", now=to_text(now), limit=limit)]


def next_due(tx: Tx) -> datetime | None:
    row = tx.one("wakeup_next_due")
    return from_text(row["due_at"]) if row and row["due_at"] else None


def defer(tx: Tx, row: Wakeup, until: datetime) -> None:
    """Look again at `until`."""
    tx.run("wakeup_defer", **_key(row), due_at=to_text(until))


def drop(tx: Tx, row: Wakeup) -> None:
    tx.forget(_OF_PERSON)
    tx.run("wakeup_drop", **_key(row))


def of_order(tx: Tx, shop_id: str, order_id: str) -> list[Wakeup]:
    return [_wakeup(row) for row in tx.all("wakeup_of_order", shop_id=shop_id, order_id=order_id)]


def of_person(tx: Tx, shop_id: str, email_key: str | None, customer_id: str | None) -> list[Wakeup]:
    """What flows wait for because of somebody, by address or account. Read once for all flows, until one is changed."""
    known: dict[tuple[str, str | None, str | None], list[Wakeup]] = tx.recall(_OF_PERSON)
    who = (shop_id, email_key, customer_id)
    if who not in known:
        rows = tx.all("wakeup_of_person", shop_id=shop_id, email_key=email_key, customer_id=customer_id)
        known[who] = [_wakeup(row) for row in rows]
    return known[who]


def drop_customer(tx: Tx, shop_id: str, customer_id: str) -> None:
    """The account is gone, and what flows waited for with it."""
    tx.forget(_OF_PERSON)
    tx.run("wakeup_drop_customer", shop_id=shop_id, customer_id=customer_id)


def drop_flow(tx: Tx, shop_id: str, flow_id: str, limit: int) -> int:
    """Remove up to `limit` rows of a flow; how many."""
    return tx.run("wakeup_drop_flow", shop_id=shop_id, flow_id=flow_id, limit=limit)


def drop_stale(tx: Tx, shop_id: str, flow_id: str, trigger_key: str, limit: int) -> int:
    """Remove up to `limit` rows that another trigger of the flow made; how many."""
    args = {"shop_id": shop_id, "flow_id": flow_id, "trigger_key": trigger_key, "limit": limit}
    return tx.run("wakeup_drop_stale", **args)


def count(tx: Tx, shop_id: str, flow_id: str) -> int:
    """How many things the flow waits for."""
    row = tx.one("wakeup_count", shop_id=shop_id, flow_id=flow_id)
    return int(row["rows"]) if row else 0


def armings(tx: Tx) -> list[Arming]:
    """Every flow that has or had wake-ups, of all shops."""
    return [_arming(row) for row in tx.all("arming_all")]


def next_arming(tx: Tx) -> Arming | None:
    """The one whose next slice has waited longest; locked by others are passed over on PostgreSQL."""
    row = tx.one("arming_open")
    return _arming(row) if row else None


def keep_arming(tx: Tx, arming: Arming, now: datetime) -> None:
    """Begin it, or store how far it has come."""
    tx.run(
        "arming_put",
        shop_id=arming.shop_id,
        flow_id=arming.flow_id,
        trigger_key=arming.trigger_key,
        state=arming.state,
        source=arming.source,
        after_id=arming.after_id,
        now=to_text(now),
    )


def drop_arming(tx: Tx, shop_id: str, flow_id: str) -> None:
    tx.run("arming_drop", shop_id=shop_id, flow_id=flow_id)


_PAGES = {"orders": "arming_orders", "customers": "arming_customers", "checkouts": "arming_checkouts"}


def page(tx: Tx, source: str, shop_id: str, after_id: str, limit: int) -> list[str]:
    """Ids of `orders`, `customers` or `checkouts`, in their order."""
    rows = tx.all(_PAGES[source], shop_id=shop_id, after_id=after_id, limit=limit)
    return [row["id"] for row in rows]


def past_events(tx: Tx, shop_id: str, after_id: str, limit: int, kinds: Sequence[str]) -> tuple[list[Told], str | None]:
    """A page of the past: the events of these kinds on it, and where the next page begins (`None` at the end)."""
    rows = tx.all("arming_events", shop_id=shop_id, after_id=after_id, limit=limit)
    told = [
        Told(
            row["kind"],
            Ref(row["subject_kind"], row["subject_id"]),
            row["order_id"],
            row["customer_id"],
            from_text(row["at"]),
        )
        for row in rows
        if row["kind"] in kinds
    ]
    return told, rows[-1]["id"] if len(rows) == limit else None


def _key(row: Wakeup) -> dict[str, str]:
    return {
        "shop_id": row.shop_id,
        "flow_id": row.flow_id,
        "subject_kind": row.subject.kind,
        "subject_id": row.subject.id,
    }


def _wakeup(row: Row) -> Wakeup:
    return Wakeup(
        shop_id=row["shop_id"],
        flow_id=row["flow_id"],
        subject=Ref(row["subject_kind"], row["subject_id"]),
        trigger_key=row["trigger_key"],
        due_at=from_text(row["due_at"]) if row["due_at"] else None,
        moment=from_text(row["moment"]),
        origin=row["origin"],
        fired_at=from_text(row["fired_at"]) if row["fired_at"] else None,
        order_id=row["order_id"],
        customer_id=row["customer_id"],
        email_key=row["email_key"],
    )


def _arming(row: Row) -> Arming:
    return Arming(row["shop_id"], row["flow_id"], row["trigger_key"], row["state"], row["source"], row["after_id"])
