"""Short links: `/c/<token>` in the place of an address that a message shows.

The address is stored when the message is frozen and never travels in the link, so that no link of ours leads anywhere
else (facts/messaging.md section 5.3). A token is the address's id, the beginning of the message's key, and six
characters of HMAC over both: nothing is kept for a message, and what we did not sign is never looked up.
"""

from __future__ import annotations

import hmac
import re
from collections.abc import Iterable
from dataclasses import dataclass, field
from datetime import datetime
from html import escape, unescape

from connector.store import clicks
from connector.store.db import Tx
from flows.render.links import safe_url
from flows.sending.addressing import derive_token

PATH = "/c/"
OPENED = "0000000000"
"""In the place of an address's id: the picture that tells, perhaps, that a message was looked at."""
_URL, _MESSAGE, _SIGNATURE = 10, 12, 6
LENGTH = _URL + _MESSAGE + _SIGNATURE
_TOKEN = re.compile(rf"[0-9a-z]{{{LENGTH}}}")
_LINK = re.compile(r"(<(?:a|area|v:[a-z]+)\b[^<>]*?\bhref\s*=\s*)([\"'])(https?://[^\"'<>\s]+)\2", re.IGNORECASE)
_WRITTEN = re.compile(r"https?://[^\s<>\"']+", re.IGNORECASE)
_AFTER = ".,;:!?)]}»”"
_SHORTEST = 5
"""Characters of a mark: what is shorter stands in many addresses by chance."""


@dataclass(frozen=True, slots=True)
class Followed:
    """What a token says: the id of the address, and the beginning of the key of the message it stood in."""

    url_id: str
    message: str


def token_of(salt: bytes, url_id: str, message_key: str) -> str:
    message = message_key[:_MESSAGE]
    return url_id + message + derive_token(salt, "click", url_id, message, length=_SIGNATURE)


def read_token(salt: bytes, token: str) -> Followed | None:
    """`None` for everything we did not sign; total, whatever the text."""
    if not _TOKEN.fullmatch(token):
        return None
    url_id, message = token[:_URL], token[_URL : _URL + _MESSAGE]
    return Followed(url_id, message) if hmac.compare_digest(token_of(salt, url_id, message), token) else None


@dataclass(frozen=True, slots=True, kw_only=True)
class Shortener:
    """For one message. `begin` is where short links begin (`https://go.brand.example`), `ours` the application's own
    address: its pages are never shortened, unsubscribe and preferences above all.

    An address with one of the `marks` in it (an order's status page, a code) is the recipient's own: it is kept under
    `owner`, and forgotten with them. All others are kept once a shop.
    """

    tx: Tx
    shop_id: str
    key: str
    salt: bytes
    begin: str
    ours: str
    owner: str
    marks: tuple[str, ...]
    now: datetime
    _made: dict[str, str] = field(default_factory=dict)

    def link(self, url: str) -> str:
        """The short link in the place of an address; the address itself where it is ours, or none."""
        made = self._made.get(url)
        if made is None:  # the page and its plain text show the same ones
            made = self._made[url] = self._make(url)
        return made

    def _make(self, url: str) -> str:
        if safe_url(url) != url or url.startswith((f"{self.ours}/", f"{self.begin}{PATH}")):
            return url
        owner = self.owner if any(mark in url for mark in self.marks) else ""
        url_id = derive_token(self.salt, "url", self.shop_id, owner, url, length=_URL)
        clicks.keep(self.tx, self.shop_id, url_id, url, owner, self.now)
        return f"{self.begin}{PATH}{token_of(self.salt, url_id, self.key)}"

    def html(self, html: str) -> str:
        """Every link of a page; pictures and style sheets stay as they are."""
        return _LINK.sub(lambda m: f"{m[1]}{m[2]}{escape(self.link(unescape(m[3])))}{m[2]}", html)

    def text(self, text: str, *, shorter_only: bool = False) -> str:
        """Every address in a plain text, without the punctuation after it. With `shorter_only` those that gain by
        it: a short message pays by the character."""

        def replaced(found: re.Match[str]) -> str:
            url = found[0].rstrip(_AFTER)
            short = self.link(url) if not shorter_only or len(url) > len(self.begin) + len(PATH) + LENGTH else url
            return short + found[0][len(url) :]

        return _WRITTEN.sub(replaced, text)

    def picture(self, html: str) -> str:
        """The page with a picture of one pixel, whose fetching tells that somebody or something opened it."""
        address = f"{self.begin}{PATH}{token_of(self.salt, OPENED, self.key)}"
        pixel = f'<img src="{address}" width="1" height="1" alt="" style="display:block;width:1px;height:1px">'
        before, end, after = html.rpartition("</body>")
        return f"{before}{pixel}{end}{after}" if end else html + pixel


def marks_of(values: Iterable[str | None]) -> tuple[str, ...]:
    """What makes an address one person's: the values that are long enough to mean anything."""
    return tuple(dict.fromkeys(value for value in values if value and len(value) >= _SHORTEST))
