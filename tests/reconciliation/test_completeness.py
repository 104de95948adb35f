"""The completeness report, by function and by command."""

from __future__ import annotations

import json
from collections.abc import Callable
from datetime import timedelta
from types import SimpleNamespace
from typing import Any

import pytest
from click.testing import CliRunner, Result

from connector.cli.shops import shops
from connector.reconciliation import backfill, measure
from connector.testing.world import SHOPIFY, WOO
from tests.reconciliation.conftest import Town

Run = Callable[..., Result]


@pytest.fixture
def run(town: Town) -> Run:
    """A command against the town, as if its configuration had been loaded from a file."""

    def invoke(*words: str) -> Result:
        app: Any = SimpleNamespace(kiitos=town.kiitos, config=town.kiitos.config)
        return CliRunner().invoke(shops, list(words), obj=app)

    return invoke


def test_how_orders_came_and_how_late(town: Town) -> None:
    town.live(hours=1, orders_every=4, shops=(SHOPIFY,))
    town.shopify.weather.lose = 1.0
    town.live(hours=1, orders_every=4, shops=(SHOPIFY,))
    town.live(minutes=20)
    town.worker.reconciler = None
    lost = town.buy(SHOPIFY)
    town.live(minutes=2)
    found = measure(town.kiitos, SHOPIFY)
    assert (found.in_shop, found.by_webhook, found.by_poll, found.missing) == (7, 3, 3, (str(lost["id"]),))
    assert found.missing_count == 1
    assert found.median_delay is not None
    assert found.worst_delay is not None
    assert 0 <= found.median_delay < found.worst_delay <= 15 * 60 + 5


def test_the_sweep_is_told_apart(town: Town) -> None:
    town.woo.weather.lose = 1.0
    town.buy(WOO)
    town.live(minutes=30)
    hidden = town.buy(WOO)
    town.woo.set_date(hidden, "date_modified", town.clock.now() - timedelta(hours=1))
    town.wait(days=1)
    found = measure(town.kiitos, WOO)
    assert (found.in_shop, found.by_webhook, found.by_poll, found.by_sweep, found.missing_count) == (2, 0, 1, 1, 0)


def test_the_command(town: Town, run: Run) -> None:
    town.live(minutes=30, orders_every=3, shops=(WOO,))
    shown = run("completeness", WOO, "--json")
    assert shown.exit_code == 0, shown.output
    assert json.loads(shown.output)["in_shop"] == 2
    town.woo.weather.lose = 1.0
    order = town.buy(WOO)
    town.live(minutes=2)
    lines = run("completeness", WOO)
    assert lines.exit_code == 1
    assert f"missing: {order['id']}" in lines.output
    assert "median delay" in lines.output


def test_webhooks_by_command(town: Town, run: Run) -> None:
    number = next(iter(town.woo.queue.hooks))
    del town.woo.queue.hooks[number]
    looked = run("webhooks", WOO)
    assert looked.exit_code == 1
    assert "missing" in looked.output
    assert len(town.woo.queue.hooks) == 10
    repaired = run("webhooks", WOO, "--repair", "--json")
    assert repaired.exit_code == 0, repaired.output
    assert [fault["fault"] for fault in json.loads(repaired.output)["repaired"]] == ["missing"]
    assert run("webhooks", WOO).exit_code == 0


def test_backfill_by_command_tells_how_far_it_is(town: Town, run: Run) -> None:
    now = town.clock.now()
    town.clock.set(now - timedelta(days=500))
    for shop in (SHOPIFY, WOO):
        for _ in range(3):
            town.buy(shop)
    town.shopify.outbox.pending.clear()
    town.woo.queue.pending.clear()
    town.clock.set(now)
    for shop in (SHOPIFY, WOO):
        assert "0 orders; 0 could not be read" in run("backfill", shop).output
        result = run("backfill", shop, "--years", "2")
        assert result.exit_code == 0, result.output
        assert "3 orders; 0 could not be read" in result.stdout
        assert "of about" in result.stderr
    town.live(minutes=30)
    assert town.missing() == []
    assert sum(town.mailed().values()) == 0


def test_a_stopped_backfill_is_gone_on_with_by_the_worker(
    town: Town, run: Run, monkeypatch: pytest.MonkeyPatch
) -> None:
    now = town.clock.now()
    town.clock.set(now - timedelta(days=100))
    town.buy(WOO)
    town.woo.queue.pending.clear()
    town.clock.set(now)
    read = backfill._read_page
    pages: list[str] = []

    def stopping(work: Any, adapter: Any, kind: str) -> float:
        pages.append(kind)
        if kind == "order" and pages.count("order") == 1:
            raise KeyboardInterrupt
        return read(work, adapter, kind)

    monkeypatch.setattr(backfill, "_read_page", stopping)
    stopped = run("backfill", WOO)
    assert stopped.exit_code == 130
    assert "goes on from here" in stopped.stderr
    assert town.missing() != []
    town.live(minutes=5)
    assert town.missing() == []
    assert pages.count("product") == 1, "what had been read is not read again"
