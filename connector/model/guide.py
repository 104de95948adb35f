"""A merchant's own texts about a product or a group of products: what is good to know, how to begin, how to care."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import timedelta


@dataclass(frozen=True, slots=True, kw_only=True)
class Tip:
    """One tip of a series. `url` may lead to a page or a video."""

    title: str
    text: str
    url: str | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class GuideText:
    """A guide in one language. Each part may be empty: a flow that needs it then leaves the customer in peace."""

    language: str
    name: str
    facts: tuple[str, ...] = ()
    steps: tuple[str, ...] = ()
    tips: tuple[Tip, ...] = ()
    care: tuple[str, ...] = ()
    url: str | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Guide:
    """What a guide is about, and its texts.

    It fits a line by the platform's product id, by its SKU or title (`*` stands for anything, case does not matter) or
    by a tag of its product. `care_after` is the time from the arrival of the goods to the first care.
    """

    id: str
    texts: tuple[GuideText, ...]
    products: tuple[str, ...] = ()
    skus: tuple[str, ...] = ()
    titles: tuple[str, ...] = ()
    tags: tuple[str, ...] = ()
    care_after: timedelta | None = None
