"""Perks that are not money: a partner's coupons from an uploaded list, seats at an event. Each goes to one person."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime

from connector.clock import to_text
from connector.store.db import Tx


@dataclass(frozen=True, slots=True)
class PerkCount:
    """A list, how many are in it, and how many nobody has yet."""

    perk: str
    coupons: int
    free: int


def add(tx: Tx, shop_id: str, perk: str, codes: Sequence[str]) -> int:
    """Add codes at the end of a list, in their order; how many were new."""
    tx.hold([_held(shop_id, perk)])
    last = next((row["last"] for row in tx.all("perk_counts", shop_id=shop_id) if row["perk"] == perk), 0)
    return sum(
        tx.run("perk_put", shop_id=shop_id, perk=perk, code=code, place=last + number)
        for number, code in enumerate(dict.fromkeys(codes), 1)
    )


def take(tx: Tx, shop_id: str, perk: str, account: str, now: datetime) -> str | None:
    """The code of the list that is `account`'s: the one they have, else the next one; `None` when none is left."""
    tx.hold([f"{_held(shop_id, perk)} {account}"])
    has = tx.one("perk_taken", shop_id=shop_id, perk=perk, account=account)
    if has is not None:
        return str(has["code"])
    while (free := tx.one("perk_free", shop_id=shop_id, perk=perk)) is not None:
        taken = tx.run("perk_take", shop_id=shop_id, perk=perk, code=free["code"], account=account, now=to_text(now))
        if taken == 1:
            return str(free["code"])
    return None


def of(tx: Tx, shop_id: str, perk: str, account: str) -> str:
    """The code of the list that is `account`'s; empty where they have none."""
    has = tx.one("perk_taken", shop_id=shop_id, perk=perk, account=account)
    return str(has["code"]) if has is not None else ""


def counts(tx: Tx, shop_id: str) -> list[PerkCount]:
    """Every list of a shop."""
    rows = tx.all("perk_counts", shop_id=shop_id)
    return [PerkCount(row["perk"], int(row["coupons"]), int(row["left_over"])) for row in rows]


def open_once(tx: Tx, shop_id: str, perk: str, begins: datetime, now: datetime) -> bool:
    """Early access began: everybody of the shop's programme is to be looked at. `False` where that was done."""
    done = tx.run("perk_opening_put", shop_id=shop_id, perk=perk, begins=to_text(begins), now=to_text(now))
    if done == 1:
        tx.run("value_members_look", shop_id=shop_id, now=to_text(now))
    return done == 1


def is_open(tx: Tx, shop_id: str, perk: str, begins: datetime) -> bool:
    """Whether `open_once` was done for it."""
    return tx.one("perk_opening_get", shop_id=shop_id, perk=perk, begins=to_text(begins)) is not None


def _held(shop_id: str, perk: str) -> str:
    return f"perk {shop_id} {perk}"
