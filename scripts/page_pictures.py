"""Pictures of the hosted pages for docs/images/pages, in Chromium: `make screenshots`.

The pages are those that the browser tests sweep, of a shop with invented people.
"""

from __future__ import annotations

import io
import shutil
import sys
import tempfile
from pathlib import Path

from PIL import Image
from playwright.sync_api import Browser, sync_playwright

ROOT = Path(__file__).parent.parent
sys.path.insert(0, str(ROOT))

from connector.model import Brand  # noqa: E402 - the tests are no package
from connector.testing.world import World  # noqa: E402
from tests.browser import sights  # noqa: E402
from tests.browser.test_gallery import gallery  # noqa: E402
from tests.pages.life import AINO, NORA, START, order_arrives  # noqa: E402

FOLDER = ROOT / "docs" / "images" / "pages"
TALLEST = 1800
COLOURS = 64
SHOTS = (("gallery", 900, "light"), ("gallery", 390, "dark"))
SHEETS = (
    *("order-parts", "order-ar", "find-Aino", "case-Aino", "case-ar", "survey-Nora", "rated-Nora", "story", "shown"),
    *("loyalty-Nora", "share-Nora", "friend-Nora", "refer-Nora", "leaders-Nora"),
    *("signup-Nora", "confirm-Nora", "preferences-Aino", "unsubscribe-Nora", "push"),
    *("task", "desk", "queue", "referrals-Nora", "results"),
)
"""Pages of which there is a sheet: a phone of 390 px, and a desktop of 1280 px at half its size. The last are for the
merchant's people, with what hostile customers wrote, as the tests have them."""
LOW, FEW, GAP = 1100, 24, 16
"""Of a sheet: its height in pixels, its colours, and the room between both."""


def main(wanted: list[str], folder: Path = FOLDER) -> int:
    """Take the pictures of the docs, or of the named pages (`all`: every page) at 390 and 1280 px into `folder`."""
    path = next(filter(None, map(shutil.which, ("chromium", "chromium-browser", "google-chrome"))), None)
    if path is None:
        sys.stderr.write("no Chromium: apt-get install chromium\n")
        return 1
    folder.mkdir(parents=True, exist_ok=True)
    with (
        tempfile.TemporaryDirectory() as name,
        World(Path(name), START, settings=sights.settings(Path(name)), unchecked=True) as world,
    ):
        order_arrives(world, NORA)
        order_arrives(world, AINO)
        sights.prepare(world)
        world.wait(days=25)
        pages = sights.pages(world)
        with gallery(world, Brand(), "en") as address, sync_playwright() as playwright:
            browser = playwright.chromium.launch(executable_path=path, args=["--no-sandbox"])
            pages["gallery"] = address
            names = list(pages) if wanted == ["all"] else wanted
            for name in () if wanted else SHEETS:
                sheet(browser, pages[name], folder / f"{name}.png")
            views = [(each, width, "light") for each in names for width in (390, 1280)] if wanted else list(SHOTS)
            for name, width, scheme in views:
                take(browser, pages[name], folder / f"{name}-{width}-{scheme}.png", width, scheme)
            browser.close()
    size = sum(each.stat().st_size for each in folder.glob("*.png"))
    made = len(views) + (0 if wanted else len(SHEETS))
    sys.stdout.write(f"{made} pictures in {folder.name}, {size // 1024} KB\n")
    return 0


def take(browser: Browser, address: str, target: Path, width: int, scheme: str) -> None:
    """One page whole, as far as TALLEST pixels, in few colours: a picture in a repository is there for ever."""
    seen(browser, address, width, scheme, TALLEST).quantize(COLOURS).save(target, optimize=True)


def sheet(browser: Browser, address: str, target: Path) -> None:
    """One page on a phone and on a desktop, side by side."""
    phone, desk = (seen(browser, address, width, "light", most) for width, most in ((390, LOW), (1280, 2 * LOW)))
    desk = desk.resize((desk.width // 2, desk.height // 2))
    whole = Image.new("RGB", (phone.width + GAP + desk.width, max(phone.height, desk.height)), "white")
    whole.paste(phone, (0, 0))
    whole.paste(desk, (phone.width + GAP, 0))
    whole.quantize(FEW).save(target, optimize=True)


def seen(browser: Browser, address: str, width: int, scheme: str, most: int) -> Image.Image:
    """A page as it looks so wide, as far down as it goes or `most` pixels."""
    page = browser.new_page(viewport={"width": width, "height": 700}, color_scheme=scheme)  # type: ignore[arg-type]
    page.goto(address)
    tall = min(most, int(page.evaluate("document.documentElement.scrollHeight")))
    page.set_viewport_size({"width": width, "height": tall})
    picture = Image.open(io.BytesIO(page.screenshot())).convert("RGB")
    page.close()
    return picture


if __name__ == "__main__":
    arguments = sys.argv[1:]
    sys.exit(main(arguments[1:], Path(arguments[0])) if arguments else main([]))
