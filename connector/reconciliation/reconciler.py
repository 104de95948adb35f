"""Who does what when: each shop's jobs are planned, leased, done a slice at a time, and planned again."""

from __future__ import annotations

from abc import ABC
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from datetime import datetime, timedelta

from connector.app import Kiitos
from connector.config import ShopSettings
from connector.contracts import Backfills, ListsChanges, ListsOrders, ManagesWebhooks
from connector.errors import AuthExpired, KiitosError, Refused, StoreUnavailable, Transient
from connector.log import get_log
from connector.model import ShopStatus
from connector.reconciliation import backfill, changes, subscriptions, sweep
from connector.reconciliation.assignment import BUDGET, LEASE, Assignment, LeaseLost, Outcome
from connector.standing import disconnect, reconnect
from connector.store import jobs, shops
from connector.store.jobs import Job

log = get_log("reconciliation")

PLAN_EVERY = 60.0
FIRST_WAIT = timedelta(seconds=30)
LONGEST_WAIT = timedelta(minutes=15)
"""Between tries while a platform is down: half an hour after it is back, all it kept from us must be here."""
RECONNECT = timedelta(hours=1)
PARK = timedelta(minutes=15)
NO_CREDENTIALS = "NO_CREDENTIALS"


@dataclass(frozen=True, slots=True)
class Task:
    """A kind of job: the capability it needs, what does it, and when a new shop's is first due."""

    capability: type[ABC]
    handle: Callable[[Assignment], Outcome]
    first_due: Callable[[datetime, str, float], datetime]


def _at_once(now: datetime, zone: str, chance: float) -> datetime:
    del zone, chance
    return now


def _soon(now: datetime, zone: str, chance: float) -> datetime:
    del zone
    return now + changes.INTERVAL * chance


TASKS: Mapping[str, Task] = {
    "webhooks": Task(ManagesWebhooks, subscriptions.repair, _at_once),
    "poll": Task(ListsChanges, changes.poll, _soon),
    "backfill": Task(Backfills, backfill.go_on, _at_once),
    "sweep": Task(ListsOrders, sweep.sweep, sweep.next_night),
}


class Reconciler:
    """Plans and does the jobs of all shops. Any number of workers and threads may use one each, or share one."""

    def __init__(self, kiitos: Kiitos, tasks: Mapping[str, Task] = TASKS) -> None:
        self._kiitos = kiitos
        self._store = kiitos.store
        self._clock = kiitos.clock
        self._tasks = tasks
        self._next_plan = 0.0

    def plan(self) -> int:
        """Give every shop of the store the jobs its platform is capable of; how many were new."""
        now = self._clock.now()
        with self._store.work.read() as tx:
            known = {kind: jobs.shops_with(tx, kind) for kind in self._tasks}
            found = [one for one in shops.all(tx) if one.status is not ShopStatus.UNINSTALLED]
        wanted = [
            (shop, kind, task.first_due(now, shop.timezone, self._clock.random()))
            for shop in found
            if self._kiitos.catalog.knows(shop.id)
            for kind, task in self._tasks.items()
            if shop.id not in known[kind]
            if isinstance(self._kiitos.registry.platform(shop.platform), task.capability)
        ]
        if not wanted:
            return 0
        with self._store.work.transaction() as tx:
            return sum(jobs.ensure(tx, shop.id, kind, due, now) for shop, kind, due in wanted)

    def run_one(self) -> bool:
        """Do a slice of the job that has been due longest; False when nothing is due."""
        began = self._clock.monotonic()
        if began >= self._next_plan:
            self._next_plan = began + PLAN_EVERY
            self.plan()
        now = self._clock.now()
        with self._store.work.read() as tx:
            due = jobs.next_due(tx)
        if due is None or due > now:
            return False
        with self._store.work.transaction() as tx:
            job = jobs.claim(tx, self._clock.new_id(), now, now + LEASE)
        if job is None:
            return False
        self._run(job)
        return True

    def run_now(self, shop_id: str, kind: str, budget: float = BUDGET) -> bool:
        """Do a slice of this job at once, for somebody who waits. Errors are stored, and raised.

        False when another worker has it just now. A `budget` of 0 seconds does the smallest step there is.
        """
        self.plan()
        now = self._clock.now()
        with self._store.work.transaction() as tx:
            job = jobs.take(tx, shop_id, kind, self._clock.new_id(), now, now + LEASE)
        if job is None:
            return False
        error = self._run(job, budget)
        if error is not None:
            raise error
        return True

    def next_due(self) -> datetime | None:
        """When a job is next due."""
        with self._store.work.read() as tx:
            return jobs.next_due(tx)

    def assignment(self, job: Job, settings: ShopSettings, budget: float = BUDGET) -> Assignment:
        """What a handler needs. The access is obtained anew for each slice: a token may have been renewed."""
        with self._store.work.read() as tx:
            polled = jobs.get(tx, job.shop_id, "poll")
        access = self._kiitos.access(settings)
        return Assignment(
            kiitos=self._kiitos,
            job=job,
            shop=settings.shop,
            adapter=self._kiitos.registry.platform(settings.shop.platform),
            access=access,
            hook_url=self._kiitos.hook_url(settings),
            hook_secret=access.secrets.get("webhook_secret"),
            live_since=polled.created_at if polled else job.created_at,
            via=job.kind,
            state=dict(job.state),
            began=self._clock.monotonic(),
            budget=budget,
        )

    def _run(self, job: Job, budget: float = BUDGET) -> KiitosError | None:
        task = self._tasks.get(job.kind)
        if task is None or not self._kiitos.catalog.knows(job.shop_id):
            return self._failed(job, job.state, None, PARK, "NOT_CONFIGURED", "the shop is not configured here")
        with self._store.work.read() as tx:
            stored = shops.get(tx, job.shop_id)
        if stored is None or stored.status is ShopStatus.UNINSTALLED:
            with self._store.work.transaction() as tx:
                jobs.forget(tx, job.shop_id)
            return Refused("the shop is not connected any more", provider_code="UNINSTALLED")
        settings = self._kiitos.catalog.settings(job.shop_id)
        if not can_ask(self._kiitos, settings):
            text = "no API credentials: connect the shop, and what webhooks lose can be asked for"
            return self._failed(job, job.state, Refused(text, provider_code=NO_CREDENTIALS), PARK, NO_CREDENTIALS, text)
        state = dict(job.state)
        try:
            work = self.assignment(job, settings, budget)
            state = work.state
            outcome = task.handle(work)
            self._done(job, outcome)
        except LeaseLost:
            log.warning("lease_lost", shop_id=job.shop_id, kind=job.kind)
        except StoreUnavailable:
            raise
        except AuthExpired as error:
            with self._store.work.transaction() as tx:
                disconnect(tx, job.shop_id, error, self._clock.now())
            return self._failed(job, state, error, RECONNECT, error.code, error.message)
        except Transient as error:
            return self._failed(job, state, error, self._wait(job, error.retry_after), error.code, error.message)
        except KiitosError as error:
            return self._failed(job, state, error, RECONNECT, error.code, error.message)
        except Exception as error:
            log.exception("job_failed", error, shop_id=job.shop_id, kind=job.kind)
            self._failed(job, state, None, self._wait(job, None), "INTERNAL", "an error of ours; see the log")
        except BaseException:
            # Stopped by a person: whoever comes next may go on at once.
            self._failed(job, state, None, timedelta(), "", "")
            raise
        return None

    def _done(self, job: Job, outcome: Outcome) -> None:
        now = self._clock.now()
        with self._store.work.transaction() as tx:
            done_at = now if outcome.done else None
            if not jobs.finish(tx, job, outcome.state, outcome.due_at, done_at=done_at):
                raise LeaseLost(job.kind)
            if outcome.report is not None:
                jobs.report(tx, job.shop_id, job.kind, outcome.report, now)
            reconnect(tx, job.shop_id, now)

    def _failed(
        self,
        job: Job,
        state: Mapping[str, object],
        error: KiitosError | None,
        wait: timedelta,
        code: str,
        text: str,
    ) -> KiitosError | None:
        """Give the job back with the reason; what it had stored stays. Returns the error, for whoever waits."""
        if error is not None and code != NO_CREDENTIALS:
            log.warning("job_put_off", shop_id=job.shop_id, kind=job.kind, code=code, seconds=int(wait.total_seconds()))
        due = self._clock.now() + wait
        with self._store.work.transaction() as tx:
            jobs.finish(tx, job, state, due, attempts=job.attempts + 1, code=code, text=text)
            if isinstance(error, Transient) and error.retry_after is not None:
                jobs.hold(tx, job.shop_id, self._clock.now() + timedelta(seconds=error.retry_after))
        return error

    def _wait(self, job: Job, asked: float | None) -> timedelta:
        """Full-jitter back-off, at least what the platform asked for."""
        longest = min(FIRST_WAIT * (1 << min(job.attempts, 10)), LONGEST_WAIT)
        wait = longest * (0.5 + self._clock.random() / 2)
        return max(wait, timedelta(seconds=asked)) if asked is not None else wait


def can_ask(kiitos: Kiitos, settings: ShopSettings) -> bool:
    """Whether there are credentials of any kind beside what signs webhooks."""
    return kiitos.credentials.open_api(settings)
