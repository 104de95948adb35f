"""A disk that can lose power, under the product's own store: an SQLite VFS that knows which bytes were synced.

`on(disk)` makes `connector.store.sqlite` open its files through the model, settings and statements included; nothing
else is replaced. What a cut leaves of each file: the synced bytes, and of every later write a part that chance chooses
in sectors of 512 bytes (none, all, or any of them). A sync that fails with EIO leaves its bytes in the cache and never
on the disk, as Linux does since 4.13 (https://lwn.net/Articles/752063/).

What the model does not have: a sync that lies, a directory entry that is lost, sectors torn within.
"""

from __future__ import annotations

import random  # noqa: TID251 - a seeded disk
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import apsw

import connector.store.sqlite as ours

SECTOR = 512
Write = tuple[int, bytes | None]
"""Where, and what; without bytes it is the length a file was cut to."""


class DatabaseError(Exception):
    """What apsw raised, with the code where the store looks for it."""

    def __init__(self, error: apsw.Error) -> None:
        super().__init__(str(error))
        self.sqlite_errorcode = getattr(error, "extendedresult", 0) or getattr(error, "result", 0)


@dataclass(slots=True)
class _Content:
    """`durable` survives a cut, of `pending` what chance leaves."""

    durable: bytearray
    pending: list[Write] = field(default_factory=list)


class Disk:
    """`fuse` counts writes and syncs down to the cut; at 0 the power goes, and every later one fails.

    `left` is then what each file holds. `failing` says, a sync at a time, whether it fails with EIO; `full` whether a
    write finds no room.
    """

    def __init__(self, seed: int, fuse: int | None = None) -> None:
        self.chance = random.Random(seed)
        self.fuse = fuse
        self.left: dict[str, bytes] | None = None
        self.failing: Callable[[], bool] = lambda: False
        self.full: Callable[[], bool] = lambda: False
        self.lying = False
        """Whether a sync that fails is reported as done."""
        self.failed_syncs = 0
        self.over = False
        self.connections: list[_Connection] = []
        self._files: dict[str, _Content] = {}
        self.name = f"kiitos-{id(self):x}"
        self._vfs = _Vfs(self)

    error = DatabaseError
    """What a connection opened beside the store raises."""

    @property
    def out(self) -> bool:
        """Whether the power is gone."""
        return self.left is not None

    def cut(self) -> None:
        """The power goes now."""
        if self.left is None:
            self.left = {name: bytes(self._leave(content)) for name, content in self._files.items()}

    def restore(self, folder: Path) -> None:
        """Write what is left into an empty folder, under the files' last names."""
        assert self.left is not None
        for name, data in self.left.items():
            (folder / Path(name).name).write_bytes(data)

    def _leave(self, content: _Content) -> bytearray:
        data = bytearray(content.durable)
        for at, piece in content.pending:
            fate = self.chance.random()
            if fate < 0.4:
                continue
            if piece is None or fate < 0.7:
                _apply(data, (at, piece))
                continue
            for start in range(0, len(piece), SECTOR):
                if self.chance.random() < 0.5:
                    _apply(data, (at + start, piece[start : start + SECTOR]))
        return data

    # -- asked by the VFS

    def opened(self, name: str) -> None:
        if name not in self._files:
            path = Path(name)
            self._files[name] = _Content(bytearray(path.read_bytes() if path.exists() else b""))

    def deleted(self, name: str) -> None:
        self._step()
        self._files.pop(name, None)

    def wrote(self, name: str, write: Write) -> None:
        self._step()
        if self.full():
            raise _refused("no room (the test's disk)", apsw.SQLITE_FULL, apsw.FullError)
        self._files[name].pending.append(write)

    def synced(self, name: str) -> None:
        self._step()
        content = self._files[name]
        if self.failing():
            content.pending.clear()  # marked clean: no later sync writes them
            self.failed_syncs += 1
            if self.lying:
                return
            raise _refused("sync failed (the test's disk)", apsw.SQLITE_IOERR_FSYNC)
        for write in content.pending:
            _apply(content.durable, write)
        content.pending.clear()

    def _step(self) -> None:
        if self.fuse is not None and not self.out:
            self.fuse -= 1
            if self.fuse <= 0:
                self.cut()
        if self.out:
            raise _refused("the power is gone", apsw.SQLITE_IOERR)


def _apply(data: bytearray, write: Write) -> None:
    at, piece = write
    if piece is None:
        del data[at:]
        return
    if len(data) < at:
        data.extend(bytes(at - len(data)))
    data[at : at + len(piece)] = piece


def _refused(text: str, code: int, kind: type[apsw.Error] = apsw.IOError) -> apsw.Error:
    error = kind(text)
    error.extendedresult = code
    return error


class _Vfs(apsw.VFS):
    def __init__(self, disk: Disk) -> None:
        self.disk = disk
        super().__init__(disk.name, "")

    def xOpen(self, name: Any, flags: list[int]) -> _File:
        return _File(self.disk, name, flags)

    def xDelete(self, name: str, syncdir: bool) -> None:
        if not self.disk.over:
            self.disk.deleted(name)
            super().xDelete(name, syncdir)


class _File(apsw.VFSFile):
    def __init__(self, disk: Disk, name: Any, flags: list[int]) -> None:
        self.disk = disk
        self.name = name.filename() if isinstance(name, apsw.URIFilename) else str(name)
        disk.opened(self.name)
        super().__init__("", name, flags)

    def xWrite(self, data: bytes, offset: int) -> None:
        if not self.disk.over:
            self.disk.wrote(self.name, (offset, bytes(data)))
            super().xWrite(data, offset)

    def xTruncate(self, size: int) -> None:
        if not self.disk.over:
            self.disk.wrote(self.name, (size, None))
            super().xTruncate(size)

    def xSync(self, flags: int) -> None:
        if not self.disk.over:
            self.disk.synced(self.name)


# -- what the store asks of a driver ----------------------------------------------------------------------------------


@contextmanager
def _told() -> Iterator[None]:
    try:
        yield
    except apsw.Error as error:
        raise DatabaseError(error) from error


class _Cursor:
    """As much of PEP 249 as the store uses, over an apsw cursor. Rows are fetched where they are made, as a statement
    that returns rows and is not read to its end would stay open."""

    def __init__(self, connection: apsw.Connection) -> None:
        self._connection = connection
        self._rows: list[tuple[Any, ...]] = []
        self.description: Sequence[tuple[Any, ...]] | None = None
        self.rowcount = -1

    def execute(self, sql: str, values: Any = ()) -> _Cursor:
        with _told():
            cursor = self._connection.cursor()
            before = self._connection.total_changes()
            # `description` is there only as long as the statement runs, so it is taken when the first row comes
            self._rows, self.description = [], None
            cursor.exec_trace = self._note
            self._rows.extend(cursor.execute(sql, values or None))
            self.rowcount = self._connection.total_changes() - before
        return self

    def _note(self, cursor: apsw.Cursor, sql: str, bindings: object) -> bool:
        self.description = [(name, *[None] * 6) for name, _ in cursor.get_description()] or None
        return True

    def executemany(self, sql: str, rows: Sequence[Any]) -> _Cursor:
        with _told():
            before = self._connection.total_changes()
            self._connection.cursor().executemany(sql, rows)
            self.rowcount = self._connection.total_changes() - before
        return self

    def fetchall(self) -> list[tuple[Any, ...]]:
        rows, self._rows = self._rows, []
        return rows

    def fetchone(self) -> tuple[Any, ...] | None:
        return self._rows.pop(0) if self._rows else None


class _Connection:
    def __init__(self, raw: apsw.Connection) -> None:
        self._raw = raw

    @property
    def in_transaction(self) -> bool:
        return bool(self._raw.in_transaction)

    def cursor(self) -> _Cursor:
        return _Cursor(self._raw)

    def execute(self, sql: str, values: Any = ()) -> _Cursor:
        return self.cursor().execute(sql, values)

    def rollback(self) -> None:
        if self._raw.in_transaction:
            with _told():
                self._raw.execute("ROLLBACK")

    def close(self) -> None:
        with _told():
            self._raw.close(force=True)


class _Driver:
    """In place of the module `sqlite3`."""

    DatabaseError = OperationalError = DatabaseError

    class IntegrityError(DatabaseError):
        """What the real one raises for a broken rule of the schema; here none is broken."""

    sqlite_version = apsw.sqlite_lib_version()
    sqlite_version_info = tuple(map(int, apsw.sqlite_lib_version().split(".")))

    def __init__(self, disk: Disk) -> None:
        self._disk = disk

    def connect(self, path: str, timeout: float = 5.0, **_: object) -> Any:
        with _told():
            raw = apsw.Connection(path, vfs=self._disk.name)
            raw.set_busy_timeout(int(timeout * 1000))
        made = _Connection(raw)
        self._disk.connections.append(made)
        return made


@contextmanager
def on(disk: Disk) -> Iterator[Disk]:
    """The store's files are on this disk. At the end its connections are closed, and write nothing any more."""
    real = ours.driver
    ours.driver = _Driver(disk)  # type: ignore[attr-defined]
    try:
        yield disk
    finally:
        ours.driver = real  # type: ignore[attr-defined]
        disk.over = True  # closing writes, and SQLite has nobody to tell that it could not
        for connection in disk.connections:
            connection.close()
