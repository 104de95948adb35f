"""Upgrades and their way back: old or new and never between, the program before runs on, a release's rows live on."""

from __future__ import annotations

import json
import re
import shutil
import sqlite3
import subprocess
import sys
from collections.abc import Callable
from contextlib import closing
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from connector.errors import ConfigError
from connector.store import Store, accounts, books, effects, entities, inbox
from connector.store.db import Database, Sqlite
from connector.store.migrate import applied, downgrade, migrate, pending, verify
from connector.store.postgres import Postgres
from connector.store.sql import MIGRATIONS, statements
from connector.store.tables import count_rows, tables_of
from connector.store.way_back import beyond_adding, breaks, faults_of, files_of, reason_of, way_back
from flows.value.bookings import position_of
from tests.store.examples import NOW, SHOP, delivery, effect, order, order_event

ROOT = Path(__file__).resolve().parents[2]
RELEASED = Path(__file__).parent / "released"
RELEASE, NEWEST = "0.1.0", "0018_links"
"""The last release, and its newest migration."""
NAMES = list(files_of("work"))
AFTER = [name for name in NAMES if name > NEWEST]


@pytest.fixture
def database(url: str) -> Database:
    return Postgres(url) if url.startswith("postgresql") else Sqlite(Path(url.removeprefix("sqlite:///")))


def shape(database: Database) -> set[tuple[str, ...]]:
    """The schema as the engine sees it, whatever the way it came about."""
    if database.dialect == "sqlite":
        queries = [
            "SELECT type, name, sql FROM sqlite_master WHERE name NOT LIKE 'sqlite_%' AND name <> 'schema_ledger'"
        ]
    else:
        queries = [
            """SELECT table_name, column_name, data_type, is_nullable, column_default FROM information_schema.columns
            WHERE table_schema = current_schema() AND table_name <> 'schema_ledger'""",
            """SELECT tablename, indexname, indexdef FROM pg_indexes
            WHERE schemaname = current_schema() AND tablename <> 'schema_ledger'""",
            "SELECT proname FROM pg_proc WHERE pronamespace = current_schema()::regnamespace",
        ]
    with database.read() as tx:
        return {tuple(_plain(str(value)) for value in row) for query in queries for row in tx.fetch(query)}


def _plain(text: str) -> str:
    return re.sub(r"test_\w+\.", "", re.sub(r"\s+", " ", re.sub(r"\s*\n\s*", " ", text))).strip()


def test_each_step_back_gives_the_schema_that_was_there_and_forward_again_the_new(database: Database) -> None:
    shapes = []
    for name in NAMES:
        migrate(database, "work", until=name)
        shapes.append(shape(database))
    assert len(set(map(frozenset, shapes))) == len(shapes)
    for number in reversed(range(len(NAMES) - 1)):
        assert downgrade(database, "work", NAMES[number]) == [NAMES[number + 1]]
        assert shape(database) == shapes[number], f"the way back from {NAMES[number + 1]}"
    migrate(database, "work")
    assert shape(database) == shapes[-1]
    assert downgrade(database, "work", NAMES[0]) == list(reversed(NAMES[1:]))
    assert shape(database) == shapes[0]
    with pytest.raises(ConfigError, match="no migration '0000_none'"):
        downgrade(database, "work", "0000_none")
    database.close()


@pytest.mark.parametrize("dialect", ["sqlite", "postgres"])
@pytest.mark.parametrize("name", AFTER)
def test_what_came_after_the_release_only_adds_or_says_how_it_is_undone(name: str, dialect: str) -> None:
    said = (MIGRATIONS / "work" / "down" / f"{name}.sql").exists()
    assert said or faults_of(name, "work", dialect) == []
    assert way_back(name, "work", dialect).statements


SETTLED = "0037_review_asks"
"""After this one a migration that drops something, or writes to old rows, says why."""


@pytest.mark.parametrize("dialect", ["sqlite", "postgres"])
@pytest.mark.parametrize("name", [name for name in AFTER if name > SETTLED])
def test_nothing_is_dropped_and_no_old_row_rewritten_without_a_reason(name: str, dialect: str) -> None:
    assert reason_of(name, "work") or beyond_adding(name, "work", dialect) == []


@pytest.mark.parametrize(
    ("statements_of_it", "found"),
    [
        ("DROP TABLE links;", 1),
        ("DROP INDEX runs_turns;", 1),
        ("ALTER TABLE runs DROP COLUMN rev;", 1),
        ("DELETE FROM runs WHERE rev > 9;", 2),
        ("ALTER TABLE runs ADD COLUMN mood TEXT;\nUPDATE runs SET mood = 'fine';", 1),
        ("ALTER TABLE runs ADD COLUMN mood TEXT;\nUPDATE runs SET mood = 'fine', rev = 0;", 2),
        ("ALTER TABLE runs ADD COLUMN mood TEXT;\nDELETE FROM runs;", 2),
        ("CREATE TABLE a (b TEXT);\nINSERT INTO a VALUES ('1');\nALTER TABLE runs ADD COLUMN mood TEXT;", 0),
    ],
)
def test_a_drop_or_a_rewrite_is_found_and_its_reason_read(tmp_path: Path, statements_of_it: str, found: int) -> None:
    folder = tmp_path / "work"
    folder.mkdir()
    (folder / "9000_planted.sql").write_text(f"-- Moods.\n{statements_of_it}\n")
    assert len(beyond_adding("9000_planted", "work", "sqlite", tmp_path)) == found
    assert reason_of("9000_planted", "work", tmp_path) == ""
    (folder / "9000_planted.sql").write_text(f"-- Moods.\n-- More than adding: they were wrong.\n{statements_of_it}\n")
    assert reason_of("9000_planted", "work", tmp_path) == "they were wrong."


@pytest.mark.parametrize(
    ("statement", "fault"),
    [
        ("ALTER TABLE runs ADD COLUMN mood TEXT;\nUPDATE runs SET rev = 0;", "changes rows"),
        ("ALTER TABLE runs ADD COLUMN mood TEXT;\nDELETE FROM runs WHERE mood = '';", "changes rows"),
        ("ALTER TABLE runs ADD COLUMN mood TEXT;\nUPDATE runs SET mood = 'fine' WHERE rev > 1;", ""),
        ("ALTER TABLE runs ADD COLUMN mood TEXT NOT NULL;", "nullable or have a default"),
        ("ALTER TABLE runs RENAME COLUMN rev TO revision;", "neither a table"),
        ("DROP TABLE links;", "neither a table"),
        ("UPDATE runs SET rev = 0;", "changes rows"),
        ("CREATE UNIQUE INDEX one_a_day ON runs (shop_id, created_at);", "unique index"),
        ("ALTER TABLE runs ADD COLUMN mood TEXT NOT NULL DEFAULT '';", ""),
        ("CREATE TABLE a (b TEXT);\nINSERT INTO a VALUES ('1');\nCREATE UNIQUE INDEX i ON a (b);", ""),
    ],
)
def test_a_migration_that_breaks_the_program_before_it_is_found_out(tmp_path: Path, statement: str, fault: str) -> None:
    folder = tmp_path / "migrations"
    shutil.copytree(MIGRATIONS, folder)
    (folder / "work" / "9000_planted.sql").write_text(statement + "\n")
    found = "; ".join(faults_of("9000_planted", "work", "sqlite", folder))
    assert (fault in found) if fault else found == ""
    assert breaks("9000_planted", "work", "sqlite", folder) == bool(fault)


def older(tmp_path: Path, newest: str) -> Path:
    """The migrations of a program whose newest one is `newest`."""
    folder = tmp_path / f"until-{newest}"
    shutil.copytree(MIGRATIONS, folder)
    for path in (folder / "work").glob("*.sql"):
        if path.stem > newest:
            path.unlink()
    return folder


def first_break(dialect: str) -> str:
    """The first migration after the release that the release cannot live with; empty when there is none."""
    return next((name for name in AFTER if breaks(name, "work", dialect)), "")


def test_the_released_program_starts_on_a_schema_that_only_grew_and_is_refused_by_one_that_broke(
    database: Database, tmp_path: Path
) -> None:
    before = older(tmp_path, NEWEST)
    grown = [name for name in AFTER if not first_break(database.dialect) or name < first_break(database.dialect)]
    assert grown
    migrate(database, "work", until=grown[-1])
    verify(database, "work", before)
    assert migrate(database, "work", before) == []
    if not first_break(database.dialect):
        return
    migrate(database, "work")
    with pytest.raises(ConfigError, match=r"does not know; start the newer version again .*kiitos db downgrade"):
        migrate(database, "work", before)
    downgrade(database, "work", NEWEST)
    assert pending(database, "work", before) == []
    database.close()


def statements_of(dialect: str) -> dict[str, tuple[str, list[str]]]:
    """Every statement of the released program, by name."""
    return json.loads((RELEASED / f"{RELEASE}.queries.json").read_text("utf-8"))[dialect]


def failing(database: Database) -> list[str]:
    """The released program's statements that this schema cannot carry out."""
    found = []
    explain = "EXPLAIN QUERY PLAN" if database.dialect == "sqlite" else "EXPLAIN"
    for name, (sql, names) in statements_of(database.dialect).items():
        values: Any = [None] * len(names) if database.dialect == "sqlite" else dict.fromkeys(names)
        if sql.lstrip().upper().startswith(("SELECT", "INSERT", "UPDATE", "DELETE", "WITH")):
            with database.transaction() as tx:
                try:
                    with tx.savepoint():
                        tx.script(f"{explain} {sql}", values)
                        tx._cursor.fetchall()
                except Exception as error:  # noqa: BLE001 - whatever the engine says, it is the finding
                    found.append(f"{name}: {str(error).splitlines()[0]}")
    return found


def test_every_statement_of_the_released_program_works_on_the_grown_schema(database: Database) -> None:
    migrate(database, "inbox")
    broken = first_break(database.dialect)
    grown = [name for name in NAMES if not broken or name < broken]
    migrate(database, "inbox")
    migrate(database, "work", until=grown[-1])
    if database.dialect == "sqlite":  # two files in life; here in one, for the queries of both
        assert len(statements_of("sqlite")) > 300
    assert failing(database) == []
    with database.transaction() as tx:
        tx.script("DROP TABLE short_links")
    assert failing(database), "the control breaks nothing: this test proves nothing"
    database.close()


@pytest.fixture
def released(url: str, tmp_path: Path) -> Callable[[], Store]:
    """A store as the release left it, with its rows."""
    if url.startswith("postgresql"):
        import psycopg

        with psycopg.connect(url, autocommit=True) as raw:
            raw.execute((RELEASED / f"{RELEASE}.postgres.sql").read_text("utf-8"))  # type: ignore[call-overload]
    else:
        for component, name in (("work", "work.db"), ("inbox", "inbox.db")):
            with closing(sqlite3.connect(tmp_path / name)) as raw:
                raw.executescript((RELEASED / f"{RELEASE}.{component}.sqlite.sql").read_text("utf-8"))
    return lambda: Store.open(url)


def test_a_released_database_is_upgraded_and_lives_on(released: Callable[[], Store], url: str) -> None:
    bare = Store.attach(url)
    with bare.work.read() as tx:
        before = count_rows(tx, tables_of(tx, bare.work))
    assert applied(bare.work, "work")[-1] == NEWEST
    assert all(count == 2 for table, count in before.items() if table not in ("schema_ledger", "sqlite_sequence"))
    bare.close()
    store = released()
    with store.work.read() as tx:
        after = count_rows(tx, tables_of(tx, store.work))
    gone = {table for table in before if table not in after}
    assert gone <= {"points"}, "a table went without its rows having gone elsewhere"
    assert {table: after[table] for table in before if table not in gone | {"schema_ledger"}} == {
        table: count for table, count in before.items() if table not in gone | {"schema_ledger"}
    }
    with store.inbox.transaction() as tx:
        inbox.put_many(tx, [delivery("after the upgrade")])
        assert inbox.count(tx) == 3
    with store.work.transaction() as tx:
        entities.apply(tx, SHOP, order_event(replace(order("900"), customer=None)), NOW)
        assert effects.put(tx, effect("r7:ask"))
        assert [one.id for one in effects.due(tx, NOW, 10)] == ["r7:ask"]
        assert entities.order(tx, SHOP, "900") is not None
    store.close()


def test_points_of_a_release_become_facts_of_the_ledger(released: Callable[[], Store], url: str) -> None:
    """Given, partly taken back, and lapsed by now: what somebody has is what they had, and the books agree."""
    rows = [
        ("g1", "email/aino@example.test", 100, "7", None, None, "2026-10-01"),
        ("t1", "email/aino@example.test", -30, "7", "g1", None, "2026-10-05"),
        ("g2", "email/aino@example.test", 40, None, None, "2026-10-20T00:00:00.000000Z", "2026-10-02"),
        ("g3", "customer/c1", 55, None, None, "2027-10-20T00:00:00.000000Z", "2026-10-03"),
    ]
    bare = Store.attach(url)
    with bare.work.transaction() as tx:
        tx.script("DELETE FROM points")  # what the release's file has is one of each column's kind, and no ledger
        for entry, owner, points, order_id, reverses, until, day in rows:
            written = (SHOP, entry, owner, points, "thanks", order_id, reverses, until, f"{day}T08:00:00.000000Z")
            values = ", ".join("NULL" if each is None else repr(each) for each in written)
            tx.script(
                "INSERT INTO points (shop_id, entry_id, owner, points, reason, order_id, reverses, expires_at, at) "
                f"VALUES ({values})"
            )
    bare.close()
    store = released()
    with store.work.transaction() as tx:
        aino = accounts.find(tx, SHOP, None, "aino@example.test")
        other = accounts.find(tx, SHOP, "c1", None)
        has = [position_of(tx, SHOP, each, NOW) for each in (aino, other)]
        assert [(each.available, each.pending, each.owed) for each in has] == [(70, 0, 0), (55, 0, 0)]
        assert aino.account != other.account
        causes = {fact.id: (fact.kind, fact.cause, fact.of) for fact in books.facts_of(tx, SHOP, aino.accounts)}
        assert causes == {
            "g1": ("grant", "order/7", ""),
            "t1": ("take_back", "order/7", "g1"),
            "g2": ("grant", "flow", ""),
        }
        assert accounts.due(tx, NOW, 10), "the books follow at the first look"
    store.close()


def test_a_missing_schema_names_the_command(url: str) -> None:
    with pytest.raises(ConfigError, match="has not run; migrate the database with: kiitos db upgrade"):
        Store.open(url, migrate=False)


KILLER = """
import os, signal, sys
from pathlib import Path
from connector.store.database import Tx
from connector.store.db import Sqlite
from connector.store.migrate import applied, migrate
from connector.store.postgres import Postgres
from connector.store.sql import statements
from connector.store.way_back import files_of

url = sys.argv[1]
plain = Tx.script

def make():
    return Postgres(url) if url.startswith("postgresql") else Sqlite(url.removeprefix("sqlite:///"))

def die_at(number):
    seen = 0
    def script(self, statement, values=()):
        nonlocal seen
        if statement.startswith("BEGIN"):
            self.begun = getattr(self, "begun", 0) + 1
        elif getattr(self, "begun", 0) >= 2:  # the first transaction makes the ledger
            if seen == number:
                os.kill(os.getpid(), signal.SIGKILL)
            seen += 1
        plain(self, statement, values)
    Tx.script = script

killed = 0
for name, path in files_of("work").items():
    count = len(list(statements(path.read_text("utf-8"), make().dialect)))
    for number in range(count + 1):  # before each statement, and before the commit
        child = os.fork()
        if child == 0:
            die_at(number)
            migrate(make(), "work", until=name)
            os._exit(0)
        _, status = os.waitpid(child, 0)
        database = make()
        done = applied(database, "work")
        database.close()
        if not os.WIFSIGNALED(status) or name in done:
            sys.exit(f"{name}, statement {number}: status {status}, applied {done[-1:]}")
        killed += 1
    database = make()
    migrate(database, "work", until=name)
    database.close()
print(killed)
"""


@pytest.mark.slow
def test_a_kill_before_any_statement_of_any_migration_leaves_the_schema_before_it(url: str, database: Database) -> None:
    """The next process finds the old schema, whole, and brings it to the new one."""
    database.close()
    done = subprocess.run([sys.executable, "-c", KILLER, url], cwd=ROOT, capture_output=True, text=True, timeout=250)
    assert done.returncode == 0, done.stdout + done.stderr
    wanted = sum(
        len(list(statements(path.read_text("utf-8"), database.dialect))) + 1 for path in files_of("work").values()
    )
    assert int(done.stdout) == wanted
    if isinstance(database, Sqlite):
        assert database.quick_check() == "ok"
    fresh = shape(database)
    assert applied(database, "work") == NAMES
    downgrade(database, "work", NAMES[0])
    migrate(database, "work")
    assert shape(database) == fresh
    database.close()
