"""What was counted over a shop's whole history: its own figures and those of its products, as the text of whoever
counted them; and how far its segments have been looked at."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any

from connector import codec
from connector.clock import from_text, to_text
from connector.model import Purchase
from connector.store.db import Row, Tx
from connector.store.purchases import read_rows
from connector.store.sql import id_list


@dataclass(frozen=True, slots=True, kw_only=True)
class ShopRow:
    """`figures` is JSON; `segments` is the state of the looks at everybody (`connector.working.bookkeeping`)."""

    shop_id: str
    due_at: datetime
    counted_at: datetime | None = None
    figures: str = "{}"
    segments: Mapping[str, Any] = field(default_factory=dict)


def of_shop(tx: Tx, shop_id: str) -> ShopRow | None:
    """The shop's row; `None` before its first count was planned."""
    known: dict[str, ShopRow | None] = tx.recall("figures_of_shop")
    if shop_id not in known:
        row = tx.one("figures_of_shop", shop_id=shop_id)
        known[shop_id] = _shop(row) if row is not None else None
    return known[shop_id]


def _shop(row: Row) -> ShopRow:
    return ShopRow(
        shop_id=row["shop_id"],
        due_at=from_text(row["due_at"]),
        counted_at=from_text(row["counted_at"]) if row["counted_at"] else None,
        figures=row["figures"],
        segments=codec.decode(row["segments"], dict[str, Any]),
    )


def of_shop_held(tx: Tx, shop_id: str) -> ShopRow | None:
    """The shop's row, read anew and held until the transaction ends: for whoever is about to write it."""
    tx.hold([f"figures {shop_id}"])
    tx.forget("figures_of_shop")
    return of_shop(tx, shop_id)


def put_shop(tx: Tx, row: ShopRow) -> None:
    """Store the row whole, as `of_shop_held` gave it and changed."""
    tx.forget("figures_of_shop")
    tx.run(
        "figures_put_shop",
        shop_id=row.shop_id,
        due_at=to_text(row.due_at),
        counted_at=to_text(row.counted_at) if row.counted_at else None,
        figures=row.figures,
        segments=codec.encode_text(dict(row.segments)),
    )


def due(tx: Tx, now: datetime, limit: int = 10) -> list[ShopRow]:
    """The shops whose count is due, longest first."""
    return [_shop(row) for row in tx.all("figures_due", now=to_text(now), limit=limit)]


def next_due(tx: Tx) -> datetime | None:
    row = tx.one("figures_next_due")
    return from_text(row["due_at"]) if row and row["due_at"] else None


def hold(tx: Tx, row: ShopRow, until: datetime) -> bool:
    """Keep other workers from the count until then; `False` when another was first."""
    changed = tx.run("figures_hold", shop_id=row.shop_id, due_at=to_text(row.due_at), until=to_text(until))
    tx.forget("figures_of_shop")
    return changed == 1


def of_products(tx: Tx, shop_id: str, ids: Sequence[str]) -> dict[str, str]:
    """The figures of those of `ids` that have any, as JSON by id."""
    known: dict[tuple[str, str], str | None] = tx.recall("figures_of_products")
    missing = [wanted for wanted in dict.fromkeys(ids) if (shop_id, wanted) not in known]
    if missing:
        known.update(((shop_id, wanted), None) for wanted in missing)
        for row in tx.all("figures_of_products", shop_id=shop_id, ids=id_list(missing)):
            known[shop_id, row["product_id"]] = row["figures"]
    return {wanted: found for wanted in ids if (found := known[shop_id, wanted]) is not None}


def all_products(tx: Tx, shop_id: str) -> list[tuple[str, str]]:
    """The figures of every product of a shop, as JSON by id."""
    return [(row["product_id"], row["figures"]) for row in tx.all("figures_all_products", shop_id=shop_id)]


def put_products(tx: Tx, shop_id: str, figures: Mapping[str, str], now: datetime) -> None:
    tx.forget("figures_of_products")
    rows = [
        {"shop_id": shop_id, "product_id": product, "counted_at": to_text(now), "figures": text}
        for product, text in figures.items()
    ]
    tx.many("figures_put_product", rows)


def drop_products(tx: Tx, shop_id: str, before: datetime) -> None:
    """Remove what the last count did not find any more."""
    tx.forget("figures_of_products")
    tx.run("figures_drop_products", shop_id=shop_id, before=to_text(before))


def purchases_after(tx: Tx, shop_id: str, after: str, limit: int) -> list[tuple[str, tuple[Purchase, ...]]]:
    """The next buyers' purchases by address, whole people only; empty at the end. `after` is the last address seen."""
    rows = tx.all("purchase_page", shop_id=shop_id, after=after, limit=limit)
    if len(rows) == limit:
        cut = rows[-1]["email_key"]
        whole = [row for row in rows if row["email_key"] != cut]
        rows = whole or tx.all("purchase_of_address", shop_id=shop_id, email_key=cut)
    return [(address, read_rows(found)) for address, found in _grouped(rows)]


def people_after(tx: Tx, shop_id: str, after: str, limit: int) -> list[str]:
    """The next addresses of people who ordered or have an account; empty at the end."""
    rows = tx.all("people_page", shop_id=shop_id, after=after, limit=limit)
    return [row["email_key"] for row in rows]


def _grouped(rows: Iterable[Row]) -> list[tuple[str, list[Row]]]:
    groups: dict[str, list[Row]] = {}
    for row in rows:
        groups.setdefault(row["email_key"], []).append(row)
    return list(groups.items())
