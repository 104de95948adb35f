"""The Admin GraphQL API over `connector.http`: throttling, errors, the repetition after a renewed token.

Facts: facts/shopify.md sections 2.1, 3 and 4.3. Of the `shopify` package only what is sound is used: the check of shop
domains. Its network calls have no time-out and keep the shop in a global, so the calls are ours.
"""

from __future__ import annotations

import threading
from collections import defaultdict
from collections.abc import Mapping
from functools import cache
from importlib.resources import files
from typing import Any

import requests

from connector.contracts import Access
from connector.errors import AuthExpired, KiitosError, Refused, Transient
from connector.http import Http
from platforms.shopify.tokens import Grant, bearer, renewed, shop_url

API_VERSION = "2026-10"
LONGEST_WAIT = 2.0
"""Seconds a throttled call waits for points here; beyond it the work goes back to the queue."""

_ATTEMPTS = 3
_ACCESS_CODES = frozenset({"ACCESS_DENIED", "SHOP_INACTIVE", "UNAUTHORIZED"})


@cache
def operation(name: str) -> str:
    """The GraphQL text of `operations/<name>.graphql`."""
    return (files("platforms.shopify") / "operations" / f"{name}.graphql").read_text("utf-8")


class Unauthorised(AuthExpired):
    """401: the token has lapsed or was withdrawn, and a renewed one may do. Nothing of the call was done."""


class AdminClient:
    """Speaks to the shops of one worker over pooled connections.

    Thread-safe. Tokens come with the `Access` and are renewed by whoever made it (`connector.working.tokens`). For an
    `Access` without one they are asked for here: two threads ask once, and other shops do not wait for them.
    """

    def __init__(self, http: Http | None = None) -> None:
        self._http = http
        self._grants: dict[tuple[str, str], Grant] = {}
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
            if attempt == _ATTEMPTS or access.patience is not None or throttled > LONGEST_WAIT:
                raise Transient(f"Shopify {name}: throttled", retry_after=throttled)
            access.clock.sleep(throttled)
        raise Transient(f"Shopify {name}: throttled", retry_after=LONGEST_WAIT)

    def _post(self, access: Access, name: str, body: Mapping[str, Any], *, reads: bool) -> dict[str, Any]:
        """One call. After a 401 the credentials are renewed and it is made once more: nothing was done then."""
        url = f"{shop_url(access)}/admin/api/{API_VERSION}/graphql.json"
        for last in (False, True):
            headers = {"X-Shopify-Access-Token": self._token(access), "Accept": "application/json"}
            try:
                response = self._client(access).call(
                    "POST", url, reads=reads, classify=_named, patience=access.patience, json=body, headers=headers
                )
            except Unauthorised:
                other = None if last else self._renewed(access)
                if other is None:
                    raise
                access = other
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
        """The shop's token. One that the kernel does not renew (tests, a bare `Access`) is asked for, and kept here."""
        given = bearer(access.secrets)
        if given:
            return given
        key = (shop_url(access), access.secrets.get("client_id", ""))
        client = self._client(access)
        with self._lock:
            turn = self._granting[key]
        with turn:
            kept = self._grants.get(key)
            if kept is None or kept.due <= access.clock.now():
                kept = self._grants[key] = renewed(client, access)
            return kept.access

    def _renewed(self, access: Access) -> Access | None:
        """The access with other credentials after a 401; `None` where the present ones are the merchant's to renew."""
        if access.renew is not None:
            return access.renew(access)
        with self._lock:
            forgotten = self._grants.pop((shop_url(access), access.secrets.get("client_id", "")), None)
        return access if forgotten is not None else None

    def renew(self, access: Access) -> Grant:
        """Ask Shopify for the grant after this one. Raises `AuthExpired`, `Transient`, `Refused`."""
        return renewed(self._client(access), access)

    def close(self) -> None:
        """Give back connections and forget tokens. Idempotent."""
        with self._lock:
            if self._http is not None:
                self._http.close()
                self._http = None
            self._grants.clear()


def _named(response: requests.Response) -> KiitosError | None:
    """What Shopify means by statuses of its own: 402 the shop is frozen, 430 the call was held to be unsafe."""
    if response.status_code == 401:
        return Unauthorised("Shopify refuses the shop's token (401)")
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
