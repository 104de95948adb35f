"""`kiitos db copy` both ways: every row, resumed after a kill, corruption found, the old database closed."""

from __future__ import annotations

import signal
import subprocess
import sys
from collections.abc import Callable, Iterator, Sequence
from dataclasses import replace
from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest
from click.testing import CliRunner

from connector.app import load
from connector.cli import cli
from connector.clock import SystemClock
from connector.errors import StoreUnavailable
from connector.keeping import moving
from connector.keeping.moving import move, reopen
from connector.store import Store, aligning, deliveries, inbox, meta
from connector.store import moving as moving_rows
from connector.store.db import Database, Tx
from connector.store.moving import Sum, compare, sum_of, tables_to_copy
from connector.store.tables import Table, count_rows
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
    assert done.copying > 0 < done.closed <= done.frozen
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
    """Killed while everything goes on: what is written between is in the copy in the end, what went is not."""
    source = opened(urls[0])
    live(source)
    for number, steps in enumerate((3, 20, 11)):
        done = subprocess.run(
            [sys.executable, "-c", KILLED, *urls, str(steps)], cwd=ROOT, capture_output=True, text=True, timeout=120
        )
        assert done.returncode == -signal.SIGKILL, done.stderr
        with source.work.transaction() as tx:
            meta.put(tx, f"between/{number}", "1", NOW)
            meta.put(tx, "row/5", f"changed {number}", NOW)
            tx.script(f"DELETE FROM meta WHERE name = 'row/{number}'")
        inbox.append(source.inbox, [delivery(f"between/{number}")])
    target = opened(urls[1])
    before = rows(source) | {"meta": rows(source)["meta"] + 1}  # and why workers rest
    told: list[int] = []
    done_rows = move(source, target, SystemClock(), lambda copied, total: told.append(copied)).rows
    assert done_rows == {name: before[name] for name in done_rows}
    assert told[-1] < 2 * sum(before.values()), "it began anew instead of going on"
    assert_same(source, target)


def assert_same(source: Store, target: Store) -> None:
    """But for why workers rest, which ends with the move."""
    for table in tables_to_copy(source.work):
        if table.name not in ("inbox_cursor", "delivery_progress", "inbox", "meta"):
            assert compare(source.work, target.work, table) >= 0
    kept = []
    for store in (source, target):
        with store.work.read() as tx:
            found = tx.fetch("SELECT name, value FROM meta WHERE name <> 'standstill' ORDER BY name")
            kept.append(sorted(found))
    assert kept[0] == kept[1]


def test_a_copy_that_is_killed_while_all_is_frozen_stays_closed_and_is_finished(
    urls: Pair, opened: Callable[[str], Store]
) -> None:
    source = opened(urls[0])
    live(source)
    script = KILLED.replace("moving._note = note", "").replace(
        "move(source,", "keeping.equal_counts = lambda *_: os.kill(os.getpid(), signal.SIGKILL)\nmove(source,"
    )
    done = subprocess.run(
        [sys.executable, "-c", script, *urls, "0"], cwd=ROOT, capture_output=True, text=True, timeout=120
    )
    assert done.returncode == -signal.SIGKILL, done.stderr
    with pytest.raises(StoreUnavailable, match="moved"), source.work.transaction() as tx:
        meta.put(tx, "between", "1", NOW)
    with pytest.raises(StoreUnavailable, match="moved"):
        inbox.append(source.inbox, [delivery("late")])
    target = opened(urls[1])
    assert move(source, target, SystemClock()).rows["inbox"] == 30
    assert_same(source, target)


Change = Callable[[Store], None]


def written(statement: str) -> Change:
    def act(store: Store) -> None:
        with store.work.transaction() as tx:
            tx.script(statement)

    return act


def come(store: Store) -> None:
    inbox.append(store.inbox, [delivery("late")])


def gone(store: Store) -> None:
    with store.inbox.transaction() as tx:
        tx.script("DELETE FROM inbox WHERE id = 3")


def book_gone(store: Store) -> None:
    """Of a shop that is wiped: the one way in which rows of the books go."""
    with store.work.transaction() as tx:
        tx.script("DELETE FROM value_facts WHERE shop_id = 'shop_id 1'")


MEANWHILE: dict[str, Change] = {
    "changed": written("UPDATE meta SET value = 'other' WHERE name = 'row/5'"),
    "gone": written("DELETE FROM effects WHERE effect_id = 'effect_id 1'"),
    "come": written("INSERT INTO meta (name, value, updated_at) VALUES ('a', 'b', 'c')"),
    "swapped": written("UPDATE meta SET name = 'row/5' || name WHERE substr(name, 1, 5) = 'row/1'"),
    "a delivery": come,
    "a delivery forgotten": gone,
    "a book of a shop that is wiped": book_gone,
}


@pytest.mark.parametrize("what", list(MEANWHILE))
def test_what_happens_while_it_copies_is_in_the_copy(
    urls: Pair, opened: Callable[[str], Store], monkeypatch: pytest.MonkeyPatch, what: str
) -> None:
    """Between the copying and the freeze; and the control, in which nothing is brought up to date, is found out."""
    source, target = opened(urls[0]), opened(urls[1])
    live(source)
    rest = moving._rest

    def meanwhile(store: Store, clock: SystemClock) -> None:
        MEANWHILE[what](store)
        rest(store, clock)

    monkeypatch.setattr(moving, "_rest", meanwhile)
    monkeypatch.setattr(moving, "align", lambda *_, **__: None)
    monkeypatch.setattr(moving, "equal_counts", lambda *_: 0)
    monkeypatch.setattr(moving, "_settle", lambda *_: None)
    move(source, target, SystemClock())
    tables = [table for table in tables_to_copy(source.work) if table.name != "inbox"]
    boxes = [table for table in tables_to_copy(source.inbox) if table.name == "inbox"]
    pairs = [(source.work, target.work, one) for one in tables] + [(source.inbox, target.inbox, boxes[0])]
    differing = [one[2].name for one in pairs if sum_of(one[0], one[2]) != sum_of(one[1], one[2])]
    assert {"meta"} < set(differing) or differing == ["meta"], "the control found nothing"
    monkeypatch.undo()
    move(source, target, SystemClock())
    assert_same(source, target)
    assert inbox_sum(source) == inbox_sum(target)


def test_a_book_that_nobody_may_delete_from_is_brought_up_to_date_and_guarded_again(
    urls: Pair, opened: Callable[[str], Store], monkeypatch: pytest.MonkeyPatch
) -> None:
    source, target = opened(urls[0]), opened(urls[1])
    live(source)
    with source.work.transaction() as tx:
        tx.script("DELETE FROM value_openings")
    rest = moving._rest

    def odd_one(store: Store, clock: SystemClock) -> None:
        (table,) = [one for one in tables_to_copy(target.work) if one.name == "value_facts"]
        with target.work.transaction() as tx:
            chosen = ", ".join("'odd'" if column == "fact_id" else column for column in table.columns)
            tx.script(f"INSERT INTO value_facts SELECT {chosen} FROM value_facts WHERE fact_id = 'fact_id 1'")
        rest(store, clock)

    monkeypatch.setattr(moving, "_rest", odd_one)
    move(source, target, SystemClock())
    assert_same(source, target)
    with pytest.raises(Exception, match="append-only"), target.work.transaction() as tx:
        tx.script("DELETE FROM value_facts")


def inbox_sum(store: Store) -> Sum:
    (table,) = [table for table in tables_to_copy(store.inbox) if table.name == "inbox"]
    return sum_of(store.inbox, replace(table, columns=tuple(sorted(table.columns))))


@pytest.mark.parametrize(
    "fault",
    [
        "UPDATE meta SET value = 'other' WHERE name = 'row/5'",
        "DELETE FROM meta WHERE name = 'row/5'",
        "UPDATE effects SET tainted = 0 WHERE effect_id = 'effect_id 1'",
    ],
)
def test_a_copy_that_was_changed_is_mended_and_one_that_changes_under_our_hands_is_found(
    urls: Pair, opened: Callable[[str], Store], monkeypatch: pytest.MonkeyPatch, fault: str
) -> None:
    source, target = opened(urls[0]), opened(urls[1])
    live(source)
    rest, plain = moving._rest, moving_rows.insert

    def spoil(tx: Tx, *_: object) -> None:
        tx.script(fault)

    def before(store: Store, clock: SystemClock) -> None:
        with target.work.transaction() as tx:
            spoil(tx)
        rest(store, clock)

    def after(tx: Tx, database: Database, table: Table, rows: Sequence[tuple[Any, ...]]) -> None:
        plain(tx, database, table, rows)
        spoil(tx)

    monkeypatch.setattr(moving, "_rest", before)
    monkeypatch.setattr(aligning, "insert", after)
    with pytest.raises(StoreUnavailable, match=r"the copy of (meta|effects) is not the same"):
        move(source, target, SystemClock())
    monkeypatch.setattr(aligning, "insert", plain)
    move(source, target, SystemClock())
    assert_same(source, target)


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
