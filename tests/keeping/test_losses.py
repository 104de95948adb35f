"""Whatever a way back deletes was listed before it is asked for: every migration, gone down one by one from a filled
database, and what was lost compared with what was said."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from connector.errors import ConfigError
from connector.keeping import upgrading
from connector.keeping.upgrading import go_back, losses, remarks
from connector.store import Store
from connector.store.sql import MIGRATIONS
from connector.store.tables import LEDGER, tables_of
from connector.store.way_back import WayBack, files_of, way_back
from tests.store.released.make import fill

NAMES = list(files_of("work"))
WRITTEN = sorted(path.stem for path in (MIGRATIONS / "work" / "down").glob("*.sql"))
"""Migrations whose way back a person wrote."""
Rows = list[dict[str, object]]


@pytest.fixture
def filled(url: str) -> Iterator[Store]:
    """Two rows in every table of the newest schema; one review is published and one is not, and somebody has points."""
    store = Store.open(url)
    fill(store.work)
    with store.work.transaction() as tx:
        tx.script("UPDATE reviews SET state = 'published' WHERE review_id = 'review_id 1'")
        facts = next(table for table in tables_of(tx, store.work) if table.name == "value_facts")
        points = {"fact_id": "f9", "unit": "points", "kind": "grant", "amount": "70", "cause": "order/7"}
        chosen = ", ".join(f"'{points[column]}'" if column in points else column for column in facts.columns)
        tx.script(f"INSERT INTO value_facts SELECT {chosen} FROM value_facts WHERE fact_id = 'fact_id 1'")
    yield store
    store.close()


def contents(store: Store) -> dict[str, Rows]:
    with store.work.read() as tx:
        return {
            table.name: [
                dict(zip(table.columns, row, strict=True))
                for row in tx.fetch(f"SELECT {table.listed} FROM {table.name}")
            ]
            for table in tables_of(tx, store.work)
            if table.name not in (LEDGER, "inbox")
        }


def counted(rows: Rows, columns: set[str]) -> Counter[tuple[str, ...]]:
    return Counter(tuple(str(row[column]) for column in sorted(columns)) for row in rows)


def went(before: dict[str, Rows], after: dict[str, Rows]) -> dict[str, int]:
    """What is gone: rows by table, by `table.column`, and by `table where` of tables that stayed."""
    found = {table: len(rows) for table, rows in before.items() if table not in after}
    for table in before.keys() & after.keys():
        old, new = before[table], after[table]
        shared = set(old[0]) & set(new[0]) if old and new else set()
        if old and not new:
            found[f"{table} where"] = len(old)
        found |= {f"{table}.{column}": len(old) for column in (set(old[0]) - set(new[0]) if new and old else ())}
        lost = counted(old, shared) - counted(new, shared)
        assert counted(new, shared) - counted(old, shared) == Counter(), f"rows of {table} were changed"
        if lost.total():
            found[f"{table} where"] = lost.total()
    return found


def unlisted(store: Store, to: str) -> tuple[dict[str, int], dict[str, int]]:
    """Go back, and return what went and what had been listed."""
    before, said = contents(store), losses(store, to)
    go_back(store, to)
    listed: Counter[str] = Counter()
    for what, rows in said.items():
        listed[what.partition(" where ")[0] + " where" if " where " in what else what] += rows
    return went(before, contents(store)), {what: rows for what, rows in listed.items() if rows}


def test_each_way_back_lists_all_that_it_deletes(filled: Store) -> None:
    for number in reversed(range(len(NAMES) - 1)):
        lost, listed = unlisted(filled, NAMES[number])
        assert lost == listed, f"the way back from {NAMES[number + 1]}"


@pytest.mark.parametrize("hidden", ["tables", "columns", "rows"])
def test_what_a_way_back_does_not_list_is_found_out(
    filled: Store, monkeypatch: pytest.MonkeyPatch, hidden: str
) -> None:
    """The control: as it was when the ways back that a person wrote listed nothing."""

    def silent(name: str, component: str, dialect: str) -> WayBack:
        told = way_back(name, component, dialect)
        changes: dict[str, Any] = {hidden: ()}
        return replace(told, **changes)

    monkeypatch.setattr(upgrading, "way_back", silent)
    found = []
    for number in reversed(range(NAMES.index("0022_value") - 1, len(NAMES) - 1)):
        lost, listed = unlisted(filled, NAMES[number])
        found += [NAMES[number + 1]] if lost != listed else []
    assert {"tables": "0022_value", "columns": "0027_reviews", "rows": "0027_reviews"}[hidden] in found


def test_people_are_told_in_words_too(filled: Store) -> None:
    told = remarks(filled, "0021_watch")
    assert list(told) == WRITTEN
    assert told["0027_reviews"].startswith("Reviews that nobody may see go")
    assert losses(filled, "0021_watch")["reviews where state <> 'published' OR product_id = ''"] == 1
    assert losses(filled, "0021_watch")["review_photos"] == 2


@pytest.mark.parametrize(
    "statement", ["UPDATE runs SET rev = 0;", "INSERT INTO runs SELECT * FROM runs;", "ALTER TABLE runs RENAME TO r;"]
)
def test_a_way_back_nobody_can_list_is_refused(tmp_path: Path, statement: str) -> None:
    down = tmp_path / "work" / "down"
    down.mkdir(parents=True)
    (tmp_path / "work" / "9000_planted.sql").write_text("CREATE TABLE planted (a TEXT);\n", "utf-8")
    (down / "9000_planted.sql").write_text(f"-- Gone.\nDROP TABLE planted;\n{statement}\n", "utf-8")
    with pytest.raises(ConfigError, match="nobody says what"):
        way_back("9000_planted", "work", "sqlite", tmp_path)
    (down / "9000_planted.sql").write_text("-- Gone.\nDROP TABLE planted;\n", "utf-8")
    assert way_back("9000_planted", "work", "sqlite", tmp_path).tables == ("planted",)
