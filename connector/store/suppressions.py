"""Addresses that must not be written to, whatever their consent: bounces, complaints, one-click opt-outs."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass, field
from datetime import datetime

from connector.clock import from_text, to_text
from connector.model import Channel
from connector.store.db import Row, Tx
from connector.store.refused import Refusal
from connector.store.sql import id_list


@dataclass(frozen=True, slots=True)
class SuppressionRow:
    """`scope` is `all`, `marketing` (everything but transactional) or the value of one purpose."""

    scope: str
    reason: str
    at: datetime


def add(tx: Tx, shop_id: str, address_key: str, channel: Channel, scope: str, reason: str, now: datetime) -> None:
    """Suppress; once more is harmless and keeps the latest reason."""
    tx.forget("suppression_find")
    tx.noted.append(_refusal(shop_id, address_key, channel, scope, reason, now))
    tx.later(
        "suppression_add",
        shop_id=shop_id,
        address_key=address_key,
        channel=channel.value,
        scope=str(scope),
        reason=reason,
        now=to_text(now),
    )


def find(tx: Tx, shop_id: str, address_key: str, channel: Channel) -> list[SuppressionRow]:
    """All scopes of an address on a channel."""
    known = tx.recall("suppression_find")
    key = (shop_id, channel, address_key)
    if key not in known:
        rows = tx.all("suppression_find", shop_id=shop_id, address_key=address_key, channel=channel.value)
        known[key] = [_row(row) for row in rows]
    found: list[SuppressionRow] = known[key]
    return found


def foresee(tx: Tx, shop_id: str, address_keys: Iterable[str], channel: Channel) -> None:
    """Read at once what `find` is about to be asked of each address."""
    known, keys = tx.recall("suppression_find"), list(address_keys)
    known.update(((shop_id, channel, key), []) for key in keys)
    for row in tx.all("suppression_of_keys", shop_id=shop_id, channel=channel.value, keys=id_list(keys)):
        known.setdefault((shop_id, channel, row["address_key"]), []).append(_row(row))


def _refusal(shop_id: str, address_key: str, channel: Channel, scope: str, reason: str, at: datetime | None) -> Refusal:
    return Refusal(shop_id=shop_id, address_key=address_key, channel=channel, scope=str(scope), reason=reason, at=at)


def _row(row: Row) -> SuppressionRow:
    return SuppressionRow(row["scope"], row["reason"], from_text(row["at"]))


def remove(tx: Tx, shop_id: str, address_key: str, channel: Channel, scope: str) -> bool:
    """Lift one suppression; `False` when there was none."""
    tx.forget("suppression_find")
    tx.noted.append(_refusal(shop_id, address_key, channel, scope, "", None))
    changed = tx.run(
        "suppression_remove", shop_id=shop_id, address_key=address_key, channel=channel.value, scope=str(scope)
    )
    return changed == 1


@dataclass(frozen=True, slots=True)
class Suppression:
    """A row of a shop's whole list. An `address_key` that begins with `#` is the hash of somebody forgotten."""

    address_key: str = field(repr=False)
    channel: Channel
    scope: str
    reason: str
    at: datetime


def of_shop(tx: Tx, shop_id: str, reason: str = "", channel: str = "", limit: int = 1_000_000) -> list[Suppression]:
    """All of a shop's, newest first, or those of one reason or channel."""
    rows = tx.all("suppressions_of_shop", shop_id=shop_id, reason=reason, channel=channel, limit=limit)
    return [
        Suppression(row["address_key"], Channel.of(row["channel"]), row["scope"], row["reason"], from_text(row["at"]))
        for row in rows
    ]
