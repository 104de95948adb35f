"""Pages of ours inside the shop (app proxy), and links into it. Pure.

The proxy's signature: hexadecimal HMAC-SHA256 of the sorted `key=value` pairs joined by nothing, repeated values joined
by commas (shopify.dev/docs/apps/build/online-store/app-proxies/authenticate-app-proxies; facts/shopify.md section 3.2).
"""

from __future__ import annotations

import hmac
import re
from collections.abc import Mapping, Sequence
from datetime import UTC, datetime, timedelta
from urllib.parse import quote, urlencode

from connector.contracts import Endpoint, LinksToShop, ProxyVisit, VerifiesProxy
from connector.errors import Refused, WebhookRejected
from connector.model import Shop

REPLAY_WINDOW = timedelta(seconds=90)
"""How old, or how far ahead of our clock, a signed request may be. Within it a repetition passes: pages only read."""
_DOMAIN = re.compile(r"[a-z0-9][a-z0-9-]*\.myshopify\.com", re.ASCII)
_DIGITS = re.compile(r"[0-9]{1,20}", re.ASCII)


class Storefront(VerifiesProxy, LinksToShop):
    """What needs no call."""

    def verify_proxy(self, query: Sequence[tuple[str, str]], endpoint: Endpoint, now: datetime) -> ProxyVisit:
        """See the module's head. `logged_in_customer_id` is empty when nobody is logged in."""
        given: dict[str, list[str]] = {}
        for name, value in query:
            given.setdefault(name, []).append(value)
        signatures = given.pop("signature", [])
        if len(signatures) != 1 or not _signed(given, signatures[0], endpoint.secrets):
            raise WebhookRejected("signature")
        domain, stamp = _single(given, "shop"), _single(given, "timestamp")
        if not _DOMAIN.fullmatch(domain) or not _DIGITS.fullmatch(stamp):
            raise WebhookRejected("shape")
        if endpoint.shop is not None and domain != endpoint.shop.domain:
            raise WebhookRejected("shop")
        try:
            at = datetime.fromtimestamp(int(stamp), UTC)
        except (OverflowError, ValueError, OSError):
            raise WebhookRejected("shape") from None
        if abs(now - at) > REPLAY_WINDOW:
            raise WebhookRejected("stale")
        customer = _single(given, "logged_in_customer_id") if "logged_in_customer_id" in given else ""
        if customer and not _DIGITS.fullmatch(customer):
            raise WebhookRejected("shape")
        return ProxyVisit(
            shop_domain=domain,
            customer_id=customer or None,
            path_prefix=_single(given, "path_prefix") if "path_prefix" in given else "",
            at=at,
        )

    def discount_link(self, shop: Shop, code: str, to: str = "/") -> str | None:
        """`https://{shop}/discount/CODE?redirect=/path`: the code is applied, then the visitor goes to the path."""
        link = f"{_home(shop)}/discount/{quote(code, safe='')}"
        return link if to == "/" else f"{link}?{urlencode({'redirect': inside(to)})}"

    def checkout_link(self, shop: Shop, lines: Mapping[str, int], code: str = "") -> str:
        """A cart permalink `/cart/variant:quantity,...?discount=CODE`; lines are named by variant id."""
        if not lines or any(not _DIGITS.fullmatch(variant) or count < 1 for variant, count in lines.items()):
            raise Refused("a cart link needs variant ids with quantities above 0", provider_code="LINES")
        cart = ",".join(f"{variant}:{count}" for variant, count in lines.items())
        return f"{_home(shop)}/cart/{cart}" + (f"?{urlencode({'discount': code})}" if code else "")


def inside(path: str) -> str:
    """A path within the shop. Raises `Refused` for what a browser would take for another site."""
    if not path.startswith("/") or path[1:2] in ("/", "\\") or not path.isprintable() or "\\" in path:
        raise Refused(
            "a link may only lead to a path of the shop itself, such as /collections/all", provider_code="PATH"
        )
    return path


def _home(shop: Shop) -> str:
    return (shop.url or f"https://{shop.domain}").rstrip("/")


def _single(given: Mapping[str, list[str]], name: str) -> str:
    values = given.get(name, [])
    if len(values) != 1:
        raise WebhookRejected("shape")
    return values[0]


def _signed(given: Mapping[str, list[str]], signature: str, secrets: Sequence[bytes]) -> bool:
    message = "".join(sorted(f"{name}={','.join(values)}" for name, values in given.items()))
    # Lone surrogates and the like cannot have been signed: encode what can be, never raise.
    signed, hexadecimal = message.encode("utf-8", "surrogatepass"), signature.encode("utf-8", "surrogatepass")
    wanted = [hmac.digest(secret, signed, "sha256").hex().encode() for secret in secrets if secret]
    return any(hmac.compare_digest(each, hexadecimal) for each in wanted)
