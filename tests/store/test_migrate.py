from __future__ import annotations

import shutil
import signal
import subprocess
import sys
from pathlib import Path

import pytest

from connector.errors import ConfigError
from connector.store import Store, meta
from connector.store.db import Database, Sqlite
from connector.store.migrate import migrate, verify
from connector.store.postgres import Postgres
from connector.store.sql import MIGRATIONS
from connector.store.statistics import keep_statistics
from tests.store.examples import NOW

ROOT = Path(__file__).resolve().parents[2]
SECOND = (
    "CREATE TABLE later_one (a TEXT PRIMARY KEY);\n-- a comment; with a semicolon\nCREATE TABLE later_two (a TEXT);\n"
)


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    """The real first migration, and room for more."""
    copy = tmp_path / "migrations"
    shutil.copytree(MIGRATIONS, copy)
    for later in sorted((copy / "work").glob("*.sql"))[1:]:
        later.unlink()
    return copy


@pytest.fixture
def database(url: str) -> Database:
    return Postgres(url) if url.startswith("postgresql") else Sqlite(Path(url.removeprefix("sqlite:///")))


def tables(database: Database) -> set[str]:
    kind = "SELECT tablename AS t FROM pg_tables WHERE schemaname = current_schema()"
    if database.dialect == "sqlite":
        kind = "SELECT name AS t FROM sqlite_master WHERE type = 'table' AND name NOT LIKE 'sqlite_%'"
    with database.read() as tx:
        rows = tx._cursor.execute(kind).fetchall()
    return {row["t"] if isinstance(row, dict) else row[0] for row in rows}


def test_each_migration_runs_once(database: Database, folder: Path) -> None:
    assert migrate(database, "work", folder) == sorted(path.stem for path in (folder / "work").glob("*.sql"))
    assert migrate(database, "work", folder) == []
    (folder / "work" / "9002_later.sql").write_text(SECOND)
    assert migrate(database, "work", folder) == ["9002_later"]
    assert {"later_one", "later_two", "runs"} <= tables(database)
    assert migrate(database, "work", folder) == []
    database.close()


@pytest.mark.parametrize("component", ["work", "inbox"])
def test_what_tests_copy_is_what_migrations_make(component: str, tmp_path: Path) -> None:
    """`tests.schema_once`; the plant is an index that only the copy has."""
    made = Sqlite(tmp_path / "made.db")
    assert migrate(made, component), "nothing was migrated"
    keep_statistics(made)
    copied = getattr(Store.open(f"sqlite:///{tmp_path / 'kiitos.db'}"), component)
    assert schema_of(copied) == schema_of(made)
    with copied.transaction() as tx:
        tx.script("CREATE INDEX planted ON schema_ledger (applied_at)")
    assert schema_of(copied) != schema_of(made)
    made.close()
    copied.close()


def schema_of(database: Database) -> list[tuple[object, ...]]:
    with database.read() as tx:
        found = tx.fetch("SELECT type, name, tbl_name, sql FROM sqlite_master ORDER BY type, name")
        kept = tx.fetch("SELECT component, name FROM schema_ledger ORDER BY component, name")
        figures = tx.fetch("SELECT tbl, idx, stat FROM sqlite_stat1 ORDER BY tbl, idx")
    return [tuple(row) for row in (*found, *kept, *figures)]


def test_a_newer_database_is_refused(database: Database, folder: Path) -> None:
    (folder / "work" / "9002_later.sql").write_text(SECOND + "ALTER TABLE runs RENAME COLUMN rev TO revision;\n")
    migrate(database, "work", folder)
    (folder / "work" / "9002_later.sql").unlink()
    with pytest.raises(ConfigError, match=r"9002_later.*does not know"):
        migrate(database, "work", folder)
    with pytest.raises(ConfigError, match="9002_later"):
        verify(database, "work", folder)
    database.close()


def test_a_gap_is_refused(database: Database, folder: Path) -> None:
    (folder / "work" / "9003_last.sql").write_text("CREATE TABLE last_one (a TEXT);\n")
    migrate(database, "work", folder)
    (folder / "work" / "9002_later.sql").write_text(SECOND)
    with pytest.raises(ConfigError, match="'9002_later' is missing between"):
        migrate(database, "work", folder)
    database.close()


def test_a_failing_migration_leaves_nothing(database: Database, folder: Path) -> None:
    migrate(database, "work", folder)
    (folder / "work" / "9002_later.sql").write_text(SECOND + "CREATE TABLE later_one (b TEXT);\n")
    with pytest.raises(Exception, match="later_one"):
        migrate(database, "work", folder)
    assert not {"later_one", "later_two"} & tables(database)
    (folder / "work" / "9002_later.sql").write_text(SECOND)
    assert migrate(database, "work", folder) == ["9002_later"]
    database.close()


def test_without_migrating_the_schema_must_be_current(url: str) -> None:
    with pytest.raises(ConfigError, match=r"0001_inbox.*has not run"):
        Store.open(url, migrate=False)
    Store.open(url).close()
    store = Store.open(url, migrate=False)
    with store.work.transaction() as tx:
        meta.put(tx, "a", "1", NOW)
        assert meta.get(tx, "a") == "1"
    store.close()


CHILD = """
import os, signal, sys
from pathlib import Path
from connector.store.migrate import migrate
from connector.store.db import Sqlite
from connector.store.postgres import Postgres
from connector.store.database import Tx
url, folder, after = sys.argv[1], Path(sys.argv[2]), int(sys.argv[3])
database = Postgres(url) if url.startswith("postgresql") else Sqlite(url.removeprefix("sqlite:///"))
plain, done = Tx.script, []
def script(self, statement):
    if "later" in statement or (done and statement == "COMMIT"):
        done.append(statement)
        if len(done) > after:
            os.kill(os.getpid(), signal.SIGKILL)
    plain(self, statement)
Tx.script = script
migrate(database, "work", folder)
"""


@pytest.mark.parametrize(("after", "arrived"), [(0, False), (1, False), (2, False), (3, True)])
def test_a_kill_in_the_middle_leaves_the_old_schema_or_the_new(
    database: Database, folder: Path, url: str, after: int, arrived: bool
) -> None:
    migrate(database, "work", folder)
    with database.transaction() as tx:
        meta.put(tx, "kept", "1", NOW)
    (folder / "work" / "9002_later.sql").write_text(SECOND)
    child = subprocess.run(
        [sys.executable, "-c", CHILD, url, str(folder), str(after)],
        cwd=ROOT,
        capture_output=True,
        text=True,
        timeout=60,
    )
    assert child.returncode == (0 if arrived else -signal.SIGKILL), child.stderr
    found = tables(database) & {"later_one", "later_two"}
    assert found == ({"later_one", "later_two"} if arrived else set())
    assert migrate(database, "work", folder) == ([] if arrived else ["9002_later"])
    with database.read() as tx:
        assert meta.get(tx, "kept") == "1"
    database.close()
