"""PostgreSQL, through psycopg 3."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from typing import Any

import psycopg
from psycopg.conninfo import conninfo_to_dict, make_conninfo
from psycopg.rows import dict_row

from connector.store.database import Args, Database, Row, Tx
from connector.store.sql import Query

# Advisory locks: released at the end of the transaction, or when the savepoint after which they were taken is undone.
_HOLD = "SELECT pg_advisory_xact_lock(hashtextextended(name, 0)) FROM unnest(%s::text[]) AS wanted (name)"
_TRY_HOLD_MANY = (
    "SELECT name, pg_try_advisory_xact_lock(hashtextextended(name, 0)) AS got FROM unnest(%s::text[]) AS wanted (name)"
)
_TRY_HOLD = "SELECT pg_try_advisory_xact_lock(hashtextextended(%s, 0)) AS got"

_PATIENCE = {"connect_timeout": 5, "keepalives_idle": 5, "keepalives_interval": 2, "keepalives_count": 3}
_PATIENCE |= {"tcp_user_timeout": 10_000}
"""How long a server that fell silent is waited for, in seconds (the last in ms); the operator's address may say
otherwise. Linux itself waits two hours for an answer, and a quarter of one for what it sent: a machine that is cut off,
or whose server fails over, would hang for so long (https://www.postgresql.org/docs/current/libpq-connect.html)."""
_SETTINGS = (
    "SELECT set_config('synchronous_commit', 'on', false), set_config('lock_timeout', %s, false),"
    " set_config('idle_in_transaction_session_timeout', '120s', false),"
    # And the other way round: what a host that was cut off holds, its server gives back as soon.
    " set_config('tcp_keepalives_idle', '5', false), set_config('tcp_keepalives_interval', '2', false),"
    " set_config('tcp_keepalives_count', '3', false), set_config('tcp_user_timeout', '10000', false)"
)


class PostgresTx(Tx):
    def all(self, query: str, **args: Any) -> list[Row]:
        if self._waiting:
            self.flush()
        q = self._queries[query]
        rows: list[Row] = self._cursor.execute(q.sql, _storable(args)).fetchall()
        return rows

    def run(self, query: str, **args: Any) -> int:
        if self._waiting:
            self.flush()
        q = self._queries[query]
        return int(self._cursor.execute(q.sql, _storable(args)).rowcount)

    def many(self, query: str, rows: Sequence[Args]) -> int:
        if self._waiting:
            self.flush()
        if not rows:
            return 0
        q = self._queries[query]
        named = [row if isinstance(row, Mapping) else dict(zip(q.names, row, strict=True)) for row in rows]
        self._cursor.executemany(q.sql, [_storable(row) for row in named])
        return int(self._cursor.rowcount)

    def hold(self, names: Iterable[str]) -> None:
        """One order for everybody (sorted), so that two that want the same names do not wait for each other."""
        held = self.recall("held")
        wanted = sorted({name.replace("\0", "") for name in names} - held.keys())
        if wanted:
            self._cursor.execute(_HOLD, (wanted,))
            held.update(dict.fromkeys(wanted))

    def try_hold(self, name: str) -> bool:
        held = self.recall("held")
        if name not in held:
            row = self._cursor.execute(_TRY_HOLD, (name.replace("\0", ""),)).fetchone()
            if not row["got"]:
                return False
            held[name] = None
        return True

    def try_hold_many(self, names: Iterable[str]) -> None:
        """In one statement. A name with NUL in it is left to `try_hold`."""
        held = self.recall("held")
        wanted = [name for name in dict.fromkeys(names) if name not in held and "\0" not in name]
        if wanted:
            rows = self._cursor.execute(_TRY_HOLD_MANY, (wanted,)).fetchall()
            held.update(dict.fromkeys(row["name"] for row in rows if row["got"]))


def _storable(args: Mapping[str, Any]) -> Mapping[str, Any]:
    """PostgreSQL text cannot hold NUL, which SQLite can: a name with one in it must not poison its delivery."""
    if any(type(value) is str and "\0" in value for value in args.values()):
        return {name: value.replace("\0", "") if isinstance(value, str) else value for name, value in args.items()}
    return args


class Postgres(Database):
    """A PostgreSQL database by its DSN (`postgresql://...`)."""

    dialect = "postgres"
    begin_write = "BEGIN"
    begin_read = "BEGIN ISOLATION LEVEL REPEATABLE READ READ ONLY"

    def __init__(self, dsn: str, *, lock_timeout: float = 5.0) -> None:
        super().__init__()
        self.dsn = dsn
        self._lock_timeout = lock_timeout

    @property
    def name(self) -> str:
        parts = conninfo_to_dict(self.dsn)
        return f"PostgreSQL database {parts.get('dbname', '')} on {parts.get('host', 'the default host')}"

    def _connect(self) -> tuple[Any, Any]:
        said = conninfo_to_dict(self.dsn)
        patience = {name: value for name, value in _PATIENCE.items() if name not in said}
        where = make_conninfo(self.dsn, **patience)
        connection: Any = psycopg.connect(where, autocommit=True, row_factory=dict_row)
        connection.execute(_SETTINGS, (f"{int(self._lock_timeout * 1000)}ms",))
        return connection, connection.cursor()

    def _tx(self, cursor: Any, queries: Mapping[str, Query]) -> Tx:
        return PostgresTx(cursor, queries)

    def _fault(self, error: BaseException) -> str | None:
        if isinstance(error, psycopg.OperationalError | psycopg.InterfaceError | psycopg.errors.ReadOnlySqlTransaction):
            return error.diag.message_primary or type(error).__name__
        return None

    def _collided(self, error: BaseException) -> bool:
        return isinstance(error, psycopg.errors.DeadlockDetected | psycopg.errors.SerializationFailure)

    def _broken(self, connection: Any) -> bool:
        return bool(connection.closed)

    def checkpoint(self, mode: str = "PASSIVE") -> int:
        """PostgreSQL checkpoints by itself: whatever `mode`, nothing is left to do here."""
        del mode
        return 0
