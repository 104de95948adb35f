"""Two accounts of one person became one at the platform: what is known of the one that is gone is the kept one's.

The platform tells of it once (Shopify's customers/merge) and sends no order again, so rows are moved here. Snapshots
stay as they came. Of two wake-ups for the same, the one counted from the later origin stays.
"""

from __future__ import annotations

from dataclasses import replace

from connector.model import Ref
from connector.store import wakeups
from connector.store.db import Tx
from connector.store.wakeups import Wakeup


def merge(tx: Tx, shop_id: str, kept: str, merged: str) -> None:
    """Move orders, runs, consents, wake-ups and requests for reviews of account `merged` to `kept`. Once more is
    harmless."""
    who = {"shop_id": shop_id, "kept": kept, "merged": merged}
    tx.run("merge_orders", **who)
    tx.run("merge_runs", **who)
    tx.run("merge_consents", **who)
    tx.run("merge_review_asks", **who)
    _merge_wakeups(tx, shop_id, kept, merged)
    # What was read of either before is no longer true.
    tx.memo.clear()


def _merge_wakeups(tx: Tx, shop_id: str, kept: str, merged: str) -> None:
    gone, stays = Ref("customer", merged), Ref("customer", kept)
    theirs = {row.flow_id: row for row in wakeups.of_person(tx, shop_id, None, kept) if row.subject == stays}
    for row in list(wakeups.of_person(tx, shop_id, None, merged)):
        if row.subject != gone:
            wakeups.put(tx, replace(row, customer_id=kept))
            continue
        wakeups.drop(tx, row)
        known = theirs.get(row.flow_id)
        if known is None or row.origin > known.origin:
            wakeups.put(tx, _joined(row, known, stays))


def _joined(row: Wakeup, known: Wakeup | None, subject: Ref) -> Wakeup:
    """What was told to either was told to the person."""
    told = [each.fired_at for each in (row, known) if each is not None and each.fired_at is not None]
    return replace(row, subject=subject, customer_id=subject.id, fired_at=max(told, default=None))
