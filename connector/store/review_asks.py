"""Which products somebody was asked to review, when and with which order: a row a message and product."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from datetime import datetime

from connector.clock import from_text, to_text
from connector.store.db import Row, Tx
from connector.store.sql import id_list


@dataclass(frozen=True, slots=True)
class Names:
    """The addresses and accounts by which a person of a shop is known."""

    emails: frozenset[str] = frozenset()
    customers: frozenset[str] = frozenset()


@dataclass(frozen=True, slots=True, kw_only=True)
class AskRow:
    """A message that asks about `products`. An empty address or account is none."""

    ask_id: str
    order_id: str
    email_key: str
    customer_id: str
    products: tuple[str, ...]
    asked_at: datetime


def names_of(tx: Tx, shop_id: str, email_key: str | None, customer_id: str | None) -> Names:
    """An account brings its address and an address its accounts, one step: an order placed for a friend, with the
    friend's address, must not make the friend a part of who placed it."""
    emails, customers = {email_key} - {None, ""}, {customer_id} - {None, ""}
    rows = tx.all("review_names", shop_id=shop_id, emails=id_list(_texts(emails)), customers=id_list(_texts(customers)))
    return joined(emails, customers, ((row["email_key"], row["customer_id"]) for row in rows))


def joined(
    emails: Iterable[str | None], customers: Iterable[str | None], accounts: Iterable[tuple[str | None, str]]
) -> Names:
    """Those names and what their accounts, as (address, account), add. Pure."""
    known = list(accounts)
    return Names(
        frozenset(_texts([*emails, *(email for email, _ in known)])),
        frozenset(_texts([*customers, *(customer for _, customer in known)])),
    )


def _texts(values: Iterable[str | None]) -> list[str]:
    return sorted({value for value in values if value})


def ask(tx: Tx, shop_id: str, row: AskRow) -> None:
    """Keep what is being asked; what the same message asked at an earlier try is no longer true."""
    unask(tx, shop_id, row.ask_id)
    for product_id in row.products:
        tx.run(
            "review_ask",
            shop_id=shop_id,
            ask_id=row.ask_id,
            product_id=product_id,
            order_id=row.order_id,
            email_key=row.email_key,
            customer_id=row.customer_id,
            now=to_text(row.asked_at),
        )


def unask(tx: Tx, shop_id: str, ask_id: str) -> None:
    """The message certainly never left."""
    tx.run("review_unask", shop_id=shop_id, ask_id=ask_id)


def asked(tx: Tx, shop_id: str, names: Names, but_order: str, since: datetime) -> dict[str, datetime]:
    """The products a person was asked about after `since`, with another order than `but_order`, each with the last
    time."""
    rows: list[Row] = tx.all(
        "review_asked",
        shop_id=shop_id,
        order_id=but_order,
        emails=id_list(sorted(names.emails)),
        customers=id_list(sorted(names.customers)),
        since=to_text(since),
    )
    return latest((row["product_id"], from_text(row["asked_at"])) for row in rows)


def latest(told: Iterable[tuple[str, datetime]]) -> dict[str, datetime]:
    """The last time of each. Pure."""
    found: dict[str, datetime] = {}
    for product_id, at in told:
        found[product_id] = max(at, found.get(product_id, at))
    return found
