"""What Postmark tells of messages. Nothing is signed: basic authentication in the webhook's address
(https://postmarkapp.com/developer/webhooks/webhooks-overview), `webhook_user` and `webhook_password` of the channel.
"""

from __future__ import annotations

import hashlib
from collections.abc import Mapping, Sequence
from datetime import datetime
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
    table_of,
    text_of,
    time_of,
)

# https://postmarkapp.com/developer/api/bounce-api#bounce-types
_BOUNCES = {
    "HardBounce": (ChannelEventKind.BOUNCED, BounceKind.HARD),
    "BadEmailAddress": (ChannelEventKind.BOUNCED, BounceKind.HARD),
    "ManuallyDeactivated": (ChannelEventKind.FAILED, BounceKind.OTHER),
    "SoftBounce": (ChannelEventKind.BOUNCED, BounceKind.SOFT),
    "DnsError": (ChannelEventKind.BOUNCED, BounceKind.SOFT),
    "Transient": (ChannelEventKind.DEFERRED, None),
    "Blocked": (ChannelEventKind.BOUNCED, BounceKind.BLOCK),
    "SpamNotification": (ChannelEventKind.BOUNCED, BounceKind.BLOCK),
    "DMARCPolicy": (ChannelEventKind.BOUNCED, BounceKind.BLOCK),
    "SMTPApiError": (ChannelEventKind.FAILED, BounceKind.OTHER),
    "InboundError": (ChannelEventKind.OTHER, None),
    "TemplateRenderingFailed": (ChannelEventKind.FAILED, BounceKind.OTHER),
    "SpamComplaint": (ChannelEventKind.COMPLAINED, None),
    "Unsubscribe": (ChannelEventKind.UNSUBSCRIBED, None),
    "Subscribe": (ChannelEventKind.OTHER, None),
    "AutoResponder": (ChannelEventKind.OTHER, None),
    "AddressChange": (ChannelEventKind.OTHER, None),
    "ChallengeVerification": (ChannelEventKind.OTHER, None),
    "OpenRelayTest": (ChannelEventKind.OTHER, None),
    "VirusNotification": (ChannelEventKind.BOUNCED, BounceKind.OTHER),
    "Unknown": (ChannelEventKind.BOUNCED, BounceKind.OTHER),
    "Unconfirmed": (ChannelEventKind.OTHER, None),
}
_CHANGES = {
    "HardBounce": (ChannelEventKind.BOUNCED, BounceKind.HARD),
    "SpamComplaint": (ChannelEventKind.COMPLAINED, None),
    "ManualSuppression": (ChannelEventKind.UNSUBSCRIBED, None),
}
_PLAIN = {
    "Delivery": ChannelEventKind.DELIVERED,
    "Open": ChannelEventKind.OPENED,
    "Click": ChannelEventKind.CLICKED,
    "SpamComplaint": ChannelEventKind.COMPLAINED,
}
_TIMES = ("DeliveredAt", "BouncedAt", "ReceivedAt", "ChangedAt")


class PostmarkEvents(ChannelEvents):
    name: ClassVar[str] = "postmark"

    def verify(self, inbound: Inbound, endpoint: EventEndpoint, now: datetime, fetch: Fetch) -> Verified | Handshake:  # noqa: ARG002
        check_basic(inbound, endpoint)
        # The time stands in the body alone, and some bounces tell none: then it is when it was told.
        return Verified(topic="events", dedup_key=hashlib.sha256(inbound.body).hexdigest(), triggered_at=now)

    def read(self, verified: Verified, body: bytes) -> Sequence[ChannelEvent]:
        told = json_table(body)
        record = text_of(told.get("RecordType"))
        kind, bounce = _meaning(told, record)
        at = time_of(*(iso(told[name]) for name in _TIMES if name in told), verified.triggered_at, topic=record)
        said = f"{text_of(told.get('Details'))} {text_of(told.get('Description'))}"
        metadata = table_of(told.get("Metadata"))
        raw_kind = text_of(told.get("Type")) or text_of(told.get("SuppressionReason"))
        # A first open and a second are two events with one MessageID and two times; a bounce has an id of its own.
        name = event_id(
            record, told.get("ID"), told.get("MessageID"), raw_kind, told.get("OriginalLink"), *map(told.get, _TIMES)
        )
        event = ChannelEvent(
            id=name,
            kind=kind,
            at=at,
            raw_kind=f"{record} {raw_kind}".strip(),
            key=key_among(metadata.values()),
            provider_id=text_of(told.get("MessageID")),
            recipient=text_of(told.get("Recipient")) or text_of(told.get("Email")),
            bounce=bounce_of(said, otherwise=bounce) if bounce in (BounceKind.HARD, BounceKind.OTHER) else bounce,
            code=enhanced_code(said),
            url=text_of(told.get("OriginalLink")),
        )
        return (event,)


def _meaning(told: Mapping[str, Any], record: str) -> tuple[ChannelEventKind, BounceKind | None]:
    if record == "Bounce":
        return _BOUNCES.get(text_of(told.get("Type")), (ChannelEventKind.BOUNCED, BounceKind.OTHER))
    if record == "SubscriptionChange":
        if told.get("SuppressSending") is not True:
            return ChannelEventKind.OTHER, None  # taken off Postmark's list: that makes no consent with us
        return _CHANGES.get(text_of(told.get("SuppressionReason")), (ChannelEventKind.OTHER, None))
    return _PLAIN.get(record, ChannelEventKind.OTHER), None
