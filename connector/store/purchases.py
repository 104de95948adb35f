"""What people bought, kept in the order's own row: written with its snapshot and so exact in every transaction.

Nothing is summed up here. A figure of a person is worked out from their purchases when it is asked for
(`flows.knowing.lifetime`): no total can drift from the orders, however late, often and out of order they come.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass

from connector import codec
from connector.clock import from_text
from connector.model import Buyer, Money, Order, Purchase, purchase_of
from connector.store.db import Row, Tx
from connector.store.sql import id_list


@dataclass(frozen=True, slots=True)
class _Bought:
    """A purchase beside its row: the order's id and time stand in columns of their own."""

    amount: str
    currency: str
    products: tuple[tuple[str, int], ...]


def dump(order: Order) -> str:
    """What is written beside the order's snapshot; empty when it is no purchase."""
    found = purchase_of(order)
    if found is None:
        return ""
    return codec.encode_text(_Bought(str(found.amount.amount), found.amount.currency, found.products))


def of_buyer(tx: Tx, shop_id: str, buyer: Buyer) -> tuple[Purchase, ...]:
    """All that somebody bought and kept, oldest first. One question a person and transaction."""
    if not buyer:
        return ()
    known: dict[tuple[str, Buyer], tuple[Purchase, ...]] = tx.recall("purchase_of_buyer")
    if (shop_id, buyer) not in known:
        rows = tx.all("purchase_of_buyer", shop_id=shop_id, email_key=buyer.email_key, customer_id=buyer.customer_id)
        known[shop_id, buyer] = read_rows(rows)
    return known[shop_id, buyer]


def of_names(tx: Tx, shop_id: str, names: Iterable[str]) -> tuple[Purchase, ...]:
    """The same of somebody with several names (`customer/ID`, `email/KEY`), oldest first."""
    told = list(names)
    customers = [name.removeprefix("customer/") for name in told if name.startswith("customer/")]
    emails = [name.removeprefix("email/") for name in told if name.startswith("email/")]
    rows = tx.all("purchase_of_names", shop_id=shop_id, customers=id_list(customers), emails=id_list(emails))
    return read_rows(rows)


def read_rows(rows: Iterable[Row]) -> tuple[Purchase, ...]:
    """Rows with `order_id`, `placed_at`, `bought` and, where that is NULL, `snapshot`; oldest first."""
    found = (_read(row) for row in rows)
    return tuple(sorted((one for one in found if one is not None), key=lambda one: (one.placed_at, one.order_id)))


def _read(row: Row) -> Purchase | None:
    if row["bought"] is None:
        return purchase_of(codec.decode(row["snapshot"], Order)) if row["snapshot"] else None
    bought = codec.decode(row["bought"], _Bought)
    return Purchase(
        order_id=row["order_id"],
        placed_at=from_text(row["placed_at"]),
        amount=Money.parse(bought.amount, bought.currency),
        products=bought.products,
    )
