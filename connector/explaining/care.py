"""Why advertising kept away from somebody: an unhappy customer, or an open case of theirs, that waits for a person."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from datetime import datetime

from connector.clock import to_text
from connector.store import care
from connector.store.care import LOW_SCORE, Hold
from connector.store.db import Tx


@dataclass(frozen=True, slots=True)
class Kept:
    """That advertising began to keep away, or may go on. `order_id` is empty where it is about none."""

    at: datetime
    what: str
    text: str
    order_id: str


def kept_away(tx: Tx, shop_id: str, orders: Iterable[str], address: str) -> list[Kept]:
    """All of it about these orders and this address, which may be empty."""
    found: list[Kept] = []
    for hold in care.of_person(tx, shop_id, orders, [address] if address else []):
        cause = "a low score" if hold.reason == LOW_SCORE else "an open case"
        found.append(
            Kept(hold.since, "care.began", f"{cause} waits for a person: {_until(shop_id, hold)}", hold.order_id)
        )
        if hold.ended_at is not None:
            text = f"{cause} waits no longer ({hold.ended_by}): advertising may go on"
            found.append(Kept(hold.ended_at, "care.ended", text, hold.order_id))
    return found


def _until(shop_id: str, hold: Hold) -> str:
    """The command is told while it can be given."""
    told = f"no advertising until somebody has seen to it, at most until {to_text(hold.until)[:10]}"
    if hold.ended_at is not None or hold.reason != LOW_SCORE:
        return told
    return f"{told}; `kiitos tasks list {shop_id}` shows it, `kiitos tasks approve {shop_id} {hold.hold_id}` ends it"
