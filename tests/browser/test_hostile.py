"""120 texts that would be markup, in every field of every form of the sweep and in the names and titles behind it: in
Chromium nothing runs, nothing is asked of anybody else, no policy is broken; and each form works without a script.

Forms are found in the pages, so a new page's are covered. Each answer to a form is read as HTML; Chromium looks at the
pages as they are afterwards, and at some of the answers.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import dataclass, field, replace
from html.parser import HTMLParser
from urllib.parse import urlsplit

import pytest
from flask.testing import FlaskClient
from playwright.sync_api import Browser, Page, Route
from werkzeug.test import TestResponse

from connector.app import create_app
from connector.store import shops
from connector.testing.fakes.people import MUG
from connector.testing.fakes.shopify import FakeUnavailable
from connector.testing.world import SHOPIFY, World
from tests.browser import sights
from tests.browser.checks import opened
from tests.browser.payloads import HOSTILE
from tests.pages.life import AINO, NORA, START, order_arrives

TOGETHER = 4
"""Payloads in one field at a time."""


@dataclass
class Form:
    """A form's fields with what they hold; `buttons` are names and values that send it."""

    fields: dict[str, str] = field(default_factory=dict)
    free: list[str] = field(default_factory=list)
    buttons: list[tuple[str, str]] = field(default_factory=list)

    def kind(self, path: str) -> tuple[str, ...]:
        """The page and what the form has: numbers in names are rows', values of buttons what is asked for."""
        names = {re.sub(r"\d+", "N", name) for name in self.fields}
        return (path.split("/")[2], *sorted(names), *sorted(f"{name}={value}" for name, value in self.buttons))


class Reader(HTMLParser):
    """The forms of a page, and what in it would run or ask somebody else."""

    def __init__(self) -> None:
        super().__init__()
        self.forms: list[Form] = []
        self.bad: list[str] = []
        self._area = ""

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        told = {name: value or "" for name, value in attrs}
        if tag in ("iframe", "object", "embed", "svg", "base", "math", "video") or (
            tag == "script" and "nonce" not in told
        ):
            self.bad.append(tag)
        for name, value in told.items():
            if name.startswith("on") or name in ("style", "formaction", "srcdoc", "srcset", "ping", "http-equiv"):
                self.bad.append(f"{tag} {name}")
            plain = value.strip().lower()
            if name in ("href", "src", "action") and plain.startswith(
                ("javascript:", "vbscript:", "data:text", "blob:")
            ):
                self.bad.append(f"{tag} {name}={value[:40]}")
            if name in ("href", "src", "action") and "evil.example" in value:
                self.bad.append(f"{tag} {name}={value[:40]}")
        if tag == "form" and told.get("method", "").lower() == "post":
            self.forms.append(Form())
        elif self.forms and tag in ("input", "textarea", "select", "button"):
            self._field(tag, told)

    def _field(self, tag: str, told: dict[str, str]) -> None:
        form, name, kind = self.forms[-1], told.get("name", ""), told.get("type", "text")
        if tag == "button":
            form.buttons.append((name, told.get("value", "")))
        elif name and kind != "file":
            form.fields[name] = told.get("value", "")
            if tag == "textarea" or (tag == "input" and kind not in ("hidden", "radio", "checkbox")):
                form.free.append(name)


@dataclass(frozen=True)
class House:
    world: World
    pages: dict[str, str]


@pytest.fixture(scope="module")
def house(browser: Browser, tmp_path_factory: pytest.TempPathFactory) -> Iterator[House]:
    """The site of the sweep where every name and title is hostile."""
    assert browser is not None
    folder = tmp_path_factory.mktemp("hostile")
    goods = [replace(MUG, title="".join(HOSTILE[n : n + 3])[:250], sku=f"X-{n}") for n in range(0, 24, 3)]
    try:
        with World(folder, START, settings=sights.settings(folder), unchecked=True) as world:
            with world.kiitos.store.work.transaction() as tx:
                known = shops.get(tx, SHOPIFY)
                assert known is not None
                shops.save(tx, replace(known, name="".join(HOSTILE[24:28])), world.clock.now())
            for number, buyer in enumerate((NORA, AINO)):
                first, last = HOSTILE[30 + number], HOSTILE[40 + number]
                order_arrives(world, replace(buyer, first_name=first, last_name=last), [(each, 1) for each in goods])
            sights.prepare(world)
            world.wait(days=25)
            yield House(world, sights.pages(world))
    except FakeUnavailable as reason:
        pytest.skip(str(reason))


def read(html: str) -> Reader:
    reader = Reader()
    reader.feed(html)
    return reader


def fill(visitor: FlaskClient, path: str, form: Form, answers: list[TestResponse]) -> list[str]:
    """Send 120 payloads through a form's fields, `TOGETHER` at once; what was bad in the answers."""
    faults: list[str] = []
    names = form.free or list(form.fields) or [""]
    name, value = form.buttons[0] if form.buttons else ("", "")
    for turn in range(0, len(HOSTILE), TOGETHER):
        said = {**form.fields, name: value}
        for place, each in enumerate(names):
            start = (turn + place * TOGETHER) % len(HOSTILE)
            said[each] = " ".join(HOSTILE[start : start + TOGETHER])
        said["utm_source"] = HOSTILE[turn]
        said.pop("", None)
        answer = visitor.post(path, data=said)
        if answer.status_code >= 500:
            faults.append(f"{path}: {answer.status_code}")
        if answer.mimetype == "text/html" and answer.status_code != 303:
            faults += [f"{path}: {bad}" for bad in read(answer.text).bad]
            answers.append(answer)
    return faults


def look_at(page: Page, house: House, told: TestResponse) -> None:
    """An answer to a form as a browser sees it, under the policy it came with."""
    policy = told.headers["Content-Security-Policy"]
    headers = {"Content-Type": "text/html; charset=utf-8", "Content-Security-Policy": policy}

    def answer(route: Route) -> None:
        route.fulfill(body=told.text, headers=headers)

    page.route("**/answer", answer)
    page.goto(f"{house.world.serving.url}/answer")
    page.unroute("**/answer")


def test_nothing_hostile_runs_anywhere(browser: Browser, house: House) -> None:
    visitor = create_app(house.world.kiitos).test_client(use_cookies=False)
    faults, filled, known = [], 0, set()
    with opened(browser, 390, "light") as (page, complaints):
        page.add_init_script("addEventListener('securitypolicyviolation', e => console.log('csp ' + e.blockedURI))")
        for name, url in house.pages.items():
            path = urlsplit(url).path
            answers: list[TestResponse] = []
            for form in read(visitor.get(path).text).forms:
                if (kind := form.kind(path)) in known:
                    continue  # the same of another row or in another language
                known.add(kind)
                faults += fill(visitor, path, form, answers)
                filled += len(form.free)
            page.goto(url)
            if answers:
                look_at(page, house, answers[-1])
            bad = [text for text in complaints if "Failed to load resource" not in text]
            faults += [f"{name}: {text}" for text in bad]
            complaints.clear()
    assert faults == []
    assert filled > 15, "fields that people write in"


def test_every_form_works_without_a_script(browser: Browser, house: House) -> None:
    faults, pressed = [], 0
    with opened(browser, 390, "light", javascript=False) as (page, _):
        for name, url in house.pages.items():
            page.goto(url)
            button = page.locator("form[method=post] button").first
            if not button.count():
                continue
            if "data" in name.split("-"):
                continue  # it gives a file, which is test_forgetting's
            with page.expect_navigation() as waiting:
                page.locator("form[method=post]").first.evaluate("f => f.noValidate = true")
                button.click()
            answer = waiting.value
            pressed += 1
            if answer is None or answer.status >= 500 or not page.locator("h1").count():
                faults.append(f"{name}: {answer.status if answer else 'no answer'}")
    assert faults == []
    assert pressed >= 10


def test_the_reading_sees_what_would_run() -> None:
    """Control: the same texts, not escaped."""
    noticed = sum(bool(read(f"<p>{text}</p>").bad) for text in HOSTILE)
    assert len(HOSTILE) == 120
    assert noticed > 70


def test_chromium_sees_what_runs(browser: Browser) -> None:
    """Control: a page that escapes nothing is heard by the ears of this test."""
    with opened(browser, 390, "light") as (page, complaints):
        page.set_content("<img src=x onerror=\"console.log('ran')\"><img src='https://evil.example/x'>")
        page.wait_for_timeout(300)
        assert any("ran" in text for text in complaints)
        assert any("evil.example" in text for text in complaints)
