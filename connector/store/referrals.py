"""Referral codes and what became of them: held, rewarded, refused or reversed."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime

from connector import codec
from connector.clock import from_text, to_text
from connector.store.db import Row, Tx


@dataclass(frozen=True, slots=True)
class CodeRow:
    """An advocate's code, in upper case: shops compare codes without case."""

    code_key: str
    advocate_email_key: str
    advocate_customer_id: str | None
    order_id: str | None
    run_id: str | None
    created_at: datetime


@dataclass(frozen=True, slots=True)
class ReferralRow:
    """One friend's order under a code. `state` is `held`, `rewarded`, `refused` or `reversed`."""

    id: str
    code: str
    advocate_email_key: str
    friend_email_key: str | None
    friend_order_id: str
    state: str
    reason: str
    created_at: datetime
    updated_at: datetime


def put_code(
    tx: Tx,
    shop_id: str,
    code_key: str,
    advocate_email_key: str,
    advocate_customer_id: str | None,
    order_id: str | None,
    run_id: str | None,
    now: datetime,
) -> bool:
    """Keep a code; `False` when it is there already (it then keeps its advocate)."""
    tx.forget("situation")
    changed = tx.run(
        "referral_code_put",
        shop_id=shop_id,
        code_key=_key(code_key),
        advocate_email_key=advocate_email_key,
        advocate_customer_id=advocate_customer_id,
        order_id=order_id,
        run_id=run_id,
        now=to_text(now),
    )
    return changed == 1


def code(tx: Tx, shop_id: str, code: str) -> CodeRow | None:
    """Whose code it is, however it is spelled."""
    return _code(tx.one("referral_code_get", shop_id=shop_id, code_key=_key(code)))


def code_of(tx: Tx, shop_id: str, email_key: str) -> CodeRow | None:
    """The advocate's newest code."""
    return _code(tx.one("referral_code_of", shop_id=shop_id, email_key=email_key))


def _key(code: str) -> str:
    return code.strip().upper()


def _code(row: Row | None) -> CodeRow | None:
    if row is None:
        return None
    return CodeRow(
        code_key=row["code_key"],
        advocate_email_key=row["advocate_email_key"],
        advocate_customer_id=row["advocate_customer_id"],
        order_id=row["order_id"],
        run_id=row["run_id"],
        created_at=from_text(row["created_at"]),
    )


def put(
    tx: Tx,
    shop_id: str,
    referral_id: str,
    code: str,
    advocate_email_key: str,
    friend_email_key: str | None,
    friend_order_id: str,
    state: str,
    reason: str,
    now: datetime,
) -> bool:
    """Keep a referral; `False` when the id is there already."""
    tx.forget("situation")
    changed = tx.run(
        "referral_put",
        shop_id=shop_id,
        referral_id=referral_id,
        code_key=_key(code),
        advocate_email_key=advocate_email_key,
        friend_email_key=friend_email_key,
        friend_order_id=friend_order_id,
        state=state,
        reason=reason,
        now=to_text(now),
    )
    return changed == 1


def by_order(tx: Tx, shop_id: str, order_id: str) -> ReferralRow | None:
    """The referral that this friend's order made."""
    row = tx.one("referral_by_order", shop_id=shop_id, order_id=order_id)
    return _referral(row) if row else None


def of_advocate(tx: Tx, shop_id: str, email_key: str) -> list[ReferralRow]:
    """Oldest first."""
    return [_referral(row) for row in tx.all("referral_of_advocate", shop_id=shop_id, email_key=email_key)]


def set_state(
    tx: Tx, shop_id: str, referral_id: str, state: str, reason: str, now: datetime, only_from: Sequence[str]
) -> bool:
    """Move on from one of `only_from`; `False` when it is in another state (somebody was first)."""
    tx.forget("situation")
    changed = tx.run(
        "referral_set_state",
        shop_id=shop_id,
        referral_id=referral_id,
        state=state,
        reason=reason,
        now=to_text(now),
        only_from=codec.encode_text(list(only_from)),
    )
    return changed == 1


def _referral(row: Row) -> ReferralRow:
    return ReferralRow(
        id=row["referral_id"],
        code=row["code_key"],
        advocate_email_key=row["advocate_email_key"],
        friend_email_key=row["friend_email_key"],
        friend_order_id=row["friend_order_id"],
        state=row["state"],
        reason=row["reason"],
        created_at=from_text(row["created_at"]),
        updated_at=from_text(row["updated_at"]),
    )
