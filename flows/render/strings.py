"""Short shared texts ("Total") per language: flows/templates/<lang>/strings.json, read by the `t` filter."""

from __future__ import annotations

import json
import re
from collections.abc import Callable, Mapping, Sequence
from functools import lru_cache
from pathlib import Path
from typing import Any

from markupsafe import Markup, escape

from connector.errors import TemplateError, near
from flows.render.locales import parse_locale

FILE = "strings.json"
_SLOT = re.compile(r"\{(\w+)\}")


class Strings:
    """The texts of one language. A value is a text, or a table of CLDR plural categories with at least `other`."""

    def __init__(self, language: str, table: Mapping[str, object], where: str = "strings.json") -> None:
        self.language = language
        self._where = where
        self._table = dict(_flatten(table))
        # Most texts have no slots: these are escaped once a language, not once a message.
        self._html = {key: escape(text) for key, text in self._table.items() if isinstance(text, str)}
        locale = parse_locale(language)
        self._plural: Callable[[Any], str] = locale.plural_form if locale else (lambda _: "other")

    def plural_of(self, count: int) -> str:
        """The CLDR category of a number: `one`, `few`, `other` ..."""
        return self._plural(count)

    @property
    def keys(self) -> list[str]:
        return sorted(self._table)

    @property
    def table(self) -> Mapping[str, str | dict[str, str]]:
        """Every text by its dotted key; one with plural forms as a table of them."""
        return self._table

    def text(self, key: str, slots: Mapping[str, object] | None = None, *, html: bool = False) -> str:
        """The text of `key` with `{slots}` filled; `count` also chooses the plural form. Raises `TemplateError`."""
        if not slots and html and key in self._html:
            return self._html[key]
        found = self._table.get(key)
        if found is None:
            raise TemplateError(f"no text '{key}'{near(key, self._table)}", where=self._where)
        values = slots or {}
        if isinstance(found, dict):
            found = found.get(self._plural(_number(values.get("count")))) or found["other"]
        text = str(escape(found)) if html else str(found)
        if values:
            text = _SLOT.sub(lambda slot: _fill(slot, values, html), text)
        return Markup(text) if html else text  # noqa: S704  both parts are escaped above


def _fill(slot: re.Match[str], values: Mapping[str, object], html: bool) -> str:
    if slot[1] not in values:
        return slot[0]
    value = values[slot[1]]
    return str(escape(value)) if html else str(value)


def _number(count: object) -> int | float:
    return count if isinstance(count, (int, float)) else int(str(count)) if str(count).isdigit() else 0


def _flatten(table: Mapping[str, object], prefix: str = "") -> list[tuple[str, str | dict[str, str]]]:
    entries: list[tuple[str, str | dict[str, str]]] = []
    for key, value in table.items():
        if isinstance(value, Mapping) and "other" in value:
            entries.append((prefix + key, {str(k): str(v) for k, v in value.items()}))
        elif isinstance(value, Mapping):
            entries.extend(_flatten(value, f"{prefix}{key}."))
        else:
            entries.append((prefix + key, str(value)))
    return entries


def load_strings(folders: Sequence[Path], language: str) -> Strings:
    """A language's texts, the first folder's before the later ones', key by key. Raises `TemplateError` when none of
    them has any, or one is no JSON."""
    stamps = []
    for folder in folders:
        path = folder / language / FILE
        if path.is_file():
            stamps.append((path, path.stat().st_mtime_ns))
    return _load(tuple(stamps), language)


@lru_cache(maxsize=256)
def _load(stamps: tuple[tuple[Path, int], ...], language: str) -> Strings:
    where = f"{language}/{FILE}"
    merged: dict[str, object] = {}
    try:
        for path, _ in reversed(stamps):
            merged.update(_flatten(json.loads(path.read_text("utf-8"))))
    except (OSError, ValueError, AttributeError, RecursionError) as error:
        raise TemplateError("the texts of this language cannot be read", where=where) from error
    if not stamps:
        raise TemplateError("the texts of this language cannot be read: there are none", where=where)
    return Strings(language, merged, where)
