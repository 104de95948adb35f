"""Addresses that must not be written to, whatever their consent: bounces, complaints, one-click opt-outs."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime

from connector.clock import from_text, to_text
from connector.model import Channel
from connector.store.db import Tx


@dataclass(frozen=True, slots=True)
class SuppressionRow:
    """`scope` is `all`, `marketing` (everything but transactional) or the value of one purpose."""

    scope: str
    reason: str
    at: datetime


def add(tx: Tx, shop_id: str, address_key: str, channel: Channel, scope: str, reason: str, now: datetime) -> None:
    """Suppress; once more is harmless and keeps the latest reason."""
    tx.run(
        "suppression_add",
        shop_id=shop_id,
        address_key=address_key,
        channel=channel.value,
        scope=str(scope),
        reason=reason,
        now=to_text(now),
    )


def find(tx: Tx, shop_id: str, address_key: str, channel: Channel) -> list[SuppressionRow]:
    rows = tx.all("suppression_find", shop_id=shop_id, address_key=address_key, channel=channel.value)
    return [SuppressionRow(row["scope"], row["reason"], from_text(row["at"])) for row in rows]


def remove(tx: Tx, shop_id: str, address_key: str, channel: Channel, scope: str) -> bool:
    """Lift one suppression; `False` when there was none."""
    changed = tx.run(
        "suppression_remove", shop_id=shop_id, address_key=address_key, channel=channel.value, scope=str(scope)
    )
    return changed == 1
