"""Every page of the sweep: looking changes nothing, a token opens what it is for and nothing else, and its words fit
when they are twice as long."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any
from urllib.parse import urlsplit

import pytest
from flask import Flask
from flask.testing import FlaskClient
from playwright.sync_api import Browser

from connector.app import create_app
from connector.pages import frame
from connector.store import meta
from tests.browser.checks import opened
from tests.browser.conftest import Site
from tests.browser.test_sweep import too_wide
from tests.pages.life import snapshot

SHARED = {frozenset({"unsubscribe", "preferences"}), frozenset({"order", "case"})}
"""Kinds of pages that one token is meant to open."""
POSTED = {"scope": "marketing", "do": "save", "rating-1": "5", "score": "1", "answer": "approved", "reward": "five"}


@pytest.fixture(scope="module")
def app(site: Site) -> Flask:
    return create_app(site.world.kiitos)


def kept(site: Site) -> Mapping[str, list[tuple[Any, ...]]]:
    """All that nobody but a person may change (who opened a counted link is written down)."""
    return {name: rows for name, rows in snapshot(site.world).items() if name != "clicks"}


def crawl(visitor: FlaskClient, pages: Mapping[str, str]) -> int:
    """Open every page three times as scanners do, with and without what they add."""
    opened_pages = 0
    for url in pages.values():
        parts = urlsplit(url)
        for more in ("", "done=1", "utm_source=%3Cscript%3E&rating=5&do=erase_now&scope=all&reward=five"):
            query = "&".join(filter(None, (parts.query, more)))
            for method in ("GET", "HEAD"):
                assert visitor.open(f"{parts.path}?{query}", method=method).status_code in (200, 404)
                opened_pages += 1
    return opened_pages


def test_looking_changes_nothing(site: Site, app: Flask) -> None:
    visitor, before = app.test_client(use_cookies=False), kept(site)
    assert crawl(visitor, site.pages) == len(site.pages) * 6
    assert kept(site) == before


def test_a_page_that_writes_when_it_is_looked_at_is_found(site: Site) -> None:
    """Control: a planted page that counts its visitors."""
    app = create_app(site.world.kiitos)

    def count() -> str:
        with site.world.kiitos.store.work.transaction() as tx:
            meta.put(tx, "planted", "seen", site.world.clock.now())
        return "seen"

    app.add_url_rule("/p/planted", "planted", count)
    before = kept(site)
    crawl(app.test_client(use_cookies=False), {"planted": "http://127.0.0.1/p/planted"})
    assert kept(site) != before


def kinds(app: Flask) -> dict[str, str]:
    """Addresses that take one token, by the page's name."""
    rules = [rule for rule in app.url_map.iter_rules() if rule.rule.startswith("/p/") and rule.arguments == {"token"}]
    return {rule.rule.split("/")[2]: rule.rule for rule in rules}


def test_a_token_opens_what_it_is_for_and_nothing_else(site: Site, app: Flask) -> None:
    visitor, before, tried = app.test_client(use_cookies=False), kept(site), 0
    every = kinds(app)
    for url in site.pages.values():
        parts = urlsplit(url).path.split("/")
        if len(parts) != 4 or parts[2] not in every:
            continue
        for kind, rule in every.items():
            if kind == parts[2] or frozenset({kind, parts[2]}) in SHARED:
                continue
            path = rule.replace("<token>", parts[3])
            assert visitor.get(path).status_code == 404, (parts[2], path)
            answer = visitor.post(path, data=POSTED)
            # One-click unsubscribing says yes to everybody: it tells nobody which tokens there are.
            assert answer.status_code in ((200, 404, 405) if kind == "unsubscribe" else (404, 405)), (parts[2], path)
            tried += 1
    assert tried > 50
    assert kept(site) == before


def test_words_twice_as_long_fit(browser: Browser, site: Site, monkeypatch: pytest.MonkeyPatch) -> None:
    real = frame.strings
    monkeypatch.setattr(frame, "strings", lambda language: {k: f"{v} {v}" for k, v in real(language).items()})
    faults = []
    with opened(browser, 320, "light") as (page, _):
        for name, url in site.pages.items():
            page.goto(url)
            faults += [f"{name}: {each}" for each in too_wide(page)]
        page.goto("about:blank")
        page.set_content("<p style='width:600px'>control</p>")
        assert too_wide(page)
    assert faults == []
