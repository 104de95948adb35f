"""`kiitos flows held|release|pause|resume` and `kiitos customers calendar`: what they print, and their exit codes."""

from __future__ import annotations

import json
from collections.abc import Iterator
from datetime import timedelta
from pathlib import Path

import pytest
from click.testing import CliRunner, Result

from connector import app as application
from connector.cli import cli
from connector.clock import to_text
from connector.model import EffectStatus, Ref
from connector.store import wakeups
from connector.store.store import Store
from connector.store.wakeups import Wakeup
from tests.engine.fair_world import SHOPS, START, FairWorld, Wanted, address, without_rendering

NORTH, SOUTH = SHOPS


@pytest.fixture
def world(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[FairWorld]:
    """A world whose application the commands use."""
    store = Store.open(f"sqlite:///{tmp_path}/work.db")
    world = FairWorld(tmp_path, store, {"daily": 2})
    monkeypatch.setattr(application, "load", lambda *_: world.kiitos)
    monkeypatch.setattr("connector.cli.context.load_config", lambda *_, **__: world.kiitos.config)
    monkeypatch.setattr("connector.cli.context.App.catalog", world.kiitos.catalog)
    with without_rendering():
        yield world
    store.close()


def run(*words: str) -> Result:
    return CliRunner().invoke(cli, words)


def some_held(world: FairWorld) -> None:
    for person in range(4):
        world.want(Wanted(START, NORTH, "low", person))
    world.pass_until(START)


def test_nothing_is_held(world: FairWorld) -> None:
    assert run("flows", "held").exit_code == 1
    gone = run("flows", "release", NORTH, "low")
    assert (gone.exit_code, gone.stderr) == (1, f"nothing of a flow 'low' is held in {NORTH}\n")


def test_what_is_held_is_listed_and_released_bit_by_bit(world: FairWorld) -> None:
    some_held(world)
    listed = run("flows", "held", NORTH)
    assert listed.exit_code == 0
    assert "over_budget: the flow has sent its 2 messages of today" in listed.output
    (row,) = json.loads(run("flows", "held", "--json").output)["held"]
    assert (row["flow"], row["messages"]) == ("low", 2)
    assert "did you mean 'low'" in run("flows", "release", NORTH, "lwo").stderr
    assert run("flows", "release", NORTH, "low", "--limit", "1").output == f"1 messages of low in {NORTH} released\n"
    world.pass_until(START)
    assert len(world.sent) == 3
    assert run("flows", "release", NORTH, "low", "--drop").output == f"1 messages of low in {NORTH} dropped\n"
    last = world.rows()[-1]
    assert (last.status, last.reason) == (EffectStatus.SKIPPED, "not_released: a person decided against it")
    assert run("flows", "held").exit_code == 1


def test_a_flow_is_paused_and_goes_on(world: FairWorld) -> None:
    assert run("flows", "pause", NORTH, "lwo").exit_code == 2
    assert run("flows", "resume", NORTH, "low").exit_code == 1
    assert "is paused: bad text" in run("flows", "pause", NORTH, "low", "--reason", "bad text").output
    assert "was paused already" in run("flows", "pause", NORTH, "low").output
    world.want(Wanted(START, NORTH, "low", 0))
    world.pass_until(START)
    told = json.loads(run("flows", "held", "--json").output)
    assert [one["why"] for one in told["paused"]] == ["bad text"]
    assert [one["why"] for one in told["held"]] == ["flow_paused: the flow is paused: bad text"]
    again = run("flows", "resume", NORTH, "low").output
    assert f"1 messages are held: kiitos flows release {NORTH} low" in again


def test_a_customers_calendar_over_the_shops_of_a_client(world: FairWorld) -> None:
    world.want(Wanted(START, NORTH, "high", 0))
    world.want(Wanted(START, SOUTH, "low", 0))
    world.want(Wanted(START, "other-east", "low", 0))
    world.pass_until(START)
    found = json.loads(run("customers", "calendar", address(0), "--shop", SOUTH, "--json").output)
    assert [(one["shop"], one["flow"], one["state"]) for one in found["appointments"]] == [
        (NORTH, "high", "sent"),
        (SOUTH, "low", "deferred"),
    ]
    assert found["appointments"][1]["why"] == "capped: the person has just heard from high of c-north"
    assert found["free_from"] == {"email": "2026-03-03T01:00:00.000000Z"}
    shown = run("customers", "calendar", address(0), "--shop", SOUTH).output
    assert "next marketing message by email: not before 2026-03-03 01:00 UTC" in shown


def test_the_calendar_knows_what_is_still_to_come(world: FairWorld) -> None:
    moment = START + timedelta(days=9)
    waking = Wakeup(
        shop_id=NORTH,
        flow_id="birthday",
        subject=Ref("customer", "p0"),
        trigger_key="k",
        due_at=moment,
        moment=moment,
        origin="",
        customer_id="p0",
        email_key=address(0),
    )
    with world.store.work.transaction() as tx:
        wakeups.put(tx, waking)
    (one,) = json.loads(run("customers", "calendar", address(0), "--shop", NORTH, "--json").output)["appointments"]
    assert (one["flow"], one["state"], one["at"]) == ("birthday", "planned", to_text(moment))


def test_a_stranger_has_no_calendar(world: FairWorld) -> None:
    assert run("customers", "calendar", "nobody@example.test", "--shop", NORTH).exit_code == 1
    assert run("customers", "calendar", "nobody", "--shop", NORTH).exit_code == 2
