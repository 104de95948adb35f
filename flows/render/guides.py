"""A merchant's product texts as templates see them: one table a guide, in the message's language."""

from __future__ import annotations

from collections.abc import Iterable

from connector.model import Guide, GuideText, Tip
from flows.render.cleaning import clean
from flows.render.links import safe_url
from flows.render.locales import FALLBACK, match_language

TIPS = 3
"""Templates speak of `guide.tip_1` to `guide.tip_3`; `None` where the guide has fewer."""


def guide_table(guide: Guide, language: str, shop_locale: str) -> dict[str, object]:
    """The guide in `language`, else in the shop's own, else in English, else in whichever it was written."""
    text = _in_language(guide, language, shop_locale)
    tips: list[Tip | None] = [*text.tips[:TIPS], *[None] * TIPS]
    return {
        "id": guide.id,
        "name": clean(text.name) or "–",
        "facts": _lines(text.facts),
        "steps": _lines(text.steps),
        "care": _lines(text.care),
        "url": safe_url(text.url),
        **{f"tip_{number}": _tip(tip) for number, tip in enumerate(tips[:TIPS], start=1)},
    }


def _in_language(guide: Guide, *wanted: str) -> GuideText:
    texts = {text.language: text for text in guide.texts}
    found = (match_language(locale, texts) for locale in (*wanted, FALLBACK))
    return texts[next(filter(None, found), next(iter(texts)))]


def _lines(texts: Iterable[str]) -> list[str]:
    return [line for line in map(clean, texts) if line]


def _tip(tip: Tip | None) -> dict[str, object] | None:
    return None if tip is None else {"title": clean(tip.title), "text": clean(tip.text), "url": safe_url(tip.url)}
