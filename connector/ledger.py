"""The batch ledger: what a killed worker had put on the wire, so that nobody has to guess for a whole batch.

Effects are committed as `sending` a batch at a time. After `kill -9` the database alone would call the whole batch
unknown. Each worker therefore keeps one small append-only file beside the database and holds a lock on it while it
lives; what it wrote survives the process, because it is in the page cache (no fsync: a power cut is another boot, and
of another boot nothing is believed). One line an entry, fields separated by a space and percent-encoded:

    kiitos-ledger 1 <boot id> <worker>
    B <key> <attempt> <lease until> <shop> <effect>    before the batch is committed as `sending`
    W <key>                                            right before the bytes that complete the message are written
    D <key>                                            the answer came: accepted

So, in this boot: B without W was certainly not sent, W without D is unknown, D was sent. Of everything else nothing is
known, and the lease in the database decides. Shops and effects are named by ids; there is no personal data in here.

Not the send ledger (`connector.send_ledger`): that one is for restored databases, is on the disk before anything
leaves, and keeps what left for weeks.
"""

from __future__ import annotations

import contextlib
import hashlib
import os
import re
import sys
import threading
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from enum import StrEnum
from pathlib import Path
from types import TracebackType
from typing import Protocol
from urllib.parse import quote, unquote, urlsplit

from connector.clock import Clock
from connector.log import get_log

if sys.platform != "win32":
    import fcntl

_MAGIC = "kiitos-ledger 1"
_SUFFIX = ".ledger"
_BOOT_ID = Path("/proc/sys/kernel/random/boot_id")
_PLAIN = re.compile(r"[A-Za-z0-9_.~:/-]*").fullmatch  # what `quote` would leave alone, as ids are: ten times as fast
_LONGEST = 1 << 20  # a ledger holds one batch; a longer file is none of ours

log = get_log("kiitos.ledger")


class Fate(StrEnum):
    """What the ledger knows of an attempt."""

    UNSENT = "unsent"
    UNKNOWN = "unknown"
    ACCEPTED = "accepted"


@dataclass(frozen=True, slots=True)
class Attempt:
    """One attempt of one effect. `number` and `lease_until` (text, as stored) tell it from every other attempt.

    `key` is the message's key, or the effect's id where there is no message; `sent_key` is the effect's name in the
    send ledger (`connector.send_ledger`).
    """

    key: str
    number: int
    lease_until: str
    shop_id: str
    effect_id: str
    sent_key: str = ""


@dataclass(frozen=True, slots=True)
class Trace:
    """What one ledger tells: the boot it was written in, its worker, and the fate of each attempt."""

    boot: str
    worker: str
    fates: tuple[tuple[Attempt, Fate], ...]


def parse(data: bytes) -> Trace | None:
    """Read a ledger's bytes; `None` when it is none, or when any complete line of it makes no sense.

    A last line without its end was cut short by the kill. What it was to announce had not happened yet (`B`, `W`), or
    is merely not known (`D`), so it is left out.
    """
    if len(data) > _LONGEST:
        return None
    try:
        head, *lines = data.decode("ascii").split("\n")[:-1]
        magic, version, boot, worker = head.split(" ")
        if f"{magic} {version}" != _MAGIC:
            return None
        found: dict[str, tuple[Attempt, Fate]] = {}
        for line in lines:
            _read_line(line, found)
    except (ValueError, KeyError):
        return None
    return Trace(unquote(boot), unquote(worker), tuple(found.values()))


def _read_line(line: str, found: dict[str, tuple[Attempt, Fate]]) -> None:
    kind, *fields = line.split(" ")
    if kind == "B":
        key, number, lease_until, shop_id, effect_id = map(unquote, fields)
        found[key] = (Attempt(key, int(number), lease_until, shop_id, effect_id), Fate.UNSENT)
        return
    (encoded,) = fields
    key = unquote(encoded)
    found[key] = (found[key][0], {"W": Fate.UNKNOWN, "D": Fate.ACCEPTED}[kind])


def _line(*fields: str) -> bytes:
    return (" ".join([field if _PLAIN(field) else quote(field, safe=":/") for field in fields]) + "\n").encode("ascii")


def boot_id() -> str:
    """What changes when the machine starts anew; empty where the system does not tell."""
    try:
        return _BOOT_ID.read_text(encoding="ascii").strip()
    except (OSError, UnicodeDecodeError):
        return ""


def folder_for(database: str, directory: Path) -> Path | None:
    """Where the ledgers of a database are: beside the SQLite file, otherwise in `var` of the configuration's folder.

    `None` for a database in memory. The name holds the database's, so that two of them never share ledgers.
    """
    if ":memory:" in database:
        return None
    if database.startswith("sqlite:///"):
        path = Path(database.removeprefix("sqlite:///"))
        return path.with_name(path.name + "-ledger")
    parts = urlsplit(database)
    place = f"{parts.hostname}:{parts.port}{parts.path}?{parts.query}"
    return directory / "var" / f"ledger-{hashlib.sha256(place.encode()).hexdigest()[:12]}"


class Departures(Protocol):
    """Who else wants to know what leaves, by the same keys: the send ledger (`connector.send_ledger`)."""

    def begin(self, departing: Mapping[str, tuple[str, str]]) -> None: ...

    def on_wire(self, key: str, /) -> None: ...

    def accepted(self, key: str, /) -> None: ...

    def refused(self, key: str, /) -> None: ...

    def end(self) -> None: ...

    def close(self) -> None: ...


class Ledger:
    """A worker's own ledger, and the reader of those that dead workers left. `with` closes it.

    Without a folder, or where files cannot be locked, it keeps nothing and finds nothing. `on_wire` may be called from
    several threads.
    """

    def __init__(
        self, folder: Path | None = None, worker: str = "", *, boot: str | None = None, sent: Departures | None = None
    ) -> None:
        self._sent = sent
        self._departing: dict[str, tuple[str, str]] = {}
        self._folder = folder if os.name == "posix" else None  # no flock on Windows: there the lease decides alone
        self._worker = worker
        self._boot = boot_id() if boot is None else boot
        self._path: Path | None = None
        self._fd = -1
        self._head = _line(*_MAGIC.split(" "), self._boot, worker)
        self._serial = 0
        self._lock = threading.Lock()
        if self._folder is not None:
            self._open(self._folder)

    @property
    def folder(self) -> Path | None:
        """Where workers of this machine keep their files; `None`: nowhere."""
        return self._folder

    @property
    def worker(self) -> str:
        """This worker's name among them."""
        return self._worker

    @classmethod
    def of(cls, database: str, directory: Path, clock: Clock, sent: Departures | None = None) -> Ledger:
        """The ledger of a new worker for a database URL; `directory` is the configuration's folder."""
        return cls(folder_for(database, directory), f"{os.getpid()}-{clock.token(5)}", sent=sent)

    def begin(self, attempts: Iterable[Attempt]) -> None:
        """Announce a batch. Call it inside the transaction that marks the batch as `sending`, as its last act: then no
        committed attempt is without its line."""
        attempts = list(attempts)
        if self._sent is not None:
            self._departing |= {each.key: (each.shop_id, each.sent_key) for each in attempts}
        if self._fd < 0 and self._folder is not None:
            self._open(self._folder)
        lines = [_line("B", a.key, str(a.number), a.lease_until, a.shop_id, a.effect_id) for a in attempts]
        if lines:
            self._write(b"".join(lines))

    def depart(self) -> None:
        """Announce in the send ledger what was begun, once that is committed and before any of it is handed over.

        Raises `StoreUnavailable` when it cannot be written: then nothing may be sent."""
        departing, self._departing = self._departing, {}
        if self._sent is not None:
            self._sent.begin(departing)

    def on_wire(self, key: str) -> None:
        """From here on the message may have been sent."""
        self._write(_line("W", key))
        if self._sent is not None:
            self._sent.on_wire(key)

    def accepted(self, key: str) -> None:
        """The provider's answer was read: it has the message."""
        self._write(_line("D", key))
        if self._sent is not None:
            self._sent.accepted(key)

    def refused(self, key: str) -> None:
        """The provider's answer was read: it has not."""
        if self._sent is not None:
            self._sent.refused(key)

    def performed(self, key: str, *, done: bool) -> None:
        """The platform's or endpoint's answer was read. For the send ledger alone: what was answered is recorded with
        the effect, and of a dead worker's nobody has it, so there the effect stays unknown."""
        if self._sent is not None:
            (self._sent.accepted if done else self._sent.refused)(key)

    def clear(self) -> None:
        """Forget the batch: all its outcomes are committed."""
        if self._sent is not None:
            self._sent.end()
        if self._fd >= 0:
            with contextlib.suppress(OSError):  # lines too many do no harm: they name attempts that are settled
                os.ftruncate(self._fd, len(self._head))

    def abandon(self) -> None:
        """The batch could not be recorded. Leave the file to `left_behind`, and go on with a new one."""
        self._departing = {}
        if self._sent is not None:
            self._sent.close()
        if self._folder is not None and self._fd >= 0:
            self._release()
            self._open(self._folder)

    def close(self) -> None:
        """End a worker whose batches are all recorded, or leave the lines to the next one. Idempotent."""
        if self._path is not None and self._size() == len(self._head):
            self._path.unlink(missing_ok=True)
        self._release()
        if self._sent is not None:
            self._sent.close()

    def __enter__(self) -> Ledger:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.close()

    def left_behind(self) -> Iterator[Trace]:
        """Ledgers of this boot whose worker is dead, each removed once the caller asks for the next one.

        The file stays locked meanwhile, so that no two workers settle the same one. Those of another boot, and those
        that make no sense, are removed unread.
        """
        if self._folder is None:
            return
        for path in sorted(self._folder.glob(f"*{_SUFFIX}")):
            with contextlib.suppress(FileNotFoundError), _locked(path) as data:
                if data is None:
                    continue
                trace = parse(data)
                if trace is not None and trace.boot and trace.boot == self._boot:
                    yield trace
                path.unlink(missing_ok=True)

    def _open(self, folder: Path) -> None:
        try:
            folder.mkdir(mode=0o700, parents=True, exist_ok=True)
            while self._fd < 0:
                self._serial += 1
                self._path = folder / f"{self._worker}-{self._serial}{_SUFFIX}"
                self._fd = os.open(self._path, os.O_RDWR | os.O_CREAT | os.O_EXCL | os.O_APPEND, 0o600)
                fcntl.flock(self._fd, fcntl.LOCK_EX)
                if os.fstat(self._fd).st_nlink == 0:  # another worker took it for a dead one's before it was locked
                    self._release()
            os.write(self._fd, self._head)
        except OSError as error:
            log.error("ledger_not_opened", folder=str(folder), error=type(error).__name__)
            self._release()

    def _release(self) -> None:
        if self._fd >= 0:
            os.close(self._fd)
        self._fd, self._path = -1, None

    def _size(self) -> int:
        return os.fstat(self._fd).st_size if self._fd >= 0 else -1

    def _write(self, data: bytes) -> None:
        """One write, or no ledger: a missing `W` would later say "certainly not sent" of a message that was.

        Raises `OSError` only when the file can neither be written nor emptied; then nothing must be sent.
        """
        with self._lock:  # not to write into a descriptor that another thread has just given back
            if self._fd < 0:
                return
            try:
                complete = os.write(self._fd, data) == len(data)
            except OSError:
                complete = False
            if not complete:
                log.error("ledger_not_written", worker=self._worker)
                os.ftruncate(self._fd, 0)  # a file without a head says nothing: the lease decides
                self._release()


@contextlib.contextmanager
def _locked(path: Path) -> Iterator[bytes | None]:
    """The bytes of a file nobody else has locked; `None` when somebody has."""
    handle = os.open(path, os.O_RDWR)
    try:
        try:
            fcntl.flock(handle, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            yield None
            return
        yield os.read(handle, _LONGEST + 1)
    finally:
        os.close(handle)
