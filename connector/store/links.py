"""Tokens in customers' hands: preference pages, review forms, order pages."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime

from connector import codec
from connector.clock import to_text
from connector.store.db import Tx


@dataclass(frozen=True, slots=True)
class LinkRow:
    """What a token stands for."""

    shop_id: str
    token: str
    kind: str
    data: Mapping[str, str]


def put(tx: Tx, shop_id: str, token: str, kind: str, data: Mapping[str, str], now: datetime) -> None:
    """Keep a token; one that is known changes nothing."""
    tx.later("link_put", shop_id=shop_id, token=token, kind=kind, data=codec.encode_text(data), now=to_text(now))


def get(tx: Tx, token: str) -> LinkRow | None:
    row = tx.one("link_get", token=token)
    if row is None:
        return None
    return LinkRow(row["shop_id"], row["token"], row["kind"], codec.decode(row["data"], dict[str, str]))
