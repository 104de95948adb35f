"""Chromium for the tests here, and what happens when it dies under one of them.

A browser that crashed says nothing about the page it showed, and takes every later test of its module with it. So the
test under which it died is run once more with a new one, and the end of the run names it. A test that failed in a
browser that lives has failed.
"""

from __future__ import annotations

import contextlib
import shutil
from collections.abc import Iterator
from typing import Any

import pytest
from _pytest.runner import runtestprotocol
from playwright.sync_api import Browser, BrowserContext, Error, sync_playwright

from tests.again import AGAIN

FLAGS = (
    "--no-sandbox",
    "--disable-gpu",
    "--disable-quic",
    "--no-first-run",
    "--disable-background-networking",
    "--disable-component-update",
    "--disable-sync",
)
ANSWERS_WITHIN = 20_000
"""Milliseconds for an empty page: a machine that does twenty things at once needs two seconds."""
DIED = pytest.StashKey[str]()


def chromium() -> str:
    path = next(filter(None, map(shutil.which, ("chromium", "chromium-browser", "google-chrome"))), None)
    return path or pytest.skip("no Chromium: apt-get install chromium")


class Engine:
    """What tests use of a `Browser`; begun when it is first asked for, and anew after `renew`."""

    def __init__(self, path: str) -> None:
        self._path = path
        self._stack = contextlib.ExitStack()
        self._browser: Browser | None = None

    def new_context(self, **options: Any) -> BrowserContext:
        return self.browser().new_context(**options)

    def browser(self) -> Browser:
        if self._browser is None:
            playwright = self._stack.enter_context(sync_playwright())
            self._browser = playwright.chromium.launch(executable_path=self._path, args=list(FLAGS))
        return self._browser

    def died(self) -> str:
        """Why it is of no use any more; empty for one that shows an empty page."""
        if self._browser is None:
            return ""
        if not self._browser.is_connected():
            return "Chromium is gone"
        try:
            with contextlib.closing(self._browser.new_context()) as context:
                context.new_page().goto("about:blank", timeout=ANSWERS_WITHIN)
        except Error as error:
            return f"Chromium shows nothing: {error.message.splitlines()[0]}"
        return ""

    def renew(self) -> None:
        browser, self._browser = self._browser, None
        if browser is not None:
            with contextlib.suppress(Error):  # it is dead
                browser.close()
        self._stack.close()


@contextlib.contextmanager
def running() -> Iterator[Engine]:
    engine = Engine(chromium())
    try:
        yield engine
    finally:
        engine.renew()


def note_death(item: pytest.Item, report: pytest.TestReport) -> None:
    """Called while the test's fixtures still live."""
    engine = getattr(item, "funcargs", {}).get("browser")
    if report.failed and report.when in ("setup", "call") and isinstance(engine, Engine) and (why := engine.died()):
        item.stash[DIED] = why
        engine.renew()


def run(item: pytest.Item, nextitem: pytest.Item | None) -> None:
    """The test, and once more if the browser died under it the first time."""
    where = {"nodeid": item.nodeid, "location": item.location}
    item.ihook.pytest_runtest_logstart(**where)
    reports = runtestprotocol(item, log=False, nextitem=nextitem)
    if why := item.stash.get(DIED, ""):
        reports = runtestprotocol(item, log=False, nextitem=nextitem)
        for report in reports:
            report.user_properties.append((AGAIN, f"with a new browser: {why}"))
    for report in reports:
        item.ihook.pytest_runtest_logreport(report=report)
    item.ihook.pytest_runtest_logfinish(**where)
