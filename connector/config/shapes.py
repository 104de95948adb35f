"""Checks of a text's whole shape, and of closed vocabularies: each returns what is wrong, or an empty string."""

from __future__ import annotations

import re
from collections.abc import Callable
from typing import Any

from connector.errors import near

Check = Callable[[Any], str]
"""Takes a value, returns what is wrong with it, or an empty string."""


def shaped(pattern: str, example: str) -> Check:
    """A check of a text's whole shape; the fault shows an example."""
    shape = re.compile(pattern)

    def check(value: Any) -> str:
        fits = isinstance(value, str) and shape.fullmatch(value) is not None
        return "" if fits else f"should be {example}"

    return check


def one_of(*words: str) -> Check:
    """A check of a closed vocabulary; the fault offers the nearest word."""

    def check(value: Any) -> str:
        return "" if value in words else f"should be one of {', '.join(words)}{near(str(value), words)}"

    return check


currency = shaped(r"[A-Z]{3}", "an ISO 4217 code in capitals, such as EUR")
country = shaped(r"[A-Z]{2}", "an ISO 3166 code of two capitals, such as FI")
locale = shaped(r"[a-z]{2,3}(-[A-Z][a-z]{3})?(-([A-Z]{2}|\d{3}))?", "a language such as fi, fi-FI or pt-BR")
colour = shaped(r"#[0-9a-fA-F]{6}", "a colour such as #1f5c4d")
