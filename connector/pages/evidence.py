"""What stands in the consent ledger beside a decision: the words the person saw, and where wished a trace of them."""

from __future__ import annotations

import hashlib
import hmac

from flask import request

from connector import codec
from connector.config import ShopSettings
from connector.pages.frame import application

LONGEST = 2000
"""Characters of what was shown that are kept."""


def evidence(shown: str, language: str, settings: ShopSettings, page: str = "") -> str:
    """`{"text": ..., "language": ...}`, with `page` and `version` (a digest of the words, to find all who saw the same)
    where the page says which it is, and with `ip` where the shop keeps it: a keyed hash, of use to show that two
    decisions came from one place and of none to find the place (GDPR Art. 5(1)(c))."""
    found = {"text": shown[:LONGEST], "language": language}
    if page:
        found |= {"page": page, "version": hashlib.sha256(shown.encode()).hexdigest()[:12]}
    if settings.consenting.keep_ip and request.remote_addr:
        place = f"consent|{settings.shop.id}|{request.remote_addr}".encode()
        found["ip"] = hmac.digest(application().salt, place, hashlib.sha256).hex()[:32]
    return codec.encode_text(found)
