"""`[reviews]`: how reviews are asked for, looked through and shown. Any layer may say it; nothing goes by the stars.

Holding or hiding reviews for their rating is misleading (directive 2005/29/EC annex I 23c as amended by 2019/2161, and
the platforms' own rules), so there is no setting for it and one that looks like it is refused.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import timedelta
from typing import Any

from connector.config.layering import Layered
from connector.config.shapes import Check, flag, one_of, span_fault, whole
from connector.config.tables import entries, key_faults
from connector.contracts.step import parse_span

VIDEO_HOSTS = ("www.youtube.com", "youtube.com", "youtu.be", "vimeo.com", "www.tiktok.com", "www.instagram.com")
MOST_PHOTOS = 4
IN_SHOP = ("published", "held")
_LONGEST = timedelta(days=14)
_LONGEST_REST = timedelta(days=3650)


@dataclass(frozen=True, slots=True, kw_only=True)
class ReviewSettings:
    """`publish_after`: how long a review that no rule holds waits before everybody sees it. `in_shop`: whether the
    platform is told to show it or to keep it until the merchant approves it there too. `most_products`: how many one
    mail asks about; `again_after`: how long a person is not asked about a product again with another order. `photos`:
    how many a review may have. `words` are by language; one of them holds a review until a person looked. `unhappy`: up
    to so many stars a review comes first in the queue, shown all the same."""

    publish_after: timedelta = timedelta()
    in_shop: str = "published"
    most_products: int = 5
    again_after: timedelta = timedelta(days=365)
    photos: int = MOST_PHOTOS
    stories: bool = True
    video_hosts: tuple[str, ...] = VIDEO_HOSTS
    hold_links: bool = True
    hold_personal: bool = True
    hold_repeated: bool = True
    words: Mapping[str, tuple[str, ...]] = field(default_factory=dict)
    unhappy: int = 2


def _count(most: int, least: int = 0) -> Check:
    return lambda value: "" if whole(value, least, most) else f"should be a whole number from {least} to {most}"


def _span(most: timedelta, why: str = "") -> Check:
    long = f"should be at most {most.days}d{why}"
    return lambda value: span_fault(value) or ("" if timedelta() <= parse_span(value) <= most else long)


_HOST = re.compile(r"(?=.{1,253}\Z)([a-z0-9]([a-z0-9-]*[a-z0-9])?\.)+[a-z]{2,}")


def _hosts(value: Any) -> str:
    fits = isinstance(value, list) and all(isinstance(item, str) and _HOST.fullmatch(item) for item in value)
    return "" if fits else 'should be a list of host names such as ["www.youtube.com"]'


_LANGUAGE = re.compile(r"[a-z]{2,3}|any")


def _words(value: Any) -> str:
    if not isinstance(value, Mapping):
        return "should be a table of lists by language"
    for language, words in value.items():
        if not _LANGUAGE.fullmatch(language):
            return f'"{language}" is no language; write en = [...], or any = [...] for all'
        if not isinstance(words, list) or not all(isinstance(word, str) and word.strip() for word in words):
            return f"{language} should be a list of words"
    return ""


_KEYS: dict[str, Check] = {
    "publish_after": _span(_LONGEST, ": what nobody sees helps nobody"),
    "in_shop": one_of(*IN_SHOP),
    "most_products": _count(8, 1),
    "again_after": _span(_LONGEST_REST),
    "photos": _count(MOST_PHOTOS),
    "stories": flag,
    "video_hosts": _hosts,
    "hold_links": flag,
    "hold_personal": flag,
    "hold_repeated": flag,
    "words": _words,
    "unhappy": _count(4),
}
_SPANS = ("publish_after", "again_after")
_BY_STARS = re.compile(r"rating|star|score", re.I)


def review_faults(where: str, value: Any) -> list[str]:
    """All faults of one layer's table, each as `where.key: what is wrong`."""

    def of_key(place: str, key: str, item: Any) -> list[str]:
        if key not in _KEYS and _BY_STARS.search(key):
            return [f"{place}: reviews are never held back for their stars; remove this line"]
        return key_faults(place, key, item, _KEYS)

    return entries(where, value, of_key)


def read_reviews(layered: Layered) -> ReviewSettings:
    """The checked and merged table."""
    told: Mapping[str, Any] = layered.get("reviews", {})
    plain = {key: told[key] for key in _KEYS if key in told and key not in ("video_hosts", "words", *_SPANS)}
    spans: dict[str, Any] = {key: parse_span(told[key]) for key in _SPANS if key in told}
    shipped = ReviewSettings()
    return ReviewSettings(
        **plain,
        **spans,
        video_hosts=tuple(told.get("video_hosts", shipped.video_hosts)),
        words={language: tuple(words) for language, words in told.get("words", {}).items()},
    )
