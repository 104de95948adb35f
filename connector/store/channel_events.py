"""What providers told of messages. A row without an effect belongs to no message, but to the channel's account."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field
from datetime import datetime

from connector.clock import from_text, to_text
from connector.contracts.channel_events import BounceKind, ChannelEvent, ChannelEventKind
from connector.store.db import Row, Tx
from connector.store.sql import id_list

LONGEST_REPLY = 4000
_EVER = "0001-01-01T00:00:00.000000Z"


@dataclass(frozen=True, slots=True, kw_only=True)
class HeardRow:
    """One event as it was kept. `channel` is the channel's name in app.toml, `said` what a person answered.

    `recipient` is only there where no message was found, and masked. `delivery_id` is that of the inbox.
    """

    shop_id: str
    effect_id: str
    channel: str
    id: str
    kind: ChannelEventKind
    at: datetime
    recorded_at: datetime
    delivery_id: int | None
    raw_kind: str
    bounce: BounceKind | None
    code: str
    url: str
    recipient: str = field(repr=False)
    said: str = field(repr=False)
    by_machine: bool


def account_of(channel: str) -> str:
    """What stands in a shop's place for a channel's account."""
    return f"channel:{channel}"


def message_of(tx: Tx, message_key: str) -> tuple[str, str] | None:
    """Shop and effect of the message with this key."""
    row = tx.one("effect_by_message", message_key=message_key)
    return (row["shop_id"], row["effect_id"]) if row else None


def put(
    tx: Tx,
    shop_id: str,
    effect_id: str,
    channel: str,
    event: ChannelEvent,
    now: datetime,
    delivery_id: int | None = None,
    *,
    recipient: str = "",
) -> bool:
    """Keep it; `False` when it is known."""
    event_id = event.id.replace("\0", "")  # PostgreSQL has no place for NUL
    changed = tx.run(
        "channel_event_put",
        shop_id=shop_id,
        effect_id=effect_id,
        channel=channel,
        event_id=event_id,
        kind=event.kind.value,
        at=to_text(event.at),
        recorded_at=to_text(now),
        delivery_id=delivery_id,
        raw_kind=event.raw_kind.replace("\0", ""),
        bounce=event.bounce.value if event.bounce else "",
        code=event.code.replace("\0", ""),
        url=event.url.replace("\0", ""),
        recipient=recipient.replace("\0", ""),
        said=event.text.replace("\0", "")[:LONGEST_REPLY],
        by_machine=int(event.by_machine),
    )
    if changed and effect_id:
        tx.run("channel_event_adopt", account=account_of(channel), channel=channel, event_id=event_id)
    return changed == 1


def of_effects(tx: Tx, shop_id: str, effect_ids: Iterable[str]) -> dict[str, list[HeardRow]]:
    """What was told of each message, in the order it happened; nothing of those nobody spoke of."""
    found: dict[str, list[HeardRow]] = {}
    for row in tx.all("channel_events_of", shop_id=shop_id, ids=id_list(effect_ids)):
        found.setdefault(row["effect_id"], []).append(_row(row))
    return found


def get(tx: Tx, shop_id: str, effect_id: str, channel: str, event_id: str) -> HeardRow | None:
    row = tx.one("channel_event_get", shop_id=shop_id, effect_id=effect_id, channel=channel, event_id=event_id)
    return _row(row) if row else None


def unmatched(tx: Tx, channel: str, limit: int = 100) -> Sequence[HeardRow]:
    """What was told of messages we do not know, newest first."""
    return [_row(row) for row in tx.all("channel_events_unmatched", account=account_of(channel), limit=limit)]


def troubled(
    tx: Tx, shop_id: str, kind: str = "", since: datetime | None = None, limit: int = 100
) -> Sequence[HeardRow]:
    """What of a shop's messages bounced, failed, was complained of or answered, or one `kind` of it; newest first."""
    at = to_text(since) if since else _EVER
    return [_row(row) for row in tx.all("channel_events_troubled", shop_id=shop_id, kind=kind, since=at, limit=limit)]


def soft_bounces(tx: Tx, shop_id: str, recipient_key: str, channel: str, since: datetime) -> int:
    """How many messages to the address came back for a while since then. `channel` is the medium."""
    row = tx.one(
        "channel_events_soft", shop_id=shop_id, recipient_key=recipient_key, channel=channel, since=to_text(since)
    )
    return int(row["total"]) if row else 0


def _row(row: Row) -> HeardRow:
    return HeardRow(
        shop_id=row["shop_id"],
        effect_id=row["effect_id"],
        channel=row["channel"],
        id=row["event_id"],
        kind=ChannelEventKind(row["kind"]),
        at=from_text(row["at"]),
        recorded_at=from_text(row["recorded_at"]),
        delivery_id=row["delivery_id"],
        raw_kind=row["raw_kind"],
        bounce=BounceKind(row["bounce"]) if row["bounce"] else None,
        code=row["code"],
        url=row["url"],
        recipient=row["recipient"],
        said=row["said"],
        by_machine=bool(row["by_machine"]),
    )
