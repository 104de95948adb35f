"""A birthday that becomes known later: its member is looked at then. What it gives is `giving.birthday`'s."""

from __future__ import annotations

from dataclasses import replace
from datetime import datetime

from connector.clock import from_text, to_text
from connector.model import Customer, Shop
from connector.store import accounts
from connector.store.db import Tx
from flows.value.standing import birthday_after

SEEN = "seen"
"""The key of a member's state: up to when birthdays were looked for."""


def expect(tx: Tx, shop: Shop, customer: Customer, now: datetime) -> None:
    """Have a member looked at on the birthday that their account tells of; at once where it was since the last look.

    One question for whoever owns nothing, two where the look is arranged; their row is held only to be changed.
    """
    if not customer.birthday or not (customer.id or customer.email_key):
        return
    known = accounts.find(tx, shop.id, customer.id, customer.email_key)
    if not known or _arranged(tx, shop, known.account, customer.birthday, now):
        return
    holder = accounts.holder_of(tx, shop.id, known.account) or known
    row = accounts.member(tx, shop.id, holder.account)
    at = _next(shop, row.state.get(SEEN), customer.birthday, now)
    if at is not None:
        look_at = min(row.look_at, at) if row.look_at is not None else at
        accounts.put_member(tx, replace(row, look_at=look_at, state={SEEN: to_text(now), **row.state}))


def _arranged(tx: Tx, shop: Shop, account: str, birthday: str, now: datetime) -> bool:
    row = accounts.member(tx, shop.id, account)
    at = _next(shop, row.state.get(SEEN), birthday, now)
    return at is None or (SEEN in row.state and row.look_at is not None and row.look_at <= at)


def _next(shop: Shop, seen: object, birthday: str, now: datetime) -> datetime | None:
    """When they are to be looked at: at the next birthday after the last look, or now where that is past."""
    at = birthday_after(birthday, shop.timezone, from_text(seen) if isinstance(seen, str) else now)
    return max(at, now) if at is not None else None
