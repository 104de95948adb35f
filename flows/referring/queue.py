"""What waits for a person of the shop's: looked at, approved or refused, once, with who decided kept."""

from __future__ import annotations

from datetime import datetime
from typing import TYPE_CHECKING

from connector.store import referrals, shops
from connector.store.db import Tx
from connector.store.referrals import ReferralRow

if TYPE_CHECKING:
    from flows.runner import Runner

LONGEST_NOTE = 500


def decide(
    tx: Tx, runner: Runner, shop_id: str, referral_id: str, now: datetime, *, approve: bool, by: str, note: str = ""
) -> bool:
    """Let a referral that waits go on to its reward, or refuse it; `False` when it waits no longer. What is approved is
    held until the return window closes like any other."""
    shop = shops.get(tx, shop_id)
    if shop is None:
        return False
    tx.hold([f"order {shop_id} {_order_of(referrals.get(tx, shop_id, referral_id))}"])
    told = runner.programmes.referring.decide(
        tx, shop, referral_id, now, approve=approve, by=by[:120], note=note[:LONGEST_NOTE]
    )
    if told is None:
        return False
    runner.ingest(tx, shop_id, told, now)
    return True


def _order_of(row: ReferralRow | None) -> str:
    return row.friend_order_id if row is not None else ""
