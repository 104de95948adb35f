"""The way back of a migration, worked out from its statements.

From the first release on a migration only *expands* the schema: new tables, new columns that may be empty or have a
default, indexes. The program before it then runs on the new schema, and each statement has an inverse that can be read
off it. A migration that must do more says how it is undone in `down/<name>.sql` beside it, and is then the oldest one
whose program may use the database (`breaks`).
"""

from __future__ import annotations

import itertools
import re
from dataclasses import dataclass
from pathlib import Path

from connector.errors import ConfigError
from connector.store.sql import MIGRATIONS, statements

_TABLE = re.compile(r"CREATE TABLE (\w+)\s*\(", re.IGNORECASE)
_INDEX = re.compile(r"CREATE (?:UNIQUE )?INDEX (\w+) ON (\w+)", re.IGNORECASE)
_COLUMN = re.compile(r"ALTER TABLE (\w+) ADD COLUMN (\w+)(.*)", re.IGNORECASE | re.DOTALL)
_NO_INDEX = re.compile(r"DROP INDEX (\w+)", re.IGNORECASE)
_FILL = re.compile(r"(?:INSERT INTO|UPDATE|DELETE FROM) (\w+)", re.IGNORECASE)
_SET = re.compile(r"UPDATE (\w+) SET (.+?)(?: WHERE .*)?", re.IGNORECASE | re.DOTALL)
_ASSIGNED = re.compile(r"(?:^|,)\s*(\w+)\s*=")
_NO_TABLE = re.compile(r"DROP TABLE (\w+)", re.IGNORECASE)
_NO_COLUMN = re.compile(r"ALTER TABLE (\w+) DROP COLUMN (\w+)", re.IGNORECASE)
_NO_ROWS = re.compile(r"DELETE FROM (\w+)(?: WHERE (.+))?", re.IGNORECASE | re.DOTALL)
_HARMLESS = re.compile(r"DROP (?:FUNCTION|TRIGGER|INDEX) ", re.IGNORECASE)
_REASON = re.compile(r"^-- More than adding: (\S.*)$", re.MULTILINE)


@dataclass(frozen=True, slots=True)
class WayBack:
    """How a migration is undone: `statements` in their order, and what is lost by it: `tables`, `columns` as
    `table.column`, and `rows` of tables that stay, as (table, condition). `remark` says it in words, where a person
    wrote the way back."""

    name: str
    statements: tuple[str, ...]
    tables: tuple[str, ...] = ()
    columns: tuple[str, ...] = ()
    rows: tuple[tuple[str, str], ...] = ()
    remark: str = ""


def files_of(component: str, folder: Path = MIGRATIONS) -> dict[str, Path]:
    """The migrations of `component` (`inbox` or `work`), in their order."""
    return {path.stem: path for path in sorted((folder / component).glob("*.sql"))}


def faults_of(name: str, component: str, dialect: str, folder: Path = MIGRATIONS) -> list[str]:
    """Which statements do more than expand the schema; empty for a migration the program before it can live with."""
    text = files_of(component, folder)[name].read_text("utf-8")
    made: set[str] = set()
    added: set[str] = set()
    found = []
    for statement in statements(text, dialect):
        if table := _TABLE.match(statement):
            made.add(table[1])
        elif column := _COLUMN.match(statement):
            rest = column[3].upper()
            if "NOT NULL" in rest and "DEFAULT" not in rest:
                found.append(f"{column[1]}.{column[2]}: a new column must be nullable or have a default")
            added.add(f"{column[1]}.{column[2]}")
        elif fill := _FILL.match(statement):
            if fill[1] not in made and not _fills(statement, added):
                found.append(f"{statement.split(chr(10))[0][:60]}: changes rows of a table that was there before")
        elif not (_INDEX.match(statement) or _NO_INDEX.match(statement)):
            found.append(f"{statement.split(chr(10))[0][:60]}: neither a table, a column nor an index")
        elif (
            (index := _INDEX.match(statement)) and "UNIQUE" in statement.split("(")[0].upper() and index[2] not in made
        ):
            found.append(f"{index[1]}: a unique index on a table that was there before refuses what was allowed")
    return found


def _fills(statement: str, added: set[str]) -> bool:
    """Whether it gives values to columns that are new, and to nothing else."""
    update = _SET.fullmatch(statement.rstrip().rstrip(";"))
    columns = _ASSIGNED.findall(update[2]) if update else []
    return bool(update and columns) and all(f"{update[1]}.{column}" in added for column in columns if update)


def beyond_adding(name: str, component: str, dialect: str, folder: Path = MIGRATIONS) -> list[str]:
    """Statements that drop something or write to rows that were there before, be it to columns of their own: the lock
    they take grows with the table, and a migration needs a reason for them (`reason_of`)."""
    made: set[str] = set()
    found = faults_of(name, component, dialect, folder)
    for statement in statements(files_of(component, folder)[name].read_text("utf-8"), dialect):
        if table := _TABLE.match(statement):
            made.add(table[1])
        elif ((fill := _FILL.match(statement)) and fill[1] not in made) or _NO_INDEX.match(statement):
            found.append(f"{statement.split(chr(10))[0][:60]}: drops or rewrites what was there before")
    return found


def reason_of(name: str, component: str, folder: Path = MIGRATIONS) -> str:
    """Why a migration does more than add, as a line of its file says (`-- More than adding: ...`); empty otherwise."""
    found = _REASON.search(files_of(component, folder)[name].read_text("utf-8"))
    return found[1] if found else ""


def way_back(name: str, component: str, dialect: str, folder: Path = MIGRATIONS) -> WayBack:
    """How the migration is undone. Raises `ConfigError` when it cannot be read off it and no file says it."""
    path = files_of(component, folder)[name]
    said = path.parent / "down" / path.name
    if said.exists():
        return _said(name, said.read_text("utf-8"), dialect)
    back: list[str] = []
    tables: list[str] = []
    columns: list[str] = []
    for statement in statements(path.read_text("utf-8"), dialect):
        if table := _TABLE.match(statement):
            tables.append(table[1])
            back.append(f"DROP TABLE {table[1]}")
        elif index := _INDEX.match(statement):
            if index[2] not in tables:
                back.append(f"DROP INDEX {index[1]}")
        elif column := _COLUMN.match(statement):
            columns.append(f"{column[1]}.{column[2]}")
            back.append(f"ALTER TABLE {column[1]} DROP COLUMN {column[2]}")
        elif gone := _NO_INDEX.match(statement):
            back.append(_creation(gone[1], name, component, dialect, folder))
        elif (fill := _FILL.match(statement)) is None or fill[1] not in (*tables, *(c.split(".")[0] for c in columns)):
            raise ConfigError(
                f"nobody says how {statement.split(chr(10))[0][:60]!r} is undone; write down/{name}.sql", where=name
            )
    return WayBack(name, tuple(reversed(back)), tuple(tables), tuple(columns))


def _said(name: str, text: str, dialect: str) -> WayBack:
    """The way back that a person wrote, with what its statements delete. One nobody here understands is refused: what
    it deletes could not be listed before it is done."""
    lines = list(itertools.takewhile(lambda line: line.startswith("--"), text.splitlines()))
    back = tuple(statements(text, dialect))
    tables, columns, rows, made = [], [], [], set()
    for statement in back:
        if table := _TABLE.match(statement):
            made.add(table[1])
        elif gone := _NO_TABLE.match(statement):
            tables.append(gone[1])
        elif gone := _NO_COLUMN.match(statement):
            columns.append(f"{gone[1]}.{gone[2]}")
        elif gone := _NO_ROWS.fullmatch(statement.rstrip().rstrip(";")):
            rows.append((gone[1], " ".join((gone[2] or "").split())))
        elif fill := _FILL.match(statement):
            if fill[1] not in made:
                raise ConfigError(f"nobody says what {statement.split(chr(10))[0][:60]!r} loses", where=name)
        elif not (_INDEX.match(statement) or _HARMLESS.match(statement)):
            raise ConfigError(f"nobody says what {statement.split(chr(10))[0][:60]!r} loses", where=name)
    remark = " ".join(line.removeprefix("--").strip() for line in lines)
    return WayBack(name, back, tuple(tables), tuple(columns), tuple(rows), remark)


def _creation(index: str, before: str, component: str, dialect: str, folder: Path) -> str:
    """The statement that made an index which a later migration drops."""
    made = [
        statement
        for name, path in files_of(component, folder).items()
        if name < before
        for statement in statements(path.read_text("utf-8"), dialect)
        if (found := _INDEX.match(statement)) and found[1] == index
    ]
    if not made:
        raise ConfigError(f"the index {index} was made by no earlier migration", where=before)
    return made[-1]


def breaks(name: str, component: str, dialect: str, folder: Path = MIGRATIONS) -> bool:
    """Whether the program before it can no longer use the database."""
    return bool(faults_of(name, component, dialect, folder))
