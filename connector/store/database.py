"""What both engines share: a connection a thread, transactions, named queries."""

from __future__ import annotations

import contextlib
import threading
from abc import ABC, abstractmethod
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from typing import Any, ClassVar, TypeAlias

from connector.errors import StoreCollision, StoreDamaged, StoreUnavailable
from connector.store.sql import Query, load_queries, load_reads, statements

Row: TypeAlias = dict[str, Any]
Args: TypeAlias = Mapping[str, Any] | tuple[Any, ...]


class Tx(ABC):
    """A transaction. Queries are called by name; every parameter is a keyword.

    `memo` holds what a store module has read in this transaction and would read again: (query, key) to answer. Whoever
    writes such a thing calls `forget(query)`. It is empty at the start of each transaction and after a rollback.

    `diary` is false where nobody will read how runs went, only who never began (`connector.simulate`).
    """

    diary = True

    def __init__(self, cursor: Any, queries: Mapping[str, Query]) -> None:
        self._cursor = cursor
        self._queries = queries
        self._depth = 0
        self._waiting: dict[str, _Waiting] = {}  # by table
        self.memo: dict[str, dict[Any, Any]] = {}
        self.noted: list[Any] = []
        """For `Database.outside`, told before this transaction commits: what must be known outside the database too."""

    @property
    def connection(self) -> Any:
        """The driver's connection, for those who write into this very transaction with means of their own."""
        return self._cursor.connection

    def clear(self) -> None:
        """Nothing is known any more and nothing waits: a transaction begins, or what it did was undone."""
        self.memo.clear()
        self._waiting.clear()

    def recall(self, query: str) -> dict[Any, Any]:
        """What is known of `query` in this transaction, to be read and added to."""
        return self.memo.setdefault(query, {})

    def forget(self, query: str) -> None:
        self.memo.pop(query, None)

    @abstractmethod
    def all(self, query: str, **args: Any) -> list[Row]:
        """Every row."""

    def one(self, query: str, **args: Any) -> Row | None:
        """The first row, or `None`."""
        rows = self.all(query, **args)
        return rows[0] if rows else None

    def run(self, query: str, **args: Any) -> int:
        """Execute; return how many rows changed."""
        if self._waiting:
            self.flush()
        q = self._queries[query]
        return int(self._cursor.execute(q.sql, q.bind(args)).rowcount)

    @abstractmethod
    def many(self, query: str, rows: Sequence[Args]) -> int:
        """Execute once a row; return how many rows changed in all.

        A row is a mapping, or a tuple in the order of `Query.names` (the fast form).
        """

    def later(self, query: str, *, exact: bool = False, **args: Any) -> None:
        """Write together with the others of its kind: a batch of messages makes one call of each statement.

        For writes whose result nobody asks for. Nothing can be read around them: whatever else is executed, and the
        commit, first carries out what waits. `exact` says that one row will change; when another transaction was
        first and none does, all of this one is undone with `StoreCollision` and may be taken again.
        """
        q = self._queries[query]
        waiting = self._waiting.get(q.table)
        if waiting is not None and (waiting.query != query or waiting.exact is not exact):
            self.flush()  # two kinds of writing to one table keep their order
            waiting = None
        if waiting is None:
            waiting = self._waiting[q.table] = _Waiting(query, exact)
        waiting.rows.append(q.bind(args))

    def flush(self) -> None:
        """Carry out what waits. Raises `StoreCollision`, see `later`."""
        waiting, self._waiting = self._waiting, {}
        for item in waiting.values():
            changed = self.many(item.query, item.rows)
            if item.exact and changed != len(item.rows):
                raise StoreCollision(f"{item.query}: another transaction was first for {len(item.rows) - changed}")

    def hold(self, names: Iterable[str]) -> None:
        """Hold each name until the transaction ends; wait for those that another transaction holds.

        For what two transactions must not do at once although they change no common row. Where writing transactions
        exclude one another anyway, as in SQLite, there is nothing to do.
        """
        del names

    def try_hold(self, name: str) -> bool:
        """The same without waiting: False when another transaction holds it."""
        del name
        return True

    def try_hold_many(self, names: Iterable[str]) -> None:
        """Hold those of the names that nobody else holds; `try_hold` tells which."""
        del names

    def script(self, statement: str, values: Sequence[Any] = ()) -> None:
        """Execute one statement that has no name: migrations, and what the store itself puts together."""
        if self._waiting:
            self.flush()
        self._cursor.execute(statement, values)

    def fetch(self, statement: str, values: Sequence[Any] = ()) -> list[tuple[Any, ...]]:
        """The rows of one statement that has no name: of what asks the schema itself, or goes over every table."""
        if self._waiting:
            self.flush()
        found = self._cursor.execute(statement, values).fetchall()
        return [tuple(row.values()) if isinstance(row, Mapping) else tuple(row) for row in found]

    @contextlib.contextmanager
    def savepoint(self) -> Iterator[None]:
        """Undo only what happens inside when it raises; the exception goes on."""
        self.flush()
        self._depth += 1
        name, noted = f"s{self._depth}", len(self.noted)
        self._cursor.execute(f"SAVEPOINT {name}")
        try:
            yield
            self.flush()
        except BaseException:
            self.clear()
            del self.noted[noted:]
            self._cursor.execute(f"ROLLBACK TO {name}")
            raise
        finally:
            self._cursor.execute(f"RELEASE {name}")
            self._depth -= 1


class _Waiting:
    """Rows of one statement that are still to be written."""

    __slots__ = ("exact", "query", "rows")

    def __init__(self, query: str, exact: bool) -> None:
        self.query = query
        self.exact = exact
        self.rows: list[Any] = []


class _Session:
    """One thread's connection, its two views (writing, reading) and whether a transaction is open."""

    __slots__ = ("connection", "open", "reading", "writing")

    def __init__(self, connection: Any, writing: Tx, reading: Tx) -> None:
        self.connection = connection
        self.writing = writing
        self.reading = reading
        self.open = False


class Database(ABC):
    """A connection a thread, opened at first use, closed by `close()`."""

    dialect: ClassVar[str]
    begin_write: ClassVar[str]
    begin_read: ClassVar[str]

    def __init__(self) -> None:
        self.queries = load_queries(self.dialect)
        self._selects = load_reads(self.dialect)
        self._local = threading.local()
        self._sessions: dict[threading.Thread, _Session] = {}
        self._guard = threading.Lock()
        self.outside: Callable[[list[Any]], None] | None = None
        """Told what a transaction noted, before it commits (`connector.keeping.refusals`)."""

    @property
    @abstractmethod
    def name(self) -> str:
        """What to call this database in an error: a file or a host, never a password."""

    @abstractmethod
    def _connect(self) -> tuple[Any, Any]:
        """A fresh connection and its cursor."""

    @abstractmethod
    def _tx(self, cursor: Any, queries: Mapping[str, Query]) -> Tx: ...

    @abstractmethod
    def _fault(self, error: BaseException) -> str | None:
        """The reason when `error` means that the database cannot be used now, else `None`."""

    def _damaged(self, error: BaseException) -> bool:
        """True when `error` says that the database is not what was written."""
        del error
        return False

    def _told(self, error: BaseException, reason: str) -> StoreUnavailable:
        """Our error for one of the driver's."""
        text = f"{self.name}: {reason}"
        if self._damaged(error):
            return StoreDamaged(text, database=self.name)
        return StoreCollision(text) if self._collided(error) else StoreUnavailable(text)

    def _collided(self, error: BaseException) -> bool:
        """True when the database undid the transaction only because of another one."""
        del error
        return False

    def scrub(self) -> bool:
        """Leave nothing of deleted rows in files this database writes beside itself; False to be asked again later."""
        return True

    def _broken(self, connection: Any) -> bool:
        """True when the other end hung up. A file never does."""
        del connection
        return False

    @abstractmethod
    def checkpoint(self, mode: str = "PASSIVE") -> int:
        """Move committed pages from the write-ahead log into the file; return the frames still in the log."""

    def transaction(self) -> contextlib.AbstractContextManager[Tx]:
        """A writing transaction: commits at the end, rolls back on any exception.

        Raises `StoreUnavailable` when the database is locked, full, read-only, damaged or gone, `StoreCollision` when
        it need only be taken again. Does not nest.
        """
        return self._within(self.begin_write, writing=True)

    def append(self, query: str, rows: Sequence[tuple[Any, ...]]) -> None:
        """Insert rows, each a tuple in the order of `Query.names`, in a transaction of their own: all are durable when
        it returns, none is stored when it raises (what `transaction` raises)."""
        with self.transaction() as tx:
            tx.many(query, rows)

    def read(self) -> contextlib.AbstractContextManager[Tx]:
        """A consistent view; a query that writes is an error (`KeyError`)."""
        return self._within(self.begin_read, writing=False)

    @contextlib.contextmanager
    def _within(self, begin: str, *, writing: bool) -> Iterator[Tx]:
        """Without `begin`, what happens inside must be one statement: it is then a transaction by itself."""
        session = self._session()
        if session.open:
            raise RuntimeError(f"{self.name}: a transaction is already open in this thread; pass its tx on instead")
        try:
            if begin:
                session = self._begin(session, begin)
            session.open = True
            tx = session.writing if writing else session.reading
            tx.clear()
            tx.noted = []
            yield tx
            tx.flush()
            if tx.noted and self.outside is not None:
                self.outside(tx.noted)
            if begin:
                tx.script("COMMIT")
        except BaseException as error:
            session.writing.clear()
            self._roll_back(session)
            reason = self._fault(error)
            if reason is None:
                raise
            raise self._told(error, reason) from error
        finally:
            session.open = False

    def _begin(self, session: _Session, begin: str) -> _Session:
        """Begin; on a connection that broke while idle, once more on a fresh one (nothing has been done yet)."""
        try:
            session.writing.script(begin)
        except Exception:
            if not self._broken(session.connection):
                raise
            self._forget(session)
            session = self._session()
            session.writing.script(begin)
        return session

    def _roll_back(self, session: _Session) -> None:
        try:
            session.connection.rollback()
        except Exception as error:
            if self._fault(error) is None:
                raise
            self._forget(session)

    def _session(self) -> _Session:
        session: _Session | None = getattr(self._local, "session", None)
        if session is None:
            try:
                connection, cursor = self._connect()
            except Exception as error:
                reason = self._fault(error)
                if reason is None:
                    raise
                raise self._told(error, reason) from error
            session = _Session(connection, self._tx(cursor, self.queries), self._tx(cursor, self._selects))
            self._local.session = session
            self._keep(session)
        return session

    def _keep(self, session: _Session) -> None:
        with self._guard:
            # Threads that ended leave their connection behind; nobody else can use it.
            for thread in [t for t in self._sessions if not t.is_alive()]:
                self._sessions.pop(thread).connection.close()
            self._sessions[threading.current_thread()] = session

    def _forget(self, session: _Session) -> None:
        """Drop a broken connection: the next transaction of this thread opens another."""
        with self._guard:
            self._sessions.pop(threading.current_thread(), None)
        self._local.session = None
        with contextlib.suppress(Exception):
            session.connection.close()

    def close(self) -> None:
        """Close every thread's connection. The object may be used again: it then opens new ones."""
        with self._guard:
            sessions, self._sessions = self._sessions, {}
            self._local = threading.local()
        for session in sessions.values():
            session.connection.close()

    def apply(self, script: str, tx: Tx) -> None:
        """Run a migration's statements inside `tx`."""
        for statement in statements(script, self.dialect):
            tx.script(statement)
