"""Who said no, or cannot be reached: noted for the list outside the database, and what a restored one learned of it.

`Refusal` is what a transaction notes (`Tx.note`) for `connector.keeping.refusals`; `refused_before` holds what that
list told of addresses a restored database has not met yet, until it meets them (`flows.people.refusing`).
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from datetime import datetime

from connector.clock import from_text, to_text
from connector.model import Channel
from connector.store.db import Tx
from connector.store.sql import id_list

CONSENT = "consent"
"""The scope of a no to marketing alone, which stands in the ledger of consent and suppresses nothing else."""
PAUSED = "paused"
"""The scope of a pause from advertising; its reason is until when."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Refusal:
    """`address_key` is the address as the lists know it, or the keyed hash of one. `scope` and `reason` are those of
    `connector.store.suppressions`, or `CONSENT` or `PAUSED`; without a reason it was taken back. Without `at` it is
    said just now."""

    shop_id: str
    address_key: str
    channel: Channel
    scope: str
    reason: str
    at: datetime | None


def put(tx: Tx, found: Iterable[Refusal], now: datetime) -> None:
    """Keep for addresses this database has not met."""
    for one in found:
        tx.run(
            "refused_put",
            shop_id=one.shop_id,
            sealed_key=one.address_key,
            channel=one.channel.value,
            scope=one.scope,
            reason=one.reason,
            at=to_text(one.at or now),
        )


def anybody(tx: Tx, shop_id: str) -> bool:
    """Whether there is anything to be met in the shop: one look at an empty table, where nothing was ever restored."""
    known: dict[str, bool] = tx.recall("refused_any")
    if shop_id not in known:
        known[shop_id] = tx.one("refused_any", shop_id=shop_id) is not None
    return known[shop_id]


def take(tx: Tx, shop_id: str, sealed_keys: Iterable[str]) -> list[Refusal]:
    """What is kept of these hashes. It is gone from here afterwards: the address was met."""
    keys = id_list(sealed_keys)
    rows = tx.all("refused_of", shop_id=shop_id, keys=keys)
    if rows:
        tx.run("refused_met", shop_id=shop_id, keys=keys)
    return [
        Refusal(
            shop_id=shop_id,
            address_key=row["sealed_key"],
            channel=Channel.of(row["channel"]),
            scope=row["scope"],
            reason=row["reason"],
            at=from_text(row["at"]),
        )
        for row in rows
    ]
