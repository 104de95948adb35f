"""Where the installation of a drill has its data: files, or a schema of PostgreSQL. Looked at, counted, lost."""

from __future__ import annotations

import sqlite3
from collections.abc import Sequence
from contextlib import closing
from pathlib import Path
from typing import Any, Protocol

import psycopg

Rows = Sequence[tuple[Any, ...]]


class Place(Protocol):
    """`url` for app.toml; `ledger` is the default folder of the send ledger, below that of the configuration."""

    url: str
    ledger: str

    def rows(self, query: str) -> Rows: ...

    def inbox_rows(self, query: str) -> Rows: ...

    def lose(self, *, inbox: bool) -> None:
        """The disk is gone. With files the inbox may lie on another one."""


class Files:
    """A SQLite installation in a folder."""

    url = "sqlite:///kiitos.db"
    ledger = "kiitos.db-sent"

    def __init__(self, folder: Path) -> None:
        self._folder = folder

    def rows(self, query: str) -> Rows:
        return self._rows("kiitos.db", query)

    def inbox_rows(self, query: str) -> Rows:
        return self._rows("inbox.db", query)

    def _rows(self, name: str, query: str) -> Rows:
        with closing(sqlite3.connect(f"file:{self._folder / name}?mode=ro", uri=True)) as database:
            return database.execute(query).fetchall()

    def lose(self, *, inbox: bool) -> None:
        for pattern in ("kiitos.db*", "inbox.db*") if inbox else ("kiitos.db*",):
            for path in self._folder.glob(pattern):
                if path.is_file():
                    path.unlink()


class Server:
    """The schema that `dsn` leads to. A restore goes into it as into a database that was made anew."""

    ledger = "var/app-sent"

    def __init__(self, dsn: str) -> None:
        self.url = dsn

    def rows(self, query: str) -> Rows:
        with psycopg.connect(self.url) as raw:
            return raw.execute(query).fetchall()  # type: ignore[call-overload,no-any-return]

    inbox_rows = rows

    def lose(self, *, inbox: bool) -> None:
        del inbox
        with psycopg.connect(self.url, autocommit=True) as raw:
            schema = raw.execute("SELECT current_schema()").fetchone()
            assert schema is not None
            raw.execute(f'DROP SCHEMA "{schema[0]}" CASCADE')  # type: ignore[call-overload]
            raw.execute(f'CREATE SCHEMA "{schema[0]}"')  # type: ignore[call-overload]
