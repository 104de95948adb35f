"""Single values of the installation (what was last reconciled, which version ran)."""

from __future__ import annotations

from datetime import datetime

from connector.clock import from_text, to_text
from connector.store.db import Tx


def get(tx: Tx, name: str) -> str | None:
    row = tx.one("meta_get", name=name)
    return row["value"] if row else None


def put(tx: Tx, name: str, value: str, now: datetime) -> None:
    tx.run("meta_put", name=name, value=value, now=to_text(now))


def under(tx: Tx, prefix: str) -> dict[str, str]:
    """The values whose names begin with `prefix`, by the rest of their names."""
    return {str(row["name"])[len(prefix) :]: str(row["value"]) for row in tx.all("meta_under", prefix=prefix)}


def server_time(tx: Tx) -> datetime | None:
    """What the database server's clock says; `None` where the database is a file of this machine."""
    row = tx.one("server_time")
    return from_text(row["at"]) if row and row["at"] else None
