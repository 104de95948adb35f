"""Sleeping runs, a size at a time: `python -m bench.ours_sleepers FOLDER COUNT` fills a database and prints JSON.

The product's run is one its own engine made (two waits of thirty days), cloned row by row; it is woken and cancelled by
the product's worker and runner. Beside it stands the bare table: an id, a key, a due time, a state and two indexes, in
the same SQLite with the same settings, with a history row a step. Both commit with `synchronous=FULL`.
"""

from __future__ import annotations

import base64
import json
import random
import resource
import sqlite3
import sys
import time
from collections import defaultdict
from collections.abc import Callable, Iterator
from contextlib import closing
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

from bench.accounting import Meter
from connector.app import Kiitos, build
from connector.clock import ManualClock, to_text
from connector.config import parse_config
from connector.model import Event, FinancialStatus, FulfillmentStatus, Money, Order, OrderStatus, Ref
from connector.store import runs
from connector.store.sqlite import Sqlite
from connector.working.intake import WAKE, Intake

START = datetime(2026, 3, 2, 9, 0, tzinfo=UTC)
SPREAD = timedelta(days=30)
ROUNDS = 3
DUE = 2000
"""Runs whose time comes together, in each round."""
SINGLE = 200
STRIDE = timedelta(hours=12)
"""Between the crowds of two rounds."""
CHOSEN = ROUNDS * (DUE + SINGLE)
"""Runs that are woken in one of the rounds; all others sleep on."""
CHUNK = 50_000
SHOP = "bench-shop"
FLOW = """
id = "sleep"
title = "Two waits"
trigger = "order.created"
purpose = "transactional"
cancel_on = ["refund.created"]

[[steps]]
id = "first"
do = "wait"
span = "30d"

[[steps]]
id = "second"
do = "wait"
span = "30d"
"""
_BARE = """
CREATE TABLE sleepers (id TEXT PRIMARY KEY, key TEXT NOT NULL, due TEXT, step INTEGER NOT NULL, state TEXT NOT NULL);
CREATE TABLE history (seq INTEGER PRIMARY KEY, id TEXT NOT NULL, at TEXT NOT NULL, what TEXT NOT NULL);
"""
_INDEXES = "CREATE INDEX sleepers_due ON sleepers (due); CREATE INDEX sleepers_key ON sleepers (key);"


def product(folder: Path, database: str = "") -> Kiitos:
    """One shop with one flow, on a clock of its own; in a file of the folder if no database is named."""
    (folder / "sleep.toml").write_text(FLOW, "utf-8")
    document = {
        "schema": 1,
        "app": {
            "base_url": "http://localhost",
            "database": database or f"sqlite:///{folder}/work.db",
            "master_key": {"env": "KEY"},
        },
        "channels": {"mail": {"kind": "memory"}},
        "defaults": {"email": "mail", "fetch_before_send": False, "flows": {"sleep": {"file": "./sleep.toml"}}},
        "clients": {
            "bench": {
                "shops": {
                    "shop": {
                        "platform": "shopify",
                        "domain": "bench.myshopify.com",
                        "name": "Bench",
                        "sender": "Bench <bench@shop.example>",
                        "support_email": "help@shop.example",
                        "address": ["Street 1"],
                    }
                }
            }
        },
    }
    environ = {"KEY": "k1=" + base64.b64encode(b"bench master key, 32 bytes long!").decode()}
    return build(parse_config(document, folder / "app.toml", environ), clock=ManualClock(START))


def an_order(number: int) -> Order:
    return Order(
        id=f"o{number}",
        number=str(number),
        status=OrderStatus.OPEN,
        raw_status="open",
        financial=FinancialStatus.PAID,
        fulfillment=FulfillmentStatus.UNFULFILLED,
        placed_at=START,
        updated_at=START,
        currency="EUR",
        total=Money.parse("40.00", "EUR"),
        email=f"person{number}@example.com",
    )


def event_of(kind: str, number: int, at: datetime, order: Order | None = None) -> Event:
    return Event(
        kind=kind, key=f"order/o{number}/{kind}", subject=Ref("order", f"o{number}"), at=at, order_id=f"o{number}",
        order=order,
    )  # fmt: skip


class Bed:
    """One size: `count` sleepers; of each round `DUE` are due together, `SINGLE` one after another behind them."""

    def __init__(self, folder: Path, count: int) -> None:
        self.folder, self.count = folder, count
        self.chance = random.Random(count)
        self.kiitos = product(folder)
        self.clock = self.kiitos.clock
        self.work = self.kiitos.store.work

    def crowd_at(self, turn: int) -> datetime:
        return START + SPREAD + turn * STRIDE

    def alone_at(self, turn: int, number: int) -> datetime:
        return self.crowd_at(turn) + timedelta(hours=1, minutes=number)

    def wake_at(self, number: int) -> datetime:
        """All but the chosen ones sleep for days longer, each until a moment of its own."""
        turn, place = divmod(number, DUE + SINGLE)
        if turn >= ROUNDS:
            return self.crowd_at(ROUNDS) + timedelta(days=2, seconds=self.chance.random() * SPREAD.total_seconds())
        return self.crowd_at(turn) if place < DUE else self.alone_at(turn, place - DUE)

    def fill(self) -> None:
        with self.work.transaction() as tx:
            self.kiitos.runner.ingest(tx, SHOP, [event_of("order.created", 0, START, an_order(0))], START)
            (template,) = runs.of_order(tx, SHOP, "o0")
            diary = tx.fetch("SELECT step_id, what, detail FROM journal ORDER BY seq")
            row = tx.one("run_get", shop_id=SHOP, run_id=template.id)
            assert row is not None
            tx.script("DELETE FROM runs")
            tx.script("DELETE FROM journal")
        raw = Sqlite(self.folder / "work.db", synchronous="OFF").open().conn
        columns = list(row)
        insert = f"INSERT INTO runs ({', '.join(columns)}) VALUES ({', '.join('?' * len(columns))})"
        ids = [self.clock.new_id() for _ in range(self.count)]
        note = "INSERT INTO journal (shop_id, run_id, at, step_id, what, detail) VALUES (?, ?, ?, ?, ?, ?)"
        for first in range(0, self.count, CHUNK):
            numbers = range(first, min(first + CHUNK, self.count))
            raw.execute("BEGIN")
            raw.executemany(insert, self._rows(row, columns, ids, numbers))
            raw.executemany(note, ((SHOP, ids[n], row["created_at"], *each) for n in numbers for each in diary))
            raw.execute("COMMIT")
        raw.close()
        self.work.checkpoint("TRUNCATE")

    def _rows(self, row: Any, columns: list[str], ids: list[str], numbers: range) -> Iterator[tuple[Any, ...]]:
        for n in numbers:
            mine = {
                **row,
                "run_id": ids[n],
                "subject_id": f"o{n}",
                "order_id": f"o{n}",
                "entry_key": f"order/o{n}",
                "email_key": f"person{n}@example.com",
                "wake_at": to_text(self.wake_at(n)),
            }
            yield tuple(mine[column] for column in columns)

    # -- measured ---

    def empty_looks(self, times: int = 200) -> float:
        """Seconds of a look that finds nothing due."""
        intake = Intake(self.kiitos)
        self.clock.set(START)
        return timed(intake.wake, times)

    def wake_crowd(self, turn: int) -> float:
        """Steps a second while all that is due at one moment is woken, in the worker's batches."""
        intake = Intake(self.kiitos)
        self.clock.set(self.crowd_at(turn))
        began, woken = time.perf_counter(), 0
        while count := intake.wake():
            woken += count
        took = time.perf_counter() - began
        assert woken == DUE, f"{woken} were woken, {DUE} were due"
        return woken / took

    def wake_singly(self, turn: int) -> list[float]:
        """Seconds from the look that finds one run due to its commit."""
        intake = Intake(self.kiitos)
        found = []
        for number in range(SINGLE):
            self.clock.set(self.alone_at(turn, number))
            began = time.perf_counter()
            assert intake.wake() == 1
            found.append(time.perf_counter() - began)
        return found

    def cancel(self, turn: int) -> list[float]:
        """Seconds to take in a refund that cancels one sleeper, found by its order."""
        found, share = [], (self.count - CHOSEN) // ROUNDS
        for _ in range(SINGLE):
            number = CHOSEN + turn * share + int(self.chance.random() * share)
            event = event_of("refund.created", number, self.clock.now())
            began = time.perf_counter()
            with self.work.transaction() as tx:
                self.kiitos.runner.ingest(tx, SHOP, [event], self.clock.now())
            found.append(time.perf_counter() - began)
        return found


class Bare:
    """The same with nothing but a table."""

    def __init__(self, folder: Path, bed: Bed) -> None:
        self.bed = bed
        self.path = folder / "bare.db"
        self.raw = Sqlite(self.path).open().conn
        self.raw.executescript(_BARE)

    def fill(self) -> None:
        self.raw.execute("PRAGMA synchronous=OFF")
        state = json.dumps({"order": "o0", "email": "person0@example.com", "flow": "sleep", "version": "0123456789ab"})
        self.raw.execute("BEGIN")
        rows = (
            (self.bed.clock.new_id(), f"o{n}", to_text(self.bed.wake_at(n)), 0, state) for n in range(self.bed.count)
        )
        self.raw.executemany("INSERT INTO sleepers VALUES (?, ?, ?, ?, ?)", rows)
        self.raw.execute("COMMIT")
        self.raw.executescript(_INDEXES)
        self.raw.execute("PRAGMA wal_checkpoint(TRUNCATE)").fetchall()
        self.raw.execute("PRAGMA synchronous=FULL")

    def wake(self, now: datetime, limit: int = WAKE) -> int:
        at = to_text(now)
        self.raw.execute("BEGIN IMMEDIATE")
        due = self.raw.execute("SELECT id, step FROM sleepers WHERE due <= ? ORDER BY due LIMIT ?", (at, limit))
        rows = due.fetchall()
        later = to_text(now + SPREAD)
        self.raw.executemany("UPDATE sleepers SET due = ?, step = step + 1 WHERE id = ?", [(later, r[0]) for r in rows])
        self.raw.executemany("INSERT INTO history (id, at, what) VALUES (?, ?, 'woke')", [(r[0], at) for r in rows])
        self.raw.execute("COMMIT")
        return len(rows)

    def wake_crowd(self, turn: int) -> float:
        began, woken = time.perf_counter(), 0
        while count := self.wake(self.bed.crowd_at(turn)):
            woken += count
        took = time.perf_counter() - began
        assert woken == DUE
        return woken / took

    def wake_singly(self, turn: int) -> list[float]:
        found = []
        for number in range(SINGLE):
            began = time.perf_counter()
            assert self.wake(self.bed.alone_at(turn, number)) == 1
            found.append(time.perf_counter() - began)
        return found

    def cancel(self, turn: int) -> list[float]:
        found = []
        for number in range(CHOSEN + turn * SINGLE, CHOSEN + (turn + 1) * SINGLE):
            began = time.perf_counter()
            self.raw.execute("BEGIN IMMEDIATE")
            self.raw.execute("UPDATE sleepers SET due = NULL, step = -1 WHERE key = ?", (f"o{number}",))
            self.raw.execute("COMMIT")
            found.append(time.perf_counter() - began)
        return found


def parts(path: Path, count: int) -> dict[str, float]:
    """Bytes a sleeper by table and index, and by column of the two tables; empty where this SQLite has no dbstat.

    The standard library's SQLite is asked, as the one the product brings is built without
    (https://sqlite.org/dbstat.html).
    """
    with closing(sqlite3.connect(path)) as db:
        try:
            sizes = db.execute("SELECT name, SUM(pgsize) FROM dbstat GROUP BY name").fetchall()
        except sqlite3.OperationalError:
            return {}
        found = {f"bytes.{name}": size / count for name, size in sizes if size / count >= 1}
        for table in ("runs", "journal"):
            for (column,) in db.execute(f"SELECT name FROM pragma_table_info('{table}')").fetchall():
                total = db.execute(f"SELECT SUM(LENGTH(CAST({column} AS BLOB))) FROM {table}").fetchone()[0] or 0
                found[f"bytes.{table}.{column}"] = total / count
        return found


def timed(call: Callable[[], object], times: int) -> float:
    began = time.perf_counter()
    for _ in range(times):
        call()
    return (time.perf_counter() - began) / times


def per_mille(values: list[float], share: int) -> float:
    return sorted(values)[min(len(values) - 1, len(values) * share // 1000)]


def measure(folder: Path, count: int) -> dict[str, float | list[float]]:
    """Every figure of one size; seconds, bytes, MB, steps a second. What is quick to measure is measured in rounds, the
    product and the table in turns; `foreign` is the strangers' share of all cores in each."""
    bed = Bed(folder, count)
    bed.fill()
    bytes_each = (folder / "work.db").stat().st_size / count
    filled = _peak_mb()
    bare = Bare(folder, bed)
    bare.fill()
    found: dict[str, float | list[float]] = {"bytes": bytes_each, "bare.bytes": bare.path.stat().st_size / count}
    found |= parts(folder / "work.db", count)
    before = _resident_mb()
    rounds: defaultdict[str, list[float]] = defaultdict(list)
    for turn in range(ROUNDS):
        meter = Meter()
        rounds["empty_s"].append(bed.empty_looks())
        for prefix, one in (("", bed), ("bare.", bare)):
            rounds[f"{prefix}steps_per_s"].append(one.wake_crowd(turn))
            singles, cancels = one.wake_singly(turn), one.cancel(turn)
            rounds[f"{prefix}wake_s"].append(per_mille(singles, 500))
            rounds[f"{prefix}wake_p99_s"].append(per_mille(singles, 990))
            rounds[f"{prefix}cancel_s"].append(per_mille(cancels, 500))
        rounds["foreign"].append(meter.read().foreign)
    found |= rounds
    found["memory_grown_mb"] = _resident_mb() - before
    found["memory_peak_mb"] = filled
    return found


def _peak_mb() -> float:
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024


def _resident_mb() -> float:
    pages = int(Path("/proc/self/statm").read_text().split()[1])
    return pages * resource.getpagesize() / 1024 / 1024


if __name__ == "__main__":
    print(json.dumps(measure(Path(sys.argv[1]), int(sys.argv[2]))))
