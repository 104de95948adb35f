"""Who sent it: the signature, the ping and the source of a WooCommerce request (facts/woocommerce.md section 1).

Pure and total: whatever bytes come in, these functions answer, and the only error is `WebhookRejected`.
"""

from __future__ import annotations

import base64
import binascii
import contextlib
import hashlib
import hmac
import re
from collections.abc import Sequence

from connector.contracts import Inbound
from connector.errors import WebhookRejected
from connector.model import Shop

SIGNATURE = "x-wc-webhook-signature"
TOPIC = "x-wc-webhook-topic"
SOURCE = "x-wc-webhook-source"
DELIVERY_ID = "x-wc-webhook-delivery-id"

_DIGEST_SIZE = 32
_TOPIC = re.compile(r"[a-z][a-z0-9_]{0,63}\.[A-Za-z0-9_.:/-]{1,190}", re.ASCII)
_PING = re.compile(rb"webhook_id=[0-9]{1,20}")
_VERSION = re.compile(r"WooCommerce/([0-9][0-9A-Za-z.\-]{0,30})", re.ASCII)
_SCHEME = re.compile(r"\A[a-z][a-z0-9+.-]*://", re.IGNORECASE)

# The entities wp_specialchars_decode( $secret, ENT_QUOTES ) knows, and no others: a general HTML unescape would
# also turn &euro; into a sign the shop never signed with.
# https://developer.wordpress.org/reference/functions/wp_specialchars_decode/
_ENTITY = re.compile(
    rb"&(?:(?P<amp>amp|\#0*38|\#[xX]0*26)|(?P<lt>lt|\#0*60)|(?P<gt>gt|\#0*62)"
    rb"|(?P<quot>quot|\#0*34|\#[xX]0*22)|(?P<apos>\#0*39|\#[xX]0*27));"
)
_DECODED = {"amp": b"&", "lt": b"<", "gt": b">", "quot": b'"', "apos": b"'"}


def decode_secret(secret: bytes) -> bytes:
    """The key the shop really signs with: its secret after WordPress' own entity decoding, in one pass.

    >>> decode_secret(b"a &amp;amp; &#039;b&#x27; &euro;")
    b"a &amp; 'b' &euro;"
    """
    return _ENTITY.sub(lambda match: _DECODED[match.lastgroup or ""], secret)


def is_ping(inbound: Inbound) -> bool:
    """The unsigned `webhook_id=3` a shop sends while it is still creating the webhook, and after each answer
    that was not exactly 200. It may name an id nobody has told us yet."""
    if any(name.startswith("x-wc-") for name in inbound.headers):
        return False
    media = (inbound.one("content-type") or "").partition(";")[0].strip().lower()
    return media == "application/x-www-form-urlencoded" and _PING.fullmatch(inbound.body) is not None


def check_signature(inbound: Inbound, secrets: Sequence[bytes]) -> None:
    """Raise `WebhookRejected` unless one of the secrets signed the raw body.

    Digests are compared as bytes: `hmac.compare_digest` raises TypeError for a non-ASCII text (promises B1 row 1).
    """
    header = inbound.one(SIGNATURE)
    if header is None:
        raise WebhookRejected("missing_header", f"{SIGNATURE} must be present exactly once")
    try:
        given = base64.b64decode(header.encode("ascii"), validate=True)
    except (UnicodeEncodeError, binascii.Error) as error:
        raise WebhookRejected("signature", f"{SIGNATURE} is no base64") from error
    if len(given) != _DIGEST_SIZE:
        raise WebhookRejected("signature", f"{SIGNATURE} has not {_DIGEST_SIZE} bytes")
    # An empty secret would let anyone sign.
    keys = [decode_secret(secret) for secret in secrets if secret]
    if not any(hmac.compare_digest(hmac.digest(key, inbound.body, hashlib.sha256), given) for key in keys):
        raise WebhookRejected("signature", "no secret of this endpoint signed the body")


def read_topic(inbound: Inbound) -> str:
    """The topic, well-formed and present exactly once; else `WebhookRejected`."""
    topic = inbound.one(TOPIC)
    if topic is None:
        raise WebhookRejected("missing_header", f"{TOPIC} must be present exactly once")
    if not _TOPIC.fullmatch(topic):
        raise WebhookRejected("shape", f"{TOPIC} is no topic")
    return topic


def read_version(inbound: Inbound) -> str | None:
    """The WooCommerce version the shop's user agent names."""
    match = _VERSION.match(inbound.one("user-agent") or "")
    return match.group(1) if match else None


def site_key(address: str) -> str:
    """Host and path of a site in the form in which http, https, www and a closing slash make no difference.

    >>> site_key("HTTPS://www.Kauppa.example/shop/") == site_key("kauppa.example/shop")
    True
    """
    bare = _SCHEME.sub("", address.strip()).partition("?")[0].partition("#")[0].rstrip("/")
    host, slash, path = bare.partition("/")
    host = host.lower().removeprefix("www.").rstrip(".")
    if not host.isascii():
        with contextlib.suppress(UnicodeError):  # an impossible name stays as it is and equals no shop
            host = host.encode("idna").decode("ascii")
    return f"{host}{slash}{path}"


def quarantine_reason(inbound: Inbound, shop: Shop | None) -> str:
    """Why the delivery must not be acted on, or "".

    A staging clone of the shop signs with the same secret under the same webhook id: only this header tells them
    apart (facts/woocommerce.md section 1.6), and a test shop must not mail real customers.
    """
    source = inbound.one(SOURCE)
    if source is None:
        return "source missing: the delivery does not say which site sent it"
    if shop is None:
        return "source cannot be compared: the endpoint belongs to no shop"
    if site_key(source) != site_key(shop.url or shop.domain):
        shown = "".join(c for c in site_key(source)[:100] if c.isprintable())
        return f"source {shown} is not this shop (a staging clone?)"
    return ""
