"""Due steps by several workers at once, on any database: `python -m bench.ours_steps ROLE FOLDER DATABASE ...`.

    fill FOLDER DATABASE COUNT CROWD FEW ROUNDS   sleepers, in crowds one after another
    work FOLDER DATABASE NUMBER    says "ready"; at a line on stdin wakes crowd NUMBER; prints JSON
    hand FOLDER DATABASE NUMBER    the same, but hands it out to an executor and waits until that is through
    execute FOLDER DATABASE NUMBER the executor: says "ready" and does what is handed out until it is ended

Runs are clones of one the product's engine made, as in `bench.ours_sleepers`.
"""

from __future__ import annotations

import json
import sys
import time
from collections.abc import Iterator
from dataclasses import dataclass
from datetime import datetime, timedelta
from pathlib import Path
from typing import Any

from bench.ours_sleepers import SHOP, SPREAD, START, an_order, event_of, product
from connector.app import Kiitos
from connector.clock import ManualClock, to_text
from connector.store import runs
from connector.working.intake import Intake

SMALL = 2
"""Small crowds a round: one for a worker, one for an executor."""
THREADS = 8
"""Of an executor: what the notes measured with (facts on engines, 1b)."""
LEASE = timedelta(seconds=60)
CHUNK = 20_000
APART = timedelta(hours=1)


def crowd_at(number: int) -> datetime:
    """When crowd `number` is due."""
    return START + SPREAD + number * APART


@dataclass(frozen=True, slots=True)
class Crowds:
    """`rounds` crowds of `crowd` runs come due first, one after another, then twice as many of `few`."""

    crowd: int
    few: int
    rounds: int

    @property
    def runs(self) -> int:
        return self.rounds * (self.crowd + SMALL * self.few)

    def number_of(self, n: int) -> int | None:
        """Which crowd run `n` is of; `None` for those that sleep on."""
        if n >= self.runs:
            return None
        large = self.rounds * self.crowd
        return n // self.crowd if n < large else self.rounds + (n - large) // self.few


def fill(kiitos: Kiitos, count: int, crowds: Crowds) -> None:
    """`count` runs asleep, the first of them in crowds."""
    work = kiitos.store.work
    with work.transaction() as tx:
        kiitos.runner.ingest(tx, SHOP, [event_of("order.created", 0, START, an_order(0))], START)
        (template,) = runs.of_order(tx, SHOP, "o0")
        row = tx.one("run_get", shop_id=SHOP, run_id=template.id)
        assert row is not None
        tx.script("DELETE FROM runs")
        (order,) = tx.all("order_get", shop_id=SHOP, order_id="o0")
    _fill_orders(kiitos, order["snapshot"], min(count, crowds.runs))
    mark = "?" if work.dialect == "sqlite" else "%s"
    insert = f"INSERT INTO runs ({', '.join(row)}) VALUES ({', '.join([mark] * len(row))})"
    for first in range(0, count, CHUNK):
        with work.transaction() as tx:
            numbers = range(first, min(first + CHUNK, count))
            tx._cursor.executemany(insert, list(_rows(kiitos, row, numbers, crowds)))
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


def _rows(kiitos: Kiitos, row: Any, numbers: range, crowds: Crowds) -> Iterator[tuple[Any, ...]]:
    last = START + SPREAD + timedelta(days=2)
    for n in numbers:
        number = crowds.number_of(n)
        wake_at = crowd_at(number) if number is not None else last + timedelta(seconds=(n * 7919) % 2_592_000)
        mine = {
            "run_id": kiitos.clock.new_id(),
            "subject_id": f"o{n}",
            "order_id": f"o{n}",
            "entry_key": f"order/o{n}",
            "email_key": f"person{n}@example.com",
            "wake_at": to_text(wake_at),
        }
        yield tuple(mine.get(column, value) for column, value in row.items())


def work(kiitos: Kiitos) -> dict[str, float]:
    """Wakes what is due; how many, and from when until when on the monotonic clock."""
    intake = Intake(kiitos)
    _wait_for_the_signal()
    woken, began = 0, time.monotonic()
    ended = began
    # Once empty-handed is not the end: another worker may hold the rows of this look, and give them back.
    for _ in range(3):
        while count := intake.wake():
            woken, ended = woken + count, time.monotonic()
    return {"woken": woken, "began": began, "ended": ended}


def hand(kiitos: Kiitos, database: str, number: int) -> dict[str, float]:
    """Leases and hands out what is due, then waits until executors have done it; the same figures as `work`."""
    from connector.dispatchers.procrastinate import Procrastinate
    from connector.working.dispatching import HandingOut

    dispatcher = Procrastinate.from_settings({}, database)
    handing, until = HandingOut(kiitos, dispatcher, LEASE), to_text(crowd_at(number) + LEASE)
    _wait_for_the_signal()
    handed, began = 0, time.monotonic()
    while _left(kiitos, until):
        count = handing.wake()
        handed += count
        if not count:
            time.sleep(0.01)
    dispatcher.close()
    return {"woken": handed, "began": began, "ended": time.monotonic()}


def _left(kiitos: Kiitos, until: str) -> int:
    """Runs that are due or leased: a lease moves the due time to its end, a step by thirty days."""
    asked = "SELECT COUNT(*) FROM runs WHERE status IN ('ready', 'sleeping', 'awaiting') AND wake_at <= %s"
    with kiitos.store.work.read() as tx:
        return int(tx.fetch(asked, [until])[0][0])


def execute(kiitos: Kiitos, database: str) -> None:
    from connector.dispatchers.procrastinate import Procrastinate
    from connector.working.dispatching import Executing

    dispatcher = Procrastinate.from_settings({}, database)
    dispatcher.prepare()
    executing = Executing(kiitos)
    executing.watch.shared = False  # this clock is ours and not PostgreSQL's, which would keep it from doing anything
    print("ready", flush=True)
    dispatcher.execute(executing.carry_out, THREADS)


def _wait_for_the_signal() -> None:
    print("ready", flush=True)
    sys.stdin.readline()


def main(role: str, folder: str, database: str, *numbers: str) -> None:
    kiitos = product(Path(folder), database)
    try:
        if role == "fill":
            count, *sizes = map(int, numbers)
            fill(kiitos, count, Crowds(*sizes))
            return
        assert isinstance(kiitos.clock, ManualClock)
        kiitos.clock.advance(crowd_at(int(numbers[0])) - kiitos.clock.now())
        if role == "execute":
            execute(kiitos, database)
        else:
            do = hand(kiitos, database, int(numbers[0])) if role == "hand" else work(kiitos)
            print(json.dumps(do))
    finally:
        kiitos.close()


if __name__ == "__main__":
    main(*sys.argv[1:])
