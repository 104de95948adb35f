"""A merchant's raw HTML template to the HTML of a mail: style sheets are written into the elements they style.

css-inline alone drops `@media` (dark mode) and fetches remote style sheets, and it crashes the process at a nesting of
100 000 (facts/messaging.md section 1.3): so it keeps style elements, loads nothing, and sees only what was checked.
"""

from __future__ import annotations

from html.parser import HTMLParser

from connector.errors import TemplateError

MAX_SIZE = 512 * 1024
MAX_DEPTH = 250
_VOID = frozenset(
    ["area", "base", "br", "col", "embed", "hr", "img", "input", "link", "meta", "source", "track", "wbr"]
)
# Elements HTML closes by itself: an author who never writes </p> nests nothing. Those that stand in others (cells in
# tables) are as deep as what they stand in, times a few.
_UNCOUNTED = frozenset(["p", "li", "td", "th", "tr", "dt", "dd", "option", "tbody", "thead", "tfoot", "colgroup"])


def to_html(html: str, where: str) -> str:
    """Inline the styles. Raises `TemplateError`; never lets the parser see what crashes it."""
    check(html, where)
    if "<style" not in html:
        return html
    # Here and not above: only merchants with raw HTML need it.
    import css_inline

    try:
        made = css_inline.inline(html, keep_style_tags=True, load_remote_stylesheets=False)
    except css_inline.InlineError as error:
        raise TemplateError(f"CSS: {str(error)[:120]}", where=where) from error
    return str(made)


def check(html: str, where: str) -> None:
    """Refuse what is too big or too deep. Raises `TemplateError`."""
    if len(html) > MAX_SIZE:
        raise TemplateError(f"more than {MAX_SIZE // 1024} KB of HTML", where=where)
    # No tag, no depth: counting signs is cheap, and reading them is not.
    if html.count("<") > MAX_DEPTH:
        _Depth(where).feed(html)


class _Depth(HTMLParser):
    def __init__(self, where: str) -> None:
        super().__init__(convert_charrefs=False)
        self.where = where
        self.open: dict[str, int] = {}
        self.depth = 0

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        del attrs
        if tag in _VOID or tag in _UNCOUNTED:
            return
        self.open[tag] = self.open.get(tag, 0) + 1
        self.depth += 1
        if self.depth > MAX_DEPTH:
            line, column = self.getpos()
            message = f"elements are nested deeper than {MAX_DEPTH}"
            raise TemplateError(message, where=self.where, line=line, column=column + 1)

    def handle_endtag(self, tag: str) -> None:
        if self.open.get(tag, 0) > 0:
            self.open[tag] -= 1
            self.depth -= 1
