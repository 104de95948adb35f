"""How we stand with a Shopify store: a first token, proof that it opens the store, and what a health check finds."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from typing import Any

from connector.contracts import Access, Connected, ConnectRequest, Finding, StoreFacts, Verdict
from connector.errors import AuthExpired, ConnectRefused, Refused, Transient
from connector.http import Http
from connector.model import Shop
from platforms.shopify.client import API_VERSION, AdminClient
from platforms.shopify.install import OPTIONAL_SCOPES, admin_url, missing_scopes
from platforms.shopify.tokens import Grant, TokenEndpoint

TIMEOUT = (5.0, 10.0)
"""Seconds to connect and to answer: a person waits."""
OLD_ORDERS = "read_all_orders"

# Shopify's own messages that say what ours say. No API tells whether they are on (facts/shopify.md has none; the admin
# has Settings > Notifications), so each is named, with the page where it is.
NOTIFICATIONS = (
    ("double_confirmation", "settings/notifications"),
    ("double_shipping", "settings/notifications"),
    ("double_cart", "marketing/automations"),
)


def connect_own_app(request: ConnectRequest, domain: str, client_id: str, secret: str) -> Connected:
    """By client credentials: an app of the merchant's own organization. Raises `ConnectRefused`, `Transient`."""
    try:
        grant = _ask(request, domain, client_id, secret, TokenEndpoint.client_credentials)
    except AuthExpired as error:
        raise ConnectRefused(
            "credentials_refused", "Shopify gives no token for these", field="client_secret"
        ) from error
    found = prove(request, domain, grant)
    return Connected(
        facts=found.facts,
        secrets={**found.secrets, "client_id": client_id, "client_secret": secret},
        granted=found.granted,
    )


def connect_by_code(request: ConnectRequest, domain: str, code: str) -> Connected:
    """By the authorization code grant with an expiring token. Raises `ConnectRefused`, `Transient`."""
    return _by_app(request, domain, lambda endpoint: endpoint.exchange_code(code), "code_refused")


def connect_by_id_token(request: ConnectRequest, domain: str, id_token: str) -> Connected:
    """By token exchange. Raises `ConnectRefused`, `Transient`."""
    return _by_app(request, domain, lambda endpoint: endpoint.exchange_id_token(id_token), "id_token_refused")


def _by_app(request: ConnectRequest, domain: str, how: Callable[[TokenEndpoint], Grant], refused: str) -> Connected:
    try:
        grant = _ask(request, domain, request.app["client_id"], request.app["client_secret"], how)
    except AuthExpired as error:
        raise ConnectRefused(refused, "Shopify gives no token") from error
    if not grant.refresh:
        raise ConnectRefused("not_expiring", "Shopify gave a token without a refresh token")
    if missing := missing_scopes(grant.scope.split(",")):
        raise ConnectRefused("scopes_missing", "not all scopes were granted", scopes=", ".join(missing))
    return prove(request, domain, grant)


def _ask(
    request: ConnectRequest, domain: str, client_id: str, secret: str, how: Callable[[TokenEndpoint], Grant]
) -> Grant:
    http = Http(request.clock, timeout=TIMEOUT, attempts=2)
    try:
        base = (request.api_url or f"https://{domain}").rstrip("/")
        return how(TokenEndpoint(http, base, client_id, secret, request.clock.now))
    finally:
        http.close()


def prove(request: ConnectRequest, domain: str, grant: Grant) -> Connected:
    """Read the store with the token: it must be the very store, with the scopes needed. Raises `ConnectRefused`."""
    shop = Shop(id=domain, client_id="", platform="shopify", domain=domain, name=domain)
    access = Access(shop=shop, secrets={"access_token": grant.access}, clock=request.clock, base_url=request.api_url)
    client = AdminClient()
    try:
        found = client.query(access, "standing", {})
    except AuthExpired as error:
        raise ConnectRefused("token_refused", "the fresh token opens nothing") from error
    except Refused as error:
        raise ConnectRefused("scopes_missing", "the store cannot be read", scopes=error.provider_code) from error
    finally:
        client.close()
    told = _table(found.get("shop"))
    if _text(told.get("myshopifyDomain")).lower() != domain:
        raise ConnectRefused("other_shop", "the token is for another store")
    granted = _scopes(found)
    if missing := missing_scopes(granted):
        raise ConnectRefused("scopes_missing", "not all scopes were granted", scopes=", ".join(missing))
    return Connected(facts=_facts(told, domain), secrets={"grant": grant.to_text()}, granted=tuple(granted))


def _facts(told: Mapping[str, Any], domain: str) -> StoreFacts:
    return StoreFacts(
        domain=domain,
        url=_text(_table(told.get("primaryDomain")).get("url")) or f"https://{domain}",
        name=_text(told.get("name")),
        platform_shop_id=_text(told.get("id")).rpartition("/")[2],
        email=_text(told.get("contactEmail")),
        timezone=_text(told.get("ianaTimezone")),
        currency=_text(told.get("currencyCode")),
        country=_text(_table(told.get("shopAddress")).get("countryCodeV2")),
    )


def check(client: AdminClient, access: Access) -> Sequence[Finding]:
    """The findings of a connected store, in the order in which a person would put them right."""
    domain = access.shop.domain
    try:
        found = client.query(access, "standing", {})
    except AuthExpired:
        return [Finding(code="token_refused", verdict=Verdict.FAIL, link=admin_url(domain, "settings/apps"))]
    except Refused as error:
        return [Finding(code="cannot_read", verdict=Verdict.FAIL, values={"code": error.provider_code})]
    except Transient:
        return [Finding(code="unreachable", verdict=Verdict.FAIL)]
    told = _table(found.get("shop"))
    if _text(told.get("myshopifyDomain")).lower() != domain:
        return [Finding(code="other_shop", verdict=Verdict.FAIL, values={"theirs": _text(told.get("myshopifyDomain"))})]
    plan = _table(told.get("plan"))
    return [
        Finding(code="reached", verdict=Verdict.OK, values={"plan": _text(plan.get("publicDisplayName")) or "?"}),
        _version(found),
        *_permissions(found, domain),
        _webhooks(found),
        *_surroundings(told, access),
        *(Finding(code=code, verdict=Verdict.WARN, link=admin_url(domain, path)) for code, path in NOTIFICATIONS),
    ]


def _version(found: Mapping[str, Any]) -> Finding:
    """A version Shopify supports no more is answered with its oldest supported one: fields may be missing then."""
    handles = [_text(each.get("handle")) for each in found.get("publicApiVersions") or () if each.get("supported")]
    ours = {"version": API_VERSION}
    if API_VERSION in handles:
        return Finding(code="version_supported", verdict=Verdict.OK, values=ours)
    return Finding(code="version_gone", verdict=Verdict.WARN, values=ours)


def _permissions(found: Mapping[str, Any], domain: str) -> list[Finding]:
    granted = _scopes(found)
    missing = missing_scopes(granted)
    if missing:
        values, link = {"scopes": ", ".join(missing)}, admin_url(domain, "settings/apps")
        findings = [Finding(code="scopes_missing", verdict=Verdict.FAIL, values=values, link=link)]
    else:
        findings = [Finding(code="scopes_granted", verdict=Verdict.OK)]
    without = [scope for scope in OPTIONAL_SCOPES if scope not in granted and scope != OLD_ORDERS]
    if without:
        findings.append(Finding(code="scopes_optional", verdict=Verdict.OK, values={"scopes": ", ".join(without)}))
    if OLD_ORDERS not in granted:
        findings.append(Finding(code="old_orders", verdict=Verdict.WARN))
    return findings


def _webhooks(found: Mapping[str, Any]) -> Finding:
    """Subscriptions made over the API. Those of shopify.app.toml are not shown by it (facts/shopify.md section 1.3)."""
    topics = {_text(each.get("topic")) for each in _table(found.get("webhookSubscriptions")).get("nodes") or ()}
    if topics:
        return Finding(code="webhooks", verdict=Verdict.OK, values={"count": str(len(topics))})
    return Finding(code="webhooks_none", verdict=Verdict.WARN)


def _surroundings(told: Mapping[str, Any], access: Access) -> list[Finding]:
    zone, currency = _text(told.get("ianaTimezone")), _text(told.get("currencyCode"))
    same = zone == access.shop.timezone
    values = {"zone": zone} if same else {"theirs": zone, "ours": access.shop.timezone}
    found = [
        Finding(
            code="timezone_same" if same else "timezone_other",
            verdict=Verdict.OK if same else Verdict.WARN,
            values=values,
        )
    ]
    if currency == access.shop.currency:
        return [*found, Finding(code="currency_same", verdict=Verdict.OK, values={"currency": currency})]
    both = {"theirs": currency, "ours": access.shop.currency}
    return [*found, Finding(code="currency_other", verdict=Verdict.FAIL, values=both)]


def _scopes(found: Mapping[str, Any]) -> list[str]:
    rows = _table(found.get("currentAppInstallation")).get("accessScopes") or ()
    return sorted(_text(row.get("handle")) for row in rows)


def _table(value: object) -> Mapping[str, Any]:
    return value if isinstance(value, dict) else {}


def _text(value: object) -> str:
    return value.strip()[:200] if isinstance(value, str) else ""
