"""The books of value: facts and the double entry, written once and never changed (the database refuses it)."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from datetime import datetime
from decimal import Decimal

from connector import codec
from connector.clock import from_text, to_text
from connector.model.value import Entry, Fact, FactKind, Place
from connector.store.db import Row, Tx
from connector.store.sql import id_list

_PAGE = 500


def tell(tx: Tx, shop_id: str, fact: Fact, now: datetime) -> bool:
    """Keep a fact; `False` when one with its id is there (then nothing changes)."""
    changed = tx.run(
        "value_fact_put",
        shop_id=shop_id,
        fact_id=fact.id,
        account=fact.account,
        unit=fact.unit,
        kind=str(fact.kind),
        of_id=fact.of,
        amount=f"{fact.amount:f}",
        at=to_text(fact.at),
        cause=fact.cause,
        rule=fact.rule,
        version=fact.version,
        reason=fact.reason,
        by_whom=fact.by,
        parts=codec.encode_text(dict(fact.parts)),
        available_at=to_text(fact.available_at) if fact.available_at else None,
        expires_at=to_text(fact.expires_at) if fact.expires_at else None,
        now=to_text(now),
    )
    return changed == 1


def facts_of(tx: Tx, shop_id: str, accounts: Sequence[str]) -> list[Fact]:
    """All that was told of somebody's accounts, by when it happened."""
    return [_fact(row) for row in tx.all("value_facts_of", shop_id=shop_id, accounts=id_list(accounts))]


def facts_because(tx: Tx, shop_id: str, cause: str) -> list[Fact]:
    """What came of one cause, whoever it was for."""
    return [_fact(row) for row in tx.all("value_facts_because", shop_id=shop_id, cause=cause)]


def fact(tx: Tx, shop_id: str, fact_id: str) -> Fact | None:
    row = tx.one("value_fact_get", shop_id=shop_id, fact_id=fact_id)
    return _fact(row) if row else None


def enter(tx: Tx, shop_id: str, entries: Iterable[Entry]) -> None:
    """Write entries. The caller holds the account: two of one number would be an error of the database."""
    rows = [
        {
            "shop_id": shop_id,
            "entry_id": entry.id,
            "account": entry.account,
            "unit": entry.unit,
            "lot": entry.lot,
            "kind": entry.kind,
            "debit": str(entry.debit),
            "credit": str(entry.credit),
            "amount": f"{entry.amount:f}",
            "at": to_text(entry.at),
            "cause": entry.cause,
            "rule": entry.rule,
            "version": entry.version,
        }
        for entry in entries
    ]
    if rows:
        tx.many("value_entry_put", rows)


def entries_of(tx: Tx, shop_id: str, accounts: Sequence[str]) -> list[Entry]:
    """Somebody's books, oldest first."""
    return [_entry(row) for row in tx.all("value_entries_of", shop_id=shop_id, accounts=id_list(accounts))]


def all_entries(tx: Tx, shop_id: str) -> Iterator[Entry]:
    """A shop's books."""
    after = ""
    while rows := tx.all("value_entries_after", shop_id=shop_id, after=after, limit=_PAGE):
        yield from map(_entry, rows)
        after = rows[-1]["entry_id"]


def note(tx: Tx, shop_id: str, fact_id: str, account: str, text: str) -> None:
    """A person's words beside an adjustment."""
    tx.run("value_note_put", shop_id=shop_id, fact_id=fact_id, account=account, note=text)


def notes_of(tx: Tx, shop_id: str, accounts: Sequence[str]) -> dict[str, str]:
    """Such words, by the fact they stand beside."""
    rows = tx.all("value_notes_of", shop_id=shop_id, accounts=id_list(accounts))
    return {row["fact_id"]: row["note"] for row in rows}


def _fact(row: Row) -> Fact:
    return Fact(
        id=row["fact_id"],
        account=row["account"],
        unit=row["unit"],
        kind=FactKind.of(row["kind"]),
        of=row["of_id"],
        amount=Decimal(row["amount"]),
        at=from_text(row["at"]),
        cause=row["cause"],
        rule=row["rule"],
        version=row["version"],
        reason=row["reason"],
        by=row["by_whom"],
        parts=codec.decode(row["parts"], dict[str, str]),
        available_at=from_text(row["available_at"]) if row["available_at"] else None,
        expires_at=from_text(row["expires_at"]) if row["expires_at"] else None,
    )


def _entry(row: Row) -> Entry:
    return Entry(
        id=row["entry_id"],
        account=row["account"],
        unit=row["unit"],
        lot=row["lot"],
        kind=row["kind"],
        debit=Place.of(row["debit"]),
        credit=Place.of(row["credit"]),
        amount=Decimal(row["amount"]),
        at=from_text(row["at"]),
        cause=row["cause"],
        rule=row["rule"],
        version=row["version"],
    )
