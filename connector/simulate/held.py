"""A database that is held in memory while a person's past is lived through, and forgotten afterwards.

It answers the product's own named queries. The tables that change with every event are dictionaries (`tables`), asked
by a twin of the query (`twins`); everything else is SQLite, in one transaction that is rolled back for the next person,
with its answers kept until something is written to what they were read from.

A twin is tied to the very text of the query it stands for: a query that has changed since, or has no twin, is run by
SQLite itself over the same rows. A stale twin costs time, never truth.
"""

from __future__ import annotations

import contextlib
import hashlib
import re
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from typing import Any, TypeVar

from connector.errors import StoreCollision
from connector.simulate import buying, pacing, sending  # noqa: F401 - the twins of the last two join when imported
from connector.simulate.tables import COLUMNS, HELD, Tables
from connector.simulate.twins import READS, WRITES, Twin
from connector.store.database import Args, Database, Row, Tx
from connector.store.sql import Query
from connector.store.sqlite import Sqlite, SqliteTx

buying.join()

T = TypeVar("T")
_WORD = re.compile(r"\w+")
# What these remember is kept right by whoever writes it, and nobody else writes here.
_LASTING = frozenset(
    {
        *("order_get", "customer_get", "run_get", "run_of_order", "order_followers", "event_known"),
        *("situation", "shop_get", "suppression_find", "erasure_any", "preference_any"),
        "refused_any",
    }
)


def digest(query: Query) -> str:
    """The text of a query, in short: what a twin is tied to."""
    return hashlib.sha256(" ".join(query.sql.split()).encode()).hexdigest()[:12]


class HeldTx(Tx):
    """The one transaction of a life. `forget_all` ends it and begins the next.

    Without `twins` SQLite answers everything: what the twins are compared with.
    """

    diary = False

    def __init__(self, cursor: Any, queries: Mapping[str, Query], *, twins: bool = True) -> None:
        super().__init__(cursor, queries)
        self._below = SqliteTx(cursor, queries)
        self._held = Tables()
        known = {row["name"] for row in self._select("SELECT name FROM sqlite_master WHERE type = 'table'")}
        self._touched = {name: known.intersection(_WORD.findall(query.sql)) for name, query in queries.items()}
        self._asked: dict[str, set[str]] = {table: set() for table in known}
        self._answers: dict[str, dict[Any, list[Row]]] = {}
        # A table that has grown a column is left to SQLite: a twin would make rows without it.
        grown = {table for table in HELD if self._columns_of(table) != COLUMNS[table]} if twins else set(HELD)
        self._reads = {name: twin.act for name, twin in READS.items() if self._fits(name, twin, grown)}
        self._writes = {name: twin.act for name, twin in WRITES.items() if self._fits(name, twin, grown)}
        self._asked_of = {name: tuple(self._asked[table] for table in self._touched[name]) for name in self._writes}
        self._cursor.execute("SAVEPOINT life")

    def _fits(self, name: str, twin: Twin[Any], grown: set[str]) -> bool:
        query = self._queries.get(name)
        return query is not None and digest(query) == twin.of and not (grown & self._touched[name])

    def _columns_of(self, table: str) -> frozenset[str]:
        return frozenset(row["name"] for row in self._select(f"PRAGMA table_info({table})"))

    def _select(self, statement: str) -> list[Row]:
        cursor = self._cursor.execute(statement)
        names = [column[0] for column in cursor.description]
        return [dict(zip(names, row, strict=True)) for row in cursor.fetchall()]

    def forget_all(self) -> None:
        """Back to what was there before the life began."""
        self._below.clear()
        for statement in ("ROLLBACK TO life", "RELEASE life", "SAVEPOINT life"):
            self._cursor.execute(statement)
        self._held.clear()
        self._answers.clear()
        for asked in self._asked.values():
            asked.clear()
        self.memo.clear()

    def clear(self) -> None:
        for name in [name for name in self.memo if name not in _LASTING]:
            del self.memo[name]

    def all(self, query: str, **args: Any) -> list[Row]:
        twin = self._reads.get(query)
        if twin is not None:
            return twin(self._held, args)
        if not self._queries[query].reads:
            return self._change(query, lambda: self._below.all(query, **args))
        known = self._answers.setdefault(query, {})
        key = tuple(args.items())
        found = known.get(key)
        if found is None:
            self._settle(self._touched[query])
            found = known[key] = self._below.all(query, **args)
            for table in self._touched[query]:
                self._asked[table].add(query)
        return found

    def run(self, query: str, **args: Any) -> int:
        twin = self._writes.get(query)
        if twin is not None:
            for asked in self._asked_of[query]:
                if asked:
                    self._forget_answers(asked)
            return twin(self._held, args)
        return self._change(query, lambda: self._below.run(query, **args))

    def _change(self, query: str, act: Callable[[], T]) -> T:
        """A statement without a twin that writes: SQLite does it, and what is held is read anew."""
        touched = self._touched[query]
        self._settle(touched)
        done = act()
        self._outdate(touched)
        for table in touched & HELD.keys():
            self._held.load(table, self._select(f"SELECT * FROM {table}"))
            self.memo.clear()
        return done

    def later(self, query: str, *, exact: bool = False, **args: Any) -> None:
        twin = self._writes.get(query)
        if twin is None:
            changed = self.run(query, **args)
        else:  # as `run` does, without handing two dozen values on once more
            for asked in self._asked_of[query]:
                if asked:
                    self._forget_answers(asked)
            changed = twin(self._held, args)
        if exact and changed != 1:
            raise StoreCollision(f"{query}: no row of its own")

    def many(self, query: str, rows: Sequence[Args]) -> int:
        names = self._queries[query].names
        given = (row if isinstance(row, Mapping) else dict(zip(names, row, strict=True)) for row in rows)
        return sum(self.run(query, **row) for row in given)

    def flush(self) -> None:
        """Nothing waits here."""

    def script(self, statement: str, values: Sequence[Any] = ()) -> None:
        self._settle(HELD.keys())
        self._below.script(statement, values)

    @contextlib.contextmanager
    def savepoint(self) -> Iterator[None]:
        # A life that meets an error is over: there is nobody to go back for.
        yield

    def waking(self, now: str) -> bool:
        """Whether a run wakes by then."""
        return any(at <= now for at in self._held.asleep.values())

    def acting(self, now: str) -> bool:
        """Whether an effect is due by then."""
        return any(row["due_at"] <= now for row in self._held.pending.values())

    def next_due(self) -> str | None:
        """When the next run wakes or the next effect is due, as text; `None` when nothing is. Cheaper than asking."""
        return self._held.next_due()

    def rows(self, table: str) -> list[Row]:
        """Every row of a held table, as it stands."""
        return list(self._held.rows[table].values())

    def _settle(self, touched: Any) -> None:
        """Let SQLite see what is held of these tables."""
        for table in HELD.keys() & touched:
            changed = self._held.take_changed(table)
            if changed:
                names = list(changed[0])
                marks = ", ".join("?" * len(names))
                statement = f"INSERT OR REPLACE INTO {table} ({', '.join(names)}) VALUES ({marks})"
                # By name: a row that SQLite changed has its columns in the table's order, one of a twin in its own.
                self._cursor.executemany(statement, [tuple(row[name] for name in names) for row in changed])

    def _outdate(self, touched: Iterable[str]) -> None:
        for table in touched:
            self._forget_answers(self._asked[table])

    def _forget_answers(self, asked: set[str]) -> None:
        for query in asked:
            self._answers.pop(query, None)
        asked.clear()


class HeldDatabase(Database):
    """Gives out the one `HeldTx`, whoever asks for a transaction."""

    dialect = "sqlite"
    begin_write = ""
    begin_read = ""

    def __init__(self, below: Sqlite, *, twins: bool = True) -> None:
        super().__init__()
        self._connection = below.open().conn
        self._connection.execute("BEGIN")
        self.tx = HeldTx(self._connection.cursor(), below.queries, twins=twins)
        self._same = contextlib.nullcontext(self.tx)  # made once: it has no state, and there are two dozen an order

    @property
    def name(self) -> str:
        return "held in memory"

    def _connect(self) -> tuple[Any, Any]:
        raise AssertionError("a held database has no connection of its own")

    def _tx(self, cursor: Any, queries: Mapping[str, Query]) -> Tx:
        del cursor, queries
        raise AssertionError("a held database has one transaction")

    def _fault(self, error: BaseException) -> str | None:
        del error
        return None

    def checkpoint(self, mode: str = "PASSIVE") -> int:
        del mode
        return 0

    def transaction(self) -> contextlib.AbstractContextManager[Tx]:
        self.tx.clear()
        return self._same

    def read(self) -> contextlib.AbstractContextManager[Tx]:
        return self.transaction()

    def close(self) -> None:
        self._connection.close()
