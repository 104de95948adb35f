"""Pictures of the main messages for docs/images, in Chromium: `make screenshots`.

No picture is fetched: products and logos are grey placeholders.
"""

from __future__ import annotations

import shutil
import sys
from dataclasses import replace
from pathlib import Path
from typing import NamedTuple

from playwright.sync_api import Browser, Route, sync_playwright

from connector.cli.preview import in_mode
from connector.model import Brand, Palette
from flows.render.check import purpose_of
from flows.render.renderer import Renderer
from flows.render.samples import samples

FOLDER = Path(__file__).parent.parent / "docs" / "images" / "mail"
TALLEST = 1500
BRAND = Brand(
    name="night", key="night", accent="#ffd60a", corners=0, font="Georgia,'Times New Roman',serif",
    light=Palette(page="#fdf6e3", card="#fffdf5", text="#2b2620", muted="#6b6257", rule="#e8dcc0"),
    signature={"": "Warmly,\nthe people of Aamu & Ilta"}, social=(("Instagram", "https://social.example.com/aamu"),),
)  # fmt: skip


class Shot(NamedTuple):
    """One picture: which message, in which language, how wide, in which mode, about which order."""

    template: str
    language: str
    width: int
    mode: str = "light"
    sample: str = "five_lines"
    brand: Brand | None = None


SHOTS = (
    Shot("order_confirmation", "en", 600),
    Shot("order_confirmation", "en", 360, "dark"),
    Shot("order_confirmation", "en", 800),
    Shot("order_confirmation", "ar", 360, sample="arabic"),
    Shot("order_confirmation", "ar", 600, "dark", "arabic"),
    Shot("order_confirmation", "ja", 360, sample="japanese"),
    Shot("order_confirmation", "de", 600, "dark"),
    Shot("order_confirmation", "fi", 320),
    Shot("order_confirmation", "sv", 600, brand=BRAND),
    Shot("shipment_shipped", "fi", 360),
    Shot("shipment_shipped", "ar", 600, sample="two_parcels"),
    Shot("review_request", "en", 360),
    Shot("review_request", "ja", 600, "dark", "japanese"),
    Shot("referral_reward", "de", 360, "dark"),
    Shot("return_help", "sv", 600),
)


def main() -> int:
    browser_path = next(filter(None, map(shutil.which, ("chromium", "chromium-browser", "google-chrome"))), None)
    if browser_path is None:
        sys.stderr.write("no Chromium: apt-get install chromium\n")
        return 1
    FOLDER.mkdir(parents=True, exist_ok=True)
    with sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path=browser_path, args=["--no-sandbox"])
        for shot in SHOTS:
            take(browser, shot)
        browser.close()
    size = sum(path.stat().st_size for path in FOLDER.glob("*.png"))
    sys.stdout.write(f"{len(SHOTS)} pictures in {FOLDER.name}, {size // 1024} KB\n")
    return 0


def take(browser: Browser, shot: Shot) -> None:
    """Render one message and photograph it whole, as far as TALLEST pixels."""
    brand = shot.brand or Brand()
    view = samples()[shot.sample]
    locale = view.locale if view.locale.startswith(shot.language) else shot.language
    view = replace(view, locale=locale, purpose=purpose_of(shot.template), brand=brand)
    html = Renderer().under((), brand).parts(shot.template, view).html
    page = browser.new_page(viewport={"width": shot.width, "height": 700})
    page.route("**/*", _placeholder)
    page.set_content(in_mode(html, dark=shot.mode == "dark"))
    wide = page.evaluate("document.documentElement.scrollWidth")
    if wide > shot.width:
        sys.stderr.write(f"{shot.template} {shot.language} {shot.width}: {wide} px wide, so it scrolls sideways\n")
    height = min(TALLEST, int(page.evaluate("document.documentElement.scrollHeight")))
    name = f"{shot.template}-{shot.language}-{shot.width}-{shot.mode}{'-brand' if shot.brand else ''}"
    page.set_viewport_size({"width": shot.width, "height": height})
    page.screenshot(path=FOLDER / f"{name}.png")
    page.close()


def _placeholder(route: Route) -> None:
    shape = '<rect width="64" height="64" fill="#999"/>'
    svg = f'<svg xmlns="http://www.w3.org/2000/svg" width="64" height="64">{shape}</svg>'
    route.fulfill(body=svg, content_type="image/svg+xml")


if __name__ == "__main__":
    sys.exit(main())
