"""Making, listing and verifying backups."""

from __future__ import annotations

import contextlib
import shutil
import tempfile
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

from connector.clock import Clock
from connector.config import BackupSettings
from connector.errors import ConfigError, StoreUnavailable
from connector.keeping.archive import Manifest, identity_of, make_key, manifest_of, pack, recipients_of, unpack
from connector.keeping.repository import NOTE, Repository, manifests, repository_of, surplus
from connector.log import get_log
from connector.store import meta
from connector.store.db import Sqlite
from connector.store.snapshots import INBOX, WORK, Progress, look_into, take
from connector.store.store import Store

LAST = "backup/last"
"""The name in `meta` of when the last backup of this installation was stored."""
_SCRATCH = ".kiitos-backup-"

log = get_log("backup")


@dataclass(frozen=True, slots=True)
class Stored:
    """A finished backup, and those that rotation removed for it."""

    manifest: Manifest
    removed: tuple[str, ...]


def silent(_done: int, _total: int) -> None:
    """No progress is shown."""


def back_up(
    store: Store,
    settings: BackupSettings,
    clock: Clock,
    *,
    plain: bool = False,
    why: str = "",
    progress: Progress = silent,
) -> Stored:
    """Copy the running store, check the copy, seal it, put it in its place, read it back there, and rotate.

    `plain` leaves it unsealed: people's addresses are then readable by whoever has the file. Raises
    `StoreUnavailable` when any of it fails; then nothing that was there before is removed.
    """
    place = repository_of(settings)
    recipients = [] if plain else recipients_of(settings, make_key)
    with scratch_beside(store) as folder:
        content = folder / "content"
        content.mkdir()
        at = clock.now()
        found = take(store, content, progress, tool=shutil.which("pg_dump"))
        manifest = manifest_of(content, found, at, why, sealed=not plain)
        archive = folder / manifest.name
        manifest = pack(content, archive, manifest, recipients)
        shutil.rmtree(content)
        _store(place, folder, archive, manifest)
        removed = rotate(place, settings, folder)
    with store.work.transaction() as tx:
        meta.put(tx, LAST, manifest.at, clock.now())
    log.info("backup_stored", backup=manifest.name, rows=manifest.total_rows, bytes=manifest.size, removed=len(removed))
    return Stored(manifest, tuple(removed))


def _store(place: Repository, folder: Path, archive: Path, manifest: Manifest) -> None:
    """The archive first, then its manifest: what has no manifest was cut off and is no backup."""
    place.put(archive, manifest.name)
    again = folder / "again"
    place.get(manifest.name, again)
    _same(again, manifest)
    again.unlink()
    note = folder / "note"
    note.write_bytes(manifest.encoded())
    place.put(note, manifest.name + NOTE)


def _same(archive: Path, manifest: Manifest) -> None:
    from connector.keeping.archive import digest

    if archive.stat().st_size != manifest.size or digest(archive) != manifest.sha256:
        raise StoreUnavailable(f"{manifest.name} is not what was stored: the place it lies in changed it")


def rotate(place: Repository, settings: BackupSettings, scratch: Path) -> list[str]:
    """Remove what is not kept any longer; its names. The manifest goes first: half removed it is no backup."""
    gone = surplus(manifests(place, scratch), settings.keep, settings.daily, settings.weekly)
    for one in gone:
        place.remove(one.name + NOTE)
        place.remove(one.name)
    return [one.name for one in gone]


def list_backups(settings: BackupSettings) -> list[Manifest]:
    """Oldest first."""
    with tempfile.TemporaryDirectory(prefix=_SCRATCH) as folder:
        return manifests(repository_of(settings), Path(folder))


def find_backup(settings: BackupSettings, name: str) -> Manifest:
    """By name, or the newest one for `latest`. Raises `ConfigError` when there is none."""
    found = list_backups(settings)
    chosen = [one for one in found if name in ("latest", one.name)]
    if not chosen:
        raise ConfigError(f"there is no backup '{name}' in {repository_of(settings).name}; see `kiitos backup list`")
    return chosen[-1]


@contextlib.contextmanager
def opened(settings: BackupSettings, name: str, beside: Path) -> Iterator[tuple[Manifest, Path]]:
    """A backup's checked content in a folder that vanishes: fetched, compared with its manifest, opened, compared file
    by file, and the databases checked row for row count. `name` may also be a file's path.

    Raises `ConfigError` (no such backup, no key for it) and `StoreUnavailable` (damaged).
    """
    with scratch(beside) as folder:
        archive = Path(name)
        if not archive.is_file():
            known = find_backup(settings, name)
            archive = folder / "fetched"
            repository_of(settings).get(known.name, archive)
            _same(archive, known)
        content = folder / "content"
        content.mkdir()
        manifest = unpack(archive, content, identity_of(settings))
        if manifest.dialect == "sqlite":
            for part in (WORK, INBOX):
                rows, migrations, _ = look_into(content / part)
                if rows != manifest.rows[part] or not migrations.items() <= manifest.migrations.items():
                    raise StoreUnavailable(f"{manifest.name} is damaged: {part} has other rows than were copied")
        yield manifest, content


@contextlib.contextmanager
def scratch_beside(store: Store) -> Iterator[Path]:
    """A private folder on the database's own disk, where a copy of it surely may lie."""
    beside = store.work.path.parent if isinstance(store.work, Sqlite) else Path(tempfile.gettempdir())
    with scratch(beside) as folder:
        yield folder


@contextlib.contextmanager
def scratch(beside: Path) -> Iterator[Path]:
    """A private folder there that vanishes. Raises `StoreUnavailable` where none can be made."""
    try:
        with tempfile.TemporaryDirectory(prefix=_SCRATCH, dir=beside) as name:
            yield Path(name)
    except OSError as error:
        raise StoreUnavailable(f"{beside}: {error.strerror or error}") from error
