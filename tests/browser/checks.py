"""Checks of a page that is open: what a person with a phone, a keyboard or weak eyes would stumble over."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

from playwright.sync_api import Browser, BrowserContext, Page

VIEWS = [(width, scheme) for width in (1280, 390) for scheme in ("light", "dark")]

# Contrast of every visible piece of text with the colour behind it, as in WCAG 2.2 1.4.3; semi-transparent layers are
# laid over one another from the root down. Large text (24 px, or 18.66 px bold) needs 3, other text 4.5.
CONTRAST = """
() => {
  const parse = text => { const n = text.match(/[\\d.]+/g).map(Number); return [n[0], n[1], n[2], n[3] ?? 1]; };
  const over = (top, below) => [0, 1, 2].map(i => top[i] * top[3] + below[i] * (1 - top[3])).concat(1);
  const light = c => { const f = c.slice(0, 3).map(v => { v /= 255;
    return v <= 0.04045 ? v / 12.92 : ((v + 0.055) / 1.055) ** 2.4; });
    return 0.2126 * f[0] + 0.7152 * f[1] + 0.0722 * f[2]; };
  const ratio = (a, b) => { const [x, y] = [light(a), light(b)].sort((p, q) => p - q);
    return (y + 0.05) / (x + 0.05); };
  const dark = matchMedia('(prefers-color-scheme: dark)').matches;
  const behind = element => { const chain = []; for (let e = element; e; e = e.parentElement) chain.unshift(e);
    return chain.reduce((colour, e) => over(parse(getComputedStyle(e).backgroundColor), colour),
      dark ? [18, 18, 18, 1] : [255, 255, 255, 1]); };
  const bad = [];
  const walker = document.createTreeWalker(document.body, NodeFilter.SHOW_TEXT);
  const seen = new Set(document.querySelectorAll('input[type=text], textarea'));
  while (walker.nextNode()) if (walker.currentNode.textContent.trim()) seen.add(walker.currentNode.parentElement);
  for (const e of seen) {
    const style = getComputedStyle(e);
    if (!e.getClientRects().length || style.visibility !== 'visible') continue;
    let opacity = 1; for (let p = e; p; p = p.parentElement) opacity *= Number(getComputedStyle(p).opacity);
    const back = behind(e), ink = parse(style.color); ink[3] *= opacity;
    const size = parseFloat(style.fontSize), large = size >= 24 || (size >= 18.66 && Number(style.fontWeight) >= 700);
    const found = ratio(over(ink, back), back);
    if (found < (large ? 3 : 4.5)) bad.push(`${e.tagName} ${e.textContent.trim().slice(0, 40)}: ${found.toFixed(2)}`);
  }
  return bad;
}
"""

# Every control has a name a screen reader can say, ids are unique, images have a text, headings begin at 1.
NAMES = """
() => {
  const bad = [];
  const text = e => (e?.textContent ?? '').trim();
  for (const e of document.querySelectorAll('input:not([type=hidden]), textarea, select, button, a[href], iframe')) {
    const label = e.getAttribute('aria-label') || e.title || [...(e.labels ?? [])].map(text).join(' ')
      || (['BUTTON', 'A'].includes(e.tagName) ? text(e) : '');
    if (!label) bad.push(`no name: ${e.outerHTML.slice(0, 80)}`);
  }
  for (const e of document.querySelectorAll('fieldset')) if (!text(e.querySelector('legend'))) bad.push('no legend');
  for (const e of document.querySelectorAll('img:not([alt])')) bad.push(`no alt: ${e.outerHTML.slice(0, 80)}`);
  for (const e of document.querySelectorAll('[aria-describedby]'))
    if (!e.getAttribute('aria-describedby').split(/\\s+/).every(id => document.getElementById(id)))
      bad.push('describedby leads nowhere');
  const ids = [...document.querySelectorAll('[id]')].map(e => e.id);
  for (const id of new Set(ids)) if (ids.filter(other => other === id).length > 1) bad.push(`id twice: ${id}`);
  const heads = [...document.querySelectorAll('h1, h2, h3, h4')].map(e => Number(e.tagName[1]));
  if (heads.filter(level => level === 1).length !== 1 || heads[0] !== 1) bad.push(`headings ${heads}`);
  if (!document.documentElement.lang) bad.push('no language');
  if (!document.title.trim()) bad.push('no title');
  if (!document.querySelector('main')) bad.push('no main');
  return bad;
}
"""

# Controls a finger can hit: 24 px at least (WCAG 2.2 2.5.8), unless in a line of text; ours promise 44 px for buttons.
TARGETS = """
() => {
  const bad = [];
  const shown = 'button, .button, input:not([tabindex="-1"]), select, textarea, nav a, td a';
  for (const e of document.querySelectorAll(shown)) {
    const inLabel = (e.labels ?? [])[0] && ['radio', 'checkbox'].includes(e.type);
    const box = (inLabel ? e.labels[0] : e).getBoundingClientRect();
    const least = e.matches('button, .button, input, select') ? 44 : 24;
    if (box.width && (box.height < least || box.width < 24)) bad.push(`${e.outerHTML.slice(0, 60)}: ${box.height}`);
  }
  return bad;
}
"""

# What stands in a box with a border stays in it; a page need not become wider when something sticks out.
BOXED = """
() => [...document.querySelectorAll('fieldset *')].filter(e => {
  const outer = e.closest('fieldset').getBoundingClientRect(), inner = e.getBoundingClientRect();
  return inner.width && (inner.left < outer.left - 1 || inner.right > outer.right + 1);
}).map(e => `${e.outerHTML.slice(0, 60)} sticks out of its box`)
"""

FOCUS = """
() => {
  const e = document.activeElement;
  if (!e || e === document.body) return null;
  const style = getComputedStyle(e), box = e.getBoundingClientRect();
  if (!e.dataset.walked) e.dataset.walked = String(document.querySelectorAll('[data-walked]').length + 1);
  return {
    key: e.dataset.walked,
    tag: e.tagName,
    name: e.name || e.getAttribute('href') || e.title || '',
    visible: style.outlineStyle !== 'none' && parseFloat(style.outlineWidth) >= 2 || e.tagName === 'IFRAME',
    onScreen: box.bottom > 0 && box.top < innerHeight,
  };
}
"""

# The page itself notes where the focus is, as it is when the next key is pressed: to ask after each key takes longer.
NOTED = f"""
() => {{
  const look = {FOCUS.strip()};
  window.noted = [];
  let first = true;
  addEventListener('keydown', event => {{
    if (event.key === 'Tab' && !first) window.noted.push(look() ?? {{key: null}});
    first = false;
  }}, true);
}}
"""

FROM_THE_TOP = "{ const e = document.documentElement; e.tabIndex = -1; e.focus(); e.removeAttribute('tabindex'); }"

CONTROLS = """
() => {
  const every = 'a[href], button:enabled, input:not([tabindex="-1"]), select, textarea, iframe';
  const shown = [...document.querySelectorAll(every)]
    .filter(e => e.getClientRects().length);
  const groups = new Set(shown.filter(e => e.type === 'radio').map(e => e.name));
  return shown.filter(e => e.type !== 'radio').length + groups.size;
}
"""


@contextmanager
def opened(browser: Browser, width: int, scheme: str, *, javascript: bool = True) -> Iterator[tuple[Page, list[str]]]:
    """A fresh page and the complaints it makes: console messages, uncaught errors, violations, foreign requests."""
    context: BrowserContext = browser.new_context(
        viewport={"width": width, "height": 844},
        color_scheme=scheme,  # type: ignore[arg-type]
        java_script_enabled=javascript,
        reduced_motion="reduce",
    )
    complaints: list[str] = []
    page = context.new_page()
    page.on("console", lambda message: complaints.append(f"{message.type}: {message.text}"))
    page.on("pageerror", lambda error: complaints.append(str(error)))
    page.on("dialog", lambda dialog: (complaints.append(f"dialog: {dialog.message}"), dialog.dismiss()))
    page.on(
        "request",
        lambda request: (
            None if request.url.startswith(("http://127.0.0.1:", "data:")) else complaints.append(request.url)
        ),
    )
    try:
        yield page, complaints
    finally:
        context.close()


def assert_good(page: Page, where: str) -> None:
    """Everything that can be said of a page without touching it."""
    page.wait_for_load_state()  # a click that led here may only have begun to
    fits = page.evaluate("[document.documentElement.scrollWidth, innerWidth]")
    assert fits[0] <= fits[1], f"{where}: {fits[0]} px wide on a screen of {fits[1]}"
    for check in (CONTRAST, NAMES, TARGETS, BOXED):
        assert page.evaluate(check) == [], where


def set_view(page: Page, width: int, scheme: str) -> None:
    """The page that is open, as a screen of this width and scheme shows it: loading it again would show the same."""
    page.set_viewport_size({"width": width, "height": 844})
    page.emulate_media(color_scheme=scheme)  # type: ignore[arg-type]


def good_in_all_views(page: Page, where: str) -> None:
    page.wait_for_load_state()
    for width, scheme in VIEWS:
        set_view(page, width, scheme)
        assert_good(page, f"{where} at {width} in {scheme}")


def walk(page: Page) -> list[dict[str, Any]]:
    """Press Tab until the focus comes round; where it stopped on the way."""
    page.evaluate(FROM_THE_TOP)  # where a page sends the focus to itself, Tab would go on from there
    if page.locator("iframe").count():
        return _walk_through_frames(page)
    page.evaluate(NOTED)
    seen: list[dict[str, Any]] = []
    for more in (int(page.evaluate(CONTROLS)) + 2, *(10,) * 40):
        for _ in range(more):
            page.keyboard.press("Tab")
        seen = page.evaluate("window.noted")
        keys = [stop["key"] for stop in seen]
        if None in keys or len(set(keys)) < len(keys):
            break
    stops: dict[str, dict[str, Any]] = {}
    for stop in seen:
        if stop["key"] is None or stop["key"] in stops:
            break
        stops[stop["key"]] = stop
    return list(stops.values())


def _walk_through_frames(page: Page) -> list[dict[str, Any]]:
    """What is pressed inside a frame is not heard outside: one key at a time."""
    stops: dict[str, dict[str, Any]] = {}
    stop: dict[str, Any] | None = None
    for _ in range(400):
        stop = press_tab(page, stop)
        if stop is None or (stop["key"] in stops and stop["tag"] != "IFRAME"):
            break
        stops.setdefault(stop["key"], stop)
    return list(stops.values())


def press_tab(page: Page, before: dict[str, Any] | None) -> dict[str, Any] | None:
    """Where the focus is then. A sandboxed frame is another process: the focus takes a moment to get there and back,
    and while it moves on inside a frame it seems to stay."""
    page.keyboard.press("Tab")
    for _ in range(15):
        stop: dict[str, Any] | None = page.evaluate(FOCUS)
        if stop is not None and (before is None or stop["key"] != before["key"]):
            return stop
        page.wait_for_timeout(20)
    return stop
