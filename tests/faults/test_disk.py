"""Disks that are full, read-only, held by somebody else or failing: nothing acknowledged is lost, nothing is sent that
could not be written down, and work goes on by itself afterwards."""

from __future__ import annotations

import os
import random  # noqa: TID251 - seeded trouble
import shutil
import subprocess
import threading
from collections import Counter
from collections.abc import Iterator
from concurrent.futures import Future
from contextlib import closing, contextmanager, suppress
from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest

from bench import corpus
from connector.clock import SystemClock
from connector.errors import StoreUnavailable
from connector.metrics import Metrics
from connector.model import EffectStatus, Purpose
from connector.store import inbox
from connector.store.inbox import NewDelivery
from connector.store.sqlite import Sqlite
from connector.store.store import Store
from connector.worker import Tick, Worker
from connector.working.room import Room
from flows.outbox import LEASE
from flows.sending.addressing import derive_token
from tests.kill.product import SHOP
from webhooks.settings import ReceiverSettings
from webhooks.writer import DeliveryWriter

from .disk import Disk, on
from .installation import START, Counting, Installation

ORDERS = 4
WINDOWS = 12
MIB = 1024 * 1024


def delivery(number: int, size: int = 2000) -> NewDelivery:
    body = random.Random(number).randbytes(size)
    return NewDelivery(
        shop_id="s", platform="acme", topic="t", dedup_key=f"d-{number}", headers={}, body=body, received_at=START
    )


# -- a sync that fails -------------------------------------------------------------------------------------------------


def write_with_failing_syncs(folder: Path, *, lying: bool, rows: int = 150) -> tuple[set[str], set[str], int, int]:
    """(acknowledged, kept after a power cut, refused, failed syncs). After every failure the disk works again."""
    Store.open(f"sqlite:///{folder}/work.db").close()
    after = folder / "after"
    after.mkdir()
    shutil.copy(folder / "work.db", after / "work.db")
    disk = Disk(3)
    disk.failing, disk.lying = lambda: disk.chance.random() < 0.2, lying
    answered: dict[str, bool] = {}
    with on(disk):
        store = Store(Sqlite(folder / "work.db"), Sqlite(folder / "inbox.db"))
        writer = DeliveryWriter(store, SystemClock(), ReceiverSettings(), Metrics())
        writer.start()
        for number in range(rows):
            told: Future[bool] = Future()
            assert writer.submit(delivery(number), told.set_result)
            answered[f"d-{number}"] = told.result(60)
        disk.cut()
        writer.close()
    disk.restore(after)
    with closing(Store.open(f"sqlite:///{after}/work.db")) as store, store.inbox.read() as tx:
        kept = {row.dedup_key for row in inbox.after(tx, 0, 10_000)}
    acknowledged = {name for name, stored in answered.items() if stored}
    return acknowledged, kept, len(answered) - len(acknowledged), disk.failed_syncs


def test_a_sync_that_fails_is_no_acknowledgement(tmp_path: Path) -> None:
    acknowledged, kept, refused, failed = write_with_failing_syncs(tmp_path, lying=False)
    assert failed > 10
    assert refused > 0
    assert len(acknowledged) > 50
    assert acknowledged <= kept


def test_control_a_disk_that_keeps_quiet_about_it_loses(tmp_path: Path) -> None:
    acknowledged, kept, refused, failed = write_with_failing_syncs(tmp_path, lying=True)
    assert (refused, failed > 10) == (0, True)
    assert acknowledged - kept


# -- a worker whose disk is full for a while ---------------------------------------------------------------------------


@pytest.fixture(scope="module")
def template(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """An installation whose receiver has taken in a few orders."""
    folder = tmp_path_factory.mktemp("received")
    made = Installation(folder, Counting())
    assert set(made.receive(made.orders(ORDERS))) == {200}
    made.close()
    return folder


def work_through(folder: Path, window: range) -> tuple[Installation, Counting, int]:
    """Let a worker do everything while the disk takes no write number `window`; how often the store refused."""
    disk, written = Disk(1), [0]

    def full() -> bool:
        written[0] += 1
        return written[0] in window

    channel = Counting()
    with on(disk):
        here = Installation(folder, channel)
        worker = here.worker()
        disk.full = full
        refused = insist(worker, len(window))
        for _ in range(6):
            here.clock.advance(LEASE + timedelta(seconds=1))
            refused += insist(worker, len(window))
        disk.full = lambda: False
        here.close()
    return Installation(folder, channel, at=here.clock.now()), channel, refused


def insist(worker: Worker, most: int) -> int:
    """Work again whenever the store refused, as `Worker.run` does; how often it did."""
    for refused in range(most + 1):
        with suppress(StoreUnavailable):
            worker.drain()
            return refused
    raise AssertionError("the disk has room again, and the store still refuses")


def test_full_at_any_moment_every_message_ends_well(template: Path, tmp_path: Path) -> None:
    chance, refusals = random.Random(4), 0
    for number in range(WINDOWS):
        folder = tmp_path / "copy"
        shutil.copytree(template, folder)
        first = chance.randrange(1, 260)
        here, channel, refused = work_through(folder, range(first, first + chance.choice((1, 5, 60))))
        refusals += refused
        assert ends_well(here, channel) == [], number
        here.close()
        shutil.rmtree(folder)
    assert refusals > WINDOWS, "the disk must have been full at work"


def ends_well(here: Installation, channel: Counting) -> list[str]:
    found = here.messages(here.orders(ORDERS))
    faults = [] if len(found) == 2 * ORDERS and set(here.deliveries()) == {"done"} else [f"{len(found)} messages"]
    for effect in found:
        times = channel.taken[derive_token(here.kiitos.salt, "message", SHOP, effect.id, length=24)]
        if effect.status is EffectStatus.SENT:
            most = 2 if effect.purpose is Purpose.TRANSACTIONAL and effect.tainted else 1
            good = 1 <= times <= most
        else:
            good = effect.status is EffectStatus.UNCERTAIN and effect.tainted and times < 2
        if not good:
            faults.append(f"{effect.purpose} {effect.status} {times} times, tainted {effect.tainted}")
    return faults


# -- real file systems -------------------------------------------------------------------------------------------------


def _mount(*words: str) -> str:
    """What went wrong, empty when nothing did."""
    done = subprocess.run(["mount", *words], capture_output=True, text=True, check=False)
    return done.stderr.strip() or ("" if done.returncode == 0 else "mount failed")


@pytest.fixture
def small(tmp_path: Path) -> Iterator[Path]:
    """A file system of 64 MB of its own."""
    folder = tmp_path / "small"
    folder.mkdir()
    if os.name != "posix" or (why := _mount("-t", "tmpfs", "-o", "size=64m", "tmpfs", str(folder))):
        pytest.skip(f"no small file system without root: {why}")
    yield folder
    subprocess.run(["umount", "--lazy", str(folder)], check=False, capture_output=True)


def fill(folder: Path, left: int) -> Path:
    """Leave so many bytes free."""
    balloon = folder / "balloon"
    with balloon.open("wb") as file:
        file.write(b"\0" * (shutil.disk_usage(folder).free - left))
    return balloon


def test_a_full_disk_answers_503_holds_the_worker_and_heals_by_itself(small: Path) -> None:
    channel = Counting()
    here = Installation(small, channel)
    bodies = list(corpus.bodies(400, START))
    answers = here.receive(bodies[:ORDERS])
    balloon = fill(small, 256 * 1024)
    worker = here.worker()
    assert worker.tick() == Tick(), "nothing is claimed that could not be written down"
    assert here.deliveries() == {}
    answers += here.receive(bodies[ORDERS:-1], first=ORDERS)
    assert {200, 503} == set(answers), Counter(answers)
    assert answers[-1] == 503
    balloon.unlink()
    answers += here.receive(bodies[-1:], first=len(bodies) - 1)
    assert answers[-1] == 200, "there is room again, and nobody had to do anything"
    with here.kiitos.store.inbox.read() as tx:
        kept = {row.dedup_key for row in inbox.after(tx, 0, 10_000)}
    acknowledged = {f"w{number}" for number, answer in enumerate(answers) if answer == 200}
    assert acknowledged <= kept
    worker.drain()
    assert channel.taken.total() == 2 * len(kept)
    assert set(channel.taken.values()) == {1}
    assert set(here.deliveries()) == {"done"}
    here.close()


def test_control_a_worker_that_does_not_look_begins_what_it_cannot_write_down(
    small: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(Room, "enough", lambda self: True)
    here = Installation(small, Counting())
    assert set(here.receive(here.orders(ORDERS))) == {200}
    fill(small, 0)
    with pytest.raises(StoreUnavailable, match="the disk is full"):
        here.worker().drain()
    here.close()


def test_a_read_only_file_system_is_refused_at_the_start(small: Path) -> None:
    """As after an error that made the kernel mount it so: nothing starts, and all is there when it is mended."""
    channel = Counting()
    here = Installation(small, channel)
    assert set(here.receive(here.orders(ORDERS))) == {200}
    here.close()
    assert not _mount("-o", "remount,ro", str(small))
    with pytest.raises(StoreUnavailable, match=r"(kiitos|inbox)\.db"):
        Installation(small, channel)
    assert not _mount("-o", "remount,rw", str(small))
    again = Installation(small, channel)
    again.worker().drain()
    assert channel.taken.total() == 2 * ORDERS
    again.close()


def test_read_only_while_running(template: Path, tmp_path: Path) -> None:
    folder, channel = tmp_path / "copy", Counting()
    shutil.copytree(template, folder)
    here = Installation(folder, channel)
    with read_only(here.kiitos.store):
        assert here.receive(here.orders(1), first=100) == [503]
        with pytest.raises(StoreUnavailable, match="the file is read-only"):
            here.worker().drain()
        assert not channel.taken
    assert here.receive(here.orders(1), first=100) == [200]
    here.worker().drain()
    assert channel.taken.total() == 2 * ORDERS
    here.close()


@contextmanager
def read_only(store: Store) -> Iterator[None]:
    """New connections may not write: SQLITE_READONLY, as for files of another user's (tests may run as root)."""
    store.close()
    opened = [(database, database._connect) for database in store.files()]
    for database, connect in opened:

        def refusing(connect: Any = connect) -> Any:
            connection, cursor = connect()
            connection.execute("PRAGMA query_only=ON").fetchall()
            return connection, cursor

        database._connect = refusing  # type: ignore[method-assign]
    yield
    store.close()
    for database, connect in opened:
        database._connect = connect  # type: ignore[method-assign]


# -- a lock that somebody holds ----------------------------------------------------------------------------------------


@contextmanager
def held(path: Path) -> Iterator[threading.Event]:
    """Another process's write lock on a file, until the event is set."""
    other, release, begun = Sqlite(path), threading.Event(), threading.Event()

    def hold() -> None:
        with other.transaction():
            begun.set()
            release.wait(60)
        other.close()

    thread = threading.Thread(target=hold)
    thread.start()
    assert begun.wait(60)
    yield release
    release.set()
    thread.join(60)


def submit_all(writer: DeliveryWriter, rows: range) -> list[Future[bool]]:
    futures: list[Future[bool]] = [Future() for _ in rows]
    for number, future in zip(rows, futures, strict=True):
        assert writer.submit(delivery(number), future.set_result)
    return futures


@pytest.mark.parametrize(("patience", "stored"), [(120.0, True), (0.05, False)])
def test_a_held_lock_is_waited_for_and_then_answered_503(tmp_path: Path, patience: float, stored: bool) -> None:
    """The product waits 5 s (tests/store/test_database.py); here the wait is longer or shorter than any hold, so that
    no stopwatch decides."""
    Store.open(f"sqlite:///{tmp_path}/work.db").close()
    path = tmp_path / "inbox.db"
    store = Store(Sqlite(tmp_path / "work.db"), Sqlite(path, busy_timeout=patience))
    writer = DeliveryWriter(store, SystemClock(), ReceiverSettings(), Metrics())
    writer.start()
    with held(path) as release:
        waiting = submit_all(writer, range(20))
        if stored:
            assert not any(each.done() for each in waiting), "answered only when it is durable"
            release.set()
        assert {each.result(60) for each in waiting} == {stored}
    assert submit_all(writer, range(20, 21))[0].result(60), "afterwards all is as before"
    writer.close()
    with store.inbox.read() as tx:
        assert inbox.count(tx) == (21 if stored else 1)
    store.close()


def test_a_worker_waits_for_a_held_lock_and_sends_nothing_meanwhile(template: Path, tmp_path: Path) -> None:
    folder, channel = tmp_path / "copy", Counting()
    shutil.copytree(template, folder)
    here = Installation(folder, channel)
    worker = here.worker()
    worker.tick()
    work: Any = here.kiitos.store.work
    work.close()
    work._busy_timeout = 0.05
    with held(folder / "kiitos.db"):
        before = channel.taken.copy()
        for _ in range(3):
            with pytest.raises(StoreUnavailable, match="another process holds the write lock"):
                worker.drain()
        assert channel.taken == before
    worker.drain()
    assert channel.taken.total() == 2 * ORDERS
    assert set(channel.taken.values()) == {1}
    here.close()
