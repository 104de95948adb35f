"""What 46elks tells of messages: delivery reports and replies. Neither is signed.

What stands for a signature is the unguessable key in the path, and basic auth where `events_user` is set
(https://www.46elks.se/docs/sms-delivery-reports, https://www.46elks.se/docs/receive-sms).
"""

from __future__ import annotations

import hmac
from collections.abc import Sequence
from datetime import datetime
from typing import ClassVar

from connector.contracts.channel_events import ChannelEvent, ChannelEventKind, ChannelEvents, EventEndpoint, Fetch
from connector.contracts.platform import Handshake, Inbound, Verified
from connector.errors import MalformedPayload, WebhookRejected
from flows.channels.forms import key_in, read_form, time_of
from flows.channels.posted import basic

_KINDS = {
    "created": ChannelEventKind.ACCEPTED,
    "sent": ChannelEventKind.ACCEPTED,
    "delivered": ChannelEventKind.DELIVERED,
    "failed": ChannelEventKind.FAILED,
}


class Elks46Events(ChannelEvents):
    """Reads one message's news a request."""

    name: ClassVar[str] = "elks46"

    def verify(self, inbound: Inbound, endpoint: EventEndpoint, now: datetime, fetch: Fetch) -> Verified | Handshake:
        """Basic auth where the channel has it; who knows the path is believed otherwise."""
        del fetch
        user, password = endpoint.settings.get("events_user"), endpoint.settings.get("events_password")
        if user:
            wanted, told = basic(str(user), str(password or "")), inbound.one("authorization") or ""
            if not password or not hmac.compare_digest(wanted.encode(), told.encode("utf-8", "surrogatepass")):
                raise WebhookRejected("signature")
        try:
            form = read_form(inbound.body)
        except MalformedPayload as error:
            raise WebhookRejected("shape") from error
        ident, status = form.get("id", ""), form.get("status", "")
        incoming = form.get("direction") == "incoming"
        if not ident or not (status or incoming):
            raise WebhookRejected("shape")
        word = "reply" if incoming else status
        return Verified(
            topic=word,
            dedup_key=f"{ident}/{word}",
            resource_id="" if incoming else key_in(inbound.query),
            event_id=ident,
            triggered_at=now,
        )

    def read(self, verified: Verified, body: bytes) -> Sequence[ChannelEvent]:
        form = read_form(body)
        reply = form.get("direction") == "incoming"
        if not form.get("id"):
            raise MalformedPayload("names no message", path="id")
        event = ChannelEvent(
            id=verified.dedup_key,
            kind=ChannelEventKind.REPLIED if reply else _KINDS.get(form.get("status", ""), ChannelEventKind.OTHER),
            at=time_of(form, "created" if reply else "delivered", verified.triggered_at),
            raw_kind=verified.topic,
            key=verified.resource_id or "",
            provider_id=form["id"],
            recipient=form.get("from" if reply else "to", ""),
            text=form.get("message", "") if reply else "",
        )
        return [event]
