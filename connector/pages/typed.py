"""What visitors type into forms that anybody may fill in, and how often they may."""

from __future__ import annotations

from datetime import timedelta

from connector.errors import Refused
from connector.model import email_key
from flows.render.mime import ascii_address

LONGEST = 254
"""Characters of an address (RFC 5321 section 4.5.3.1)."""
PACE = timedelta(minutes=10)
"""The window in which one place, and all of a shop, may use a form so often."""


def read_address(text: str) -> str | None:
    """A whole e-mail address as it was typed; `None` for what no mail can be sent to."""
    typed = text.strip()
    if len(typed) > LONGEST or email_key(typed) is None:
        return None
    try:
        return typed if "." in ascii_address(typed).rpartition("@")[2] else None
    except Refused:
        return None
