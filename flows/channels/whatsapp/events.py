"""What Meta tells of WhatsApp messages: a handshake first, then statuses and replies signed with the app's secret.

https://developers.facebook.com/documentation/business-messaging/whatsapp/webhooks/reference/messages/status/
"""

from __future__ import annotations

import hashlib
import hmac
import json
import re
from collections.abc import Iterator, Mapping, Sequence
from datetime import UTC, datetime
from typing import Any, ClassVar
from urllib.parse import parse_qsl

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
from flows.channels.forms import known_key

_KINDS = {
    "sent": ChannelEventKind.ACCEPTED,
    "delivered": ChannelEventKind.DELIVERED,
    "read": ChannelEventKind.OPENED,
    "played": ChannelEventKind.OPENED,
    "failed": ChannelEventKind.FAILED,
}
_OBJECTED, _UNDELIVERABLE = "131050", "131026"
_CHALLENGE = re.compile(r"[A-Za-z0-9_.-]{1,200}")


class WhatsAppEvents(ChannelEvents):
    """Reads a batch a request."""

    name: ClassVar[str] = "whatsapp"

    def verify(self, inbound: Inbound, endpoint: EventEndpoint, now: datetime, fetch: Fetch) -> Verified | Handshake:
        """GET is the handshake (`hub.challenge`), all else is signed in `X-Hub-Signature-256`."""
        del fetch
        if inbound.method == "GET":
            return _handshake(inbound.query, endpoint)
        secret, told = endpoint.settings.get("app_secret"), inbound.one("x-hub-signature-256")
        if not isinstance(secret, str) or not secret:
            raise WebhookRejected("secret", "the channel has no app_secret")
        if not told:
            raise WebhookRejected("missing_header")
        signed = "sha256=" + hmac.new(secret.encode(), inbound.body, hashlib.sha256).hexdigest()
        if not hmac.compare_digest(signed.encode(), told.encode("utf-8", "surrogatepass")):
            raise WebhookRejected("signature")
        digest = hashlib.sha256(inbound.body).hexdigest()
        return Verified(topic="messages", dedup_key=digest, triggered_at=now)

    def read(self, verified: Verified, body: bytes) -> Sequence[ChannelEvent]:
        try:
            found = json.loads(body)
        except (ValueError, RecursionError) as error:
            raise MalformedPayload("is no JSON", topic=verified.topic) from error
        return [event for value in _values(found) for event in _events(value, verified.triggered_at)]


def _handshake(query: str, endpoint: EventEndpoint) -> Handshake:
    wanted = endpoint.settings.get("verify_token")
    try:
        told = dict(parse_qsl(query, max_num_fields=20))
    except ValueError as error:
        raise WebhookRejected("shape") from error
    token = told.get("hub.verify_token", "").encode("utf-8", "surrogatepass")
    if not isinstance(wanted, str) or not wanted or not hmac.compare_digest(wanted.encode(), token):
        raise WebhookRejected("signature")
    challenge = told.get("hub.challenge", "")
    if told.get("hub.mode") != "subscribe" or not _CHALLENGE.fullmatch(challenge):
        raise WebhookRejected("shape")
    return Handshake(body=challenge.encode())


def _items(found: Any, name: str) -> list[dict[str, Any]]:
    listed = found.get(name) if isinstance(found, dict) else None
    return [each for each in listed if isinstance(each, dict)] if isinstance(listed, list) else []


def _values(found: Any) -> Iterator[Mapping[str, Any]]:
    if not isinstance(found, dict):
        raise MalformedPayload("is no object")
    for entry in _items(found, "entry"):
        for change in _items(entry, "changes"):
            if change.get("field", "messages") == "messages" and isinstance(change.get("value"), dict):
                yield change["value"]


def _events(value: Mapping[str, Any], heard: datetime | None) -> Iterator[ChannelEvent]:
    for status in _items(value, "statuses"):
        yield _status(status, heard)
    for message in _items(value, "messages"):
        ident = _text(message, "id", "messages.id")
        yield ChannelEvent(
            id=f"{ident}/reply",
            kind=ChannelEventKind.REPLIED,
            at=_time(message, heard),
            raw_kind=str(message.get("type") or "reply"),
            provider_id=ident,
            recipient=_number(message.get("from")),
            text=_said(message),
        )


def _status(status: Mapping[str, Any], heard: datetime | None) -> ChannelEvent:
    ident, word = _text(status, "id", "statuses.id"), str(status.get("status") or "")
    kind = _KINDS.get(word, ChannelEventKind.OTHER)
    errors = _items(status, "errors")
    code = str(errors[0].get("code", "")) if errors else ""
    bounce = None
    if kind is ChannelEventKind.FAILED and code == _OBJECTED:
        kind = ChannelEventKind.UNSUBSCRIBED
    elif kind is ChannelEventKind.FAILED and code == _UNDELIVERABLE:
        kind, bounce = ChannelEventKind.BOUNCED, BounceKind.SOFT  # no account there, or an old program on the phone
    return ChannelEvent(
        id=f"{ident}/{word}",
        kind=kind,
        at=_time(status, heard),
        raw_kind=word,
        key=known_key(str(status.get("biz_opaque_callback_data") or "")),
        provider_id=ident,
        recipient=_number(status.get("recipient_id")),
        bounce=bounce,
        code=code,
    )


def _said(message: Mapping[str, Any]) -> str:
    """What a person wrote, or the button they pressed."""
    for kind, name in (("text", "body"), ("button", "text")):
        part = message.get(kind)
        if isinstance(part, dict) and isinstance(part.get(name), str):
            return str(part[name])
    return ""


def _text(found: Mapping[str, Any], name: str, path: str) -> str:
    value = found.get(name)
    if not isinstance(value, str) or not value:
        raise MalformedPayload("names no message", path=path)
    return value


def _number(value: object) -> str:
    """E.164; Meta writes it without the plus. Some people's number is not told (business-scoped ids)."""
    return f"+{value}" if isinstance(value, str) and value.isdecimal() else ""


def _time(found: Mapping[str, Any], otherwise: datetime | None) -> datetime:
    try:
        return datetime.fromtimestamp(int(str(found.get("timestamp"))), UTC)
    except (ValueError, OverflowError, OSError) as error:
        if otherwise is None:
            raise MalformedPayload("has no time", path="timestamp") from error
        return otherwise
