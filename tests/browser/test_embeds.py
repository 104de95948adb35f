"""Reviews in a shop's own page, which has a style of its own and none of ours: what axe and our checks say of it."""

from __future__ import annotations

import json
from datetime import UTC, datetime

import pytest
from playwright.sync_api import Browser, Page

from connector.app import create_app
from connector.clock import ManualClock
from connector.testing.fakes.people import MUG
from connector.testing.fakes.shopify import FakeShopify
from connector.testing.fakes.shopify.state import gid
from tests.browser.axe import violations
from tests.browser.checks import CONTRAST, NAMES, opened
from tests.browser.conftest import Site
from tests.browser.sights.reviews import HOSTILE
from tests.platforms.shopify.theme import render, tag

THEME = """<!doctype html><html lang="{language}"><head><title>Mug</title><link rel="icon" href="data:,">
<meta name="viewport" content="width=device-width">
<style>body{{font:16px/1.6 sans-serif;margin:0 1rem;color:#222;background:#fff}} a{{color:#0645ad}} {style}
main a{{display:inline-block;min-height:24px;min-width:24px}}</style></head>
<body><main><h1>Mug</h1>{reviews}</main></body></html>"""


def faults(page: Page, reviews: str, style: str = "", language: str = "en") -> list[str]:
    """Of the shop's page with these reviews in it."""
    page.set_content(THEME.format(reviews=reviews, style=style, language=language))
    fits = page.evaluate("[document.documentElement.scrollWidth, innerWidth]")
    wide = [f"{fits[0]} px wide"] if fits[0] > fits[1] else []
    return [*wide, *violations(page), *page.evaluate(CONTRAST), *page.evaluate(NAMES)]


def a_shop() -> FakeShopify:
    """With two reviews of its mug, one of them hostile and with everything a review may have."""
    shop = FakeShopify(
        ManualClock(datetime(2026, 3, 2, tzinfo=UTC)), "a.myshopify.com", "id", "secret", (), graphql=False
    )
    owner = gid("Product", shop.product_of(MUG)["id"])
    scale = {"scale_min": "1.0", "scale_max": "5.0"}
    plain = {
        "title": "",
        "body": "Warm.",
        "author": "",
        "verified": "false",
        "photos": "[]",
        "answer": "",
        "disclosure": "",
    }
    rich = dict.fromkeys(("title", "body", "author", "answer", "disclosure"), HOSTILE) | {"verified": "true"}
    rich["photos"] = json.dumps([f"data:,{n}" if n else "http://127.0.0.1:9/p/photo/a" for n in range(2)])
    for number, said in ((1, plain), (2, rich)):
        fields = {"rating": json.dumps({**scale, "value": "4.0"}), "submitted_at": "2026-03-01T08:00:00+00:00", **said}
        shop.metaobjects[number] = {"id": number, "status": "ACTIVE", "fields": fields}
    listed = json.dumps([gid("Metaobject", number) for number in shop.metaobjects])
    for namespace, key, kind, value in (
        ("reviews", "rating", "rating", json.dumps({**scale, "value": "4.0"})),
        ("reviews", "rating_count", "number_integer", "2"),
        (shop.app_namespace(None), "reviews", "list.metaobject_reference", listed),
    ):
        shop.metafields[owner, namespace, key] = {"type": kind, "value": value}
    return shop


@pytest.mark.parametrize("language", ["en", "ar"])
def test_the_block_of_a_shopify_theme(browser: Browser, language: str) -> None:
    shop = a_shop()
    html = render(shop, str(shop.product_of(MUG)["id"]), language=language)
    with opened(browser, 390, "light", javascript=True) as (page, complaints):
        assert faults(page, html, tag("stylesheet"), language) == []
        assert page.locator(".kiitos-list > li").count() == 2
        assert page.get_by_role("img", name="4").count() == 3, "stars are told in words"
        assert [text for text in complaints if "photo/a" not in text and "ERR_" not in text] == []


def test_the_part_of_any_shops_page(browser: Browser, site: Site) -> None:
    visitor = create_app(site.world.kiitos).test_client()
    path = site.pages["shown"].partition("/p/")[2]
    part = visitor.get(f"/p/{path}?part=1").text
    assert "kiitos-list" in part
    with opened(browser, 390, "light") as (page, _):
        assert faults(page, part) == []
        assert page.locator("main").inner_text().count(" of 5") == 1, (
            "each review's stars are seen once; the mean in words"
        )


def test_the_checks_see_what_is_bad(browser: Browser) -> None:
    """Control: stars that nobody says, and a picture without words."""
    shop = a_shop()
    html = render(shop, str(shop.product_of(MUG)["id"]))
    with opened(browser, 390, "light") as (page, _):
        nameless = html.replace(' aria-label="4 of 5"', "").replace(' alt=""', "").replace(' aria-label="Photo 1"', "")
        told = "\n".join(faults(page, nameless, tag("stylesheet")))
    assert "role-img-alt" in told
    assert "no name" in told
