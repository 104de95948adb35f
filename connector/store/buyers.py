"""Who placed which orders, read for a look back: a page of them, and all the others that belong to the same people."""

from __future__ import annotations

from collections.abc import Collection, Iterator
from dataclasses import dataclass
from datetime import datetime

from connector import codec
from connector.clock import from_text, to_text
from connector.model import Checkout, email_key
from connector.store.db import Row, Tx
from connector.store.past import CART
from connector.store.sql import id_list


@dataclass(frozen=True, slots=True)
class Buyer:
    """Who placed an order, as far as the order tells."""

    order_id: str
    email_key: str | None
    customer_id: str | None
    placed_at: datetime


def page(tx: Tx, shop_id: str, until: datetime, after: str, limit: int) -> list[Buyer]:
    """The next orders before `until`, by their ids."""
    rows = tx.all("buyers_page", shop_id=shop_id, after_id=after, until=to_text(until), limit=limit)
    return [_buyer(row) for row in rows]


def of(
    tx: Tx, shop_id: str, until: datetime, keys: Collection[str], ids: Collection[str], orders: Collection[str]
) -> list[Buyer]:
    """The orders before `until` of these addresses and accounts, and these orders."""
    lists = {"keys": id_list(keys), "ids": id_list(ids), "orders": id_list(orders)}
    return [_buyer(row) for row in tx.all("buyers_of", shop_id=shop_id, until=to_text(until), **lists)]


def carts(tx: Tx, shop_id: str, until: datetime) -> Iterator[Buyer]:
    """Who began each checkout before `until`, under `CART` and its token."""
    after = ""
    while rows := tx.all("buyers_carts", shop_id=shop_id, after_id=after, limit=1000):
        for row in rows:
            cart = codec.decode(row["snapshot"], Checkout)
            buyer = cart.customer
            if cart.started_at < until:
                key = email_key(cart.email or (buyer.email if buyer else None))
                yield Buyer(f"{CART}{row['token']}", key, buyer.id if buyer else None, cart.started_at)
        after = rows[-1]["token"]


def anybody_referred(tx: Tx, shop_id: str) -> bool:
    """Whether the shop ever had a referral: where none was, nobody need be asked about theirs."""
    return tx.one("buyers_anybody_referred", shop_id=shop_id) is not None


def referred(tx: Tx, shop_id: str, keys: Collection[str], orders: Collection[str]) -> list[tuple[str, str]]:
    """(address of the advocate, order of the friend), of advocates with these addresses and of these orders."""
    rows = tx.all("buyers_referred", shop_id=shop_id, keys=id_list(keys), orders=id_list(orders))
    return [(row["advocate_email_key"], row["friend_order_id"]) for row in rows]


def earliest(tx: Tx, shop_id: str) -> datetime | None:
    """When the shop's first order was placed."""
    row = tx.one("buyers_earliest", shop_id=shop_id)
    return from_text(row["placed_at"]) if row else None


def count(tx: Tx, shop_id: str, since: datetime, until: datetime) -> int:
    """About how many orders there are from `since` to before `until`, by their index alone: those deleted since are
    counted too. Takes as long as that part of the index does to read: 2 µs an order from a cold disk."""
    row = tx.one("buyers_count", shop_id=shop_id, since=to_text(since), until=to_text(until))
    assert row is not None
    return int(row["orders"])


def _buyer(row: Row) -> Buyer:
    return Buyer(row["order_id"], row["email_key"], row["customer_id"], from_text(row["placed_at"]))
