"""The `returns` table of app.toml, layered like all settings: what customers read before they ask for a return, and
how soon a person should have answered.

    [defaults.returns]
    answer_within = "48h"
    instructions = { en = "You may return ... within 14 days ...", fi = "..." }
    accepted = { en = "Send the goods to ..." }
    reasons = ["too_small", "damaged"]

The instructions are the merchant's own words about their customers' rights (in the EU the 14 days of directive
2011/83/EU article 9 are the least); without them the page says only how a request goes.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import timedelta
from typing import Any

from connector.config.layering import Layered
from connector.config.shapes import Check, flag, span_fault, texts_fault, whole
from connector.config.tables import table_faults
from connector.contracts.step import parse_span
from connector.errors import near

LONGEST = 4000
MOST_PHOTOS = 4
REASONS = ("changed_mind", "too_small", "too_large", "not_as_described", "damaged", "wrong_item", "late", "other")
WISHES = ("refund", "exchange", "store_credit", "repair", "other")


@dataclass(frozen=True, slots=True, kw_only=True)
class Returns:
    """`instructions` stand above the form, `accepted` in the mail that says yes; both by language. `enabled`: the form
    takes requests. `reasons` and `wishes` are what can be chosen. Nobody's case should be older than `answer_within`
    without an answer; `pause` is how long a case keeps advertising away at most, should nobody ever close it.
    `open_in_shop`: an approved return is opened in the shop as well, where its platform has returns.
    `photos`: how many pictures may be sent with a request."""

    enabled: bool = True
    answer_within: timedelta = timedelta(hours=48)
    pause: timedelta = timedelta(days=90)
    open_in_shop: bool = True
    photos: int = MOST_PHOTOS
    instructions: Mapping[str, str] = field(default_factory=dict)
    accepted: Mapping[str, str] = field(default_factory=dict)
    reasons: tuple[str, ...] = REASONS
    wishes: tuple[str, ...] = WISHES


def _words(known: tuple[str, ...]) -> Check:
    def check(value: Any) -> str:
        if not isinstance(value, list) or not value:
            return f"should be a list of {', '.join(known)}"
        unknown = [str(word) for word in value if word not in known]
        return f"no such word '{unknown[0]}'{near(unknown[0], known)}" if unknown else ""

    return check


def _photos(value: Any) -> str:
    return "" if whole(value, 0, MOST_PHOTOS) else f"should be a whole number up to {MOST_PHOTOS}"


def _texts(value: Any) -> str:
    return texts_fault(value, LONGEST)


_KEYS: dict[str, Check] = {
    "enabled": flag,
    "answer_within": span_fault,
    "pause": span_fault,
    "open_in_shop": flag,
    "photos": _photos,
    "instructions": _texts,
    "accepted": _texts,
    "reasons": _words(REASONS),
    "wishes": _words(WISHES),
}


def returns_faults(where: str, value: Any) -> list[str]:
    """All faults of one layer's table, each as `where.key: what is wrong`."""
    return table_faults(where, value, _KEYS)


def read_returns(layered: Layered) -> Returns:
    """The checked and merged table."""
    table, shipped = layered.get("returns", {}), Returns()

    def span(key: str, otherwise: timedelta) -> timedelta:
        return parse_span(table[key]) if key in table else otherwise

    return Returns(
        enabled=table.get("enabled", True),
        answer_within=span("answer_within", shipped.answer_within),
        pause=span("pause", shipped.pause),
        open_in_shop=table.get("open_in_shop", True),
        photos=table.get("photos", MOST_PHOTOS),
        instructions=table.get("instructions", {}),
        accepted=table.get("accepted", {}),
        reasons=tuple(table.get("reasons", REASONS)),
        wishes=tuple(table.get("wishes", WISHES)),
    )
