"""Is a template fit to be used? Asked when flows load and when a merchant saves one."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import replace
from typing import Any

from connector.errors import TemplateError, near
from connector.model import Purpose
from flows.render import liquid
from flows.render.context import VARIABLES, template_context
from flows.render.filters import UNSUPPORTED
from flows.render.locales import match_language
from flows.render.prepared import Prepared
from flows.render.samples import samples
from flows.render.sources import Source, Sources
from flows.render.strings import Strings

MAX_HTML = 100 * 1024  # Gmail clips at about 102 KB
# Tables whose names the flow decides.
_OPEN = frozenset({"params", "steps", "links", "progress", "event"})
_MARKETING = ("review_", "referral_", "loyalty_", "winback_", "marketing_")


def purpose_of(template: str) -> Purpose:
    """The class a template's name speaks of: the one it is checked with when no flow says otherwise."""
    if template.startswith("review_"):
        return Purpose.REVIEW
    if template.startswith("referral_"):
        return Purpose.REFERRAL
    return Purpose.MARKETING if template.startswith(_MARKETING) else Purpose.TRANSACTIONAL


def check_template(
    sources: Sources, name: str, locale: str, prepare: Callable[[str, str], Prepared]
) -> list[TemplateError]:
    """Everything wrong with a template in the language `locale` means; empty when it is fit.

    `prepare` gives the parsed template of a name and language.
    """
    language = match_language(locale, sources.languages()) or locale
    try:
        source = sources.load(name, language)
        prepared = prepare(name, language)
    except TemplateError as error:
        return [error]
    return [*_unknown_names(source, prepared.strings), *_sample_faults(prepared, purpose_of(name))]


def _sample_faults(prepared: Prepared, purpose: Purpose) -> list[TemplateError]:
    faults: dict[str, TemplateError] = {}
    for sample, view in samples().items():
        context = template_context(replace(view, purpose=purpose), prepared.language, prepared.strings)
        try:
            parts = prepared.render(context)
        except TemplateError as error:
            faults.setdefault(str(error), error)
            continue
        size = len(parts.html.encode())
        unsubscribe = view.links.get("unsubscribe", "")
        if size > MAX_HTML:
            faults["size"] = TemplateError(f"{size // 1024} KB of HTML with sample '{sample}'", where=prepared.where)
        if not parts.subject:
            faults["subject"] = TemplateError(f"the subject is empty with sample '{sample}'", where=prepared.where)
        if purpose.needs_consent and (unsubscribe not in parts.html or unsubscribe not in parts.text):
            message = "must show links.unsubscribe in HTML and text, because it needs consent"
            faults["unsubscribe"] = TemplateError(message, where=prepared.where)
    return list(faults.values())


def _unknown_names(source: Source, strings: Strings) -> list[TemplateError]:
    """Names no message has. Rendering alone would not find them inside a condition."""
    shape = _merged(
        [dict(template_context(view, source.language, strings)) for view in samples().values()],
    )
    faults = []
    flats = [(source.subject, liquid.TEXT), (source.preheader, liquid.TEXT), (source.html, liquid.HTML)]
    flats += [(source.text, liquid.TEXT)] if source.text else []
    for flat, environment in flats:
        try:
            analysis = liquid.parse(flat.text, environment, source.where).analyze()
        except TemplateError as error:
            faults.append(flat.locate(error))
            continue
        asked = [(span, _unknown_filter(name)) for name, spans in analysis.filters.items() for span in spans]
        asked += [
            (variable.span, _unknown(list(variable.segments), shape))
            for variables in analysis.globals.values()
            for variable in variables
        ]
        for span, message in asked:
            if message:
                line = flat.text.count("\n", 0, span.index) + 1
                column = span.index - flat.text.rfind("\n", 0, span.index)
                faults.append(flat.locate(TemplateError(message, where=source.where, line=line, column=column)))
    return faults


def _unknown_filter(name: str) -> str:
    if name in liquid.HTML.filters:
        return ""
    if name in UNSUPPORTED:
        return f"the filter '{name}' is not supported in messages: {UNSUPPORTED[name]}"
    return f"no filter '{name}'{near(name, liquid.HTML.filters)}"


def _unknown(path: list[Any], shape: Mapping[str, Any]) -> str:
    if path[0] not in VARIABLES:
        return f"no variable '{path[0]}'{near(str(path[0]), VARIABLES)}"
    known: Any = shape
    for depth, part in enumerate(path):
        if not isinstance(known, Mapping) or not isinstance(part, str) or part in {"size", "first", "last"}:
            return ""
        if part not in known:
            return f"'{'.'.join(map(str, path[:depth]))}' has no '{part}'{near(part, known)}"
        known = known[part]
        if (depth == 0 and part in _OPEN) or part == "attributes":
            return ""
    return ""


def _merged(contexts: list[Any]) -> Any:
    """One table with every name any of the samples has."""
    tables = [context for context in contexts if isinstance(context, Mapping)]
    if not tables:
        return None
    names = {name for table in tables for name in table if isinstance(name, str)}
    return {name: _merged([table[name] for table in tables if name in table]) for name in names}
