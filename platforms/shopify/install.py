"""Installing the app in a Shopify store: what is asked for, where the merchant is sent, what must come back. Pure.

Facts: facts/shopify.md section 2.1 and 2.2; shopify.dev/docs/apps/build/authentication-authorization/access-tokens/
authorization-code-grant.
"""

from __future__ import annotations

import hmac
import re
from collections.abc import Collection, Iterable, Mapping, Sequence
from datetime import datetime
from urllib.parse import urlencode

from connector.errors import ConnectRefused
from platforms.shopify.identity import refusal, shop_domain, verify_query

REQUIRED_SCOPES = (
    "read_customers",
    "read_fulfillments",
    "read_orders",
    "read_products",
    "write_discounts",
    "write_metaobjects",
)
"""Without these the flows that come with Kiitos do not work: a store that grants less is not connected."""
OPTIONAL_SCOPES = (
    "read_all_orders",
    "read_customer_merge",
    "read_returns",
    "read_store_credit_accounts",
    "write_customers",
    "write_fulfillments",
    "write_gift_cards",
    "write_orders",
    "write_products",
    "write_returns",
    "write_store_credit_account_transactions",
)
"""What single steps need: tags and notes, consent written back, credit, gift cards, ratings, returns, old orders."""

_SCOPE = re.compile(r"[a-z_]{1,60}", re.ASCII)
_CODE = re.compile(r"[A-Za-z0-9_-]{1,200}", re.ASCII)


def typed_domain(text: str) -> str:
    """A store as merchants type it: its name, its myshopify.com domain, an address of its admin. Raises
    `ConnectRefused` for anything else, the shop's own domain too: only the first can be asked for a token."""
    bare = text.strip().lower().removeprefix("https://").removeprefix("http://")
    host, _, path = bare.partition("/")
    if host == "admin.shopify.com":
        host = path.removeprefix("store/").partition("/")[0]
    if "." not in host:
        host = f"{host}.myshopify.com"
    try:
        return shop_domain(host)
    except ConnectRefused as error:
        raise ConnectRefused("shop_typed", "not a myshopify.com address", field="shop") from error


def wanted_scopes(app: Mapping[str, str]) -> list[str]:
    """What an install asks for: what is required, and what the operator added under `scopes`."""
    added = [scope.strip() for scope in app.get("scopes", "").split(",")]
    return sorted({*REQUIRED_SCOPES, *(scope for scope in added if _SCOPE.fullmatch(scope))})


def missing_scopes(granted: Iterable[str]) -> list[str]:
    """The required scopes a store did not grant. `write_x` holds `read_x` (facts/shopify.md section 2.1)."""
    held = set(granted)
    held |= {scope.replace("write_", "read_", 1) for scope in held if scope.startswith("write_")}
    return [scope for scope in REQUIRED_SCOPES if scope not in held]


def authorize_url(base: str, client_id: str, scopes: Sequence[str], return_url: str, state: str) -> str:
    """Where the merchant says yes. `base` is the shop's `https://` address. Offline access is what is given unasked."""
    query = {"client_id": client_id, "scope": ",".join(scopes), "redirect_uri": return_url, "state": state}
    return f"{base}/admin/oauth/authorize?{urlencode(query)}"


def verify_return(
    pairs: Sequence[tuple[str, str]], secrets: Collection[str], state: str, domain: str, now: datetime
) -> str:
    """The code of an authorization that this attempt began, for the shop it began with.

    Raises `ConnectRefused`: hmac, stale, shop, repeated (see `verify_query`), state, other_shop, code.
    """
    found = verify_query(pairs, secrets, now)
    query = dict(pairs)
    if not state or not hmac.compare_digest(query.get("state", "").encode("utf-8", "replace"), state.encode()):
        raise refusal("state")
    if found != domain:
        raise refusal("other_shop")
    code = query.get("code", "")
    if not _CODE.fullmatch(code):
        raise refusal("code")
    return code


def admin_url(domain: str, path: str) -> str:
    """A page of the shop's admin."""
    return f"https://{domain}/admin/{path}"
