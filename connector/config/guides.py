"""Product texts of a merchant: one TOML file a product or group in a folder beside app.toml.

# guides/moka_pot.toml
skus = ["MOKA-*"]                    # or products = ["8123"], titles = ["*moka pot*"], tags = ["coffee"]
care_after = "180d"

[en]
name = "Moka pot"
facts = ["It is cast in one piece."]
steps = ["Rinse it with warm water.", "Fill it up to the valve."]
care = ["Change the rubber seal."]
url = "https://shop.example/moka"

[[en.tips]]
title = "Warm water"
text = "Begin with warm water, and the coffee does not taste burnt."
"""

from __future__ import annotations

import re
import tomllib
from collections.abc import Mapping
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

from connector.contracts import parse_span
from connector.errors import near
from connector.model import Guide, GuideText, Tip

DEFAULT_FOLDER = "guides"
_FITS = ("products", "skus", "titles", "tags")
_KEYS = (*_FITS, "care_after")
_TEXT = ("name", "facts", "steps", "tips", "care", "url")
_TIP = ("title", "text", "url")
_LANGUAGE = re.compile(r"[a-z]{2,3}(-[A-Za-z]{2,8})*")


def read_guides(folder: Path, faults: list[str]) -> tuple[Guide, ...]:
    """The guides of a folder in the order of their file names; each fault is noted with its file and key."""
    if not folder.is_dir():
        return ()
    found = []
    for path in sorted(folder.glob("*.toml")):
        where = f"{folder.name}/{path.name}"
        try:
            document = tomllib.loads(path.read_text(encoding="utf-8"))
        except (OSError, UnicodeDecodeError, tomllib.TOMLDecodeError) as error:
            faults.append(f"{where}: cannot be read: {error}")
            continue
        found.append(read_guide(document, path.stem, where, faults))
    return tuple(guide for guide in found if guide is not None)


def read_guide(document: Mapping[str, Any], guide_id: str, where: str, faults: list[str]) -> Guide | None:
    """One guide from a parsed file; `None` where a fault was noted."""
    return _Reader(guide_id, where, faults).read(document)


class _Reader:
    """One file."""

    def __init__(self, guide_id: str, where: str, faults: list[str]) -> None:
        self.guide_id = guide_id
        self.where = where
        self.faults = faults

    def read(self, document: Mapping[str, Any]) -> Guide | None:
        before = len(self.faults)
        texts = tuple(
            self._language(key, value) for key, value in document.items() if isinstance(value, dict) and self._is(key)
        )
        for key, value in document.items():
            if key not in _KEYS and not isinstance(value, dict):
                self._fault(key, f"unknown key{near(key, (*_KEYS, 'en', 'fi'))}")
        fits = {key: self._texts(document, key, "") for key in _FITS}
        if not any(fits.values()):
            self._fault("products", "say what the guide is about: products, skus, titles or tags")
        if not texts:
            self._fault("en", "write the texts of at least one language, such as [en] or [fi]")
        after = self._span(document)
        return Guide(id=self.guide_id, texts=texts, care_after=after, **fits) if len(self.faults) == before else None

    def _is(self, key: str) -> bool:
        """Whether a table's name is a language's; any other is a slip."""
        if _LANGUAGE.fullmatch(key):
            return True
        self._fault(key, f"is no language such as en or fi{near(key, _KEYS)}")
        return False

    def _language(self, language: str, table: Mapping[str, Any]) -> GuideText:
        for key in table:
            if key not in _TEXT:
                self._fault(f"{language}.{key}", f"unknown key{near(key, _TEXT)}")
        name = self._text(table, "name", language)
        if not name:
            self._fault(f"{language}.name", 'missing; what customers call it, such as name = "Moka pot"')
        return GuideText(
            language=language,
            name=name,
            facts=self._texts(table, "facts", language),
            steps=self._texts(table, "steps", language),
            tips=self._tips(table, language),
            care=self._texts(table, "care", language),
            url=self._url(table, language),
        )

    def _tips(self, table: Mapping[str, Any], language: str) -> tuple[Tip, ...]:
        value = table.get("tips", [])
        if not isinstance(value, list) or not all(isinstance(item, dict) for item in value):
            self._fault(f"{language}.tips", f"write each as [[{language}.tips]]")
            return ()
        tips = []
        for number, item in enumerate(value):
            place = f"{language}.tips[{number}]"
            for key in item:
                if key not in _TIP:
                    self._fault(f"{place}.{key}", f"unknown key{near(key, _TIP)}")
            title, text = self._text(item, "title", place), self._text(item, "text", place)
            if not (title and text):
                self._fault(place, "a tip has a title and a text")
            tips.append(Tip(title=title, text=text, url=self._url(item, place)))
        return tuple(tips)

    def _text(self, table: Mapping[str, Any], key: str, place: str) -> str:
        value = table.get(key, "")
        if not isinstance(value, str):
            self._fault(f"{place}.{key}", "should be text")
            return ""
        return value.strip()

    def _texts(self, table: Mapping[str, Any], key: str, place: str) -> tuple[str, ...]:
        value = table.get(key, [])
        if not isinstance(value, list) or not all(isinstance(item, str) and item.strip() for item in value):
            self._fault(f"{place}.{key}".lstrip("."), f'should be a list of texts, such as {key} = ["..."]')
            return ()
        return tuple(value)

    def _url(self, table: Mapping[str, Any], place: str) -> str | None:
        value = self._text(table, "url", place)
        if value and urlsplit(value).scheme not in ("https", "http"):
            self._fault(f"{place}.url", "should be a whole address, such as https://shop.example/moka")
        return value or None

    def _span(self, document: Mapping[str, Any]) -> Any:
        if "care_after" not in document:
            return None
        try:
            return parse_span(str(document["care_after"]))
        except (ValueError, OverflowError) as error:
            self._fault("care_after", str(error))
            return None

    def _fault(self, key: str, sentence: str) -> None:
        self.faults.append(f"{self.where}: {key}: {sentence}")
