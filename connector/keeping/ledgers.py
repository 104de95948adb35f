"""Which send ledgers an installation has, so that a restore can say whose is missing.

Each folder of a ledger has a name of its own (`ledger.id`), and each process says in the database which one it writes
to: a worker when it starts and daily, a receiver when it starts (what people say no to on its pages is beside it). A
backup carries that along. What the restore is given is the union of the folders; what was in use and is not among them
is a gap, in which nobody knows what left.
"""

from __future__ import annotations

import socket
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from pathlib import Path

from connector import codec
from connector.clock import Clock, from_text, to_text
from connector.config import Config
from connector.errors import StoreUnavailable
from connector.log import get_log
from connector.send_ledger import SUFFIX
from connector.store import meta
from connector.store.db import Tx
from connector.store.store import Store
from connector.whole import write_first

IDENTITY = "ledger.id"
PREFIX = "send_ledger/"
"""Before the name of a ledger, or before `none/` and a host, in the rows of `meta`."""
NONE = "none/"
WORKER, RECEIVER = "worker", "serve"
RENEWED = timedelta(days=1)
_FRESH = {WORKER: 2 * RENEWED, RECEIVER: timedelta(days=45)}
"""Who said so within this time before a backup still wrote there. A receiver says so only when it starts."""

log = get_log("send_ledger")


@dataclass(frozen=True, slots=True)
class InUse:
    """A ledger some process writes to, as it said. `name` is empty for a process that has none."""

    name: str
    host: str
    role: str
    at: datetime


def name_of(folder: Path, clock: Clock) -> str:
    """The name of a ledger, given when it is first asked for; it stays when the folder is moved to another machine.

    Raises `OSError` when it cannot be written.
    """
    if known := _named(folder):
        return known
    write_first(folder / IDENTITY, f"{clock.token(10)}\n")  # the first of several processes names it
    return _named(folder)


def _named(folder: Path) -> str:
    """Empty for a folder that has no name."""
    try:
        return (folder / IDENTITY).read_text("ascii").strip()
    except (FileNotFoundError, NotADirectoryError, UnicodeDecodeError):
        return ""


def announce(store: Store, config: Config, clock: Clock, role: str) -> None:
    """Say in the database which ledger this process writes to, or that it has none. What hinders it is logged: where
    the ledger cannot be written nothing is sent, and that is told then."""
    folder, host = config.ledger_folder, socket.gethostname()
    try:
        name = NONE + host if folder is None else name_of(folder, clock)
        said = {"host": host, "role": role, "at": to_text(clock.now())}
        with store.work.transaction() as tx:
            meta.put(tx, f"{PREFIX}{name}/{role}", codec.encode_text(said), clock.now())
    except (OSError, StoreUnavailable) as error:
        log.error("send_ledger_not_announced", folder=str(folder), error=type(error).__name__)
    if folder is None and role == WORKER and ":memory:" not in config.app.database:
        log.warning("send_ledger_off", reason="a restored database would send again what left since its backup")


def in_use(tx: Tx) -> Iterator[InUse]:
    """What processes said, the oldest machines too."""
    for path, value in meta.under(tx, PREFIX).items():
        said = codec.decode(value, dict[str, str])
        name = path.rpartition("/")[0]
        known = "" if name.startswith(NONE) else name
        yield InUse(known, said["host"], said["role"], from_text(said["at"]))


def lately(tx: Tx, at: datetime) -> list[InUse]:
    """Those that were written to about that time."""
    return [one for one in in_use(tx) if one.at >= at - _FRESH.get(one.role, RENEWED)]


def look(
    tx: Tx, folders: Sequence[Path], known: Sequence[str], cut: datetime, now: datetime, keep: timedelta
) -> tuple[list[str], list[str]]:
    """The names of the ledgers in the folders, with those `known` from before; and why what left since a backup of the
    moment `cut` is not wholly told by them, in sentences."""
    present = [folder for folder in folders if _is_ledger(folder)]
    names = sorted({*known, *(_named(folder) or str(folder) for folder in present)})
    if not names:
        where = ", ".join(str(folder) for folder in folders) or "no folder is configured"
        return [], [f"there is no send ledger ({where})"]
    found = set()
    if cut < now - keep:
        found.add(f"the backup is older than the {keep.days} days for which a send ledger is kept")
    for one in lately(tx, cut):
        if not one.name:
            found.add(f"a {_WHO[one.role]} on {one.host} kept no send ledger")
        elif one.name not in names:
            found.add(f"the send ledger of the {_WHO[one.role]} on {one.host} is not among the folders")
    return names, sorted(found)


_WHO = {WORKER: "worker", RECEIVER: "receiver"}


def _is_ledger(folder: Path) -> bool:
    return bool(_named(folder)) or any(folder.glob(f"*{SUFFIX}"))
