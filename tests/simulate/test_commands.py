"""`kiitos backtest`, `kiitos flows diff` and `kiitos simulate` on a small shop's own past."""

from __future__ import annotations

import json
from collections.abc import Iterator
from dataclasses import replace
from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest
import sqlite_utils
from click.testing import CliRunner, Result

from connector.app import build
from connector.cli import cli
from connector.clock import SystemClock
from connector.config import load_config
from connector.model import Event, EventKind
from connector.rehearsal.others import Answering
from connector.rehearsal.platform import Recording
from connector.simulate import forward, shards
from connector.simulate.playbook import MEMORY_CHANNEL, of_shop, with_flows
from connector.simulate.shards import Look, look_back
from connector.store import applied
from connector.store.applied import AppliedFlow, AppliedState
from connector.testing.histories import History, keep
from flows.catalog import LIBRARY
from flows.channels.memory import Memory
from tests.simulate.product import BEGIN, KEY, SHOP, essence, looked_back, moments, playbook, window

FILE = """
schema = 1
[app]
database = "sqlite:///kiitos.db"
base_url = "https://kiitos.example"
master_key = { env = "KIITOS_TEST_KEY" }
[channels.mail]
kind = "memory"
[defaults]
email = "mail"
soft_opt_in = ["review", "referral"]
costs = { email = "0.001 EUR", reward_use = 0.2 }
[defaults.flows]
order-confirmation = { file = "order_confirmation" }
review-request = { file = "review_request" }
[clients.demo.shops.aurora]
platform = "shopify"
domain = "aurora-demo.myshopify.com"
name = "Aurora"
sender = "Aurora <orders@aurora.example>"
address = ["Esimerkkikatu 1"]
timezone = "Europe/Helsinki"
country = "FI"
"""
SPAN = ("--shop", SHOP, "--from", "2026-03-02", "--to", "2027-06-01", "--jobs", "1")


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Path]:
    where = tmp_path_factory.mktemp("past")
    (where / "app.toml").write_text(FILE)
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("KIITOS_TEST_KEY", KEY)
        kiitos = build(load_config(where / "app.toml"))
        with kiitos.store.work.transaction() as tx:
            for told in history():
                keep(tx, SHOP, told, BEGIN)
        kiitos.close()
        yield where


def history() -> Iterator[list[Event]]:
    return History(playbook().settings.shop, BEGIN, seed=11).people(20)


def run(folder: Path, *words: str) -> Result:
    return CliRunner().invoke(cli, ["-c", str(folder / "app.toml"), *words], catch_exceptions=False)


def test_a_backtest_tells_who_would_have_got_what(folder: Path) -> None:
    shown = run(folder, "backtest", *SPAN)
    assert shown.exit_code == 0
    assert "20 orders" in shown.stdout
    assert "order-confirmation" in shown.stdout
    told = json.loads(run(folder, "backtest", *SPAN, "--json").stdout)
    flows = {flow["flow"]: flow for flow in told["flows"]}
    assert flows["order-confirmation"]["messages"] == 20
    assert flows["order-confirmation"]["cost"]["total"] == "0.02"
    assert sum(day["sent"] for day in told["days"] if day["kind"] == "message") == sum(
        f["messages"] for f in told["flows"]
    )


def test_it_is_what_the_scene_gives(folder: Path) -> None:
    """The command's way (store, groups, unwinding, sums) against the lives themselves."""
    book = of_shop(load_config(folder / "app.toml"), SHOP)
    lived = looked_back(book, [moments(told) for told in history()], window(456))
    told = json.loads(run(folder, "backtest", *SPAN, "--json").stdout)
    sent = [each for each in essence(lived.deeds) if each[3] == "sent"]
    assert sum(flow["messages"] + flow["acts"] for flow in told["flows"]) == len(sent) > 40


def test_several_processes_give_the_same(folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("connector.simulate.groups.CHUNK", 5)
    config = load_config(folder / "app.toml")
    look = Look(
        database=config.app.database, inbox=config.app.inbox, playbooks=(of_shop(config, SHOP),), window=window(456)
    )
    seen: list[tuple[int, int]] = []
    one, two = look_back(look), look_back(look, jobs=2, progress=lambda *now: seen.append(now))
    assert one.tallies == two.tallies
    assert seen[-1] == (20, 20)


def test_nothing_is_written(folder: Path) -> None:
    before = rows(folder)
    run(folder, "backtest", *SPAN)
    run(folder, "simulate", "--shop", SHOP, "--order", "1-1")
    assert rows(folder) == before
    assert before["orders"] == 20
    assert before["effects"] == 0


def rows(folder: Path) -> dict[str, int]:
    """How many rows each table holds."""
    database = sqlite_utils.Database(folder / "kiitos.db")
    return {table.name: table.count for table in database.tables}


def test_a_flow_the_shop_has_not_yet_is_looked_at(folder: Path) -> None:
    told = json.loads(run(folder, "backtest", *SPAN, "--flow", "delivery_updates", "--json").stdout)
    assert [flow["flow"] for flow in told["flows"]] == ["delivery-updates"]
    assert told["flows"][0]["messages"] > 20


def test_alone_a_flow_has_no_neighbours(folder: Path) -> None:
    book = of_shop(load_config(folder / "app.toml"), SHOP)
    alone = with_flows(book, ["review_request"], alone=True)
    assert [flow.id for flow in alone.flows()] == ["review-request"]
    assert [flow.id for flow in with_flows(book, ["review_request"]).flows()] == [
        "order-confirmation",
        "review-request",
    ]


def test_a_shop_with_a_page_for_signing_up_is_looked_at_flow_by_flow() -> None:
    flows = ("order_confirmation", "opt_in", "review_request")
    alone = with_flows(playbook(flows, signup=True), ["review_request"], alone=True)
    assert [flow.id for flow in alone.flows()] == ["review-request"]


@pytest.mark.parametrize(
    ("words", "sentence"),
    [
        (("backtest", "--shop", SHOP, "--flow", "reveiw_request"), "did you mean"),
        (("backtest", "--shop", "demo-arora"), "no shop 'demo-arora'"),
        (("backtest", "--shop", SHOP, "--from", "2026-05-01", "--to", "2026-04-01"), "is not before"),
        (("flows", "diff", "now", "feedbeef", "--shop", SHOP), "no version 'feedbeef'"),
        (("flows", "diff", "now", "gone.toml", "--shop", SHOP), "cannot be read"),
        (("simulate", "--shop", SHOP), "name one of --order and --email"),
        (("simulate", "--shop", SHOP, "--order", "1-1", "--if", "3d deliverd"), "did you mean"),
    ],
)
def test_what_cannot_be_looked_at_is_said(folder: Path, words: tuple[str, ...], sentence: str) -> None:
    found = CliRunner().invoke(cli, ["-c", str(folder / "app.toml"), *words])
    assert found.exit_code != 0
    assert sentence in str(found.exception) + found.output


def test_a_diff_names_what_an_edit_does(folder: Path) -> None:
    text = LIBRARY.joinpath("review_request.toml").read_text("utf-8")
    (folder / "later.toml").write_text(text.replace('wait = "10d"', 'wait = "12d"'))
    found = json.loads(run(folder, "flows", "diff", "now", str(folder / "later.toml"), *SPAN, "--json").stdout)
    ask = next(change for change in found["changes"] if change["what"] == "review_request")
    assert ask["shifted"] > 3
    assert set(ask["days_later"]) == {"2"}
    shown = run(folder, "flows", "diff", "now", str(folder / "later.toml"), *SPAN).stdout
    assert f"{ask['shifted']} by 2 d later" in shown


def test_a_version_against_itself_is_no_difference(folder: Path) -> None:
    (folder / "same.toml").write_text(FILE)
    assert "no difference" in run(folder, "flows", "diff", "app.toml", str(folder / "same.toml"), *SPAN).stdout


def test_a_version_people_ran_on_can_be_named(folder: Path) -> None:
    config = load_config(folder / "app.toml")
    kiitos = build(config)
    flow = next(flow for flow in kiitos.catalog.flows(SHOP) if flow.id == "review-request")
    with kiitos.store.work.transaction() as tx:
        kiitos.catalog.pin(tx, SHOP, flow, BEGIN)
    kiitos.close()
    assert "no difference" in run(folder, "flows", "diff", flow.version, "now", *SPAN).stdout


def test_what_was_applied_can_be_compared(folder: Path) -> None:
    """A state of the store against the file, and one that there is not."""
    kiitos = build(load_config(folder / "app.toml"))
    flow = next(flow for flow in kiitos.catalog.flows(SHOP) if flow.id == "review-request")
    entry = AppliedFlow(flow_id=flow.id, version=flow.version)
    state = AppliedState(shop_id=SHOP, state=7, at=BEGIN, who="test", what="apply", flows=(entry,))
    with kiitos.store.work.transaction() as tx:
        kiitos.catalog.pin(tx, SHOP, flow, BEGIN)
        applied.append(tx, state)
    kiitos.close()
    found = json.loads(run(folder, "flows", "diff", "7", "now", *SPAN, "--json").stdout)
    assert {change["flow"] for change in found["changes"]} == {"order-confirmation"}
    assert found["added"] == 20
    missing = CliRunner().invoke(cli, ["-c", str(folder / "app.toml"), "flows", "diff", "8", "now", "--shop", SHOP])
    assert "nothing was applied" in str(missing.exception)


def test_interrupted_it_tells_of_what_was_seen(folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("connector.simulate.groups.CHUNK", 5)
    watch, count = shards.Watcher.watch, 0

    def stopped(self: shards.Watcher, people: list[list[str]]) -> shards.Seen:
        nonlocal count
        count += 1
        if count == 3:
            raise KeyboardInterrupt
        return watch(self, people)

    monkeypatch.setattr(shards.Watcher, "watch", stopped)
    found = run(folder, "backtest", *SPAN, "--json")
    assert found.exit_code == 130
    assert 0 < json.loads(found.stdout)["orders"] < 20
    assert "interrupted" in found.stderr


def test_a_picture_is_drawn(folder: Path) -> None:
    run(folder, "backtest", *SPAN, "--svg", str(folder / "year.svg"))
    assert (folder / "year.svg").read_text().startswith("<svg")


# -- simulate ----------------------------------------------------------------------------------------------------------


@pytest.fixture
def living(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A shop with one order of today, which its flows have seen."""
    monkeypatch.setenv("KIITOS_TEST_KEY", KEY)
    (tmp_path / "app.toml").write_text(FILE)
    kiitos = build(load_config(tmp_path / "app.toml"))
    now = SystemClock().now() - timedelta(minutes=1)
    told = next(iter(History(playbook().settings.shop, now, seed=3).people(1)))
    first = [event for event in told if event.kind in (EventKind.ORDER_CREATED, EventKind.ORDER_PAID)]
    shift = now - first[0].at
    with kiitos.store.work.transaction() as tx:
        for event in first:
            assert event.order is not None
            order = replace(event.order, placed_at=now, updated_at=now, paid_at=now)
            kiitos.runner.ingest(tx, SHOP, [replace(event, at=event.at + shift, order=order)], now)
    kiitos.close()
    return tmp_path


def test_an_order_is_seen_forward(living: Path) -> None:
    shown = run(living, "simulate", "--shop", SHOP, "--order", "1-1")
    assert shown.exit_code == 0
    assert "SENT order_confirmation to the customer" in shown.stdout
    assert "review_request" not in shown.stdout


def test_what_is_assumed_happens(living: Path) -> None:
    words = ("--email", "buyer1@example.test", "--if", "1d shipped", "--if", "3d delivered")
    found = json.loads(run(living, "simulate", "--shop", SHOP, *words, "--json").stdout)
    texts = [(step["what"], step["text"]) for step in found["steps"]]
    assert ("happens", "delivered") in texts
    assert ("sent", "review_request to the customer") in texts
    assert ("sent", "review_reminder to the customer") in texts
    less = run(living, "simulate", "--shop", SHOP, *words, "--if", "5d refunded").stdout
    assert "review_request" not in less
    assert "refund.created" in less


def test_nobody_outside_hears_of_what_is_imagined(living: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Neither the shop's platform, nor a mail server, nor a system or chat that a flow calls."""
    built = []
    real = forward._build

    def build_and_keep(*given: Any) -> Any:
        built.append(real(*given))
        return built[-1]

    monkeypatch.setattr(forward, "_build", build_and_keep)
    run(living, "simulate", "--shop", SHOP, "--order", "1-1", "--if", "1d shipped")
    (kiitos,) = built
    settings = kiitos.catalog.settings(SHOP)
    assert isinstance(kiitos.caller, Answering)
    assert isinstance(kiitos.registry.platform("shopify"), Recording)
    assert isinstance(kiitos.channel(settings), Memory)
    assert set(settings.channels.values()) <= {MEMORY_CHANNEL}
    assert not settings.secrets


def test_somebody_unknown_is_said(living: Path) -> None:
    found = run(living, "simulate", "--shop", SHOP, "--order", "4711")
    assert found.exit_code == 1
    assert "nobody and nothing called '4711'" in found.stderr
