"""Who is in which of a shop's segments, and when each person is looked at next."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from datetime import datetime

from connector.clock import from_text, to_text
from connector.model import Buyer
from connector.store.db import Row, Tx


@dataclass(frozen=True, slots=True, kw_only=True)
class Standing:
    """A person to be looked at. `quiet`: what is found is kept and starts nothing, as with all that is past."""

    shop_id: str
    buyer: Buyer
    quiet: bool
    look_at: datetime | None
    looked_at: datetime | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Member:
    """Somebody in a segment, since when."""

    segment: str
    name: str
    since: datetime


def touch(tx: Tx, shop_id: str, buyer: Buyer, now: datetime, *, quiet: bool) -> None:
    """There is news of a person: look at them at the next chance. Together with the batch's other writes."""
    tx.later(
        "standing_touch",
        shop_id=shop_id,
        name=buyer.name,
        email_key=buyer.email_key,
        customer_id=buyer.customer_id,
        quiet=int(quiet),
        now=to_text(now),
    )


def due(tx: Tx, now: datetime, limit: int) -> list[Standing]:
    """Those whose look is due, longest first; locked where the database locks rows."""
    return [_standing(row) for row in tx.all("standing_due", now=to_text(now), limit=limit)]


def next_due(tx: Tx) -> datetime | None:
    row = tx.one("standing_next_due")
    return from_text(row["look_at"]) if row and row["look_at"] else None


def get(tx: Tx, shop_id: str, name: str) -> Standing | None:
    row = tx.one("standing_get", shop_id=shop_id, name=name)
    return _standing(row) if row is not None else None


def _standing(row: Row) -> Standing:
    return Standing(
        shop_id=row["shop_id"],
        buyer=Buyer(row["email_key"], row["customer_id"]),
        quiet=bool(row["quiet"]),
        look_at=from_text(row["look_at"]) if row["look_at"] else None,
        looked_at=from_text(row["looked_at"]) if row["looked_at"] else None,
    )


def looked(tx: Tx, shop_id: str, buyer: Buyer, now: datetime, look_at: datetime | None) -> None:
    """Keep that somebody was looked at and when the next look is due; `None` where time alone changes nothing."""
    tx.run(
        "standing_looked",
        shop_id=shop_id,
        name=buyer.name,
        email_key=buyer.email_key,
        customer_id=buyer.customer_id,
        now=to_text(now),
        look_at=to_text(look_at) if look_at else None,
    )


def remove(tx: Tx, shop_id: str, name: str) -> None:
    """A person who turned out to be another, known by their address: the name is no longer theirs."""
    tx.run("standing_remove", shop_id=shop_id, name=name)
    tx.run("member_remove_all", shop_id=shop_id, name=name)
    tx.forget("member_of_name")


def segments_of(tx: Tx, shop_id: str, name: str) -> dict[str, datetime]:
    """The segments somebody is in, and since when."""
    known: dict[tuple[str, str], dict[str, datetime]] = tx.recall("member_of_name")
    if (shop_id, name) not in known:
        rows = tx.all("member_of_name", shop_id=shop_id, name=name)
        known[shop_id, name] = {row["segment"]: from_text(row["since"]) for row in rows}
    return known[shop_id, name]


def enter(tx: Tx, shop_id: str, segment: str, name: str, now: datetime) -> bool:
    """`False` when another transaction was first: then it is its news."""
    changed = tx.run("member_put", shop_id=shop_id, segment=segment, name=name, since=to_text(now))
    tx.forget("member_of_name")
    return changed == 1


def leave(tx: Tx, shop_id: str, segment: str, name: str) -> bool:
    """The same for the way out."""
    changed = tx.run("member_remove", shop_id=shop_id, segment=segment, name=name)
    tx.forget("member_of_name")
    return changed == 1


def members(tx: Tx, shop_id: str, segment: str, after: str = "", limit: int = 100) -> list[Member]:
    """A segment's members by name, a page at a time."""
    rows = tx.all("member_page", shop_id=shop_id, segment=segment, after=after, limit=limit)
    return [Member(segment=segment, name=row["name"], since=from_text(row["since"])) for row in rows]


def counts(tx: Tx, shop_id: str) -> dict[str, int]:
    """How many are in each segment."""
    return {row["segment"]: row["members"] for row in tx.all("member_counts", shop_id=shop_id)}


def drop_segments(tx: Tx, shop_id: str, kept: Iterable[str]) -> None:
    """Forget the members of segments that are no longer defined."""
    known = set(kept)
    for segment in counts(tx, shop_id):
        if segment not in known:
            tx.run("member_drop_segment", shop_id=shop_id, segment=segment)
    tx.forget("member_of_name")
