"""Handing due steps to other processes, and doing them there (`connector.contracts.dispatcher`).

The lease is the run's own due time, moved to its end, and its next `rev` is the attempt: whatever moves the run in
between makes the message stale, and a lease that ends makes the run due again. Nothing else is needed for a lost
message, a dead executor, or one that was brought twice.
"""

from __future__ import annotations

import threading
from collections import OrderedDict
from dataclasses import replace
from datetime import timedelta

from connector.app import Kiitos
from connector.clockwatch import ClockWatch
from connector.contracts.dispatcher import Dispatcher, DueStep
from connector.errors import ConfigError, KiitosError, StoreUnavailable, Transient
from connector.intake import PARK, WAKE, again_if_moved
from connector.log import get_log
from connector.model import Run, RunStatus
from connector.store import runs
from connector.store.db import Tx
from connector.store.turns import Turn
from flows.runner import order_name

log = get_log("dispatching")

CEILING = 1_000
"""Messages nobody has begun with, at most: what waits longer than its lease would be handed out twice."""
REMEMBERED = 10_000
FRESH = 1.0
"""Seconds for which an executor takes the configuration for current."""
_WAKING = (RunStatus.READY, RunStatus.SLEEPING, RunStatus.AWAITING)


def dispatcher_of(kiitos: Kiitos) -> Dispatcher:
    """The configured dispatcher. Raises `ConfigError` with a near match, or naming the key that is wrong."""
    settings = kiitos.config.app.dispatcher
    return kiitos.registry.dispatcher(settings.kind).from_settings(settings.rest, kiitos.config.app.database)


class HandingOut:
    """The worker's side: leases what is due, in turns between shops, and hands it out."""

    def __init__(self, kiitos: Kiitos, dispatcher: Dispatcher, lease: timedelta) -> None:
        self._kiitos = kiitos
        self._dispatcher = dispatcher
        self._lease = lease
        self._turn = Turn()
        self._handed: OrderedDict[tuple[str, str], int] = OrderedDict()

    def wake(self) -> int:
        """Hand out a batch of due steps; how many. Nothing while the queue is full or cannot be asked."""
        try:
            if self._dispatcher.waiting() >= CEILING:
                return 0
            due = again_if_moved(self._hand_out)
            self._dispatcher.publish(due, self._lease)
        except Transient as error:
            log.error("not_handed_out", dispatcher=self._dispatcher.name, reason=error.message)
            return 0
        return len(due)

    def _hand_out(self) -> list[DueStep]:
        now = self._kiitos.clock.now()
        with self._kiitos.store.work.transaction() as tx:
            ready: list[Run] = []
            for run in runs.due(tx, now, WAKE, self._turn):
                if self._kiitos.catalog.knows(run.shop_id):
                    ready.append(run)
                else:
                    runs.save(tx, replace(run, wake_at=now + PARK))
            for run in ready:
                runs.lease(tx, run, now + self._lease)
            tx.flush()
            due = [DueStep(run.shop_id, run.id, run.step, run.rev + 1) for run in ready]
            self._dispatcher.enlist(tx.connection, due)
        self._turn.pass_on()
        self._notice(ready)
        return due

    def _notice(self, ready: list[Run]) -> None:
        """Say so when a lease ended with nobody having touched the run: executors are dead, or too few."""
        ended = sum(self._handed.get((run.shop_id, run.id)) == run.rev for run in ready)
        if ended:
            log.warning("leases_ended", steps=ended, dispatcher=self._dispatcher.name)
        for run in ready:
            self._handed[run.shop_id, run.id] = run.rev + 1
            self._handed.move_to_end((run.shop_id, run.id))
        while len(self._handed) > REMEMBERED:
            self._handed.popitem(last=False)


class Executing:
    """The executors' side. `carry_out` may be called from many threads."""

    def __init__(self, kiitos: Kiitos) -> None:
        self._kiitos = kiitos
        self._watch = ClockWatch(kiitos.store, kiitos.clock)
        self._watch.shared = kiitos.store.dialect == "postgres"
        self._guard = threading.Lock()
        self._looked = float("-inf")

    def carry_out(self, due: DueStep) -> bool:
        """Do the step if the run still stands where it was handed out; whether it did. Never raises."""
        try:
            return self._ready() and again_if_moved(lambda: self._wake(due))
        except StoreUnavailable as error:
            log.error("store_unavailable", code=error.code)  # the lease brings the step back
        except ConfigError as error:
            log.error("run_parked", shop_id=due.shop_id, run_id=due.run_id, code=error.code)
            self._give_up(due, park=True)
        except Exception as error:
            log.exception("run_failed", error, shop_id=due.shop_id, run_id=due.run_id)
            self._give_up(due, park=False)
        return False

    def _ready(self) -> bool:
        """Whether the clock is believed; takes in what changed in the configuration."""
        with self._guard:
            now = self._kiitos.clock.monotonic()
            if now - self._looked >= FRESH:
                self._kiitos.refresh()
                self._looked = now
            return self._watch.trusted()

    def _wake(self, due: DueStep) -> bool:
        now = self._kiitos.clock.now()
        with self._kiitos.store.work.transaction() as tx:
            run = self._held(tx, due)
            if run is None:
                return False
            # The lease has moved its due time on: it is due.
            self._kiitos.runner.wake(tx, replace(run, wake_at=now), now)
        return True

    def _held(self, tx: Tx, due: DueStep) -> Run | None:
        """The run, its order held, if this is still its newest attempt."""
        run = runs.get(tx, due.shop_id, due.run_id)
        if run is not None and run.order_id:
            tx.hold([order_name(run.shop_id, run.order_id)])  # waits; what it waited for may have moved the run
            run = runs.get(tx, due.shop_id, due.run_id)
        if run is None or run.status not in _WAKING or (run.step, run.rev) != (due.step, due.attempt):
            return None
        return run if self._kiitos.catalog.knows(run.shop_id) else None

    def _give_up(self, due: DueStep, *, park: bool) -> None:
        now = self._kiitos.clock.now()
        try:
            with self._kiitos.store.work.transaction() as tx:
                run = runs.get(tx, due.shop_id, due.run_id)
                if run is None or run.rev != due.attempt:
                    return
                if park:
                    runs.save(tx, replace(run, wake_at=now + PARK))
                else:
                    self._kiitos.runner.strand(tx, due.shop_id, due.run_id, now)
        except KiitosError as error:
            log.error("not_set_aside", shop_id=due.shop_id, run_id=due.run_id, code=error.code)
