"""What SendGrid tells of messages: many events in a request, signed together with ECDSA over timestamp and raw body
(https://www.twilio.com/docs/sendgrid/for-developers/tracking-events/getting-started-event-webhook-security-features).

`webhook_public_key` of the channel's table is the verification key of the account's event webhook (base64).
"""

from __future__ import annotations

import base64
import binascii
import hashlib
from collections.abc import Mapping, Sequence
from datetime import datetime
from typing import Any, ClassVar

from connector.codec import decode
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
    key_among,
    seconds,
    text_of,
    time_of,
)
from connector.errors import WebhookRejected

_SIGNATURE = "x-twilio-email-event-webhook-signature"
_TIMESTAMP = "x-twilio-email-event-webhook-timestamp"
_KINDS = {
    "processed": ChannelEventKind.ACCEPTED,
    "delivered": ChannelEventKind.DELIVERED,
    "deferred": ChannelEventKind.DEFERRED,
    "bounce": ChannelEventKind.BOUNCED,
    "blocked": ChannelEventKind.BOUNCED,
    "dropped": ChannelEventKind.FAILED,
    "spamreport": ChannelEventKind.COMPLAINED,
    "unsubscribe": ChannelEventKind.UNSUBSCRIBED,
    "group_unsubscribe": ChannelEventKind.UNSUBSCRIBED,
    "open": ChannelEventKind.OPENED,
    "click": ChannelEventKind.CLICKED,
}
# Why SendGrid itself did not try: the address is on one of its lists, or is none.
_DROPPED = {"bounced address": BounceKind.HARD, "invalid": BounceKind.HARD}
# Not ours: what SendGrid adds to an event, where our custom arguments stand beside.
_THEIRS = frozenset({"email", "sg_event_id", "sg_message_id", "reason", "response", "useragent", "ip", "url", "event"})


class SendGridEvents(ChannelEvents):
    name: ClassVar[str] = "sendgrid"

    def verify(self, inbound: Inbound, endpoint: EventEndpoint, now: datetime, fetch: Fetch) -> Verified | Handshake:  # noqa: ARG002
        """There is no time limit: a repetition finds its events known by `sg_event_id`."""
        from cryptography.exceptions import InvalidSignature, UnsupportedAlgorithm
        from cryptography.hazmat.primitives.asymmetric import ec
        from cryptography.hazmat.primitives.hashes import SHA256
        from cryptography.hazmat.primitives.serialization import load_der_public_key

        given = str(endpoint.settings.get("webhook_public_key") or "")
        timestamp = inbound.one(_TIMESTAMP) or ""
        if not given:
            raise WebhookRejected("no webhook_public_key is set")
        try:
            key = load_der_public_key(base64.b64decode("".join(given.split()), validate=True))
            signature = base64.b64decode(inbound.one(_SIGNATURE) or "", validate=True)
        except (ValueError, binascii.Error, UnsupportedAlgorithm) as error:
            raise WebhookRejected("signature or webhook_public_key cannot be read") from error
        if not isinstance(key, ec.EllipticCurvePublicKey):
            raise WebhookRejected("webhook_public_key is no ECDSA key")
        try:
            key.verify(signature, timestamp.encode("utf-8", "replace") + inbound.body, ec.ECDSA(SHA256()))
        except InvalidSignature as error:
            raise WebhookRejected("signature") from error
        return Verified(topic="events", dedup_key=hashlib.sha256(inbound.body).hexdigest())

    def read(self, verified: Verified, body: bytes) -> Sequence[ChannelEvent]:  # noqa: ARG002
        return [_event(told) for told in decode(body, list[dict[str, Any]])]


def _event(told: Mapping[str, Any]) -> ChannelEvent:
    raw_kind = text_of(told.get("event"))
    kind = _KINDS.get(raw_kind, ChannelEventKind.OTHER)
    reason = text_of(told.get("reason")) or text_of(told.get("response"))
    provider_id = text_of(told.get("sg_message_id"))
    given = text_of(told.get("sg_event_id"))
    name = given or event_id(raw_kind, provider_id, told.get("email"), told.get("timestamp"))
    args = [value for field, value in told.items() if field not in _THEIRS]
    status = enhanced_code(text_of(told.get("status")), reason)
    return ChannelEvent(
        id=name,
        kind=kind,
        at=time_of(seconds(told.get("timestamp")), topic=raw_kind),
        raw_kind=f"{raw_kind} {text_of(told.get('type'))}".strip() if kind is ChannelEventKind.BOUNCED else raw_kind,
        key=key_among([*args, told.get("smtp-id")]),
        # What sending answered is the part before `.filter...` or `.recvd-...`.
        provider_id=provider_id.partition(".filter")[0].partition(".recvd")[0],
        recipient=text_of(told.get("email")),
        bounce=_bounce(raw_kind, text_of(told.get("type")), status, reason),
        code=status or (reason if raw_kind == "dropped" else ""),
        url=text_of(told.get("url")),
        by_machine=told.get("sg_machine_open") is True,
    )


def _bounce(raw_kind: str, type_: str, status: str, reason: str) -> BounceKind | None:
    if raw_kind == "dropped":
        return _DROPPED.get(reason.lower(), BounceKind.OTHER)
    if raw_kind == "blocked" or (raw_kind == "bounce" and type_ == "blocked"):
        # `blocked` means "not kept on the bounce list": a full mailbox or a policy, told apart by the code.
        found = bounce_of(status, reason, otherwise=BounceKind.BLOCK)
        return BounceKind.BLOCK if found is BounceKind.HARD else found
    return bounce_of(status, reason, otherwise=BounceKind.HARD) if raw_kind == "bounce" else None
