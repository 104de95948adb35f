"""Texts in a form translators and their tools take: one PO file a language, and what is missing in each.

A message's context is its place (`order_confirmation.title`, `strings.order.count[few]`), its id the English text. What
stands in `{{ }}` and `{% %}` is Liquid and stays as it is; an import refuses a translation that lost a value or has one
the English text does not have.
"""

from __future__ import annotations

import json
import re
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from io import BytesIO
from pathlib import Path

from babel.messages.catalog import Catalog
from babel.messages.pofile import PoFileError, read_po, write_po

from connector.errors import TemplateError
from flows.render.locales import FALLBACK, parse_locale
from flows.render.sources import Sources
from flows.render.strings import FILE as STRINGS
from flows.render.texts import FILE as TEXTS

_OUTPUT = re.compile(r"\{\{-?\s*([a-z_][a-z0-9_.]*)[^}]*\}\}|\{([a-z_]+)\}")
_FORM = re.compile(r"(.+)\[([a-z]+)\]")
_FORMS = ("zero", "one", "two", "few", "many", "other")
_LARGEST = 4 << 20
_PREFIX = "strings."
Entries = dict[str, str]
"""Place to text, in the order translators should read them."""


@dataclass(frozen=True, slots=True)
class Imported:
    """What a translator's file holds: texts by template, short texts by dotted key, and what is wrong with it."""

    language: str
    texts: Mapping[str, Mapping[str, str]]
    strings: Mapping[str, object]
    faults: Sequence[str]


def entries(sources: Sources, language: str) -> Entries:
    """Every text of a language by its place."""
    found: Entries = {}
    for name, texts in sources.texts(language).items():
        found.update((f"{name}.{key}", text) for key, text in texts.items())
    try:
        table = sources.strings(language).table
    except TemplateError:
        return found
    for key, value in table.items():
        if isinstance(value, Mapping):
            found.update((f"{_PREFIX}{key}[{form}]", text) for form, text in value.items())
        else:
            found[f"{_PREFIX}{key}"] = value
    return found


def wanted(sources: Sources, language: str) -> Entries:
    """The places a language should have, with the English text of each."""
    english = entries(sources, FALLBACK)
    locale = parse_locale(language)
    forms = [form for form in _FORMS if form == "other" or (locale and form in locale.plural_form.tags)]
    found: Entries = {}
    for place, text in english.items():
        form = _FORM.fullmatch(place)
        if not form:
            found[place] = text
        elif form[2] == "other":
            found.update((f"{form[1]}[{each}]", english.get(f"{form[1]}[{each}]", text)) for each in forms)
    return found


def missing(sources: Sources, language: str) -> list[str]:
    """Places that have no text in the language."""
    have = entries(sources, language)
    return [place for place in wanted(sources, language) if place not in have]


def export_po(sources: Sources, language: str) -> bytes:
    """The language's PO file; what is missing is empty in it. Raises `TemplateError` for no language."""
    locale = parse_locale(language)
    if locale is None:
        raise TemplateError(f"'{language}' is no language such as sv or pt-BR", where="export")
    catalog = Catalog(locale=locale, project="Kiitos", fuzzy=False, charset="utf-8")
    catalog.creation_date = catalog.revision_date = _EPOCH
    have = entries(sources, language)
    for place, english in wanted(sources, language).items():
        message = catalog.add(english, have.get(place, ""), context=place, auto_comments=[_comment(place)])
        message.flags.discard("python-format")  # Liquid's percent signs are none of Python's
    out = BytesIO()
    write_po(out, catalog, width=0, sort_output=False)
    return out.getvalue()


_EPOCH = datetime(2026, 1, 1, tzinfo=UTC)  # the same texts make the same file


def _comment(place: str) -> str:
    name, _, key = place.partition(".")
    what = {"subject": "The subject line.", "preheader": "Shown after the subject in the inbox.",
            "title": "The heading.", "button": "The button; short."}  # fmt: skip
    if place.startswith(_PREFIX):
        return "A short text that many messages share." + (" {count} is a number." if "[" in place else "")
    return what.get(key, "A paragraph.") + f" In the message {name}."


def import_po(raw: bytes, sources: Sources) -> Imported:
    """A translator's file, checked against the English texts. Raises `TemplateError` for one that is no PO file."""
    if len(raw) > _LARGEST:
        raise TemplateError("the file is larger than 4 MB", where="import")
    try:
        catalog = read_po(BytesIO(raw), abort_invalid=True)
    except (PoFileError, ValueError, LookupError, UnicodeDecodeError) as error:
        raise TemplateError(f"no PO file: {str(error)[:120]}", where="import") from error
    if catalog.locale is None:
        raise TemplateError('the header has no "Language: ..."', where="import")
    language = str(catalog.locale).replace("_", "-")
    known = wanted(sources, language)
    texts: dict[str, dict[str, str]] = {}
    strings: dict[str, object] = {}
    faults: list[str] = []
    for message in catalog:
        place, text = message.context, message.string
        if not message.id or not place or not isinstance(text, str) or not text.strip():
            continue
        fault = _fault(place, text, known)
        if fault:
            faults.append(f"{place}: {fault}")
        elif place.startswith(_PREFIX):
            _put_string(strings, place.removeprefix(_PREFIX), text)
        else:
            name, _, key = place.partition(".")
            texts.setdefault(name, {})[key] = text
    return Imported(language, texts, strings, faults)


def _fault(place: str, text: str, known: Entries) -> str:
    if place not in known:
        return "there is no such text (any more)"
    asked, given = set(_values(known[place])), set(_values(text))
    lost, added = asked - given, given - asked - {"greeting_name", "first_name", "count"}
    if added:
        return f"has {', '.join(sorted(added))}, which the English text has not"
    needed = lost - {"first_name", "greeting_name", "count"}
    return f"lacks {', '.join(sorted(needed))}" if needed else ""


def _values(text: str) -> Iterator[str]:
    for found in _OUTPUT.finditer(text):
        yield found[1] or found[2]


def _put_string(strings: dict[str, object], key: str, text: str) -> None:
    form = _FORM.fullmatch(key)
    if form is None:
        strings[key] = text
        return
    table = strings.setdefault(form[1], {})
    assert isinstance(table, dict)
    table[form[2]] = text


def write_language(folder: Path, imported: Imported) -> list[Path]:
    """Write the texts into a folder of templates, over what it has. Returns the files."""
    place = folder / imported.language
    place.mkdir(parents=True, exist_ok=True)
    written = []
    for name, found in ((TEXTS, imported.texts), (STRINGS, imported.strings)):
        if not found:
            continue
        path = place / name
        before = json.loads(path.read_text("utf-8")) if path.is_file() else {}
        merged = {**before, **{key: _over(before.get(key), value) for key, value in found.items()}}
        path.write_text(json.dumps(merged, ensure_ascii=False, indent=1) + "\n", "utf-8")
        written.append(path)
    return written


def _over(before: object, value: object) -> object:
    return {**before, **value} if isinstance(before, Mapping) and isinstance(value, Mapping) else value
