"""What a shop offers beyond its messages: an order's page, a benefit for signing up, recommendations, audiences."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from connector.config.layering import Layered
from connector.errors import near


@dataclass(frozen=True, slots=True, kw_only=True)
class GrowthSettings:
    """`order_page`: mails about an order lead to a page of it. `best_sellers`: where the shop's history puts too little
    beside what somebody bought, what sells most of the same kind is recommended too.

    `audience_ground`: why people may be handed to advertising platforms, `consent` (they have the tag `audience_tag`)
    or `stated` (`audience_statement` says why); empty where they may not.
    """

    order_page: bool = True
    best_sellers: bool = False
    audience_ground: str = ""
    audience_tag: str = "ad-audiences"
    audience_statement: str = ""


def read_growth(layered: Layered) -> GrowthSettings:
    audiences = layered.get("audiences", {})
    return GrowthSettings(
        order_page=layered.get("order_page", True),
        best_sellers=layered.get("recommend_best_sellers", False),
        audience_ground=audiences.get("ground", ""),
        audience_tag=audiences.get("tag", "ad-audiences"),
        audience_statement=audiences.get("statement", ""),
    )


_AUDIENCES = ("ground", "tag", "statement")
GROUNDS = ("consent", "stated")


def audiences_table(value: Any) -> str:
    """On which ground people are handed to advertising platforms."""
    if not isinstance(value, dict):
        return 'should be a table such as { ground = "consent" }'
    for key, text in value.items():
        if key not in _AUDIENCES:
            return f"has no key '{key}'{near(key, _AUDIENCES)}"
        if not isinstance(text, str):
            return f"{key} should be a text"
    ground = value.get("ground")
    if ground not in GROUNDS:
        return 'needs ground = "consent" or "stated"'
    if ground == "stated" and not value.get("statement", "").strip():
        return 'ground = "stated" needs a statement: the words of your privacy notice'
    return ""
