"""One template in one language, parsed once, rendered many times.

Three ways give the same HTML: (1) Liquid first, then MJML: the rule, always right; (2) MJML once with the Liquid tags
protected, then Liquid; (3) as 2, with the Liquid compiled to a Python function. 3, or where it cannot be made 2, is
used only after it gave the same HTML as 1 for every sample in both classes; a message that 3 cannot do falls back to 1.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass, replace
from functools import cached_property
from typing import Any

from liquid.template import BoundTemplate

from connector.errors import TemplateError
from connector.model import Purpose
from flows.render import liquid, mjml, rawhtml
from flows.render.compiled import FAULTS, RenderFunction, compile_template
from flows.render.context import sides, template_context
from flows.render.plaintext import tidy, to_text
from flows.render.samples import samples
from flows.render.sources import Flat, Source
from flows.render.strings import Strings

_BOTH = frozenset({"five_lines", "guest", "hostile"})
_FIXED = re.compile(r"\{\{\s*(lang|dir|align|align_end)\s*\}\}")
_QUOTES = re.compile("&#3[49];|&quot;")
_CONTROL = re.compile(r"[\x00-\x08\x0b-\x1f\x7f-\x9f\u2028\u2029\u202a-\u202e]")


@dataclass(frozen=True, slots=True)
class Parts:
    subject: str
    preheader: str
    html: str
    text: str


class _Piece:
    """Parsed Liquid. With `strings`, it has a compiled function too, where one can be made."""

    def __init__(
        self, flat: Flat, environment: liquid.BoundedEnvironment, where: str, strings: Strings | None = None
    ) -> None:
        self._flat = flat
        self._where = where
        try:
            self.template: BoundTemplate = liquid.parse(flat.text, environment, where)
        except TemplateError as error:
            raise flat.locate(error) from error
        self.fast: RenderFunction | None = compile_template(self.template, strings) if strings else None

    def render(self, context: Mapping[Any, Any]) -> str:
        """The fast way, unless the function meets something it does not know."""
        if self.fast is not None:
            try:
                return self.fast(context)
            except FAULTS:
                return self.interpret(context)
        return self.interpret(context)

    def interpret(self, context: Mapping[Any, Any]) -> str:
        try:
            return liquid.render(self.template, context, self._where)
        except TemplateError as error:
            raise self._flat.locate(error) from error


class Prepared:
    """A template ready to render. `sound`: it differs only in colours from one whose fast way was tried with every
    sample. Raises `TemplateError` for one that does not parse."""

    def __init__(self, source: Source, strings: Strings, *, sound: bool = False) -> None:
        self._sound = sound
        self.language = source.language
        self.where = source.where
        self.strings = strings
        self._source = source
        self._to_html = rawhtml.to_html if source.raw else mjml.to_html
        self._subject = _Piece(source.subject, liquid.TEXT, source.where, strings)
        self._preheader = _Piece(source.preheader, liquid.TEXT, source.where, strings)
        self._mjml = _Piece(source.html, liquid.HTML, source.where)
        self._text = _Piece(source.text, liquid.TEXT, source.where, strings) if source.text else None

    @cached_property
    def _html(self) -> _Piece | None:
        return self._precompile(self._source)

    @property
    def precompiled(self) -> bool:
        """Whether MJML runs once a template instead of once a message."""
        return self._html is not None

    @property
    def compiled(self) -> bool:
        return self._html is not None and self._html.fast is not None

    def render(self, context: dict[Any, Any]) -> Parts:
        """All parts. Raises `TemplateError`. `context` comes from `template_context` and is added to."""
        context["subject"] = subject = _line(self._subject.render(context))
        context["preheader"] = preheader = _line(self._preheader.render(context))
        html = self._html_of(context)
        text = to_text(html) if self._text is None else tidy(_CONTROL.sub("", self._text.render(context)))
        return Parts(subject, preheader, html, text)

    def render_by_rule(self, context: dict[Any, Any]) -> Parts:
        """The same without making it fast first: for one look at a template. Raises `TemplateError`."""
        context["subject"] = subject = _line(self._subject.interpret(context))
        context["preheader"] = preheader = _line(self._preheader.interpret(context))
        html = self.html_by_rule(context)
        text = to_text(html) if self._text is None else tidy(_CONTROL.sub("", self._text.interpret(context)))
        return Parts(subject, preheader, html, text)

    def render_leniently(self, context: dict[Any, Any]) -> Parts:
        """All parts with missing names left out, interpreted. Raises `TemplateError` for any other fault."""
        source, where = self._source, self.where

        def text(flat: Flat) -> str:
            return _CONTROL.sub("", _Piece(flat, liquid.LENIENT_TEXT, where).interpret(context))

        context["subject"] = subject = _line(text(source.subject))
        context["preheader"] = preheader = _line(text(source.preheader))
        html = self._to_html(_Piece(source.html, liquid.LENIENT_HTML, where).interpret(context), where)
        return Parts(subject, preheader, html, tidy(text(source.text)) if source.text else to_text(html))

    def _html_of(self, context: Mapping[Any, Any]) -> str:
        """The way that was tried with the samples; the rule where there is none or it meets something unknown."""
        if self._html is None:
            return self.html_by_rule(context)
        if self._html.fast is None:
            return self._html.interpret(context)
        try:
            return self._html.fast(context)
        except FAULTS:
            return self.html_by_rule(context)

    def html_by_rule(self, context: Mapping[Any, Any]) -> str:
        """Liquid first, then MJML, both interpreted."""
        return self._to_html(self._mjml.interpret(context), self.where)

    def _precompile(self, source: Source) -> _Piece | None:
        # Fixed for a language, and MJML spreads them over every element: put in before, not protected.
        fixed = {"lang": self.language, **sides(self.language)}
        flat = _FIXED.sub(lambda name: fixed[name[1]], source.html.text)
        html = mjml.precompile(flat, source.where, self._to_html)
        if html is None:
            return None
        try:
            piece = _Piece(Flat(html, ()), liquid.HTML, source.where, self.strings)
            return (
                piece
                if self._sound or all(self._agrees(piece, context) for context in self._sample_contexts())
                else None
            )
        except TemplateError:
            return None

    def _agrees(self, piece: _Piece, context: dict[Any, Any]) -> bool:
        try:
            made = piece.fast(context) if piece.fast is not None else piece.interpret(context)
        except FAULTS:
            return True  # it steps aside: then the rule is followed
        by_rule = self.html_by_rule(context)
        if self._source.raw:
            by_rule, made = _same_quotes(by_rule), _same_quotes(made)
        return by_rule == made or mjml.normalised(by_rule) == mjml.normalised(made)

    def _sample_contexts(self) -> list[dict[Any, Any]]:
        contexts = []
        for name, view in samples().items():
            # Purposes differ in the foot of the message, which every sample shares.
            for purpose in (Purpose.TRANSACTIONAL, Purpose.MARKETING) if name in _BOTH else (Purpose.TRANSACTIONAL,):
                context = template_context(replace(view, purpose=purpose), self.language, self.strings)
                context["subject"] = _line(self._subject.interpret(context))
                context["preheader"] = _line(self._preheader.interpret(context))
                contexts.append(context)
        return contexts


def _same_quotes(html: str) -> str:
    """An HTML parser writes quotation marks in its own way, which means the same."""
    return _QUOTES.sub(lambda sign: '"' if sign[0] in ("&#34;", "&quot;") else "'", html)


def _line(text: str) -> str:
    return " ".join(_CONTROL.sub(" ", text).split())
