"""The twin of the question what somebody bought."""

from __future__ import annotations

from connector.simulate.tables import Row, Tables
from connector.simulate.twins import READS, Args, Twin


def purchase_of_buyer(t: Tables, a: Args) -> list[Row]:
    return [
        {
            "order_id": row["order_id"],
            "placed_at": row["placed_at"],
            "bought": row["bought"],
            "snapshot": row["snapshot"] if row["bought"] is None else None,
        }
        for row in t.rows["orders"].values()
        if not row["deleted"] and row["bought"] != "" and _is_theirs(row, a["email_key"], a["customer_id"])
    ]


def _is_theirs(row: Row, address: str | None, account: str | None) -> bool:
    if row["email_key"] is not None:
        return bool(row["email_key"] == address)
    return account is not None and bool(row["customer_id"] == account)


def join() -> None:
    """Take a place among the twins."""
    READS["purchase_of_buyer"] = Twin("84c0a92d82d6", purchase_of_buyer)
