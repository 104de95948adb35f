"""Fields of ours on people: what the step `set` keeps and flows read as `customer.fields.<name>`."""

from __future__ import annotations

from datetime import datetime
from decimal import Decimal
from typing import TypeAlias

from connector.clock import from_text, to_text
from connector.store.db import Row, Tx
from connector.store.owners import owner_of, owners_of
from connector.store.sql import id_list

FieldValue: TypeAlias = "str | Decimal | bool | datetime"


def put(
    tx: Tx,
    shop_id: str,
    customer_id: str | None,
    email_key: str | None,
    name: str,
    kind: str,
    value: str,
    now: datetime,
    effect_id: str,
) -> None:
    """Keep a value as the step wrote it; `kind` is `text`, `number`, `time` or `bool`. The newest one stays."""
    tx.run(
        "field_put",
        shop_id=shop_id,
        owner=owner_of(customer_id, email_key),
        name=name,
        kind=kind,
        value=value,
        now=to_text(now),
        effect_id=effect_id,
    )


def drop(tx: Tx, shop_id: str, customer_id: str | None, email_key: str | None, name: str) -> bool:
    """Take a field away under every name of the person; `False` when there was none."""
    owners = id_list(owners_of(customer_id, email_key))
    return tx.run("field_drop", shop_id=shop_id, owners=owners, name=name) > 0


def of(tx: Tx, shop_id: str, customer_id: str | None, email_key: str | None) -> dict[str, FieldValue]:
    """The person's fields by name, as account and as guest; of two the newer one. One statement."""
    owners = owners_of(customer_id, email_key)
    if not owners:
        return {}
    return {row["name"]: _value(row) for row in tx.all("field_of", shop_id=shop_id, owners=id_list(owners))}


def _value(row: Row) -> FieldValue:
    text: str = row["value"]
    match row["kind"]:
        case "number":
            return Decimal(text)
        case "bool":
            return text == "true"
        case "time":
            return from_text(text)
    return text
