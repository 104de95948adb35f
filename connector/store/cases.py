"""Returns and complaints: what customers asked for with the order at hand, and what became of it, line by line."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime

from connector import codec
from connector.clock import from_text, to_text
from connector.store.db import Row, Tx

OPEN = ("received", "accepted", "arrived")
"""States in which a person of the merchant's owes the customer something."""


@dataclass(frozen=True, slots=True)
class CaseLine:
    """A line of the order and how many pieces of it; the title as it was when the case began."""

    line_id: str
    title: str
    quantity: int


@dataclass(frozen=True, slots=True, kw_only=True)
class CaseRow:
    """A case. `kind`: return, complaint, other; `platform_id`: the return the platform has for it, empty for none.
    `answered_at`: when a person first did something about it."""

    case_id: str
    shop_id: str
    order_id: str
    email_key: str
    customer_id: str
    kind: str
    state: str = "received"
    lines: tuple[CaseLine, ...] = ()
    reason: str = ""
    wish: str = ""
    body: str = ""
    locale: str = ""
    opened_at: datetime
    updated_at: datetime
    answered_at: datetime | None = None
    platform_id: str = ""

    @property
    def open(self) -> bool:
        return self.state in OPEN


@dataclass(frozen=True, slots=True)
class Entry:
    """One line of a case's story."""

    seq: int
    at: datetime
    what: str
    by: str
    body: str


def put(tx: Tx, case: CaseRow) -> bool:
    """Open a case; `False` when it is there."""
    return bool(
        tx.run(
            "case_put",
            shop_id=case.shop_id,
            case_id=case.case_id,
            order_id=case.order_id,
            email_key=case.email_key,
            customer_id=case.customer_id,
            kind=case.kind,
            lines=codec.encode_text([[line.line_id, line.title, line.quantity] for line in case.lines]),
            reason=case.reason,
            wish=case.wish,
            body=case.body,
            locale=case.locale,
            now=to_text(case.opened_at),
        )
    )


def get(tx: Tx, shop_id: str, case_id: str) -> CaseRow | None:
    row = tx.one("case_get", shop_id=shop_id, case_id=case_id)
    return _row(row) if row is not None else None


def of_order(tx: Tx, shop_id: str, order_id: str) -> list[CaseRow]:
    """The newest first."""
    return [_row(row) for row in tx.all("case_of_order", shop_id=shop_id, order_id=order_id)]


def of_shop(tx: Tx, shop_id: str, *, every: bool, limit: int) -> list[CaseRow]:
    """Open ones, the oldest first; with `every` the settled ones after them."""
    return [_row(row) for row in tx.all("case_list", shop_id=shop_id, every=int(every), limit=limit)]


def overdue(tx: Tx, shop_id: str, before: datetime) -> tuple[int, datetime | None]:
    """How many open cases that came before then no person has answered, and when the oldest of them came."""
    row = tx.one("case_overdue", shop_id=shop_id, before=to_text(before))
    return (row["total"], from_text(row["oldest"])) if row is not None and row["total"] else (0, None)


def move(tx: Tx, case: CaseRow, state: str, *, by_person: bool, now: datetime) -> bool:
    """To another state; `False` when somebody else moved it since it was read."""
    moved = tx.run(
        "case_move",
        shop_id=case.shop_id,
        case_id=case.case_id,
        before=case.state,
        state=state,
        answers=int(by_person),
        now=to_text(now),
    )
    return moved > 0


def link(tx: Tx, shop_id: str, case_id: str, platform_id: str) -> None:
    """The platform has a return for it."""
    tx.run("case_link", shop_id=shop_id, case_id=case_id, platform_id=platform_id)


def note(tx: Tx, shop_id: str, case_id: str, what: str, by: str, body: str, now: datetime) -> None:
    """Add to its story."""
    tx.run("case_entry_put", shop_id=shop_id, case_id=case_id, what=what, by_whom=by, body=body, now=to_text(now))


def story(tx: Tx, shop_id: str, case_id: str) -> Sequence[Entry]:
    """The oldest first."""
    rows = tx.all("case_entries_of", shop_id=shop_id, case_id=case_id)
    return [Entry(row["seq"], from_text(row["at"]), row["what"], row["by_whom"], row["body"]) for row in rows]


def _row(row: Row) -> CaseRow:
    lines = codec.decode(row["lines"], list[tuple[str, str, int]])
    return CaseRow(
        case_id=row["case_id"],
        shop_id=row["shop_id"],
        order_id=row["order_id"],
        email_key=row["email_key"],
        customer_id=row["customer_id"],
        kind=row["kind"],
        state=row["state"],
        lines=tuple(CaseLine(*line) for line in lines),
        reason=row["reason"],
        wish=row["wish"],
        body=row["body"],
        locale=row["locale"],
        opened_at=from_text(row["opened_at"]),
        updated_at=from_text(row["updated_at"]),
        answered_at=from_text(row["answered_at"]) if row["answered_at"] else None,
        platform_id=row["platform_id"],
    )
