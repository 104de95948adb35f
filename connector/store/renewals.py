"""Renewal of credentials: one row a shop that has any which lapse; the credentials are in `connector.store.shops`."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime

from connector.clock import from_text, to_text
from connector.store.db import Row, Tx


@dataclass(frozen=True, slots=True, kw_only=True)
class RenewalState:
    """`refused_at` is set while the platform refuses to renew, `refused_what` stands for the credentials it refused,
    `tried_at` is the last try. `lapses_at` is when the credentials stop working, `ends_at` when what renews them does,
    after which only the merchant can help; `None` where the platform does not tell."""

    shop_id: str
    lease_by: str = ""
    lease_until: datetime | None = None
    renewed_at: datetime | None = None
    keep_at: datetime | None = None
    refused_at: datetime | None = None
    refused_what: str = ""
    tried_at: datetime | None = None
    lapses_at: datetime | None = None
    ends_at: datetime | None = None


def get(tx: Tx, shop_id: str) -> RenewalState | None:
    row = tx.one("renewal_get", shop_id=shop_id)
    return _state(row) if row else None


def all(tx: Tx) -> dict[str, RenewalState]:  # noqa: A001 - read as renewals.all(tx)
    return {row["shop_id"]: _state(row) for row in tx.all("renewal_all")}


def lease(tx: Tx, shop_id: str, holder: str, now: datetime, until: datetime) -> bool:
    """Whether `holder` may renew until then; `False` while another holds the lease."""
    tx.run("renewal_add", shop_id=shop_id)
    changed = tx.run("renewal_lease", shop_id=shop_id, holder=holder, now=to_text(now), until=to_text(until))
    return changed == 1


def release(tx: Tx, shop_id: str, holder: str) -> None:
    """Give the lease back. One that another took after it had ended stays theirs."""
    tx.run("renewal_release", shop_id=shop_id, holder=holder)


def done(tx: Tx, shop_id: str, now: datetime) -> None:
    """New credentials are stored: refusals are over. What they say of themselves: `told`."""
    tx.run("renewal_add", shop_id=shop_id)
    tx.run("renewal_done", shop_id=shop_id, now=to_text(now))


def told(tx: Tx, shop_id: str, keep_at: datetime | None, lapses_at: datetime | None, ends_at: datetime | None) -> None:
    """The times of the credentials that are stored; a shop nothing is known of yet is known from now on."""
    tx.run("renewal_add", shop_id=shop_id)
    tx.run(
        "renewal_told",
        shop_id=shop_id,
        keep_at=_text(keep_at),
        lapses_at=_text(lapses_at),
        ends_at=_text(ends_at),
    )


def refuse(tx: Tx, shop_id: str, what: str, now: datetime, keep_at: datetime | None) -> None:
    """The platform said no. `what` stands for the credentials it refused."""
    tx.run("renewal_refused", shop_id=shop_id, what=what, now=to_text(now), keep_at=_text(keep_at))


def keep(tx: Tx, shop_id: str, keep_at: datetime | None) -> None:
    tx.run("renewal_add", shop_id=shop_id)
    tx.run("renewal_keep", shop_id=shop_id, keep_at=_text(keep_at))


def delete(tx: Tx, shop_id: str) -> None:
    tx.run("renewal_delete", shop_id=shop_id)


def clear(tx: Tx, shop_id: str, now: datetime) -> None:
    """Forget a lease that ended without being given back."""
    tx.run("renewal_clear", shop_id=shop_id, now=to_text(now))


def due(tx: Tx, now: datetime, limit: int) -> list[str]:
    """Shops whose credentials are to be renewed although nobody needs them, or whose renewal a crash interrupted."""
    return [row["shop_id"] for row in tx.all("renewal_due", now=to_text(now), limit=limit)]


def next_due(tx: Tx) -> datetime | None:
    row = tx.one("renewal_next") or {}
    times = [found for name in ("keep_at", "lease_until") if (found := _time(row.get(name))) is not None]
    return min(times, default=None)


def _state(row: Row) -> RenewalState:
    return RenewalState(
        shop_id=row["shop_id"],
        lease_by=row["lease_by"],
        lease_until=_time(row["lease_until"]),
        renewed_at=_time(row["renewed_at"]),
        keep_at=_time(row["keep_at"]),
        refused_at=_time(row["refused_at"]),
        refused_what=row["refused_what"],
        tried_at=_time(row["tried_at"]),
        lapses_at=_time(row["lapses_at"]),
        ends_at=_time(row["ends_at"]),
    )


def _text(at: datetime | None) -> str | None:
    return to_text(at) if at else None


def _time(text: str | None) -> datetime | None:
    return from_text(text) if text else None
