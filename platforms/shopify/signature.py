"""Is this delivery Shopify's? Pure, and total: raises nothing but `WebhookRejected`.

The HMAC covers the body only (facts/shopify.md section 0.6). Topic, shop, ids and times are unsigned hints: each must
be there once and well formed, the shop must be the endpoint's where the endpoint has one, and where the body names the
shop it must be the same.
"""

from __future__ import annotations

import base64
import hashlib
import hmac
import re
from collections.abc import Sequence

import msgspec

from connector.contracts import Endpoint, Inbound, Verified
from connector.errors import WebhookRejected
from platforms.shopify.payloads.shop import ShopIdentity
from platforms.shopify.reading import time

FAMILIES = ("x-shopify-", "shopify-")
"""Classic webhooks, and the headers of Next Gen Events (facts/shopify.md section 1.2)."""

_DOMAIN = re.compile(r"[a-z0-9][a-z0-9-]{0,62}\.myshopify\.com")
_TOPIC = re.compile(r"[a-z0-9][a-z0-9_./-]{0,99}")
_TOKEN = re.compile(r"[\x21-\x7e]{1,128}")
_BODY_NAMES_SHOP = frozenset(
    {"app/uninstalled", "customers/data_request", "customers/redact", "shop/redact", "shop/update"}
)


def verify_delivery(inbound: Inbound, endpoint: Endpoint) -> Verified:
    """Check the signature, then the hints. `reason` of the error: signature, missing_header, shape or shop."""
    family = _family(inbound)
    _check_signature(inbound, family, endpoint.secrets)
    if not inbound.body.startswith(b"{"):
        raise WebhookRejected("shape", "a Shopify body begins with {: something else was signed with this secret")
    topic = _required(inbound, f"{family}topic", _TOPIC)
    domain = _required(inbound, f"{family}shop-domain", _DOMAIN)
    is_test = (inbound.one(f"{family}test") or "").strip().lower() == "true"
    if endpoint.shop is not None and endpoint.shop.domain.strip().lower() != domain:
        raise WebhookRejected("shop", "the shop in the headers is not the shop of this URL")
    quarantine = ""
    if topic in _BODY_NAMES_SHOP and not _body_agrees(inbound.body, domain):
        if not is_test:
            raise WebhookRejected("shop", "the shop in the body is not the shop in the headers")
        quarantine = "a test delivery whose sample body names another shop"
    return Verified(
        topic=topic,
        dedup_key=_optional(inbound, f"{family}webhook-id") or f"sha256:{hashlib.sha256(inbound.body).hexdigest()}",
        shop_domain=domain,
        api_version=_optional(inbound, f"{family}api-version"),
        event_id=_optional(inbound, f"{family}event-id"),
        triggered_at=time(_optional(inbound, f"{family}triggered-at")),
        is_test=is_test,
        quarantine=quarantine,
    )


def _family(inbound: Inbound) -> str:
    """The prefix of the one header family that signs this delivery."""
    signed = [family for family in FAMILIES if f"{family}hmac-sha256" in inbound.headers]
    if not signed:
        raise WebhookRejected(
            "missing_header", "no X-Shopify-Hmac-Sha256 header: the request does not come from Shopify"
        )
    if len(signed) > 1:
        raise WebhookRejected("shape", "two header families in one request")
    return signed[0]


def _check_signature(inbound: Inbound, family: str, secrets: Sequence[bytes]) -> None:
    """Compare bytes with bytes: `compare_digest` raises TypeError on text that is not ASCII.

    All secrets are tried, so that the time taken does not tell which one held; an empty one never counts.
    """
    try:
        given = base64.b64decode((inbound.one(f"{family}hmac-sha256") or "").encode("ascii"), validate=True)
    except ValueError:
        raise WebhookRejected("signature", "the signature is no base64") from None
    if len(given) != hashlib.sha256().digest_size:
        raise WebhookRejected("signature", "the signature has not 32 bytes")
    matches = [hmac.compare_digest(hmac.digest(secret, inbound.body, "sha256"), given) for secret in secrets if secret]
    if not any(matches):
        raise WebhookRejected("signature", "the signature does not match: is the app's client secret the current one?")


def _required(inbound: Inbound, name: str, shape: re.Pattern[str]) -> str:
    values = inbound.headers.get(name, ())
    if not values:
        raise WebhookRejected("missing_header", f"{name} is missing")
    value = values[0].lower()
    if len(values) > 1 or not shape.fullmatch(value):
        raise WebhookRejected("shape", f"{name} is repeated or malformed")
    return value


def _optional(inbound: Inbound, name: str) -> str | None:
    value = (inbound.one(name) or "").strip()
    return value if _TOKEN.fullmatch(value) else None


def _body_agrees(body: bytes, domain: str) -> bool:
    """Whether the shop a body names, if it names one, is `domain`.

    `domain` of a Shop body is the shop's own domain and counts only where it is a myshopify.com one. A body that
    cannot be read names nobody: it is kept, and reading it later says what is wrong.
    """
    try:
        told = msgspec.json.decode(body, type=ShopIdentity)
    except (msgspec.DecodeError, UnicodeDecodeError, RecursionError):
        return True
    named = [value.strip().lower() for value in (told.shop_domain, told.myshopify_domain) if value]
    primary = (told.domain or "").strip().lower()
    if primary.endswith(".myshopify.com"):
        named.append(primary)
    return all(value == domain for value in named)
