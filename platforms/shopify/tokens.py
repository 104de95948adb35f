"""Shopify's access tokens: three ways to get one, one way to renew each (facts/shopify.md section 2.1).

| way | for | token |
| --- | --- | --- |
| client credentials | a merchant's own app, stores of one organization | 24 h, asked for again, no refresh token |
| token exchange of an ID token | the hosted public app, opened in the admin | 1 h, refresh token of 90 d |
| authorization code, `expiring=1` | standalone install | the same |

A token and all that belongs to it is one credential, `grant`, so that parts of two grants can never be mixed. The
refresh token that was traded for the present one is kept: it works until the present one is used
(https://shopify.dev/changelog/more-resilient-refreshes-for-expiring-offline-access-tokens), so an answer that was lost,
or not stored, is asked for again, and a present one that turns out dead falls back on it.
"""

from __future__ import annotations

import json
from collections.abc import Callable, Mapping
from dataclasses import asdict, dataclass, field, replace
from datetime import datetime, timedelta
from typing import Any

import requests
from shopify.utils.shop_url import sanitize_shop_domain

from connector.clock import from_text, to_text
from connector.contracts import Access, Renewal
from connector.errors import AuthExpired, KiitosError, Refused, Transient
from connector.http import Http, retry_after

EARLY = timedelta(minutes=5)
"""A token is renewed so long before it lapses: a call may take a while, and clocks differ."""
KEEP_ALIVE = timedelta(days=7)
"""An idle shop's refresh token is used so often; unused it would lapse after 90 days."""

_ID_TOKEN = "urn:ietf:params:oauth:token-type:id_token"  # noqa: S105 - the name of a kind
_OFFLINE = "urn:shopify:params:oauth:token-type:offline-access-token"
_EXCHANGE = "urn:ietf:params:oauth:grant-type:token-exchange"
_GONE = (400, 401, 403, 404)


@dataclass(frozen=True, slots=True, kw_only=True)
class Grant:
    """What Shopify gave at one time. `scope` is its comma-separated list; times are UTC, `until` of the access token.

    `previous` is the refresh token this grant was traded for.
    """

    access: str = field(repr=False)
    until: datetime
    granted_at: datetime
    scope: str = ""
    refresh: str = field(default="", repr=False)
    refresh_until: datetime | None = None
    previous: str = field(default="", repr=False)
    previous_until: datetime | None = None

    def to_text(self) -> str:
        """As it is sealed in the store."""
        row = {name: to_text(value) if isinstance(value, datetime) else value for name, value in asdict(self).items()}
        return json.dumps({name: value for name, value in row.items() if value})

    @property
    def due(self) -> datetime:
        """When to renew it: five minutes early, or at half its life where that is short."""
        return self.until - min(EARLY, (self.until - self.granted_at) / 2)


def read_grant(secrets: Mapping[str, str]) -> Grant | None:
    """The grant among a shop's secrets; `None` when there is none, or none that can be read."""
    try:
        row = json.loads(secrets.get("grant") or "null")
        if row is None:
            return None
        times = {name: from_text(row[name]) for name in row if name.endswith(("until", "_at"))}
        return Grant(**{**row, **times})
    except (ValueError, TypeError, AttributeError):
        return None


def renewal_of(secrets: Mapping[str, str]) -> Renewal | None:
    """When a shop's token is renewed. A token written by the operator (`access_token`) is his to renew."""
    if secrets.get("access_token"):
        return None
    grant = read_grant(secrets)
    if grant is None:
        has_app = secrets.get("client_id") and secrets.get("client_secret")
        return Renewal(due=Renewal.NOT_YET, lapses=Renewal.NOT_YET) if has_app else None
    keep_at = grant.granted_at + KEEP_ALIVE if grant.refresh else None
    return Renewal(due=grant.due, lapses=grant.until, keep_at=keep_at, ends=grant.refresh_until)


def bearer(secrets: Mapping[str, str]) -> str | None:
    """The token calls carry: the operator's own, else the granted one."""
    if given := secrets.get("access_token"):
        return given
    grant = read_grant(secrets)
    return grant.access if grant else None


class TokenEndpoint:
    """`/admin/oauth/access_token` of one shop. `url` is `https://` and the shop's domain (`shop_url`)."""

    def __init__(self, http: Http, url: str, client_id: str, client_secret: str, now: Callable[[], datetime]) -> None:
        self._http = http
        self._url = f"{url}/admin/oauth/access_token"
        self._app = {"client_id": client_id, "client_secret": client_secret}
        self._now = now

    def client_credentials(self) -> Grant:
        """A token for the app's own organization. May be repeated freely."""
        return self._ask({"grant_type": "client_credentials"})

    def exchange_id_token(self, id_token: str) -> Grant:
        """An expiring offline token for the ID token of a merchant who has the app open. May be repeated."""
        form = {
            "grant_type": _EXCHANGE,
            "subject_token": id_token,
            "subject_token_type": _ID_TOKEN,
            "requested_token_type": _OFFLINE,
            "expiring": "1",
        }
        return self._ask(form)

    def exchange_code(self, code: str) -> Grant:
        """An expiring offline token for the code of an authorization. A code works once: never repeated here."""
        return self._ask({"code": code, "expiring": "1"}, repeat=False)

    def refresh(self, grant: Grant) -> Grant:
        """A new grant for `grant`'s refresh token, or for the one before it when that is dead.

        Raises `AuthExpired` when Shopify takes neither, `Transient`.
        """
        try:
            fresh = self._ask({"grant_type": "refresh_token", "refresh_token": grant.refresh})
            return replace(fresh, previous=grant.refresh, previous_until=grant.refresh_until)
        except AuthExpired:
            if not grant.previous:
                raise
        # The present one was never ours to use: another answer to the same refresh token replaced it.
        fresh = self._ask({"grant_type": "refresh_token", "refresh_token": grant.previous})
        return replace(fresh, previous=grant.previous, previous_until=grant.previous_until)

    def _ask(self, form: Mapping[str, str], *, repeat: bool = True) -> Grant:
        response = self._http.call(
            "POST",
            self._url,
            reads=repeat,
            data={**form, **self._app},
            headers={"Accept": "application/json"},
            classify=self._wrong,
        )
        return _granted(response, self._now())

    def _wrong(self, response: requests.Response) -> KiitosError | None:
        if response.status_code in _GONE:
            return AuthExpired(f"Shopify gives no token ({_error_word(response)}); connect the shop again")
        if response.status_code == 429:
            return Transient("Shopify token: throttled", retry_after=retry_after(response.headers, self._now()))
        return None


def renewed(http: Http, access: Access) -> Grant:
    """The grant after `access`'s. Raises `AuthExpired`, `Transient`, `Refused`."""
    client_id, secret = access.secrets.get("client_id"), access.secrets.get("client_secret")
    if not client_id or not secret:
        raise AuthExpired(f"shop {access.shop.id}: neither access_token nor client_id and client_secret are set")
    endpoint = TokenEndpoint(http, shop_url(access), client_id, secret, access.clock.now)
    grant = read_grant(access.secrets)
    if grant is not None and grant.refresh:
        return endpoint.refresh(grant)
    return endpoint.client_credentials()


def shop_url(access: Access) -> str:
    """`https://` and the shop's myshopify.com domain, or the base URL tests and the demo give.

    Raises `Refused` for a domain that is none: a token must never go to another host.
    """
    if access.base_url:
        return access.base_url.rstrip("/")
    domain = sanitize_shop_domain(access.shop.domain)
    if domain is None or domain != access.shop.domain.strip().lower():
        raise Refused(f"shop {access.shop.id}: its domain is no *.myshopify.com domain", provider_code="SHOP_DOMAIN")
    return f"https://{domain}"


def _granted(response: requests.Response, now: datetime) -> Grant:
    try:
        answer: Any = response.json()
    except requests.exceptions.JSONDecodeError:
        answer = None
    return grant_of(answer if isinstance(answer, dict) else {}, now)


def grant_of(told: Mapping[str, Any], now: datetime) -> Grant:
    """The answer as a grant. Raises `Transient` for one without a token: it says nothing, and is asked for again."""
    access, refresh = told.get("access_token"), told.get("refresh_token")
    if not isinstance(access, str) or not access:
        raise Transient("Shopify token: an answer without a token")
    lasting = _seconds(told.get("refresh_token_expires_in")) or timedelta(days=90)
    return Grant(
        access=access,
        until=now + (_seconds(told.get("expires_in")) or timedelta(hours=1)),
        granted_at=now,
        scope=str(told.get("scope") or ""),
        refresh=refresh if isinstance(refresh, str) else "",
        refresh_until=now + lasting if refresh else None,
    )


def _seconds(value: Any) -> timedelta | None:
    fits = isinstance(value, int | float) and not isinstance(value, bool) and value > 0
    return timedelta(seconds=value) if fits else None


def _error_word(response: requests.Response) -> str:
    """OAuth's own word for what is wrong (`invalid_grant`); the rest of an answer is not quoted."""
    try:
        word = response.json().get("error")
    except (requests.exceptions.JSONDecodeError, AttributeError):
        word = None
    return word if isinstance(word, str) and word.isidentifier() else str(response.status_code)
