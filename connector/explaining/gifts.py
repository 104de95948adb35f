"""What became of a code, a card or credit that a flow gave, where it was taken back or could not be."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime

from connector.model import Effect
from connector.store import books, effects, vouchers
from connector.store.db import Tx
from connector.store.vouchers import KEPT, VOIDED, VOIDING, Voucher
from flows.referring.reasons import voucher_text
from flows.value.vouchers import void_id


@dataclass(frozen=True, slots=True, kw_only=True)
class TakenBack:
    """`state` and `cause` are the voucher's, `at` when it was decided."""

    key: str
    state: str
    cause: str
    reason: str
    at: datetime
    text: str


def taken_back(tx: Tx, effect: Effect) -> TakenBack | None:
    """`None` where the effect gave nothing, or what it gave is good or was used."""
    if not (effect.request.get("discount") or effect.request.get("grant")):
        return None
    named = effect.result.get("code") or effect.result.get("granted")
    voucher = vouchers.get(tx, effect.shop_id, named) if named else None
    if voucher is None or voucher.effect_id != effect.id or voucher.state not in (VOIDING, VOIDED, KEPT):
        return None
    return TakenBack(
        key=voucher.key,
        state=voucher.state,
        cause=voucher.cause,
        reason=voucher.reason,
        at=_decided(tx, effect, voucher),
        text=f"{voucher.kind.replace('_', ' ')} {voucher.key}: {voucher_text(voucher)}",
    )


def _decided(tx: Tx, effect: Effect, voucher: Voucher) -> datetime:
    order = effects.get(tx, effect.shop_id, void_id(voucher.key))
    if order is not None:
        return order.created_at
    owed = books.fact(tx, effect.shop_id, f"voucher/{voucher.key}/taken/1")
    return owed.at if owed is not None else voucher.used_at or effect.done_at or effect.created_at
