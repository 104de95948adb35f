"""The worker: `tick()` does what is due, `next_due()` says when to come back. Nothing here sleeps but `run`.

Any number of ticks may run at once on PostgreSQL; leases keep them apart. Simulation and tests call the same `tick`
under a manual clock.
"""

from __future__ import annotations

import gc
import threading
from collections.abc import Callable
from dataclasses import dataclass
from datetime import datetime

from connector.app import Kiitos
from connector.changes import adopt
from connector.claims import Claims
from connector.contracts.dispatcher import Dispatcher
from connector.errors import KiitosError, StoreUnavailable
from connector.ledger import Ledger
from connector.log import get_log
from connector.privacy import Privacy
from connector.reconciliation import Reconciler
from connector.store import deliveries, effects, privacy, runs, wakeups
from connector.working.alarms import Alarms
from connector.working.bookkeeping import Bookkeeping
from connector.working.carrier import Carrier
from connector.working.clockwatch import ClockWatch
from connector.working.dispatching import HandingOut
from connector.working.housekeeping import Housekeeping
from connector.working.housekeeping import next_due as house_due
from connector.working.intake import WAKE, Intake
from connector.working.integrity import Integrity
from connector.working.mailbox import Mailboxes
from connector.working.members import MemberLooks
from connector.working.room import Room
from connector.working.standstill import Standing, Standstill
from connector.working.witness import Witness

log = get_log("worker")

WAKE_ROUNDS = 50
"""So that a crowd of runs waking at once is in the outbox, where order messages go first, before the next is sent."""
WAKE_FOR = 1.0
"""Seconds that may take of a tick: what was first in a crowd leaves before the last has been woken."""
RECONCILING = 4
"""Threads that ask platforms: so many slow shops hold up none but each other."""
PARTING = 5.0
"""Seconds a stopping worker waits for a slice; one cut off is taken up again when its lease ends."""
PAUSE = 1.0
"""Seconds to wait after something went wrong that no row is to blame for."""
COLLECT_AFTER = 50_000
"""New objects between two looks for cycles. A batch makes thousands and leaves next to none; Python's 700 is 8 % of the
worker's time."""


@dataclass(frozen=True, slots=True)
class Tick:
    """What one round did."""

    deliveries: int = 0
    runs: int = 0
    effects: int = 0
    chores: int = 0
    jobs: int = 0

    def __bool__(self) -> bool:
        return bool(self.deliveries or self.runs or self.effects or self.chores or self.jobs)

    def __add__(self, other: Tick) -> Tick:
        return Tick(
            self.deliveries + other.deliveries,
            self.runs + other.runs,
            self.effects + other.effects,
            self.chores + other.chores,
            self.jobs + other.jobs,
        )


class Worker:
    """One worker of the given application. Without a ledger, what a crash interrupts waits for its lease to end.

    With a reconciler it also asks platforms for what webhooks lost: in `tick` a slice at a time, in `run` in threads of
    their own, because a slow shop must not hold up anybody's mail. `adopting` ones see to the flows' files first
    (`connector.changes.adopt`); rehearsals and tests run what they were given. With a `dispatcher` it leases due steps
    and hands them out; executors (`kiitos worker --steps`) do them.
    """

    adopting = False

    def __init__(
        self,
        kiitos: Kiitos,
        ledger: Ledger | None = None,
        reconciler: Reconciler | None = None,
        dispatcher: Dispatcher | None = None,
    ) -> None:
        self._kiitos = kiitos
        self._store = kiitos.store
        self._clock = kiitos.clock
        ledger = ledger or Ledger()
        self.intake = Intake(kiitos, Claims(ledger.folder, ledger.worker))
        self._wake = self.intake.wake
        self._inline = dispatcher is None or dispatcher.inline
        if dispatcher is not None and not dispatcher.inline:
            self._wake = HandingOut(kiitos, dispatcher, kiitos.config.app.dispatcher.lease).wake
        self.alarms = Alarms(kiitos)
        self.carrier = Carrier(kiitos, ledger, self.intake.makes_way)
        self.privacy = Privacy(kiitos)
        self.reconciler = reconciler
        self._threads: list[threading.Thread] = []
        self.housekeeping = Housekeeping(kiitos)
        self.bookkeeping = Bookkeeping(kiitos)
        self.looks = MemberLooks(kiitos)
        self.mailboxes = Mailboxes(kiitos)
        self.watch = ClockWatch(kiitos.store, kiitos.clock, Witness(kiitos).newest)
        self.integrity = Integrity(kiitos.store, kiitos.clock)
        self.room = Room(kiitos.store)
        self.standstill = Standing(kiitos.store)
        self._adopted = False

    def tick(self) -> Tick:
        """Do one batch of everything that is due: deliveries, woken runs, effects, a slice of reconciliation.

        Stores that were connected, changed or removed meanwhile are taken in first. Nothing is done while the clock
        is not believed, a file is damaged or the disk is nearly full.
        """
        if not (self.integrity.sound() and self.room.enough() and self.watch.trusted()):
            return Tick()
        if self.standstill.look() is Standstill.MOVING:
            return Tick()
        if not self._threads:
            self.mailboxes.work()
        done = self._batch()
        if self.reconciler is not None and not self._threads:
            done += Tick(jobs=int(self.reconciler.run_one()))
        return done

    def _batch(self) -> Tick:
        if self._kiitos.refresh():
            self.intake.look_again()
            self.alarms.look_again()
            self.housekeeping.look_again()
            self.bookkeeping.look_again()
            self._adopted = False
        if self.adopting and not self._adopted:
            self._adopt()
        restored = self.standstill.why is Standstill.RESTORED  # whatever goes to people waits; the rest catches up
        if not restored:
            self.housekeeping.work()
        kept = self.bookkeeping.work() + self.looks.work()
        taken = self.intake.take_in()
        if self.intake.few:  # those who came behind a crowd: their mail leaves before the crowd's goes on
            return Tick(taken, 0, 0 if restored else self.carrier.act(self.intake.few), kept)
        woken = self.alarms.ring() + self._wake_all()
        acted = 0 if restored else self.carrier.act()
        return Tick(taken, woken, acted, self.privacy.work() + self.alarms.work() + kept)

    def _wake_all(self) -> int:
        """Let runs go on. Of a crowd those with order messages come first, however many wait before them: where there
        are any, their messages leave before the rest is woken."""
        woken = self._wake()
        if woken < WAKE:
            return woken
        first = self.intake.wake_first() if self._inline else 0
        if first:
            return woken + first
        until = self._clock.monotonic() + WAKE_FOR
        for _ in range(WAKE_ROUNDS):
            if self._clock.monotonic() > until:
                break
            count = self._wake()
            woken += count
            if count < WAKE:
                break
        return woken

    def _adopt(self) -> None:
        self._adopted = True  # also when it fails: nobody's mail waits for a file to be mended
        try:
            adopt(self._kiitos)
        except StoreUnavailable:
            self._adopted = False
            raise
        except KiitosError as error:
            log.error("flows_not_adopted", code=error.code, reason=error.message)

    def drain(self, limit: int = 100_000) -> Tick:
        """Tick until nothing is due now. `limit` rounds stop a loop that would never end."""
        total = Tick()
        for _ in range(limit):
            done = self.tick()
            if not done:
                return total
            total += done
        raise StoreUnavailable(f"still busy after {limit} rounds")

    def next_due(self) -> datetime | None:
        """When the next thing is due, as far as rows tell; `None` when nothing is."""
        with self._store.work.read() as tx:
            times = [deliveries.next_due(tx), runs.next_wake(tx), effects.next_due(tx), privacy.next_due(tx)]
            times += [house_due(tx), self.looks.next_due(tx)]
            if self._kiitos.catalog.all_scheduled:
                times.append(wakeups.next_due(tx))
        times.append(self.bookkeeping.next_due())
        if self.reconciler is not None:
            times.append(self.reconciler.next_due())
        return min((at for at in times if at is not None), default=None)

    def run(self, stopping: Callable[[], bool], poll: float = 0.02) -> None:
        """Work until told to stop. An idle worker looks every `poll` seconds, up to ten times as seldom."""
        gc.freeze()
        gc.set_threshold(COLLECT_AFTER, 20, 20)
        self._threads = [
            threading.Thread(target=self._reconcile, args=(stopping,), name=f"reconcile-{number}", daemon=True)
            for number in range(RECONCILING if self.reconciler is not None else 0)
        ]
        if self.mailboxes.any():
            self._threads.append(
                threading.Thread(target=self._fetch_mail, args=(stopping,), name="mailboxes", daemon=True)
            )
        if self.integrity.any:
            watch = self.integrity.keep_watch
            self._threads.append(threading.Thread(target=watch, args=(stopping,), name="integrity", daemon=True))
        for thread in self._threads:
            thread.start()
        self._work(stopping, poll)
        for thread in self._threads:
            thread.join(PARTING)
        self._threads = []
        self.intake.claims.close()

    def _reconcile(self, stopping: Callable[[], bool]) -> None:
        """One thread's share of the shops' jobs. A slice that is under way when we stop ends with its lease."""
        assert self.reconciler is not None
        while not stopping():
            try:
                still = self.watch.holding or self.standstill.why is Standstill.MOVING
                busy = self.integrity.sound() and not still and self.reconciler.run_one()
            except StoreUnavailable as error:
                log.error("store_unavailable", code=error.code)
                busy = False
            except Exception as error:
                log.exception("reconciling_failed", error)
                busy = False
            if not busy:
                self._clock.sleep(PAUSE)

    def _fetch_mail(self, stopping: Callable[[], bool]) -> None:
        """Returned mail, in a thread of its own: a slow mail server must not hold up anybody's mail."""
        while not stopping():
            try:
                self.mailboxes.work()
            except StoreUnavailable as error:
                log.error("store_unavailable", code=error.code)
            except Exception as error:
                log.exception("fetching_mail_failed", error)
            self._clock.sleep(PAUSE)

    def _work(self, stopping: Callable[[], bool], poll: float) -> None:
        idle = poll
        while not stopping():
            try:
                busy = self.tick()
            except StoreUnavailable as error:
                log.error("store_unavailable", code=error.code)
                self.integrity.learn(error)
                self._clock.sleep(PAUSE)
                continue
            except Exception as error:
                # No row could be blamed. A worker that dies here would die again at once; one that waits can be seen.
                log.exception("tick_failed", error)
                self._clock.sleep(PAUSE)
                continue
            if busy:
                idle = poll
            else:
                self._clock.sleep(idle)
                idle = min(idle * 1.5, poll * 10)
