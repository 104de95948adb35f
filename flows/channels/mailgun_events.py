"""What Mailgun tells of messages: an HMAC over timestamp and token, inside the JSON
(https://documentation.mailgun.com/docs/mailgun/user-manual/webhooks/securing-webhooks).

The signature does not cover the event: the token is therefore taken once, and only for 15 minutes.
`webhook_secret` of the channel's table is the account's HTTP webhook signing key, which is not the API key.
"""

from __future__ import annotations

import hashlib
import hmac
from collections.abc import Mapping, Sequence
from datetime import datetime, timedelta
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
    bytes_of,
    enhanced_code,
    event_id,
    json_table,
    key_among,
    seconds,
    table_of,
    text_of,
    time_of,
)
from connector.errors import MalformedPayload, WebhookRejected

TOLERANCE = timedelta(minutes=15)
_KINDS = {
    "accepted": ChannelEventKind.ACCEPTED,
    "delivered": ChannelEventKind.DELIVERED,
    "rejected": ChannelEventKind.FAILED,
    "complained": ChannelEventKind.COMPLAINED,
    "unsubscribed": ChannelEventKind.UNSUBSCRIBED,
    "opened": ChannelEventKind.OPENED,
    "clicked": ChannelEventKind.CLICKED,
}
# Why Mailgun itself did not try (`reason` of a permanent failure): its own lists.
_SUPPRESSED = {
    "suppress-bounce": (ChannelEventKind.FAILED, BounceKind.HARD),
    "suppress-complaint": (ChannelEventKind.FAILED, BounceKind.OTHER),
    "suppress-unsubscribe": (ChannelEventKind.FAILED, BounceKind.OTHER),
}


class MailgunEvents(ChannelEvents):
    name: ClassVar[str] = "mailgun"

    def verify(self, inbound: Inbound, endpoint: EventEndpoint, now: datetime, fetch: Fetch) -> Verified | Handshake:  # noqa: ARG002
        secret = str(endpoint.settings.get("webhook_secret") or "")
        if not secret:
            raise WebhookRejected("no webhook_secret is set")
        try:
            signed = table_of(json_table(inbound.body).get("signature"))
        except MalformedPayload as error:
            raise WebhookRejected("no JSON object") from error
        timestamp, token, given = (text_of(signed.get(name)) for name in ("timestamp", "token", "signature"))
        right = hmac.digest(bytes_of(secret), bytes_of(f"{timestamp}{token}"), hashlib.sha256).hex()
        if not token or not hmac.compare_digest(bytes_of(right), bytes_of(given)):
            raise WebhookRejected("signature")
        at = seconds(timestamp)
        if at is None or abs(now - at) > TOLERANCE:
            raise WebhookRejected("too old")
        return Verified(topic="events", dedup_key=token)

    def read(self, verified: Verified, body: bytes) -> Sequence[ChannelEvent]:  # noqa: ARG002
        told = table_of(json_table(body).get("event-data"))
        raw_kind = text_of(told.get("event"))
        headers = table_of(table_of(told.get("message")).get("headers"))
        variables = table_of(told.get("user-variables"))
        status = table_of(told.get("delivery-status"))
        message_id = text_of(headers.get("message-id"))
        said = f"{text_of(status.get('message'))} {text_of(status.get('description'))}".strip()
        kind, bounce = _meaning(told, raw_kind, said)
        severity = text_of(told.get("severity"))
        name = text_of(told.get("id")) or event_id(
            raw_kind, severity, message_id, told.get("recipient"), told.get("timestamp")
        )
        event = ChannelEvent(
            id=name,
            kind=kind,
            at=time_of(seconds(told.get("timestamp")), topic=raw_kind),
            raw_kind=" ".join(filter(None, (raw_kind, severity, text_of(told.get("reason"))))),
            key=key_among([*variables.values(), message_id]),
            provider_id=message_id,
            recipient=text_of(told.get("recipient")),
            bounce=bounce,
            code=enhanced_code(said) or text_of(status.get("code")),
            url=text_of(told.get("url")),
            by_machine=bool(text_of(table_of(told.get("client-info")).get("bot"))),
        )
        return (event,)


def _meaning(told: Mapping[str, Any], raw_kind: str, said: str) -> tuple[ChannelEventKind, BounceKind | None]:
    if raw_kind != "failed":
        return _KINDS.get(raw_kind, ChannelEventKind.OTHER), None
    if text_of(told.get("severity")) == "temporary":
        return ChannelEventKind.DEFERRED, None
    reason = text_of(told.get("reason"))
    if reason in _SUPPRESSED:
        return _SUPPRESSED[reason]
    # `old`: Mailgun gave up after hours of temporary answers.
    word = BounceKind.SOFT if reason == "old" else BounceKind.OTHER
    return ChannelEventKind.BOUNCED, bounce_of(said, otherwise=word)
