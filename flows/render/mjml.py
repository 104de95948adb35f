"""MJML to HTML, safely and only as often as needed.

The rule is Liquid first, then MJML: tags that stand between MJML elements are silently moved or dropped otherwise
(facts/messaging.md section 1.3). `precompile` turns the order round for speed, with every tag protected by a comment or
an opaque word, and gives up (returns `None`) unless each control tag comes back exactly once and in order, with the
same outputs between the same control tags. Who uses its result must also compare it with the slow way.
"""

from __future__ import annotations

import re
import unicodedata
from collections.abc import Callable
from xml.parsers import expat

from mjml import mjml2html

from connector.errors import TemplateError, near

MAX_SIZE = 512 * 1024
MAX_DEPTH = 100
# https://documentation.mjml.io/#components; mj-include is left out on purpose: no template reads files.
ELEMENTS = frozenset(
    [
        "mjml",
        "mj-head",
        "mj-body",
        "mj-attributes",
        "mj-all",
        "mj-class",
        "mj-breakpoint",
        "mj-font",
        "mj-html-attributes",
        "mj-selector",
        "mj-html-attribute",
        "mj-preview",
        "mj-style",
        "mj-title",
        "mj-accordion",
        "mj-accordion-element",
        "mj-accordion-title",
        "mj-accordion-text",
        "mj-button",
        "mj-carousel",
        "mj-carousel-image",
        "mj-column",
        "mj-divider",
        "mj-group",
        "mj-hero",
        "mj-image",
        "mj-navbar",
        "mj-navbar-link",
        "mj-raw",
        "mj-section",
        "mj-social",
        "mj-social-element",
        "mj-spacer",
        "mj-table",
        "mj-text",
        "mj-wrapper",
    ]
)
_TAG = re.compile(r"\{%.*?%\}|\{\{.*?\}\}", re.DOTALL)
_MARK = re.compile(r"<!--kq7x(\d+)z-->|kq7x(\d+)z")
_BETWEEN = re.compile(r">\s+<")
_ESCAPED = re.compile(r"\\u\{([0-9a-f]{1,5})\}")
_JOINERS = "\u200c\u200d\u200e\u200f"
_SPACES = re.compile(r"\s+")


def to_html(mjml: str, where: str) -> str:
    """Compile MJML. Raises `TemplateError`; never lets the compiler see what crashes it."""
    check(mjml, where)
    try:
        # Without its list of fonts MJML adds no link to Google: opening a mail must not tell a third party.
        html = str(mjml2html(mjml, fonts={}))
    except ValueError as error:
        raise TemplateError(f"MJML: {str(error)[:120]}", where=where) from error
    return _ESCAPED.sub(_unescaped, html) if "\\u{" in html else html


def _unescaped(found: re.Match[str]) -> str:
    """mjml-python 1.4.2 writes the title into `aria-label` as Rust would: Arabic vowel signs become `\\u{64f}`."""
    sign = chr(int(found[1], 16))
    return sign if sign in _JOINERS or unicodedata.category(sign).startswith("M") else found[0]


def check(mjml: str, where: str) -> None:
    """Refuse what is too big, too deep (both compilers for Python crash the process at 12 000 levels), not well
    formed, or uses an element MJML does not know (they drop it without a word)."""
    if len(mjml) > MAX_SIZE:
        raise TemplateError(f"more than {MAX_SIZE // 1024} KB of MJML", where=where)
    parser = expat.ParserCreate()
    depth = 0

    def fail(message: str) -> None:
        line, column = parser.CurrentLineNumber, parser.CurrentColumnNumber + 1
        raise TemplateError(message, where=where, line=line, column=column)

    def start(name: str, _attributes: dict[str, str]) -> None:
        nonlocal depth
        depth += 1
        if depth > MAX_DEPTH:
            fail(f"elements are nested deeper than {MAX_DEPTH}")
        if name.startswith("mj") and name not in ELEMENTS:
            fail(f"MJML has no element <{name[:40]}>{near(name, ELEMENTS)}")

    def end(_name: str) -> None:
        nonlocal depth
        depth -= 1

    parser.StartElementHandler = start
    parser.EndElementHandler = end
    parser.StartDoctypeDeclHandler = lambda *_: fail("a template has no DOCTYPE")
    # HTML's entities (&nbsp;) are not declared in MJML; with a foreign DTD expat skips instead of failing.
    parser.UseForeignDTD(True)
    parser.ExternalEntityRefHandler = lambda *_: 1
    try:
        parser.Parse(mjml.encode("utf-8", "replace"), True)
    except expat.ExpatError as error:
        message = f"{expat.ErrorString(error.code)}; write elements closed, as <br/>"
        raise TemplateError(message, where=where, line=error.lineno, column=error.offset + 1) from error


def precompile(source: str, where: str, to_html: Callable[[str, str], str] = to_html) -> str | None:
    """The HTML that `to_html` makes, with the Liquid tags of `source` back in their places, or `None` when they did
    not all return."""
    tags = _TAG.findall(source)
    try:
        html = to_html(_protect(source), where)
    except TemplateError:
        return None  # not well formed before Liquid has run, e.g. an element opened and closed in two branches
    returned = [int(a or b) for a, b in _MARK.findall(html)]
    if _segments(range(len(tags)), tags) != _segments(returned, tags):
        return None
    return _MARK.sub(lambda mark: tags[int(mark[1] or mark[2])], html)


def _protect(source: str) -> str:
    pieces: list[str] = []
    position, inside = 0, False
    for number, tag in enumerate(_TAG.finditer(source)):
        before = source[position : tag.start()]
        if "<" in before or ">" in before:
            inside = before.rfind("<") > before.rfind(">")
        control = tag[0].startswith("{%")
        pieces += [before, f"<!--kq7x{number}z-->" if control and not inside else f"kq7x{number}z"]
        position = tag.end()
    return "".join([*pieces, source[position:]])


def _segments(numbers: range | list[int], tags: list[str]) -> list[object]:
    """Control tags in order, and between them which outputs appear. An output may repeat: MJML writes the colour
    of a button three times, and would do so too if Liquid had run first."""
    segments: list[object] = [set()]
    for number in numbers:
        if number >= len(tags):
            return []
        if tags[number].startswith("{%"):
            segments += [number, set()]
        else:
            held = segments[-1]
            assert isinstance(held, set)
            held.add(number)
    return segments


def normalised(html: str) -> str:
    """HTML with runs of white space made one, and none between tags: what the two ways must agree on."""
    return _SPACES.sub(" ", _BETWEEN.sub("><", html)).strip()
