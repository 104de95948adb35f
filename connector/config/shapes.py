"""Checks of a value's shape: each returns what is wrong, or an empty string; and what such values are read as."""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping
from decimal import Decimal
from typing import Any

from connector.contracts.step import parse_span
from connector.errors import near
from connector.model import Money

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


MONEY = re.compile(r"(\d+(?:\.\d{1,3})?) ([A-Z]{3})")
_LANGUAGE = re.compile(r"[a-z]{2,3}")


def flag(value: Any) -> str:
    return "" if isinstance(value, bool) else "should be true or false"


def whole(value: Any, least: int, most: int) -> bool:
    """Whether it is a whole number between the two; true and false are none."""
    return isinstance(value, int) and not isinstance(value, bool) and least <= value <= most


def count(value: Any) -> str:
    return "" if whole(value, 0, 1_000_000) else "should be a whole number up to 1000000"


def span_fault(value: Any) -> str:
    """A length of time such as 30d."""
    try:
        parse_span(value if isinstance(value, str) else "")
    except ValueError as error:
        return str(error)
    return ""


def money(example: str) -> Check:
    """A check of an amount above zero with its currency."""

    def check(value: Any) -> str:
        found = MONEY.fullmatch(value) if isinstance(value, str) else None
        return "" if found and Decimal(found[1]) > 0 else f"should be an amount such as {example}"

    return check


def texts_fault(value: Any, longest: int) -> str:
    """What is wrong with a table of texts by language; empty when nothing is."""
    if not isinstance(value, Mapping) or not value:
        return 'should be a table of texts by language such as { en = "...", fi = "..." }'
    for language, text in value.items():
        if not _LANGUAGE.fullmatch(language):
            return f"'{language}' is no language; write a code such as en"
        if not isinstance(text, str) or not 0 < len(text.strip()) <= longest:
            return f"{language}: should be a text of at most {longest} letters"
    return ""


def read_money(text: str | None) -> Money | None:
    """A checked amount; `None` for none."""
    found = MONEY.fullmatch(text) if text else None
    return Money.parse(found[1], found[2]) if found else None
