"""axe-core over a page that is open, with the rules of WCAG 2.0, 2.1 and 2.2, levels A and AA.

https://github.com/dequelabs/axe-core/blob/develop/doc/rule-descriptions.md
"""

from __future__ import annotations

import zlib
from functools import cache
from importlib.resources import files

from playwright.sync_api import Page

TAGS = ("wcag2a", "wcag2aa", "wcag21a", "wcag21aa", "wcag22aa")
OF_VIEW = ("color-contrast", "target-size", "meta-viewport", "css-orientation-lock", "scrollable-region-focusable")
"""Rules whose findings depend on how wide and how dark the screen is."""
RUN = """
async ([tags, rules]) => {
  const only = rules ? { type: 'rule', values: rules } : { type: 'tag', values: tags };
  const found = await axe.run(document, { runOnly: only, resultTypes: ['violations'], elementRef: false });
  const where = each => each.nodes.slice(0, 3).map(node => node.html.slice(0, 90)).join(' | ');
  return found.violations.map(each => `${each.id}: ${where(each)}`);
}
"""

# What an element is to axe, whatever its words are: its ancestors, its attributes, and whether it says anything.
KINDS = """
() => [...new Set([...document.querySelectorAll('*')].map(e => {
  const chain = [];
  for (let p = e.parentElement; p; p = p.parentElement) chain.push(p.tagName + '.' + p.className);
  const values = ['type', 'role', 'class', 'autocomplete', 'for', 'inputmode'];
  const own = [...e.attributes].map(a => a.name + (values.includes(a.name) && a.name !== 'for' ? '=' + a.value : '')
    + (a.value.trim() ? '' : ' empty'));
  return [e.tagName, ...own, e.textContent.trim() ? 'text' : '', e.children.length > 0, ...chain].join(' ');
}))]
"""
_good: set[int] = set()


@cache
def script() -> str:
    return files("axe_playwright_python").joinpath("axe.min.js").read_text(encoding="utf-8")


def violations(page: Page, *, of_view: bool = False) -> list[str]:
    """What axe finds, a line a rule. `of_view`: only the rules that another width or colour scheme could change.
    Nor is more looked at where every kind of element was found good before, in this process and by all rules."""
    kinds = set() if of_view else {zlib.crc32(str(kind).encode()) for kind in page.evaluate(KINDS)}
    if not page.evaluate("typeof axe === 'object'"):
        page.evaluate(script())
    found: list[str] = page.evaluate(RUN, [list(TAGS), list(OF_VIEW) if kinds <= _good else None])
    if not found:
        _good.update(kinds)
    return found
