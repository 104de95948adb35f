"""The shop's own screens of wc-auth: log in, consent, grant, and the POST of the fresh key from server to server.

What they check, in which order and with which words follows the captured run (woocommerce.md section 4): the callback
must be https and answer exactly 200, else the fresh key is deleted and the merchant reads "Access denied". One thing a
real shop does besides and this one does not: it refuses callbacks at private addresses and odd ports.
"""

from __future__ import annotations

import html
import json
import ssl
from dataclasses import dataclass
from http.cookies import SimpleCookie
from typing import TYPE_CHECKING
from urllib.parse import parse_qsl, quote, urlencode, urlsplit

from connector.testing.fakes.web import Request, Response, post
from connector.testing.fakes.woocommerce import answers
from connector.testing.fakes.woocommerce.state import php_json

if TYPE_CHECKING:
    from connector.testing.fakes.woocommerce.shop import FakeWoo

PATH = "/wc-auth/v1"
PARAMETERS = ("app_name", "user_id", "return_url", "callback_url", "scope")
SCOPES = {"read": "Read", "write": "Write", "read_write": "Read/Write"}
COOKIE = "wordpress_logged_in_fake"
ALLOWS = ("Create webhooks", "View and manage coupons", "View and manage customers", "View and manage orders")


@dataclass
class Admin:
    """Who may log in to the shop's admin, and how the shop reaches out."""

    user: str = "admin"
    password: str = "example-pass"
    session: str = ""
    nonce: str = ""
    trust: ssl.SSLContext | None = None
    """What certificates the shop's server trusts; `None`: the machine's."""
    callbacks: bool = True
    """False: a firewall lets no call out of the shop's server."""


def answer(woo: FakeWoo, request: Request) -> Response:
    """One of the three screens, by path."""
    step = request.path.removeprefix(PATH).strip("/")
    given = {name: request.last(name) or "" for name in PARAMETERS}
    # Everything behind an & is lost, and tags are stripped, in the chain of redirects.
    given["app_name"] = given["app_name"].partition("&")[0].partition("<")[0].strip()
    fault = _fault(given)
    if fault or step not in ("authorize", "login", "access_granted"):
        return _denied(f"Error: {fault or 'Route not found.'}")
    if step == "login":
        return _log_in(woo, request, given)
    if not _logged_in(woo, request):
        return _go(f"{woo.home}{PATH}/login/?{_query(given)}")
    return _consent(woo, given) if step == "authorize" else _grant(woo, request, given)


def _fault(given: dict[str, str]) -> str:
    for name in PARAMETERS:
        if not given[name]:
            return f"Missing parameter {name}."
    if given["scope"] not in SCOPES:
        return f"Invalid scope {html.escape(given['scope'])}."
    for name in ("return_url", "callback_url"):
        if not urlsplit(given[name]).hostname:
            return f"The {name} is not a valid URL."
    if not given["callback_url"].startswith("https://"):
        return "The callback_url needs to be over SSL."
    return ""


def _logged_in(woo: FakeWoo, request: Request) -> bool:
    morsel = SimpleCookie(request.headers.get("cookie", "")).get(COOKIE)
    return bool(woo.admin.session) and morsel is not None and morsel.value == woo.admin.session


def _log_in(woo: FakeWoo, request: Request, given: dict[str, str]) -> Response:
    form = dict(parse_qsl(request.body.decode("utf-8", "replace")))
    wrong = ""
    if request.method == "POST":
        if (form.get("username"), form.get("password")) == (woo.admin.user, woo.admin.password):
            woo.admin.session = woo.clock.token(16)
            cookie = ("Set-Cookie", f"{COOKIE}={woo.admin.session}; Path=/; HttpOnly")
            return _go(f"{woo.home}{PATH}/authorize/?{_query(given)}", [cookie])
        wrong = '<p role="alert"><strong>Error:</strong> The username or password you entered is incorrect.</p>'
    name = html.escape(given["app_name"])
    return _screen(
        f"<h1>{name} would like to connect to your store</h1>{wrong}"
        f'<p>To connect to {name} you need to be logged in. <a href="{_refusing(given)}">cancel and return</a></p>'
        '<form method="post" class="wc-auth-login">'
        '<p><label for="username">Username or email address</label> <input name="username" id="username" required></p>'
        '<p><label for="password">Password</label>'
        ' <input type="password" name="password" id="password" required></p>'
        '<p><button type="submit" name="login" value="Login">Login</button></p></form>'
    )


def _consent(woo: FakeWoo, given: dict[str, str]) -> Response:
    woo.admin.nonce = woo.clock.token(6)
    name, host = html.escape(given["app_name"]), html.escape(urlsplit(given["callback_url"]).hostname or "")
    approve = html.escape(f"{PATH}/access_granted/?{_query(given)}&wc_auth_nonce={woo.admin.nonce}")
    return _screen(
        f"<h1>{name} would like to connect to your store</h1>"
        f'<p>This will give "<strong>{name}</strong>" <strong>{SCOPES[given["scope"]]}</strong> access</p>'
        f"<ul>{''.join(f'<li>{word}</li>' for word in ALLOWS)}</ul>"
        f"<p>Approving will share credentials with <strong>{host}</strong>.</p>"
        f'<p><a href="{approve}" class="wc-auth-approve">Approve</a> <a href="{_refusing(given)}">Deny</a></p>'
    )


def _grant(woo: FakeWoo, request: Request, given: dict[str, str]) -> Response:
    """Make a key, post it, keep it only if the answer is exactly 200; then send the browser back."""
    if not woo.admin.nonce or request.last("wc_auth_nonce") != woo.admin.nonce:
        return _denied("Error: Invalid nonce verification.")
    woo.admin.nonce = ""
    with woo.lock:
        key_id, key, secret = woo.issue_key(given["scope"])
    body = php_json(
        {
            "key_id": key_id,
            "user_id": given["user_id"],
            "consumer_key": key,
            "consumer_secret": secret,
            "key_permissions": given["scope"],
        }
    )
    if _send(woo, given["callback_url"], body) != 200:
        woo.keys.pop(key, None)
        return _denied("Error: An error occurred in the request and at the time were unable to send the consumer data.")
    return _go(_back(given["return_url"], "1", given["user_id"]))


def _send(woo: FakeWoo, url: str, body: bytes) -> int | None:
    if not woo.admin.callbacks:
        return None
    headers = (
        ("Host", urlsplit(url).netloc),
        ("User-Agent", f"WordPress/7.1; {woo.home}"),
        ("Accept", "*/*"),
        ("Content-Type", "application/json;charset=UTF-8"),
    )
    return post(url, headers, body, 60.0, woo.admin.trust)


def callback_body(ticket: str, key: str, secret: str, permissions: str = "read_write", key_id: int = 4) -> bytes:
    """The body of a callback as the shop writes it, for tests that forge one."""
    fields = {"key_id": key_id, "user_id": ticket, "consumer_key": key, "consumer_secret": secret}
    return json.dumps({**fields, "key_permissions": permissions}, separators=(",", ":")).encode()


def _back(url: str, success: str, user_id: str) -> str:
    joint = "&" if urlsplit(url).query else "?"
    return f"{url}{joint}success={success}&user_id={quote(user_id, safe=':=/')}"


def _refusing(given: dict[str, str]) -> str:
    return html.escape(_back(given["return_url"], "0", given["user_id"]))


def _query(given: dict[str, str]) -> str:
    return urlencode(given, quote_via=quote)


def _go(url: str, headers: list[tuple[str, str]] | None = None) -> Response:
    moved = [("X-Redirect-By", "WordPress"), ("Location", url), *(headers or [])]
    return Response(302, b"", answers.HTML_TYPE, moved)


def _screen(body: str) -> Response:
    head = '<meta name="viewport" content="width=device-width"><title>Application authentication request</title>'
    page = f'<!DOCTYPE html>\n<html lang="en-US">\n<head>{head}</head>\n<body class="wc-auth">{body}</body>\n</html>\n'
    return Response(200, page.encode(), answers.HTML_TYPE)


def _denied(text: str) -> Response:
    return answers.page(401, "Access denied", f'<div class="wp-die-message">{text}</div>')
