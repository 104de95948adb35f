"""Texts from outside as one line that cannot turn the text around it."""

from __future__ import annotations

import re

_CONTROL = re.compile(r"[\x00-\x08\x0b-\x1f\x7f-\x9f\u2028\u2029\u202a-\u202e]")


def clean(text: str | None) -> str | None:
    """One line without control characters or direction overrides; `None` when nothing is left."""
    if text is None:
        return None
    if text.isascii() and text.isprintable():
        return text.strip() or None
    return " ".join(_CONTROL.sub(" ", text).split()) or None
