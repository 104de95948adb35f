"""Flipped bytes in the files of a working installation: from a file whose check failed nothing is ever sent.

KIITOS_COPIES=2000 damages more copies; KIITOS_SEED chooses others.
"""

from __future__ import annotations

import os
import random  # noqa: TID251 - seeded damage
import shutil
import subprocess
from collections import Counter
from collections.abc import Iterator
from contextlib import closing
from datetime import timedelta
from pathlib import Path

import pytest

from connector.app import AT_START
from connector.clock import ManualClock
from connector.errors import KiitosError, StoreDamaged, StoreUnavailable
from connector.store import Store, integrity
from connector.store.sqlite import Sqlite
from connector.worker import Tick
from connector.working.integrity import Integrity
from tests.kill.product import KIITOS

from .installation import START, Counting, Installation

COPIES = int(os.environ.get("KIITOS_COPIES", "200"))
SEED = int(os.environ.get("KIITOS_SEED", "9"))
ORDERS = 4
MOST = 64
ROUNDS = 400
"""Ticks after which a worker on a damaged file need not have come to its end."""
DAY = timedelta(days=1)


@pytest.fixture(scope="module")
def template(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """An installation with deliveries read, some messages sent and some due."""
    folder = tmp_path_factory.mktemp("sound")
    made = Installation(folder, Counting())
    bodies = made.orders(2 * ORDERS)
    assert set(made.receive(bodies[:ORDERS])) == {200}
    made.worker().drain()
    assert set(made.receive(bodies[ORDERS:], first=ORDERS)) == {200}
    made.worker().intake.take_in()
    assert not made.worker().integrity.check_at_night(), "a new installation has just been checked"
    made.close()
    return folder


def damage(path: Path, chance: random.Random) -> None:
    data = bytearray(path.read_bytes())
    for _ in range(chance.randrange(1, MOST + 1)):
        data[chance.randrange(len(data))] ^= chance.randrange(1, 256)
    path.write_bytes(data)


def copies(template: Path, tmp_path: Path) -> Iterator[Path]:
    chance = random.Random(SEED)
    for _ in range(COPIES):
        folder = tmp_path / "copy"
        shutil.copytree(template, folder)
        damage(folder / chance.choice(("kiitos.db", "kiitos.db", "inbox.db")), chance)
        yield folder
        shutil.rmtree(folder)


def is_sound(folder: Path) -> bool:
    """What SQLite says, asked beside the product."""
    found = []
    for name in ("kiitos.db", "inbox.db"):
        with closing(Sqlite(folder / name)) as database:
            found.append(database.integrity_check())
    return found == ["ok", "ok"]


def test_nothing_is_sent_from_a_file_whose_check_failed(template: Path, tmp_path: Path) -> None:
    seen: Counter[str] = Counter()
    for folder in copies(template, tmp_path):
        sound, channel = is_sound(folder), Counting()
        seen[live_a_night(folder, channel)] += 1
        assert sound or not channel.taken, seen
        seen["messages"] += channel.taken.total()
    assert seen["refused at the start"] > COPIES // 10, seen
    assert seen["held at night"] > 0, "some damage shows in the thorough check only"
    assert seen["passed"] > 0, "some is where nobody looks: SQLite keeps no checksums"
    assert seen["messages"] > 0, seen


def live_a_night(folder: Path, channel: Counting) -> str:
    """Start, let the night come, work. Only our own errors may come out of it."""
    try:
        here = Installation(folder, channel, at=START + DAY)
    except KiitosError:  # damaged, or the schema's own record says something else
        return "refused at the start"
    worker = here.worker()
    try:
        worker.integrity.check_at_night()
        worker.drain(ROUNDS)
    except StoreUnavailable as met:
        worker.integrity.learn(met)
    held = not worker.integrity.sound()
    if held:
        before = channel.taken.copy()
        assert worker.tick() == Tick()
        assert channel.taken == before
    here.close()
    return "held at night" if held else "passed"


def test_control_without_checks_it_would_send_from_damaged_files(
    template: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(integrity, "examine", lambda database, within=None: True)
    monkeypatch.setattr(Integrity, "check_at_night", lambda self: False)
    monkeypatch.setattr(Integrity, "sound", lambda self: True)
    for folder in copies(template, tmp_path):
        channel = Counting()
        if is_sound(folder):
            continue
        try:
            Installation(folder, channel, at=START + DAY).worker().drain(ROUNDS)
        except Exception:  # noqa: BLE001 - whatever a damaged file leads to without checks
            continue
        if channel.taken:
            return
    raise AssertionError("no damaged copy led to a message: the damage is too great to say anything")


def test_damage_met_by_a_query_stops_the_worker_and_the_next_start(template: Path, tmp_path: Path) -> None:
    folder = tmp_path / "met"
    shutil.copytree(template, folder)
    channel = Counting()
    with closing(Installation(folder, channel)) as here:
        worker = here.worker()
        worker.integrity.learn(StoreUnavailable("kiitos.db: the disk is full"))
        assert worker.integrity.sound(), "what passes by itself is no damage"
        worker.integrity.learn(StoreDamaged("kiitos.db: the file is damaged", database="kiitos.db"))
        assert (worker.tick(), here.worker().tick()) == (Tick(), Tick()), "nor does any other worker act"
        assert not channel.taken
    mark = folder / "kiitos.db.damaged"
    assert mark.read_text() == "kiitos.db: the file is damaged\n"
    with closing(Installation(folder, channel)) as here:  # thoroughly checked, and found sound: it was a false alarm
        assert not mark.exists()
        here.worker().drain()
        assert channel.taken.total() == 2 * ORDERS


def test_a_marked_file_is_checked_thoroughly_at_the_start(template: Path, tmp_path: Path) -> None:
    """Damage that the quick check does not see: an index that has lost a row of its table."""
    folder = tmp_path / "index"
    shutil.copytree(template, folder)
    with closing(Sqlite(folder / "kiitos.db")) as database:
        lose_an_index_entry(database)
        assert (database.quick_check(), database.integrity_check()[:3]) == ("ok", "row")
        integrity.condemn(database, "row 1 missing from index")
    with pytest.raises(StoreDamaged, match=r"kiitos\.db failed its check \(row .* missing from index"):
        Store.open(f"sqlite:///{folder}/kiitos.db")
    (folder / "kiitos.db.damaged").unlink()
    clock = ManualClock(START)
    store = Store.open(f"sqlite:///{folder}/kiitos.db")
    with closing(store):
        watch = Integrity(store, clock)
        assert not watch.check_at_night(), "not before the night"
        clock.advance(DAY)
        assert watch.sound()
        assert watch.check_at_night()
        assert not watch.sound()
        assert not Integrity(store, clock).check_at_night(), "once a night, whoever comes"
    assert (folder / "kiitos.db.damaged").exists()


def test_a_receiver_takes_deliveries_before_a_large_file_is_checked_and_no_worker_sends_from_it(
    template: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A check that is cut short leaves the file for later; later the damage is found, and marks it."""
    folder, channel = tmp_path / "large", Counting()
    shutil.copytree(template, folder)
    with closing(Sqlite(folder / "kiitos.db")) as database:
        connection = database._session().connection
        connection.set_progress_handler(lambda: 1, 1)  # as `Connection.interrupt` of a check that takes too long
        assert database.quick_check(within=60.0) == ""
        connection.set_progress_handler(None, 1)
        assert database.quick_check(within=60.0) == "ok"
        monkeypatch.setattr("connector.store.sqlite.CHECKED_A_SECOND", database.path.stat().st_size / 61)
        assert database.quick_check(within=60.0) == "", "of a file that cannot be read in that time nothing is begun"
        assert database.quick_check() == "ok"
        monkeypatch.undo()
    monkeypatch.setattr(Sqlite, "quick_check", lambda self, within=None: "page 7 is garbled" if within is None else "")
    with closing(Store.open(f"sqlite:///{folder}/kiitos.db", within=0.5)) as store:
        assert [each.name for each in store.unchecked] == ["kiitos.db", "inbox.db"]
        watch = Integrity(store, ManualClock(START))
        assert watch.sound(), "nothing is known against it yet"
        watch.check_the_rest()
        assert not watch.sound()
        assert store.unchecked == []
    monkeypatch.undo()
    assert (folder / "kiitos.db.damaged").read_text() == "page 7 is garbled\n"
    with closing(Installation(folder, channel)) as here:
        (folder / "kiitos.db.damaged").write_text("page 7 is garbled\n")
        assert here.worker().tick() == Tick()
        assert not channel.taken


def test_a_worker_begins_before_a_large_file_is_checked_and_stops_when_it_fails(
    template: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A restart must not cost minutes of mail: five seconds of the check are waited for, the rest goes on beside."""
    folder, channel = tmp_path / "large", Counting()
    shutil.copytree(template, folder)
    asked: list[float | None] = []

    def quick_check(self: Sqlite, within: float | None = None) -> str:
        asked.append(within)
        return "page 7 is garbled" if within is None else ""

    monkeypatch.setattr(Sqlite, "quick_check", quick_check)
    with closing(Installation(folder, channel, within=AT_START)) as here:
        assert asked == [AT_START, AT_START]
        worker = here.worker()
        worker.tick()
        sent = len(channel.taken)
        assert sent > 0, "nothing is known against it yet"
        rounds = iter([False, True])
        worker.integrity.keep_watch(lambda: next(rounds))
        assert asked[2:] == [None, None]
        assert worker.tick() == Tick()
        assert len(channel.taken) == sent
    assert (folder / "kiitos.db.damaged").read_text() == "page 7 is garbled\n"


def lose_an_index_entry(database: Sqlite) -> None:
    """Change rows while the index is not in the schema, and put it back."""
    connection = database.open().conn
    row = connection.execute("SELECT * FROM sqlite_master WHERE name = 'effects_due'").fetchone()
    connection.execute("PRAGMA writable_schema = ON")
    connection.execute("DELETE FROM sqlite_master WHERE name = 'effects_due'")
    connection.execute("PRAGMA writable_schema = RESET")
    connection.execute("UPDATE effects SET due_at = '2026-11-02T09:00:01.000000Z' WHERE status = 'pending'")
    connection.execute("PRAGMA writable_schema = ON")
    connection.execute("INSERT INTO sqlite_master VALUES (?, ?, ?, ?, ?)", row)
    connection.execute("PRAGMA writable_schema = RESET")
    connection.close()


def test_the_command_says_what_to_do(template: Path, tmp_path: Path) -> None:
    folder = tmp_path / "told"
    shutil.copytree(template, folder)
    data = bytearray((folder / "kiitos.db").read_bytes())
    data[4096 * 3 : 4096 * 6] = b"\xa5" * 4096 * 3
    (folder / "kiitos.db").write_bytes(data)
    for command in ("worker", "serve"):
        done = subprocess.run(
            [str(KIITOS), "-c", str(folder / "app.toml"), command], capture_output=True, text=True, timeout=120
        )
        assert done.returncode != 0
        assert "restore a backup" in done.stderr + done.stdout
        assert "Traceback" not in done.stderr
