"""Effects of the programmes that no run waits for, and what came of them."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import datetime

from connector.model import Effect, Event
from connector.store.db import Tx
from flows.care.returning import OPEN_RETURN, opened
from flows.reviews.publication import REVIEW, written
from flows.value import exchanging
from flows.value.crediting import CREDIT_USE, matched
from flows.value.vouchers import VOID, void_again, voided


def performed(tx: Tx, effect: Effect, values: Mapping[str, str], now: datetime) -> list[Event]:
    """One was carried out; the events it leads to are for the caller to take in."""
    if effect.kind == VOID:
        voided(tx, effect, values, now)
        exchanging.after_void(tx, effect, now)
    if effect.kind == CREDIT_USE:
        for key, amount in matched(tx, effect, values, now).items():
            void_again(tx, effect.shop_id, key, amount, effect.id, now)
    if effect.kind == OPEN_RETURN:
        opened(tx, effect, values)
    if effect.kind == REVIEW:
        return list(written(tx, effect, values, now))
    return exchanging.made(tx, effect, values, now) if effect.kind == exchanging.EXCHANGE else []
