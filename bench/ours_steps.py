"""Due steps by several workers at once, on any database: `python -m bench.ours_steps ROLE FOLDER DATABASE ...`.

    fill FOLDER DATABASE COUNT CROWD     COUNT sleepers, in crowds that come due one after another
    work FOLDER DATABASE NUMBER          says "ready"; at a line on stdin wakes crowd NUMBER; prints JSON

Runs are clones of one the product's engine made, as in `bench.ours_sleepers`.
"""

from __future__ import annotations

import json
import sys
import time
from collections.abc import Iterator
from datetime import datetime, timedelta
from pathlib import Path
from typing import Any

from bench.ours_sleepers import SHOP, SPREAD, START, an_order, event_of, product
from connector.app import Kiitos
from connector.clock import ManualClock, to_text
from connector.intake import Intake
from connector.store import runs

CROWDS = 8
"""How many crowds there are; the rest sleeps on."""
CHUNK = 20_000
APART = timedelta(hours=1)


def crowd_at(number: int) -> datetime:
    """When crowd `number` is due."""
    return START + SPREAD + number * APART


def fill(kiitos: Kiitos, count: int, crowd: int) -> None:
    """`count` runs asleep; the first `CROWDS * crowd` in crowds of `crowd`."""
    work = kiitos.store.work
    with work.transaction() as tx:
        kiitos.runner.ingest(tx, SHOP, [event_of("order.created", 0, START, an_order(0))], START)
        (template,) = runs.of_order(tx, SHOP, "o0")
        row = tx.one("run_get", shop_id=SHOP, run_id=template.id)
        assert row is not None
        tx.script("DELETE FROM runs")
        (order,) = tx.all("order_get", shop_id=SHOP, order_id="o0")
    _fill_orders(kiitos, order["snapshot"], min(count, CROWDS * crowd))
    mark = "?" if work.dialect == "sqlite" else "%s"
    insert = f"INSERT INTO runs ({', '.join(row)}) VALUES ({', '.join([mark] * len(row))})"
    for first in range(0, count, CHUNK):
        with work.transaction() as tx:
            numbers = range(first, min(first + CHUNK, count))
            tx._cursor.executemany(insert, list(_rows(kiitos, row, numbers, crowd)))
    if work.dialect == "postgres":
        with work.transaction() as tx:
            tx.script("ANALYZE runs")


def _fill_orders(kiitos: Kiitos, snapshot: str, count: int) -> None:
    """The orders of all crowds: a run that wakes looks at its own."""
    work = kiitos.store.work
    mark = "?" if work.dialect == "sqlite" else "%s"
    columns = "shop_id, order_id, number, updated_at, deleted, snapshot"
    insert = f"INSERT INTO orders ({columns}) VALUES ({', '.join([mark] * 6)})"
    rows = (
        (SHOP, f"o{n}", str(n), to_text(START), 0, snapshot.replace('"o0"', f'"o{n}"').replace('"0"', f'"{n}"'))
        for n in range(1, count)
    )
    with work.transaction() as tx:
        tx._cursor.executemany(insert, list(rows))


def _rows(kiitos: Kiitos, row: Any, numbers: range, crowd: int) -> Iterator[tuple[Any, ...]]:
    for n in numbers:
        number, last = n // crowd, START + SPREAD + timedelta(days=2)
        wake_at = crowd_at(number) if number < CROWDS else last + timedelta(seconds=(n * 7919) % 2_592_000)
        mine = {
            "run_id": kiitos.clock.new_id(),
            "subject_id": f"o{n}",
            "order_id": f"o{n}",
            "entry_key": f"order/o{n}",
            "email_key": f"person{n}@example.com",
            "wake_at": to_text(wake_at),
        }
        yield tuple(mine.get(column, value) for column, value in row.items())


def work(kiitos: Kiitos, number: int) -> dict[str, float]:
    """Wakes what is due at crowd `number`'s time; how many, and from when until when on the monotonic clock."""
    assert isinstance(kiitos.clock, ManualClock)
    kiitos.clock.advance(crowd_at(number) - kiitos.clock.now())
    intake = Intake(kiitos)
    print("ready", flush=True)
    sys.stdin.readline()
    woken, began = 0, time.monotonic()
    ended = began
    # Once empty-handed is not the end: another worker may hold the rows of this look, and give them back.
    for _ in range(3):
        while count := intake.wake():
            woken, ended = woken + count, time.monotonic()
    return {"woken": woken, "began": began, "ended": ended}


def main(role: str, folder: str, database: str, *numbers: str) -> None:
    kiitos = product(Path(folder), database)
    try:
        if role == "fill":
            fill(kiitos, int(numbers[0]), int(numbers[1]))
        else:
            print(json.dumps(work(kiitos, int(numbers[0]))))
    finally:
        kiitos.close()


if __name__ == "__main__":
    main(*sys.argv[1:])
