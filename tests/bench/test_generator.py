from __future__ import annotations

import json
import subprocess
import sys
from collections.abc import Callable, Iterator
from datetime import UTC, datetime
from pathlib import Path

import pytest

from bench import corpus, generator, lg, native, systems
from bench.generator import Load
from bench.plan import Bench

AT = datetime(2026, 11, 22, 8, 0, tzinfo=UTC)


@pytest.fixture(params=["C", "Python"])
def program(request: pytest.FixtureRequest, monkeypatch: pytest.MonkeyPatch) -> list[str]:
    """The generator's command line, in both of its forms."""
    stand_in = [sys.executable, str(native.HERE / "lg.py")]
    if request.param == "C":
        built = native.build("lg")
        if built is None:
            pytest.skip("no C compiler")
        stand_in = [str(built)]
    monkeypatch.setattr(generator, "program", lambda: stand_in)
    return stand_in


@pytest.fixture
def corpus_file(tmp_path: Path) -> Path:
    path = tmp_path / "c.kbc"
    corpus.write(path, list(corpus.bodies(20, AT)))
    return path


@pytest.fixture
def floor(tmp_path: Path) -> Iterator[systems.Running]:
    with systems.started(systems.Floor(), tmp_path / "floor") as running:
        yield running


def test_due_times_start_at_zero_and_are_one_interval_apart() -> None:
    offsets = [lg.due_offset(k, 500) for k in range(4)]
    assert offsets == pytest.approx([0.0, 0.002, 0.004, 0.006])


@pytest.mark.parametrize("rate", [1, 500, 2000, 3333])
def test_the_c_generator_has_the_same_due_times(rate: int) -> None:
    built = native.build("lg")
    if built is None:
        pytest.skip("no C compiler")
    out = subprocess.run([built, "-r", str(rate), "-D", "1000"], capture_output=True, text=True, check=True).stdout
    nanoseconds = [int(line) for line in out.split()]
    assert nanoseconds[0] == 0
    assert nanoseconds == pytest.approx([lg.due_offset(k, rate) * 1e9 for k in range(1000)], abs=1.0)


def test_every_acknowledged_request_is_stored_under_its_own_id(
    program: list[str], corpus_file: Path, floor: systems.Running, tmp_path: Path
) -> None:
    load = Load(connections=4, seconds=20, count=50, id_base=0xABC, ack_file=tmp_path / "acks")
    outcome = generator.run(load, floor.port, "/hooks", corpus_file)
    assert (outcome.ok, outcome.errors, outcome.reconnects) == (50, 0, 0)
    acknowledged = generator.acknowledged(tmp_path / "acks")
    assert len(acknowledged) == 50
    assert floor.system.keys(floor.where) == set(acknowledged)
    assert f"{generator.ID_PREFIX}000000000abc" in acknowledged
    assert set(acknowledged.values()) == set(range(20))
    assert outcome.p50_ms <= outcome.p99_ms <= outcome.max_ms


def test_repeated_ids_are_stored_once(program: list[str], corpus_file: Path, floor: systems.Running) -> None:
    load = Load(connections=2, seconds=20, count=40, repeat_every=7)
    outcome = generator.run(load, floor.port, "/hooks", corpus_file)
    assert outcome.ok == 40
    assert len(floor.system.keys(floor.where)) == 7


def test_wrong_signatures_are_refused_and_are_no_error(
    program: list[str], corpus_file: Path, floor: systems.Running
) -> None:
    load = Load(connections=2, seconds=20, count=100, wrong_percent=10)
    outcome = generator.run(load, floor.port, "/hooks", corpus_file)
    assert (outcome.ok, outcome.rejected, outcome.errors) == (90, 10, 0)
    assert len(floor.system.keys(floor.where)) == 90


def test_a_refusal_nobody_asked_for_is_an_error(program: list[str], tmp_path: Path, floor: systems.Running) -> None:
    wrong = tmp_path / "wrong.kbc"
    corpus.write(wrong, list(corpus.bodies(3, AT)), secret=b"another secret")
    outcome = generator.run(Load(connections=2, seconds=20, count=10), floor.port, "/hooks", wrong)
    assert (outcome.ok, outcome.errors) == (0, 10)
    assert outcome.statuses == {"401": 10}


def test_a_server_that_dies_is_seen(program: list[str], corpus_file: Path, floor: systems.Running) -> None:
    load = Load(connections=4, seconds=30, rate=50)
    running = generator.start(load, floor.port, "/hooks", corpus_file)
    while not floor.system.keys(floor.where):
        pass
    floor.stop(kill=True)
    outcome = generator.finish(running, 30)
    assert outcome.resets == 4
    assert outcome.reconnects == 0


def test_nothing_listening_is_a_failure_not_a_result(corpus_file: Path, bench_of: Callable[..., Bench]) -> None:
    if native.build("lg") is None:
        pytest.skip("no C compiler")
    with pytest.raises(RuntimeError, match="load generator failed"):
        generator.run(Load(connections=1, seconds=1), 1, "/", corpus_file)


def test_an_answer_that_is_no_outcome_is_refused() -> None:
    for text in ("", "not json", json.dumps({"issued": 1})):
        with pytest.raises(ValueError, match="load generator said"):
            generator.read_outcome(text)
