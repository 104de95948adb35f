"""A language's texts, apart from the structure they stand in: flows/templates/<lang>/texts.json.

A structure says `{% text 'title' %}` where the text `title` of its template goes. Texts are put in before anything is
parsed, so the message costs what it would if they stood there. They are plain words, Liquid, `<b>` and `<br/>`; any
other markup sign is shown and not obeyed: a translator's file cannot bring script.
"""

from __future__ import annotations

import json
import re
from collections.abc import Callable, Iterator, Mapping, Sequence
from functools import lru_cache
from pathlib import Path

from connector.errors import TemplateError, near

FILE = "texts.json"
Table = Mapping[str, Mapping[str, str]]
"""Template to key to text."""
_TEXT = re.compile(r"\{%-?\s*text\s+'([a-z][a-z0-9_]*)(?:\.([a-z][a-z0-9_]*))?'\s*-?%\}")
_LIQUID = re.compile(r"(\{%.*?%\}|\{\{.*?\}\})", re.DOTALL)
_KEPT = re.compile(r"(</?b>|<br ?/?>)")
_ENTITY = re.compile(r"&(?!(?:[a-zA-Z]{2,8}|#\d{2,6}|#x[0-9a-fA-F]{2,5});)")
_MAX_TEXT = 4000


def read_texts(folders: Sequence[Path], language: str) -> Table:
    """The texts of a language, the first folder's before the later ones', key by key. Raises `TemplateError`."""
    found: dict[str, dict[str, str]] = {}
    for folder in reversed(folders):
        for name, texts in read_file(folder, language).items():
            found.setdefault(name, {}).update(texts)
    return found


def read_file(folder: Path, language: str) -> Table:
    """One folder's own texts; empty where it has none. Raises `TemplateError` for a file that is none of ours."""
    path = folder / language / FILE
    try:
        stamp = path.stat()
    except OSError:
        return {}
    return _read(path, stamp.st_mtime_ns, stamp.st_size)


@lru_cache(maxsize=64)
def _read(path: Path, _changed: int, _size: int) -> Table:
    where = f"{path.parent.name}/{FILE}"
    try:
        table = json.loads(path.read_text("utf-8"))
    except (OSError, ValueError, RecursionError) as error:
        raise TemplateError("the texts of this language cannot be read as JSON", where=where) from error
    if not isinstance(table, dict) or not all(isinstance(texts, dict) for texts in table.values()):
        raise TemplateError('expected a table of texts for each template: {"order_confirmation": {...}}', where=where)
    for name, texts in table.items():
        for key, text in texts.items():
            if not isinstance(text, str) or len(text) > _MAX_TEXT:
                raise TemplateError(f"a text of at most {_MAX_TEXT} characters", where=f"{where} {name}.{key}")
    return table


def keys_in(source: str, template: str) -> Iterator[tuple[str, str]]:
    """Which texts a structure asks for: (template, key)."""
    for asked in _TEXT.finditer(source):
        yield (asked[1], asked[2]) if asked[2] else (template, asked[1])


Span = tuple[int, int, int, str]
"""Where a text was put in: columns it begins and ends at (from 0), by how much the line grew, whose text it is."""


def put_in(
    line: str, template: str, texts: Table, language: str, shape: Callable[[str], str], where: str, number: int
) -> tuple[str, tuple[Span, ...]]:
    """The line with its texts in their places. Raises `TemplateError` for one the language lacks."""
    if "{%" not in line or " text " not in line:
        return line, ()
    pieces: list[str] = []
    spans: list[Span] = []
    position = length = 0
    for asked in _TEXT.finditer(line):
        owner, key = (asked[1], asked[2]) if asked[2] else (template, asked[1])
        text = texts.get(owner, {}).get(key)
        if text is None:
            known = texts.get(owner, {})
            message = f"{language} has no text '{owner}.{key}'{near(key, known)}"
            raise TemplateError(message, where=where, line=number, column=asked.start() + 1)
        shaped = shape(text)
        before = line[position : asked.start()]
        start = length + len(before)
        spans.append((start, start + len(shaped), len(shaped) - len(asked[0]), f"{language}/{FILE} {owner}.{key}"))
        pieces += [before, shaped]
        position, length = asked.end(), start + len(shaped)
    return "".join([*pieces, line[position:]]), tuple(spans)


def as_html(text: str) -> str:
    """The text for HTML: `<b>` and `<br/>` stay, other signs are written as what they are."""
    return "".join(part if index % 2 else _html_words(part) for index, part in enumerate(_LIQUID.split(_line(text))))


def as_plain(text: str) -> str:
    """The text without markup."""
    parts = _LIQUID.split(_line(text))
    return "".join(
        part if index % 2 else _KEPT.sub(lambda tag: " " if "br" in tag[0] else "", part)
        for index, part in enumerate(parts)
    )


def _html_words(words: str) -> str:
    if not any(sign in words for sign in "<>&"):
        return words
    return "".join(
        part.replace("<br>", "<br/>")
        if index % 2
        else _ENTITY.sub("&amp;", part).replace("<", "&lt;").replace(">", "&gt;")
        for index, part in enumerate(_KEPT.split(words))
    )


def _line(text: str) -> str:
    return " ".join(text.split("\n"))
