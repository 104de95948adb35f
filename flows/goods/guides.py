"""Which of the merchant's product texts fit what was bought, and what flows may ask about them."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from fnmatch import fnmatchcase
from typing import Protocol

from connector.model import Guide

MOST = 5
"""Guides in one message: beyond that it is a book."""


class Sold(Protocol):
    """What a guide looks at of a line."""

    @property
    def product_id(self) -> str | None: ...
    @property
    def sku(self) -> str | None: ...
    @property
    def title(self) -> str | None: ...


@dataclass(frozen=True, slots=True, kw_only=True)
class GuideFacts:
    """How much there is to tell of what was bought: `guide.steps > 0`. Counts are of the guide that has most.

    `care_at` is when the first care is due, counted from the arrival of the goods, else from their departure, else
    from the order; `None` where no guide that fits says `care_after`.
    """

    count: int = 0
    facts: int = 0
    steps: int = 0
    tips: int = 0
    care: int = 0
    care_at: datetime | None = None


def fitting(
    guides: Sequence[Guide], lines: Iterable[Sold], tags: Mapping[str, Sequence[str]] | None = None
) -> tuple[Guide, ...]:
    """The guides for these lines, each once, in the order of the lines; at most `MOST`. `tags`: by product id."""
    if not guides:
        return ()
    found = {guide.id: guide for line in lines for guide in guides if _fits(guide, line, tags or {})}
    return tuple(found.values())[:MOST]


def _fits(guide: Guide, line: Sold, tags: Mapping[str, Sequence[str]]) -> bool:
    if line.product_id is not None and line.product_id in guide.products:
        return True
    if guide.tags and line.product_id is not None:
        worn = {tag.lower() for tag in tags.get(line.product_id, ())}
        if any(tag.lower() in worn for tag in guide.tags):
            return True
    return _like(line.sku, guide.skus) or _like(line.title, guide.titles)


def _like(text: str | None, patterns: Sequence[str]) -> bool:
    return bool(text) and any(fnmatchcase(str(text).lower(), pattern.lower()) for pattern in patterns)


def guide_facts(guides: Sequence[Guide], since: datetime | None) -> GuideFacts:
    """What can be asked of these guides; `since` is when the customer has had the goods."""
    texts = [text for guide in guides for text in guide.texts]
    spans = [guide.care_after for guide in guides if guide.care_after is not None]
    return GuideFacts(
        count=len(guides),
        facts=max((len(text.facts) for text in texts), default=0),
        steps=max((len(text.steps) for text in texts), default=0),
        tips=max((len(text.tips) for text in texts), default=0),
        care=max((len(text.care) for text in texts), default=0),
        care_at=since + min(spans) if spans and since is not None else None,
    )
