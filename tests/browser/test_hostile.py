"""120 texts that would be markup, in every field of every form of the sweep and in the names and titles behind it: in
Chromium nothing runs, nothing is asked of anybody else, no policy is broken.

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
from connector.pages import shown_reviews
from connector.store import reviews, shops
from connector.testing.demo.mailbox import read_mail
from connector.testing.fakes.people import MUG
from connector.testing.fakes.shopify import FakeUnavailable
from connector.testing.world import SHOPIFY, World
from flows.reviews import reviewing
from tests.browser import sights
from tests.browser.checks import opened
from tests.browser.payloads import HOSTILE
from tests.browser.sights.reviews import write
from tests.pages.life import AINO, NORA, START, order_arrives

TOGETHER = 4
"""Payloads in one field at a time."""

STAFFS = ("moderation", "survey-results", "desk", "referrals", "task", "results", "queue")
"""Kinds of pages whose links are followed."""
TOLD = ("desk", "moderation", "results", "reviews")
"""Kinds of pages that show what somebody wrote."""
MOST = 6
"""At most so many pages of a kind are followed from one place."""
PARTS = tuple(text[:16] for text in HOSTILE[48:] if len(text) > 16 and "\n" not in text)
"""How texts begin that are no name and no title here, but were typed into fields."""

WRITERS = [replace(NORA, first_name=HOSTILE[60 + n], email=f"hostile-{n}@example.test") for n in range(5)]
"""They write reviews: a form filled with payloads alone has no stars and is refused."""


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
            for writer in WRITERS:
                order_arrives(world, writer)
            sights.prepare(world)
            world.wait(days=25)
            pages = sights.pages(world)
            for number, writer in enumerate(WRITERS):
                write(world, writer, " ".join(HOSTILE[number :: len(WRITERS)]))
            yield House(world, pages | published(world))
    except FakeUnavailable as reason:
        pytest.skip(str(reason))


def published(world: World) -> dict[str, str]:
    """What the rules held back is shown and answered by a person; the pages of its products."""
    kiitos, now, found = world.kiitos, world.clock.now(), {}
    key = shown_reviews.key_of(kiitos, SHOPIFY)
    with kiitos.store.work.transaction() as tx:
        for row in [each for each in reviews.every(tx, SHOPIFY) if any(part in each.text for part in PARTS)]:
            reviewing.show(tx, kiitos.runner, SHOPIFY, row, "Sanna", now)
            reviewing.answer(tx, kiitos.runner, SHOPIFY, row, " ".join(HOSTILE[48:60]), "Sanna", now)
            found[f"published-{row.product_id}"] = f"{world.serving.url}/p/reviews/{key}/{row.product_id}"
    return found


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
        house.world.wait(hours=2)
        shown = afterwards(page, house, faults, complaints)
    assert faults == []
    assert filled > 15, "fields that people write in"
    for kind in TOLD:
        assert any(part in shown[kind] for part in PARTS), f"{kind} shows nothing of what was written"


def afterwards(page: Page, house: House, faults: list[str], complaints: list[str]) -> dict[str, str]:
    """Look at every page once more, at what the staff's lead to and at what mails have led to since; the words by kind
    of page."""
    shown: dict[str, str] = {}
    ahead = [*house.pages.values(), *mailed(house.world)]
    known = set(ahead)
    while ahead:
        url = ahead.pop(0)
        page.goto(url)
        kind = urlsplit(url).path.split("/")[2]
        shown[kind] = shown.get(kind, "") + page.locator("body").inner_text()
        faults += [f"{url}: {text}" for text in complaints if "Failed to load resource" not in text]
        complaints.clear()
        if kind in STAFFS:
            found = page.evaluate("[...document.querySelectorAll('main a')].map(a => a.href)")
            more = [each for each in found if each.startswith(f"{house.world.serving.url}/p/") and each not in known]
            ahead += more[:MOST]
            known.update(more)
    return shown


def mailed(world: World) -> list[str]:
    """Pages that mails lead to, the newest `MOST` of each kind."""
    by_kind: dict[str, list[str]] = {}
    for number, kept in enumerate(world.sink.messages):
        for url, kind in re.findall(r"(https?://127[^\s<>\"]+?/p/(\w+)/[\w]+)", read_mail(number, kept).text):
            by_kind.setdefault(kind, []).append(url)
    return [url for urls in by_kind.values() for url in list(dict.fromkeys(urls))[-MOST:]]


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
