"""Chromium over what customers and merchants see. Without Chromium every test here is skipped with one line."""

from __future__ import annotations

import shutil
import threading
from collections.abc import Iterator
from dataclasses import dataclass
from datetime import timedelta
from pathlib import Path
from urllib.parse import urlsplit

import pytest
from playwright.sync_api import Browser, sync_playwright
from werkzeug.serving import WSGIRequestHandler, make_server

from connector.pages import failed
from connector.testing.demo.mailbox import Mail, mailbox, read_mail
from connector.testing.demo.timeline import Timeline
from connector.testing.fakes.shopify import FakeUnavailable
from connector.testing.world import FLOWS, SHOPIFY, World
from flows.signing_up import signup_token
from tests.pages.life import AINO, NORA, START, link, order_arrives
from tests.pages.test_failed import bury

FLAGS = (
    "--no-sandbox",
    "--disable-gpu",
    "--disable-quic",
    "--no-first-run",
    "--disable-background-networking",
    "--disable-component-update",
    "--disable-sync",
)

KINDS = ("review", "unsubscribe", "preferences", "friend")
"""Pages that a mail of each buyer leads to."""
SETTINGS = {
    "signup": True,
    "flows": {**{name: {"file": name.replace("-", "_")} for name in FLOWS}, "opt-in": {"file": "opt_in"}},
}


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    here = Path(__file__).parent
    for item in items:
        if here in item.path.parents:
            item.add_marker(pytest.mark.browser)


# Once a module, not once a session: Playwright's event loop counts as running as long as it lives, and modules of other
# folders, which come in between in random order, could not start theirs.
@pytest.fixture(scope="module")
def browser() -> Iterator[Browser]:
    path = next(filter(None, map(shutil.which, ("chromium", "chromium-browser", "google-chrome"))), None)
    if path is None:
        pytest.skip("no Chromium: apt-get install chromium")
    with sync_playwright() as playwright:
        launched = playwright.chromium.launch(executable_path=path, args=list(FLAGS))
        yield launched
        launched.close()


@dataclass(frozen=True, slots=True)
class Site:
    """Addresses by name: `pages` of the product, `demo` of the demo's mailbox, and the mails themselves."""

    world: World
    pages: dict[str, str]
    demo: dict[str, str]
    mails: list[Mail]


class Silent(WSGIRequestHandler):
    def log(self, type: str, message: str, *args: object) -> None:  # noqa: A002 - werkzeug's name
        """Requests are not news."""


@pytest.fixture(scope="module")
def site(browser: Browser, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Site]:
    """Two buyers asked for reviews and invited to recommend, and the mailbox that shows all of it."""
    try:
        with World(tmp_path_factory.mktemp("browser"), START, settings=SETTINGS, unchecked=True) as world:
            order_arrives(world, NORA)
            order_arrives(world, AINO)
            world.wait(days=25)
            stories = Timeline(world, [(SHOPIFY, str(NORA.email)), (SHOPIFY, str(AINO.email))]).stories()
            mails = [read_mail(number, kept) for number, kept in enumerate(world.sink.messages)]
            server = make_server("127.0.0.1", 0, mailbox(mails, stories), threaded=True, request_handler=Silent)
            thread = threading.Thread(target=server.serve_forever, daemon=True)
            thread.start()
            demo = f"http://127.0.0.1:{server.port}"
            yield Site(world, product_pages(world), demo_pages(demo, len(mails)), mails)
            server.shutdown()
            thread.join()
            server.server_close()
    except FakeUnavailable as reason:
        pytest.skip(str(reason))


def product_pages(world: World) -> dict[str, str]:
    url = world.serving.url
    bury(
        world, SHOPIFY, 3, "line_items[0].price: <b>'twelve'</b> is no amount of money; expected a text like \"12.00\""
    )
    dead = failed.new_link(world.kiitos, SHOPIFY, timedelta(days=3650))
    found = {"gone": f"{url}/p/review/{'0' * 26}", "dead": f"{url}{urlsplit(dead).path}"}
    for buyer, language in ((NORA, "en"), (AINO, "fi")):
        found[f"signup-{buyer.first_name}"] = (
            f"{url}/p/signup/{signup_token(world.kiitos.salt, SHOPIFY)}?lang={language}"
        )
    for buyer in (NORA, AINO):
        for kind in KINDS:
            found[f"{kind}-{buyer.first_name}"] = url + link(world, buyer, kind)
        found[f"rated-{buyer.first_name}"] = f"{found[f'review-{buyer.first_name}']}?rating=4"
    return found


def demo_pages(url: str, mails: int) -> dict[str, str]:
    return {
        "index": f"{url}/",
        "first mail": f"{url}/mail/0",
        "last mail": f"{url}/mail/{mails - 1}",
        "customer": f"{url}/customer/0",
    }
