"""The ledger: what its lines mean, and what becomes of the files."""

from __future__ import annotations

import os
from pathlib import Path

import pytest

from connector.ledger import Attempt, Fate, Ledger, Trace, folder_for, parse

BOOT = "boot-1"
HEAD = b"kiitos-ledger 1 boot-1 w1\n"
A = Attempt("ka", 1, "2026-01-01T00:00:00.000000Z", "shop", "ea")
B = Attempt("kb", 3, "2026-01-01T00:00:00.000001Z", "shop two", "fetch:gid://x/1:ä\n")


def fates(data: bytes) -> dict[str, Fate]:
    trace = parse(data)
    assert trace is not None
    return {attempt.key: fate for attempt, fate in trace.fates}


def written(folder: Path) -> bytes:
    (path,) = folder.glob("*.ledger")
    return path.read_bytes()


def test_a_line_each_for_announced_on_the_wire_and_accepted(tmp_path: Path) -> None:
    with Ledger(tmp_path, "w1", boot=BOOT) as ledger:
        ledger.begin([A, B])
        ledger.on_wire("ka")
        first = written(tmp_path)
        ledger.accepted("ka")
        second = written(tmp_path)
    assert parse(first) == Trace(BOOT, "w1", ((A, Fate.UNKNOWN), (B, Fate.UNSENT)))
    assert fates(second) == {"ka": Fate.ACCEPTED, "kb": Fate.UNSENT}


@pytest.mark.parametrize("cut", range(1, 12))
def test_a_torn_last_line_has_not_happened(tmp_path: Path, cut: int) -> None:
    with Ledger(tmp_path, "w1", boot=BOOT) as ledger:
        ledger.begin([A])
        before = len(written(tmp_path))
        ledger.on_wire("ka")
        ledger.accepted("ka")
        data = written(tmp_path)
    wire = before + len(b"W ka\n")
    kept = len(data) - cut
    expected = Fate.UNKNOWN if kept >= wire else Fate.UNSENT
    if kept >= before:
        assert fates(data[:kept]) == {"ka": expected}
    else:
        assert fates(data[:kept]) == {}


@pytest.mark.parametrize(
    "data",
    [
        b"",
        b"\n",
        HEAD[:-1],
        b"kiitos-ledger 2 boot-1 w1\n",
        HEAD + b"W ka\n",
        HEAD + b"B ka 1 t s\n",
        HEAD + b"B ka one t s e\n",
        HEAD + b"X ka\n",
        HEAD + b"\n",
        HEAD + b"B ka 1 t s e\nW ka kb\n",
        b"\xff" + HEAD,
        HEAD + b"B ka 1 t s e\n" * 100_000,
    ],
)
def test_what_makes_no_sense_says_nothing(data: bytes) -> None:
    assert parse(data) is None


def test_a_living_workers_ledger_is_left_alone_and_a_dead_ones_is_read_once(tmp_path: Path) -> None:
    living = Ledger(tmp_path, "living", boot=BOOT)
    living.begin([A])
    dead = Ledger(tmp_path, "dead", boot=BOOT)
    dead.begin([B])
    dead.on_wire("kb")
    os.close(dead._fd)  # what the kernel does for a killed process
    with Ledger(tmp_path, "next", boot=BOOT) as ledger:
        assert list(ledger.left_behind()) == [Trace(BOOT, "dead", ((B, Fate.UNKNOWN),))]
        assert list(ledger.left_behind()) == []
    assert [path.name for path in tmp_path.iterdir()] == ["living-1.ledger"]
    living.close()


def test_a_dead_ledger_stays_until_its_reader_comes_back_for_the_next(tmp_path: Path) -> None:
    dead = Ledger(tmp_path, "dead", boot=BOOT)
    dead.begin([A])
    os.close(dead._fd)
    with Ledger(tmp_path, "next", boot=BOOT) as ledger:
        reading = ledger.left_behind()
        assert next(reading).worker == "dead"
        reading.close()  # the database was away
        assert [trace.worker for trace in ledger.left_behind()] == ["dead"]


@pytest.mark.parametrize("now", ["boot-2", ""])
def test_of_another_boot_nothing_is_believed(tmp_path: Path, now: str) -> None:
    dead = Ledger(tmp_path, "dead", boot=BOOT if now else "")
    dead.begin([A])
    os.close(dead._fd)
    with Ledger(tmp_path, "next", boot=now) as ledger:
        assert list(ledger.left_behind()) == []
    assert list(tmp_path.iterdir()) == []


def test_a_recorded_batch_is_forgotten_and_a_closed_ledger_removed(tmp_path: Path) -> None:
    with Ledger(tmp_path, "w1", boot=BOOT) as ledger:
        for _ in range(100):
            ledger.begin([A, B])
            ledger.on_wire("ka")
            ledger.clear()
        assert written(tmp_path) == HEAD
        ledger.begin([B])
        assert fates(written(tmp_path)) == {"kb": Fate.UNSENT}
        ledger.clear()
    assert list(tmp_path.iterdir()) == []


def test_an_abandoned_batch_is_read_by_its_own_worker(tmp_path: Path) -> None:
    with Ledger(tmp_path, "w1", boot=BOOT) as ledger:
        ledger.begin([A])
        assert list(ledger.left_behind()) == []
        ledger.abandon()
        assert list(ledger.left_behind()) == [Trace(BOOT, "w1", ((A, Fate.UNSENT),))]


def test_a_line_that_cannot_be_written_withdraws_the_whole_ledger(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    ledger = Ledger(tmp_path, "w1", boot=BOOT)
    ledger.begin([A])
    with monkeypatch.context() as full:
        full.setattr(os, "write", lambda fd, data: 2)
        ledger.on_wire("ka")
    assert written(tmp_path) == b""  # a B without its W would say "certainly not sent"
    ledger.accepted("ka")
    assert list(ledger.left_behind()) == []
    ledger.begin([B])
    assert fates(written(tmp_path)) == {"kb": Fate.UNSENT}
    ledger.close()


def test_without_a_folder_nothing_is_kept() -> None:
    with Ledger() as ledger:
        ledger.begin([A])
        ledger.on_wire("ka")
        ledger.abandon()
        assert list(ledger.left_behind()) == []


def test_each_database_has_ledgers_of_its_own(tmp_path: Path) -> None:
    sqlite = folder_for("sqlite:////srv/shop/kiitos.db", tmp_path)
    assert sqlite == Path("/srv/shop/kiitos.db-ledger")
    assert folder_for("sqlite:////srv/shop/other.db", tmp_path) != sqlite
    assert folder_for("sqlite:///:memory:", tmp_path) is None
    ours = folder_for("postgresql://me:secret@db.example/kiitos", tmp_path)
    assert ours == folder_for("postgresql://you:other@db.example/kiitos", tmp_path)
    assert ours is not None
    assert ours.parent == tmp_path / "var"
    assert ours != folder_for("postgresql://me:secret@db.example/staging", tmp_path)
