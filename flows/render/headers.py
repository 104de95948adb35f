"""Which headers a message carries by its purpose (facts/messaging.md section 5.2).

Marketing class (everything that needs consent): List-Unsubscribe with one-click POST (RFC 8058), List-Id, Precedence.
Transactional: Auto-Submitted and the order's thread, and never a List-Unsubscribe: Gmail calls receipts "not
subscription messages", and an unsubscribed customer must still get their receipt.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from urllib.parse import urlsplit

from connector.errors import TemplateError
from connector.model import Purpose, Shop
from flows.render.links import safe_url

_TOKEN = re.compile(r"[^A-Za-z0-9._-]+")
_LOOPBACK = frozenset({"localhost", "127.0.0.1", "::1"})


def headers_for(
    purpose: Purpose,
    shop: Shop,
    unsubscribe_url: str | None = None,
    *,
    template: str = "message",
    thread: str | None = None,
) -> dict[str, str]:
    """The headers a message of this purpose carries.

    `unsubscribe_url` is needed for the marketing class and ignored otherwise; `thread` is the Message-ID (with its
    angle brackets) of the order's first message. Raises `TemplateError` when the address is missing.
    """
    headers = {"Feedback-ID": ":".join(_token(part) for part in (template, shop.id, purpose.value, "kiitos"))}
    if not purpose.needs_consent:
        headers["Auto-Submitted"] = "auto-generated"
        if thread:
            headers["In-Reply-To"] = thread
            headers["References"] = thread
        return headers
    url = safe_url(unsubscribe_url)
    if not url:
        raise TemplateError(
            "a message that needs consent needs an unsubscribe address (links.unsubscribe)", where=template
        )
    headers["List-Unsubscribe"] = f"<{url}>"
    if one_click_allowed(url):
        headers["List-Unsubscribe-Post"] = "List-Unsubscribe=One-Click"
    headers["List-Id"] = f"<{_token(purpose.value)}.{_token(shop.domain.encode('idna').decode())}>"
    headers["Precedence"] = "bulk"
    return headers


def one_click_allowed(url: str) -> bool:
    """RFC 8058 wants https; plain http only for a demo on this machine."""
    parts = urlsplit(url)
    return parts.scheme == "https" or parts.hostname in _LOOPBACK


def check_headers(purpose: Purpose, headers: Mapping[str, str], where: str) -> None:
    """Refuse what must never happen. Raises `TemplateError`."""
    names = {name.lower() for name in headers}
    if purpose.needs_consent:
        if "list-unsubscribe" not in names:
            raise TemplateError("a message that needs consent goes out with List-Unsubscribe only", where=where)
    elif names & {"list-unsubscribe", "list-unsubscribe-post", "list-id"}:
        raise TemplateError("a transactional message never carries List-Unsubscribe or List-Id", where=where)


def _token(text: str) -> str:
    return _TOKEN.sub("-", text).strip("-.") or "none"
