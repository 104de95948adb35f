"""Why somebody hears no advertising for a while: a low score nobody has answered, a case that is open.

Each cause is a row an address; what follows of all of them for policy stands beside what the person chose themselves
(`connector.store.preferences`), so that a message costs no further look.
"""

from __future__ import annotations

import json
from collections.abc import Iterable
from dataclasses import dataclass
from datetime import datetime

from connector.clock import from_text, to_text
from connector.store import preferences
from connector.store.db import Row, Tx

LOW_SCORE, OPEN_CASE = "low_score", "open_case"


@dataclass(frozen=True, slots=True)
class Hold:
    """`until` is when it ends by itself; `ended_at` and `ended_by` tell of a person who ended it before."""

    hold_id: str
    address_key: str
    reason: str
    order_id: str
    since: datetime
    until: datetime
    ended_at: datetime | None
    ended_by: str


@dataclass(frozen=True, slots=True)
class Waiting:
    """A cause that waits for a person; `order_id` is empty where it is about none."""

    hold_id: str
    order_id: str
    since: datetime
    until: datetime


def begin(
    tx: Tx,
    shop_id: str,
    hold_id: str,
    addresses: Iterable[str],
    *,
    reason: str,
    order_id: str,
    until: datetime,
    now: datetime,
) -> None:
    """Keep advertising from these addresses for a cause. The same cause told of again changes nothing."""
    for address in dict.fromkeys(filter(None, addresses)):
        tx.run(
            "care_begin",
            shop_id=shop_id,
            hold_id=hold_id,
            address_key=address,
            reason=reason,
            order_id=order_id,
            until=to_text(until),
            now=to_text(now),
        )
        _project(tx, shop_id, address, now)


def end(tx: Tx, shop_id: str, hold_id: str, by: str, now: datetime) -> bool:
    """The cause is gone; `False` when it was before, or never was."""
    ended = tx.run("care_end", shop_id=shop_id, hold_id=hold_id, ended_by=by, now=to_text(now))
    for hold in of(tx, shop_id, hold_id) if ended else ():
        _project(tx, shop_id, hold.address_key, now)
    return ended > 0


def of(tx: Tx, shop_id: str, hold_id: str) -> list[Hold]:
    """One cause, an address each."""
    return [_hold(row) for row in tx.all("care_of", shop_id=shop_id, hold_id=hold_id)]


def of_person(tx: Tx, shop_id: str, orders: Iterable[str], addresses: Iterable[str]) -> list[Hold]:
    """Every cause that concerned any of these, ended ones too, each once, the oldest first."""
    found = tx.all("person_care", shop_id=shop_id, orders=json.dumps([*orders]), addresses=json.dumps([*addresses]))
    each = {row["hold_id"]: _hold(row) for row in found}
    return sorted(each.values(), key=lambda hold: (hold.since, hold.hold_id))


def waiting(tx: Tx, shop_id: str, reason: str, now: datetime, limit: int) -> list[Waiting]:
    """Causes of one reason that nobody has ended, whoever they concern; the oldest first."""
    return [
        Waiting(row["hold_id"], row["order_id"], from_text(row["since"]), from_text(row["until"]))
        for row in tx.all("care_waiting", shop_id=shop_id, reason=reason, now=to_text(now), limit=limit)
    ]


def overdue(tx: Tx, shop_id: str, reason: str, before: datetime, now: datetime) -> tuple[int, datetime | None]:
    """How many of them wait since before then, and since when the oldest."""
    row = tx.one("care_overdue", shop_id=shop_id, reason=reason, before=to_text(before), now=to_text(now))
    if row is None or row["oldest"] is None:
        return 0, None
    return int(row["total"]), from_text(row["oldest"])


def _hold(row: Row) -> Hold:
    return Hold(
        row["hold_id"],
        row["address_key"],
        row["reason"],
        row["order_id"],
        from_text(row["since"]),
        from_text(row["until"]),
        from_text(row["ended_at"]) if row["ended_at"] else None,
        row["ended_by"],
    )


def _project(tx: Tx, shop_id: str, address_key: str, now: datetime) -> None:
    rows = tx.all("care_open", shop_id=shop_id, address_key=address_key, now=to_text(now))
    until = from_text(rows[0]["until"]) if rows else None
    preferences.keep_from(tx, shop_id, address_key, until, rows[0]["reason"] if rows else "", now)
