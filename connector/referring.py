"""Referrals for whoever asks about them: lists, one with its evidence, why an order was or was not one, decisions."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from connector.app import Kiitos
from connector.clock import to_text
from connector.model import Order
from connector.store import entities, privacy, referrals, vouchers
from connector.store.db import Tx
from connector.store.referrals import ReferralRow
from connector.store.vouchers import Voucher
from connector.working.intake import again_if_moved
from flows.referring import queue
from flows.referring.finding import WAYS, find, references
from flows.referring.marking import friend_hash
from flows.referring.promises import SIDES, reward_of
from flows.referring.reasons import FORGOTTEN, REASONS, reason_text, texts_of, voucher_text

STATES = {
    "review": "waits for a person",
    "held": "waits until the return window is over",
    "rewarded": "rewarded",
    "refused": "refused",
    "reversed": "taken back",
}

_GONE = "somebody who was forgotten, or never known"


def overview(kiitos: Kiitos, shop_id: str, state: str, limit: int) -> list[dict[str, Any]]:
    """A shop's referrals, the newest first, without anybody's name."""
    with kiitos.store.work.read() as tx:
        return [_line(tx, shop_id, row) for row in referrals.newest(tx, shop_id, state, limit)]


def waiting(kiitos: Kiitos, shop_id: str, limit: int) -> list[dict[str, Any]]:
    """What waits for a person, the oldest first."""
    with kiitos.store.work.read() as tx:
        return [_line(tx, shop_id, row) for row in referrals.waiting(tx, shop_id, limit)]


def found(kiitos: Kiitos, shop_id: str, name: str) -> dict[str, Any] | None:
    """One referral whole, by its id or by the friend's order."""
    with kiitos.store.work.read() as tx:
        row = referrals.get(tx, shop_id, name)
        if row is None:
            order = _order(tx, shop_id, name)
            row = referrals.by_order(tx, shop_id, order.id) if order is not None else None
        return _whole(tx, shop_id, row) if row is not None else None


def explained(kiitos: Kiitos, shop_id: str, name: str) -> dict[str, Any] | None:
    """Why an order was or was not a referral; `None` for an order nobody knows."""
    with kiitos.store.work.read() as tx:
        order = _order(tx, shop_id, name)
        if order is None:
            return None
        row = referrals.by_order(tx, shop_id, order.id)
        told = _whole(tx, shop_id, row) if row is not None else _not_one(kiitos, tx, shop_id, order)
        return {**told, "paid_with": [_paid(voucher) for voucher in vouchers.used_in(tx, shop_id, order.id)]}


def decided(kiitos: Kiitos, shop_id: str, name: str, *, approve: bool, by: str, note: str) -> bool:
    """Approve or refuse one that waits; `False` when it waits no longer."""

    def work() -> bool:
        with kiitos.store.work.transaction() as tx:
            now = kiitos.clock.now()
            return queue.decide(tx, kiitos.runner, shop_id, name, now, approve=approve, by=by, note=note)

    return again_if_moved(work)


def because(row: ReferralRow) -> list[str]:
    """The signs and the reason of a state, as sentences."""
    signs = texts_of(row.signs)
    return [*signs, reason_text(row.reason)] if row.reason else signs


def reward_text(row: ReferralRow) -> str:
    """What both sides were promised: `credit 15 EUR, friend points 50`; empty where a flow's own parameters say."""
    told = []
    for side in SIDES:
        reward = reward_of(row.reward, side)
        if reward is not None:
            told.append(f"{'' if side == SIDES[0] else 'friend '}{reward.kind} {reward.worth}")
    return ", ".join(told)


def _line(tx: Tx, shop_id: str, row: ReferralRow) -> dict[str, Any]:
    order = entities.order(tx, shop_id, row.friend_order_id)
    return {
        "id": row.id,
        "order": order.number if order is not None else row.friend_order_id,
        "when": to_text(row.created_at)[:16].replace("T", " "),
        "state": row.state,
        "way": row.way or "code",
        "reward": reward_text(row),
        "because": "; ".join(because(row)),
    }


def _whole(tx: Tx, shop_id: str, row: ReferralRow) -> dict[str, Any]:
    given = vouchers.because(tx, shop_id, f"referral/{row.id}")
    return {
        **_line(tx, shop_id, row),
        "state": f"{row.state} ({STATES.get(row.state, row.state)}) since {to_text(row.updated_at)[:16]}",
        "way": f"{row.way or 'code'}: {WAYS[row.way or 'code']}",
        "because": because(row),
        "evidence": [f"{way}: {said}" for way, said in row.evidence.items()],
        "advocate": row.advocate_email_key or _GONE,
        "friend": row.friend_email_key or _GONE,
        "opens": to_text(row.opens_at)[:16] if row.opens_at else "",
        "given": [f"{v.kind.replace('_', ' ')} {v.key} {v.worth}: {voucher_text(v)}" for v in given],
        "decided": f"{row.decided_by}, {to_text(row.decided_at)[:16]}: {row.note}" if row.decided_at else "",
    }


def _paid(voucher: Voucher) -> str:
    """What the order was paid with that a flow, a referral or points had given."""
    return f"{voucher.key} {voucher.worth}, given for {voucher.cause.replace('/', ' ')}"


def _not_one(kiitos: Kiitos, tx: Tx, shop_id: str, order: Order) -> dict[str, Any]:
    """An order that no way led to anybody from, or that was not paid yet."""
    terms = kiitos.runner.programmes.referring.terms(shop_id)
    email = order.email or (order.customer.email if order.customer else None)
    friend = friend_hash(kiitos.salt, shop_id, email, order.customer.id if order.customer else None)
    way = find(tx, shop_id, order, friend, terms.window)
    codes = [discount.code for discount in order.discounts if discount.code]
    tried = [
        f"code: {', '.join(codes) or 'none'}" + (" (nobody's)" if codes and way is None else ""),
        *(f"{name}: {value}" for name, value in references(order)),
        "journey: " + ("an earlier visit" if way is not None and "journey" in way.evidence else "no visit with a code"),
    ]
    if way is not None and order.paid_at is None:
        why = "it is not paid yet"
    elif _forgotten(kiitos, tx, shop_id, [*codes, *(value for _, value in references(order))]):
        why = REASONS[FORGOTTEN]
    else:
        why = "no way leads to an advocate's code"
    return {"order": order.number, "state": "no referral", "because": [why], "tried": tried}


def _forgotten(kiitos: Kiitos, tx: Tx, shop_id: str, codes: Sequence[str]) -> bool:
    """Whether one of these was the code of somebody who was forgotten: a keyed hash of it is all that stayed."""
    keys = (privacy.key_of(kiitos.salt, shop_id, "code", vouchers.key_of(code)) for code in codes)
    return privacy.erased_at(tx, shop_id, keys) is not None


def _order(tx: Tx, shop_id: str, name: str) -> Order | None:
    found = (entities.order_by_number(tx, shop_id, each) for each in (name, f"#{name.lstrip('#')}"))
    return entities.order(tx, shop_id, name) or next(filter(None, found), None)
