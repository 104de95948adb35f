"""Keyed hashes by which friends, devices and network addresses are known again, and nobody is found out."""

from __future__ import annotations

from flows.referring.referral import person_key
from flows.sending.addressing import derive_token

DEVICE = "kiitos_friend"
"""The cookie that knows a browser again, set only by pressing a button of a referral page."""


def friend_hash(salt: bytes, shop_id: str, email: str | None, customer_id: str | None = None) -> str:
    """A friend by the mailbox, or by the account where there is none; empty for nobody."""
    key = person_key(email) or (f"account {customer_id}" if customer_id else "")
    return derive_token(salt, "referral friend", shop_id, key) if key else ""


def device_of(salt: bytes, shop_id: str, advocate_email_key: str) -> str:
    """What the advocate's own browser is marked with."""
    return derive_token(salt, "referral device", shop_id, advocate_email_key)


def place_of(salt: bytes, shop_id: str, address: str | None) -> str:
    """The network address of a visit."""
    return derive_token(salt, "referral place", shop_id, address or "")
