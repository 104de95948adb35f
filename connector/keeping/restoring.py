"""A backup put back: into place, held, with everything outside the database taken in before a worker sees it.

A restored database is the past. What left since is in the send ledger, who was forgotten since in `forgotten.list`,
what the shops did since is with the platforms. So it starts *held*: the worker reads deliveries, asks the platforms and
forgets people again, and sends nothing until a person releases it (`kiitos restore release`).
"""

from __future__ import annotations

import contextlib
import os
import shutil
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from datetime import datetime, timedelta
from pathlib import Path

from sqlite_utils.utils import sqlite3 as driver  # type: ignore[attr-defined]

from connector.clock import Clock, to_text
from connector.config import Config
from connector.errors import ConfigError, StoreUnavailable
from connector.keeping import ledgers
from connector.keeping.archive import Manifest
from connector.keeping.backup import opened
from connector.keeping.forgotten import read_forgotten
from connector.keeping.refusals import read_refusals
from connector.keeping.streaming import forget_local_state, replicated
from connector.ledger import boot_id
from connector.log import get_log
from connector.model import ShopStatus
from connector.secrets import Vault
from connector.send_ledger import read_ledgers
from connector.store import jobs, meta, privacy, refused, restored, sealing, shops
from connector.store.db import Tx
from connector.store.refused import Refusal
from connector.store.restored import Before, Known
from connector.store.snapshots import INBOX, WORK
from connector.store.sql import MIGRATIONS
from connector.store.store import Store
from connector.whole import sync
from connector.working import clockwatch, standstill
from connector.working.standstill import Standstill
from flows.people import refusing
from flows.people.forgetting import subject_key

MARGIN = timedelta(hours=1)
"""So much before the copy the ledger is read from: clocks differ, and what was being sent is in both."""
AUTO, KEEP, REPLACE = "auto", "keep", "replace"
LITESTREAM = "litestream"
_BATCH = 1000

log = get_log("restore")


@dataclass(frozen=True, slots=True, kw_only=True)
class Outcome:
    """What a restore did. `inbox` says which inbox is in place, `aside` are the files that were there before.

    `gaps` say why the send ledger does not wholly tell what left from `taken_at` to `at`; empty when it does.
    """

    manifest: Manifest
    sent: int
    doubtful: int
    forgotten: int
    refused: int
    gaps: tuple[str, ...]
    at: datetime
    inbox: str
    aside: tuple[str, ...]


def restore(
    config: Config,
    clock: Clock,
    name: str,
    *,
    further: Sequence[Path] = (),
    inbox: str = AUTO,
    at: datetime | None = None,
) -> Outcome:
    """Put a backup in the place of the configured database, which must not be in use. `further` are folders of
    send ledgers (other machines'); `inbox` says whether an intact newer inbox stays. `LITESTREAM` as a name takes what
    Litestream copied, its newest or that of a moment (`at`).

    What was there is kept beside it. Raises `ConfigError` (no such backup, no key, made by a newer Kiitos) and
    `StoreUnavailable` (damaged, or the database is in use); then nothing was changed.
    """
    vault = Vault.from_text(config.app.master_key)
    folders = [folder for folder in (config.backup.ledger, *further) if folder is not None]
    database = config.app.database
    if not database.startswith("sqlite:///"):
        from connector.keeping.restoring_postgres import restore_postgres

        return restore_postgres(config, clock, name, vault, folders)
    work = Path(database.removeprefix("sqlite:///"))
    box = Path(config.app.inbox.removeprefix("sqlite:///")) if config.app.inbox else work.with_name("inbox.db")
    work.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
    streamed = name == LITESTREAM
    if at is not None and not streamed:
        raise ConfigError(f"a backup is of one moment; --at is for: kiitos restore from {LITESTREAM}")
    source = replicated(config, work.parent, at) if streamed else opened(config.backup, name, work.parent)
    with source as (manifest, content):
        _same_kind(manifest, "sqlite")
        known_here(manifest)
        kept = _which_inbox(inbox, box, content / INBOX, manifest)
        copy = Store.open(f"sqlite:///{content / WORK}", inbox_url=f"sqlite:///{content / INBOX}")
        try:
            told = take_in(copy, vault, clock, manifest.name, manifest.taken_at, folders, config.ledger_keep)
        finally:
            copy.close()
        _require_unused(work, box)
        aside = [*_put(content / WORK, work, manifest), *([] if kept else _put(content / INBOX, box, manifest))]
    if config.stream is not None:
        forget_local_state(config)
    log.warning("restored", backup=manifest.name, **told.counts, gaps=list(told.gaps), inbox_kept=kept)
    return Outcome(
        manifest=manifest,
        **told.counts,
        gaps=told.gaps,
        at=told.at,
        inbox="the one that was there, which is newer" if kept else "the backup's",
        aside=tuple(aside),
    )


def _same_kind(manifest: Manifest, dialect: str) -> None:
    if manifest.dialect != dialect:
        raise ConfigError(
            f"this is a backup of a {manifest.dialect} database; restore it into one and move it: kiitos db copy",
            where="app.database",
        )


def known_here(manifest: Manifest) -> None:
    """Raises `ConfigError` when the backup was made by a newer Kiitos."""
    for component, names in manifest.migrations.items():
        ours = {path.stem for path in (MIGRATIONS / component).glob("*.sql")}
        newer = [one for one in names if one not in ours]
        if newer:
            raise ConfigError(
                f"{manifest.name} was made by Kiitos {manifest.kiitos}, which is newer (migration {newer[-1]!r}); "
                "install that version to restore it"
            )


@dataclass(frozen=True, slots=True)
class Told:
    """What a copy learned, by `sent`, `doubtful` (effects), `forgotten` (keys) and `refused` (addresses); what it could
    not learn (`gaps`), and when it was told."""

    counts: dict[str, int]
    gaps: tuple[str, ...]
    at: datetime


def take_in(
    store: Store, vault: Vault, clock: Clock, backup: str, cut: datetime, folders: Sequence[Path], keep: timedelta
) -> Told:
    """Everything a copy of the moment `cut` must learn before a worker sees it: held, what left since, who was
    forgotten and who said no since, and that all platforms are to be asked. `keep` is how long a send ledger stays.
    Again, with further folders, it learns what those say; it is held since the first time.

    Raises `ConfigError` when the master key is not the one the copy's credentials are sealed with.
    """
    now, since = clock.now(), cut - MARGIN
    unread: list[str] = []
    left = {(b.shop_id, b.sent_key): b for b in _surest(read_ledgers(folders, since, boot_id(), unread))}
    forgotten, refusals = list(read_forgotten(folders, since)), read_refusals(folders, since)
    with store.work.transaction() as tx:
        sealed = meta.get(tx, sealing.SALT)
        salt = vault.decrypt(sealed, sealing.SALT_PLACE).encode() if sealed else b""
        held = standstill.read(tx)
        again = held is not None and held.why is Standstill.RESTORED and held.detail.get("backup") == backup
        known = list(held.detail.get("ledgers", ())) if held is not None and again else []
        found, missing = ledgers.look(tx, folders, known, cut, now, keep)
        began = held.since if held is not None and again else now
        told = {"cut": to_text(cut), "backup": backup, "ledgers": found, "gaps": [*missing, *unread]}
        standstill.begin(tx, Standstill.RESTORED, began, **told)
        clockwatch.confirm(tx, now)
        restored.end_leases(tx, now)
        each = list(left.values())
        for start in range(0, len(each), _BATCH):
            restored.put(tx, each[start : start + _BATCH])
        _forget_again(tx, salt, [(f.shop_id, f.key, f.at) for f in forgotten], clock)
        _refuse_again(tx, salt, refusals, now)
        for shop_id in jobs.shops_with(tx, "poll"):
            job = jobs.get(tx, shop_id, "poll")
            if job is not None:
                jobs.restart(tx, shop_id, "poll", job.state, now)
    sent = sum(b.fate is Known.SENT for b in left.values())
    people = {(one.shop_id, one.address_key) for one in refusals}
    counts = {"sent": sent, "doubtful": len(left) - sent, "forgotten": len(forgotten), "refused": len(people)}
    return Told(counts, (*missing, *unread), now)


def _surest(found: Iterator[Before]) -> Iterator[Before]:
    """Told as sent by any ledger, it was; the doubt of an earlier attempt does not count any more."""
    seen: dict[tuple[str, str], Before] = {}
    for one in found:
        known = seen.get((one.shop_id, one.sent_key))
        if known is None or known.fate is not Known.SENT:
            seen[one.shop_id, one.sent_key] = one
    yield from seen.values()


def _forget_again(tx: Tx, salt: bytes, forgotten: Sequence[tuple[str, str, datetime]], clock: Clock) -> None:
    by_shop: dict[str, dict[str, datetime]] = {}
    for shop_id, key, at in forgotten:
        by_shop.setdefault(shop_id, {})[key] = at
    for shop_id, keys in by_shop.items():
        if shops.get(tx, shop_id) is None:
            continue
        if "" in keys:
            shops.set_status(tx, shop_id, ShopStatus.UNINSTALLED, clock.now(), "forgotten before the restore")
            _ask(tx, salt, shop_id, privacy.ERASE_SHOP, {}, clock)
            continue
        for key, at in keys.items():
            privacy.remember_erasure(tx, shop_id, [key], at)
        for subject in _subjects(tx, salt, shop_id, keys.keys()):
            _ask(tx, salt, shop_id, privacy.ERASE_CUSTOMER, subject, clock)


def _refuse_again(tx: Tx, salt: bytes, refusals: Sequence[Refusal], now: datetime) -> None:
    """What the people of the copy said since holds at once; of others it is kept until they come."""
    by_shop: dict[str, list[Refusal]] = {}
    for one in refusals:
        by_shop.setdefault(one.shop_id, []).append(one)
    for shop_id, said in by_shop.items():
        if shops.get(tx, shop_id) is None:
            continue
        numbers = any(not one.channel.by_email for one in said)
        people = restored.reachable(tx, shop_id, numbers=numbers)
        known = {privacy.key_of(salt, shop_id, kind, each): each for kind, each in people}
        for one in said:
            if one.address_key in known:
                refusing.hold(tx, replace(one, address_key=known[one.address_key]), now)
        refused.put(tx, (one for one in said if one.address_key not in known), now)


def _subjects(tx: Tx, salt: bytes, shop_id: str, keys: object) -> list[dict[str, str]]:
    """The people of the copy whose hashes are among the forgotten, as the subjects of requests."""
    assert hasattr(keys, "__contains__")
    found: dict[tuple[str, str], dict[str, str]] = {}
    for kind, name, email in list(restored.addresses(tx, shop_id)):
        if email and privacy.key_of(salt, shop_id, "email", email) in keys:
            found["email", email] = {"email": email}
        elif privacy.key_of(salt, shop_id, kind, name) in keys:
            found[kind, name] = {"customer_id": name} if kind == "customer" else {"orders": name}
    return list(found.values())


def _ask(tx: Tx, salt: bytes, shop_id: str, kind: str, subject: dict[str, str], clock: Clock) -> None:
    key = subject_key(salt, shop_id, subject)
    privacy.ask(tx, shop_id, clock.new_id(), kind, "restore", subject, key, clock.now())


def _which_inbox(wanted: str, ours: Path, copied: Path, manifest: Manifest) -> bool:
    """Whether the inbox that is in place stays: it is whole, it is the one the backup was made of, and it has all the
    backup has. Then no delivery is lost at all."""
    if wanted == REPLACE or not ours.exists():
        return False
    last = manifest.cut["last_id"]
    try:
        same = _row(ours, last) == _row(copied, last) and _newest(ours) >= last and _whole(ours)
    except driver.DatabaseError:
        same = False
    if wanted == KEEP and not same:
        raise StoreUnavailable(f"{ours.name} is damaged, or is not the inbox this backup was made of")
    return same


def _row(path: Path, delivery_id: int) -> object:
    with contextlib.closing(driver.connect(f"file:{path}?mode=ro", uri=True)) as raw:
        query = "SELECT shop_id, topic, dedup_key, received_at FROM inbox WHERE id = ?"
        return raw.execute(query, (delivery_id,)).fetchone()


def _newest(path: Path) -> int:
    with contextlib.closing(driver.connect(f"file:{path}?mode=ro", uri=True)) as raw:
        return int(raw.execute("SELECT COALESCE(MAX(id), 0) FROM inbox").fetchone()[0])


def _whole(path: Path) -> bool:
    with contextlib.closing(driver.connect(f"file:{path}?mode=ro", uri=True)) as raw:
        return bool(raw.execute("PRAGMA quick_check(1)").fetchone()[0] == "ok")


def _require_unused(*paths: Path) -> None:
    """Nobody has these files open: SQLite leaves WAL mode for its only user alone (https://sqlite.org/wal.html). What
    stood in the log is in the file after this, so that it can be laid aside whole. A damaged file cannot say."""
    for path in (path for path in paths if path.exists()):
        try:
            with contextlib.closing(driver.connect(str(path), timeout=1)) as raw:
                raw.execute("PRAGMA journal_mode=DELETE").fetchall()
        except driver.OperationalError as error:
            if "locked" in str(error):
                raise StoreUnavailable(
                    f"{path.name} is in use; stop `kiitos serve`, `kiitos worker` and Litestream before a restore"
                ) from error
        except driver.DatabaseError:
            log.error("database_damaged", file=path.name)


def _put(new: Path, place: Path, manifest: Manifest) -> list[str]:
    """Put a file in place in one step; what was there keeps a name beside it. At no moment there is none: an empty one
    would be made, and begin to send."""
    with contextlib.closing(driver.connect(str(new))) as raw:
        raw.execute("PRAGMA journal_mode=DELETE").fetchall()
    sync(new)
    mark = manifest.name.removeprefix("kiitos-").partition(".")[0]
    aside = []
    for suffix in ("-wal", "-shm"):  # of a damaged file only: they must not be applied to the new one
        log_file = place.with_name(place.name + suffix)
        if log_file.exists():
            log_file.rename(f"{log_file}.before-restore-{mark}")
    if place.exists():
        old = place.with_name(f"{place.name}.before-restore-{mark}")
        old.unlink(missing_ok=True)
        try:
            os.link(place, old)
        except OSError:  # a file system without links
            shutil.copy2(place, old)
        aside.append(str(old))
    new.replace(place)
    sync(place.parent)
    return aside
