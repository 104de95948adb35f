"""What people do on hosted pages in Chromium: by keyboard, without JavaScript, in any accent, with hostile words."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace

import pytest
from playwright.sync_api import Browser, Page, expect

from connector.pages import frame
from connector.store import shops
from connector.testing.fakes.people import MUG, Buyer
from connector.testing.fakes.shopify import FakeUnavailable
from connector.testing.world import SHOPIFY, World
from tests.browser import sights
from tests.browser.checks import CONTRAST, NAMES, TARGETS, assert_good, good_in_all_views, opened
from tests.browser.conftest import Site
from tests.browser.sights.reviews import picture
from tests.pages.life import NORA, START, TWO, link, order_arrives, rows
from tests.pages.test_strangers import PAYLOADS

AT_A_TIME = 8
HOSTILE_BUYERS = range(0, len(PAYLOADS), AT_A_TIME)
TITLES = [replace(MUG, title=payload, sku=f"X-{number}") for number, payload in enumerate(PAYLOADS)]
BOUGHT = {
    **{f"{what} {script}": TWO for what in ("Keyboard", "Goodbye") for script in (True, False)},
    **{f"Photo {script}": ((MUG, 1),) for script in (True, False)},
    **{PAYLOADS[n]: tuple((goods, 1) for goods in TITLES[n : n + AT_A_TIME]) for n in HOSTILE_BUYERS},
}
"""By first name, what somebody bought: each test changes its own people alone."""


@pytest.fixture(scope="module")
def life(browser: Browser, tmp_path_factory: pytest.TempPathFactory) -> Iterator[World]:
    """All of them got their goods, and were asked and invited."""
    folder = tmp_path_factory.mktemp("people")
    try:
        with World(folder, START, settings=sights.settings(folder), unchecked=True) as world:
            for name, lines in BOUGHT.items():
                order_arrives(world, called(name), lines)
            world.wait(days=25)
            yield world
    except FakeUnavailable as reason:
        pytest.skip(str(reason))


def called(name: str) -> Buyer:
    return replace(NORA, first_name=name, email=f"person-{list(BOUGHT).index(name)}@example.test")


def page_for(world: World, name: str, page: str = "review") -> str:
    return world.serving.url + link(world, called(name), page)


def tab_to(page: Page, selector: str) -> None:
    """Press Tab until something of this kind has the focus."""
    for _ in range(40):
        page.keyboard.press("Tab")
        if page.evaluate("selector => document.activeElement.matches(selector)", selector):
            return
    raise AssertionError(f"the Tab key never comes to {selector}")


def press(page: Page, *keys: str) -> None:
    for key in keys:
        page.keyboard.press(key)


@pytest.mark.parametrize("javascript", [True, False])
def test_a_review_by_keyboard_alone(browser: Browser, life: World, javascript: bool) -> None:
    """Words without stars first, as people do; the page says so where the focus is, and keeps what was typed."""
    url = page_for(life, f"Keyboard {javascript}")
    with opened(browser, 390, "light", javascript=javascript) as (page, _):
        page.goto(url)
        tab_to(page, "textarea")
        page.keyboard.type("Pitää lämpimänä")
        tab_to(page, "main button")
        press(page, "Enter")
        alert = page.get_by_role("alert")
        expect(alert).to_be_focused()
        expect(alert).to_contain_text("Kahvimuki")
        expect(page.locator("textarea").first).to_have_value("Pitää lämpimänä")
        press(page, "Tab", "ArrowDown", "ArrowDown")
        expect(page.locator("input[type=radio]:checked").first).to_have_value("4")
        tab_to(page, "main button")
        press(page, "Enter")
        said = page.get_by_role("status")
        expect(said).to_contain_text("Your review has been saved")
        page.reload()
        expect(said).to_contain_text("Your review has been saved")
        page.goto(url)
        expect(page.get_by_role("radiogroup")).to_have_count(1)  # each product has its own: the other is still open
        press(page, "Tab", "ArrowDown")
        tab_to(page, "main button")
        press(page, "Enter")
        expect(said).to_contain_text("Your review has been saved")
        page.goto(url)
        expect(said).to_contain_text("You have reviewed this order already")
    kept = rows(life, f"SELECT rating, body FROM reviews WHERE author = 'Keyboard {javascript} L.'")
    assert kept == [(4, "Pitää lämpimänä"), (4, "")]


@pytest.mark.parametrize("javascript", [True, False])
def test_a_photo_is_sent_edited_and_taken_back(browser: Browser, life: World, javascript: bool) -> None:
    """With a file from the disk: the picture is shown, can be taken away, and goes with the review."""
    url = page_for(life, f"Photo {javascript}")
    with opened(browser, 390, "light", javascript=javascript) as (page, complaints):
        page.goto(f"{url}?rating=5")
        photo = {"name": "kuva.jpg", "mimeType": "image/jpeg", "buffer": picture("teal").getvalue()}
        page.locator("input[type=file]").first.set_input_files([photo])  # type: ignore[list-item]
        page.locator("main button").last.click()
        expect(page.get_by_role("status")).to_contain_text("Your review has been saved")
        shown = page.locator(".photos img")
        expect(shown).to_have_count(1)
        if javascript:
            assert shown.evaluate("img => img.decode().then(() => img.naturalWidth)") == 320
            assert_good(page, "wrote")
        page.get_by_role("link", name="Edit").click()
        page.get_by_label("Remove photo 1").check()
        page.get_by_role("radio", name="2 of 5").check()
        page.locator("main button").last.click()
        expect(page.get_by_role("status")).to_contain_text("Your review has been saved")
        expect(page.locator(".photos img")).to_have_count(0)
        expect(page.locator("main")).to_contain_text("2 of 5")
        page.get_by_role("link", name="Withdraw").click()
        page.get_by_role("button", name="Withdraw").click()
        expect(page.get_by_role("status")).to_contain_text("has been withdrawn")
        assert complaints == []


@pytest.mark.parametrize("javascript", [True, False])
def test_unsubscribing_and_back_by_keyboard(browser: Browser, life: World, javascript: bool) -> None:
    url = page_for(life, f"Goodbye {javascript}", "unsubscribe")
    with opened(browser, 390, "dark", javascript=javascript) as (page, complaints):
        page.goto(url)
        press(page, "Tab", "Tab", "Enter")
        expect(page.get_by_role("status")).to_contain_text("will not send you these any more: re")
        press(page, "Tab", "Enter")
        expect(page.get_by_role("status")).to_contain_text("only about your orders")
        if javascript:
            assert_good(page, "stopped")
        press(page, "Tab", "Enter")
        expect(page.get_by_role("status")).to_contain_text("you will get these messages again")
        expect(page.get_by_role("button")).to_have_count(2)
        assert complaints == []


COPYING = {"en": ("Copy the link", "Copied."), "fi": ("Kopioi linkki", "Kopioitu."), "ar": ("نسخ الرابط", "تم النسخ.")}


@pytest.mark.parametrize("language", COPYING)
def test_the_link_to_share_is_copied_by_keyboard(
    browser: Browser, site: Site, monkeypatch: pytest.MonkeyPatch, language: str
) -> None:
    monkeypatch.setattr(frame, "match_language", lambda source, languages: language)
    label, done = COPYING[language]
    with opened(browser, 390, "light") as (page, complaints):
        page.context.grant_permissions(["clipboard-read", "clipboard-write"])
        page.goto(site.pages["share-Nora"])
        tab_to(page, "[data-kiitos-copy^=http] button")
        expect(page.locator("button:focus")).to_have_text(label)
        told = page.locator("[data-kiitos-copy^=http]").get_by_role("status")
        expect(told).to_have_text("")
        for _ in range(2):
            page.evaluate("navigator.clipboard.writeText('')")
            press(page, "Enter")
            expect(told).to_have_text(done)
            link = page.evaluate("navigator.clipboard.readText()")
            assert link == page.locator(".code.link").inner_text()
        assert browser_get(page, link) == 200
        good_in_all_views(page, "after copying")
        assert complaints == []


def browser_get(page: Page, url: str) -> int:
    return page.context.request.get(url).status


def test_where_there_is_no_clipboard_the_link_is_selected(browser: Browser, site: Site) -> None:
    """On an address without TLS, and where the page around allows nothing: the older way, which may fail."""
    with opened(browser, 390, "dark") as (page, complaints):
        page.add_init_script("Object.defineProperty(navigator, 'clipboard', {value: undefined})")
        page.add_init_script("document.execCommand = () => window.may")
        page.goto(site.pages["share-Nora"])
        place = page.locator("[data-kiitos-copy^=http]")
        for may, said in (("true", "Copied."), ("false", "Copying did not work here")):
            page.evaluate(f"window.may = {may}")
            place.get_by_role("button").click()
            expect(place.get_by_role("status")).to_contain_text(said)
            assert page.evaluate("getSelection().toString()").strip() == place.locator("p").first.inner_text()
        assert complaints == []


@pytest.mark.parametrize("javascript", [True, False])
def test_without_a_script_the_link_is_selected_by_one_tap(browser: Browser, site: Site, javascript: bool) -> None:
    """Where scripts are off, and where ours does not arrive: no button that does nothing."""
    with opened(browser, 390, "light", javascript=javascript) as (page, _):
        page.route("**/copy.js", lambda route: route.abort())
        page.goto(site.pages["share-Nora"])
        link = page.locator(".code.link")
        assert page.locator("[data-kiitos-copy] button").count() == 0
        link.click()
        if javascript:
            assert page.evaluate("getSelection().toString()").strip() == link.inner_text()
        assert link.evaluate("e => getComputedStyle(e).userSelect") == "all"


def test_the_refused_form_is_good_too(browser: Browser, site: Site) -> None:
    with opened(browser, 1280, "light") as (page, _):
        page.goto(site.pages["review-Nora"])
        page.locator("textarea").first.fill("Words")
        page.locator("main button").click()
        expect(page.get_by_role("alert")).to_be_visible()
        good_in_all_views(page, "refused")


@pytest.mark.parametrize("accent", ["#ffe600", "#000000", "#ffffff", "#7f7f7f", "#e4002b", "#0018ff"])
def test_any_accent_can_be_read(browser: Browser, site: Site, accent: str) -> None:
    work = site.world.kiitos.store.work
    with work.read() as tx:
        before = shops.get(tx, SHOPIFY)
    assert before is not None
    try:
        with work.transaction() as tx:
            shops.save(tx, replace(before, accent_color=accent), site.world.clock.now())
        with opened(browser, 1280, "light") as (page, _):
            for name in ("rated-Nora", "unsubscribe-Nora", "friend-Nora"):
                page.goto(site.pages[name])
                good_in_all_views(page, f"{name} in {accent}")
    finally:
        with work.transaction() as tx:
            shops.save(tx, before, site.world.clock.now())


def test_hostile_words_stay_words(browser: Browser, life: World) -> None:
    """Names, titles and review texts that would be markup: no dialog, no violation, no request to anybody else."""
    for first in HOSTILE_BUYERS:
        url = page_for(life, PAYLOADS[first])
        with opened(browser, 390, "light") as (page, complaints):
            page.goto(f"{url}?rating=%22%3E%3Cscript%3Ealert(1)%3C/script%3E")
            fields = page.locator("textarea")
            for number in range(fields.count()):
                fields.nth(number).fill(PAYLOADS[first + number])
            assert fields.count() == len(TITLES[first : first + AT_A_TIME])
            page.locator("#author").fill(PAYLOADS[first])
            page.locator("main button").click()
            expect(page.get_by_role("alert")).to_be_visible()
            expect(page.get_by_role("alert")).to_contain_text(PAYLOADS[first].strip()[:10])
            assert page.evaluate("document.scripts.length + document.querySelectorAll('iframe, svg, base').length") == 0
            assert page.evaluate("document.documentElement.scrollWidth <= innerWidth")
            assert [text for text in complaints if "422" not in text] == []


def test_the_checks_see_what_is_bad(browser: Browser) -> None:
    """Negative control: a page with every fault the checks look for."""
    bad = """<html><body style="margin:0"><h2>x</h2><p style="color:#999;background:#fff">grey</p><img src="data:,">
    <input type="text" style="height:10px"><button style="width:700px"></button><script>console.log('hello')</script>
    <div onclick="1" id="a"></div><div id="a"></div></body></html>"""
    with opened(browser, 390, "light") as (page, complaints):
        page.set_content(bad)
        assert complaints == ["log: hello"]
        assert any("grey" in text for text in page.evaluate(CONTRAST))
        names = "\n".join(page.evaluate(NAMES))
        for fault in (
            "no name: <input",
            "no name: <button",
            "no alt",
            "id twice",
            "headings",
            "no language",
            "no title",
        ):
            assert fault in names, fault
        assert len(page.evaluate(TARGETS)) == 2
        with pytest.raises(AssertionError, match="px wide"):
            assert_good(page, "bad")
