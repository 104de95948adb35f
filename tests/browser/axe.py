"""axe-core over a page that is open, with the rules of WCAG 2.0, 2.1 and 2.2, levels A and AA.

https://github.com/dequelabs/axe-core/blob/develop/doc/rule-descriptions.md
"""

from __future__ import annotations

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


@cache
def script() -> str:
    return files("axe_playwright_python").joinpath("axe.min.js").read_text(encoding="utf-8")


def violations(page: Page, *, of_view: bool = False) -> list[str]:
    """What axe finds, a line a rule. `of_view`: only the rules that another width or colour scheme could change."""
    if not page.evaluate("typeof axe === 'object'"):
        page.evaluate(script())
    found: list[str] = page.evaluate(RUN, [list(TAGS), list(OF_VIEW) if of_view else None])
    return found
