"""What a restored database learned from outside itself: what had left before (`sent_before`)."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from datetime import datetime
from enum import StrEnum

from connector import codec
from connector.clock import from_text, to_text
from connector.model import Customer, Order
from connector.store.db import Tx
from connector.store.sql import id_list

_PAGE = 500


class Known(StrEnum):
    """What the send ledger says of an effect."""

    SENT = "sent"
    DOUBT = "doubt"


@dataclass(frozen=True, slots=True)
class Before:
    """One effect that left, or may have, before the restore."""

    shop_id: str
    sent_key: str
    fate: Known
    at: datetime


def put(tx: Tx, found: Iterable[Before]) -> None:
    rows = [{"shop_id": b.shop_id, "sent_key": b.sent_key, "fate": b.fate.value, "at": to_text(b.at)} for b in found]
    tx.many("sent_before_put", rows)


def anything(tx: Tx) -> bool:
    """Whether there is something to be recognised. Costs one look at an empty table otherwise."""
    return tx.one("sent_before_any") is not None


def of(tx: Tx, shop_id: str, keys: Iterable[str]) -> dict[str, Before]:
    rows = tx.all("sent_before_of", shop_id=shop_id, keys=id_list(keys))
    return {row["sent_key"]: Before(shop_id, row["sent_key"], Known(row["fate"]), from_text(row["at"])) for row in rows}


def meet(tx: Tx, shop_id: str, sent_key: str, now: datetime) -> None:
    tx.run("sent_before_meet", shop_id=shop_id, sent_key=sent_key, now=to_text(now))


def counts(tx: Tx) -> dict[str, tuple[int, int]]:
    """By fate: how many, and how many of them effects of this database were recognised in."""
    return {row["fate"]: (row["total"], row["met"]) for row in tx.all("sent_before_counts")}


def end_leases(tx: Tx, now: datetime) -> int:
    """Whoever held them is not there any more; how many. What they were about to send is decided at once."""
    return tx.run("restored_leases_end", now=to_text(now))


def prune(tx: Tx, before: datetime) -> int:
    return tx.run("sent_before_prune", before=to_text(before))


def addresses(tx: Tx, shop_id: str) -> Iterator[tuple[str, str, str]]:
    """(`customer` or `order`, its id, its address key or an empty text) of everything a shop has people in."""
    for kind, query, column in (
        ("customer", "people_addresses", "customer_id"),
        ("order", "people_orders", "order_id"),
    ):
        after = ""
        while rows := tx.all(query, shop_id=shop_id, after=after, limit=_PAGE):
            for row in rows:
                yield kind, row[column], row["email_key"] or ""
            after = rows[-1][column]


def reachable(tx: Tx, shop_id: str, *, numbers: bool) -> Iterator[tuple[str, str]]:
    """(`email` or `phone`, address) of everybody a shop knows; a number stands in a snapshot, which is only read where
    `numbers` are wanted."""
    for _, _, email in addresses(tx, shop_id):
        if email:
            yield "email", email
    for query, column, read in (
        ("people_of_customers", "customer_id", _numbers_of_customer),
        ("people_of_orders", "order_id", _numbers_of_order),
    ):
        after = ""
        while numbers and (rows := tx.all(query, shop_id=shop_id, after=after, limit=_PAGE)):
            yield from (("phone", "".join(one.split())) for row in rows for one in read(row["snapshot"]) if one)
            after = rows[-1][column]


def _numbers_of_customer(snapshot: str) -> list[str | None]:
    return [codec.decode(snapshot, Customer).phone]


def _numbers_of_order(snapshot: str) -> list[str | None]:
    order = codec.decode(snapshot, Order)
    places = (order.customer, order.shipping_address, order.billing_address)
    return [order.phone, *(place.phone for place in places if place)]
