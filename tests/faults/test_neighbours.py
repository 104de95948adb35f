"""What a bad delivery costs the others: counted in units of work, not by a stopwatch (promise R9)."""

from __future__ import annotations

import os
import signal
import warnings
from collections.abc import Sequence
from contextlib import closing
from datetime import datetime, timedelta
from pathlib import Path
from typing import Any

import pytest

from connector.claims import Claims
from connector.model import Event
from connector.store import deliveries
from connector.store.db import Tx
from connector.worker import Worker
from connector.working import intake
from connector.working.intake import MAX_ATTEMPTS, Intake

from .installation import Counting, Installation

MANY = 200
EVERY = 50
"""One in so many is poison."""
WEBHOOKS = {f"w{number}" for number in range(MANY)}


class Meter:
    """Counts what the runner takes in, and fails for orders of poison as an error of ours would."""

    def __init__(self, here: Installation, poison: set[str]) -> None:
        self.units = 0
        self.done_at: dict[str, int] = {}
        self._runner: Any = here.kiitos.runner
        self._ingest = self._runner.ingest
        self._poison = poison
        self._runner.ingest = self.ingest

    def ingest(self, tx: Tx, shop_id: str, events: Sequence[Event], *rest: Any) -> int:
        self.units += 1
        order = str(events[0].order_id)
        if order in self._poison:
            raise ZeroDivisionError("poison")
        self.done_at[order] = self.units
        count: int = self._ingest(tx, shop_id, events, *rest)
        return count


def late_percent(meter: Meter) -> int:
    """Units of work until 99 in 100 of the healthy are done."""
    waits = sorted(meter.done_at.values())
    return waits[len(waits) * 99 // 100 - 1]


def measure(folder: Path, poison: int) -> tuple[Meter, Installation]:
    folder.mkdir()
    here = Installation(folder, Counting())
    bodies = here.orders(MANY)
    assert set(here.receive(bodies)) == {200}
    ids = [str(Installation.order_id(body)) for body in bodies]
    meter = Meter(here, set(ids[poison::EVERY]) if poison else set())
    worker = here.worker()
    for _ in range(MAX_ATTEMPTS + 1):
        while worker.intake.take_in():
            pass
        here.clock.advance(timedelta(minutes=2))
    return meter, here


def test_others_wait_at_most_twice_as_long(tmp_path: Path) -> None:
    calm, one = measure(tmp_path / "calm", 0)
    hurt, two = measure(tmp_path / "hurt", EVERY - 1)  # the last of its batch: the dearest place
    assert len(calm.done_at) == MANY
    assert len(hurt.done_at) == MANY - MANY // EVERY
    assert late_percent(hurt) <= 2 * late_percent(calm), (late_percent(hurt), late_percent(calm))
    with closing(one), closing(two):
        assert one.deliveries() == {"done": MANY}
        assert two.deliveries() == {"done": MANY - MANY // EVERY, "failed": MANY // EVERY}
        with two.kiitos.store.work.read() as tx:
            dead = deliveries.failed(tx, None, 100)
    assert {(row.attempts, row.error_code) for row in dead} == {(MAX_ATTEMPTS, "INTERNAL")}


def test_control_one_by_one_from_the_start_is_found_out(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A worker that begins the whole batch anew at each failure."""

    def anew(self: Intake, batch: Sequence[Any]) -> None:
        for last in range(len(batch)):
            self._take_in_batch(batch[last : last + 1])
            with_the_rest = batch[last + 1 :]
            if with_the_rest:
                try:
                    self._together([self._read(item) for item in with_the_rest])
                except ZeroDivisionError:
                    continue
                return

    calm, one = measure(tmp_path / "calm", 0)
    monkeypatch.setattr(Intake, "_take_in_apart", anew)
    hurt, two = measure(tmp_path / "hurt", EVERY - 1)
    with closing(one), closing(two):
        assert late_percent(hurt) > 2 * late_percent(calm)


# -- a payload that kills the worker -----------------------------------------------------------------------------------


def work_in_a_process(here: Installation, deadly: str, at: datetime) -> int:
    """A worker in a process of its own, which gets SIGKILL at the delivery named; the signal it ended by, or 0."""
    here.kiitos.store.close()  # connections do not survive a fork
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", DeprecationWarning)
        child = os.fork()
    if not child:
        try:
            adapter = here.kiitos.registry.platform("shopify")
            normalise = adapter.normalise

            def explode(verified: Any, body: bytes, shop: Any) -> Any:
                if verified.dedup_key == deadly:
                    os.kill(os.getpid(), signal.SIGKILL)
                return normalise(verified, body, shop)

            adapter.normalise = explode  # type: ignore[method-assign]
            here.name_workers(os.getpid())
            here.worker().drain()
            here.kiitos.store.close()
        finally:
            os._exit(0)
    _, status = os.waitpid(child, 0)
    return os.WTERMSIG(status) if os.WIFSIGNALED(status) else os.WEXITSTATUS(status)


@pytest.mark.skipif(os.name != "posix", reason="SIGKILL and fork are POSIX")
@pytest.mark.parametrize("noted", [True, False])
def test_its_neighbours_do_not_wait_for_the_dead_workers_lease(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, noted: bool
) -> None:
    """A second each: whatever is done is done within the lease. The control notes no claims."""
    here = Installation(tmp_path, Counting())
    assert set(here.receive(here.orders(30))) == {200}
    if not noted:
        monkeypatch.setattr(Claims, "begin", lambda self, batch, until: None)
    ended, done = [], []
    for _ in range(4):
        ended.append(work_in_a_process(here, "w17", here.clock.now()))
        done.append(here.deliveries().get("done", 0))
        here.clock.advance(timedelta(seconds=1))  # and a forked clock's ids are not its parent's
    if not noted:
        assert (ended, done) == ([signal.SIGKILL, 0, 0, 0], [0, 0, 0, 0])
    else:
        assert ended == [signal.SIGKILL, signal.SIGKILL, 0, 0], "in its batch, alone, and then it waits for its lease"
        assert done == [0, 17, 29, 29]
        here.clock.advance(intake.LEASE + timedelta(seconds=1))
        assert work_in_a_process(here, "w17", here.clock.now()) == signal.SIGKILL
        here.clock.advance(timedelta(seconds=1))
        assert here.receive(here.orders(31)[30:], first=30) == [200]
        assert work_in_a_process(here, "w17", here.clock.now()) == 0, "who comes late waits for nobody"
        assert here.deliveries()["done"] == 30
    here.close()


@pytest.mark.skipif(os.name != "posix", reason="SIGKILL and fork are POSIX")
def test_a_payload_that_kills_the_worker_becomes_a_dead_letter(tmp_path: Path) -> None:
    here = Installation(tmp_path, Counting())
    bodies = here.orders(30)
    assert set(here.receive(bodies)) == {200}
    deadly, ended, done = "w17", [], []
    for _ in range(MAX_ATTEMPTS + 2):
        ended.append(work_in_a_process(here, deadly, here.clock.now()))
        done.append(here.deliveries().get("done", 0))
        here.clock.advance(intake.LEASE + timedelta(seconds=1))
    assert ended == [signal.SIGKILL] * MAX_ATTEMPTS + [0, 0]
    assert done[1] < done[-1] == len(bodies) - 1
    with here.kiitos.store.work.read() as tx:
        (dead,) = deliveries.failed(tx, None, 100)
    assert (dead.error_code, dead.attempts) == ("WORKER_DIED", MAX_ATTEMPTS + 1)
    assert "none came back" in str(dead.error_text)
    late_comers = here.receive(here.orders(31)[30:], first=30)
    assert late_comers == [200]
    assert work_in_a_process(here, deadly, here.clock.now()) == 0, "nobody meets it any more"
    with here.kiitos.store.work.transaction() as tx:
        assert deliveries.replay(tx, dead.shop_id, dead.delivery_id, here.clock.now())
    Worker(here.kiitos).drain()
    assert here.deliveries() == {"done": 31}, "mended and replayed, it is like any other"
    here.close()
