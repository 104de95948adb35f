"""Flow versions: the resolved text a run is pinned to. A version is a hash of its body and never changes."""

from __future__ import annotations

from datetime import datetime

from connector.clock import to_text
from connector.store.db import Tx


def save(tx: Tx, shop_id: str, flow_id: str, version: str, body: str, now: datetime) -> None:
    """Keep a version; one that is known changes nothing."""
    tx.run("flow_save", shop_id=shop_id, flow_id=flow_id, version=version, body=body, now=to_text(now))


def get(tx: Tx, shop_id: str, flow_id: str, version: str) -> str | None:
    row = tx.one("flow_get", shop_id=shop_id, flow_id=flow_id, version=version)
    return row["body"] if row else None


def versions(tx: Tx, shop_id: str, flow_id: str) -> list[str]:
    """Newest first."""
    return [row["version"] for row in tx.all("flow_versions", shop_id=shop_id, flow_id=flow_id)]
