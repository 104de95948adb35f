"""A template's forms for other media: `<name>.sms.liquid`, `<name>.push.liquid`, `<name>.print.liquid`,
`<name>.platform.liquid`.

A text for a phone is written for it, and not cut out of a mail. Only a letter's form escapes what it prints: it is
HTML.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import replace
from functools import lru_cache
from typing import Any

from liquid.template import BoundTemplate

from connector.errors import TemplateError
from flows.render import liquid
from flows.render.context import MessageView, template_context
from flows.render.locales import FALLBACK, choose_locale, match_language
from flows.render.sources import Flat, Sources
from flows.render.strings import Strings

KINDS = ("sms", "push", "print", "platform")
_HTML = frozenset({"print"})
_CONTROL = re.compile(r"[\x00-\x09\x0b-\x1f\x7f-\x9f\u2028\u2029\u202a-\u202e]")


class SmallForms:
    """Renders them; each is parsed once a language."""

    def __init__(self, sources: Sources) -> None:
        self._sources = sources
        self._languages: dict[tuple[str, str], list[str]] = {}
        self._parsed: dict[tuple[str, str, str], tuple[Flat, BoundTemplate] | None] = {}

    def render(self, template: str, kind: str, view: MessageView, *locales: str | None) -> str | None:
        """In the first language of `locales` that has this form, else in the fallback language; `None` without any."""
        written = self.languages(template, kind)
        if not written:
            return None
        language = next(filter(None, (match_language(each, written) for each in locales)), None)
        language = language or (FALLBACK if FALLBACK in written else written[0])
        found = self._form(template, language, kind)
        assert found is not None
        chosen = replace(view, locale=choose_locale(*locales, available=written))
        text = _render(found, template_context(chosen, language, self._strings(language)), language, template, kind)
        return text if kind in _HTML else _CONTROL.sub("", text).strip()

    def expression(self, source: str, view: MessageView, language: str, where: str) -> str:
        """A piece of Liquid that stands in the settings, as text in `language`. Raises `TemplateError`."""
        context = template_context(replace(view, locale=language), language, self._strings(language))
        return _CONTROL.sub("", liquid.render(_expression(source, where), context, where))

    def languages(self, template: str, kind: str) -> list[str]:
        """The languages a template has this form in."""
        key = (template, kind)
        if key not in self._languages:
            self._languages[key] = self._sources.small_languages(template, kind)
        return self._languages[key]

    def _form(self, template: str, language: str, kind: str) -> tuple[Flat, BoundTemplate] | None:
        key = (template, language, kind)
        if key not in self._parsed:
            flat = self._sources.small(template, language, kind)
            environment = liquid.HTML if kind in _HTML else liquid.TEXT
            where = f"{language}/{template}.{kind}.liquid"
            self._parsed[key] = None if flat is None else (flat, _parse(flat, environment, where))
        return self._parsed[key]

    def _strings(self, language: str) -> Strings:
        try:
            return self._sources.strings(language)
        except TemplateError:
            return self._sources.strings(FALLBACK)  # only `t` reads them, and these forms rarely do


@lru_cache(maxsize=256)
def _expression(source: str, where: str) -> BoundTemplate:
    return liquid.parse(source, liquid.TEXT, where)


def _parse(flat: Flat, environment: liquid.BoundedEnvironment, where: str) -> BoundTemplate:
    try:
        return liquid.parse(flat.text, environment, where)
    except TemplateError as error:
        raise flat.locate(error) from error


def _render(
    form: tuple[Flat, BoundTemplate], context: Mapping[Any, Any], language: str, template: str, kind: str
) -> str:
    flat, parsed = form
    try:
        return liquid.render(parsed, context, f"{language}/{template}.{kind}.liquid")
    except TemplateError as error:
        raise flat.locate(error) from error
