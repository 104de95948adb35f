"""What Resend tells of messages: Svix signatures over `id.timestamp.body`, five minutes
(https://resend.com/docs/dashboard/webhooks/verify-webhooks-requests).

`webhook_secret` of the channel's table is the signing secret shown beside the webhook (`whsec_...`).
"""

from __future__ import annotations

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
    enhanced_code,
    event_id,
    iso,
    json_table,
    key_among,
    list_of,
    table_of,
    text_of,
    time_of,
)
from connector.errors import WebhookRejected
from connector.outside.signing import ID, SIGNATURE, TIMESTAMP, is_signed

_KINDS = {
    "email.sent": ChannelEventKind.ACCEPTED,
    "email.scheduled": ChannelEventKind.OTHER,
    "email.delivered": ChannelEventKind.DELIVERED,
    "email.delivery_delayed": ChannelEventKind.DEFERRED,
    "email.bounced": ChannelEventKind.BOUNCED,
    "email.suppressed": ChannelEventKind.FAILED,
    "email.failed": ChannelEventKind.FAILED,
    "email.complained": ChannelEventKind.COMPLAINED,
    "email.opened": ChannelEventKind.OPENED,
    "email.clicked": ChannelEventKind.CLICKED,
}
_BOUNCES = {"permanent": BounceKind.HARD, "transient": BounceKind.SOFT}


class ResendEvents(ChannelEvents):
    name: ClassVar[str] = "resend"

    def verify(self, inbound: Inbound, endpoint: EventEndpoint, now: datetime, fetch: Fetch) -> Verified | Handshake:  # noqa: ARG002
        secret = str(endpoint.settings.get("webhook_secret") or "")
        message_id = inbound.one("svix-id") or ""
        # Svix is Standard Webhooks under other header names (facts/messaging.md 2.2).
        headers = {
            ID: message_id,
            TIMESTAMP: inbound.one("svix-timestamp") or "",
            SIGNATURE: inbound.one("svix-signature") or "",
        }
        try:
            if not secret or not is_signed(headers, inbound.body, [secret], now):
                raise WebhookRejected("signature" if secret else "no webhook_secret is set")
        except ValueError as error:  # a secret that is none: is_signed decodes it first
            raise WebhookRejected("webhook_secret is no whsec_ secret") from error
        return Verified(topic="events", dedup_key=message_id, event_id=message_id)

    def read(self, verified: Verified, body: bytes) -> Sequence[ChannelEvent]:
        told = json_table(body)
        data = table_of(told.get("data"))
        raw_kind = text_of(told.get("type"))
        if not raw_kind.startswith("email."):
            return ()  # domains and contacts: of the account, not of a message
        click = table_of(data.get("click"))
        kind = _KINDS.get(raw_kind, ChannelEventKind.OTHER)
        said = _said(data)
        reason = table_of(data.get("failed")).get("reason")
        event = ChannelEvent(
            id=verified.event_id or event_id(body),
            kind=kind,
            at=time_of(iso(click.get("timestamp")), iso(told.get("created_at")), topic=raw_kind),
            raw_kind=raw_kind,
            key=key_among(_keys(data)),
            provider_id=text_of(data.get("email_id")),
            recipient=text_of(next(iter(list_of(data.get("to"))), "")),
            bounce=_bounce(data, said, raw_kind),
            code=enhanced_code(said) or text_of(reason),
            url=text_of(click.get("link")),
        )
        return (event,)


def _keys(data: Mapping[str, Any]) -> list[object]:
    """Tags come back as an object or as a list of name and value, headers as a list."""
    tags = data.get("tags")
    found: list[object] = list(table_of(tags).values())
    found += [table_of(each).get("value") for each in list_of(tags)]
    headers = {
        text_of(table_of(each).get("name")).lower(): each["value"]
        for each in list_of(data.get("headers"))
        if "value" in table_of(each)
    }
    return [*found, headers.get("message-id"), data.get("message_id")]


def _said(data: Mapping[str, Any]) -> str:
    bounce = table_of(data.get("bounce"))
    codes = " ".join(text_of(each) for each in list_of(bounce.get("diagnosticCode")))
    return f"{codes} {text_of(bounce.get('message'))}".strip()


def _bounce(data: Mapping[str, Any], said: str, raw_kind: str) -> BounceKind | None:
    """Old events have the sentence alone, which says `hard bounce`; a suppressed address bounced before."""
    if raw_kind == "email.suppressed":
        return BounceKind.HARD
    if raw_kind != "email.bounced":
        return None
    word = text_of(table_of(data.get("bounce")).get("type")).lower()
    hard = "hard bounce message" in said or "suppression list" in said
    return bounce_of(said, otherwise=_BOUNCES.get(word, BounceKind.HARD if hard else BounceKind.OTHER))
