"""A merchant connects a WooCommerce store in Chromium: our pages over https, the store's own screens, and back."""

from __future__ import annotations

import ssl
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from pathlib import Path
from urllib.parse import urlsplit

import pytest
from playwright.sync_api import Browser, Page, expect

from connector.app import Kiitos, create_app
from connector.connecting import Attempts
from connector.testing.fakes.woocommerce import FakeWoo
from connector.testing.serving import Serving, free_port
from tests.browser.axe import violations
from tests.browser.checks import CONTROLS, good_in_all_views, set_view, walk
from tests.connecting.instance import NOTHING, active, certificate, make, make_store


@dataclass(frozen=True, slots=True)
class House:
    """An installation that is served over https, and a store whose server trusts its certificate."""

    kiitos: Kiitos
    woo: FakeWoo

    def invite(self, locale: str = "") -> str:
        return Attempts(self.kiitos).invite("acme", locale=locale)


@pytest.fixture
def house(tmp_path: Path) -> Iterator[House]:
    pem, port = certificate(tmp_path), free_port()
    with ExitStack() as stack:
        kiitos = make(tmp_path, base_url=f"https://127.0.0.1:{port}", passphrase={"env": "PASSPHRASE"})
        stack.callback(kiitos.close)
        stack.enter_context(Serving(create_app(kiitos), port, pem))
        woo = stack.enter_context(make_store())
        woo.admin.trust = ssl.create_default_context(cafile=str(pem))
        yield House(kiitos, woo)


@contextmanager
def visiting(
    browser: Browser, width: int = 1280, scheme: str = "light", *, javascript: bool = True, language: str = "en"
) -> Iterator[tuple[Page, list[str]]]:
    """A fresh browser, and what it complains of."""
    context = browser.new_context(
        viewport={"width": width, "height": 844},
        color_scheme=scheme,  # type: ignore[arg-type]
        java_script_enabled=javascript,
        ignore_https_errors=True,
        locale=language,
    )
    complaints: list[str] = []
    page = context.new_page()
    ours = "https://"  # the store's own screens are over http here, and not ours to judge
    page.on(
        "console",
        lambda message: complaints.append(message.text) if message.location["url"].startswith(ours) else None,
    )
    page.on("pageerror", lambda error: complaints.append(str(error)))
    try:
        yield page, complaints
    finally:
        context.close()


def good_to_axe_too(page: Page, where: str) -> None:
    """Wide and narrow, light and dark, with our own checks and axe; the page is narrow afterwards."""
    good_in_all_views(page, where)
    assert violations(page) == [], where
    set_view(page, 1280, "light")
    assert violations(page, of_view=True) == [], where
    set_view(page, 390, "dark")


def log_in(page: Page, woo: FakeWoo) -> None:
    page.get_by_label("Username").fill(woo.admin.user)
    page.get_by_label("Password").fill(woo.admin.password)
    page.get_by_role("button", name="Login").click()


def to_the_store(page: Page, house: House, locale: str = "") -> None:
    """From the link to the store's login."""
    page.goto(house.invite(locale))
    choose = page.get_by_role("link", name="WooCommerce")
    if choose.count():
        choose.click()
    page.locator("#url").fill(house.woo.home)
    page.locator("form button").click()
    page.locator("a.button").click()


def test_from_the_link_to_the_health_check(browser: Browser, house: House) -> None:
    with visiting(browser) as (page, complaints):
        page.goto(house.invite())
        choose = page.get_by_role("link", name="WooCommerce")
        if choose.count():
            good_to_axe_too(page, "choose")
            choose.click()
        good_to_axe_too(page, "form")
        page.get_by_label("Address of your store").fill(house.woo.home)
        page.get_by_role("button", name="Continue").click()
        good_to_axe_too(page, "go")
        page.get_by_role("link", name=f"Go to {urlsplit(house.woo.home).netloc}").click()
        expect(page.get_by_role("heading")).to_have_text("Kiitos would like to connect to your store")
        assert active(house.kiitos) == NOTHING
        log_in(page, house.woo)
        expect(page.get_by_text("Read/Write")).to_be_visible()
        page.get_by_role("link", name="Approve").click()
        expect(page.get_by_role("heading", name="Metsäkauppa is connected")).to_be_visible()
        expect(page.get_by_role("status")).to_contain_text("worth a look")
        good_to_axe_too(page, "result")
        link = page.get_by_role("link", name="Switch it off in the store").first
        assert (link.get_attribute("href") or "").startswith(f"{house.woo.home}/wp-admin/admin.php?page=wc-settings")
        assert complaints == []
    assert len(active(house.kiitos)["connected"]) == 1


def test_in_finnish_and_without_javascript(browser: Browser, house: House) -> None:
    with visiting(browser, 390, javascript=False) as (page, _):
        to_the_store(page, house, "fi")
        log_in(page, house.woo)
        page.get_by_role("link", name="Approve").click()
        expect(page.get_by_role("heading", name="Metsäkauppa on yhdistetty")).to_be_visible()
        expect(page.get_by_text("Tilaus käsittelyssä")).to_be_visible()
        assert page.locator("html").get_attribute("lang") == "fi"


def test_the_browser_s_language_where_the_link_says_none(browser: Browser, house: House) -> None:
    with visiting(browser, language="fi-FI") as (page, _):
        page.goto(house.invite())
        assert page.locator("html").get_attribute("lang") == "fi"


def test_denied(browser: Browser, house: House) -> None:
    with visiting(browser, 390) as (page, _):
        to_the_store(page, house)
        log_in(page, house.woo)
        page.get_by_role("link", name="Deny").click()
        expect(page.get_by_role("heading", name="Nothing was connected")).to_be_visible()
        expect(page.get_by_role("alert")).to_contain_text("You did not approve")
        good_to_axe_too(page, "denied")
    assert active(house.kiitos) == NOTHING


def test_a_firewall_before_our_callback_leaves_no_key_on_either_side(browser: Browser, house: House) -> None:
    house.woo.admin.callbacks = False
    with visiting(browser) as (page, _):
        to_the_store(page, house)
        log_in(page, house.woo)
        page.get_by_role("link", name="Approve").click()
        expect(page.get_by_text("unable to send the consumer data")).to_be_visible()
    assert house.woo.keys == {}
    assert active(house.kiitos) == NOTHING


def test_the_return_address_in_another_browser_connects_nothing(browser: Browser, house: House) -> None:
    with visiting(browser) as (page, _):
        to_the_store(page, house)
        log_in(page, house.woo)
        approve = page.get_by_role("link", name="Approve").get_attribute("href")
        answer = page.context.request.get(f"{house.woo.home}{approve}", max_redirects=0)
        back = answer.headers["location"]
        with visiting(browser) as (other, _):
            other.goto(back)
            expect(other.get_by_role("alert")).to_contain_text("begun in another browser")
        assert active(house.kiitos) == NOTHING
        page.goto(back)
        expect(page.get_by_role("heading", name="Metsäkauppa is connected")).to_be_visible()


def test_keys_by_hand_with_a_mistake_first(browser: Browser, house: House) -> None:
    _, key, secret = house.woo.issue_key("read_write")
    with visiting(browser, 390, "dark") as (page, _):
        page.goto(f"{house.invite()}/woocommerce?way=keys")
        for wrong in ("cs_wrong", secret):
            page.get_by_label("Address of your store").fill(house.woo.home)
            page.get_by_label("Consumer key").fill(key)
            page.get_by_label("Consumer secret").fill(wrong)
            page.get_by_role("button", name="Connect").click()
            if wrong != secret:
                expect(page.get_by_role("alert")).to_contain_text("does not accept these keys")
                assert page.get_by_label("Consumer secret").input_value() == ""
                good_to_axe_too(page, "form with a mistake")
        expect(page.get_by_role("heading", name="Metsäkauppa is connected")).to_be_visible()


def test_by_keyboard(browser: Browser, house: House) -> None:
    with visiting(browser, 390) as (page, _):
        page.goto(f"{house.invite()}/woocommerce")
        stops = walk(page)
        assert len(stops) == page.evaluate(CONTROLS) > 0
        assert all(stop["visible"] for stop in stops), stops


def test_the_pass_phrase(browser: Browser, house: House) -> None:
    with visiting(browser, 390) as (page, _):
        page.goto(house.kiitos.config.app.base_url + "/connect")
        good_to_axe_too(page, "pass phrase")
        page.get_by_label("Pass phrase").fill("wrong")
        page.get_by_role("button").click()
        expect(page.get_by_role("alert")).to_be_visible()
        good_to_axe_too(page, "wrong pass phrase")
        page.get_by_label("Pass phrase").fill("a long enough pass phrase")
        page.get_by_role("button").click()
        page.wait_for_url("**/connect/**")
        assert page.get_by_role("heading").first.is_visible()
