"""A finished message looked at as a mail client, a reader and a spam filter would: links, contrast, size, support.

Contrast: WCAG 2.2 AA, of each text on the background it stands on, as shown and in dark mode (the rules of
`@media (prefers-color-scheme: dark)` applied). Colours this cannot know (pictures, gradients, named colours beyond
black and white) are passed over. Support: what clients are known not to show (`flows.render.support`).
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from html.parser import HTMLParser

from connector.model.colour import READABLE, READABLE_LARGE, contrast
from flows.render.links import safe_link, safe_url
from flows.render.prepared import Parts
from flows.render.support import lack

MAX_HTML = 100 * 1024
"""Gmail clips at about 102 KB."""
_LARGE, _LARGE_BOLD = 24.0, 18.66
_DARK = re.compile(r"@media[^{]*prefers-color-scheme:\s*dark[^{]*\{((?:[^{}]*\{[^{}]*\})*)[^{}]*\}", re.DOTALL)
_MEDIA = re.compile(r"@media[^{]*\{(?:[^{}]*\{[^{}]*\})*[^{}]*\}", re.DOTALL)
_NAMED = {"black": "#000000", "white": "#ffffff"}
_VOID = frozenset(["area", "base", "br", "col", "embed", "hr", "img", "input", "link", "meta", "source", "wbr"])
_SILENT = frozenset(["style", "script", "title", "head"])
_REMOVED = {"script": ", and many then show the message as dangerous", "iframe": "", "object": "", "embed": ""}
"""Elements no mail client runs or fetches: serious, whatever a table says."""
_INSTEAD = {
    "<form>": "link to a page", "<input>": "link to a page", "<select>": "link to a page",
    "<textarea>": "link to a page", "<button>": "link to a page", "<video>": "link a picture to a page",
    "<audio>": "link to a page", "<svg>": "use a PNG", "<link>": "use a style element", "<picture>": "use an img",
    "position": "use tables", "float": "use tables", "display:flex": "use tables", "display:grid": "use tables",
    "background-image": "give a background colour too",
}  # fmt: skip
_PLAIN = frozenset({"none", "static", "initial", "normal", "auto", ""})


@dataclass(frozen=True, slots=True)
class Finding:
    """`kind`: links, contrast, size, support, text. `serious`: it is to be mended before the message goes out."""

    kind: str
    message: str
    serious: bool = True


def inspect(parts: Parts, readers: Mapping[str, float] | None = None) -> list[Finding]:
    """Everything to be said of a message; each thing once, serious ones first. `readers`: the share of each client."""
    found = [*_size(parts), *_links(parts), *_support(parts.html, readers), *_contrasts(parts.html)]
    return sorted(dict.fromkeys(found), key=lambda finding: not finding.serious)


def _size(parts: Parts) -> Iterator[Finding]:
    size = len(parts.html.encode())
    if size > MAX_HTML:
        yield Finding("size", f"{size // 1024} KB of HTML; Gmail cuts off what is beyond 100 KB")


def _links(parts: Parts) -> Iterator[Finding]:
    reader = _Reader(parts.html)
    for href in reader.links:
        if href.startswith("#"):
            continue
        if not safe_link(href):
            yield Finding("links", f"a link to '{href[:60]}': only http, https, mailto and tel work in mail")
        elif href.partition(":")[2] not in parts.text and href not in parts.text:
            yield Finding("text", f"the text part lacks the link {href[:80]}")
        elif href.startswith("http:"):
            yield Finding("links", f"{href[:80]} is not https", serious=False)
    for source, alternative in reader.pictures:
        if not safe_url(source):
            yield Finding("links", f"a picture at '{source[:60]}': only http and https are shown")
        if alternative is None:
            yield Finding("text", f"the picture {source[:60]} has no alt text", serious=False)


def _support(html: str, readers: Mapping[str, float] | None) -> Iterator[Finding]:
    reader = _Reader(html)
    for element in sorted(reader.elements & _REMOVED.keys()):
        yield Finding("support", f"<{element}>: mail clients remove it{_REMOVED[element]}")
    seen = [f"<{element}>" for element in sorted(reader.elements - _REMOVED.keys())]
    for name, value in sorted(reader.declared):
        if value not in _PLAIN or name == "display":
            seen += [f"{name}:{value}"] if name == "display" else [name]
    for feature in dict.fromkeys(seen):
        if (lacking := lack(feature, readers)) is not None:
            about = f" (about {lacking.share:.0%} of the readers)" if lacking.share is not None else ""
            instead = f"; {_INSTEAD[feature]}" if feature in _INSTEAD else ""
            text = f"{feature}: not shown by {lacking.clients}{about}{instead}"
            yield Finding("support", text, serious=False)


def _contrasts(html: str) -> Iterator[Finding]:
    yield from _readable(as_shown(html), "")
    if _DARK.search(html):
        yield from _readable(as_shown(html, dark=True), " in dark mode")


def as_shown(html: str, *, dark: bool = False) -> str:
    """The message with the style sheet's rules in its elements, those of dark mode too where they apply."""
    # Here and not above: only checks look at it.
    import css_inline

    rules = "".join(_DARK.findall(html)) if dark else ""
    head, closing, body = _MEDIA.sub("", html).partition("</head>")
    text = f"{head}<style>{rules}</style>{closing}{body}" if closing else f"<style>{rules}</style>{head}"
    return str(css_inline.inline(text, keep_style_tags=False, load_remote_stylesheets=False))


def _readable(html: str, how: str) -> Iterator[Finding]:
    told: set[tuple[str, str]] = set()
    for ink, paper, size, bold, words in sorted(_Reader(html).inks):
        reached = contrast(ink, paper)
        needed = READABLE_LARGE if size >= _LARGE or (bold and size >= _LARGE_BOLD) else READABLE
        if reached < needed and (ink, paper) not in told:
            told.add((ink, paper))
            what = f"'{words[:30]}' is {ink} on {paper}{how}: a contrast of {reached:.1f}, and text needs {needed}"
            yield Finding("contrast", what)


@dataclass(slots=True)
class _Style:
    ink: str | None = "#000000"
    paper: str | None = "#ffffff"
    size: float = 16.0
    bold: bool = False
    hidden: bool = False


class _Reader(HTMLParser):
    """Links, pictures, elements, declarations, and each text with the colours it is shown in."""

    def __init__(self, html: str) -> None:
        super().__init__(convert_charrefs=True)
        self.links: list[str] = []
        self.pictures: list[tuple[str, str | None]] = []
        self.elements: set[str] = set()
        self.declared: set[tuple[str, str]] = set()
        self.inks: set[tuple[str, str, float, bool, str]] = set()
        self._open: list[tuple[str, _Style]] = []
        # Outlook's own markup is in comments, which stand beside what everybody else sees.
        self.feed(html)
        self.close()

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        values = {name: value or "" for name, value in attrs}
        self.elements.add(tag)
        if tag == "a" and "href" in values:
            self.links.append(values["href"])
        if tag == "img":
            self.pictures.append((values.get("src", ""), values.get("alt")))
        above = self._open[-1][1] if self._open else _Style()
        style = self._styled(tag, values, above)
        if tag not in _VOID:
            self._open.append((tag, style))

    def handle_endtag(self, tag: str) -> None:
        if any(name == tag for name, _ in self._open):
            while self._open and self._open.pop()[0] != tag:
                pass

    def handle_data(self, data: str) -> None:
        style = self._open[-1][1] if self._open else _Style()
        words = " ".join(data.split())
        if words and not style.hidden and style.size > 1 and style.ink and style.paper:
            self.inks.add((style.ink, style.paper, style.size, style.bold, words))

    def _styled(self, tag: str, values: dict[str, str], above: _Style) -> _Style:
        style = _Style(above.ink, above.paper, above.size, above.bold or tag in {"b", "strong", "h1", "h2", "th"},
                       above.hidden or tag in _SILENT)  # fmt: skip
        if tag == "h1":
            style.size = max(style.size, 26.0)
        if "bgcolor" in values:
            style.paper = _colour(values["bgcolor"], above.paper)
        for declaration in values.get("style", "").split(";"):
            name, _, value = (part.strip().lower() for part in declaration.partition(":"))
            value = value.removesuffix("!important").strip()
            if name:
                self.declared.add((name, value))
            self._declare(style, name, value, above)
        return style

    @staticmethod
    def _declare(style: _Style, name: str, value: str, above: _Style) -> None:
        if name == "color" and value != "inherit":
            style.ink = _colour(value, above.ink)
        elif name in {"background", "background-color"} and value not in {"transparent", "none", "inherit"}:
            style.paper = _colour(value.split()[0] if value else "", above.paper)
        elif name == "font-size" and value.endswith("px"):
            style.size = float(value[:-2]) if re.fullmatch(r"\d+(\.\d+)?px", value) else style.size
        elif name == "font-weight":
            style.bold = value in {"bold", "600", "700", "800", "900"}
        elif (name == "display" and value == "none") or (name == "visibility" and value == "hidden"):
            style.hidden = True


def _colour(value: str, otherwise: str | None) -> str | None:
    """As `#rrggbb`; `None` for one that cannot be known, and the one above where there is none."""
    text = _NAMED.get(value, value)
    if re.fullmatch(r"#[0-9a-f]{6}", text):
        return text
    if re.fullmatch(r"#[0-9a-f]{3}", text):
        return "#" + "".join(sign * 2 for sign in text[1:])
    return None if text else otherwise
