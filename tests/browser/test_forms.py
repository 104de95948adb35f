"""Each form of each page, without a script: filled in as a person would and sent by each of its buttons, it ends where
the page says so, in words that were not there before.

Forms are found in the pages, so a new page's are covered: one that `ENDS` does not know is a fault.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import dataclass
from urllib.parse import urlsplit

import pytest
from playwright.sync_api import Browser, Error, Locator, Page, Route

from connector.pages.frame import strings
from connector.testing.fakes.shopify import FakeUnavailable
from connector.testing.world import World
from tests.browser import sights
from tests.browser.checks import opened
from tests.pages.life import AINO, NORA, START, order_arrives

PATIENCE = 10_000
"""Milliseconds for an answer. A form that the browser keeps back has none."""
OWNERS = {"Nora": str(NORA.email), "Aino": str(AINO.email)}
"""Whose page it is, where it asks for their address."""

ENDS = {
    "case": "case.done",
    "confirm": "confirm.done",
    "data": "",  # a file, which is given by data.py and read in tests/journeys/test_forgetting.py
    "desk action=accept": "desk.was.accepted",
    "desk action=answer": "desk.was.answered",
    "desk action=arrive": "desk.was.arrived",
    "desk action=close": "desk.was.closed",
    "desk action=refund": "desk.was.refunded",
    "desk action=refuse": "desk.was.refused",
    "failed delivery": "dead.done",
    "failed delivery=all": "dead.done",
    "find": "find.mailed",
    "friend": "referral.onward",
    "loyalty back": "loyalty.said.back",
    "loyalty reward": "loyalty.said.done",
    "moderation do=answer": "moderation.done",
    "moderation do=approve": "moderation.done",
    "moderation do=hide": "moderation.done",
    "preferences do=back": "preferences.title",
    "preferences do=erase": "preferences.erase.text",
    "preferences do=erase_now": "preferences.erased",
    "preferences do=export": "preferences.exported",
    "preferences do=language": "preferences.saved",
    "preferences do=pause": "preferences.paused",
    "preferences do=resume": "preferences.resumed",
    "preferences do=save": "preferences.saved",
    "refer": "refer.said",
    "referrals answer=approve": "queue.done",
    "referrals answer=refuse": "queue.done",
    "results": "results.seen_done",
    "review": "review.thanks",
    "review do=edit": "review.thanks",
    "review do=revoke": "review.revoked",
    "review do=withdraw": "review.withdrawn",
    "share": "share.saved",
    "signup": "signup.mailed",
    "survey": "survey.thanks",
    "survey score": "survey.thanks",
    "task answer=approved": "task.approved_by",
    "task answer=refused": "task.refused_by",
    "unsubscribe scope": "unsubscribe.done_this",
    "unsubscribe scope=marketing": "unsubscribe.done",
    "unsubscribe scope=undo": "unsubscribe.undone",
}
"""What says so: a key of the pages' strings, by page, by what the form hides and by the button."""
AGAIN = ("survey score",)
"""What said so before: it says so again, and the form is gone."""
LAST = ("preferences do=erase",)
"""After it somebody's other pages lead nowhere."""
ONCE = {
    "desk action=refuse": "desk action=accept",
    "referrals answer=refuse": "referrals answer=approve",
    "task answer=refused": "task answer=approved",
}
"""A button that another took away: one of both is pressed."""


@pytest.fixture(scope="module")
def pages(browser: Browser, tmp_path_factory: pytest.TempPathFactory) -> Iterator[dict[str, str]]:
    """The pages of the sweep in a world of their own: everything is pressed."""
    assert browser is not None
    folder = tmp_path_factory.mktemp("forms")
    try:
        with World(folder, START, settings=sights.settings(folder), unchecked=True) as world:
            order_arrives(world, NORA)
            order_arrives(world, AINO)
            sights.prepare(world)
            world.wait(days=25)
            yield sights.pages(world)
    except FakeUnavailable as reason:
        pytest.skip(str(reason))


@dataclass(frozen=True)
class Press:
    """A button of a form of the page that is open."""

    key: str
    form: Locator
    button: Locator


def presses(page: Page) -> list[Press]:
    """Every way to send a form of the page."""
    kind, found = urlsplit(page.url).path.split("/")[2], []
    for form in page.locator("form[method=post]").all():
        inputs = form.locator("[type=hidden]").all()
        hidden = {each.get_attribute("name"): each.get_attribute("value") for each in inputs}
        hides = f" do={hidden['do']}" if "do" in hidden else " score" if "score" in hidden else ""
        for button in form.locator("button").all():
            name, value = button.get_attribute("name"), button.get_attribute("value") or ""
            words = f" {name}={value}" if f"{kind} {name}={value}" in ENDS else f" {name}" if name else ""
            found.append(Press(f"{kind}{hides}{words}", form, button))
    return sorted(found, key=lambda each: each.key.endswith("=all"))  # after it there is nothing for the others


def fill(form: Locator, owner: str) -> None:
    """As a person does: a choice in each group, words in each field they see, and a box without which nothing goes."""
    groups: dict[str, list[str]] = {}
    for each in form.locator("[type=radio]").all():
        groups.setdefault(each.get_attribute("name") or "", []).append(each.get_attribute("value") or "")
    for name, values in groups.items():
        value = "4" if "4" in values else values[-1]
        form.locator(f'[type=radio][name="{name}"][value="{value}"]').locator("xpath=ancestor::label").click()
    for box in form.locator("[type=checkbox][required]").all():
        if not box.is_checked():
            box.locator("xpath=ancestor::label").click()
    for choice in form.locator("select").all():
        values = [each.get_attribute("value") or each.inner_text() for each in choice.locator("option").all()]
        choice.select_option([each for each in values if each not in ("–", "")][-1])
    for field in form.locator("input:not([type=hidden], [type=radio], [type=checkbox], [type=file]), textarea").all():
        if field.get_attribute("tabindex") == "-1" or field.input_value() or field.get_attribute("type") == "url":
            continue  # a trap that nobody sees, what is filled in already, a video they do not have
        mail = "email" in (field.get_attribute("type"), field.get_attribute("inputmode"))
        field.fill((owner or "somebody@example.test") if mail else "Plain words.")


def pattern(page: Page, key: str) -> re.Pattern[str]:
    """The words of a key in the page's language, whatever stands in their places."""
    text = strings(page.get_attribute("html", "lang") or "en")[key]
    return re.compile(".*?".join(re.escape(part) for part in re.split(r"{\w+}", text)), re.DOTALL)


def words_of(page: Page) -> str:
    """What the page says besides its forms: a button's words go with the button."""
    text = page.locator("main").inner_text()
    for form in page.locator("main form").all():
        text = text.replace(form.inner_text(), "")
    return text


def send(page: Page, press: Press, owner: str) -> str:
    """Fill in and press; what is wrong with where it ends."""
    known, before = ENDS.get(press.key), words_of(page)
    if known is None:
        return "nobody said where it ends"
    if not known:
        with page.expect_download(timeout=PATIENCE) as file:
            press.button.click()
        return "" if file.value.suggested_filename.endswith(".zip") else file.value.suggested_filename
    fill(press.form, owner)
    try:
        with page.expect_navigation(timeout=PATIENCE) as waiting:
            press.button.click()
    except Error:
        return "the browser does not send it"
    answer, told = waiting.value, words_of(page)
    faults = [f"answered {answer.status if answer else 'nothing'}"] if answer is None or answer.status != 200 else []
    faults += [f"a problem: {each.inner_text()}" for each in page.locator("main [role=alert]").all()]
    if page.locator("h1").count() != 1:
        faults.append("no heading")
    words = pattern(page, known)
    if press.key in AGAIN:
        before = ""
        faults += ["the form is there again" for each in presses(page) if each.key == press.key]
    if len(words.findall(told)) <= len(words.findall(before)):
        faults.append(f"does not say {known}")
    return ", ".join(faults)


def press_all(page: Page, pages: dict[str, str], *, last: bool = False) -> tuple[set[str], list[str]]:
    """Press everything once; the keys that were pressed, and the faults."""
    done: set[str] = set()
    faults: list[str] = []
    for name, url in pages.items():
        owner = OWNERS.get(name.rpartition("-")[2], "")
        while True:
            page.goto(url)
            new = [each for each in presses(page) if each.key not in done and (each.key in LAST) is last]
            if not new:
                break
            faults += press(page, name, new[0], owner, done)
            further = [each for each in presses(page) if each.key.startswith("preferences do=back")]
            if further:  # asked once more: a page that no address leads to
                faults += press(page, name, further[0], owner, done)
                page.goto(url)
                first = next(each for each in presses(page) if each.key in LAST)
                faults += press(page, name, first, owner, done)
                sure = next(each for each in presses(page) if each.key.endswith("erase_now"))
                faults += press(page, name, sure, owner, done)
    return done, faults


def press(page: Page, name: str, what: Press, owner: str, done: set[str]) -> list[str]:
    done.add(what.key)
    fault = send(page, what, owner)
    return [f"{name}, {what.key}: {fault}"] if fault else []


Change = tuple[str, str]


def altered(page: Page, url: str, key: str, *, got: Change = ("", ""), told: Change = ("", "")) -> str:
    """What is found of that form when the page, or the answer to its form, is another than ours."""

    def change(route: Route) -> None:
        answer, (old, new) = route.fetch(), told if route.request.method == "POST" else got
        route.fulfill(response=answer, body=answer.text().replace(old, new) if old else answer.text())

    page.route("**/p/**", change)
    try:
        page.goto(url)
        what = next(each for each in presses(page) if each.key == key)
        return send(page, what, "")
    finally:
        page.unroute("**/p/**")


def test_the_pressing_sees_forms_that_lead_nowhere(browser: Browser, pages: dict[str, str]) -> None:
    """Control. The first two answer 422, with a heading."""
    with opened(browser, 390, "light", javascript=False) as (page, _):
        box = altered(page, pages["signup-Nora"], "signup", got=('name="agree"', 'name="agreed"'))
        assert "answered 422" in box
        assert "a problem" in box
        score = altered(
            page, pages["survey-nps"], "survey", got=('type="radio" name="score"', 'type="radio" name="mark"')
        )
        assert "answered 422" in score
        silent = altered(page, pages["share-Aino"], "share", told=('role="status"', "hidden"))
        assert silent == "does not say share.saved"
        kept = altered(page, pages["signup-Nora"], "signup", got=('type="email"', 'type="url"'))
        assert kept == "the browser does not send it"
        page.goto(pages["signup-Nora"])
        page.locator("form").evaluate("form => form.querySelector('button').name = 'new'")
        assert [each.key for each in presses(page)] == ["signup new"]
        assert send(page, presses(page)[0], "") == "nobody said where it ends"


def test_every_form_ends_where_it_should(browser: Browser, pages: dict[str, str]) -> None:
    with opened(browser, 390, "light", javascript=False) as (page, _):
        done, faults = press_all(page, pages)
        assert not faults, "\n".join(faults)
        last, faults = press_all(page, pages, last=True)
        assert not faults, "\n".join(faults)
    missing = {key for key in ENDS if key not in done | last and ONCE.get(key) not in done}
    assert missing == set(), "no page has these any more"
