"""What Twilio tells of messages: status callbacks and replies, signed with the account's auth token.

Signature: https://www.twilio.com/docs/usage/security#validating-requests (HMAC-SHA1 over the public address with its
query, and the form's fields sorted by name). Statuses: https://www.twilio.com/docs/messaging/api/message-resource
"""

from __future__ import annotations

import base64
import hashlib
import hmac
from collections.abc import Sequence
from datetime import datetime
from typing import ClassVar

from connector.contracts.channel_events import (
    BounceKind,
    ChannelEvent,
    ChannelEventKind,
    ChannelEvents,
    EventEndpoint,
    Fetch,
)
from connector.contracts.platform import Handshake, Inbound, Verified
from connector.errors import MalformedPayload, WebhookRejected
from flows.channels.forms import form_pairs, key_in, read_form

_KINDS = {
    "accepted": ChannelEventKind.ACCEPTED,
    "scheduled": ChannelEventKind.ACCEPTED,
    "queued": ChannelEventKind.ACCEPTED,
    "sending": ChannelEventKind.ACCEPTED,
    "sent": ChannelEventKind.ACCEPTED,
    "delivered": ChannelEventKind.DELIVERED,
    "read": ChannelEventKind.OPENED,
    "undelivered": ChannelEventKind.BOUNCED,
    "failed": ChannelEventKind.FAILED,
    "canceled": ChannelEventKind.FAILED,
}
_BOUNCES = {
    "30003": BounceKind.SOFT,  # the phone is off or out of reach
    "30004": BounceKind.BLOCK,
    "30005": BounceKind.HARD,  # nobody has the number
    "30006": BounceKind.HARD,  # a landline
    "30007": BounceKind.BLOCK,  # filtered by the carrier
    "21610": BounceKind.BLOCK,
    "21211": BounceKind.HARD,
    "21614": BounceKind.HARD,
}
OPTED_OUT = "21610"


class TwilioEvents(ChannelEvents):
    """Reads one message's news a request."""

    name: ClassVar[str] = "twilio"

    def verify(self, inbound: Inbound, endpoint: EventEndpoint, now: datetime, fetch: Fetch) -> Verified | Handshake:
        """`X-Twilio-Signature` over the address it was told. The key in the query is covered by it."""
        del fetch
        token, told = endpoint.settings.get("auth_token"), inbound.one("x-twilio-signature")
        if not isinstance(token, str) or not token:
            raise WebhookRejected("secret", "the channel has no auth_token")
        if not told:
            raise WebhookRejected("missing_header")
        address = str(endpoint.settings.get("events_url") or endpoint.url)
        url = f"{address}?{inbound.query}" if inbound.query else address
        try:
            signed = signature(token, url, inbound.body)
            form = read_form(inbound.body)
        except MalformedPayload as error:
            raise WebhookRejected("shape") from error
        if not hmac.compare_digest(signed.encode(), told.encode("utf-8", "surrogatepass")):
            raise WebhookRejected("signature")
        sid, status = form.get("MessageSid", ""), form.get("MessageStatus", "")
        if not sid:
            raise WebhookRejected("shape")
        return Verified(
            topic=status or "reply",
            dedup_key=f"{sid}/{status or 'reply'}",
            resource_id=key_in(inbound.query),
            event_id=sid,
            triggered_at=now,
        )

    def read(self, verified: Verified, body: bytes) -> Sequence[ChannelEvent]:
        form = read_form(body)
        sid, status, at = form.get("MessageSid", ""), form.get("MessageStatus", ""), verified.triggered_at
        if not sid or at is None:
            raise MalformedPayload("names no message", path="MessageSid")
        if not status:
            kind, bounce = ChannelEventKind.REPLIED, None
        else:
            kind, bounce = _KINDS.get(status, ChannelEventKind.OTHER), None
        code = form.get("ErrorCode", "")
        if kind in (ChannelEventKind.BOUNCED, ChannelEventKind.FAILED) and code:
            bounce = _BOUNCES.get(code, BounceKind.OTHER)
            kind = ChannelEventKind.UNSUBSCRIBED if code == OPTED_OUT else kind
        reply = kind is ChannelEventKind.REPLIED
        event = ChannelEvent(
            id=verified.dedup_key,
            kind=kind,
            at=at,
            raw_kind=status or "reply",
            key="" if reply else verified.resource_id or "",
            provider_id=sid,
            recipient=form.get("From" if reply else "To", ""),
            bounce=bounce,
            code=code,
            text=form.get("Body", "") if reply else "",
        )
        return [event]


def signature(token: str, url: str, body: bytes) -> str:
    """The header's value for a form. Raises `MalformedPayload` for a body that is none."""
    fields = "".join(name + value for name, value in sorted(set(form_pairs(body))))
    return base64.b64encode(
        hmac.digest(token.encode(), (url + fields).encode("utf-8", "surrogatepass"), hashlib.sha1)
    ).decode()
