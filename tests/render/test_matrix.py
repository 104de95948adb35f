"""Every shipped template in every language it is written in, with every kind of order: renders, is small, passes the
checks of `kiitos templates check` without a word."""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from dataclasses import replace
from functools import lru_cache
from pathlib import Path

import pytest

from flows.render.check import MAX_HTML, purpose_of
from flows.render.context import MessageView, template_context
from flows.render.inspection import inspect
from flows.render.prepared import Parts
from flows.render.renderer import Renderer
from flows.render.samples import five_lines, samples
from flows.render.small import KINDS as FORMS

RENDERER = Renderer()
LANGUAGES = ("ar", "de", "en", "fi", "ja", "sv")
TOLD = re.compile(r"None|Liquid error|\{[{%]|\\u\{")
"""What shows that a value was missing, or that a piece of template was left standing."""


def hundred_lines() -> MessageView:
    order = five_lines().order
    assert order is not None
    lines = tuple(
        replace(
            order.lines[1],
            id=f"l{number}",
            title=f"Tuote numero {number}, pitkähkö nimi",
            product_url=f"https://aamu.example.com/products/tuote-{number}",
        )
        for number in range(100)
    )
    return replace(five_lines(), order=replace(order, lines=lines))


@lru_cache(maxsize=1)
def kinds() -> Mapping[str, MessageView]:
    """The issue's seven: normal, guest, no name, 100 lines, refunded, an RTL name, script in each field."""
    known = samples()
    chosen = ("five_lines", "guest", "nameless", "refunded", "arabic", "hostile")
    return {**{name: known[name] for name in chosen}, "hundred_lines": hundred_lines()}


def faults_of(renderer: Renderer, name: str, language: str) -> Iterator[str]:
    """Whatever is wrong with a template in a language, over all kinds of order."""
    prepared = renderer.prepared(name, language)
    for kind, view in kinds().items():
        shown = replace(view, locale=language, purpose=purpose_of(name))
        parts = prepared.render(template_context(shown, prepared.language, prepared.strings))
        yield from (f"{name} {language} {kind}: {fault}" for fault in part_faults(parts, kind))


def part_faults(parts: Parts, kind: str) -> Iterator[str]:
    if len(parts.html.encode()) >= MAX_HTML:
        yield "100 kB or more"
    if not (parts.subject.strip() and parts.text.strip()):
        yield "no subject, or no text part"
    if "<script" in parts.html.lower() or "onerror=" in re.sub(r"&[^;]+;", "", parts.html):
        yield "a script reached the message"
    if kind != "hostile" and (left := TOLD.search(parts.subject + parts.html + parts.text)):
        yield f"'{left[0]}' is shown"
    yield from (finding.message for finding in inspect(parts))


@pytest.mark.parametrize("language", LANGUAGES)
def test_every_template_with_every_kind_of_order(language: str) -> None:
    written = [name for name in RENDERER.names() if RENDERER.language(name, language) == language]
    assert len(written) >= (50 if language in ("en", "fi") else 19)
    assert [fault for name in written for fault in faults_of(RENDERER, name, language)] == []


def test_every_form_for_phones_and_paper_too() -> None:
    tried = 0
    for name in RENDERER.names():
        for form in FORMS:
            for language in RENDERER.small_languages(name, form):
                for kind, view in kinds().items():
                    text = RENDERER.small(name, form, replace(view, purpose=purpose_of(name)), language)
                    tried += 1
                    assert text, (name, form, language, kind)
                    assert kind == "hostile" or not TOLD.search(text), (name, form, language, kind)
                    assert form != "print" or "<script" not in text.lower(), (name, form, language, kind)
    assert tried >= 14 * len(kinds())


PAGE = "---\nsubject: s\npreheader: p\n---\n<html><body>{body}</body></html>"


@pytest.mark.parametrize(
    ("body", "fault"),
    [
        ("{% for line in order.lines %}" + "x" * 1100 + "{% endfor %}", "hundred_lines: 100 kB or more"),
        ("<svg></svg>", "five_lines: <svg>: not shown by Gmail"),
        ('<p style="color:#cccccc">pale</p>', "five_lines: 'pale' is #cccccc"),
        ('<a href="{{ order.note }}">x</a>', "hostile: a link to '<script>alert(1)"),
    ],
)
def test_control_a_template_with_a_fault_is_found_out(tmp_path: Path, body: str, fault: str) -> None:
    (tmp_path / "en").mkdir()
    (tmp_path / "en" / "own.html.liquid").write_text(PAGE.format(body=body), "utf-8")
    found = list(faults_of(Renderer(own=(tmp_path,)), "own", "en"))
    assert any(fault in each for each in found), found
