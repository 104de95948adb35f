"""The Admin GraphQL API over `connector.http`: tokens, throttling, errors. The only place of the package that networks.

Facts: facts/shopify.md sections 2.1, 3 and 4.3. Of the `shopify` package only what is sound is used: the check of shop
domains. Its network calls have no time-out and keep the shop in a global, so the calls are ours.
"""

from __future__ import annotations

import threading
from collections import defaultdict
from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from functools import cache
from importlib.resources import files
from typing import Any

import requests
from shopify.utils.shop_url import sanitize_shop_domain

from connector.contracts import Access
from connector.errors import AuthExpired, KiitosError, Refused, Transient
from connector.http import Http, retry_after

API_VERSION = "2026-10"
LONGEST_WAIT = 2.0
"""Seconds a throttled call waits for points here; beyond it the work goes back to the queue."""

_ATTEMPTS = 3
_EARLY = timedelta(minutes=5)  # a token is renewed before it lapses: a call may take a while
_ACCESS_CODES = frozenset({"ACCESS_DENIED", "SHOP_INACTIVE", "UNAUTHORIZED"})


@cache
def operation(name: str) -> str:
    """The GraphQL text of `operations/<name>.graphql`."""
    return (files("platforms.shopify") / "operations" / f"{name}.graphql").read_text("utf-8")


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


@dataclass
class _Token:
    value: str = field(repr=False)
    until: datetime


class AdminClient:
    """Speaks to the shops of one worker: pooled connections, and client-credential tokens kept until they lapse.

    Thread-safe. Two threads that both find a shop's token lapsed ask for it once; other shops do not wait for them.
    """

    def __init__(self, http: Http | None = None) -> None:
        self._http = http
        self._tokens: dict[tuple[str, str], _Token] = {}
        self._lock = threading.Lock()
        self._granting: defaultdict[tuple[str, str], threading.Lock] = defaultdict(threading.Lock)

    def query(self, access: Access, name: str, variables: Mapping[str, Any]) -> dict[str, Any]:
        """Run a reading operation; repeated on failures that pass. Returns `data`.

        Raises `Transient`, `AuthExpired`, `Refused`.
        """
        return self._run(access, name, variables, reads=True)

    def mutate(self, access: Access, name: str, variables: Mapping[str, Any]) -> dict[str, Any]:
        """Run a mutation once (again only when it was throttled, so never begun); returns the payload of its one field.

        `userErrors` become `Refused` with the first code. `Transient.maybe_done` when no answer came.
        """
        data = self._run(access, name, variables, reads=False)
        payload = next(iter(data.values()), None)
        if not isinstance(payload, dict):
            raise Transient(f"Shopify {name}: an answer without a payload", maybe_done=True)
        errors = payload.get("userErrors")
        if errors:
            raise refused(name, errors)
        return payload

    def _run(self, access: Access, name: str, variables: Mapping[str, Any], *, reads: bool) -> dict[str, Any]:
        body = {"query": operation(name), "variables": dict(variables)}
        for attempt in range(1, _ATTEMPTS + 1):
            answer = self._post(access, name, body, reads=reads)
            throttled = self._judge(answer, name, reads=reads)
            if throttled is None:
                data = answer.get("data")
                if not isinstance(data, dict):
                    raise Transient(f"Shopify {name}: an answer without data", maybe_done=not reads)
                return data
            if attempt == _ATTEMPTS or throttled > LONGEST_WAIT:
                raise Transient(f"Shopify {name}: throttled", retry_after=throttled)
            access.clock.sleep(throttled)
        raise Transient(f"Shopify {name}: throttled", retry_after=LONGEST_WAIT)

    def _post(self, access: Access, name: str, body: Mapping[str, Any], *, reads: bool) -> dict[str, Any]:
        """One call. With client credentials a 401 renews the token and asks once more: nothing was done then."""
        url = f"{shop_url(access)}/admin/api/{API_VERSION}/graphql.json"
        for renewed in (False, True):
            headers = {"X-Shopify-Access-Token": self._token(access), "Accept": "application/json"}
            try:
                response = self._client(access).call(
                    "POST", url, reads=reads, classify=_named, json=body, headers=headers
                )
            except AuthExpired:
                if renewed or not self._forget_token(access):
                    raise
                continue
            return _parsed(response, f"Shopify {name}", maybe_done=not reads)
        raise AuthExpired(f"Shopify {name}: the renewed token was refused")

    def _judge(self, answer: Mapping[str, Any], name: str, *, reads: bool) -> float | None:
        """Seconds to wait when throttled, `None` when all is well; raises for every other top-level error.

        A throttled call is HTTP 200 with an error code (facts/shopify.md section 3.1) and was not begun.
        """
        errors = answer.get("errors")
        if not errors:
            return None
        codes = _codes(errors)
        if "THROTTLED" in codes:
            return _wait_for_points(answer)
        if codes & _ACCESS_CODES:
            code = min(codes & _ACCESS_CODES)
            if code == "ACCESS_DENIED":
                raise Refused(f"Shopify {name}: an access scope is missing; grant it to the app", provider_code=code)
            raise AuthExpired(f"Shopify {name}: {code}")
        code = min(codes, default="")
        if code in ("INTERNAL_SERVER_ERROR", "TIMEOUT"):
            raise Transient(f"Shopify {name}: {code}", maybe_done=not reads)
        raise Refused(f"Shopify {name}: refused with {code or 'no code'}", provider_code=code)

    def _client(self, access: Access) -> Http:
        with self._lock:
            if self._http is None:
                self._http = Http(access.clock)
            return self._http

    def _token(self, access: Access) -> str:
        """The shop's token as given, or one by the client credentials grant, kept for its 24 hours."""
        given = access.secrets.get("access_token")
        if given:
            return given
        client_id, secret = access.secrets.get("client_id"), access.secrets.get("client_secret")
        if not client_id or not secret:
            raise AuthExpired(f"shop {access.shop.id}: neither access_token nor client_id and client_secret are set")
        key = (shop_url(access), client_id)
        client = self._client(access)
        with self._lock:
            turn = self._granting[key]
        with turn:
            kept = self._tokens.get(key)
            if kept is None or kept.until <= access.clock.now():
                kept = self._tokens[key] = _grant(client, access, client_id, secret)
            return kept.value

    def _forget_token(self, access: Access) -> bool:
        """Whether there was a granted token to forget; a given one is the merchant's to renew."""
        with self._lock:
            return self._tokens.pop((shop_url(access), access.secrets.get("client_id", "")), None) is not None

    def close(self) -> None:
        """Give back connections and forget tokens. Idempotent."""
        with self._lock:
            if self._http is not None:
                self._http.close()
                self._http = None
            self._tokens.clear()


def _named(response: requests.Response) -> KiitosError | None:
    """What Shopify means by statuses of its own: 402 the shop is frozen, 430 the call was held to be unsafe."""
    if response.status_code == 402:
        return AuthExpired("Shopify: the shop is frozen (402); its owner must settle with Shopify")
    if response.status_code == 430:
        return Transient("Shopify: the call was turned away (430)", retry_after=60.0)
    return None


def refused(name: str, errors: list[Any]) -> Refused:
    """`userErrors` as the error they are: codes and field names, never Shopify's text (it may quote a customer)."""
    first = errors[0] if isinstance(errors[0], dict) else {}
    code = str(first.get("code") or "USER_ERROR")
    fields = ".".join(str(part) for part in first.get("field") or ())
    return Refused(f"Shopify {name}: {code}" + (f" at {fields}" if fields else ""), provider_code=code)


def _grant(http: Http, access: Access, client_id: str, secret: str) -> _Token:
    """The client credentials grant. It may be repeated freely; a refusal means that the credentials are wrong."""
    form = {"grant_type": "client_credentials", "client_id": client_id, "client_secret": secret}

    def wrong(response: requests.Response) -> KiitosError | None:
        if response.status_code in (400, 401, 403, 404):
            return AuthExpired(f"shop {access.shop.id}: the client credentials are refused; connect the shop again")
        if response.status_code == 429:
            return Transient("Shopify token: throttled", retry_after=retry_after(response.headers, access.clock.now()))
        return None

    url = f"{shop_url(access)}/admin/oauth/access_token"
    response = http.call("POST", url, reads=True, data=form, headers={"Accept": "application/json"}, classify=wrong)
    answer = _parsed(response, "Shopify token", maybe_done=False)
    value, seconds = answer.get("access_token"), answer.get("expires_in")
    if not isinstance(value, str) or not value:
        raise Transient("Shopify token: an answer without a token")
    life = timedelta(seconds=seconds) if isinstance(seconds, (int, float)) and seconds > 0 else timedelta(hours=1)
    return _Token(value, access.clock.now() + max(life - _EARLY, life / 2))


def _parsed(response: requests.Response, place: str, *, maybe_done: bool) -> dict[str, Any]:
    try:
        answer = response.json()
    except requests.exceptions.JSONDecodeError:
        raise Transient(f"{place}: the answer is no JSON", maybe_done=maybe_done) from None
    if not isinstance(answer, dict):
        raise Transient(f"{place}: the answer is no object", maybe_done=maybe_done)
    return answer


def _codes(errors: Any) -> set[str]:
    """The codes of top-level errors; errors may also be a plain text (`"[API] Invalid API key"`)."""
    found = set()
    for error in errors if isinstance(errors, list) else ():
        extensions = error.get("extensions") if isinstance(error, dict) else None
        if isinstance(extensions, dict) and extensions.get("code"):
            found.add(str(extensions["code"]))
    return found


def _wait_for_points(answer: Mapping[str, Any]) -> float:
    """(requested - available) / restore rate, in seconds; 1 where the answer does not tell."""
    try:
        cost = answer["extensions"]["cost"]
        status = cost["throttleStatus"]
        missing = float(cost["requestedQueryCost"]) - float(status["currentlyAvailable"])
        return max(missing / float(status["restoreRate"]), 0.1)
    except (KeyError, TypeError, ValueError, ZeroDivisionError):
        return 1.0
