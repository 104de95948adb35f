"""What readers of providers' events have in common: our key, whose fault a bounce is, ids for events without."""

from __future__ import annotations

import base64
import hashlib
import hmac
import re
from collections.abc import Iterable, Mapping
from datetime import UTC, datetime
from typing import Any

from connector.codec import decode
from connector.contracts.channel_events import BounceKind, EventEndpoint
from connector.contracts.platform import Inbound
from connector.errors import MalformedPayload, WebhookRejected

KEY = re.compile(r"[0-9a-hjkmnp-tv-z]{24}")
"""A message's key as we derive it (`flows.sending.addressing.derive_token`)."""
_OF_MESSAGE_ID = re.compile(r"\s*<?([0-9a-hjkmnp-tv-z]{24})@")
_ENHANCED = re.compile(r"(?<![\d.])([245])\.(\d{1,3})\.(\d{1,3})(?![\d.])")
_SENDERS = frozenset({(1, 7), (1, 8)})  # RFC 3463: the sender's address, not the recipient's
_GONE = re.compile(
    r"(user|recipient|mailbox|address|account)s?( \S+){0,4} (unknown|not found|does not exist|disabled|unavailable)"
    r"|(unknown|no such|invalid) (user|recipient|mailbox|address|account)|does(n't| not) exist|no mailbox here",
    re.IGNORECASE,
)
_FULL = re.compile(r"(mailbox|quota|storage)( \S+){0,3} (full|exceeded)|over ?quota|out of storage", re.IGNORECASE)
_BLOCKED = re.compile(r"\b(spam|blocked|block ?list|black ?list|dnsbl|policy|reputation|dmarc|spf|dkim)", re.IGNORECASE)
_LONGEST = 300


def text_of(value: object) -> str:
    """Text as it is, a number as text, anything else empty. Bounded, and without NUL, which no database takes."""
    if isinstance(value, bool) or not isinstance(value, str | int | float):
        return ""
    return str(value).replace("\0", "")[:_LONGEST]


def bytes_of(text: str) -> bytes:
    """The text as bytes, whatever is in it: half a surrogate cannot be encoded, and must not stop a check."""
    return text.encode("utf-8", "backslashreplace")


def table_of(value: object) -> Mapping[str, Any]:
    """The object, or an empty one where there is something else."""
    return value if isinstance(value, dict) else {}


def list_of(value: object) -> list[Any]:
    return value if isinstance(value, list) else []


def json_table(body: bytes) -> Mapping[str, Any]:
    """The body as a JSON object. Raises `MalformedPayload`."""
    return decode(body, dict[str, Any])


def key_among(values: Iterable[object]) -> str:
    """The first of the values that is a key of ours, as it is or as the local part of a Message-ID; empty without."""
    for value in values:
        if not isinstance(value, str):
            continue
        if KEY.fullmatch(value):
            return value
        found = _OF_MESSAGE_ID.match(value)
        if found:
            return found[1]
    return ""


def event_id(*parts: object) -> str:
    """A name for an event whose provider gives it none: the same parts make the same name."""
    return hashlib.sha256("\n".join(map(str, parts)).encode("utf-8", "replace")).hexdigest()[:32]


def enhanced_code(*texts: str) -> str:
    """The enhanced status code (RFC 3463) in the texts, `5.1.1`; empty where none stands there."""
    for text in texts:
        found = _ENHANCED.search(text)
        if found:
            return found[0]
    return ""


def bounce_of(*texts: str, otherwise: BounceKind = BounceKind.OTHER) -> BounceKind:
    """Whose fault a bounce is (facts/messaging.md 5.4): 5.1.x the address', 5.2.2 and 4.x not for long, 5.7.x ours.

    The code decides where there is a telling one, else the provider's word (`otherwise`), else the server's sentence.
    """
    for text in texts:
        found = _ENHANCED.search(text)
        if found and (kind := _by_code(int(found[1]), int(found[2]), int(found[3]))) is not None:
            return kind
    if otherwise is not BounceKind.OTHER:
        return otherwise
    said = " ".join(texts)
    if _FULL.search(said):
        return BounceKind.SOFT
    if _GONE.search(said):
        return BounceKind.HARD
    return BounceKind.BLOCK if _BLOCKED.search(said) else BounceKind.OTHER


def _by_code(first: int, subject: int, detail: int) -> BounceKind | None:
    if first == 4:
        return BounceKind.SOFT
    if subject == 7 or (subject, detail) in _SENDERS:
        return BounceKind.BLOCK
    if subject == 1 or (subject, detail) == (2, 1):
        return BounceKind.HARD
    if (subject, detail) in ((2, 2), (3, 1), (4, 4)):  # full, the system is full, no route (a domain may come back)
        return BounceKind.SOFT
    return None


def seconds(value: object) -> datetime | None:
    """Unix seconds, whole or with a fraction, as a number or as text."""
    try:
        return datetime.fromtimestamp(float(str(value)), UTC) if not isinstance(value, bool) else None
    except (ValueError, OverflowError, OSError):
        return None


def iso(value: object) -> datetime | None:
    """An ISO 8601 time; one without zone is UTC."""
    try:
        found = datetime.fromisoformat(_short_fraction(str(value)))
        return (found if found.tzinfo else found.replace(tzinfo=UTC)).astimezone(UTC)
    except (ValueError, OverflowError):
        return None


def _short_fraction(text: str) -> str:
    """.NET writes seven digits of a second, more than `datetime` reads."""
    return re.sub(r"(\.\d{6})\d+", r"\1", text)


def time_of(*found: datetime | None, topic: str) -> datetime:
    """The first that is there. Raises `MalformedPayload` when the event tells no time."""
    for at in found:
        if at is not None:
            return at
    raise MalformedPayload("tells no time", topic=topic)


def check_basic(inbound: Inbound, endpoint: EventEndpoint) -> None:
    """Let in who knows `webhook_user` and `webhook_password` (basic authentication), or `webhook_token` (bearer).

    For providers that sign nothing. Raises `WebhookRejected`, also when neither is configured.
    """
    scheme, _, given = (inbound.one("authorization") or "").partition(" ")
    user, password, token = (
        str(endpoint.settings.get(f"webhook_{name}") or "") for name in ("user", "password", "token")
    )
    wanted = {}
    if user and password:
        wanted["basic"] = base64.b64encode(bytes_of(f"{user}:{password}")).decode()
    if token:
        wanted["bearer"] = token
    if not wanted:
        raise WebhookRejected("no webhook_user and webhook_password, or webhook_token, is set")
    right = wanted.get(scheme.lower(), "")
    if not right or not hmac.compare_digest(bytes_of(given.strip()), bytes_of(right)):
        raise WebhookRejected("authorization")
