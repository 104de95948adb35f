"""Fills a database with copies of rows the product itself wrote for one order, under names of their own.

Every place an id of that order stands in (a key, a JSON text) is found in the template's rows; each row becomes one
INSERT over a series of numbers, so that ten million orders take minutes and not days. Copies sleep until days of
their own after the template, and their webhook bodies and sent messages are empty, as retention leaves them.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

from connector.store.sqlite import Sqlite

CHUNK = 20_000
LATER_DAYS, SPREAD_SECONDS = 40, 30 * 86_400
PLACED_DAYS, APART_SECONDS = 1_100, 9
"""Copies are placed one after the other, ten million of them within three years before the template."""
WORK_TABLES = (
    "orders", "events", "delivery_progress", "runs", "journal", "effects", "effect_contents",
)  # fmt: skip
_CACHE_KIB = 400_000
_KEYS = {"orders": "order_id", "events": "order_id", "runs": "order_id", "effects": "order_id"}
_EMPTIED = {"body": "x''", "content": "x''", "headers": "'{}'"}
_COUNTED = frozenset({("journal", "seq")})
"""Columns the database numbers by itself."""
_TIME = "%Y-%m-%dT%H:%M:%S"

Naming = Callable[[str], str]
"""A template's text to the SQL that makes clone `n`'s."""


@dataclass(frozen=True, slots=True)
class Template:
    """One order as it lies in the database. `rows`: by table, the rows that belong to it."""

    order_id: str
    delivery_id: int
    rows: Mapping[str, Sequence[Mapping[str, object]]]
    names: Mapping[str, str]

    @property
    def pattern(self) -> re.Pattern[str]:
        """Finds any of the order's names; the longest first, as a run's id stands inside an effect's."""
        return re.compile("|".join(re.escape(name) for name in sorted(self.names, key=len, reverse=True)))


def read_template(folder: Path, order_id: str) -> Template:
    """Gathers an order's rows. Raises `ValueError` when there is no such order or it was not worked through."""
    work = Sqlite(folder / "kiitos.db").open().conn
    inbox = Sqlite(folder / "inbox.db").open().conn
    try:
        rows = {table: _rows(work, table, f"{key} = ?", order_id) for table, key in _KEYS.items()}
        runs = [str(row["run_id"]) for row in rows["runs"]]
        effects = [str(row["effect_id"]) for row in rows["effects"]]
        deliveries = [row["delivery_id"] for row in rows["events"] if row["delivery_id"] is not None]
        if not rows["orders"] or not runs or not deliveries:
            raise ValueError(f"order {order_id} has no rows to copy: was it taken in by a worker?")
        (delivery,) = set(deliveries)
        rows["journal"] = [row for run in runs for row in _rows(work, "journal", "run_id = ?", run)]
        rows["effect_contents"] = [
            row for one in effects for row in _rows(work, "effect_contents", "effect_id = ?", one)
        ]
        rows["delivery_progress"] = _rows(work, "delivery_progress", "delivery_id = ?", delivery)
        rows["inbox"] = _rows(inbox, "inbox", "id = ?", delivery)
        return Template(order_id, int(str(delivery)), rows, _names(rows))
    finally:
        work.close()
        inbox.close()


def _rows(db: object, table: str, where: str, value: object) -> list[dict[str, object]]:
    cursor = db.execute(f"SELECT * FROM {table} WHERE {where}", (value,))  # type: ignore[attr-defined]
    columns = [one[0] for one in cursor.description]
    return [dict(zip(columns, row, strict=True)) for row in cursor.fetchall()]


def _names(rows: Mapping[str, Sequence[Mapping[str, object]]]) -> dict[str, str]:
    """Each name of the order to the SQL of clone `n`'s: as long, and in the order of `n`, as ids made by time are."""
    (order,) = rows["orders"]
    found = {
        str(order["order_id"]): "printf('39%011d', n)",
        str(order["customer_id"]): "printf('59%011d', n)",
        str(order["email_key"]): "printf('clone-%09d@example.com', n)",
        str(order["number"]): "printf('#K%09d', n)",
    }
    texts = [str(row["run_id"]) for row in rows["runs"]]
    texts += [str(row["message_key"]) for row in rows["effects"] if row.get("message_key")]
    texts += [str(row["dedup_key"]) for row in rows["inbox"]]
    for text in texts:
        found[text] = f"'{text[:-12]}' || printf('f%011x', n)"
    return found


def _literal(value: object) -> str:
    if value is None:
        return "NULL"
    if isinstance(value, bytes):
        return f"x'{value.hex()}'"
    if isinstance(value, int | float):
        return str(value)
    return "'" + str(value).replace("'", "''") + "'"


def expression(template: Template, table: str, column: str, value: object, base: int) -> str:
    """The SQL that gives clone `n` its value of one column. Deliveries are numbered on from `base`."""
    if (table, column) in {("inbox", "id"), ("delivery_progress", "delivery_id"), ("events", "delivery_id")}:
        return f"n + {base}" if value is not None else "NULL"
    if column in _EMPTIED:
        return _EMPTIED[column]
    if column == "wake_at" and value is not None:
        moment = str(value).partition(".")[0].removesuffix("Z")
        days = f"'+{LATER_DAYS} days', printf('+%d seconds', (n * 7919) % {SPREAD_SECONDS})"
        return f"strftime('{_TIME}', '{moment}', {days}) || '.000000Z'"
    if not isinstance(value, str):
        return _literal(value)
    if (table, column) == ("orders", "placed_at"):
        moment = value.partition(".")[0].removesuffix("Z")
        since = f"'-{PLACED_DAYS} days', printf('+%d seconds', n * {APART_SECONDS})"
        return f"strftime('{_TIME}', '{moment}', {since}) || '.000000Z'"
    parts, end = [], 0
    for match in template.pattern.finditer(value):
        if match.start() > end:
            parts.append(_literal(value[end : match.start()]))
        parts.append(f"({template.names[match.group()]})")
        end = match.end()
    if end < len(value) or not parts:
        parts.append(_literal(value[end:]))
    return " || ".join(parts)


def statements(template: Template, tables: Sequence[str], base: int) -> list[str]:
    """One INSERT a row of the template; parameters: the first number and the one after the last."""
    found = []
    for table in tables:
        for row in template.rows[table]:
            columns = [column for column in row if (table, column) not in _COUNTED]
            values = ", ".join(expression(template, table, column, row[column], base) for column in columns)
            series = "WITH RECURSIVE s(n) AS (SELECT ?1 UNION ALL SELECT n + 1 FROM s WHERE n + 1 < ?2)"
            found.append(f"{series} INSERT INTO {table} ({', '.join(columns)}) SELECT {values} FROM s")
    return found


def grow(folder: Path, template: Template, first: int, end: int) -> None:
    """Adds clones `first` to `end` - 1. The databases must not be in use; a crash leaves them unusable."""
    inbox = Sqlite(folder / "inbox.db").open().conn
    base = int(inbox.execute("SELECT MAX(id) FROM inbox").fetchone()[0]) + 1 - first
    _fill(inbox, statements(template, ("inbox",), base), first, end)
    inbox.close()
    work = Sqlite(folder / "kiitos.db").open().conn
    _fill(work, statements(template, WORK_TABLES, base), first, end)
    # Clones were taken in already, so to speak: the worker goes on behind them.
    work.execute("UPDATE inbox_cursor SET last_id = ?", (base + end - 1,))
    work.close()


def _fill(db: object, inserts: Sequence[str], first: int, end: int) -> None:
    run = db.execute  # type: ignore[attr-defined]
    run("PRAGMA wal_checkpoint(TRUNCATE)").fetchall()
    run("PRAGMA journal_mode = OFF").fetchall()
    run("PRAGMA synchronous = OFF")
    run(f"PRAGMA cache_size = -{_CACHE_KIB}")
    for start in range(first, end, CHUNK):
        run("BEGIN")
        for insert in inserts:
            run(insert, (start, min(start + CHUNK, end)))
        run("COMMIT")
    run("PRAGMA journal_mode = WAL").fetchall()
