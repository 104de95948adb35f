"""What the phases of restarting, sleeping and killing make of what they saw."""

from __future__ import annotations

import sqlite3
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from bench.figures import Results
from bench.phases import kills, restart, sleepers
from bench.plan import Bench
from bench.systems import System

NOON, LATER = "2026-11-23T12:00:00.000000Z", "2026-11-23T12:00:00.000001Z"


@pytest.mark.parametrize(
    ("status", "wake_at", "left"),
    [("sleeping", NOON, True), ("sleeping", LATER, False), ("done", NOON, False), ("awaiting", None, False)],
)
def test_a_backlog_is_drained_when_nothing_that_was_due_waits(
    tmp_path: Path, status: str, wake_at: str | None, left: bool
) -> None:
    with sqlite3.connect(tmp_path / "work.db") as db:
        db.execute("CREATE TABLE runs (status TEXT, wake_at TEXT)")
        db.execute("INSERT INTO runs VALUES (?, ?)", (status, wake_at))
    assert restart.overdue(tmp_path / "work.db", NOON) is left


def figures(**changes: Any) -> dict[str, Any]:
    rounds = {name: [2.0, 4.0, 8.0] for name in ("steps_per_s", "wake_s", "cancel_s")}
    bare = {f"bare.{name}": [1.0, 1.0, 4.0] for name in rounds}
    return {"foreign": [0.0, 0.02, 0.05], "bytes": 300.0, "bare.bytes": 100.0, **rounds, **bare, **changes}


def test_ratios_are_taken_inside_a_round() -> None:
    results = Results()
    sleepers.put(results, 10, figures())
    ratio = results.figures["sleepers.10.wake_s_over_bare"]
    assert (ratio.rounds.values, ratio.doubt) == ((2.0, 4.0, 2.0), "")
    assert results.figures["sleepers.10.wake_s"].rounds.values == (2000.0, 4000.0, 8000.0)


def test_one_disturbed_round_puts_times_in_doubt_and_bytes_not() -> None:
    results = Results()
    sleepers.put(results, 10, figures(foreign=[0.0, 0.3, 0.0]))
    assert "foreign" in results.figures["sleepers.10.wake_s_over_bare"].doubt
    assert "foreign" in results.figures["sleepers.10.wake_s"].doubt
    assert results.figures["sleepers.10.bytes_over_bare"].doubt == ""


@pytest.mark.slow
@pytest.mark.parametrize(("mode", "loses"), [("hmac", True), ("store", False)])
def test_the_control_of_the_kills_tells_who_loses(
    bench_of: Callable[..., Bench], pretender: type[System], mode: str, loses: bool
) -> None:
    system = pretender(mode)  # type: ignore[call-arg]
    system.roles = ("receiver",)  # type: ignore[misc]
    bench = bench_of(system)
    kills.control(bench, system)
    acknowledged = bench.results.value("kills.control.acknowledged")
    assert acknowledged
    assert bench.results.value("kills.control.lost") == (acknowledged if loses else 0)
    assert any("shows nothing" in each for each in bench.results.remarks) is not loses
