"""Handing due steps to other processes, and doing them there (`connector.contracts.dispatcher`).

The lease is the run's own due time, moved to its end, and its next `rev` is the attempt: whatever moves the run in
between makes the message stale, and a lease that ends makes the run due again. Nothing else is needed for a lost
message, a dead executor, or one that was brought twice.
"""

from __future__ import annotations

import threading
from collections import OrderedDict
from collections.abc import Callable
from dataclasses import replace
from datetime import datetime, timedelta

from connector.app import Kiitos
from connector.contracts.dispatcher import Dispatcher, DueStep
from connector.errors import ConfigError, KiitosError, StoreUnavailable, Transient
from connector.log import get_log
from connector.model import Run, RunStatus
from connector.store import runs
from connector.store.db import Tx
from connector.store.turns import Turn
from connector.watching.tallies import Tallies
from connector.working.clockwatch import ClockWatch
from connector.working.intake import PARK, WAKE, again_if_moved, order_flows
from flows.knowing.subjects import order_name

log = get_log("dispatching")

CEILING = 1_000
"""Messages nobody has begun with, at most: what waits longer than its lease would be handed out twice."""
REMEMBERED = 10_000
FRESH = 1.0
"""Seconds for which an executor takes the configuration for current."""
DONE = "done"
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
        """Hand out a batch of due steps; how many. In a crowd steps of flows with order messages go first, past a queue
        that is full of others. Nothing while it is full of them too, or cannot be asked."""
        try:
            waiting = self._dispatcher.waiting()
            if waiting >= 2 * CEILING:
                return 0
            if waiting >= CEILING:
                return self._publish(lambda: self._hand_out(self._due_first))
            done = self._publish(lambda: self._hand_out(self._due))
            return done if done < WAKE else done + self._publish(lambda: self._hand_out(self._due_first))
        except Transient as error:
            log.error("not_handed_out", dispatcher=self._dispatcher.name, reason=error.message)
            return 0

    def _publish(self, hand_out: Callable[[], list[DueStep]]) -> int:
        due = again_if_moved(hand_out)
        self._dispatcher.publish(due, self._lease)
        return len(due)

    def _due(self, tx: Tx, now: datetime) -> list[Run]:
        return runs.due(tx, now, WAKE, self._turn)

    def _due_first(self, tx: Tx, now: datetime) -> list[Run]:
        return runs.due_in(tx, order_flows(self._kiitos, self._kiitos.config.shops), now, WAKE)

    def _hand_out(self, find: Callable[[Tx, datetime], list[Run]]) -> list[DueStep]:
        now = self._kiitos.clock.now()
        with self._kiitos.store.work.transaction() as tx:
            ready: list[Run] = []
            for run in find(tx, now):
                if self._kiitos.catalog.knows(run.shop_id):
                    ready.append(run)
                else:
                    runs.save(tx, replace(run, wake_at=now + PARK))
            for run in ready:
                runs.lease(tx, run, now + self._lease)
            tx.flush()
            first = {shop_id: set(order_flows(self._kiitos, [shop_id])) for shop_id in {run.shop_id for run in ready}}
            due = [
                DueStep(
                    *(run.shop_id, run.id, run.step, run.rev + 1),
                    first=run.flow_id in first[run.shop_id],
                    again=self._undone(run),
                )
                for run in ready
            ]
            self._dispatcher.enlist(tx.connection, due)
        self._turn.pass_on()
        self._notice(ready)
        return due

    def _undone(self, run: Run) -> bool:
        """Whether it was handed out here before and nobody has touched it since."""
        return self._handed.get((run.shop_id, run.id)) == run.rev

    def _notice(self, ready: list[Run]) -> None:
        """Say so when a lease ended with nobody having touched the run: executors are dead, or too few."""
        ended = sum(map(self._undone, ready))
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
        self.tallies = Tallies()
        self.watch = ClockWatch(kiitos.store, kiitos.clock)
        self.watch.shared = kiitos.store.dialect == "postgres"
        self._in_hand: dict[DueStep, float] = {}
        self._guard = threading.Lock()
        self._looked = float("-inf")

    def carry_out(self, due: DueStep) -> bool:
        """Do the step if the run still stands where it was handed out; whether it did. Never raises."""
        self._in_hand[due] = self._kiitos.clock.monotonic()
        try:
            outcome = self._try(due)
        finally:
            self._in_hand.pop(due, None)
        self.tallies.stepped(outcome)
        return outcome == DONE

    def longest(self) -> float:
        """Seconds since the oldest step in anybody's hand was begun; 0 without any."""
        begun = list(self._in_hand.values())
        return self._kiitos.clock.monotonic() - min(begun) if begun else 0.0

    def _try(self, due: DueStep) -> str:
        try:
            return DONE if self._ready() and again_if_moved(lambda: self._wake(due)) else "stale"
        except StoreUnavailable as error:
            log.error("store_unavailable", code=error.code)  # the lease brings the step back
        except ConfigError as error:
            log.error("run_parked", shop_id=due.shop_id, run_id=due.run_id, code=error.code)
            self._give_up(due, park=True)
        except Exception as error:
            log.exception("run_failed", error, shop_id=due.shop_id, run_id=due.run_id)
            self._give_up(due, park=False)
        return "failed"

    def _ready(self) -> bool:
        """Whether the clock is believed; takes in what changed in the configuration."""
        with self._guard:
            now = self._kiitos.clock.monotonic()
            if now - self._looked >= FRESH:
                self._kiitos.refresh()
                self._looked = now
            return self.watch.trusted()

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
