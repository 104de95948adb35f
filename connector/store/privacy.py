"""Requests to see or to forget a person or a shop, and what is kept of those who were forgotten.

A request row is the audit trail: it outlives what it asked for, with its subject emptied. Of a forgotten person only
keyed hashes remain (`erasures`): HMAC-SHA256 under the installation's salt, so that an objection is honoured and an old
delivery cannot bring the person back, while nobody can read who it was (promises.md B2).
"""

from __future__ import annotations

import hashlib
import hmac
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from datetime import datetime, timedelta

from connector import codec
from connector.clock import from_text, to_text
from connector.store.db import Row, Tx
from connector.store.sql import id_list

EXPORT, ERASE_CUSTOMER, ERASE_SHOP = "export", "erase_customer", "erase_shop"
OPEN, ERASED, DONE = "open", "erased", "done"
"""`erased`: the rows are gone, and what deleted bytes may have left in the files is still to be scrubbed."""

GATHERED = "data_gathered"
"""The notice to the shop's owner that a customer's data can be fetched."""
DEADLINE = timedelta(days=30)
"""Of the platforms and of GDPR Art. 12(3)."""
ALARM = timedelta(days=7)
"""An open request older than this is an alarm: it should have been done within a day."""


@dataclass(frozen=True, slots=True)
class PrivacyRequest:
    """`subject` names whom it is about: `email`, `phone`, `customer_id`, `orders` (by comma); empty once forgotten."""

    shop_id: str
    id: str
    kind: str
    source: str
    subject: Mapping[str, str]
    subject_key: str
    status: str
    received_at: datetime
    due_at: datetime
    attempts: int
    done_at: datetime | None
    counts: Mapping[str, int]
    note: str

    @property
    def deadline(self) -> datetime:
        return self.received_at + DEADLINE


def key_of(salt: bytes, shop_id: str, kind: str, value: str) -> str:
    """The keyed hash of an `email` (its key), `phone`, `customer`, `order` or shared `code` of one shop."""
    return hmac.digest(salt, f"erased|{shop_id}|{kind}|{value}".encode(), hashlib.sha256).hex()


def sealed_key(salt: bytes, shop_id: str, kind: str, value: str) -> str:
    """What stands for the address of somebody forgotten in a list that goes on after them."""
    return f"#{key_of(salt, shop_id, kind, value)}"


# -- requests ----------------------------------------------------------------------------------------------------------


def ask(
    tx: Tx,
    shop_id: str,
    request_id: str,
    kind: str,
    source: str,
    subject: Mapping[str, str],
    subject_key: str,
    now: datetime,
) -> bool:
    """Keep a request; `False` when it is known."""
    changed = tx.run(
        "privacy_request_put",
        shop_id=shop_id,
        request_id=request_id,
        kind=kind,
        source=source,
        subject=codec.encode_text(dict(subject)),
        subject_key=subject_key,
        now=to_text(now),
    )
    return changed == 1


def late(tx: Tx, shop_id: str, now: datetime) -> None:
    """A delivery of somebody forgotten arrived: it is to be blanked like the earlier ones."""
    tx.run("privacy_request_late", shop_id=shop_id, now=to_text(now))


def claim(tx: Tx, now: datetime, lease: timedelta, limit: int = 10) -> list[PrivacyRequest]:
    """What is due, counted as tried and away from other workers until the lease ends."""
    found = [_request(row) for row in tx.all("privacy_request_due", now=to_text(now), limit=limit)]
    for request in found:
        tx.run("privacy_request_lease", shop_id=request.shop_id, request_id=request.id, due_at=to_text(now + lease))
    return found


def move(
    tx: Tx,
    request: PrivacyRequest,
    status: str,
    now: datetime,
    *,
    due_at: datetime | None = None,
    counts: Mapping[str, int] | None = None,
    note: str = "",
    forget: bool = False,
) -> None:
    """Another status. `forget` empties the subject. `note` must hold no personal data."""
    tx.run(
        "privacy_request_move",
        shop_id=request.shop_id,
        request_id=request.id,
        status=status,
        due_at=to_text(due_at or now),
        done_at=to_text(now) if status == DONE else None,
        counts=codec.encode_text(dict(request.counts if counts is None else counts)),
        note=note,
        forget=int(forget),
    )


def get(tx: Tx, shop_id: str, request_id: str) -> PrivacyRequest | None:
    row = tx.one("privacy_request_get", shop_id=shop_id, request_id=request_id)
    return _request(row) if row else None


def trail(tx: Tx, shop_id: str | None = None, limit: int = 200) -> list[PrivacyRequest]:
    """The audit trail, newest first, of one shop or of all."""
    if shop_id is None:
        rows = tx.all("privacy_request_all", limit=limit)
    else:
        rows = tx.all("privacy_request_of_shop", shop_id=shop_id, limit=limit)
    return [_request(row) for row in rows]


def next_due(tx: Tx) -> datetime | None:
    row = tx.one("privacy_request_next")
    return from_text(row["due_at"]) if row and row["due_at"] else None


def waiting(tx: Tx) -> tuple[int, datetime | None]:
    """How many requests are not done, and when the oldest came."""
    row = tx.one("privacy_request_open")
    if row is None or not row["total"]:
        return 0, None
    return int(row["total"]), from_text(row["oldest"])


def _request(row: Row) -> PrivacyRequest:
    return PrivacyRequest(
        shop_id=row["shop_id"],
        id=row["request_id"],
        kind=row["kind"],
        source=row["source"],
        subject=codec.decode(row["subject"], dict[str, str]),
        subject_key=row["subject_key"],
        status=row["status"],
        received_at=from_text(row["received_at"]),
        due_at=from_text(row["due_at"]),
        attempts=row["attempts"],
        done_at=from_text(row["done_at"]) if row["done_at"] else None,
        counts=codec.decode(row["counts"], dict[str, int]),
        note=row["note"],
    )


# -- gathered data -----------------------------------------------------------------------------------------------------


def keep_export(tx: Tx, request: PrivacyRequest, content: bytes, expires_at: datetime) -> None:
    """A zip of JSON and CSV for the shop's owner."""
    tx.run(
        "privacy_export_put",
        shop_id=request.shop_id,
        request_id=request.id,
        subject_key=request.subject_key,
        expires_at=to_text(expires_at),
        content=content,
    )


def fetch_export(tx: Tx, shop_id: str, request_id: str, now: datetime, route: str) -> bytes | None:
    """The zip, and a line in the access log; `None` when it is not there (any more)."""
    row = tx.one("privacy_export_get", shop_id=shop_id, request_id=request_id, now=to_text(now))
    if row is None:
        return None
    tx.run("privacy_access_put", shop_id=shop_id, request_id=request_id, now=to_text(now), route=route)
    return bytes(row["content"])


def has_export(tx: Tx, shop_id: str, request_id: str, now: datetime) -> bool:
    """Whether there is anything to fetch; nobody is said to have fetched it."""
    return tx.one("privacy_export_there", shop_id=shop_id, request_id=request_id, now=to_text(now)) is not None


def expire_exports(tx: Tx, now: datetime) -> int:
    return tx.run("privacy_export_expire", now=to_text(now))


def accesses(tx: Tx, shop_id: str, request_id: str) -> list[tuple[datetime, str]]:
    """When the gathered data was fetched, and by which way."""
    rows = tx.all("privacy_access_of", shop_id=shop_id, request_id=request_id)
    return [(from_text(row["at"]), row["route"]) for row in rows]


# -- the forgotten -----------------------------------------------------------------------------------------------------


def remember_erasure(tx: Tx, shop_id: str, keys: Iterable[str], at: datetime) -> None:
    tx.forget("erasure_any")
    tx.forget("erasure_of_keys")
    for key in keys:
        tx.run("erasure_put", shop_id=shop_id, erased_key=key, at=to_text(at))


def erased_at(tx: Tx, shop_id: str, keys: Iterable[str]) -> datetime | None:
    """When the last of these was forgotten; `None` for people the shop knows. Costs nothing while nobody ever was:
    `keys` may be a generator, which then makes none."""
    if not anybody(tx, shop_id):
        return None
    wanted = list(keys)
    foresee(tx, shop_id, wanted)
    known = tx.recall("erasure_of_keys")
    return max((at for key in wanted if (at := known[shop_id, key]) is not None), default=None)


def foresee(tx: Tx, shop_id: str, keys: Iterable[str]) -> None:
    """Ask at once what `erased_at` is about to be asked."""
    if not anybody(tx, shop_id):
        return
    known: dict[tuple[str, str], datetime | None] = tx.recall("erasure_of_keys")
    missing = [key for key in dict.fromkeys(keys) if (shop_id, key) not in known]
    if missing:
        known.update(((shop_id, key), None) for key in missing)
        for row in tx.all("erasure_of_keys", shop_id=shop_id, keys=id_list(missing)):
            known[shop_id, row["erased_key"]] = from_text(row["at"])


def asked_since(tx: Tx, shop_id: str, kind: str, subject_key: str, since: datetime) -> bool:
    """Whether the same was asked about the same person since then."""
    found = tx.one("privacy_asked_since", shop_id=shop_id, kind=kind, subject_key=subject_key, since=to_text(since))
    return found is not None


def anybody(tx: Tx, shop_id: str) -> bool:
    """Whether the shop ever forgot somebody."""
    known: dict[str, bool] = tx.recall("erasure_any")
    if shop_id not in known:
        known[shop_id] = tx.one("erasure_any", shop_id=shop_id) is not None
    return known[shop_id]
