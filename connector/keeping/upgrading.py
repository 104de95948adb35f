"""Upgrades: a backup before the schema changes, forwards, and the way back."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

from connector import __version__
from connector.clock import Clock
from connector.config import Config
from connector.errors import ConfigError
from connector.keeping.backup import Stored, back_up
from connector.log import get_log
from connector.store.db import Database
from connector.store.migrate import applied, downgrade, migrate, pending
from connector.store.store import Store
from connector.store.tables import count_rows, tables_of
from connector.store.way_back import files_of, way_back

COMPONENTS = ("inbox", "work")

log = get_log("upgrade")


@dataclass(frozen=True, slots=True, kw_only=True)
class Standing:
    """One component: what has run, what is still to run, and what only another Kiitos knows."""

    component: str
    applied: tuple[str, ...]
    pending: tuple[str, ...]
    unknown: tuple[str, ...]


def attach(config: Config) -> Store:
    """The configured databases, untouched."""
    return Store.attach(config.app.database, inbox_url=config.app.inbox)


def standing(store: Store) -> list[Standing]:
    found = []
    for component in COMPONENTS:
        database = _of(store, component)
        ours, theirs = list(files_of(component)), applied(database, component)
        found.append(
            Standing(
                component=component,
                applied=tuple(name for name in theirs if name in ours),
                pending=tuple(name for name in ours if name not in theirs),
                unknown=tuple(name for name in theirs if name not in ours),
            )
        )
    return found


def secure(store: Store, config: Config, clock: Clock) -> Stored | None:
    """A backup of a database that is about to be changed; `None` where there is nothing to change or nothing yet.

    Raises what a backup raises: then the database is left as it is.
    """
    if ":memory:" in config.app.database:
        return None
    left = {name: pending(_of(store, name), name) for name in COMPONENTS}
    if not any(left.values()) or not applied(store.work, "work"):
        return None
    newest = applied(store.work, "work")[-1]
    log.info("backup_before_upgrade", schema=newest, kiitos=__version__)
    return back_up(store, config.backup, clock, why=f"before the upgrade of schema {newest}")


def upgrade(store: Store) -> dict[str, list[str]]:
    """Run what has not run; what did now."""
    return {component: migrate(_of(store, component), component) for component in COMPONENTS}


def losses(store: Store, to: str) -> Mapping[str, int]:
    """What a way back to `to` would delete: how many rows of a table, of `table.column`, and of `table where ...` for
    those that go from a table that stays.

    Raises `ConfigError` for an unknown migration, or one nobody says how to undo.
    """
    _require(to)
    with store.work.read() as tx:
        rows = count_rows(tx, tables_of(tx, store.work))
    found: dict[str, int] = {}
    for name in applied(store.work, "work"):
        if name > to:
            back = way_back(name, "work", store.work.dialect)
            found.update({table: rows.get(table, 0) for table in back.tables})
            found.update({column: rows.get(column.partition(".")[0], 0) for column in back.columns})
            with store.work.read() as tx:
                for table, condition in back.rows:
                    which = f" where {condition}" if condition else ""
                    found[table + (which or " (all rows)")] = int(
                        tx.fetch(f"SELECT COUNT(*) FROM {table}{which}")[0][0]
                    )
    return found


def remarks(store: Store, to: str) -> Mapping[str, str]:
    """What whoever wrote the ways back to `to` says of them, by migration; of those that are read off there is none."""
    _require(to)
    newer = [name for name in applied(store.work, "work") if name > to]
    told = {name: way_back(name, "work", store.work.dialect).remark for name in newer}
    return {name: remark for name, remark in told.items() if remark}


def go_back(store: Store, to: str) -> list[str]:
    """Undo the working database's migrations after `to`; what was undone, the newest first."""
    _require(to)
    return downgrade(store.work, "work", to)


def _require(to: str) -> None:
    if to not in files_of("work"):
        raise ConfigError(f"there is no migration {to!r}; see `kiitos db status`")


def _of(store: Store, component: str) -> Database:
    return store.inbox if component == "inbox" else store.work
