"""`[brands.NAME]` in app.toml, or brands/NAME.toml beside it: one look and voice for all of a shop's templates."""

from __future__ import annotations

import base64
import hashlib
import json
import re
import tomllib
from collections.abc import Callable, Mapping
from dataclasses import fields
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

from connector.errors import near
from connector.model import Brand, Palette
from connector.model.brand import DARK
from connector.model.colour import HEX, READABLE, contrast

FOLDER = "brands"
LARGEST_LOGO = 48 * 1024
"""Bytes of `page_logo`: it is a part of every hosted page."""
_PICTURES = {b"\x89PNG\r\n\x1a\n": "png", b"\xff\xd8\xff": "jpeg", b"RIFF": "webp"}
_FONT = re.compile(r"[A-Za-z0-9 ,'-]{1,200}")
_LANGUAGE = re.compile(r"[a-z]{2,3}(-[A-Za-z]{2,8})*")
_TEXT_KEY = re.compile(r"[a-z][a-z0-9_]{0,63}\.[a-z][a-z0-9_]{0,63}")
_LARGEST = {"logo_width": 400, "corners": 40}
MAIL_CLIENTS = (
    "aol", "apple-mail", "fastmail", "free-fr", "gmail", "gmx", "hey", "ionos-1and1", "laposte", "mail-ru", "orange",
    "outlook", "protonmail", "rainloop", "samsung-email", "sfr", "t-online-de", "thunderbird", "web-de", "wp-pl",
    "yahoo",
)  # fmt: skip
"""Families of mail clients whose tests we know (flows/render/client_support.json)."""
MAIL_PLATFORMS = (
    "android", "desktop-webmail", "ios", "macos", "mobile-webmail", "outlook-com", "windows", "windows-mail",
)  # fmt: skip
_PALETTE = tuple(field.name for field in fields(Palette))


def read_brand(document: Mapping[str, Any], directory: Path, name: str | None, where: str, faults: list[str]) -> Brand:
    """The brand a shop names; ours for a shop that names none. Each fault is noted with its place."""
    if not name:
        return Brand()
    brands = document.get("brands", {})
    if not isinstance(brands, Mapping):
        faults.append("brands: should be a table")
        return Brand()
    if name in brands:
        return _Reader(f"brands.{name}", directory, faults).read(name, brands[name])
    path = directory / FOLDER / f"{name}.toml"
    if not path.is_file() or path.parent.resolve() != (directory / FOLDER).resolve():
        beside = [entry.stem for entry in (directory / FOLDER).glob("*.toml")]
        faults.append(f"{where}.brand: no [brands.{name}] and no {FOLDER}/{name}.toml{near(name, [*brands, *beside])}")
        return Brand()
    try:
        table = tomllib.loads(path.read_text(encoding="utf-8"))
    except (OSError, UnicodeDecodeError, tomllib.TOMLDecodeError) as error:
        faults.append(f"{FOLDER}/{path.name}: cannot be read: {error}")
        return Brand()
    return _Reader(f"{FOLDER}/{path.name}:", directory, faults).read(name, table)


def read_folders(directory: Path, named: str | list[str] | None, where: str, faults: list[str]) -> tuple[Path, ...]:
    """The folders of a shop's own templates, the first before the next; they lie beside app.toml."""
    found = []
    for name in [named] if isinstance(named, str) else named or []:
        folder = directory / name
        if not folder.is_dir():
            beside = [entry.name for entry in folder.parent.iterdir()] if folder.parent.is_dir() else []
            faults.append(f"{where}.templates: no folder '{name}'{near(folder.name, beside)}")
        else:
            found.append(folder.resolve())
    return tuple(found)


class _Reader:
    """One brand. A value with a fault is noted and left out."""

    def __init__(self, place: str, directory: Path, faults: list[str]) -> None:
        self.place = place
        self.directory = directory
        self.faults = faults

    def read(self, name: str, table: Any) -> Brand:
        if not isinstance(table, Mapping):
            self._fault("", "should be a table")
            return Brand()
        known: dict[str, Callable[[str, Any], Any]] = {
            "logo_url": self._url, "logo_width": self._number, "corners": self._number, "accent": self._colour,
            "font": self._font, "light": self._palette, "dark": self._palette, "voice": self._voice,
            "signature": self._by_language, "note": self._by_language, "legal": self._lines, "social": self._social,
            "readers": self._readers, "page_logo": self._logo,
        }  # fmt: skip
        values: dict[str, Any] = {}
        for key, value in table.items():
            if key not in known:
                self._fault(key, f"unknown key{near(key, known)}")
                continue
            found = known[key](key, value)
            if found is not None:
                values[key] = found
        told = {**table, "page_logo": values.get("page_logo")}  # another picture under the same name is another brand
        digest = hashlib.sha256(json.dumps(told, sort_keys=True, default=str).encode()).hexdigest()[:16]
        return Brand(name=name, key=digest, **values)

    def _url(self, key: str, value: Any) -> Any:
        parts = urlsplit(value) if isinstance(value, str) else None
        if parts is not None and parts.scheme in ("https", "http") and parts.hostname:
            return str(value)
        return self._fault(key, "should be a whole address, such as https://shop.example/logo.png")

    def _logo(self, key: str, value: Any) -> Any:
        path = (self.directory / value).resolve() if isinstance(value, str) else None
        if path is None or not path.is_relative_to(self.directory.resolve()) or not path.is_file():
            return self._fault(key, "should be a picture beside app.toml, such as brands/logo.png")
        picture = path.read_bytes()
        kind = next((kind for magic, kind in _PICTURES.items() if picture.startswith(magic)), None)
        if kind is None or len(picture) > LARGEST_LOGO:
            return self._fault(key, f"should be a PNG, JPEG or WebP of at most {LARGEST_LOGO // 1024} KB")
        return f"data:image/{kind};base64,{base64.b64encode(picture).decode()}"

    def _number(self, key: str, value: Any) -> Any:
        if isinstance(value, int) and not isinstance(value, bool) and 0 <= value <= _LARGEST[key]:
            return value
        return self._fault(key, f"should be a whole number of pixels from 0 to {_LARGEST[key]}")

    def _colour(self, key: str, value: Any) -> Any:
        if isinstance(value, str) and HEX.fullmatch(value):
            return value.lower()
        return self._fault(key, "should be a colour such as #1f5c4d")

    def _font(self, key: str, value: Any) -> Any:
        if isinstance(value, str) and _FONT.fullmatch(value):
            return value
        return self._fault(key, "should be a font stack such as Georgia,'Times New Roman',serif")

    def _palette(self, key: str, value: Any) -> Any:
        if not isinstance(value, Mapping):
            return self._fault(key, "should be a table of colours")
        base = DARK if key == "dark" else Palette()
        colours = {name: getattr(base, name) for name in _PALETTE}
        for name, colour in value.items():
            if name not in colours:
                self._fault(f"{key}.{name}", f"unknown key{near(name, colours)}")
            elif found := self._colour(f"{key}.{name}", colour):
                colours[name] = found
        palette = Palette(**colours)
        for ink, paper in (("text", "card"), ("muted", "card"), ("muted", "page")):
            reached = contrast(colours[ink], colours[paper])
            if reached < READABLE:
                what = f"{colours[ink]} on {colours[paper]} has a contrast of {reached:.1f}, and text needs {READABLE}"
                self._fault(f"{key}.{ink}", f"cannot be read on {paper}: {what} (WCAG AA)")
        return palette

    def _voice(self, key: str, value: Any) -> Any:
        languages = self._table_of_languages(key, value)
        for language, texts in languages.items():
            fits = isinstance(texts, Mapping) and all(
                _TEXT_KEY.fullmatch(name) and isinstance(text, str) for name, text in texts.items()
            )
            if not fits:
                return self._fault(f"{key}.{language}", 'should be texts by name: "order_confirmation.title" = "..."')
        return {language: dict(texts) for language, texts in languages.items()}

    def _by_language(self, key: str, value: Any) -> Any:
        found = {"": value} if isinstance(value, str) else self._table_of_languages(key, value)
        if all(isinstance(text, str) for text in found.values()):
            return dict(found)
        return self._fault(key, 'should be a text, or one for each language: { fi = "...", en = "..." }')

    def _table_of_languages(self, key: str, value: Any) -> Mapping[str, Any]:
        if isinstance(value, Mapping) and all(_LANGUAGE.fullmatch(name) for name in value):
            return value
        self._fault(key, "should be a table by language, such as fi or en")
        return {}

    def _lines(self, key: str, value: Any) -> Any:
        if isinstance(value, list) and all(isinstance(line, str) for line in value):
            return tuple(value)
        return self._fault(key, "should be a list of texts")

    def _readers(self, key: str, value: Any) -> Any:
        if not isinstance(value, Mapping):
            return self._fault(key, "should be shares by mail client: { gmail = 0.4, outlook = 0.3 }")
        for name, share in value.items():
            family, _, platform = str(name).partition(" ")
            if family not in MAIL_CLIENTS:
                self._fault(f"{key}.{name}", f"no mail client '{family}'{near(family, MAIL_CLIENTS)}")
            elif platform and platform not in MAIL_PLATFORMS:
                self._fault(f"{key}.{name}", f"no platform '{platform}'{near(platform, MAIL_PLATFORMS)}")
            elif isinstance(share, bool) or not isinstance(share, int | float) or not 0 < share <= 1:
                self._fault(f"{key}.{name}", "should be a share above 0 and up to 1, such as 0.4")
        fits = [share for share in value.values() if isinstance(share, int | float)]
        if sum(fits) > 1.001:
            return self._fault(key, f"the shares make {sum(fits):.2f} together, more than all readers")
        return tuple((str(name), float(share)) for name, share in value.items() if isinstance(share, int | float))

    def _social(self, key: str, value: Any) -> Any:
        if not isinstance(value, Mapping):
            return self._fault(key, 'should be addresses by name: { Instagram = "https://..." }')
        return tuple(
            (str(name), url) for name, address in value.items() if (url := self._url(f"{key}.{name}", address))
        )

    def _fault(self, key: str, sentence: str) -> Any:
        """Note it, and give `None` for the value."""
        place = f"{self.place} {key}" if self.place.endswith(":") else f"{self.place}.{key}"
        text = f"{place.rstrip('.: ')}: {sentence}"
        if text not in self.faults:  # a brand's fault is all its shops' too, and is told once
            self.faults.append(text)
        return None
