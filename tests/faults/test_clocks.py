"""A clock that jumps by an hour or a year, both ways: nothing leaves before its time, nothing twice.

The rules are in connector/working/clockwatch.py and asked one by one in tests/journeys/test_clock.py; nights on which
clocks change are in tests/engine/test_daytime.py, sixty zones over twenty years. Here whole messages are counted, and a
real process meets a real jump.
"""

from __future__ import annotations

import os
import subprocess
import sys
from collections.abc import Callable, Iterator
from contextlib import closing, contextmanager
from datetime import datetime, timedelta
from pathlib import Path

import pytest

from bench import corpus
from connector.clock import SystemClock
from connector.testing.fakes.smtp import MailSink
from connector.working import clockwatch
from connector.working.clockwatch import ClockWatch
from tests.kill.product import KIITOS, Product

from .installation import START, Counting, Installation
from .test_backlog import FLOWS, LATER

HOUR, YEAR = timedelta(hours=1), timedelta(days=365)
MESSAGES = 2
DUE = (timedelta(hours=24), timedelta(hours=30))
PATIENCE = 90.0


def sleeping(folder: Path, channel: Counting, at: datetime = START) -> Installation:
    """An order whose question comes in a day and whose news come in thirty hours."""
    if not (folder / "app.toml").exists():
        Installation(folder, channel).close()
    for name, flow in FLOWS.items():
        (folder / name).write_text(LATER.format(**flow), encoding="utf-8")
    config = folder / "app.toml"
    text = config.read_text("utf-8").replace('file = "order_confirmation"', 'file = "confirm.toml"')
    config.write_text(text, "utf-8")
    here = Installation(folder, channel, at=at)
    assert set(here.receive(corpus.bodies(1, at))) == {200}
    here.worker().drain()
    assert not channel.taken
    return here


def left_at(folder: Path, jump: timedelta, restarted: bool) -> list[timedelta]:
    """When each message left, by true time: the clock is wrong for eight minutes, half an hour before one is due."""
    channel, after = Counting(), timedelta(hours=23, minutes=30)
    with closing(sleeping(folder, channel)) as here:
        worker, left = here.worker(), {}
        since, wrong = timedelta(0), False
        while since < timedelta(hours=40):
            if not wrong and after <= since < after + timedelta(minutes=8):
                here.clock.set(here.clock.now() + jump)
                worker, wrong = (here.worker() if restarted else worker), True
            elif wrong and since >= after + timedelta(minutes=8):
                here.clock.set(START + since)
                worker, wrong = (here.worker() if restarted else worker), False
            worker.drain()
            left |= {key: since for key in channel.taken if key not in left}
            step = timedelta(minutes=2 if abs(since - after) < timedelta(minutes=20) else 30)
            here.clock.advance(step)
            since += step
    assert sorted(channel.taken.values()) == [1] * MESSAGES
    return sorted(left.values())


@pytest.mark.parametrize("jump", [HOUR, -HOUR, YEAR, -YEAR])
@pytest.mark.parametrize("restarted", [False, True])
def test_nothing_leaves_before_its_time_and_nothing_twice(tmp_path: Path, jump: timedelta, restarted: bool) -> None:
    """A worker that starts under a clock an hour ahead takes the hour for its installation's standstill: it cannot know
    better, and what is due within that hour leaves so much too early."""
    early = HOUR if restarted and jump == HOUR else timedelta(0)
    for found, due in zip(left_at(tmp_path, jump, restarted), DUE, strict=True):
        assert due - early <= found <= due + timedelta(hours=2), found


def test_control_a_worker_that_believes_an_hour_is_found_out(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(clockwatch, "SLACK", HOUR)
    assert left_at(tmp_path, HOUR, restarted=False)[0] < DUE[0]


def test_control_a_worker_that_believes_every_clock(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(ClockWatch, "trusted", lambda self: True)
    channel = Counting()
    with closing(sleeping(tmp_path, channel)) as here:
        here.clock.set(here.clock.now() + YEAR)
        here.worker().drain()
    assert channel.taken, "a year early"


# -- a real process ----------------------------------------------------------------------------------------------------


def faketime() -> Path | None:
    """The preloaded library that lies about the time; only where the package brings one."""
    if not sys.platform.startswith("linux"):
        return None
    import libfaketime

    found = sorted(Path(libfaketime.__file__).parent.glob("vendor/libfaketime/src/libfaketime.so.*"))
    return found[0] if found else None


@contextmanager
def real_worker(folder: Path, library: Path) -> Iterator[Callable[[str], None]]:
    """A worker process; call it with `+366d` and its wall clock is so far ahead, its monotonic one is not."""
    offset, log = folder / "offset", folder / "worker.log"

    def wrong_by(text: str) -> None:
        part = folder / "offset.part"
        part.write_text(f"{text}\n")
        part.rename(offset)

    wrong_by("+0")
    environ = {**os.environ, "LD_PRELOAD": str(library), "FAKETIME_TIMESTAMP_FILE": str(offset)}
    environ |= {"FAKETIME_NO_CACHE": "1", "DONT_FAKE_MONOTONIC": "1", "FAKETIME_DONT_FAKE_MONOTONIC": "1"}
    with log.open("wb") as output:
        command = [str(KIITOS), "-c", str(folder / "app.toml"), "worker"]
        process = subprocess.Popen(command, cwd=folder, env=environ, stdout=output, stderr=output)
    try:
        yield wrong_by
        process.terminate()
        assert process.wait(60) == 0, log.read_text()
    finally:
        process.kill()
        process.wait(60)


def wait_for(condition: Callable[[], object], what: str) -> None:
    clock = SystemClock()
    until = clock.monotonic() + PATIENCE
    while not condition():
        assert clock.monotonic() < until, what
        clock.sleep(0.05)


@pytest.mark.slow
def test_a_real_worker_meets_a_year(tmp_path: Path) -> None:
    library = faketime()
    if library is None:
        pytest.skip("no libfaketime here")
    with MailSink() as sink:
        Product.set_up(tmp_path, sink.port)
        sleeping(tmp_path, Counting(), SystemClock().now()).close()
        log = tmp_path / "worker.log"
        with real_worker(tmp_path, library) as wrong_by:
            wrong_by("+366d")
            wait_for(lambda: "clock_jumped" in log.read_text(), "the jump is noticed")
            wrong_by("+0")
            wait_for(lambda: "clock_believed_again" in log.read_text(), "and its end")
            wrong_by("-366d")
            wait_for(lambda: log.read_text().count("clock_jumped") == 2, "backwards too")
            assert sink.messages == []
            wrong_by("+0")
            wait_for(lambda: log.read_text().count("clock_believed_again") == 2, "and its end")
            wrong_by("+31h")  # a machine that slept: not believed at once, and confirmed by a person
            wait_for(lambda: log.read_text().count("clock_jumped") == 3, "a day is a jump")
            assert sink.messages == []
        with real_worker(tmp_path, library) as wrong_by:
            wrong_by("+31h")  # a worker that starts takes it for its installation's standstill
            assert sink.wait_for(MESSAGES, timeout=PATIENCE), log.read_text()
        assert len({message.message_id for message in sink.messages}) == len(sink.messages) == MESSAGES
