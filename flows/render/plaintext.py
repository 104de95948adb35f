"""A readable text part from HTML, for templates that have no text twin. Links are kept; layout tables are not."""

from __future__ import annotations

import re
from html.parser import HTMLParser

_SKIP = frozenset({"head", "style", "script", "title", "template"})
_BREAKS = frozenset({"br", "tr", "div", "table", "ul", "ol", "section", "header", "footer", "center"})
_PARAGRAPHS = frozenset({"p", "h1", "h2", "h3", "h4", "h5", "h6", "hr", "blockquote"})
_HIDDEN = re.compile(r"display\s*:\s*none", re.IGNORECASE)
_SPACES = re.compile(r"[ \t]{2,}|\t")
_VOID = frozenset({"br", "hr", "img", "meta", "link", "input", "area", "base", "col", "wbr"})


class _Reader(HTMLParser):
    def __init__(self) -> None:
        super().__init__(convert_charrefs=True)
        self.pieces: list[str] = []
        self.hidden: list[str] = []  # open elements since the first hidden one
        self.links: list[tuple[str, int]] = []

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        values = dict(attrs)
        if self.hidden or tag in _SKIP or _HIDDEN.search(values.get("style") or ""):
            if tag not in _VOID:
                self.hidden.append(tag)
            return
        if tag in _PARAGRAPHS:
            self.pieces.append("\n\n")
        elif tag in _BREAKS:
            self.pieces.append("\n")
        elif tag == "li":
            self.pieces.append("\n- ")
        elif tag in {"td", "th"}:
            self.pieces.append(" ")
        elif tag == "img" and values.get("alt"):
            self.pieces.append(f" {values['alt']} ")
        elif tag == "a":
            self.links.append((values.get("href") or "", len(self.pieces)))

    def handle_endtag(self, tag: str) -> None:
        if self.hidden:
            if tag in self.hidden:
                while self.hidden.pop() != tag:
                    pass
            return
        if tag in _PARAGRAPHS:
            self.pieces.append("\n\n")
        elif tag == "a" and self.links:
            href, since = self.links.pop()
            text = "".join(self.pieces[since:]).strip()
            if href and not href.startswith("#") and href != text:
                self.pieces.append(f" <{href.removeprefix('mailto:')}>" if text else href)

    def handle_data(self, data: str) -> None:
        if not self.hidden:
            self.pieces.append(re.sub(r"\s+", " ", data))


def to_text(html: str) -> str:
    """The visible text, one blank line between paragraphs, addresses of links in angle brackets."""
    reader = _Reader()
    reader.feed(re.sub(r"<!--.*?-->|<!\[.*?\]>", "", html, flags=re.DOTALL))
    reader.close()
    return tidy("".join(reader.pieces))


def tidy(text: str) -> str:
    """No spaces at line ends, no more than one blank line, one line feed at the end."""
    if "  " in text or "\t" in text:
        text = _SPACES.sub(" ", text)
    text = "\n".join([line.strip() for line in text.split("\n")])
    while "\n\n\n" in text:
        text = text.replace("\n\n\n", "\n\n")
    return text.strip() + "\n"
