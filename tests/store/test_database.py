"""What a database does when it cannot: locked, full, damaged, read-only, gone."""

from __future__ import annotations

import sqlite3
import threading
from contextlib import closing
from hashlib import shake_256
from pathlib import Path

import psycopg
import pytest
from psycopg.conninfo import make_conninfo

from connector.errors import ConfigError, StoreUnavailable
from connector.store import Store, inbox, meta
from connector.store.db import Tx, sqlite_library
from connector.store.postgres import Postgres
from connector.store.sqlite import Sqlite
from tests.store.examples import NOW, delivery


@pytest.fixture
def work_path(tmp_path: Path) -> Path:
    Store.open(f"sqlite:///{tmp_path}/work.db").close()
    return tmp_path / "work.db"


def put_and_fail(tx: Tx, *names: str) -> None:
    for name in names:
        meta.put(tx, name, "1", NOW)
    raise ZeroDivisionError


def test_an_exception_rolls_back(store: Store) -> None:
    with pytest.raises(ZeroDivisionError), store.work.transaction() as tx:
        put_and_fail(tx, "a")
    with store.work.read() as tx:
        assert meta.get(tx, "a") is None


def test_a_savepoint_undoes_only_its_own(store: Store) -> None:
    with store.work.transaction() as tx:
        meta.put(tx, "a", "1", NOW)
        with pytest.raises(ZeroDivisionError), tx.savepoint(), tx.savepoint():
            put_and_fail(tx, "b", "c")
        with pytest.raises(Exception, match=r"(?i)null"), tx.savepoint():
            tx.run("meta_put", name="d", value=None, now="")
        with tx.savepoint():
            meta.put(tx, "e", "1", NOW)
    with store.work.read() as tx:
        assert [name for name in "abcde" if meta.get(tx, name)] == ["a", "e"]


def test_reading_cannot_write(store: Store) -> None:
    with pytest.raises(KeyError), store.work.read() as tx:
        meta.put(tx, "a", "1", NOW)
    with store.work.transaction() as tx:
        meta.put(tx, "a", "1", NOW)
        assert meta.get(tx, "a") == "1"


def test_transactions_do_not_nest(store: Store) -> None:
    with store.work.transaction() as tx:
        meta.put(tx, "a", "1", NOW)
        with pytest.raises(RuntimeError, match="already open"), store.work.transaction():
            pass
        assert meta.get(tx, "a") == "1"
    with store.work.transaction() as tx:
        assert meta.get(tx, "a") == "1"


def test_a_read_sees_one_moment(store: Store) -> None:
    with store.work.transaction() as tx:
        meta.put(tx, "a", "1", NOW)

    def change() -> None:
        with store.work.transaction() as tx:
            meta.put(tx, "a", "2", NOW)

    with store.work.read() as tx:
        assert meta.get(tx, "a") == "1"
        other = threading.Thread(target=change)
        other.start()
        other.join(20)
        assert meta.get(tx, "a") == "1"
    with store.work.read() as tx:
        assert meta.get(tx, "a") == "2"


def test_unknown_names_and_missing_parameters_are_errors(store: Store) -> None:
    with store.work.transaction() as tx:
        with pytest.raises(KeyError):
            tx.one("no_such_query")
        with pytest.raises((KeyError, psycopg.ProgrammingError)), tx.savepoint():
            tx.one("meta_get")


def test_connections_of_ended_threads_are_closed(store: Store) -> None:
    def work() -> None:
        with store.work.read() as tx:
            meta.get(tx, "a")

    for _ in range(5):
        thread = threading.Thread(target=work)
        thread.start()
        thread.join()
    assert len(store.work._sessions) <= 2
    store.close()
    with store.work.read() as tx:  # opens again
        assert meta.get(tx, "a") is None


def test_a_held_lock_is_unavailable_after_the_timeout(work_path: Path) -> None:
    holder, other = Sqlite(work_path), Sqlite(work_path, busy_timeout=0.1)
    with holder.transaction() as tx:
        meta.put(tx, "a", "1", NOW)
        with (
            pytest.raises(StoreUnavailable, match=r"work\.db: another process holds the write lock"),
            other.transaction(),
        ):
            pass
        with other.read() as reading:
            assert meta.get(reading, "a") is None, "readers do not wait"
    with other.transaction() as tx:
        assert meta.get(tx, "a") == "1"
    holder.close()
    other.close()


def test_a_full_disk_keeps_earlier_rows(tmp_path: Path) -> None:
    store = Store.open(f"sqlite:///{tmp_path}/work.db")
    with store.inbox.transaction() as tx:
        inbox.put_many(tx, [delivery("before")])
        tx.script("PRAGMA max_page_count = 20")
    big = [delivery(f"big{n}", body=shake_256(b"%d" % n).digest(9000)) for n in range(40)]
    with pytest.raises(StoreUnavailable, match="the disk is full"), store.inbox.transaction() as tx:
        inbox.put_many(tx, big)
    with store.inbox.transaction() as tx:
        assert [d.dedup_key for d in inbox.after(tx, 0, 100)] == ["before"]
        tx.script("PRAGMA max_page_count = 100000")
    with store.inbox.transaction() as tx:
        inbox.put_many(tx, big)
        assert inbox.count(tx) == 41
    assert isinstance(store.inbox, Sqlite)
    assert store.inbox.quick_check() == "ok"
    store.close()


def test_a_damaged_file_is_refused(tmp_path: Path) -> None:
    url = f"sqlite:///{tmp_path}/work.db"
    store = Store.open(url)
    with store.inbox.transaction() as tx:
        inbox.put_many(tx, [delivery(str(n), body=b"x" * 400) for n in range(500)])
    assert isinstance(store.inbox, Sqlite)
    store.inbox.checkpoint("TRUNCATE")
    store.close()
    path = tmp_path / "inbox.db"
    data = bytearray(path.read_bytes())
    data[4096 * 3 : 4096 * 6] = b"\xa5" * 4096 * 3
    path.write_bytes(data)
    with pytest.raises(StoreUnavailable, match=r"inbox\.db failed its check"):
        Store.open(url)
    Store.open(url, check=False).close()


def test_what_is_no_database_is_refused(tmp_path: Path) -> None:
    (tmp_path / "work.db").write_bytes(b"this is not a database at all" * 100)
    with pytest.raises(StoreUnavailable, match=r"work\.db"):
        Store.open(f"sqlite:///{tmp_path}/work.db")


@pytest.mark.parametrize("url", ["", "work.db", "sqlite://", "sqlite:///", "mysql://x/y", "sqlite:work.db"])
def test_unknown_addresses_are_refused(url: str) -> None:
    with pytest.raises(ConfigError, match="sqlite:///"):
        Store.open(url)


def test_a_missing_folder_is_made_but_not_a_path_of_them(tmp_path: Path) -> None:
    Store.open(f"sqlite:///{tmp_path}/var/work.db").close()
    assert (tmp_path / "var" / "inbox.db").exists()
    with pytest.raises(ConfigError, match="cannot be made"):
        Store.open(f"sqlite:///{tmp_path}/a/b/work.db")


def test_postgres_takes_no_second_address() -> None:
    with pytest.raises(ConfigError, match="same database"):
        Store.open("postgresql://localhost/kiitos", inbox_url="sqlite:///x.db")


def test_a_server_that_is_not_there_is_unavailable_and_its_password_not_told() -> None:
    with pytest.raises(StoreUnavailable) as raised:
        Store.open("postgresql://kiitos:hush@127.0.0.1:9/kiitos?connect_timeout=2")
    assert "hush" not in str(raised.value)


def test_the_temporary_store_leaves_nothing_behind() -> None:
    store = Store.open("sqlite://:memory:")
    assert isinstance(store.work, Sqlite)
    folder = store.work.path.parent
    with store.work.transaction() as tx:
        meta.put(tx, "a", "1", NOW)
    assert folder.is_dir()
    store.close()
    del store
    assert not folder.exists()


def test_the_settings_that_keep_promises(work_path: Path) -> None:
    database = Sqlite(work_path)
    connection = database.open().conn
    got = {
        name: connection.execute(f"PRAGMA {name}").fetchone()[0]
        for name in ("journal_mode", "synchronous", "secure_delete", "foreign_keys", "busy_timeout")
    }
    connection.close()
    assert got == {"journal_mode": "wal", "synchronous": 2, "secure_delete": 1, "foreign_keys": 1, "busy_timeout": 5000}


def test_erased_rows_leave_no_trace_in_the_files(tmp_path: Path) -> None:
    store = Store.open(f"sqlite:///{tmp_path}/work.db")
    with store.work.transaction() as tx:
        for n in range(200):
            meta.put(tx, f"canary-{n}", "erase-me@example.test" * 10, NOW)
    with store.work.transaction() as tx:
        tx.script("DELETE FROM meta")
    assert isinstance(store.work, Sqlite)
    assert store.work.checkpoint("TRUNCATE") == 0
    left = [path.name for path in tmp_path.iterdir() if b"erase-me" in path.read_bytes()]
    store.close()
    assert left == []


def test_checkpoints_can_be_left_to_another_thread(tmp_path: Path) -> None:
    store = Store.open(f"sqlite:///{tmp_path}/work.db")
    assert isinstance(store.inbox, Sqlite)
    store.inbox.set_autocheckpoint(0)
    with store.inbox.transaction() as tx:
        inbox.put_many(tx, [delivery(str(n)) for n in range(50)])
    wal = tmp_path / "inbox.db-wal"
    assert wal.stat().st_size > 0
    assert store.inbox.checkpoint() == 0
    assert store.inbox.checkpoint("TRUNCATE") == 0
    assert wal.stat().st_size == 0
    store.close()


def test_the_library_is_newer_than_the_wal_reset_bug() -> None:
    version, safe = sqlite_library()
    if version == sqlite3.sqlite_version:
        pytest.skip(f"no pysqlite3 here; the system's SQLite is {version}")
    assert safe


@pytest.mark.postgres
def test_a_lost_connection_is_unavailable_and_the_next_transaction_reconnects(schema_dsn: str) -> None:
    store = Store.open(schema_dsn)

    def put_after_a_cut(tx: Tx) -> None:
        meta.put(tx, "a", "1", NOW)
        (row,) = tx._cursor.execute("SELECT pg_backend_pid() AS pid").fetchall()
        with psycopg.connect(schema_dsn, autocommit=True) as killer:
            killer.execute("SELECT pg_terminate_backend(%s)", (row["pid"],))
        meta.put(tx, "b", "1", NOW)

    with pytest.raises(StoreUnavailable), store.work.transaction() as tx:
        put_after_a_cut(tx)
    with store.work.transaction() as tx:
        assert meta.get(tx, "a") is None
        settings = tx._cursor.execute("SELECT current_setting('synchronous_commit') AS s").fetchone()
    assert settings == {"s": "on"}
    store.close()


@pytest.mark.postgres
def test_a_connection_that_broke_while_idle_is_replaced_unnoticed(schema_dsn: str) -> None:
    store = Store.open(schema_dsn)
    with store.work.read() as tx:
        (row,) = tx._cursor.execute("SELECT pg_backend_pid() AS pid").fetchall()
    with psycopg.connect(schema_dsn, autocommit=True) as killer:
        killer.execute("SELECT pg_terminate_backend(%s, 5000)", (row["pid"],))
    with store.work.transaction() as tx:
        meta.put(tx, "a", "1", NOW)
    with store.work.read() as tx:
        assert meta.get(tx, "a") == "1"
    store.close()


@pytest.mark.postgres
def test_a_held_row_lock_is_unavailable_after_the_timeout_on_postgres(schema_dsn: str) -> None:
    store = Store.open(schema_dsn)
    other = Postgres(schema_dsn, lock_timeout=0.1)
    with store.work.transaction() as tx:
        meta.put(tx, "a", "1", NOW)
        with pytest.raises(StoreUnavailable, match="lock timeout"), other.transaction() as waiting:
            meta.put(waiting, "a", "2", NOW)
    other.close()
    store.close()


def test_a_server_that_falls_silent_is_given_up_after_seconds(schema_dsn: str) -> None:
    """The operator's address goes before ours. Once they stood in this module and nothing used them."""
    for dsn, wanted in ((schema_dsn, "5"), (make_conninfo(schema_dsn, connect_timeout="7"), "7")):
        with closing(Postgres(dsn)) as database, database.read() as tx:
            told = tx.connection.info.get_parameters()
            assert told["connect_timeout"] == wanted
            assert told["tcp_user_timeout"] == "10000"
            ((stalled,),) = tx.fetch("SHOW idle_in_transaction_session_timeout")
            assert stalled == "2min"
