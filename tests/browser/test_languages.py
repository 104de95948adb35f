"""No page that is shown in another language speaks English: neither a text of the pages' own nor one that stands in a
template, a step or a channel. Each page of the sweep is asked for in each language."""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from html.parser import HTMLParser
from urllib.parse import urlsplit

import pytest

from connector.app import create_app
from connector.contracts import FREE_DELIVERY
from connector.pages import frame
from tests.browser.conftest import Site
from tests.browser.sights.returns import SETTINGS
from tests.browser.sights.staff import REASON
from tests.pages.member import PROGRAMME

LANGUAGES = ("fi", "sv", "de", "ja", "ar")
COMMON = frozenset(
    re.findall(
        r"\w+",
        "the and you your our of is are was were we with this that for from have has not to will what when who it its "
        "they been can may must by at be or an if there their which please",
    )
)
"""Two of these in one piece of text are English."""
WRITTEN = (FREE_DELIVERY, "store credit", "gift card")
"""What a setting says in words that no page may pass on as they stand: one is enough, in the midst of any sentence."""
ATTRIBUTES = ("title", "placeholder", "aria-label", "alt", "content")
THEIRS = (
    PROGRAMME["rewards"]["tenth"]["title"],
    *SETTINGS["returns"]["instructions"]["en"].splitlines(),
    "May #1001 have 100 points?",
    REASON,
)
"""What the shop's own people, its customers or its platform wrote, in the one language they wrote it in."""

STAFFS = {"dead", "desk", "queue", "referrals-Nora", "results", "results-product", "task"}
FOR_MACHINES = re.compile(r"\b20\d\d-\d\d-\d\d\b")
"""A day as no customer writes it; among Arabic words it is torn apart at the end of a line."""


class Reader(HTMLParser):
    """The pieces of text of a page: what is read, hovered over or said aloud."""

    def __init__(self) -> None:
        super().__init__()
        self.pieces: list[str] = []
        self._silent = 0

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self._silent += tag in ("script", "style", "textarea")
        if tag == "meta":
            return
        told = dict(attrs)
        self.pieces += [told[name] or "" for name in ATTRIBUTES if told.get(name)]
        if tag == "input" and told.get("type") in ("submit", "button"):
            self.pieces.append(told.get("value") or "")

    def handle_endtag(self, tag: str) -> None:
        self._silent -= tag in ("script", "style", "textarea")

    def handle_data(self, data: str) -> None:
        if not self._silent and data.strip():
            self.pieces.append(" ".join(data.split()))


def pieces(html: str) -> list[str]:
    reader = Reader()
    reader.feed(html)
    return reader.pieces


def patterns(language: str) -> Mapping[str, re.Pattern[str]]:
    """Texts that the language says in other words than English."""
    english, own = frame.strings("en"), frame.strings(language)
    differ = {key: text for key, text in english.items() if text not in own.values() and re.search(r"[a-z]{3}", text)}
    return {key: re.compile(re.sub(r"\\\{\w+\\\}", ".+", re.escape(text))) for key, text in differ.items()}


def english(text: str, known: Mapping[str, re.Pattern[str]]) -> str:
    """Why this piece of text is English, or nothing."""
    for key, pattern in known.items():
        if pattern.fullmatch(text):
            return key
    said = [words for words in WRITTEN if words in text.lower().replace("_", " ")]
    if said:
        return said[0]
    found = COMMON & set(re.findall(r"[a-z]+", text.lower()))
    return " ".join(sorted(found)) if len(found) > 1 else ""


def faults(html: str, known: Mapping[str, re.Pattern[str]]) -> Iterator[str]:
    for piece in pieces(html):
        if any(theirs in piece for theirs in THEIRS):
            continue
        why = english(piece, known)
        if why:
            yield f"{piece[:160]!r} ({why})"


@pytest.mark.parametrize("language", LANGUAGES)
def test_no_page_is_left_in_english(site: Site, monkeypatch: pytest.MonkeyPatch, language: str) -> None:
    visitor, known = create_app(site.world.kiitos).test_client(use_cookies=False), patterns(language)
    monkeypatch.setattr(frame, "match_language", lambda source, languages: language)
    found = []
    for name, url in site.pages.items():
        parts = urlsplit(url)
        query = re.sub(r"lang=\w+", f"lang={language}", parts.query)
        answer = visitor.get(f"{parts.path}?{query}", headers={"Accept-Language": language})
        assert f'lang="{language}"' in answer.text, name
        found += [f"{name}: {each}" for each in faults(answer.text, known)]
        if name not in STAFFS:
            found += [f"{name}: {each}" for each in pieces(answer.text) if FOR_MACHINES.search(each)]
    assert found == []


@pytest.mark.parametrize("language", LANGUAGES)
def test_what_is_left_in_english_is_found(language: str) -> None:
    """Control: a text of the English file, one with a number in it, one that stands in a template, one on a button."""
    known, own = patterns(language), frame.strings(language)
    assert len(known) > 300
    planted = [frame.strings("en")["unsubscribe.title"], "This is what you have bought", "Show 5 more of the orders"]
    planted += [own["share.benefit"].format(worth=words) for words in ("free delivery", "Gift card", "store_credit")]
    for text in planted:
        assert list(faults(f"<main><p>{text}</p></main>", known)), text
        assert list(faults(f'<main><a aria-label="{text}"></a></main>', known)), text
    told = [text for text in own.values() if list(faults(f"<p>{text}</p>", known))]
    assert told == [], "the language's own texts are not English"
