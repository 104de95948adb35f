"""What mail clients do not show, by Can I email's tests (client_support.json; scripts/client_support.py makes it).

A brand may say where its messages are read (`readers` in app.toml): then only those clients count, a finding says about
how many readers it concerns, and what concerns fewer than `FEW` of them is not told.
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass
from functools import lru_cache
from importlib.resources import files
from typing import Any

FAMILIES = ("gmail", "outlook", "apple-mail", "yahoo", "samsung-email", "gmx", "web-de")
"""Whose clients are told where no readers are given: what most mail in the shops' countries is read in."""
FEW = 0.01
_NAMED = 4
_WORDS = {
    "gmail": "Gmail", "outlook": "Outlook", "apple-mail": "Apple Mail", "yahoo": "Yahoo", "samsung-email": "Samsung",
    "gmx": "GMX", "web-de": "WEB.DE", "aol": "AOL", "protonmail": "Proton Mail", "hey": "HEY", "ios": "iOS",
    "android": "Android", "macos": "macOS", "windows": "Windows", "windows-mail": "Windows Mail",
    "outlook-com": "Outlook.com", "desktop-webmail": "in a browser", "mobile-webmail": "in a phone's browser",
}  # fmt: skip
GRACEFUL = frozenset(
    {
        "<bdi>", "<style>", "<small>", "<abbr>", "<address>", "border-radius", "border-spacing", "box-shadow",
        "box-sizing", "cursor", "display:none", "height", "hyphens", "max-height", "max-width", "min-height",
        "min-width", "opacity", "overflow", "overflow-wrap", "table-layout", "text-decoration", "text-shadow",
        "white-space", "word-break", "word-spacing", "word-wrap", "color-scheme", "visibility",
    }
)  # fmt: skip
"""Without these a message is less pretty and reads all the same; the shipped layout is built on it."""


@dataclass(frozen=True, slots=True)
class Lack:
    """A feature that clients do not show, and in words which; `share` of the readers, where readers are known."""

    feature: str
    clients: str
    share: float | None = None


def known_clients() -> frozenset[str]:
    """What `readers` may name: a family (`outlook`), or one client of it (`outlook windows`)."""
    return frozenset({*_clients(), *(client.partition(" ")[0] for client in _clients())})


def lack(feature: str, readers: Mapping[str, float] | None = None) -> Lack | None:
    """Who does not show a feature (`<svg>`, `position`, `display:flex`); `None` where nobody who counts is known to."""
    without = {} if feature in GRACEFUL else _features().get(feature, {})
    wanted = list(readers or FAMILIES)
    found = {client: without[client] for client in without if any(_is(client, one) for one in wanted)}
    if not found:
        return None
    order = {client: at for at, one in enumerate(wanted) for client in found if _is(client, one)}
    named = [
        f"{_said(client)} {_span(found[client])}" for client in sorted(found, key=lambda name: (order[name], name))
    ]
    more = f" and {len(named) - _NAMED} more" if len(named) > _NAMED else ""
    share = sum(part * _part(one, found) for one, part in readers.items()) if readers else None
    return None if share is not None and share < FEW else Lack(feature, ", ".join(named[:_NAMED]) + more, share)


def _part(reader: str, found: Mapping[str, str]) -> float:
    """How much of a family is without it: its clients count alike, which nobody knows better."""
    theirs = [client for client in _clients() if _is(client, reader)]
    return sum(client in found for client in theirs) / max(len(theirs), 1)


def _is(client: str, reader: str) -> bool:
    return client == reader or client.partition(" ")[0] == reader


def _said(client: str) -> str:
    family, _, platform = client.partition(" ")
    where = "" if _WORDS.get(platform) == "Outlook.com" else f"{_WORDS.get(family, family)} "
    return where + _WORDS.get(platform, platform)


def _span(versions: str) -> str:
    several = versions.split()
    return several[0] if len(several) == 1 else f"{several[0]} to {several[-1]}"


def _clients() -> list[str]:
    found: list[str] = _table()["clients"]
    return found


def _features() -> dict[str, dict[str, str]]:
    found: dict[str, dict[str, str]] = _table()["features"]
    return found


@lru_cache(maxsize=1)
def _table() -> dict[str, Any]:
    text = files("flows.render").joinpath("client_support.json").read_text(encoding="utf-8")
    found: dict[str, Any] = json.loads(text)
    return found
