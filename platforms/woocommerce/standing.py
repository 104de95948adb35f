"""How we stand with a store: is its API there, do the keys open it, what is it like, what of it doubles our messages.

Reads only, but for one write that cannot succeed: a key's right to write shows in no read.
"""

from __future__ import annotations

import html
from collections.abc import Mapping, Sequence
from typing import Any
from urllib.parse import urlsplit

import msgspec
import requests

from connector.contracts import Access, Connected, ConnectRequest, Finding, StoreFacts, Verdict
from connector.errors import AuthExpired, ConfigError, ConnectRefused, KiitosError, Refused, Transient
from connector.http import Http
from connector.outside.destinations import PRIVATE
from platforms.woocommerce.client import ShopApi, shop_address
from platforms.woocommerce.signature import site_key

TIMEOUT = (5.0, 10.0)
"""Seconds to connect and to answer for the first look: a person waits."""

# The shop's own mails that say what ours say: setting group, and the finding that names it.
MAILS = (
    ("email_customer_processing_order", "double_processing"),
    ("email_customer_on_hold_order", "double_on_hold"),
    ("email_customer_completed_order", "double_completed"),
)
# Features that send by themselves once on (facts/woocommerce.md section 6), and the mail that may still be off.
FEATURES = (
    ("customer_review_request", "double_review", "email_customer_review_request"),
    ("abandoned_cart_recovery", "double_cart", ""),
    ("fulfillments", "double_fulfillment", ""),
)


def find_api(request: ConnectRequest, declared: str) -> str:
    """Where the declared store's REST API really is: redirects are followed, within the store.

    Raises `ConnectRefused` naming what the merchant must change, `Transient` when the store does not answer.
    """
    http = Http(request.clock, timeout=TIMEOUT, attempts=2, public_only=request.public_only)
    try:
        response = http.call("GET", f"{declared}/wp-json/", classify=_no_error)
    except Refused as error:
        if error.provider_code == PRIVATE:
            raise ConnectRefused("address_private", "the address leads nowhere public", field="url") from error
        raise ConnectRefused("not_woocommerce", "too many redirects or a broken answer", field="url") from error
    finally:
        http.close()
    address = response.url.partition("/wp-json")[0].rstrip("/")
    if _host(address) != _host(declared):
        raise ConnectRefused("address_moved", "another host answers", field="url", address=address)
    if urlsplit(declared).scheme == "https" and urlsplit(address).scheme != "https":
        raise ConnectRefused("address_not_https", "the store redirects to http", field="url")
    _judge_index(response)
    return address


def _no_error(response: requests.Response) -> KiitosError | None:
    """Every answer is looked at here: which kind of wrong it is, is what the merchant must know."""
    if response.status_code in (429, 500, 502, 503, 504):
        return Transient(f"GET {response.request.path_url.partition('?')[0]} answered {response.status_code}")
    if response.status_code in (401, 403):
        return ConnectRefused("api_closed", "a password or a security plugin closes the API", field="url")
    if response.status_code >= 400:
        return ConnectRefused("not_woocommerce", f"answered {response.status_code}", field="url")
    return None


def _host(address: str) -> str:
    return site_key(address).partition("/")[0]


def _judge_index(response: requests.Response) -> None:
    try:
        index = msgspec.json.decode(response.content)
    except (msgspec.DecodeError, UnicodeDecodeError, RecursionError):
        # Plain permalinks answer 200 with the home page (facts section 3).
        raise ConnectRefused("permalinks", "/wp-json/ answers with a page", field="url") from None
    namespaces = index.get("namespaces") if isinstance(index, dict) else None
    if not isinstance(namespaces, list) or "wc/v3" not in namespaces:
        raise ConnectRefused("not_woocommerce", "no wc/v3 among the namespaces", field="url")


def prove(request: ConnectRequest, address: str, key: str, secret: str) -> Connected:
    """Read the store at `address` with the keys, and see that they may write. Raises `ConnectRefused`, `Transient`."""
    api = ShopApi(address, key, secret, request.clock, public_only=request.public_only)
    try:
        status = _table(api.get("system_status"))
        environment = _table(status.get("environment"))
        if site_key(address) not in (site_key(_text(environment.get(n))) for n in ("home_url", "site_url")):
            raise ConnectRefused("other_store", "the store says it is another one", field="url")
        if not may_write(api):
            raise ConnectRefused("read_only", "the key may not write")
        facts = _facts(api, address, status)
    except AuthExpired as error:
        raise ConnectRefused("keys_refused", "the store does not know these keys") from error
    except Refused as error:
        reason = "address_private" if error.provider_code == PRIVATE else "not_woocommerce"
        raise ConnectRefused(reason, "the store cannot be read") from error
    finally:
        api.close()
    # Letters and digits: the shop unescapes HTML in a secret before it signs (facts section 1.1).
    made = request.clock.token(25)
    return Connected(
        facts=facts,
        secrets={"consumer_key": key, "consumer_secret": secret, "webhook_secret": made},
        granted=("read_write",),
    )


def may_write(api: ShopApi) -> bool:
    """Whether the key may write: a change of a webhook that cannot exist is refused for its id, or for the key."""
    try:
        api.put("webhooks/0", {})
    except AuthExpired:
        return False
    except Refused:
        return True
    return True


def _facts(api: ShopApi, address: str, status: Mapping[str, Any]) -> StoreFacts:
    environment, settings = _table(status.get("environment")), _table(status.get("settings"))
    index = _table(_quiet(api, ""))
    sender = _setting(api, "email/woocommerce_email_from_address")
    country = _setting(api, "general/woocommerce_default_country").partition(":")[0]
    return StoreFacts(
        domain=site_key(address),
        url=address,
        name=html.unescape(_text(index.get("name"))),
        platform_shop_id=_text(environment.get("store_id")),
        email=sender if "@" in sender else "",
        locale=_text(environment.get("language")).replace("_", "-"),
        timezone=_text(index.get("timezone_string")),
        currency=_text(settings.get("currency")),
        country=country if len(country) == 2 else "",
    )


def check(access: Access) -> Sequence[Finding]:
    """The findings of a connected store, in the order in which a person would put them right."""
    key, secret = access.secrets.get("consumer_key"), access.secrets.get("consumer_secret")
    if not key or not secret:
        return [Finding(code="no_keys_stored", verdict=Verdict.FAIL)]
    try:
        api = ShopApi(shop_address(access), key, secret, access.clock, public_only=access.public_only)
    except ConfigError:
        return [Finding(code="address_unusable", verdict=Verdict.FAIL)]
    try:
        status = _table(api.get("system_status"))
        return [
            Finding(
                code="reached",
                verdict=Verdict.OK,
                values={"version": _text(_table(status.get("environment")).get("version"))},
            ),
            _writing(api),
            *_surroundings(api, access, status),
            *_doubled(api, access, status),
        ]
    except AuthExpired:
        return [Finding(code="keys_refused", verdict=Verdict.FAIL, link=_admin(access, "advanced&section=keys"))]
    except (Transient, Refused):
        return [Finding(code="unreachable", verdict=Verdict.FAIL)]
    finally:
        api.close()


def _writing(api: ShopApi) -> Finding:
    if may_write(api):
        return Finding(code="may_write", verdict=Verdict.OK)
    return Finding(code="read_only", verdict=Verdict.FAIL)


def _surroundings(api: ShopApi, access: Access, status: Mapping[str, Any]) -> list[Finding]:
    shop, index = access.shop, _table(_quiet(api, ""))
    zone, currency = _text(index.get("timezone_string")), _text(_table(status.get("settings")).get("currency"))
    found = []
    if not zone:
        found.append(Finding(code="timezone_offset", verdict=Verdict.WARN, values={"ours": shop.timezone}))
    elif zone == shop.timezone:
        found.append(Finding(code="timezone_same", verdict=Verdict.OK, values={"zone": zone}))
    else:
        both = {"theirs": zone, "ours": shop.timezone}
        found.append(Finding(code="timezone_other", verdict=Verdict.WARN, values=both))
    if currency == shop.currency:
        found.append(Finding(code="currency_same", verdict=Verdict.OK, values={"currency": currency}))
    else:
        both = {"theirs": currency or "?", "ours": shop.currency}
        found.append(Finding(code="currency_other", verdict=Verdict.FAIL, values=both))
    if _table(status.get("environment")).get("wp_cron") is False:
        found.append(Finding(code="cron_off", verdict=Verdict.WARN))
    return found


def _doubled(api: ShopApi, access: Access, status: Mapping[str, Any]) -> list[Finding]:
    """Which of the shop's own messages say what ours say. An older shop without such a setting has no such mail."""
    found = [
        Finding(code=code, verdict=Verdict.WARN, link=_admin(access, f"email&section=wc_{group}"))
        for group, code in MAILS
        if _setting(api, f"{group}/enabled") == "yes"
    ]
    features = _table(status.get("settings")).get("enabled_features")
    for feature, code, group in FEATURES:
        on = isinstance(features, list) and feature in features
        if on and (not group or _setting(api, f"{group}/enabled") == "yes"):
            found.append(Finding(code=code, verdict=Verdict.WARN, link=_admin(access, "advanced&section=features")))
    return found or [Finding(code="doubles_none", verdict=Verdict.OK)]


def _admin(access: Access, tab: str) -> str:
    address = (access.shop.url or f"https://{access.shop.domain}").rstrip("/")
    return f"{address}/wp-admin/admin.php?page=wc-settings&tab={tab}"


def _setting(api: ShopApi, path: str) -> str:
    """The value of a setting; empty where the shop has not got it or does not show it to this key."""
    return _text(_table(_quiet(api, f"settings/{path}")).get("value"))


def _quiet(api: ShopApi, path: str) -> object:
    """What a side question brings: without an answer to it the store still is connected."""
    try:
        return api.get(path) if path else api.index()
    except (Refused, AuthExpired):
        return None


def _table(value: object) -> Mapping[str, Any]:
    return value if isinstance(value, dict) else {}


def _text(value: object) -> str:
    return value.strip()[:200] if isinstance(value, str) else ""
