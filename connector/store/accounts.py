"""Who an account of value belongs to, and how its owner stands in the programme.

An account has no name of its own: `value_names` leads from an account or address of the shop to it, so that an erasure
takes the person away and leaves the books. Rows are only added; a person known by two names may have two accounts,
which are looked at as one.
"""

from __future__ import annotations

import hashlib
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime
from typing import Any

from connector import codec
from connector.clock import from_text, to_text
from connector.store.db import Row, Tx
from connector.store.owners import owner_of, owners_of
from connector.store.sql import id_list

_LONG_AGO = datetime(1970, 1, 1, tzinfo=UTC)
"""Since when an account of the shop that is gone leads to what the kept one owns: never the last to have become."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Holder:
    """Somebody's accounts; what is new is booked under the first one. False for nobody we know of."""

    accounts: tuple[str, ...] = ()
    customer_id: str | None = None
    email_key: str | None = None

    @property
    def account(self) -> str:
        return self.accounts[0]

    def __bool__(self) -> bool:
        return bool(self.accounts)


@dataclass(frozen=True, slots=True, kw_only=True)
class MemberRow:
    """`look_at` is when time alone may change something; `state` is JSON of `flows.value.standing`."""

    shop_id: str
    account: str
    look_at: datetime | None = None
    state: Mapping[str, Any] = field(default_factory=dict)


def find(tx: Tx, shop_id: str, customer_id: str | None, email_key: str | None) -> Holder:
    """The accounts of an account of the shop and an address.

    An address that is another account's leads nowhere: somebody who takes over an address does not take its points.
    """
    names = owners_of(customer_id, email_key)
    rows = tx.all("value_accounts_of", shop_id=shop_id, owners=id_list(names))
    if rows and not customer_id:
        # An address leads to a person: what they have as an account, and had as others that became it, is theirs too.
        owner = _customer_of(tx, shop_id, [row["account"] for row in rows])
        rows = tx.all("value_accounts_of", shop_id=shop_id, owners=id_list([*names, owner])) if owner else rows
    if customer_id and email_key:
        guest = [row["account"] for row in rows if row["owner"] == f"email/{email_key}"]
        strange = _of_others(tx, shop_id, guest, customer_id)
        rows = [row for row in rows if row["owner"] == f"customer/{customer_id}" or row["account"] not in strange]
    found = tuple(dict.fromkeys(row["account"] for row in rows))
    return Holder(accounts=found, customer_id=customer_id, email_key=email_key)


def _customer_of(tx: Tx, shop_id: str, accounts: Sequence[str]) -> str:
    """The name of the account of the shop that accounts of value belong to, the last it became; empty for a guest's."""
    rows = tx.all("value_names_of", shop_id=shop_id, accounts=id_list(accounts))
    return next((row["owner"] for row in reversed(rows) if row["owner"].startswith("customer/")), "")


def _of_others(tx: Tx, shop_id: str, accounts: Sequence[str], customer_id: str) -> set[str]:
    if not accounts:
        return set()
    rows = tx.all("value_names_of", shop_id=shop_id, accounts=id_list(accounts))
    mine = {row["account"] for row in rows if row["owner"] == f"customer/{customer_id}"}
    others = {row["account"] for row in rows if row["owner"].startswith("customer/")}
    return others - mine


def open_for(tx: Tx, shop_id: str, customer_id: str | None, email_key: str | None, first: str, now: datetime) -> Holder:
    """The same, held until the transaction ends; somebody new gets an account named after `first`, the fact it is
    opened for. Raises `ValueError` for nobody."""
    owner = owner_of(customer_id, email_key)
    tx.hold(f"value {shop_id} {name}" for name in owners_of(customer_id, email_key))
    found = find(tx, shop_id, customer_id, email_key)
    if not found:
        account = hashlib.sha256(f"{shop_id}\0{first}\0{to_text(now)}".encode()).hexdigest()[:24]
        found = Holder(accounts=(account,), customer_id=customer_id, email_key=email_key)
    if customer_id:
        # The name that lasts leads to everything; a guest's address keeps leading to what was earned as a guest.
        for account in found.accounts:
            _name(tx, shop_id, owner, account, now)
        if email_key and not tx.all("value_accounts_of", shop_id=shop_id, owners=id_list([f"email/{email_key}"])):
            _name(tx, shop_id, f"email/{email_key}", found.account, now)
    else:
        _name(tx, shop_id, owner, found.account, now)
    return found


def _name(tx: Tx, shop_id: str, owner: str, account: str, now: datetime) -> None:
    tx.run("value_name_put", shop_id=shop_id, owner=owner, account=account, now=to_text(now))


def join(tx: Tx, shop_id: str, kept: str, merged: str, now: datetime) -> None:
    """Account `merged` of the shop became `kept`: what it owned is the kept one's, and what comes late under its name
    is too. Once more is harmless."""
    tx.hold(f"value {shop_id} customer/{each}" for each in (kept, merged))
    for name, other, at in ((merged, kept, now), (kept, merged, _LONG_AGO)):
        for row in tx.all("value_accounts_of", shop_id=shop_id, owners=id_list([f"customer/{name}"])):
            _name(tx, shop_id, f"customer/{other}", row["account"], at)


def holder_of(tx: Tx, shop_id: str, account: str) -> Holder:
    """Whose an account is, with all their accounts; held until the transaction ends. False when it is nobody's."""
    rows = tx.all("value_names_of", shop_id=shop_id, accounts=id_list([account]))
    customers = [row["owner"].removeprefix("customer/") for row in rows if row["owner"].startswith("customer/")]
    emails = [row["owner"].removeprefix("email/") for row in rows if row["owner"].startswith("email/")]
    if not rows:
        return Holder()
    customer_id, email_key = next(reversed(customers), None), next(iter(emails), None)
    tx.hold(f"value {shop_id} {name}" for name in owners_of(customer_id, email_key))
    return find(tx, shop_id, customer_id, email_key)


def put_member(tx: Tx, row: MemberRow) -> None:
    tx.run(
        "value_member_put",
        shop_id=row.shop_id,
        account=row.account,
        look_at=to_text(row.look_at) if row.look_at else None,
        state=codec.encode_text(dict(row.state)),
    )


def member(tx: Tx, shop_id: str, account: str) -> MemberRow:
    """How they stand; an empty row for somebody new."""
    row = tx.one("value_member_get", shop_id=shop_id, account=account)
    return _member(shop_id, row) if row else MemberRow(shop_id=shop_id, account=account)


def members(tx: Tx, shop_id: str, after: str = "", limit: int = 500) -> list[MemberRow]:
    """A page of everybody in the programme, by account."""
    rows = tx.all("value_members_page", shop_id=shop_id, after=after, limit=limit)
    return [_member(shop_id, row) for row in rows]


def keep(tx: Tx, shop_id: str, holder: Holder, look_at: datetime | None, state: Mapping[str, Any]) -> None:
    """How somebody stands, beside the first of their accounts; beside the others nothing stands any more, or they would
    be looked at for ever after two became one."""
    put_member(tx, MemberRow(shop_id=shop_id, account=holder.account, look_at=look_at, state=state))
    for account in holder.accounts[1:]:
        known = member(tx, shop_id, account)
        if known.look_at is not None or known.state:
            put_member(tx, MemberRow(shop_id=shop_id, account=account))


def due(tx: Tx, now: datetime, limit: int) -> list[MemberRow]:
    """Those to look at, longest overdue first; locked by others are passed over on PostgreSQL."""
    rows = tx.all("value_members_due", now=to_text(now), limit=limit)
    return [_member(row["shop_id"], row) for row in rows]


def next_due(tx: Tx) -> datetime | None:
    row = tx.one("value_members_next")
    return from_text(row["look_at"]) if row and row["look_at"] else None


def _member(shop_id: str, row: Row) -> MemberRow:
    return MemberRow(
        shop_id=shop_id,
        account=row["account"],
        look_at=from_text(row["look_at"]) if row["look_at"] else None,
        state=codec.decode(row["state"], dict[str, Any]),
    )


def names_of(tx: Tx, shop_id: str, accounts: Iterable[str]) -> dict[str, list[str]]:
    """The names that lead to accounts, by account."""
    found: dict[str, list[str]] = {}
    for row in tx.all("value_names_of", shop_id=shop_id, accounts=id_list(accounts)):
        found.setdefault(row["account"], []).append(row["owner"])
    return found
