"""Template files: where they lie, their front matter, their texts and their shared pieces.

    <folder>/<name>.mjml.liquid            the structure, for all languages; `{% text 'title' %}` is put in from
    <folder>/<lang>/texts.json             the texts of one language, by template (`flows.render.texts`)
    <folder>/<lang>/<name>.mjml.liquid     a template of its own for one language, with a front matter of two lines:
        ---
        subject: Order {{ order.number }} is confirmed
        preheader: We have received it.
        ---
    <folder>/.../<name>.html.liquid        the same as raw HTML, without MJML
    <folder>/.../<name>.txt.liquid         the text part beside it (made from the HTML when there is none)
    <folder>/<lang>/strings.json           short texts for the `t` filter
    <folder>/shared/<piece>.mjml.liquid    `{% render 'piece' %}`; .txt.liquid in text parts

A shop has folders of its own and the shipped one (flows/templates) behind them; the first that has a file wins, texts
and strings key by key. Pieces and texts are put in before anything is parsed: the template Liquid and MJML see is one
flat text, and no template can load a file while it renders.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from functools import lru_cache
from pathlib import Path

from connector.errors import TemplateError, near
from connector.model import Brand
from flows.render.locales import FALLBACK
from flows.render.strings import FILE as STRINGS
from flows.render.strings import Strings, load_strings
from flows.render.texts import Span, Table, as_html, as_plain, keys_in, put_in, read_texts
from flows.render.theme import theme_of

_NAME = re.compile(r"[a-z][a-z0-9_]{0,63}")
_LANGUAGE = re.compile(r"[a-z]{2,3}(-[A-Za-z]{2,8})*")
_PIECE = re.compile(r"^[ \t]*\{%-?\s*(?:include|render)\s+'([a-z0-9_/]+)'\s*-?%\}[ \t]*$")
_MISUSED = re.compile(r"\{%-?\s*(include|render)\b")
_FRONT = re.compile(r"\A---\n(.*?)\n---\n", re.DOTALL)
_THEME = re.compile(r"\{\{-?\s*theme\.([a-z_]+)\s*-?\}\}")
_MAX_DEPTH = 5
HTML_SUFFIX = ".mjml.liquid"
RAW_SUFFIX = ".html.liquid"
TEXT_SUFFIX = ".txt.liquid"
_PLAIN = frozenset({TEXT_SUFFIX, ".sms.liquid", ".push.liquid", ".platform.liquid"})
SHIPPED = Path(__file__).parent.parent / "templates"


@dataclass(frozen=True, slots=True)
class Flat:
    """A template with its pieces put in. `places[i]` is the file and line that line i + 1 came from; `spans[i]` the
    texts that were put into it."""

    text: str
    places: tuple[tuple[str, int], ...]
    spans: tuple[tuple[Span, ...], ...] = ()

    def locate(self, error: TemplateError) -> TemplateError:
        """The same error, naming the file and line the author wrote."""
        if not 0 < error.line <= len(self.places):
            return error
        where, line = self.places[error.line - 1]
        column = error.column
        plain = error.message.removeprefix(f"{error.where}:{error.line}:{error.column}: ")
        for start, end, grown, text in self.spans[error.line - 1] if self.spans else ():
            if start < error.column <= end:
                return TemplateError(plain, where=text)
            column -= grown if error.column > end else 0
        return TemplateError(plain, where=where, line=line, column=column)


@dataclass(frozen=True, slots=True)
class Source:
    """One template in one language, as written. `raw`: HTML without MJML."""

    name: str
    language: str
    subject: Flat
    preheader: Flat
    html: Flat
    text: Flat | None
    where: str
    raw: bool = False


@dataclass(frozen=True, slots=True)
class _Place:
    """A file that holds a template."""

    folder: Path
    where: str
    suffix: str


class Sources:
    """The templates of `own` folders, the first before the next, and of `directory` (the shipped ones) behind them."""

    def __init__(self, directory: Path | None = None, own: Sequence[Path] = (), brand: Brand | None = None) -> None:
        self.directory = directory or SHIPPED
        self.folders = (*own, self.directory)
        self.brand = brand or Brand()
        self.theme = theme_of(self.brand)

    def languages(self) -> list[str]:
        """Languages whose short texts are whole: each of the fallback's has its own."""
        found = {path.parent.name for folder in self.folders for path in folder.glob(f"*/{STRINGS}")}
        needed = set(self._string_keys(FALLBACK))
        return sorted(language for language in found if needed <= set(self._string_keys(language)))

    def names(self, language: str) -> list[str]:
        """Templates written in a language."""
        found = {
            path.name.removesuffix(suffix)
            for folder in self.folders
            for suffix in (HTML_SUFFIX, RAW_SUFFIX)
            for place in (folder, folder / language)
            for path in place.glob(f"*{suffix}")
        }
        return sorted(name for name in found if self.has(name, language))

    def has(self, name: str, language: str) -> bool:
        """Whether a template is written in a language, whole: no text of it is missing."""
        place = self._place(name, language)
        return place is not None and not self.missing(name, language)

    def missing(self, name: str, language: str) -> list[tuple[str, str]]:
        """Texts the template asks for and the language lacks: (template, key), in the order they are asked for."""
        texts = self.texts(language)
        asked = dict.fromkeys(self.asked(name, language))
        return [(owner, key) for owner, key in asked if key not in texts.get(owner, {})]

    def asked(self, name: str, language: str) -> list[tuple[str, str]]:
        """The texts a template shows: (template, key)."""
        place = self._place(name, language)
        if place is None:
            return []
        stem = place.where.removesuffix(place.suffix)
        pair = (place.where, f"{stem}{TEXT_SUFFIX}")
        sources = [self._read_in(place.folder, where) or "" for where in pair]
        front = _FRONT.match(sources[0])
        # Without a front matter they come from the texts too.
        heads = [] if front else [(name, "subject"), (name, "preheader")]
        return [*heads, *(asked for source in sources for asked in keys_in(source, name))]

    def own_names(self) -> frozenset[str]:
        """Templates that stand in the shop's own folders, in whatever language."""
        mine = [folder for folder in self.folders if folder != SHIPPED]
        found = (
            path.name.removesuffix(suffix)
            for folder in mine
            for suffix in (HTML_SUFFIX, RAW_SUFFIX)
            for path in (*folder.glob(f"*{suffix}"), *folder.glob(f"*/*{suffix}"))
            if path.parent.name != "shared"
        )
        return frozenset(name for name in found if _NAME.fullmatch(name))

    def mentions(self, name: str, word: str) -> bool:
        """Whether a template speaks of `word` in any language. One that cannot be read is found at fault elsewhere."""
        return any(word in text for language in self.languages() for text in self._texts_of(name, language))

    def texts(self, language: str) -> Table:
        """All texts of a language, by template. Raises `TemplateError` for a file that cannot be read."""
        texts = read_texts(self.folders, language)
        voice = self.brand.voice.get(language)
        if not voice:
            return texts
        told = {name: dict(table) for name, table in texts.items()}
        for path, text in voice.items():
            name, _, key = path.partition(".")
            told.setdefault(name, {})[key] = text
        return told

    def strings(self, language: str) -> Strings:
        """The language's short texts. Raises `TemplateError`."""
        return load_strings(self.folders, language)

    def shipped(self, name: str, language: str) -> bool:
        """Whether nothing of a template is anybody's but ours."""
        place = self._place(name, language)
        mine = [folder for folder in self.folders if folder != SHIPPED]
        touched = any((folder / language).is_dir() or (folder / "shared").is_dir() for folder in mine)
        return not touched and not self.brand.voice and place is not None and place.folder == SHIPPED

    def load(self, name: str, language: str) -> Source:
        """Read a template. Raises `TemplateError` for a missing file, piece or text and for wrong front matter."""
        if not (_NAME.fullmatch(name) and _LANGUAGE.fullmatch(language)):
            raise TemplateError("a template's name is small letters, digits and underscores", where=name[:64])
        place = self._place(name, language)
        if place is None:
            where = f"{language}/{name}{HTML_SUFFIX}"
            raise TemplateError(f"there is no such template{near(name, self.names(language))}", where=where)
        raw = self._read_in(place.folder, place.where) or ""
        front = _FRONT.match(raw)
        fields = _front_fields(front[1], place.where) if front else {}
        body_line = raw.count("\n", 0, front.end()) if front else 0
        flattener = _Flattener(self, name, language)
        html = flattener.flatten(raw[front.end() :] if front else raw, place.where, place.suffix, body_line)
        text_where = place.where.removesuffix(place.suffix) + TEXT_SUFFIX
        text = self._read_in(place.folder, text_where)
        return Source(
            name=name,
            language=language,
            subject=self._head("subject", fields, flattener, place.where, 2),
            preheader=self._head("preheader", fields, flattener, place.where, 3),
            html=html,
            text=None if text is None else flattener.flatten(text, text_where, TEXT_SUFFIX, 0),
            where=place.where if "/" in place.where else f"{language}/{place.where}",
            raw=place.suffix == RAW_SUFFIX,
        )

    def piece(self, where: str) -> str | None:
        """A shared piece, from the first folder that has it."""
        return next((text for folder in self.folders if (text := self._read_in(folder, where)) is not None), None)

    def _head(self, key: str, fields: dict[str, str], flattener: _Flattener, where: str, line: int) -> Flat:
        written = fields.get(key)
        if written is not None:
            return Flat(written, ((where, line),))
        if fields:
            if key == "subject":
                raise TemplateError(
                    "begin with --- / subject: ... / preheader: ... / ---", where=where, line=1, column=1
                )
            return Flat("", ((where, line),))
        texts = flattener.texts.get(flattener.name, {})
        if key not in texts:
            message = f"begin with --- / subject: ... / preheader: ... / --- (there is no text '{key}' either)"
            raise TemplateError(message, where=where, line=1, column=1)
        return Flat(as_plain(texts[key]), ((f"{flattener.language}/texts.json {flattener.name}.{key}", 1),))

    def _place(self, name: str, language: str) -> _Place | None:
        """The file of a template: for each folder the language's own before the one for all."""
        if not _NAME.fullmatch(name) or not _LANGUAGE.fullmatch(language):
            return None
        for folder in self.folders:
            for stem in (f"{language}/{name}", name):
                for suffix in (HTML_SUFFIX, RAW_SUFFIX):
                    if (folder / f"{stem}{suffix}").is_file():
                        return _Place(folder, f"{stem}{suffix}", suffix)
        return None

    def _texts_of(self, name: str, language: str) -> list[str]:
        try:
            source = self.load(name, language)
        except TemplateError:
            return []
        text = source.text.text if source.text else ""
        return [source.subject.text, source.preheader.text, source.html.text, text]

    def _string_keys(self, language: str) -> Sequence[str]:
        try:
            return self.strings(language).keys
        except TemplateError:
            return ()

    def small(self, name: str, language: str, kind: str) -> Flat | None:
        """A template's form for another medium (`<lang>/<name>.sms.liquid`), `None` where it has none."""
        if not (_NAME.fullmatch(name) and _LANGUAGE.fullmatch(language)):
            raise TemplateError("a template's name is small letters, digits and underscores", where=name[:64])
        suffix = f".{kind}.liquid"
        where = f"{language}/{name}{suffix}"
        raw = self.piece(where)
        return None if raw is None else _Flattener(self, name, language).flatten(raw, where, suffix, 0)

    def small_languages(self, name: str, kind: str) -> list[str]:
        """The languages a template has that form in."""
        if not _NAME.fullmatch(name):
            return []
        found = (path.parent.name for folder in self.folders for path in folder.glob(f"*/{name}.{kind}.liquid"))
        return sorted({language for language in found if _LANGUAGE.fullmatch(language)} - {"shared"})

    @staticmethod
    def _read_in(folder: Path, where: str) -> str | None:
        path = folder / where
        try:
            return path.read_text("utf-8").replace("\r\n", "\n") if path.is_file() else None
        except (OSError, UnicodeDecodeError) as error:
            raise TemplateError("the file cannot be read as UTF-8", where=where) from error


@lru_cache(maxsize=256)
def sources_of(own: tuple[Path, ...]) -> Sources:
    """The shipped templates behind a shop's own folders; one object for all shops with the same folders."""
    return Sources(own=own)


class _Flattener:
    """Puts pieces and texts into one template of one language."""

    def __init__(self, sources: Sources, name: str, language: str) -> None:
        self.sources = sources
        self.name = name
        self.language = language
        self.texts = sources.texts(language)

    def flatten(self, text: str, where: str, suffix: str, offset: int, depth: int = 0) -> Flat:
        lines: list[str] = []
        places: list[tuple[str, int]] = []
        spans: list[tuple[Span, ...]] = []
        shape: Callable[[str], str] = as_plain if suffix in _PLAIN else as_html
        for number, line in enumerate(text.split("\n"), start=1 + offset):
            match = _PIECE.match(line)
            if not match:
                _refuse_misuse(line, where, number)
                line = self._themed(line, where, number)
                written, inside = put_in(line, self.name, self.texts, self.language, shape, where, number)
                lines.append(written)
                places.append((where, number))
                spans.append(inside)
                continue
            flat = self._piece(match[1], where, suffix, number, depth)
            lines.extend(flat.text.split("\n"))
            places.extend(flat.places)
            spans.extend(flat.spans)
        return Flat("\n".join(lines), tuple(places), tuple(spans))

    def _themed(self, line: str, where: str, number: int) -> str:
        """The brand's colours in their places. They are the same in every message, so they cost none of them."""
        if "theme." not in line:
            return line
        theme = self.sources.theme

        def value(found: re.Match[str]) -> str:
            if found[1] not in theme:
                message = f"no theme.{found[1]}{near(found[1], theme)}"
                raise TemplateError(message, where=where, line=number, column=found.start() + 1)
            return theme[found[1]]

        return _THEME.sub(value, line)

    def _piece(self, name: str, where: str, suffix: str, number: int, depth: int) -> Flat:
        path = (name if "/" in name else f"shared/{name}") + suffix
        piece = self.sources.piece(path)
        if piece is None or depth >= _MAX_DEPTH:
            fault = "pieces are nested too deeply" if piece is not None else f"there is no piece '{name}' ({path})"
            raise TemplateError(fault, where=where, line=number, column=1)
        return self.flatten(piece.removesuffix("\n"), path, suffix, 0, depth + 1)


def _refuse_misuse(line: str, where: str, number: int) -> None:
    found = _MISUSED.search(line) if "{%" in line else None
    if found:
        message = f"a piece stands on a line of its own and takes nothing: {{% {found[1]} 'name' %}}"
        raise TemplateError(message, where=where, line=number, column=found.start() + 1)


def _front_fields(text: str, where: str) -> dict[str, str]:
    fields: dict[str, str] = {}
    for number, line in enumerate(text.split("\n"), start=2):
        key, colon, value = line.partition(":")
        if not colon or key.strip() not in {"subject", "preheader"}:
            raise TemplateError("expected 'subject: ...' or 'preheader: ...'", where=where, line=number, column=1)
        fields[key.strip()] = value.strip()
    return fields
