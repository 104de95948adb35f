"""Signed webhooks after Standard Webhooks 1.0.0, symmetric (https://www.standardwebhooks.com).

The signature is HMAC-SHA256 over `id.timestamp.body`, in base64 behind `v1,`; a secret is `whsec_` and 24 to 64 bytes
in base64. While a secret is changed a request carries the signatures of both, with a space between.
"""

from __future__ import annotations

import base64
import binascii
import hashlib
import hmac
import os
from collections.abc import Mapping, Sequence
from datetime import datetime, timedelta

PREFIX = "whsec_"
ID, TIMESTAMP, SIGNATURE = "webhook-id", "webhook-timestamp", "webhook-signature"
TOLERANCE = timedelta(minutes=5)
"""How far a receiver's clock may be from the sender's; older requests may be replays."""
_SHORTEST, _LONGEST = 24, 64


def make_secret() -> str:
    """A fresh secret of 32 bytes. From the operating system, not from the `Clock`, which a test may have seeded."""
    return PREFIX + base64.b64encode(os.urandom(32)).decode()


def read_secret(text: str) -> bytes:
    """The key behind a `whsec_` text. Raises `ValueError`, which never quotes it."""
    if not text.startswith(PREFIX):
        raise ValueError("should begin with whsec_")
    try:
        key = base64.b64decode(text.removeprefix(PREFIX), validate=True)
    except (binascii.Error, ValueError):
        raise ValueError("should be base64 behind whsec_") from None
    if not _SHORTEST <= len(key) <= _LONGEST:
        raise ValueError(f"should have {_SHORTEST} to {_LONGEST} bytes")
    return key


def sign(message_id: str, at: datetime, body: bytes, secrets: Sequence[str]) -> dict[str, str]:
    """The three headers of a request. `message_id` holds no full stop: it could be taken for the timestamp's.

    Raises `ValueError` for an id with one, and for a secret that is none.
    """
    if not message_id or "." in message_id:
        raise ValueError("an id without full stops is needed")
    timestamp = str(int(at.timestamp()))
    signatures = [f"v1,{_signature(message_id, timestamp, body, secret)}" for secret in secrets]
    return {ID: message_id, TIMESTAMP: timestamp, SIGNATURE: " ".join(signatures)}


def is_signed(headers: Mapping[str, str], body: bytes, secrets: Sequence[str], now: datetime) -> bool:
    """Whether a request is signed with one of the secrets, within the tolerance. Total: no header makes it raise."""
    found = {name.lower(): value for name, value in headers.items()}
    message_id, timestamp = found.get(ID, ""), found.get(TIMESTAMP, "")
    if not message_id or not (timestamp.isascii() and timestamp.isdigit()) or len(timestamp) > 12:
        return False
    if abs(now.timestamp() - int(timestamp)) > TOLERANCE.total_seconds():
        return False
    given = [part.removeprefix("v1,") for part in found.get(SIGNATURE, "").split(" ") if part.startswith("v1,")]
    wanted = [_signature(message_id, timestamp, body, secret) for secret in secrets]
    return any(hmac.compare_digest(one.encode(), other.encode()) for one in given for other in wanted)


def _signature(message_id: str, timestamp: str, body: bytes, secret: str) -> str:
    content = f"{message_id}.{timestamp}.".encode() + body
    return base64.b64encode(hmac.digest(read_secret(secret), content, hashlib.sha256)).decode()
