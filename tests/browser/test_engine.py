"""A browser that dies under a test costs that test a second run and nothing else; a test that fails, fails."""

from __future__ import annotations

from collections import Counter
from types import SimpleNamespace
from typing import Any

import pytest
from playwright.sync_api import Error

from tests.browser import engine
from tests.browser.checks import opened
from tests.browser.engine import Engine

runs: Counter[str] = Counter()


def crash(browser: Engine) -> None:
    """As a fault in Chromium ends it. https://chromedevtools.github.io/devtools-protocol/tot/Browser/#method-crash"""
    real = browser.browser()
    with pytest.raises(Error):
        real.new_browser_cdp_session().send("Browser.crash")


@pytest.mark.parametrize("when", ["under the test", "and again"])
def test_a_crash_is_not_the_pages_fault(browser: Engine, when: str) -> None:
    """Twice: the second test of the module has a living browser to begin with."""
    runs[when] += 1
    if runs[when] == 1:
        crash(browser)
    with opened(browser, 390, "light") as (page, complaints):
        page.goto("data:text/html,<h1>here</h1>")
        assert page.inner_text("h1") == "here"
    assert complaints == []
    assert runs[when] == 2


def test_a_living_browser_is_not_called_dead(browser: Engine) -> None:
    assert browser.died() == ""
    crash(browser)
    assert browser.died() == "Chromium is gone"
    browser.renew()
    assert browser.died() == ""
    assert browser.browser().is_connected()


@pytest.mark.parametrize("why", ["", "Chromium is gone"])
def test_only_a_death_is_noted(monkeypatch: pytest.MonkeyPatch, why: str) -> None:
    monkeypatch.setattr(Engine, "died", lambda self: why)
    item: Any = SimpleNamespace(funcargs={"browser": Engine("nowhere")}, stash={})
    report: Any = SimpleNamespace(when="call", failed=True)
    engine.note_death(item, report)
    assert item.stash.get(engine.DIED, "") == why
