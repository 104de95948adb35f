"""Visits of friends: they went from the friend's page to the shop, and an order may be known by it.

`place` (the network address) and `device` are keyed hashes, emptied after the retention of addresses
(`app.retention.ip`); the friend is one too, beside the address they may have left.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from datetime import datetime

from connector.clock import from_text, to_text
from connector.store.db import Row, Tx


@dataclass(frozen=True, slots=True, kw_only=True)
class Visit:
    """`id` is the token that the way to the shop carries; `order_id` is what it led to, empty while nothing."""

    id: str
    code: str
    friend_hash: str = field(default="", repr=False)
    place: str = field(default="", repr=False)
    device: str = field(default="", repr=False)
    order_id: str = ""
    at: datetime


def put(tx: Tx, shop_id: str, visit: Visit, friend_email_key: str | None) -> bool:
    """Keep a visit, once."""
    changed = tx.run(
        "referral_visit_put",
        shop_id=shop_id,
        visit=visit.id,
        code_key=visit.code.strip().upper(),
        friend_email_key=friend_email_key,
        friend_hash=visit.friend_hash,
        place=visit.place,
        device=visit.device,
        now=to_text(visit.at),
    )
    return changed == 1


def get(tx: Tx, shop_id: str, visit_id: str) -> Visit | None:
    row = tx.one("referral_visit_get", shop_id=shop_id, visit=visit_id)
    return _visit(row) if row else None


def of_friend(tx: Tx, shop_id: str, friend_hash: str, since: datetime, until: datetime) -> list[Visit]:
    """The visits of a friend who left an address, the first one first."""
    rows = tx.all(
        "referral_visits_of", shop_id=shop_id, friend_hash=friend_hash, since=to_text(since), until=to_text(until)
    )
    return [_visit(row) for row in rows]


def led_to(tx: Tx, shop_id: str, visit_id: str, order_id: str) -> None:
    """Note the order a visit led to, the first one."""
    tx.run("referral_visit_led", shop_id=shop_id, visit=visit_id, order_id=order_id)


@dataclass(frozen=True, slots=True, kw_only=True)
class Origin:
    """An order, the code it came by, and where the visit before it was made."""

    order_id: str
    code: str
    place: str = field(default="", repr=False)
    device: str = field(default="", repr=False)


def origins(tx: Tx, shop_id: str, place: str, device: str, since: datetime) -> list[Origin]:
    """Orders that came of visits from one place or one device."""
    if not place and not device:
        return []
    rows = tx.all("referral_visits_from", shop_id=shop_id, place=place, device=device, since=to_text(since))
    return [Origin(order_id=r["order_id"], code=r["code_key"], place=r["place"], device=r["device"]) for r in rows]


def forget(tx: Tx, shop_id: str, places_before: datetime | None, visits_before: datetime, limit: int) -> bool:
    """Empty what says where from, and remove what no order can come of; whether there may be more."""
    if places_before is not None:
        tx.run("keep_referral_visits", shop_id=shop_id, before=to_text(places_before))
    return tx.run("keep_referral_visits_drop", shop_id=shop_id, before=to_text(visits_before), limit=limit) >= limit


def _visit(row: Row) -> Visit:
    return Visit(
        id=row["visit"],
        code=row["code_key"],
        friend_hash=row["friend_hash"],
        place=row["place"],
        device=row["device"],
        order_id=row["order_id"],
        at=from_text(row["at"]),
    )
