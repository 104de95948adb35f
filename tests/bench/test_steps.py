"""Two workers at one crowd: every run is woken once, and a count that does not come out gives no figure."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

import pytest

from bench import database, ours_steps
from bench.ours_sleepers import product
from bench.ours_steps import Crowds, crowd_at
from bench.phases import steps
from bench.plan import Bench
from bench.systems import Floor
from connector.clock import to_text
from connector.store.sqlite import SqliteTx
from connector.working.intake import Intake

Make = Callable[..., Bench]
CROWDS = Crowds(crowd=6, few=2, rounds=3)


def test_crowds_come_due_one_after_another_and_the_rest_sleeps_on(tmp_path: Path) -> None:
    kiitos = product(tmp_path)
    ours_steps.fill(kiitos, CROWDS.runs + 10, CROWDS)
    with kiitos.store.work.read() as tx:
        due = [
            tx.fetch("SELECT COUNT(*) FROM runs WHERE wake_at <= ?", [to_text(crowd_at(number))])[0][0]
            for number in range(9)
        ]
        keys = tx.fetch("SELECT COUNT(DISTINCT entry_key), COUNT(*) FROM runs")[0]
    assert due == [6, 12, 18, 20, 22, 24, 26, 28, 30]
    assert keys == (CROWDS.runs + 10,) * 2
    assert CROWDS.number_of(CROWDS.runs) is None
    kiitos.close()


def test_what_is_woken_is_the_products_own_kind_of_run(tmp_path: Path) -> None:
    kiitos = product(tmp_path)
    ours_steps.fill(kiitos, CROWDS.runs, CROWDS)
    kiitos.clock.advance(crowd_at(0) - kiitos.clock.now())  # type: ignore[attr-defined]
    assert Intake(kiitos).wake() == CROWDS.crowd
    with kiitos.store.work.read() as tx:
        assert tx.fetch("SELECT COUNT(*) FROM runs WHERE step = 1 AND status = 'sleeping'")[0][0] == CROWDS.crowd
    kiitos.close()


def test_a_crowd_that_was_not_woken_whole_gives_no_figure() -> None:
    one, two = {"woken": 4.0, "began": 1.0, "ended": 2.0}, {"woken": 6.0, "began": 1.5, "ended": 3.0}
    assert steps.seconds([one, two], 10) == pytest.approx(2)
    with pytest.raises(RuntimeError, match="10 runs were woken, 11 were due"):
        steps.seconds([one, two], 11)
    with pytest.raises(RuntimeError, match="14 runs were woken, 10 were due"):
        steps.seconds([one, two, one], 10)


def test_a_worker_that_found_nothing_does_not_end_the_time() -> None:
    busy, idle = {"woken": 10.0, "began": 1.0, "ended": 2.0}, {"woken": 0.0, "began": 1.0, "ended": 1.0}
    assert steps.seconds([busy, idle], 10) == pytest.approx(1)


@pytest.mark.slow
def test_two_workers_share_one_file(bench_of: Make) -> None:
    bench = bench_of(Floor())
    bench.plan = replace(bench.plan, rounds=1, step_sleepers=1000, step_crowd=100)
    where = bench.fresh("steps")
    steps._measure(bench, "sqlite", where, f"sqlite:///{where}/work.db")
    assert (bench.results.value("steps.sqlite.two_workers_per_s") or 0) > 0
    assert (bench.results.value("steps.sqlite.wake100_inline_s") or 0) > 0


def statements_of_a_wake(folder: Path, crowd: int, monkeypatch: pytest.MonkeyPatch) -> int:
    """How often the database is asked or told something while `crowd` runs wake together."""
    folder.mkdir()
    kiitos = product(folder)
    ours_steps.fill(kiitos, 2 * crowd, Crowds(crowd, 1, 1))
    kiitos.clock.advance(crowd_at(0) - kiitos.clock.now())  # type: ignore[attr-defined]
    intake, counted = Intake(kiitos), 0
    for name in ("all", "many"):
        real = getattr(SqliteTx, name)

        def count(*args: Any, _real: Any = real, **named: Any) -> Any:
            nonlocal counted
            counted += 1
            return _real(*args, **named)

        monkeypatch.setattr(SqliteTx, name, count)
    assert intake.wake() == crowd
    monkeypatch.undo()
    kiitos.close()
    return counted


def test_waking_many_asks_no_more_than_waking_two(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    few, many = (statements_of_a_wake(tmp_path / str(crowd), crowd, monkeypatch) for crowd in (2, 60))
    assert many == few


def test_without_reading_ahead_each_run_asks_for_itself(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("flows.runner.foresee_orders", lambda *_: None)
    with monkeypatch.context() as counting:
        few = statements_of_a_wake(tmp_path / "2", 2, counting)
    monkeypatch.setattr("flows.runner.foresee_orders", lambda *_: None)
    with monkeypatch.context() as counting:
        many = statements_of_a_wake(tmp_path / "60", 60, counting)
    assert many > few + 58


def batches_of_a_wake(folder: Path, crowd: int, seconds: float, monkeypatch: pytest.MonkeyPatch) -> list[int]:
    """How many runs each transaction wakes while one batch takes `seconds`."""
    folder.mkdir()
    kiitos = product(folder)
    ours_steps.fill(kiitos, crowd, Crowds(crowd, 0, 1))
    kiitos.clock.advance(crowd_at(0) - kiitos.clock.now())  # type: ignore[attr-defined]
    real = kiitos.runner.foresee_due

    def slowly(*args: Any) -> None:
        real(*args)
        kiitos.clock._mono += seconds  # type: ignore[attr-defined]

    monkeypatch.setattr(kiitos.runner, "foresee_due", slowly)
    intake = Intake(kiitos)
    found = list(iter(intake.wake, 0))
    kiitos.close()
    return found


def test_the_longer_a_crowd_lasts_the_more_of_it_share_a_commit(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    assert batches_of_a_wake(tmp_path / "quick", 1_300, 0.0, monkeypatch) == [100, 200, 400, 400, 200]
    assert batches_of_a_wake(tmp_path / "fair", 500, 0.07, monkeypatch) == [100] * 5
    assert batches_of_a_wake(tmp_path / "slow", 250, 3.0, monkeypatch) == [100, 100, 50]


@pytest.mark.slow
def test_what_is_handed_out_is_done_by_the_executor(bench_of: Make) -> None:
    if database.programs() is None:
        pytest.skip("no PostgreSQL: run scripts/postgres.sh")
    bench = bench_of(Floor())
    bench.plan = replace(bench.plan, rounds=1, step_sleepers=300, step_crowd=20)
    with TemporaryDirectory(prefix="kiitos-steps-") as folder:
        where = Path(folder)
        where.chmod(0o755)  # PostgreSQL runs as a user of its own
        with database.postgres(where) as address:
            steps._measure(bench, "postgres", where, address)
    assert (bench.results.value("steps.postgres.wake20_dispatched_s") or 0) > 0
