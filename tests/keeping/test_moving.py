"""`kiitos db copy` both ways: every row, resumed after a kill, corruption found, the old database closed."""

from __future__ import annotations

import signal
import subprocess
import sys
from collections.abc import Callable, Iterator
from datetime import timedelta
from pathlib import Path

import pytest
from click.testing import CliRunner

from connector.app import load
from connector.cli import cli
from connector.clock import SystemClock
from connector.errors import StoreUnavailable
from connector.keeping import moving
from connector.keeping.moving import move, reopen
from connector.store import Store, deliveries, inbox, meta
from connector.store.moving import tables_to_copy
from connector.store.tables import count_rows
from connector.working import standstill
from tests.keeping.conftest import fill
from tests.store.examples import NOW, delivery
from tests.store.released.make import fill as fill_every_table

ROOT = Path(__file__).resolve().parents[2]
Pair = tuple[str, str]


@pytest.fixture(params=["up", "down"])
def urls(request: pytest.FixtureRequest, schema_dsn: str, tmp_path: Path) -> Pair:
    """Where from and where to: SQLite to PostgreSQL, and back."""
    file = f"sqlite:///{tmp_path}/moved.db"
    return (file, schema_dsn) if request.param == "up" else (schema_dsn, file)


@pytest.fixture
def opened() -> Iterator[Callable[[str], Store]]:
    found: list[Store] = []

    def open_one(url: str) -> Store:
        found.append(Store.open(url))
        return found[-1]

    yield open_one
    for store in found:
        store.close()


def live(store: Store) -> None:
    """Rows in every table, deliveries that were read and some that were not."""
    fill_every_table(store.work)
    if store.dialect == "sqlite":
        with store.work.transaction() as tx:
            tx.script("DELETE FROM inbox_cursor")
    else:
        with store.work.transaction() as tx:
            tx.script("DELETE FROM inbox")
            tx.script("DELETE FROM delivery_progress")
    fill(store, 30)
    deliveries.claim(store, NOW, 10, timedelta(seconds=30))


def rows(store: Store) -> dict[str, int]:
    tables = tables_to_copy(store.work)
    with store.work.read() as tx:
        found = count_rows(tx, tables)
    with store.inbox.read() as tx:
        found["inbox"] = inbox.count(tx)
    return found


def unread(store: Store) -> int:
    """How many deliveries a worker is still handed, now and when leases end."""
    seen: set[int] = set()
    while found := deliveries.claim(store, NOW + timedelta(days=1), 100, timedelta(days=2)):
        seen |= {one.delivery.id for one in found}
    return len(seen)


def test_everything_arrives_and_the_old_one_is_closed(urls: Pair, opened: Callable[[str], Store]) -> None:
    source, target = opened(urls[0]), opened(urls[1])
    live(source)
    before = rows(source) | {"meta": rows(source)["meta"] + 1}  # and why workers rest
    done = move(source, target, SystemClock())
    assert done.rows == {name: before[name] for name in done.rows}
    assert done.rows["inbox"] == 30
    assert {name for name, count in before.items() if count} <= set(done.rows)
    with pytest.raises(StoreUnavailable, match="moved: this database"), source.work.transaction() as tx:
        meta.put(tx, "late", "1", NOW)
    with pytest.raises(StoreUnavailable, match="moved: this database"):
        inbox.append(source.inbox, [delivery("late")])
    with target.work.transaction() as tx:
        assert standstill.read(tx) is None, "the new one would hold still"
        assert meta.get(tx, "row/7") == "ä\t\\\n\x01" * 3
        meta.put(tx, "life", "goes on", NOW)
    inbox.append(target.inbox, [delivery("new")])
    with target.inbox.read() as tx:
        assert inbox.last_id(tx) == 31
    assert unread(target) == 31, "a delivery was lost on the way, or is thought read"
    assert reopen(source, SystemClock())
    with source.work.transaction() as tx:
        meta.put(tx, "stayed", "1", NOW)
        assert standstill.read(tx) is None


KILLED = """
import os, signal, sys
from connector.clock import SystemClock
from connector.keeping.moving import move
from connector.store import Store, moving
moving.CHUNK = 7
plain, left = moving._note, int(sys.argv[3])
def note(tx, database, name, value):
    global left
    plain(tx, database, name, value)
    left -= 1
    if left == 0:
        os.kill(os.getpid(), signal.SIGKILL)
moving._note = note
source, target = Store.attach(sys.argv[1]), Store.open(sys.argv[2])
from functools import partial
import connector.keeping.moving as keeping
keeping.copy_table = partial(moving.copy_table, chunk=7)
move(source, target, SystemClock())
"""


def test_a_copy_that_is_killed_again_and_again_goes_on(urls: Pair, opened: Callable[[str], Store]) -> None:
    source = opened(urls[0])
    live(source)
    before = rows(source) | {"meta": rows(source)["meta"] + 1}  # and why workers rest
    kills = 0
    for steps in (3, 20, 11):
        done = subprocess.run(
            [sys.executable, "-c", KILLED, *urls, str(steps)], cwd=ROOT, capture_output=True, text=True, timeout=120
        )
        assert done.returncode == -signal.SIGKILL, done.stderr
        kills += 1
        with pytest.raises(StoreUnavailable, match="moved"), source.work.transaction() as tx:
            meta.put(tx, "between", "1", NOW)
    target = opened(urls[1])
    told: list[int] = []
    done_rows = move(source, target, SystemClock(), lambda copied, total: told.append(copied)).rows
    assert done_rows == {name: before[name] for name in done_rows}
    assert told[-1] < sum(before.values()), "it began anew instead of going on"
    assert kills == 3


@pytest.mark.parametrize(
    "fault",
    [
        "UPDATE meta SET value = 'other' WHERE name = 'row/5'",
        "DELETE FROM meta WHERE name = 'row/5'",
        "UPDATE effects SET tainted = 0 WHERE effect_id = 'effect_id 1'",
    ],
)
def test_a_changed_copy_is_found(
    urls: Pair, opened: Callable[[str], Store], monkeypatch: pytest.MonkeyPatch, fault: str
) -> None:
    source, target = opened(urls[0]), opened(urls[1])
    live(source)
    compare = moving.compare

    def spoil(*args: object) -> int:
        with target.work.transaction() as tx:
            tx.script(fault)
        return compare(*args)  # type: ignore[arg-type]

    monkeypatch.setattr(moving, "compare", spoil)
    with pytest.raises(StoreUnavailable, match=r"the copy of (meta|effects) is not the same"):
        move(source, target, SystemClock())


def test_a_target_that_holds_something_else_is_left_alone(urls: Pair, opened: Callable[[str], Store]) -> None:
    source, target = opened(urls[0]), opened(urls[1])
    live(source)
    with target.work.transaction() as tx:
        meta.put(tx, "theirs", "1", NOW)
    with pytest.raises(StoreUnavailable, match="is not empty"):
        move(source, target, SystemClock())
    with source.work.transaction() as tx:
        meta.put(tx, "still", "open", NOW)


def test_by_command_with_sealed_credentials(write_app: Callable[..., Path], schema_dsn: str, tmp_path: Path) -> None:
    app = write_app()
    kiitos = load(app)
    salt, address = kiitos.salt, kiitos.hook_url(kiitos.config.shop("acme-main"))
    kiitos.close()
    done = CliRunner(env={"NEW_DB": schema_dsn}).invoke(cli, ["-c", str(app), "db", "copy", "--to", "env:NEW_DB"])
    assert done.exit_code == 0, done.output + str(done.exception)
    assert "copied and compared" in done.output
    with pytest.raises(StoreUnavailable, match="moved"):
        load(app)
    moved = load(write_app(schema_dsn))
    assert moved.salt == salt
    assert moved.hook_url(moved.config.shop("acme-main")) == address
    moved.close()
    assert "reopened" in CliRunner().invoke(cli, ["-c", str(write_app()), "db", "reopen"]).output
    load(app).close()
