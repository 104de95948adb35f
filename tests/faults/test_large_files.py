"""Files too large to be checked at once: one process reads them for all, and the night's check has an end."""

from __future__ import annotations

import select
import subprocess
import sys
from collections.abc import Iterator
from contextlib import closing, contextmanager
from datetime import timedelta
from pathlib import Path
from typing import IO

import pytest

from connector.clock import ManualClock
from connector.store import Store, integrity
from connector.store.sqlite import Sqlite
from connector.working import integrity as working
from connector.working.integrity import Integrity

from .installation import START

DAY = timedelta(days=1)


class Reading:
    """Stands for SQLite's checks of files that take long: nothing is known at the start, `verdict` is found beside."""

    def __init__(self, monkeypatch: pytest.MonkeyPatch) -> None:
        self.read: list[str] = []
        self.verdict = "ok"

        def quick_check(database: Sqlite, within: float | None = None) -> str:
            if within is not None:
                return ""
            self.read.append(database.name)
            return self.verdict

        monkeypatch.setattr(Sqlite, "quick_check", quick_check)


@contextmanager
def started(folder: Path, *, processes: int) -> Iterator[list[Integrity]]:
    """As many processes as `kiitos serve` and `kiitos worker` are, each with the two files open and unchecked."""
    stores = [Store.open(f"sqlite:///{folder}/kiitos.db", within=5.0) for _ in range(processes)]
    try:
        yield [Integrity(store, ManualClock(START)) for store in stores]
    finally:
        for store in stores:
            store.close()


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    Store.open(f"sqlite:///{tmp_path}/kiitos.db").close()
    return tmp_path


def test_of_processes_started_together_one_reads(folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    reading = Reading(monkeypatch)
    for _ in range(2):  # after a restart the file is read again
        reading.read.clear()
        with started(folder, processes=4) as all_of_them:
            for each in all_of_them:
                each.check_the_rest()
        assert sorted(reading.read) == ["inbox.db", "kiitos.db"]


def test_control_without_the_count_each_reads(folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    reading = Reading(monkeypatch)
    monkeypatch.setattr(integrity.Turn, "add", lambda turn: None)
    with started(folder, processes=3) as all_of_them:
        for each in all_of_them:
            each.check_the_rest()
    assert len(reading.read) == 6


def test_a_file_that_failed_is_sound_for_nobody(folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A failed check is not counted: whoever waited for it reads for itself, and sees the mark besides."""
    reading = Reading(monkeypatch)
    reading.verdict = "page 7 is garbled"
    with started(folder, processes=2) as (first, second):
        first.check_the_rest()
        assert not second.sound()
        second.check_the_rest()
        assert len(reading.read) == 4
        assert not first.sound()
        assert not second.sound()


def test_who_comes_second_waits_for_the_first(folder: Path) -> None:
    """Of real processes: the second has its turn when the first lets go, also when it is killed."""
    database = Sqlite(folder / "kiitos.db")
    code = (
        "import sys; from pathlib import Path; from connector.store import integrity; "
        "from connector.store.sqlite import Sqlite\n"
        "with integrity.turn(Sqlite(Path(sys.argv[1]))) as turn:\n"
        "    print(turn.passed(), flush=True); sys.stdin.readline()\n"
    )

    command = [sys.executable, "-c", code, str(database.path)]
    processes = []

    def begin() -> IO[str]:
        started = subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True)
        processes.append(started)
        assert started.stdout is not None
        return started.stdout

    try:
        assert begin().readline() == "0\n"
        second = begin()
        assert select.select([second], [], [], 1.0) == ([], [], []), "it waits"
        processes[0].kill()
        assert second.readline() == "0\n"
    finally:
        for each in processes:
            each.kill()
            each.communicate()
        database.close()


def test_a_folder_that_takes_no_file_hides_no_check(folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    reading = Reading(monkeypatch)

    def refused(*_: object) -> int:
        raise PermissionError(13, "read-only")

    with started(folder, processes=1) as (only,):
        monkeypatch.setattr(integrity.os, "open", refused)
        only.check_the_rest()
        monkeypatch.undo()
    assert len(reading.read) == 2


@pytest.mark.parametrize("seconds", [0.0, 60.0])
def test_the_nights_check_has_an_end(folder: Path, monkeypatch: pytest.MonkeyPatch, seconds: float) -> None:
    """One that is cut off is made quickly; the control has the time it takes. Then the next statement runs."""
    clock = ManualClock(START)
    done: list[str] = []
    real = Sqlite._verdict

    def verdict(database: Sqlite, pragma: str) -> str:
        if pragma == "integrity_check" and not seconds:
            database._session().connection.set_progress_handler(lambda: 1, 1)  # as `Connection.interrupt` does
        found = real(database, pragma)
        database._session().connection.set_progress_handler(None, 1)
        done.append(f"{database.name} {pragma} {found}")
        return found

    monkeypatch.setattr(Sqlite, "_verdict", verdict)
    monkeypatch.setattr(working, "THOROUGH", 60.0)
    with closing(Store.open(f"sqlite:///{folder}/kiitos.db", check=False)) as store:
        watch = Integrity(store, clock)
        assert not watch.check_at_night()
        clock.advance(DAY)
        assert watch.check_at_night()
        assert watch.sound()
    ways = ["integrity_check ", "quick_check ok"] if not seconds else ["integrity_check ok"]
    assert done == [f"{name} {way}" for name in ("kiitos.db", "inbox.db") for way in ways]


def test_a_check_is_really_interrupted(folder: Path) -> None:
    """By SQLite itself, in the time that was asked for: a file whose check takes longer than no time at all."""
    with closing(Sqlite(folder / "large.db")) as database:
        connection = database._session().connection
        connection.execute("CREATE TABLE rows (id INTEGER PRIMARY KEY, text TEXT, other TEXT)")
        connection.execute("CREATE INDEX rows_by_text ON rows (text)")
        connection.execute(
            "WITH RECURSIVE n (i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM n WHERE i < 300000) "
            "INSERT INTO rows SELECT i, printf('%064d', i * 7919 % 300007), printf('%0100d', i) FROM n"
        )
        assert database.integrity_check(within=0.01) == ""
        assert database.integrity_check() == "ok"
        assert connection.execute("SELECT count(*) FROM rows").fetchone()[0] == 300000
