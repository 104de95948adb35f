"""Referral codes and what became of them: held, waiting for a person, rewarded, refused or reversed."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any

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
    """One friend's order under a code. `state` is `review` (waits for a person), `held`, `rewarded`, `refused` or
    `reversed`. Then the `way` it was found by (empty: by its code, before there were others) and the `evidence`,
    `signs` why it waited, when the reward `opens_at`, the `reward` that was promised (`flows.referring.promises`), the
    `month` it is counted in, and who decided what."""

    id: str
    code: str
    advocate_email_key: str
    friend_email_key: str | None
    friend_order_id: str
    state: str
    reason: str
    created_at: datetime
    updated_at: datetime
    way: str = ""
    evidence: Mapping[str, str] = field(default_factory=dict)
    signs: tuple[str, ...] = ()
    friend_hash: str = field(default="", repr=False)
    opens_at: datetime | None = None
    reward: Mapping[str, str] = field(default_factory=dict)
    month: str = ""
    decided_by: str = ""
    decided_at: datetime | None = None
    note: str = ""


def id_of(order_id: str) -> str:
    """A friend's order is one referral at most."""
    return f"order-{order_id}"


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


def by_order(tx: Tx, shop_id: str, order_id: str) -> ReferralRow | None:
    """The referral that this friend's order made."""
    row = tx.one("referral_by_order", shop_id=shop_id, order_id=order_id)
    return _referral(row) if row else None


def of_advocate(tx: Tx, shop_id: str, email_key: str) -> list[ReferralRow]:
    """Oldest first."""
    return [_referral(row) for row in tx.all("referral_of_advocate", shop_id=shop_id, email_key=email_key)]


def set_state(
    tx: Tx,
    shop_id: str,
    referral_id: str,
    state: str,
    reason: str,
    now: datetime,
    only_from: Sequence[str],
    *,
    by: str = "",
    note: str = "",
) -> bool:
    """Move on from one of `only_from`; `False` when it is in another state (somebody was first). `by`: whose word it
    was, kept with the `note`."""
    tx.forget("situation")
    changed = tx.run(
        "referral_set_state",
        shop_id=shop_id,
        referral_id=referral_id,
        state=state,
        reason=reason,
        now=to_text(now),
        only_from=codec.encode_text(list(only_from)),
        decided_by=by,
        note=note,
    )
    return changed == 1


def open_one(tx: Tx, shop_id: str, row: ReferralRow, now: datetime) -> bool:
    """Keep a referral with all that is known of it; `False` when the id is there already."""
    tx.forget("situation")
    changed = tx.run(
        "referral_open",
        shop_id=shop_id,
        referral_id=row.id,
        code_key=_key(row.code),
        advocate_email_key=row.advocate_email_key,
        friend_email_key=row.friend_email_key,
        friend_order_id=row.friend_order_id,
        state=row.state,
        reason=row.reason,
        now=to_text(now),
        way=row.way,
        evidence=codec.encode_text(dict(row.evidence)),
        signs=" ".join(row.signs),
        friend_hash=row.friend_hash,
        opens_at=to_text(row.opens_at) if row.opens_at else None,
        reward=codec.encode_text(dict(row.reward)),
        month=row.month,
    )
    return changed == 1


def open_at(tx: Tx, shop_id: str, referral_id: str, at: datetime) -> None:
    """Say anew when the reward of one that waits may be given."""
    tx.forget("situation")
    tx.run("referral_open_at", shop_id=shop_id, referral_id=referral_id, at=to_text(at))


def get(tx: Tx, shop_id: str, referral_id: str) -> ReferralRow | None:
    row = tx.one("referral_get", shop_id=shop_id, referral_id=referral_id)
    return _referral(row) if row else None


def newest(tx: Tx, shop_id: str, state: str = "", limit: int = 100) -> list[ReferralRow]:
    """A shop's referrals, the newest first; of one state where one is named."""
    return [_referral(row) for row in tx.all("referral_list", shop_id=shop_id, state=state, limit=limit)]


def waiting(tx: Tx, shop_id: str, limit: int = 100) -> list[ReferralRow]:
    """What waits for a person, the oldest first."""
    return [_referral(row) for row in tx.all("referral_waiting", shop_id=shop_id, limit=limit)]


def of_month(tx: Tx, shop_id: str, month: str) -> list[tuple[str, Mapping[str, str]]]:
    """(address of the advocate, reward) of all that counts towards a month's caps."""
    rows = tx.all("referral_of_month", shop_id=shop_id, month=month)
    return [(row["advocate_email_key"], _texts(row["reward"])) for row in rows]


def of_friend(tx: Tx, shop_id: str, friend_hash: str) -> list[ReferralRow]:
    """What came of a friend's orders, the first one first."""
    return [_referral(row) for row in tx.all("referral_of_friend", shop_id=shop_id, friend_hash=friend_hash)]


def take_friend(tx: Tx, shop_id: str, friend_hash: str, referral_id: str) -> bool:
    """Count a friend in this referral; `False` when they are counted in another."""
    if tx.run("referral_friend_take", shop_id=shop_id, friend_hash=friend_hash, referral_id=referral_id) == 1:
        return True
    row = tx.one("referral_friend_get", shop_id=shop_id, friend_hash=friend_hash)
    return row is not None and row["referral_id"] == referral_id


def free_friend(tx: Tx, shop_id: str, referral_id: str) -> None:
    """The order came to nothing: the friend may still be brought by another."""
    tx.run("referral_friend_free", shop_id=shop_id, referral_id=referral_id)


def show_name(tx: Tx, shop_id: str, email_key: str, name: str, now: datetime) -> None:
    """Let the leaderboard show an advocate as `name`; empty: no longer."""
    if name:
        tx.run("referral_name_put", shop_id=shop_id, email_key=email_key, name=name, now=to_text(now))
    else:
        tx.run("referral_name_drop", shop_id=shop_id, email_key=email_key)


def name_shown(tx: Tx, shop_id: str, email_key: str) -> str:
    row = tx.one("referral_name_get", shop_id=shop_id, email_key=email_key)
    return str(row["name"]) if row else ""


def leaders(tx: Tx, shop_id: str, limit: int) -> list[tuple[str, int]]:
    """(name, friends rewarded) of those who let themselves be shown, the most first."""
    return [(row["name"], row["friends"]) for row in tx.all("referral_leaders", shop_id=shop_id, limit=limit)]


def _texts(text: str) -> Mapping[str, str]:
    return codec.decode(text, dict[str, str]) if text else {}


def _referral(row: Row) -> ReferralRow:
    more = _more(row)
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
        **more,
    )


def _more(row: Row) -> dict[str, Any]:
    return {
        "way": row["way"],
        "evidence": _texts(row["evidence"]),
        "signs": tuple(row["signs"].split()),
        "friend_hash": row["friend_hash"],
        "opens_at": from_text(row["opens_at"]) if row["opens_at"] else None,
        "reward": _texts(row["reward"]),
        "month": row["month"],
        "decided_by": row["decided_by"],
        "decided_at": from_text(row["decided_at"]) if row["decided_at"] else None,
        "note": row["note"],
    }
