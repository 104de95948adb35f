"""Chromium over what customers and merchants see. Without Chromium every test here is skipped with one line."""

from __future__ import annotations

import threading
from collections.abc import Generator, Iterator
from dataclasses import dataclass
from pathlib import Path

import pytest
from werkzeug.serving import WSGIRequestHandler, make_server

from connector.testing.demo.mailbox import Mail, mailbox, read_mail
from connector.testing.demo.timeline import Timeline
from connector.testing.fakes.shopify import FakeUnavailable
from connector.testing.world import SHOPIFY, World
from tests.browser import engine, sights
from tests.pages.life import AINO, NORA, START, order_arrives


def _ours(item: pytest.Item) -> bool:
    return Path(__file__).parent in item.path.parents


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    for item in items:
        if _ours(item):
            item.add_marker(pytest.mark.browser)


@pytest.hookimpl(wrapper=True, tryfirst=True)
def pytest_runtest_makereport(item: pytest.Item) -> Generator[None, pytest.TestReport, pytest.TestReport]:
    report = yield
    engine.note_death(item, report)
    return report


def pytest_runtest_protocol(item: pytest.Item, nextitem: pytest.Item | None) -> bool | None:
    if not _ours(item):
        return None
    engine.run(item, nextitem)
    return True


# Once a module, not once a session: Playwright's event loop counts as running as long as it lives, and modules of other
# folders, which come in between in random order, could not start theirs.
@pytest.fixture(scope="module")
def browser() -> Iterator[engine.Engine]:
    with engine.running() as chromium:
        chromium.browser()
        yield chromium


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


@pytest.fixture(scope="session")
def site(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Site]:
    """Two buyers asked for reviews and invited to recommend, and the mailbox that shows all of it. Built once for all
    modules: a test that changes something for good has a world of its own."""
    engine.chromium()
    folder = tmp_path_factory.mktemp("browser")
    try:
        with World(folder, START, settings=sights.settings(folder), unchecked=True) as world:
            order_arrives(world, NORA)
            order_arrives(world, AINO)
            sights.prepare(world)
            world.wait(days=25)
            stories = Timeline(world, [(SHOPIFY, str(NORA.email)), (SHOPIFY, str(AINO.email))]).stories()
            mails = [read_mail(number, kept) for number, kept in enumerate(world.sink.messages)]
            server = make_server("127.0.0.1", 0, mailbox(mails, stories), threaded=True, request_handler=Silent)
            thread = threading.Thread(target=server.serve_forever, daemon=True)
            thread.start()
            demo = f"http://127.0.0.1:{server.port}"
            yield Site(world, sights.pages(world), demo_pages(demo, len(mails)), mails)
            server.shutdown()
            thread.join()
            server.server_close()
    except FakeUnavailable as reason:
        pytest.skip(str(reason))


def demo_pages(url: str, mails: int) -> dict[str, str]:
    return {
        "index": f"{url}/",
        "first mail": f"{url}/mail/0",
        "last mail": f"{url}/mail/{mails - 1}",
        "customer": f"{url}/customer/0",
    }
