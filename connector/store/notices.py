"""What merchants are told about their shop, each once: a small outbox of its own, without flow or customer."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime, timedelta

from connector.clock import from_text, to_text
from connector.store.db import Row, Tx


@dataclass(frozen=True, slots=True, kw_only=True)
class Notice:
    """`kind` names the text. `status`: `pending`, `sent`, `failed`."""

    shop_id: str
    key: str
    kind: str
    status: str
    attempts: int
    created_at: datetime
    due_at: datetime
    reason: str = ""

    @property
    def about(self) -> str:
        """The id of what it is about; for a notice of an occasion, its moment."""
        return self.key.partition(":")[2]


def put_about(tx: Tx, shop_id: str, kind: str, about: str, now: datetime, *, after: timedelta = timedelta()) -> bool:
    """Ask for the one notice of `kind` about one thing, by its id, to be sent `after` so long; whether it is new."""
    key, due_at = f"{kind}:{about}", to_text(now + after)
    return tx.run("notice_put", shop_id=shop_id, key=key, kind=kind, now=to_text(now), due_at=due_at) == 1


def put(tx: Tx, shop_id: str, kind: str, now: datetime, at_most_every: timedelta) -> bool:
    """Ask for a notice of `kind`, unless the shop had one within `at_most_every`; whether it will be told."""
    row = tx.one("notice_last", shop_id=shop_id, kind=kind)
    if row is not None and row["at"] is not None and from_text(row["at"]) > now - at_most_every:
        return False
    at = to_text(now)
    return tx.run("notice_put", shop_id=shop_id, key=f"{kind}:{at}", kind=kind, now=at, due_at=at) == 1


def of_shop(tx: Tx, shop_id: str) -> list[Notice]:
    """Oldest first."""
    return [_notice(row) for row in tx.all("notice_of", shop_id=shop_id)]


def due(tx: Tx, now: datetime, limit: int) -> list[Notice]:
    return [_notice(row) for row in tx.all("notice_due", now=to_text(now), limit=limit)]


def claim(tx: Tx, notice: Notice, now: datetime, until: datetime) -> bool:
    """Count the attempt before it is made; `False` when another worker was first."""
    changed = tx.run("notice_claim", shop_id=notice.shop_id, key=notice.key, now=to_text(now), due_at=to_text(until))
    return changed == 1


def settle(tx: Tx, notice: Notice, status: str, now: datetime, reason: str = "") -> None:
    """`sent`, `failed`, or `pending` to try again at `now`."""
    tx.run("notice_settle", shop_id=notice.shop_id, key=notice.key, status=status, reason=reason, due_at=to_text(now))


def next_due(tx: Tx) -> datetime | None:
    row = tx.one("notice_next")
    return from_text(row["due_at"]) if row and row["due_at"] else None


def _notice(row: Row) -> Notice:
    return Notice(
        shop_id=row["shop_id"],
        key=row["notice_key"],
        kind=row["kind"],
        status=row["status"],
        attempts=row["attempts"],
        created_at=from_text(row["created_at"]),
        due_at=from_text(row["due_at"]),
        reason=row["reason"],
    )
