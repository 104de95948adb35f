"""Which addresses a message may carry. Escaping does not stop `javascript:` in an href, so the scheme is checked."""

from __future__ import annotations

import re

_URL = re.compile(r"https?://[^\s<>\"'`\\\x00-\x20\x7f]+", re.IGNORECASE)
_LINK = re.compile(r"(mailto:|tel:)[^\s<>\"'`\\\x00-\x20\x7f]+", re.IGNORECASE)


def safe_url(url: str | None) -> str | None:
    """The address when it is plain http or https, else `None`.

    >>> safe_url("https://shop.example/a?b=1"), safe_url("javascript:alert(1)")
    ('https://shop.example/a?b=1', None)
    """
    text = (url or "").strip()
    return text if len(text) <= 2000 and _URL.fullmatch(text) else None


def safe_link(url: str | None) -> str | None:
    """As `safe_url`, with mailto and tel."""
    text = (url or "").strip()
    return safe_url(text) or (text if _LINK.fullmatch(text) else None)
