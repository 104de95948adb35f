"""Pictures of the main hosted pages for docs/images/pages, in Chromium: `make screenshots`.

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
SHOTS = (
    ("gallery", 900, "light"),
    ("gallery", 390, "dark"),
    ("rated-Nora", 390, "light"),
    ("preferences-Aino", 390, "dark"),
    ("friend-Nora", 390, "light"),
)


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
            views = [(each, width, "light") for each in names for width in (390, 1280)] if wanted else list(SHOTS)
            for name, width, scheme in views:
                take(browser, pages[name], folder / f"{name}-{width}-{scheme}.png", width, scheme)
            browser.close()
    size = sum(each.stat().st_size for each in folder.glob("*.png"))
    sys.stdout.write(f"{len(views)} pictures in {folder.name}, {size // 1024} KB\n")
    return 0


def take(browser: Browser, address: str, target: Path, width: int, scheme: str) -> None:
    """One page whole, as far as TALLEST pixels, in few colours: a picture in a repository is there for ever."""
    page = browser.new_page(viewport={"width": width, "height": 700}, color_scheme=scheme)  # type: ignore[arg-type]
    page.goto(address)
    tall = min(TALLEST, int(page.evaluate("document.documentElement.scrollHeight")))
    page.set_viewport_size({"width": width, "height": tall})
    picture = Image.open(io.BytesIO(page.screenshot()))
    picture.convert("RGB").quantize(COLOURS).save(target, optimize=True)
    page.close()


if __name__ == "__main__":
    arguments = sys.argv[1:]
    sys.exit(main(arguments[1:], Path(arguments[0])) if arguments else main([]))
