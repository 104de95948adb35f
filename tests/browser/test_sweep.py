"""Every hosted page in Chromium: wide and narrow, light and dark, with axe and our own checks, by keyboard, at 320 px.

Pages come from `sights`; a route that none of them leads to fails. One browser page looks at each address once and is
then made wide, narrow, light and dark: loading it again would show the same.
"""

from __future__ import annotations

from urllib.parse import urlsplit

import pytest
from flask import Flask
from playwright.sync_api import Browser, Page
from werkzeug.exceptions import HTTPException

from connector.app import create_app
from tests.browser.axe import violations
from tests.browser.checks import BOXED, CONTRAST, CONTROLS, NAMES, TARGETS, opened, set_view, walk
from tests.browser.conftest import Site

SHARDS = 3
"""A test each, so that none of them takes long on a loaded machine."""
NO_PAGES = {
    "pages.proxy": "JSON for a theme's script; what is shown in the theme is in test_embedding.py",
    "pages.photo": "a picture; who may see it is in tests/pages/test_review_queue.py",
    "pages.desk_photo": "a picture; who may see it is in tests/journeys/test_case_photos.py",
    "pages.push_worker": "a script",
    "pages.push_snippet": "a script",
    "pages.copier": "a script",
}
STATUS = {"gone": 404}
VIEWS = ((1280, "light"), (1280, "dark"), (390, "dark"), (390, "light"))
WITH_AXE = (VIEWS[0], (390, "dark"))
"""Each width and each scheme once; our own contrast, targets and widths are looked at in all views."""
LANGUAGES = {"Aino": "fi", "ar": "ar"}


def shard(site: Site, number: int) -> dict[str, str]:
    return {name: site.pages[name] for place, name in enumerate(sorted(site.pages)) if place % SHARDS == number}


def routes(app: Flask) -> set[str]:
    rules = (rule for rule in app.url_map.iter_rules() if rule.rule.startswith("/p/") and "GET" in (rule.methods or ()))
    return {str(rule.endpoint) for rule in rules} - NO_PAGES.keys()


def reached(app: Flask, pages: dict[str, str]) -> set[str]:
    found = set()
    for url in pages.values():
        try:
            found.add(str(app.url_map.bind("127.0.0.1").match(urlsplit(url).path)[0]))
        except HTTPException:
            continue
    return found


def test_every_page_is_swept(site: Site) -> None:
    """Who adds a page adds a way to it: a module in tests/browser/sights."""
    app = create_app(site.world.kiitos)
    missing = routes(app) - reached(app, site.pages)
    assert not missing, f"no page of tests/browser/sights leads to {sorted(missing)}"
    app.add_url_rule("/p/planted/<token>", "planted", lambda token: token)
    assert routes(app) - reached(app, site.pages) == {"planted"}, "control: a page that nobody registered is found"


@pytest.mark.parametrize("number", range(SHARDS))
def test_nothing_to_stumble_over(browser: Browser, site: Site, number: int) -> None:
    faults: list[str] = []
    with opened(browser, 1280, "light") as (page, complaints):
        for name, url in shard(site, number).items():
            answer = page.goto(url)
            assert answer is not None
            if answer.status != STATUS.get(name, 200):
                faults.append(f"{name}: answered {answer.status}")
            faults += look(page, name)
            faults += [f"{name}: {text}" for text in complaints if not (name in STATUS and "404" in text)]
            complaints.clear()
    assert faults == []


def look(page: Page, name: str) -> list[str]:
    """What is wrong with the page that is open, in all views and by keyboard."""
    faults = []
    language = page.get_attribute("html", "lang")
    if language != LANGUAGES.get(name.rpartition("-")[2], "en"):
        faults.append(f"{name}: speaks {language}")
    for width, scheme in VIEWS:
        set_view(page, width, scheme)
        found = [*page.evaluate(CONTRAST), *page.evaluate(TARGETS), *page.evaluate(BOXED), *too_wide(page)]
        if (width, scheme) in WITH_AXE:
            found += violations(page, of_view=(width, scheme) != VIEWS[0])
        faults += [f"{name} at {width} in {scheme}: {each}" for each in found]
    faults += [f"{name}: {each}" for each in (*page.evaluate(NAMES), *by_keyboard(page))]
    page.set_viewport_size({"width": 320, "height": 844})  # 1280 px at 400 %, WCAG 1.4.10
    faults += [f"{name}: {each}" for each in (*too_wide(page), *page.evaluate(TARGETS))]
    return faults


def too_wide(page: Page) -> list[str]:
    wide, screen = page.evaluate("[document.documentElement.scrollWidth, innerWidth]")
    return [f"{wide} px wide on a screen of {screen}"] if wide > screen else []


def by_keyboard(page: Page) -> list[str]:
    stops, controls = walk(page), page.evaluate(CONTROLS)
    unseen = [f"focus of {stop['tag']} {stop['name']} is not seen" for stop in stops if not stop["visible"]]
    unseen += [f"{stop['tag']} {stop['name']} is off the screen" for stop in stops if not stop["onScreen"]]
    return unseen if len(stops) == controls else [*unseen, f"{len(stops)} stops of the Tab key, {controls} controls"]


BAD = """<!doctype html><html><head><style>p{color:#999;background:#fff} button{width:700px} :focus{outline:none}
.tiny{display:inline-block;width:10px;height:10px}</style></head><body><h2>x</h2><p>grey words</p>
<img src="data:,"><input type="text"><button></button><a class="tiny" href="?a">a</a><a class="tiny" href="?b">b</a>
<a class="tiny" href="?c" tabindex="-1">c</a><div role="checkbox">x</div><ul><p>no item</p></ul>
<fieldset><legend>l</legend><b style="margin-left:100%">out</b></fieldset></body></html>"""


def test_the_sweep_sees_what_is_bad(browser: Browser) -> None:
    """Negative control: a page with faults of every kind, found by the same `look`."""
    with opened(browser, 1280, "light") as (page, _):
        page.set_content(BAD)
        told = "\n".join(look(page, "bad"))
    for fault in (
        "color-contrast", "image-alt", "button-name", "document-title", "html-has-lang", "target-size", "label",
        "px wide on a screen of 390", "speaks None", "no main", "is not seen", "aria-required-attr", "list",
        "stops of the Tab key", "sticks out of its box",
    ):  # fmt: skip
        assert fault in told, fault
