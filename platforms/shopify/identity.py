"""Proving that a query or an ID token comes from Shopify, for which shop, and that it is fresh. Pure.

Rules: facts/shopify.md section 2.1; shopify.dev/docs/apps/build/authentication-authorization (authorization code grant,
session tokens). The client secret of the app signs both; all secrets of a rotation are tried.
"""

from __future__ import annotations

import base64
import hmac
import json
import re
from collections.abc import Collection, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import Any
from urllib.parse import urlsplit

from connector.errors import ConnectRefused

FRESH = timedelta(minutes=5)
"""How old, or how far ahead of our clock, a signed query may be."""
LEEWAY = timedelta(seconds=10)
"""How far two clocks may differ for an ID token, which lives a minute."""

_DOMAIN = re.compile(r"[a-zA-Z0-9][a-zA-Z0-9-]{0,62}\.myshopify\.com", re.ASCII)
_HEX = re.compile(r"[0-9a-f]{64}", re.ASCII)
_DIGITS = re.compile(r"[0-9]{1,12}", re.ASCII)
_PART = re.compile(r"[A-Za-z0-9_-]+", re.ASCII)
_LONGEST = 8192


@dataclass(frozen=True, slots=True, kw_only=True)
class IdToken:
    """Who has the app open: `shop` is the myshopify.com domain, `user` Shopify's id of the staff member."""

    shop: str
    user: str
    until: datetime


def refusal(reason: str) -> ConnectRefused:
    """What is not believed, with a short machine word for why."""
    return ConnectRefused(reason, f"not accepted as coming from Shopify: {reason}")


def shop_domain(text: str) -> str:
    """The domain in lower case. Raises `ConnectRefused` for anything but `<name>.myshopify.com`."""
    if not _DOMAIN.fullmatch(text):
        raise refusal("shop")
    return text.lower()


def verify_query(pairs: Sequence[tuple[str, str]], secrets: Collection[str], now: datetime) -> str:
    """Check `hmac`, `timestamp` and `shop` of a query Shopify's pages send a browser with; the shop's domain.

    Hexadecimal HMAC-SHA256 of the sorted `key=value` pairs joined by `&`, `hmac` left out. A repeated key is refused:
    what we read might not be what was signed. Raises `ConnectRefused`: repeated, hmac, stale or shop.
    """
    query = dict(pairs)
    if len(query) != len(pairs):
        raise refusal("repeated")
    given = query.pop("hmac", "")
    message = "&".join(f"{key}={value}" for key, value in sorted(query.items())).encode("utf-8", "surrogatepass")
    matches = [
        hmac.compare_digest(hmac.new(s.encode(), message, "sha256").hexdigest(), given) for s in _real(secrets, given)
    ]
    if not any(matches):
        raise refusal("hmac")
    stamp = query.get("timestamp", "")
    if not _DIGITS.fullmatch(stamp) or abs(now - datetime.fromtimestamp(int(stamp), UTC)) > FRESH:
        raise refusal("stale")
    return shop_domain(query.get("shop", ""))


def _real(secrets: Collection[str], given: str) -> list[str]:
    """The secrets to try; none for a signature that has not the form of one (`compare_digest` wants ASCII)."""
    return [secret for secret in secrets if secret] if _HEX.fullmatch(given) else []


def verify_id_token(token: str, client_id: str, secrets: Collection[str], now: datetime) -> IdToken:
    """Read an ID (session) token. HS256 only, whatever its header wishes; `exp` and `nbf` must be there.

    Raises `ConnectRefused`: shape, algorithm, signature, audience, expired, early or shop.
    """
    head, body, signature = _parts(token)
    if head.get("alg") != "HS256":
        raise refusal("algorithm")
    signed = token.rpartition(".")[0].encode("ascii")
    digests = [hmac.new(secret.encode(), signed, "sha256").digest() for secret in secrets if secret]
    if not any(hmac.compare_digest(digest, signature) for digest in digests):
        raise refusal("signature")
    if not client_id or body.get("aud") != client_id:
        raise refusal("audience")
    until, begins = _time(body.get("exp")), _time(body.get("nbf"))
    if now >= until + LEEWAY:
        raise refusal("expired")
    if now < begins - LEEWAY:
        raise refusal("early")
    issuer, destination = _host(body.get("iss")), _host(body.get("dest"))
    if issuer != destination:
        raise refusal("shop")
    return IdToken(shop=shop_domain(destination), user=str(body.get("sub") or ""), until=until)


def _parts(token: str) -> tuple[dict[str, Any], dict[str, Any], bytes]:
    parts = token.split(".")
    if len(token) > _LONGEST or len(parts) != 3 or not all(_PART.fullmatch(part) for part in parts):
        raise refusal("shape")
    try:
        head, body = (json.loads(_decoded(part)) for part in parts[:2])
        signature = _decoded(parts[2])
    except (ValueError, RecursionError):
        raise refusal("shape") from None
    if not isinstance(head, dict) or not isinstance(body, dict):
        raise refusal("shape")
    return head, body, signature


def _decoded(part: str) -> bytes:
    return base64.urlsafe_b64decode(part + "=" * (-len(part) % 4))


def _time(value: Any) -> datetime:
    if isinstance(value, bool) or not isinstance(value, int | float):
        raise refusal("shape")
    try:
        return datetime.fromtimestamp(value, UTC)
    except (OverflowError, ValueError, OSError):
        raise refusal("shape") from None


def _host(value: Any) -> str:
    """The host of an https address without port or user; empty for anything else."""
    try:
        parts = urlsplit(value) if isinstance(value, str) else None
    except ValueError:
        return ""
    if parts is None or parts.scheme != "https" or parts.netloc != parts.hostname:
        return ""
    return parts.hostname or ""
