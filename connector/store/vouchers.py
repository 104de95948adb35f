"""What was given in the platform: codes, store credit, gift cards; matched with its use, voided when it is reversed."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime

from connector import codec
from connector.clock import from_text, to_text
from connector.store.db import Row, Tx
from connector.store.sql import id_list

ISSUED, USED, VOIDING, VOIDED, KEPT = "issued", "used", "voiding", "voided", "kept"


@dataclass(frozen=True, slots=True, kw_only=True)
class Voucher:
    """`key` is the code in upper case (shops compare codes without case), else the platform's id; `kind` is
    `discount`, `store_credit` or `gift_card`; `cause` names what it was given for (`referral/7`, `order/17`)."""

    key: str
    account: str
    effect_id: str
    kind: str
    worth: str
    cause: str
    platform_id: str = ""
    expires_at: datetime | None = None
    made_at: datetime | None = None
    state: str = ISSUED
    used_order: str = ""
    used_at: datetime | None = None
    reason: str = ""


def key_of(code: str) -> str:
    return code.strip().upper()


def put(tx: Tx, shop_id: str, voucher: Voucher, now: datetime) -> bool:
    """Keep it as issued; `False` when the key is there (it then keeps its owner)."""
    changed = tx.run(
        "voucher_put",
        shop_id=shop_id,
        voucher_key=voucher.key,
        account=voucher.account,
        effect_id=voucher.effect_id,
        kind=voucher.kind,
        worth=voucher.worth,
        cause=voucher.cause,
        platform_id=voucher.platform_id,
        expires_at=to_text(voucher.expires_at) if voucher.expires_at else None,
        now=to_text(now),
    )
    return changed == 1


def get(tx: Tx, shop_id: str, code: str) -> Voucher | None:
    """By its code, however it is spelled, or by the platform's id."""
    for key in dict.fromkeys((key_of(code), code)):
        row = tx.one("voucher_get", shop_id=shop_id, voucher_key=key)
        if row is not None:
            return _voucher(row)
    return None


def of_accounts(tx: Tx, shop_id: str, accounts: Sequence[str]) -> list[Voucher]:
    return [_voucher(row) for row in tx.all("vouchers_of", shop_id=shop_id, accounts=id_list(accounts))]


def because(tx: Tx, shop_id: str, cause: str) -> list[Voucher]:
    """What was given for one cause."""
    return [_voucher(row) for row in tx.all("vouchers_because", shop_id=shop_id, cause=cause)]


def used_in(tx: Tx, shop_id: str, order_id: str) -> list[Voucher]:
    """What an order was paid with."""
    return [_voucher(row) for row in tx.all("vouchers_used_in", shop_id=shop_id, order_id=order_id)]


def exchanged(tx: Tx, shop_id: str) -> list[tuple[str, str]]:
    """Cause and state of what points were exchanged for."""
    return [(row["cause"], row["state"]) for row in tx.all("vouchers_exchanged", shop_id=shop_id)]


def move(
    tx: Tx,
    shop_id: str,
    key: str,
    state: str,
    only_from: Sequence[str],
    *,
    order_id: str = "",
    at: datetime | None = None,
    reason: str = "",
) -> bool:
    """Move on from one of `only_from`; `False` when it is in another state (somebody was first)."""
    changed = tx.run(
        "voucher_move",
        shop_id=shop_id,
        voucher_key=key,
        state=state,
        used_order=order_id,
        used_at=to_text(at) if at else None,
        reason=reason,
        only_from=codec.encode_text(list(only_from)),
    )
    return changed == 1


def _voucher(row: Row) -> Voucher:
    return Voucher(
        key=row["voucher_key"],
        account=row["account"],
        effect_id=row["effect_id"],
        kind=row["kind"],
        worth=row["worth"],
        cause=row["cause"],
        platform_id=row["platform_id"],
        made_at=from_text(row["made_at"]),
        expires_at=from_text(row["expires_at"]) if row["expires_at"] else None,
        state=row["state"],
        used_order=row["used_order"],
        used_at=from_text(row["used_at"]) if row["used_at"] else None,
        reason=row["reason"],
    )
