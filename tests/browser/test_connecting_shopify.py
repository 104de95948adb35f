"""A merchant connects a Shopify store in Chromium: our pages over https, the admin's own screen, and back."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import ExitStack
from dataclasses import dataclass
from pathlib import Path
from urllib.parse import parse_qsl, urlencode, urlsplit

import pytest
from playwright.sync_api import Browser, Page, expect

from connector.app import Kiitos, build, create_app
from connector.clock import ManualClock
from connector.config import parse_config
from connector.connecting import Attempts
from connector.store import shops
from connector.testing.fakes.shopify import FakeShopify, FakeUnavailable
from connector.testing.fakes.shopify.oauth import sign_query
from connector.testing.serving import Serving, free_port
from platforms.shopify.install import REQUIRED_SCOPES
from tests.browser.test_connecting import good_to_axe_too, visiting
from tests.connecting.instance import ENV, NOW, active, certificate, document

DOMAIN = "aurora-demo.myshopify.com"
SHOP_ID = "acme-aurora-demo"
SECRET = "the-app-secret"
NOTHING = {"connected": [], "credentials": ["app:shopify"], "shops": []}


@dataclass(frozen=True, slots=True)
class House:
    """An installation that is served over https with an app of the operator's, and a store that knows the app."""

    kiitos: Kiitos
    shopify: FakeShopify
    base: str

    def invite(self, locale: str = "") -> str:
        return Attempts(self.kiitos).invite("acme", locale=locale)


@pytest.fixture
def house(tmp_path: Path) -> Iterator[House]:
    pem, port = certificate(tmp_path), free_port()
    base, clock = f"https://127.0.0.1:{port}", ManualClock(NOW, seed=5)
    shopify = FakeShopify(
        clock, DOMAIN, "the-app-id", SECRET, {*REQUIRED_SCOPES}, unchecked=True, name="Aurora Outdoor"
    )
    shopify.oauth.redirect_urls.append(f"{base}/connect/return/shopify")
    with ExitStack() as stack:
        try:
            shopify.start()
        except FakeUnavailable as missing:
            pytest.skip(str(missing))
        stack.callback(shopify.stop)
        app = {"client_id": "the-app-id", "client_secret": SECRET, "api_url": shopify.url}
        found = document(tmp_path, base, client="acme", apps={"shopify": app})
        kiitos = build(parse_config(found, tmp_path / "app.toml", ENV), clock=clock)
        stack.callback(kiitos.close)
        stack.enter_context(Serving(create_app(kiitos), port, pem))
        yield House(kiitos, shopify, base)


def to_the_admin(page: Page, house: House, locale: str = "") -> None:
    """From the link to the admin's question."""
    page.goto(f"{house.invite(locale)}/shopify")
    page.locator("#shop").fill("aurora-demo")
    page.locator("form button").click()
    page.locator("a.button").click()
    expect(page.get_by_role("heading", name="Install app")).to_be_visible()


def test_from_the_link_to_the_health_check(browser: Browser, house: House) -> None:
    with visiting(browser) as (page, complaints):
        page.goto(house.invite())
        page.get_by_role("link", name="Shopify").click()
        good_to_axe_too(page, "form")
        page.get_by_label("Your store").fill("aurora-demo")
        page.get_by_role("button", name="Continue").click()
        good_to_axe_too(page, "go")
        page.locator("a.button").click()
        expect(page.get_by_text("write_discounts")).to_be_visible()
        assert active(house.kiitos) == NOTHING
        page.get_by_role("button", name="Install").click()
        expect(page.get_by_role("heading", name="Aurora Outdoor is connected")).to_be_visible()
        good_to_axe_too(page, "result")
        assert complaints == []
    assert active(house.kiitos)["connected"] == [SHOP_ID]
    assert house.shopify.oauth.granted == ["authorization_code"]


def test_in_finnish_and_without_javascript(browser: Browser, house: House) -> None:
    with visiting(browser, 390, javascript=False) as (page, _):
        to_the_admin(page, house, "fi")
        page.get_by_role("button", name="Install").click()
        expect(page.get_by_role("heading", name="Aurora Outdoor on yhdistetty")).to_be_visible()
        assert page.locator("html").get_attribute("lang") == "fi"


def test_the_admin_opens_the_app_and_nothing_is_typed(browser: Browser, house: House) -> None:
    with visiting(browser) as (page, complaints):
        page.goto(house.base + house.shopify.oauth.embedded_load("/connect/from/shopify"))
        expect(page.get_by_role("heading", name="Aurora Outdoor is connected")).to_be_visible()
        good_to_axe_too(page, "result in the admin")
        assert complaints == []
    assert house.shopify.oauth.granted == ["token_exchange"]


def test_an_own_app_with_a_mistake_first(browser: Browser, house: House) -> None:
    with visiting(browser, 390, "dark") as (page, _):
        page.goto(f"{house.invite()}/shopify?way=own_app")
        for wrong in ("not-the-secret", SECRET):
            page.get_by_label("Your store").fill(DOMAIN)
            page.get_by_label("Client id").fill("the-app-id")
            page.get_by_label("Client secret").fill(wrong)
            page.get_by_role("button", name="Connect").click()
            if wrong != SECRET:
                expect(page.get_by_role("alert")).to_be_visible()
                assert page.get_by_label("Client secret").input_value() == ""
                good_to_axe_too(page, "form with a mistake")
        expect(page.get_by_role("heading", name="Aurora Outdoor is connected")).to_be_visible()
    with house.kiitos.store.work.read() as tx:
        assert "client_secret" in shops.secret_names(tx, SHOP_ID)


def returned(page: Page) -> str:
    """Where the admin would send the browser back to after the yes; the browser stays."""
    answer = page.context.request.post(page.url, max_redirects=0)
    return answer.headers["location"]


def test_a_return_in_another_browser_or_for_another_store_connects_nothing(browser: Browser, house: House) -> None:
    with visiting(browser) as (page, _):
        to_the_admin(page, house)
        back = returned(page)
        with visiting(browser) as (other, _):
            other.goto(back)
            expect(other.get_by_role("alert")).to_contain_text("begun in another browser")
        address, _, query = back.partition("?")
        pairs = [(name, value) for name, value in parse_qsl(query) if name != "hmac"]
        forged = [(name, "evil.myshopify.com" if name == "shop" else value) for name, value in pairs]
        for bad in (forged, [*pairs, ("extra", "1")]):
            signature = sign_query(forged if bad is forged else pairs, SECRET)
            page.goto(f"{address}?{urlencode([*bad, ('hmac', signature)])}")
            expect(page.get_by_role("alert")).to_be_visible()
            assert urlsplit(page.url).path.startswith("/connect")
    assert active(house.kiitos) == NOTHING
    assert house.shopify.oauth.granted == []
