"""Our pages inside the shop's own site in Chromium, through a proxy that signs as Shopify's does."""

from __future__ import annotations

from collections.abc import Iterator

import pytest
from playwright.sync_api import Browser, Page, expect

from connector.model import Customer
from connector.store import entities, referrals, reviews
from connector.testing.world import SHOPIFY
from tests.browser.axe import violations
from tests.browser.checks import assert_good, good_in_all_views, opened, set_view
from tests.browser.conftest import Site
from tests.browser.sights.reviews import HELD, WRITER
from tests.browser.storefront import PREFIX, SECRET_OF_THEME, storefront
from tests.pages.life import NORA
from tests.pages.member import gives, page_of, usable

COMMAND = "{{ shop.email }}{% assign x = shop.email %}{{ x }}<img src=x onerror=alert(1)>"


@pytest.fixture(scope="module")
def shop(site: Site) -> Iterator[str]:
    with storefront(site.world) as url:
        yield url


def customer(site: Site, address: str) -> Customer:
    with site.world.kiitos.store.work.read() as tx:
        found = entities.customer_by_email(tx, SHOPIFY, address.lower())
    assert found is not None
    return found


def log_in(page: Page, shop: str, site: Site, address: str) -> None:
    page.context.add_cookies([{"name": "customer", "value": customer(site, address).id, "url": shop}])


def product(site: Site) -> str:
    """One whose reviews have pictures."""
    with site.world.kiitos.store.work.read() as tx:
        return next(row.product_id for row in reviews.every(tx, SHOPIFY) if "script" in row.text)


@pytest.mark.parametrize("javascript", [True, False])
def test_every_page_inside_the_shop(browser: Browser, site: Site, shop: str, javascript: bool) -> None:
    shown = f"reviews?product={product(site)}"
    pages = ("points", "share", "orders", shown, f"{shown}&sort=worst")
    with opened(browser, 1280, "light", javascript=javascript) as (page, complaints):
        log_in(page, shop, site, str(NORA.email))
        for path in pages:
            answer = page.goto(f"{shop}{PREFIX}/{path}")
            assert answer is not None
            assert answer.status == 200, path
            assert page.locator("[class^=kiitos]").first.is_visible(), path
            if javascript:
                if "reviews" not in path:
                    assert page.locator("html").get_attribute("data-theme") == "runs", "our policy is not the theme's"
                good_in_all_views(page, path)
                assert violations(page) == [], path
                set_view(page, 1280, "light")
                assert violations(page, of_view=True) == [], path
                broken = "[...document.images].filter(i => i.complete && !i.naturalWidth).length"
                page.evaluate("document.images.length && document.images[0].scrollIntoView()")
                assert page.evaluate(broken) == 0, path
        assert complaints == []


def test_the_readers_choice_stays_inside_the_shop(browser: Browser, site: Site, shop: str) -> None:
    with opened(browser, 390, "dark", javascript=False) as (page, _):
        page.goto(f"{shop}{PREFIX}/reviews?product={product(site)}")
        count = page.locator(".kiitos-list > li").count()
        page.get_by_role("link", name="lowest", exact=False).click()
        assert page.url.startswith(f"{shop}{PREFIX}/reviews?")
        assert f"product={product(site)}" in page.url
        assert page.locator(".kiitos-list > li").count() == count > 0


def test_nobody_is_shown_what_is_somebody_elses(browser: Browser, site: Site, shop: str) -> None:
    with opened(browser, 390, "light") as (page, _):
        for path in ("points", "share", "orders"):
            page.goto(f"{shop}{PREFIX}/{path}")
            expect(page.locator("main")).to_contain_text("Log in")
            assert page.locator("main a").count() == 0
            assert_good(page, f"{path} of nobody")


def test_the_code_and_the_link_are_copied_inside_the_shop(browser: Browser, site: Site, shop: str) -> None:
    with opened(browser, 390, "light") as (page, complaints):
        page.context.grant_permissions(["clipboard-read", "clipboard-write"], origin=shop)
        log_in(page, shop, site, str(NORA.email))
        page.goto(f"{shop}{PREFIX}/share")
        for name in ("Copy the code", "Copy the link"):
            button = page.get_by_role("button", name=name)
            button.press("Enter")
            place = page.locator("[data-kiitos-copy]", has=button)
            expect(place.get_by_role("status")).to_have_text("Copied.")
            assert page.evaluate("navigator.clipboard.readText()") == place.locator("p").first.inner_text()
        assert violations(page) == []
        assert complaints == []
    with opened(browser, 390, "light", javascript=False) as (page, complaints):
        log_in(page, shop, site, str(NORA.email))
        page.goto(f"{shop}{PREFIX}/share")
        assert page.locator("main button").count() == 0, "no button that does nothing"
        assert complaints == []


def test_from_the_shop_to_a_form_that_works(browser: Browser, site: Site, shop: str) -> None:
    """Pages inside the theme have no form: they lead to the hosted one, which takes the answer."""
    address = str(HELD.email)
    gives(site.world, 150, address, "storefront")
    page_of(site.world, address)
    had = usable(site.world, address)
    with opened(browser, 390, "light", javascript=False) as (page, complaints):
        log_in(page, shop, site, address)
        page.goto(f"{shop}{PREFIX}/points")
        expect(page.locator("main strong")).to_have_text(str(had))
        page.locator("main a").click()
        page.locator("button[name=reward][value=five]").click()
        expect(page.get_by_role("status")).to_be_visible()
        page.goto(f"{shop}{PREFIX}/points")
        expect(page.locator("main strong")).to_have_text(str(had - 100))
        assert complaints == []
    assert usable(site.world, address) == had - 100


def test_a_form_that_a_theme_sends_to_the_proxy_changes_nothing(browser: Browser, site: Site, shop: str) -> None:
    gives(site.world, 300, str(WRITER.email), "storefront-post")
    had = usable(site.world, str(WRITER.email))
    with opened(browser, 390, "light") as (page, _):
        log_in(page, shop, site, str(WRITER.email))
        page.goto(f"{shop}{PREFIX}/points")
        form = f"<form method=post action='{PREFIX}/points'><button name=reward value=five>Take</button></form>"
        page.locator("main").evaluate("(main, form) => main.insertAdjacentHTML('beforeend', form)", form)
        with page.expect_navigation() as sent:
            page.get_by_role("button", name="Take").click()
        answer = sent.value
        assert answer is not None
        assert answer.status == 405
    assert usable(site.world, str(WRITER.email)) == had >= 300


def test_a_name_is_no_command_of_the_theme(browser: Browser, site: Site, shop: str) -> None:
    buyer = customer(site, str(WRITER.email))
    with site.world.kiitos.store.work.transaction() as tx:
        address = buyer.email_key or ""
        referrals.put_code(tx, SHOPIFY, COMMAND, address, buyer.id, None, "run", site.world.clock.now())
    with opened(browser, 390, "light") as (page, complaints):
        log_in(page, shop, site, str(WRITER.email))
        page.goto(f"{shop}{PREFIX}/share")
        text = page.locator("main").inner_text()
        assert "SHOP.EMAIL" in text.upper()
        assert SECRET_OF_THEME not in page.content(), "the theme's own data"
        assert page.locator("main img").count() == 0
        assert_good(page, "a hostile code")
        assert complaints == []
