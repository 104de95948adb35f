"""What each shop's merchant granted, as far as it was told: by a webhook, by connecting, by asking."""

from __future__ import annotations

from collections.abc import Iterable
from datetime import datetime

from connector import codec
from connector.store import connecting, meta
from connector.store.db import Tx


def put(tx: Tx, shop_id: str, granted: Iterable[str], now: datetime) -> bool:
    """Keep them, and tell every process when they changed; whether they did."""
    text = codec.encode_text(sorted(set(granted)))
    if meta.get(tx, _name(shop_id)) == text:
        return False
    meta.put(tx, _name(shop_id), text, now)
    connecting.bump(tx, now)
    return True


def get(tx: Tx, shop_id: str) -> frozenset[str] | None:
    """`None` while nobody told: then nothing is withheld."""
    text = meta.get(tx, _name(shop_id))
    return frozenset(codec.decode(text, list[str])) if text is not None else None


def _name(shop_id: str) -> str:
    return f"scopes {shop_id}"
