"""Every part of pages on one page, which exists in tests alone: what a page is built of is good before it is used."""

from __future__ import annotations

import base64
import io
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import replace
from pathlib import Path

import pytest
from flask import Flask, Response
from jinja2 import ChoiceLoader, FileSystemLoader
from PIL import Image
from playwright.sync_api import Browser

from connector.app import create_app
from connector.config.brands import read_brand
from connector.model import Brand
from connector.pages import frame
from connector.store import shops
from connector.testing.serving import Serving, free_port
from connector.testing.world import SHOPIFY, World
from tests.browser.checks import opened
from tests.browser.conftest import Site
from tests.browser.test_sweep import look

NIGHT = {
    "accent": "#ffd60a", "corners": 0, "font": "Georgia,'Times New Roman',serif", "page_logo": "logo.png",
    "light": {"page": "#fdf6e3", "card": "#fffdf5", "text": "#2b2620", "muted": "#6b6257", "rule": "#e8dcc0"},
    "dark": {"page": "#0b1020", "card": "#141a2e", "text": "#f4f1ea", "muted": "#b9bdd0", "rule": "#2a3352"},
}  # fmt: skip


@contextmanager
def gallery(world: World, brand: Brand, language: str) -> Iterator[str]:
    """The gallery's address in a server of its own, for a shop of this brand."""
    kiitos = world.kiitos
    app: Flask = create_app(kiitos)
    app.jinja_loader = ChoiceLoader([FileSystemLoader(Path(__file__).parent), app.jinja_loader])  # type: ignore[list-item]
    with kiitos.store.work.read() as tx:
        shop = shops.get(tx, SHOPIFY)

    def show() -> Response:
        return frame.page("gallery.html", shop, language, picture=f"data:image/png;base64,{picture(64, 64)}")

    app.add_url_rule("/p/gallery", "gallery", show)
    settings, port = kiitos.config.shops[SHOPIFY], free_port()
    known = kiitos.runner.catalog.settings(SHOPIFY)
    with pytest.MonkeyPatch.context() as patch:
        catalog = type(kiitos.runner.catalog)
        patch.setattr(catalog, "settings", lambda _, shop_id: replace(known, brand=brand))
        with Serving(app, port):
            yield f"http://127.0.0.1:{port}/p/gallery"
    assert kiitos.config.shops[SHOPIFY] is settings


def picture(width: int, height: int) -> str:
    made = io.BytesIO()
    Image.new("RGB", (width, height), "#7a9e8e").save(made, "PNG")
    return base64.b64encode(made.getvalue()).decode()


def brand_of(folder: Path) -> Brand:
    (folder / "logo.png").write_bytes(base64.b64decode(picture(240, 60)))
    faults: list[str] = []
    brand = read_brand({"brands": {"night": NIGHT}}, folder, "night", "x", faults)
    assert faults == []
    return brand


@pytest.mark.parametrize(("branded", "language"), [(False, "en"), (True, "ar"), (True, "de")])
def test_every_part_in_every_look(browser: Browser, site: Site, tmp_path: Path, branded: bool, language: str) -> None:
    brand = brand_of(tmp_path) if branded else Brand()
    with gallery(site.world, brand, language) as url, opened(browser, 1280, "light") as (page, complaints):
        page.goto(url)
        name = {"en": "gallery", "ar": "gallery-ar"}.get(language, "")
        faults = look(page, name or "gallery")
        assert [fault for fault in faults if not (language == "de" and "speaks de" in fault)] == []
        assert complaints == [], "the logo and the pictures come from nowhere else"
        assert page.locator(".shop img").count() == int(branded)
        assert page.evaluate("getComputedStyle(document.body).fontFamily").startswith("Georgia") == branded
        assert page.get_attribute("html", "dir") == ("rtl" if language == "ar" else "ltr")


def test_less_motion_forced_colours_and_paper(browser: Browser, site: Site) -> None:
    with gallery(site.world, Brand(), "en") as url, opened(browser, 390, "light") as (page, _):
        page.goto(url)
        assert page.evaluate("getComputedStyle(document.querySelector('button')).transitionDuration") == "0s"
        page.emulate_media(forced_colors="active")
        assert page.evaluate("getComputedStyle(document.querySelector('.pill')).borderStyle") == "solid"
        page.emulate_media(media="print", forced_colors="none")
        assert page.locator("form").is_hidden()
        assert page.locator(".facts").is_visible()
