"""The send ledger: what left this installation, kept outside its database, so that a restored one does not send again.

One append-only file a worker, new every day. Before a batch is handed over its effects are announced in one line that
is on the disk (fsync) before the first byte leaves; what became of each is added without waiting. So nothing leaves
that the ledger has not announced, and it costs one fsync a batch. Lines:

    kiitos-sent 1 <boot> <worker>
    I <unix seconds> <shop>:<key>,<key> <shop>:<key>     the batch: its effects are numbered 0, 1, 2 in this order
    w<n>      from here on effect n may have left
    s<n>      accepted
    n<n>      certainly not accepted
    .         the whole batch is recorded in the database

Keys are keyed hashes of (shop, flow, entry, step): the same effect has the same key under a run that began anew in a
restored database, and nobody can read from them who it was about. There is nothing else in here.

Not `connector.ledger`: that one tells what a dead worker's last batch came to and is emptied after each.
"""

from __future__ import annotations

import contextlib
import os
import re
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from pathlib import Path

from connector.clock import Clock
from connector.config import BackupSettings
from connector.errors import StoreUnavailable
from connector.ledger import boot_id
from connector.log import get_log
from connector.model import Effect, Run
from connector.store.restored import Before, Known
from connector.whole import sync
from flows.sending.addressing import derive_token

_MAGIC = "kiitos-sent 1"
SUFFIX = ".sent"
_LARGEST = 8 << 20
_LINE = re.compile(r"([wsn])(\d+)")
_BATCH = re.compile(r"I (\d+)((?: [^ :]+:[^ :]+)+)")

log = get_log("send_ledger")


def key_of(salt: bytes, effect: Effect, run: Run | None) -> str:
    """The name of an effect that a restored database gives it too. Where no run stands behind it, its own id is made of
    what it is about."""
    if run is None:
        return derive_token(salt, "sent", effect.shop_id, effect.id)
    step = effect.id.removeprefix(run.id)
    return derive_token(salt, "sent", effect.shop_id, run.flow_id, run.entry_key, step)


class SendLedger:
    """One worker's own file. Without a folder it keeps nothing. `on_wire` and the like may come from several threads:
    each is one write to a file opened for appending."""

    def __init__(
        self, folder: Path | None, worker: str, clock: Clock, *, boot: str = "", keep: timedelta = timedelta(days=45)
    ) -> None:
        self._folder = folder
        self._worker = worker
        self._clock = clock
        self._boot = boot
        self._keep = keep
        self._fd = -1
        self._day = ""
        self._size = 0
        self._serial = 0
        self._numbers: dict[str, int] = {}

    @classmethod
    def of(cls, settings: BackupSettings, clock: Clock) -> SendLedger:
        """A new worker's, where the `[backup]` table says."""
        worker = f"{os.getpid()}-{clock.token(5)}"
        return cls(settings.ledger, worker, clock, boot=boot_id(), keep=settings.ledger_keep)

    def begin(self, departing: Mapping[str, tuple[str, str]]) -> None:
        """Announce a batch: (shop, key) by the name its outcomes will come under. On the disk when it returns.

        Raises `StoreUnavailable` when it cannot be written: then nothing may be sent.
        """
        self._numbers = {}
        if self._folder is None or not departing:
            return
        by_shop: dict[str, list[tuple[str, str]]] = {}
        for name, (shop_id, key) in departing.items():
            by_shop.setdefault(shop_id, []).append((name, key))
        ordered = [name for items in by_shop.values() for name, _ in items]
        shops = " ".join(f"{shop_id}:{','.join(key for _, key in items)}" for shop_id, items in by_shop.items())
        now = self._clock.now()
        line = f"I {int(now.timestamp())} {shops}\n".encode()
        try:
            self._roll(now)
            if os.write(self._fd, line) != len(line):
                raise OSError("the disk took a part of the line only")
            os.fdatasync(self._fd)
        except OSError as error:
            self.close()
            log.error("send_ledger_not_written", error=type(error).__name__)
            raise StoreUnavailable(f"the send ledger in {self._folder} cannot be written: {error}") from error
        self._size += len(line)
        self._numbers = {name: number for number, name in enumerate(ordered)}

    def on_wire(self, name: str) -> None:
        self._add("w", name)

    def accepted(self, name: str) -> None:
        self._add("s", name)

    def refused(self, name: str) -> None:
        self._add("n", name)

    def end(self) -> None:
        """The batch is recorded in the database."""
        if self._numbers:
            self._numbers = {}
            self._write(b".\n")

    def close(self) -> None:
        """Leave the file. The next batch begins another."""
        if self._fd >= 0:
            os.close(self._fd)
        self._fd, self._numbers = -1, {}

    def _add(self, kind: str, name: str) -> None:
        number = self._numbers.get(name)
        if number is not None:
            self._write(f"{kind}{number}\n".encode())

    def _write(self, data: bytes) -> None:
        """What is missing here is doubt later, never a second message: that was announced."""
        if self._fd >= 0:
            with contextlib.suppress(OSError):
                self._size += os.write(self._fd, data)

    def _roll(self, now: datetime) -> None:
        """A new file a day, and where one has grown too large; the oldest go."""
        assert self._folder is not None
        day = f"{now:%Y%m%d}"
        if self._fd >= 0 and day == self._day and self._size < _LARGEST:
            return
        self.close()
        self._folder.mkdir(mode=0o700, parents=True, exist_ok=True)
        self._serial += 1
        path = self._folder / f"{day}-{self._worker}-{self._serial}{SUFFIX}"
        self._fd = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_APPEND, 0o600)
        head = f"{_MAGIC} {self._boot or '-'} {self._worker}\n".encode()
        os.write(self._fd, head)
        sync(self._folder)  # a file whose name is not on the disk is not there after a power cut
        self._day, self._size = day, len(head)
        self._prune(f"{now - self._keep:%Y%m%d}")

    def _prune(self, oldest: str) -> None:
        assert self._folder is not None
        for path in self._folder.glob(f"*{SUFFIX}"):
            if path.name[:8] < oldest:
                path.unlink(missing_ok=True)


@dataclass
class _Batch:
    at: datetime
    keys: list[tuple[str, str]]
    marks: dict[int, str] = field(default_factory=dict)


def read_ledgers(
    folders: Iterable[Path], since: datetime, boot: str = "", unread: list[str] | None = None
) -> Iterator[Before]:
    """What left since then, by the ledgers of all workers of all machines: accepted, or nobody knows.

    An effect announced and not on the wire certainly did not leave, where the line that would say so was kept: in this
    boot of the machine, or once a later batch was announced (its fsync took the earlier lines along). Otherwise it is
    in doubt. A last line that was cut short announced nothing yet. A file that cannot be read, or is none of ours, is
    passed over and told in `unread`.
    """
    for folder in folders:
        for path in sorted(folder.glob(f"*{SUFFIX}")):
            if path.name[:8] >= f"{since:%Y%m%d}":
                yield from _read(path, since, boot, [] if unread is None else unread)


def _read(path: Path, since: datetime, boot: str, unread: list[str]) -> Iterator[Before]:
    try:
        head, *lines = path.read_bytes().decode("ascii").split("\n")[:-1]
    except (OSError, UnicodeDecodeError, ValueError) as error:
        log.error("send_ledger_unreadable", file=path.name, error=type(error).__name__)
        unread.append(f"{path.name} of a send ledger cannot be read ({type(error).__name__})")
        return
    if not head.startswith(_MAGIC + " "):
        log.error("send_ledger_unreadable", file=path.name, error="no head")
        unread.append(f"{path.name} is no send ledger's")
        return
    same_boot = bool(boot) and head.split(" ")[2] == boot
    batches = list(_batches(lines))
    for number, batch in enumerate(batches):
        if batch.at >= since:
            yield from _fates(batch, told=same_boot or number < len(batches) - 1)


def _batches(lines: Iterable[str]) -> Iterator[_Batch]:
    batch: _Batch | None = None
    for line in lines:
        if found := _BATCH.fullmatch(line):
            if batch is not None:
                yield batch
            groups = (part.partition(":") for part in found[2].split())
            keys = [(shop_id, key) for shop_id, _, listed in groups for key in listed.split(",")]
            batch = _Batch(datetime.fromtimestamp(int(found[1]), UTC), keys)
        elif (mark := _LINE.fullmatch(line)) and batch is not None and int(mark[2]) < len(batch.keys):
            batch.marks[int(mark[2])] = mark[1]
    if batch is not None:
        yield batch


def _fates(batch: _Batch, *, told: bool) -> Iterator[Before]:
    for number, (shop_id, key) in enumerate(batch.keys):
        mark = batch.marks.get(number, "")
        if mark == "s":
            yield Before(shop_id, key, Known.SENT, batch.at)
        elif mark == "w" or (not mark and not told):
            yield Before(shop_id, key, Known.DOUBT, batch.at)
