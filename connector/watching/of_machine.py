"""Checks that need no database: the file, the keys, the disk, the library."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

from connector.config import Config
from connector.watching.machine import Machine
from connector.watching.trouble import Check, Found, fail, warn

GIB = 1 << 30
LEAST_SHARE = 0.10
"""Of a disk: promises.md R11 alarms at a tenth."""
LEAST_FREE = 256 << 20
_VANISHING = frozenset({"tmpfs", "ramfs"})
_OF_CONTAINERS = frozenset({"overlay"})
_SHARED = frozenset({"nfs", "nfs4", "cifs", "smb3", "fuse.sshfs", "9p"})


@dataclass(frozen=True, slots=True, kw_only=True)
class Place:
    """Where an installation lives."""

    config: Config
    machine: Machine

    @property
    def database(self) -> Path | None:
        """The file of a SQLite installation."""
        url = self.config.app.database
        return Path(url.removeprefix("sqlite:///")) if url.startswith("sqlite:///") else None


def _library(place: Place) -> Iterator[Found]:
    version, safe = place.machine.sqlite()
    if place.database is not None and not safe:
        yield fail(f"SQLite {version} can lose committed pages when two connections write and checkpoint at once")


def _disk(place: Place) -> Iterator[Found]:
    if place.database is None or not place.database.parent.exists():
        return
    free, total = place.machine.free(place.database.parent)
    if free < LEAST_FREE:
        what = f"{free / GIB:.1f} GiB are free on the disk of the database: webhooks will be answered with 503"
        yield fail(what, str(place.database.parent))
    elif free < LEAST_SHARE * total:
        what = f"{free / GIB:.1f} of {total / GIB:.0f} GiB are free on the disk of the database"
        yield warn(what, str(place.database.parent))


def _file_system(place: Place) -> Iterator[Found]:
    if place.database is None or not place.database.parent.exists():
        return
    kind = place.machine.file_system(place.database.parent)
    if kind in _VANISHING:
        yield fail(f"the database lies on {kind}, which is memory: it is gone when the machine restarts")
    if kind in _SHARED:
        yield fail(f"the database lies on {kind}: SQLite's write-ahead log needs a disk of this machine's own")


def _files(place: Place) -> Iterator[Found]:
    for path in _secret_files(place):
        if place.machine.open_to_others(path):
            yield fail("other users of this machine can read it", str(path))


def _secret_files(place: Place) -> Iterator[Path]:
    database = place.database
    found = [database, database.with_name("inbox.db")] if database is not None else []
    key = place.config.source.document.get("app", {}).get("master_key", {"file": "var/master.key"})
    if isinstance(key, dict) and "file" in key:
        found.append(place.config.directory / str(key["file"]))
    yield from (path for path in found if path.exists())


def _folder(place: Place) -> Iterator[Found]:
    folder = place.database.parent if place.database is not None else None
    if folder is not None and folder.exists() and not place.machine.writable(folder):
        yield fail("the folder of the database cannot be written to", str(folder))


def _send_ledger(place: Place) -> Iterator[Found]:
    folder = place.config.ledger_folder
    if ":memory:" in place.config.app.database:
        return
    if folder is None:
        yield warn("what leaves is written nowhere but in the database")
        return
    if place.database is not None and folder.parent == place.database.parent:
        return  # where the database is: looked at above
    nearest = next(one for one in (folder, *folder.parents) if one.exists())
    if not place.machine.writable(nearest):
        yield fail("the send ledger cannot be written to: nothing is sent", str(folder))
    elif (kind := place.machine.file_system(nearest)) in _VANISHING | _OF_CONTAINERS:
        yield warn(f"the send ledger lies on {kind}: it goes with the container or the machine", str(folder))


CHECKS: tuple[Check[Place], ...] = (
    Check(
        "sqlite_version",
        "A webhook that was acknowledged could be lost; the bug is in SQLite 3.7.0 to 3.51.2.",
        "pip install --upgrade pysqlite3",
        _library,
    ),
    Check(
        "disk",
        "Without space no webhook can be stored and nothing is sent; the shops try again for four hours at most.",
        "df -h SUBJECT",
        _disk,
    ),
    Check(
        "file_system",
        "What is acknowledged has to be on a disk when the power fails; move app.database to one after a backup.",
        "kiitos backup",
        _file_system,
    ),
    Check(
        "permissions",
        "Customers' data and the key to the shops' credentials are in these files.",
        "chmod 600 SUBJECT",
        _files,
    ),
    Check("folder", "Nothing can be stored.", "chmod u+rwx SUBJECT", _folder),
    Check(
        "send_ledger",
        "After a restore everything sent since the backup would be sent again, to people who said no since, too: "
        'name a folder that outlives the worker, [backup] ledger = "...".',
        "kiitos config check",
        _send_ledger,
    ),
)
