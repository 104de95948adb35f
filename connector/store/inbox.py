"""The inbox: deliveries as they came, append-only. All functions take a tx of `store.inbox`."""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from functools import lru_cache

from connector import codec, tracing
from connector.clock import from_text, to_text
from connector.store.db import Database, Row, Tx
from connector.store.packing import pack_all, unpack

# Platforms name their headers X-Shopify-Topic, Shopify-Topic, X-WC-Webhook-Delivery-ID ... Signatures, addresses and
# everything else are not kept. `verified` is the receiver's own: what the signature check found.
_KEPT = re.compile(
    r"verified|traceparent|(?:x-)?[a-z0-9]+-(?:webhook-)?"
    r"(?:topic|resource|event|api-version|id|webhook-id|event-id|delivery-id|triggered-at|source|shop-domain|test)"
)


@dataclass(frozen=True, slots=True)
class NewDelivery:
    """A verified delivery before it is stored. `quarantine` is a reason to keep it and never act on it."""

    shop_id: str
    platform: str
    topic: str
    dedup_key: str
    headers: Mapping[str, str]
    body: bytes = field(repr=False)
    received_at: datetime
    quarantine: str = ""


@dataclass(frozen=True, slots=True)
class Delivery:
    """A stored delivery. Ids rise with time, with gaps."""

    id: int
    shop_id: str
    platform: str
    topic: str
    dedup_key: str
    headers: Mapping[str, str]
    body: bytes = field(repr=False)
    received_at: datetime
    quarantine: str = ""


@lru_cache(maxsize=512)
def _keeps(name: str) -> bool:
    return _KEPT.fullmatch(name.lower()) is not None


def kept_headers(headers: Mapping[str, Sequence[str]]) -> dict[str, str]:
    """Of a request's headers (lower-case names) what a row keeps: those that were sent once and say what it is. Not the
    sender's `traceparent`: a trace is ours, and a row keeps none but what the receiver began."""
    return {
        name: values[0]
        for name, values in headers.items()
        if len(values) == 1 and _keeps(name) and name != tracing.HEADER
    }


def put_many(tx: Tx, deliveries: Sequence[NewDelivery]) -> None:
    """Append; one that is already there, by (shop, topic, dedup_key), changes nothing."""
    tx.many("inbox_put", _rows(deliveries))


def append(database: Database, deliveries: Sequence[NewDelivery]) -> None:
    """`put_many` in a transaction of its own, the receiver's way: durable when it returns."""
    database.append("inbox_put", _rows(deliveries))


def _rows(deliveries: Sequence[NewDelivery]) -> list[tuple[str | int | bytes, ...]]:
    rows: list[tuple[str | int | bytes, ...]] = []
    for d, (encoding, body) in zip(deliveries, pack_all([d.body for d in deliveries]), strict=True):
        headers = {name.lower(): value for name, value in d.headers.items() if _keeps(name)}
        rows.append(
            (
                d.shop_id,
                d.platform,
                d.topic,
                d.dedup_key,
                to_text(d.received_at),
                d.quarantine,
                codec.encode_text(headers),
                encoding,
                body,
            )
        )
    return rows


def after(tx: Tx, after_id: int, limit: int) -> list[Delivery]:
    """Up to `limit` deliveries with a greater id, in order."""
    return [_delivery(row) for row in tx.all("inbox_after", after_id=after_id, limit=limit)]


def get(tx: Tx, delivery_id: int) -> Delivery | None:
    found = by_ids(tx, [delivery_id])
    return found[0] if found else None


def by_ids(tx: Tx, ids: Sequence[int]) -> list[Delivery]:
    """In the order of ids; unknown ones are left out."""
    return [_delivery(row) for row in tx.all("inbox_by_ids", ids=codec.encode_text(list(ids)))]


def last_id(tx: Tx) -> int:
    """The newest id, 0 when there is none."""
    row = tx.one("inbox_last_id")
    return int(row["last_id"]) if row else 0


def count(tx: Tx) -> int:
    row = tx.one("inbox_count")
    return int(row["total"]) if row else 0


def _delivery(row: Row) -> Delivery:
    return Delivery(
        id=row["id"],
        shop_id=row["shop_id"],
        platform=row["platform"],
        topic=row["topic"],
        dedup_key=row["dedup_key"],
        headers=codec.decode(row["headers"], dict[str, str]),
        body=unpack(row["encoding"], row["body"]),
        received_at=from_text(row["received_at"]),
        quarantine=row["quarantine"],
    )


def of_shop(tx: Tx, shop_id: str, after_id: int, limit: int) -> list[Delivery]:
    """A shop's deliveries with a greater id, in order."""
    return [_delivery(row) for row in tx.all("inbox_of_shop", shop_id=shop_id, after_id=after_id, limit=limit)]


def blank(tx: Tx, shop_id: str, delivery_id: int) -> None:
    """Forget what a delivery said. It stays known, so that the platform's repetition is still a repetition."""
    tx.run("inbox_blank", shop_id=shop_id, id=delivery_id, body=b"")


def wipe_shop(tx: Tx, shop_id: str, limit: int) -> int:
    """Remove up to `limit` deliveries of a shop; how many."""
    return tx.run("inbox_wipe", shop_id=shop_id, limit=limit)
