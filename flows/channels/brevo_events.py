"""What Brevo tells of transactional messages. Nothing is signed: basic authentication in the webhook's address or a
bearer token (https://developers.brevo.com/docs/secured-webhooks), `webhook_user` and `webhook_password`, or
`webhook_token`, of the channel's table.
"""

from __future__ import annotations

import hashlib
from collections.abc import Mapping, Sequence
from datetime import UTC, datetime
from typing import Any, ClassVar

from connector.contracts import Handshake, Inbound, Verified
from connector.contracts.channel_events import (
    BounceKind,
    ChannelEvent,
    ChannelEventKind,
    ChannelEvents,
    EventEndpoint,
    Fetch,
)
from connector.contracts.event_reading import (
    bounce_of,
    check_basic,
    enhanced_code,
    event_id,
    iso,
    json_table,
    key_among,
    list_of,
    seconds,
    text_of,
    time_of,
)

# https://developers.brevo.com/docs/transactional-webhooks
_KINDS = {
    "request": ChannelEventKind.ACCEPTED,
    "sent": ChannelEventKind.ACCEPTED,
    "delivered": ChannelEventKind.DELIVERED,
    "deferred": ChannelEventKind.DEFERRED,
    "hard_bounce": ChannelEventKind.BOUNCED,
    "soft_bounce": ChannelEventKind.BOUNCED,
    "invalid": ChannelEventKind.BOUNCED,
    "invalid_email": ChannelEventKind.BOUNCED,
    "blocked": ChannelEventKind.FAILED,
    "error": ChannelEventKind.FAILED,
    "spam": ChannelEventKind.COMPLAINED,
    "complaint": ChannelEventKind.COMPLAINED,
    "unsubscribe": ChannelEventKind.UNSUBSCRIBED,
    "unsubscribed": ChannelEventKind.UNSUBSCRIBED,
    "opened": ChannelEventKind.OPENED,
    "open": ChannelEventKind.OPENED,
    "unique_opened": ChannelEventKind.OPENED,
    "first_opening": ChannelEventKind.OPENED,
    "proxy_open": ChannelEventKind.OPENED,
    "unique_proxy_open": ChannelEventKind.OPENED,
    "click": ChannelEventKind.CLICKED,
}
_MACHINES = frozenset({"proxy_open", "unique_proxy_open"})
_BOUNCES = {
    "hard_bounce": BounceKind.HARD,
    "invalid": BounceKind.HARD,
    "invalid_email": BounceKind.HARD,
    "soft_bounce": BounceKind.SOFT,
}


class BrevoEvents(ChannelEvents):
    name: ClassVar[str] = "brevo"

    def verify(self, inbound: Inbound, endpoint: EventEndpoint, now: datetime, fetch: Fetch) -> Verified | Handshake:  # noqa: ARG002
        check_basic(inbound, endpoint)
        return Verified(topic="events", dedup_key=hashlib.sha256(inbound.body).hexdigest(), triggered_at=now)

    def read(self, verified: Verified, body: bytes) -> Sequence[ChannelEvent]:
        told = json_table(body)
        raw_kind = text_of(told.get("event"))
        message_id = text_of(told.get("message-id"))
        reason = text_of(told.get("reason"))
        epoch, date = _epoch(told), told.get("date")
        event = ChannelEvent(
            id=event_id(
                raw_kind,
                message_id,
                told.get("email"),
                told.get("ts_event"),
                told.get("ts_epoch"),
                date,
                told.get("link"),
            ),
            kind=_KINDS.get(raw_kind, ChannelEventKind.OTHER),
            # `date` is in the account's own zone (facts of the samples: ts_event and date differ by hours).
            at=time_of(
                epoch,
                seconds(told.get("ts_event")),
                seconds(told.get("ts")),
                verified.triggered_at,
                iso(date),
                topic=raw_kind,
            ),
            raw_kind=raw_kind,
            key=key_among([told.get("X-Mailin-custom"), message_id, *list_of(told.get("tags"))]),
            provider_id=message_id,
            recipient=text_of(told.get("email")),
            bounce=_bounce(raw_kind, reason),
            code="invalid" if raw_kind.startswith("invalid") else enhanced_code(reason),
            url=text_of(told.get("link")),
            by_machine=raw_kind in _MACHINES,
        )
        return (event,)


def _epoch(told: Mapping[str, Any]) -> datetime | None:
    """`ts_epoch` is in milliseconds."""
    value = told.get("ts_epoch")
    if isinstance(value, bool) or not isinstance(value, int | float):
        return None
    try:
        return datetime.fromtimestamp(value / 1000, UTC)
    except (ValueError, OverflowError, OSError):
        return None


def _bounce(raw_kind: str, reason: str) -> BounceKind | None:
    if raw_kind == "hard_bounce":  # a code of ours to blame goes before Brevo's word
        return bounce_of(reason, otherwise=BounceKind.HARD)
    return _BOUNCES.get(raw_kind)
