"""What every dispatcher must do, asked of a product that runs: `examine` lists what is wrong."""

from __future__ import annotations

import base64
import os
import signal
import subprocess
import sys
import threading
from abc import ABC, abstractmethod
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager, suppress
from dataclasses import replace
from datetime import timedelta
from pathlib import Path
from time import monotonic

import psycopg

from connector.app import Kiitos, load
from connector.clock import to_text
from connector.contracts.dispatcher import Dispatcher, DueStep
from connector.model import Run, RunStatus
from connector.rehearsal import VOCABULARY
from connector.rehearsal.life import Life
from connector.store import effects, runs
from connector.working.dispatching import HandingOut, dispatcher_of
from flows.knowing.subjects import order_name

SHOP = "demo-metsa"
KIITOS = Path(sys.executable).with_name("kiitos")
PATIENCE = 60.0
HELD = 20
"""Steps an executor holds when it is killed."""

_APP = """
schema = 1

[app]
base_url = "http://localhost"
database = {{ env = "KIITOS_DATABASE" }}
master_key = {{ file = "master.key" }}

[app.dispatcher]
lease = "{lease}"
threads = {threads}
{dispatcher}

[channels.main]
kind = "memory"

[clients.demo]
sender = "Metsä <hello@metsa.example>"

[clients.demo.shops.metsa]
platform = "woocommerce"
url = "https://metsa.example"
currency = "EUR"
country = "FI"
timezone = "Europe/Helsinki"
fetch_before_send = false
consumer_key = {{ file = "key" }}
consumer_secret = {{ file = "key" }}
webhook_secret = {{ file = "key" }}

[clients.demo.shops.metsa.flows.office]
file = "office.toml"
"""
_FLOW = """
id = "office"
trigger = "order.paid"
purpose = "transactional"

[[steps]]
id = "sleep"
do = "wait"
span = "1h"

[[steps]]
id = "tell"
do = "send"
template = "order_confirmation"
"""


def write_files(folder: Path, dispatcher: str, lease: str = "3s", threads: int = HELD) -> Path:
    """The configuration. `dispatcher` are lines of its table."""
    (folder / "office.toml").write_text(_FLOW, "utf-8")
    (folder / "master.key").write_text("k1=" + base64.b64encode(b"dispatch test key, 32 bytes long").decode(), "utf-8")
    (folder / "key").write_text("a-key-of-nobody", "utf-8")
    path = folder / "app.toml"
    path.write_text(_APP.format(dispatcher=dispatcher, lease=lease, threads=threads), "utf-8")
    return path


class Rig(ABC):
    """A product with due steps, its handing-out side here, its executors wherever the dispatcher has them."""

    def __init__(self, kiitos: Kiitos, dispatcher: Dispatcher) -> None:
        self.kiitos = kiitos
        self.dispatcher = dispatcher
        dispatcher.prepare()
        self.handing = HandingOut(kiitos, dispatcher, kiitos.config.app.dispatcher.lease)
        self.life = Life(kiitos.config.shop(SHOP).shop, {}, {})
        self._orders = 100
        self._seen: set[str] = set()

    @abstractmethod
    def start(self) -> None:
        """An executor."""

    @abstractmethod
    def kill(self) -> None:
        """Without a word, whatever it holds."""

    @abstractmethod
    def stop(self) -> None:
        """In good order: what was begun is done."""

    @abstractmethod
    def holding(self, ids: Sequence[str]) -> AbstractHold:
        """While it is open no executor gets any further than having begun with these orders' steps."""

    def due(self, count: int) -> list[Run]:
        """So many orders whose runs have slept enough."""
        now = self.kiitos.clock.now()
        ids = [str(self.next_order()) for _ in range(count)]
        with self.kiitos.store.work.transaction() as tx:
            for order_id in ids:
                self.kiitos.runner.ingest(tx, SHOP, VOCABULARY["order"](self.life, order_id, now), now)
        found = self.unseen()
        with self.kiitos.store.work.transaction() as tx:
            assert len(found) == count
            assert {run.status for run in found} == {RunStatus.SLEEPING}
            for run in found:
                assert runs.save(tx, replace(run, wake_at=now - timedelta(seconds=1)))
        return [replace(run, rev=run.rev + 1) for run in found]

    def next_order(self) -> int:
        self._orders += 1
        return self._orders

    def unseen(self) -> list[Run]:
        """Runs that began since somebody asked last."""
        with self.kiitos.store.work.read() as tx:
            found = [run for run in runs.all_of_shop(tx, SHOP) if run.id not in self._seen]
        self._seen |= {run.id for run in found}
        return found

    def bring(self, steps: Sequence[DueStep]) -> None:
        """Hand out whatever we like."""
        with self.kiitos.store.work.transaction() as tx:
            self.dispatcher.enlist(tx.connection, steps)
        self.dispatcher.publish(steps, timedelta(minutes=5))

    def now(self, run: Run) -> Run:
        with self.kiitos.store.work.read() as tx:
            found = runs.get(tx, run.shop_id, run.id)
        assert found is not None
        return found

    def done(self, run: Run) -> int:
        """How often the run's step was done."""
        with self.kiitos.store.work.read() as tx:
            acted = sum(line.what == "acting" for line in runs.journal_of(tx, run.shop_id, run.id))
            assert len(effects.of_run(tx, run.shop_id, run.id)) == min(acted, 1)
        return acted

    def until(self, ready: Callable[[], bool], hand_out: bool = True) -> bool:
        """Hand out and wait until it is so."""
        began = monotonic()
        while not ready():
            if monotonic() - began > self.patience:
                return False
            if hand_out:
                self.handing.wake()
            threading.Event().wait(0.05)
        return True

    patience = PATIENCE


ADVERTISING = """
[clients.demo.shops.metsa.flows.ask]
file = "ask.toml"
"""


def write_advertising(path: Path) -> None:
    """A flow of the marketing class beside the other."""
    flow = _FLOW.replace("office", "ask").replace("order.paid", "order.cancelled").replace("transactional", "marketing")
    (path.parent / "ask.toml").write_text(flow.replace("order_confirmation", "review_request"), "utf-8")
    path.write_text(path.read_text("utf-8") + ADVERTISING, "utf-8")


def one_at_a_time(path: Path) -> None:
    """Executors that start from now on do one step at once."""
    path.write_text(path.read_text("utf-8").replace(f"threads = {HELD}", "threads = 1"), "utf-8")


def both_due(rig: Rig, advertising: int, orders: int) -> list[Run]:
    """So many runs of each class, all due; advertising's for longer."""
    before = [str(rig.next_order()) for _ in range(advertising)]
    now, kiitos = rig.kiitos.clock.now(), rig.kiitos
    with kiitos.store.work.transaction() as tx:
        for word in ("order", "cancelled"):
            for order_id in before:
                kiitos.runner.ingest(tx, SHOP, VOCABULARY[word](rig.life, order_id, now), now)
    waiting = [run for run in rig.unseen() if run.flow_id == "ask"]
    assert len(waiting) == advertising
    with kiitos.store.work.transaction() as tx:
        for run in waiting:
            assert runs.save(tx, replace(run, wake_at=now - timedelta(minutes=1)))
    return waiting + rig.due(orders)


def order_of(rig: Rig, advertising: int, orders: int) -> list[str]:
    """The flows of so many steps in the order they were done in, when all of them waited, advertising for longer."""
    both = both_due(rig, advertising, orders)
    handing = HandingOut(rig.kiitos, rig.dispatcher, timedelta(minutes=5))  # until the executor has started
    assert handing.wake() == advertising + orders
    rig.start()
    assert rig.until(lambda: all(rig.done(run) for run in both), hand_out=False)
    rig.stop()
    with rig.kiitos.store.work.read() as tx:
        acted = [
            (line.at, run.flow_id)
            for run in both
            for line in runs.journal_of(tx, SHOP, run.id)
            if line.what == "acting"
        ]
    return [flow_id for _, flow_id in sorted(acted)]


class AbstractHold(ABC):
    """Steps that were begun and cannot go on."""

    @abstractmethod
    def begun(self) -> int:
        """How many."""

    @abstractmethod
    def let_go(self) -> None: ...


def examine(rig: Rig) -> list[str]:
    """What is wrong with a dispatcher: each due step done once, whatever dies, comes twice or comes late."""
    faults: list[str] = []
    held = rig.due(HELD)
    rig.start()
    hold = rig.holding([run.order_id or "" for run in held])
    try:
        if not rig.until(lambda: hold.begun() == HELD):
            faults.append(f"executors had begun with {hold.begun()} of {HELD} steps")
        rig.kill()
    finally:
        hold.let_go()
    if any(rig.done(run) for run in held):
        faults.append("a step was done by an executor that was killed before")
    rig.start()
    rig.until(lambda: all(rig.done(run) for run in held))
    lost = sum(not rig.done(run) for run in held)
    if lost:
        faults.append(f"{lost} of {HELD} steps that a dead executor held were never done")
    faults += _examine_stale(rig, held)
    rig.stop()
    twice = sum(rig.done(run) > 1 for run in held)
    if twice:
        faults.append(f"{twice} steps were done twice")
    return faults


def _examine_stale(rig: Rig, ended: Sequence[Run]) -> list[str]:
    """Messages nobody should heed: of steps that are done, and of attempts that are over."""
    (late,) = rig.due(1)
    again = rig.now(late)
    with rig.kiitos.store.work.transaction() as tx:
        runs.lease(tx, again, rig.kiitos.clock.now() + timedelta(hours=1))
    stale = DueStep(late.shop_id, late.id, again.step, again.rev + 1, first=True)
    with rig.kiitos.store.work.transaction() as tx:  # meanwhile its order was heard of: it sleeps for a day now
        moved = replace(again, rev=again.rev + 1, wake_at=rig.kiitos.clock.now() + timedelta(days=1))
        assert runs.save(tx, moved)
    rig.bring([DueStep(run.shop_id, run.id, run.step, run.rev + 1, first=True) for run in ended] * 2 + [stale] * 2)
    (last,) = rig.due(1)
    heard = rig.until(lambda: rig.done(last) > 0)
    if not heard:
        return ["a step behind stale messages was never done"]
    rig.stop()
    rig.start()
    return ["a message about an attempt that was over woke its run"] if rig.done(late) else []


class ProcessRig(Rig):
    """Executors are `kiitos worker --steps`; PostgreSQL's locks show what they have begun with."""

    def __init__(self, path: Path, dsn: str) -> None:
        self._path = path
        self._dsn = dsn
        self._environ = {**os.environ, "KIITOS_DATABASE": dsn}
        self._executor: subprocess.Popen[bytes] | None = None
        kiitos = load(path, self._environ)
        super().__init__(kiitos, dispatcher_of(kiitos))

    def start(self) -> None:
        with (self._path.parent / "executor.log").open("ab") as log:
            self._executor = subprocess.Popen(
                [str(KIITOS), "-c", str(self._path), "worker", "--steps"],
                env=self._environ,
                stdout=log,
                stderr=log,
                start_new_session=True,
            )

    def kill(self) -> None:
        self._end(signal.SIGKILL)

    def stop(self) -> None:
        self._end(signal.SIGTERM)

    def _end(self, number: signal.Signals) -> None:
        if self._executor is not None:
            with suppress(ProcessLookupError):
                os.killpg(self._executor.pid, number)
            self._executor.wait(60)
            self._executor = None

    def holding(self, ids: Sequence[str]) -> AbstractHold:
        return _Locks(self._dsn, [order_name(SHOP, order_id) for order_id in ids])

    def close(self) -> None:
        self.kill()
        self.dispatcher.close()
        self.kiitos.close()

    def log(self) -> str:
        return (self._path.parent / "executor.log").read_text("utf-8", "replace")[-3000:]


class _Locks(AbstractHold):
    """What news of an order would hold while it is taken in."""

    def __init__(self, dsn: str, names: Sequence[str]) -> None:
        self._connection = psycopg.connect(dsn)
        self._connection.execute(
            "SELECT pg_advisory_xact_lock(hashtextextended(name, 0)) FROM unnest(%s::text[]) AS wanted (name)",
            (list(names),),
        )
        self._looking = psycopg.connect(dsn, autocommit=True)
        self._own = self._connection.info.backend_pid

    def begun(self) -> int:
        row = self._looking.execute(
            "SELECT count(*) FROM pg_locks WHERE locktype = 'advisory' AND NOT granted"
            " AND %s = ANY (pg_blocking_pids(pid))",
            (self._own,),
        ).fetchone()
        assert row is not None
        return int(row[0])

    def let_go(self) -> None:
        self._connection.close()
        self._looking.close()


@contextmanager
def process_rig(path: Path, dsn: str) -> Iterator[ProcessRig]:
    rig = ProcessRig(path, dsn)
    try:
        yield rig
    finally:
        rig.close()


__all__ = [
    "AbstractHold",
    "Rig",
    "both_due",
    "examine",
    "one_at_a_time",
    "order_of",
    "process_rig",
    "to_text",
    "write_advertising",
    "write_files",
]
