"""Every named query is valid on both engines, has a reason, and is used; no name in the code lacks one."""

from __future__ import annotations

import re
from pathlib import Path

import psycopg
import pytest

import connector.store
from connector.store import Store
from connector.store.sql import QUERIES, compile_query, load_queries, named_parts, statements
from connector.store.sqlite import Sqlite

CODE = Path(connector.store.__file__).parent


def names_in_code() -> set[str]:
    known = {name for dialect in ("sqlite", "postgres") for name in load_queries(dialect)}
    found: set[str] = set()
    for path in CODE.glob("*.py"):
        for text in re.findall(r'"([a-z]+(?:_[a-z]+)+)"', path.read_text("utf-8")):
            if text in known:
                found.add(text)
        found.update(re.findall(r'\.(?:all|one|run|many)\(\s*"([a-z_]+)"', path.read_text("utf-8")))
    return found


def test_names_in_code_and_queries_are_the_same() -> None:
    known = {name for dialect in ("sqlite", "postgres") for name in load_queries(dialect)}
    assert names_in_code() == known


def test_only_named_exceptions_differ_between_engines() -> None:
    assert set(load_queries("sqlite")) - set(load_queries("postgres")) == {"inbox_align", "inbox_newcomer"}
    assert set(load_queries("postgres")) <= set(load_queries("sqlite"))


def test_parameters_are_the_same_on_both_engines() -> None:
    sqlite, postgres = load_queries("sqlite"), load_queries("postgres")
    assert {name: sqlite[name].names for name in postgres} == {name: query.names for name, query in postgres.items()}


def test_every_query_says_why() -> None:
    for path in QUERIES.glob("*.sql"):
        text = path.read_text("utf-8")
        for name in re.findall(r"^-- ([a-z_]+)(?: \(\w+\))? --$", text, re.MULTILINE):
            assert re.search(rf"^-- {name}(?: \(\w+\))? --\n-- \S.+\n", text, re.MULTILINE), f"{path.name}: {name}"


def test_sqlite_accepts_every_query(tmp_path: Path) -> None:
    store = Store.open(f"sqlite:///{tmp_path}/work.db")
    try:
        for name, query in load_queries("sqlite").items():
            databases = [store.inbox] if name.startswith("inbox_") else [store.work]
            for database in databases:
                assert isinstance(database, Sqlite)
                with_connection = database.open()
                values = [None] * len(query.names)
                with_connection.conn.execute("EXPLAIN " + query.sql, values).fetchall()
                with_connection.conn.close()
    finally:
        store.close()


@pytest.mark.postgres
def test_postgres_accepts_every_query(schema_dsn: str) -> None:
    Store.open(schema_dsn).close()
    with psycopg.connect(schema_dsn, autocommit=True) as connection:
        for name, query in load_queries("postgres").items():
            numbered = query.sql
            for index, parameter in enumerate(query.names, 1):
                numbered = numbered.replace(f"%({parameter})s", f"${index}")
            connection.execute(f"PREPARE {name}_p AS {numbered.replace('%%', '%')}".encode())
        prepared = connection.execute("SELECT count(*) FROM pg_prepared_statements").fetchone()
    assert prepared == (len(load_queries("postgres")),)


def test_a_wrong_query_would_be_found(store: Store) -> None:
    wrong = compile_query("wrong", "SELECT nothing FROM shops WHERE shop_id = :shop_id", store.dialect)
    with pytest.raises(Exception, match="nothing"), store.work.transaction() as tx:
        tx.script(wrong.sql.replace("?1", "'s'").replace("%(shop_id)s", "'s'"))


def test_parts_and_parameters() -> None:
    text = "-- a --\n-- why\nSELECT x FROM t WHERE x = :x\n\n-- b (postgres) --\n-- why\nSELECT 1\n"
    assert [name for name, _ in named_parts(text, "sqlite")] == ["a"]
    query = compile_query("a", "-- why\nSELECT x FROM t WHERE x = :x AND y LIKE '%a' AND z = :x", "sqlite")
    assert query.sql == "SELECT x FROM t WHERE x = ?1 AND y LIKE '%a' AND z = ?1"
    assert query.bind({"x": 5}) == (5,)
    again = compile_query("a", "SELECT x::text FROM t WHERE x = :x AND y LIKE '%a'", "postgres")
    assert again.sql == "SELECT x::text FROM t WHERE x = %(x)s AND y LIKE '%%a'"


def test_statements_are_split_by_a_tokenizer() -> None:
    script = "-- a; comment\nCREATE TABLE t (a TEXT DEFAULT ';');\n{postgres}CREATE INDEX i ON t (a);\n"
    assert list(statements(script, "sqlite")) == ["CREATE TABLE t (a TEXT DEFAULT ';');"]
    assert list(statements(script, "postgres"))[1] == "CREATE INDEX i ON t (a);"
    with pytest.raises(ValueError, match="middle"):
        list(statements("CREATE TABLE t (a", "sqlite"))


@pytest.mark.postgres
def test_primary_keys_begin_with_the_shop(schema_dsn: str) -> None:
    Store.open(schema_dsn).close()
    with psycopg.connect(schema_dsn) as connection:
        rows = connection.execute(
            "SELECT c.relname, a.attname FROM pg_index i JOIN pg_class c ON c.oid = i.indrelid"
            " JOIN pg_attribute a ON a.attrelid = c.oid AND a.attnum = i.indkey[0]"
            " WHERE i.indisprimary AND c.relnamespace = current_schema()::regnamespace"
        ).fetchall()
    first: dict[str, str] = dict(rows)
    exempt = {"endpoints", "credentials", "meta", "inbox_cursor", "schema_ledger"}
    exempt |= {"connect_invites", "connect_attempts"}  # they are there before there is a shop
    exempt |= {"provider_accounts"}  # an account sends for many shops
    exempt |= {"processes", "alerts"}  # of the installation, not of a shop
    assert len(first) > 20
    assert {table for table, column in first.items() if column != "shop_id"} == exempt


def test_an_insert_of_one_row_becomes_one_of_many() -> None:
    query = compile_query("q", "INSERT INTO t (a, b) VALUES (:a, :b)\nON CONFLICT (a) DO NOTHING", "sqlite")
    assert query.of_rows(1) == "INSERT INTO t (a, b) VALUES (?, ?)\nON CONFLICT (a) DO NOTHING"
    assert query.of_rows(3) == "INSERT INTO t (a, b) VALUES (?, ?), (?, ?), (?, ?)\nON CONFLICT (a) DO NOTHING"


@pytest.mark.parametrize(
    "sql",
    [
        "INSERT INTO t (a, b) VALUES (:b, :a, :b)",
        "INSERT INTO t (a) VALUES (:a) ON CONFLICT (a) DO UPDATE SET b = :b",
        "INSERT INTO t (a, b) VALUES (:a, 1)",
        "UPDATE t SET a = :a",
    ],
)
def test_only_a_row_of_all_the_parameters_in_order_can_be_multiplied(sql: str) -> None:
    assert compile_query("q", sql, "sqlite").of_rows(2) is None


def test_no_postgres_statement_is_multiplied() -> None:
    """Its driver sends the rows of an `executemany` together by itself."""
    assert compile_query("q", "INSERT INTO t (a) VALUES (:a)", "postgres").of_rows(2) is None


def test_the_inbox_is_appended_to_in_one_statement() -> None:
    assert load_queries("sqlite")["inbox_put"].of_rows(2) is not None
