"""Points of our own: entries that are written once and never changed. What was given is taken back by another entry."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime

from connector.clock import from_text, to_text
from connector.store.db import Row, Tx
from connector.store.owners import owner_of, owners_of
from connector.store.sql import id_list


@dataclass(frozen=True, slots=True, kw_only=True)
class PointsEntry:
    """`points` are negative where they were taken back; `reverses` then names the entry that gave them."""

    id: str
    points: int
    reason: str
    order_id: str | None
    reverses: str | None
    expires_at: datetime | None
    at: datetime


def give(
    tx: Tx,
    shop_id: str,
    entry_id: str,
    customer_id: str | None,
    email_key: str | None,
    points: int,
    now: datetime,
    *,
    reason: str = "",
    order_id: str | None = None,
    expires_at: datetime | None = None,
) -> bool:
    """Enter points under the effect's id; `False` when the entry is there (then nothing changes)."""
    changed = tx.run(
        "points_put",
        shop_id=shop_id,
        entry_id=entry_id,
        owner=owner_of(customer_id, email_key),
        points=points,
        reason=reason,
        order_id=order_id,
        reverses=None,
        expires_at=to_text(expires_at) if expires_at else None,
        now=to_text(now),
    )
    return changed == 1


def reverse(tx: Tx, shop_id: str, entry_id: str, now: datetime, reason: str) -> bool:
    """Take an entry back, whole and once; `False` when it is not there or was taken back."""
    changed = tx.run(
        "points_reverse",
        shop_id=shop_id,
        entry_id=entry_id,
        new_id=f"{entry_id}/reversed",
        reason=reason,
        now=to_text(now),
    )
    return changed == 1


def balance(tx: Tx, shop_id: str, customer_id: str | None, email_key: str | None, now: datetime) -> int:
    """What the person has now, as account and as guest: the sum of what has not lapsed."""
    owners = id_list(owners_of(customer_id, email_key))
    row = tx.one("points_balance", shop_id=shop_id, owners=owners, now=to_text(now))
    return int(row["total"]) if row else 0


def of(tx: Tx, shop_id: str, customer_id: str | None, email_key: str | None) -> list[PointsEntry]:
    """The person's entries, oldest first."""
    owners = id_list(owners_of(customer_id, email_key))
    return [_entry(row) for row in tx.all("points_of", shop_id=shop_id, owners=owners)]


def _entry(row: Row) -> PointsEntry:
    return PointsEntry(
        id=row["entry_id"],
        points=row["points"],
        reason=row["reason"],
        order_id=row["order_id"],
        reverses=row["reverses"],
        expires_at=from_text(row["expires_at"]) if row["expires_at"] else None,
        at=from_text(row["at"]),
    )
