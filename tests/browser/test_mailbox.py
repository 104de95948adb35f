"""The demo's mailbox in Chromium, and the mails in it."""

from __future__ import annotations

import pytest
from playwright.sync_api import Browser, expect

from tests.browser.checks import CONTROLS, good_in_all_views, opened, walk
from tests.browser.conftest import Site

NAMES = ("index", "first mail", "last mail", "customer")


@pytest.mark.parametrize("name", NAMES)
def test_nothing_to_stumble_over(browser: Browser, site: Site, name: str) -> None:
    with opened(browser, 1280, "light") as (page, complaints):
        page.goto(site.demo[name])
        good_in_all_views(page, name)
        assert complaints == [], "mails included: they ask no third party for anything"


@pytest.mark.parametrize("name", NAMES)
def test_every_control_by_keyboard(browser: Browser, site: Site, name: str) -> None:
    with opened(browser, 1280, "light") as (page, _):
        page.goto(site.demo[name])
        stops = walk(page)
        assert len(stops) == page.evaluate(CONTROLS) > 0
        assert all(stop["visible"] and stop["onScreen"] for stop in stops), stops


@pytest.mark.parametrize("javascript", [True, False])
def test_from_the_list_to_the_customer_page(browser: Browser, site: Site, javascript: bool) -> None:
    """The star in the mail opens the real form beside the mailbox, as it would in a mail program."""
    asks = next(mail for mail in site.mails if "How did we do" in mail.subject)
    with opened(browser, 1280, "light", javascript=javascript) as (page, complaints):
        page.goto(site.demo["index"])
        page.locator(f"a[href='/mail/{asks.number}']").click()
        expect(page.get_by_role("heading", level=1)).to_have_text(asks.subject)
        with page.expect_popup() as opening:
            page.frame_locator("iframe").first.get_by_title("4/5").first.click()
        form = opening.value
        expect(form.locator("input[type=radio]:checked").first).to_have_value("4")
        assert complaints == []


def test_every_mail_fits_a_phone_and_runs_nothing(browser: Browser, site: Site) -> None:
    letters = 0
    with opened(browser, 375, "dark") as (page, complaints):
        for mail in site.mails:
            answer = page.goto(f"{site.demo['index']}mail/{mail.number}/body")
            assert answer is not None
            assert "sandbox" in answer.headers["content-security-policy"]
            # Notes to the shop's own people are two lines without a page around them.
            letters += "<html" in answer.text()
            if "<html" in answer.text():
                assert page.locator("html").get_attribute("lang") == mail.language
            assert page.locator("body").bounding_box()["width"] <= 375, mail.subject  # type: ignore[index]
        assert complaints == []
    assert letters > 30


def test_unknown_numbers_are_404(site: Site, browser: Browser) -> None:
    with opened(browser, 390, "light") as (page, _):
        for path in ("mail/999", "mail/999/body", "customer/999", "mail/-1", "nothing"):
            answer = page.goto(site.demo["index"] + path)
            assert answer is not None
            assert answer.status == 404, path
