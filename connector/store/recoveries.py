"""What reconciliation knows: which changes it has read, what we have of what a platform lists, how orders came."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime

from connector import codec
from connector.clock import from_text, to_text
from connector.store.db import Tx

PAGE = 1000


@dataclass(frozen=True, slots=True)
class Version:
    """Our snapshot of an object: when the platform last changed it, and whether we hold it to be deleted."""

    updated_at: datetime
    deleted: bool


@dataclass(frozen=True, slots=True)
class Arrival:
    """How an order came: `via` is webhook, poll, sweep or backfill; `delay` in seconds from its placing."""

    order_id: str
    via: str
    delay: float


_VERSIONS = {"order": "order_versions", "customer": "customer_versions", "product": "product_versions"}


def versions(tx: Tx, shop_id: str, kind: str, ids: Sequence[str]) -> dict[str, Version]:
    """What we have of these; a `kind` that is none of order, customer, product is never known."""
    query = _VERSIONS.get(kind)
    rows = tx.all(query, shop_id=shop_id, ids=codec.encode_text(list(ids))) if query else []
    return {row["object_id"]: Version(from_text(row["updated_at"]), bool(row["deleted"])) for row in rows}


def reads(tx: Tx, shop_id: str, kind: str, ids: Sequence[str]) -> dict[str, datetime]:
    """Up to which change these were read near the watermark."""
    rows = tx.all("change_reads_of", shop_id=shop_id, kind=kind, ids=codec.encode_text(list(ids)))
    return {row["object_id"]: from_text(row["changed_at"]) for row in rows}


def put_reads(tx: Tx, shop_id: str, kind: str, changes: Mapping[str, datetime]) -> None:
    for object_id, at in changes.items():
        tx.run("change_read_put", shop_id=shop_id, kind=kind, object_id=object_id, changed_at=to_text(at))


def prune_reads(tx: Tx, shop_id: str, kind: str, before: datetime) -> None:
    """Forget reads of changes that no list will show again."""
    tx.run("change_reads_prune", shop_id=shop_id, kind=kind, before=to_text(before))


def placed(tx: Tx, shop_id: str, since: datetime, until: datetime) -> Iterator[str]:
    """Ids of our living orders placed in the window."""
    after = ""
    while True:
        rows = tx.all(
            "orders_placed", shop_id=shop_id, since=to_text(since), until=to_text(until), after=after, limit=PAGE
        )
        yield from (row["order_id"] for row in rows)
        if len(rows) < PAGE:
            return
        after = rows[-1]["order_id"]


def put(tx: Tx, shop_id: str, order_id: str, via: str, now: datetime) -> None:
    """Note that asking, not a webhook, found the order."""
    tx.run("recovery_put", shop_id=shop_id, order_id=order_id, via=via, at=to_text(now))


def arrivals(tx: Tx, shop_id: str, since: datetime, until: datetime) -> Iterator[Arrival]:
    """How the orders of a window came to us."""
    after = ""
    while True:
        rows = tx.all("arrivals", shop_id=shop_id, since=to_text(since), until=to_text(until), after=after, limit=PAGE)
        for row in rows:
            delay = (from_text(row["recorded_at"]) - from_text(row["at"])).total_seconds()
            yield Arrival(row["order_id"], row["via"] or "webhook", max(0.0, delay))
        if len(rows) < PAGE:
            return
        after = rows[-1]["order_id"]
