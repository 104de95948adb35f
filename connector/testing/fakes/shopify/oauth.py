"""Shopify's side of installing an app: the screen that asks, and the endpoint that gives and renews tokens.

The rules are those of facts/shopify.md section 2.1 and of Shopify's changelog of 2026-08-28: an access token of an
expiring grant lives an hour, its refresh token 90 days; a refresh token may be used again until its replacement is
used, at most 30 days after its first use; then it answers `invalid_grant`. Whether a repeated refresh kills the answer
before it Shopify does not say: that is `Siblings`, so that a client can be tried under each reading.
"""

from __future__ import annotations

import base64
import hashlib
import hmac
import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from enum import Enum
from typing import Any
from urllib.parse import parse_qsl, quote, urlencode, urlsplit

from connector.clock import Clock
from connector.testing.fakes.web import Request, Response, as_json

AUTHORIZE_PATH = "/admin/oauth/authorize"
TOKEN_PATH = "/admin/oauth/access_token"
DAY = timedelta(hours=24)
HOUR = timedelta(hours=1)
REFRESH_LIFE = timedelta(days=90)
RETRY_LIFE = timedelta(days=30)
CODE_LIFE = timedelta(minutes=10)
ID_TOKEN_LIFE = timedelta(minutes=1)
EXCHANGE = "urn:ietf:params:oauth:grant-type:token-exchange"
ID_TOKEN = "urn:ietf:params:oauth:token-type:id_token"
OFFLINE = "urn:shopify:params:oauth:token-type:offline-access-token"


class Siblings(Enum):
    """What a refresh token that is used again does to the pair it gave the first time."""

    SAME = "the same refresh token is given again"
    REPLACED = "the earlier answer's refresh token dies"
    TOGETHER = "both live until one of them is used"


@dataclass(slots=True)
class RefreshToken:
    """One refresh token and what became of it."""

    value: str = field(repr=False)
    until: datetime
    parent: RefreshToken | None = None
    first_used: datetime | None = None
    dead: bool = False
    children: list[RefreshToken] = field(default_factory=list)


@dataclass(frozen=True, slots=True)
class Code:
    """An authorization code, good once. `shop` is the store that gave it."""

    value: str = field(repr=False)
    until: datetime
    scopes: frozenset[str]


class OAuth:
    """Tokens of one app in one shop. Callers hold the shop's lock."""

    def __init__(self, clock: Clock, domain: str, client_id: str, client_secret: str) -> None:
        self._clock = clock
        self.domain = domain
        self.client_id = client_id
        self.client_secret = client_secret
        self.siblings = Siblings.REPLACED
        self.redirect_urls: list[str] = []
        self.installed = True
        self.access: dict[str, datetime] = {}
        self.refresh: dict[str, RefreshToken] = {}
        self.codes: dict[str, Code] = {}
        self.granted: list[str] = []
        """The grant types that gave a token, in order."""

    # --- access tokens ---

    def issue(self, life: timedelta = DAY) -> str:
        token = f"shpat_{self._clock.token(20)}"
        self.access[token] = self._clock.now() + life
        return token

    def accepts(self, token: str) -> bool:
        """Whether a call with this token is answered; an hour-old token of an expiring grant is not."""
        until = self.access.get(token)
        return self.installed and until is not None and until > self._clock.now()

    def revoke(self) -> None:
        """Every access token issued so far answers 401; refresh tokens stay, as after a change of scopes."""
        self.access.clear()

    def uninstall(self) -> None:
        """The merchant removed the app: nothing it holds works any more."""
        self.installed = False
        self.access.clear()
        for token in self.refresh.values():
            token.dead = True

    # --- the token endpoint ---

    def answer(self, request: Request, scopes: set[str]) -> Response:
        """POST /admin/oauth/access_token."""
        given = _form(request)
        if (given.get("client_id"), given.get("client_secret")) != (self.client_id, self.client_secret):
            return _refusal(401, "invalid_client", "Client authentication failed")
        kind = given.get("grant_type", "authorization_code" if "code" in given else "")
        if kind == "client_credentials":
            self.granted.append(kind)
            return as_json(200, {"access_token": self.issue(), "scope": _listed(scopes), "expires_in": 86399})
        if kind == "authorization_code":
            return self._for_code(given)
        if kind == EXCHANGE:
            return self._for_id_token(given, scopes)
        if kind == "refresh_token":
            return self._for_refresh_token(given, scopes)
        return _refusal(400, "unsupported_grant_type", "")

    def _for_code(self, given: Mapping[str, str]) -> Response:
        code = self.codes.pop(given.get("code", ""), None)
        if code is None or code.until <= self._clock.now():
            return _refusal(400, "invalid_request", "The authorization code was not found or was already used")
        self.granted.append("authorization_code")
        return self._pair(given, code.scopes)

    def _for_id_token(self, given: Mapping[str, str], scopes: set[str]) -> Response:
        kinds = (given.get("subject_token_type"), given.get("requested_token_type"))
        if kinds != (ID_TOKEN, OFFLINE):
            return _refusal(400, "invalid_request", "")
        claims = read_id_token(given.get("subject_token", ""), self.client_secret)
        now = self._clock.now().timestamp()
        if claims is None or claims.get("aud") != self.client_id or not claims["nbf"] <= now < claims["exp"]:
            return _refusal(400, "invalid_subject_token", "")
        if urlsplit(str(claims.get("dest"))).hostname != self.domain or not self.installed:
            return _refusal(400, "invalid_subject_token", "")
        self.granted.append("token_exchange")
        return self._pair(given, scopes)

    def _pair(self, given: Mapping[str, str], scopes: frozenset[str] | set[str]) -> Response:
        """A token that does not lapse unless `expiring=1` asks for one that does."""
        if given.get("expiring") != "1":
            return as_json(200, {"access_token": self.issue(timedelta(days=36500)), "scope": _listed(scopes)})
        return as_json(200, self._expiring(self._new_refresh(None), scopes))

    def _for_refresh_token(self, given: Mapping[str, str], scopes: set[str]) -> Response:
        token, now = self.refresh.get(given.get("refresh_token", "")), self._clock.now()
        late = token is not None and token.first_used is not None and now >= token.first_used + RETRY_LIFE
        if token is None or token.dead or late or token.until <= now:
            return _refusal(400, "invalid_grant", "The refresh token is invalid or has expired")
        if token.parent is not None:
            token.parent.dead = True
            for sibling in token.parent.children:
                sibling.dead = sibling.dead or sibling is not token
        token.first_used = token.first_used or now
        self.granted.append("refresh_token")
        return as_json(200, self._expiring(self._next(token), scopes))

    def _next(self, token: RefreshToken) -> RefreshToken:
        if token.children and self.siblings is Siblings.SAME:
            return token.children[-1]
        if self.siblings is Siblings.REPLACED:
            for earlier in token.children:
                earlier.dead = True
        child = self._new_refresh(token)
        token.children.append(child)
        return child

    def _new_refresh(self, parent: RefreshToken | None) -> RefreshToken:
        made = RefreshToken(f"shprt_{self._clock.token(20)}", self._clock.now() + REFRESH_LIFE, parent)
        self.refresh[made.value] = made
        return made

    def _expiring(self, refresh: RefreshToken, scopes: frozenset[str] | set[str]) -> dict[str, object]:
        return {
            "access_token": self.issue(HOUR),
            "expires_in": int(HOUR.total_seconds()),
            "refresh_token": refresh.value,
            "refresh_token_expires_in": int((refresh.until - self._clock.now()).total_seconds()),
            "scope": _listed(scopes),
        }

    def first_pair(self) -> dict[str, object]:
        """What an install gave, for tests that begin after it."""
        return self._expiring(self._new_refresh(None), set())

    # --- the screen ---

    def authorize(self, request: Request, offered: set[str]) -> Response:
        """GET asks the merchant; POST is the yes: the browser is sent back with code, state and hmac."""
        asked = dict(request.query)
        if request.method == "POST":
            asked.update(_form(request))
        fault = self._unfit(asked)
        if fault:
            return Response(400, f"<h1>Oauth error invalid_request</h1><p>{fault}</p>".encode(), "text/html")
        if request.method == "GET":
            return Response(200, _screen(asked).encode(), "text/html; charset=utf-8")
        wanted = frozenset(scope.strip() for scope in asked.get("scope", "").split(",") if scope.strip())
        return Response(302, b"", "text/html", [("Location", self.approve(asked, wanted & offered or offered))])

    def _unfit(self, asked: Mapping[str, str]) -> str:
        if asked.get("client_id") != self.client_id:
            return "no such application"
        if asked.get("redirect_uri") not in self.redirect_urls:
            return "the redirect_uri is not whitelisted"
        return ""

    def approve(self, asked: Mapping[str, str], scopes: frozenset[str] | set[str]) -> str:
        """The address the merchant's browser is sent to after the yes."""
        code = Code(self._clock.token(16), self._clock.now() + CODE_LIFE, frozenset(scopes))
        self.codes[code.value] = code
        self.installed = True
        query = {
            "code": code.value,
            "host": base64.b64encode(f"admin.shopify.com/store/{self.domain.split('.')[0]}".encode()).decode(),
            "shop": self.domain,
            "state": asked.get("state", ""),
            "timestamp": str(int(self._clock.now().timestamp())),
        }
        return f"{asked['redirect_uri']}?{urlencode(self.signed(query))}"

    def signed(self, query: Mapping[str, str]) -> dict[str, str]:
        """The query with its `hmac`."""
        return {**query, "hmac": sign_query(list(query.items()), self.client_secret)}

    def embedded_load(self, path: str = "/") -> str:
        """Path and query with which the admin loads the app's page."""
        host = base64.b64encode(f"admin.shopify.com/store/{self.domain.split('.')[0]}".encode()).decode().rstrip("=")
        query = {
            "embedded": "1",
            "host": host,
            "id_token": self.id_token(),
            "locale": "en",
            "session": self._clock.token(16),
            "shop": self.domain,
            "timestamp": str(int(self._clock.now().timestamp())),
        }
        return f"{path}?{urlencode(self.signed(query))}"

    def id_token(self, *, secret: str | None = None, alg: str = "HS256", **changes: object) -> str:
        """A session token as App Bridge gives it; `changes` replace claims (`None` removes one)."""
        now = int(self._clock.now().timestamp())
        claims: dict[str, object] = {
            "iss": f"https://{self.domain}/admin",
            "dest": f"https://{self.domain}",
            "aud": self.client_id,
            "sub": "42",
            "exp": now + int(ID_TOKEN_LIFE.total_seconds()),
            "nbf": now,
            "iat": now,
            "jti": self._clock.token(12),
            "sid": self._clock.token(12),
        }
        claims.update(changes)
        kept = {name: value for name, value in claims.items() if value is not None}
        signed = f"{_b64({'alg': alg, 'typ': 'JWT'})}.{_b64(kept)}"
        key = self.client_secret if secret is None else secret
        digest = hmac.new(key.encode(), signed.encode(), hashlib.sha256).digest() if alg == "HS256" else b""
        return f"{signed}.{base64.urlsafe_b64encode(digest).decode().rstrip('=')}"


def sign_query(pairs: Sequence[tuple[str, str]], secret: str) -> str:
    """Hex HMAC-SHA256 over the sorted `key=value` pairs joined by `&`, without `hmac` itself."""
    message = "&".join(f"{key}={value}" for key, value in sorted(pairs) if key != "hmac")
    return hmac.new(secret.encode(), message.encode(), hashlib.sha256).hexdigest()


def read_id_token(token: str, secret: str) -> dict[str, Any] | None:
    """The claims of a token of ours; `None` for anything else."""
    head, _, rest = token.partition(".")
    body, _, signature = rest.partition(".")
    digest = hmac.new(secret.encode(), f"{head}.{body}".encode(), hashlib.sha256).digest()
    expected = base64.urlsafe_b64encode(digest).decode().rstrip("=")
    if not hmac.compare_digest(expected.encode(), signature.encode()):
        return None
    claims: dict[str, Any] = json.loads(base64.urlsafe_b64decode(body + "=" * (-len(body) % 4)))
    return claims


def _b64(value: Mapping[str, object]) -> str:
    return base64.urlsafe_b64encode(json.dumps(value).encode()).decode().rstrip("=")


def _form(request: Request) -> dict[str, str]:
    if request.headers.get("content-type", "").startswith("application/json"):
        try:
            return {str(key): str(value) for key, value in json.loads(request.body).items()}
        except (ValueError, AttributeError):
            return {}
    return dict(parse_qsl(request.body.decode("utf-8", "replace"), keep_blank_values=True))


def _listed(scopes: frozenset[str] | set[str]) -> str:
    return ",".join(sorted(scopes))


def _refusal(status: int, error: str, text: str) -> Response:
    return as_json(status, {"error": error, "error_description": text} if text else {"error": error})


def _screen(asked: Mapping[str, str]) -> str:
    hidden = "".join(
        f'<input type="hidden" name="{name}" value="{quote(value, safe=":/,._-")}">' for name, value in asked.items()
    )
    return (
        '<!doctype html><html lang="en"><title>Install app</title><h1>Install app</h1>'
        f'<form method="post"><p>This app asks for: {quote(asked.get("scope", ""), safe=",_")}</p>{hidden}'
        "<button>Install</button></form></html>"
    )
