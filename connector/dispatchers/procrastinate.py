"""Procrastinate: a queue in the same PostgreSQL (https://procrastinate.readthedocs.io, 3.10).

Jobs are written in the transaction of the lease, so that none is lost and none is a phantom. Its retries, locks and
future jobs stay unused, and what succeeded is deleted: then none of its slow paths is met (facts/engine.md §3: issues
1242, 1599, 1454). A job that a dead executor leaves in `doing` blocks nobody; it is swept once its worker's heartbeat
stops, and its step has long been handed out anew.
"""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from typing import Any

import psycopg
from procrastinate import App, PsycopgConnector, SyncPsycopgConnector
from procrastinate.jobs import Status
from psycopg.errors import Error as PostgresError

from connector.contracts.dispatcher import Dispatcher, DueStep, Perform
from connector.errors import ConfigError, StoreUnavailable, Transient, near
from connector.log import get_log

QUEUE = "kiitos"
_KEYS = ("kind", "lease", "threads", "listen")
TASK = "kiitos.step"
FIRST = 10
"""The priority of what goes before the rest: higher is earlier
(https://procrastinate.readthedocs.io/en/stable/howto/advanced/priorities.html)."""
POLL = 0.5
"""Seconds between looks when no notification comes."""
DEAD_AFTER = 60.0
"""Seconds without a heartbeat after which an executor's jobs are swept."""
SWEEP = 60.0
_LOCK = 4_811_726_004
"""So that two processes that start together make the tables one after the other."""
_KNOWN = "SELECT to_regclass('procrastinate_jobs') IS NOT NULL"
_WAITING = f"""
SELECT coalesce(sum(CASE jsonb_typeof(args -> 'due' -> 0) WHEN 'array' THEN jsonb_array_length(args -> 'due')
  ELSE 1 END), 0)
FROM procrastinate_jobs WHERE status = 'todo' AND queue_name = '{QUEUE}'
"""
JOBS = 10
"""Into how many jobs a batch of due steps goes, at least: Procrastinate takes seven times as long for a job as we for a
step (docs/performance.md), and an executor with eight threads has something for each of them to do."""

log = get_log("dispatchers.procrastinate")


class Procrastinate(Dispatcher):
    """`[app.dispatcher] kind = "procrastinate"`; no keys of its own. The database must be PostgreSQL."""

    name = "procrastinate"

    def __init__(self, dsn: str) -> None:
        self._dsn = dsn
        self._connection: psycopg.Connection[Any] | None = None
        self._deferring = App(connector=SyncPsycopgConnector(conninfo=dsn))
        self._defer = self._deferring.task(name=TASK, queue=QUEUE)(_elsewhere)
        self._loop: asyncio.AbstractEventLoop | None = None
        self._running: asyncio.Task[None] | None = None
        logging.getLogger("procrastinate").setLevel(logging.WARNING)  # it has a line a job

    @classmethod
    def from_settings(cls, settings: Mapping[str, Any], database: str) -> Procrastinate:
        for key in settings:
            raise ConfigError(f"unknown key{near(key, _KEYS)}", where=f"app.dispatcher.{key}")
        if not database.startswith(("postgresql://", "postgres://")):
            raise ConfigError("procrastinate needs PostgreSQL; see app.database", where="app.dispatcher.kind")
        return cls(database)

    def prepare(self) -> None:
        try:
            with psycopg.connect(self._dsn) as connection:
                connection.execute("SELECT pg_advisory_xact_lock(%s)", (_LOCK,))
                row = connection.execute(_KNOWN).fetchone()
                if row is None or not row[0]:
                    connection.execute(self._deferring.schema_manager.get_schema())
        except PostgresError as error:
            raise StoreUnavailable(f"Procrastinate's tables cannot be made: {type(error).__name__}") from error

    def waiting(self) -> int:
        try:
            if self._connection is None or self._connection.closed:
                self._connection = psycopg.connect(self._dsn, autocommit=True)
            row = self._connection.execute(_WAITING).fetchone()
        except PostgresError as error:
            self.close()
            raise Transient(f"the queue cannot be asked: {type(error).__name__}") from error
        return int(row[0]) if row else 0

    def enlist(self, connection: Any, due: Sequence[DueStep]) -> None:
        several = max(len(due) // JOBS, 1)
        for priority, steps in ((FIRST, [s for s in due if s.first]), (0, [s for s in due if not s.first])):
            fresh = [step.message for step in steps if not step.again]
            jobs: list[dict[str, Any]] = [{"due": fresh[at : at + several]} for at in range(0, len(fresh), several)]
            jobs += [{"due": [step.message]} for step in steps if step.again]
            if jobs:
                self._defer.configure(connection=connection, priority=priority).batch_defer(*jobs)

    def execute(self, perform: Perform, threads: int) -> None:
        asyncio.run(self._execute(perform, threads))

    async def _execute(self, perform: Perform, threads: int) -> None:
        app = App(connector=PsycopgConnector(conninfo=self._dsn, min_size=2, max_size=4))

        @app.task(name=TASK, queue=QUEUE)
        def step(due: list[Any]) -> None:
            for each in steps_of(due):
                perform(each)

        async with app.open_async():
            self._loop = asyncio.get_running_loop()
            # Its own has four threads more than there are processors, whatever the concurrency.
            self._loop.set_default_executor(ThreadPoolExecutor(threads, thread_name_prefix="step"))
            self._running = asyncio.ensure_future(
                app.run_worker_async(
                    queues=[QUEUE],
                    concurrency=threads,
                    fetch_job_polling_interval=POLL,
                    delete_jobs="successful",
                    stalled_worker_timeout=DEAD_AFTER,
                )
            )
            sweeping = asyncio.ensure_future(self._sweep(app))
            try:
                await self._running
            except asyncio.CancelledError:
                log.info("executor_stopped")
            finally:
                sweeping.cancel()

    async def _sweep(self, app: App) -> None:
        """Throw away what dead executors held. Its steps are handed out anew by the end of their leases."""
        while True:
            for job in await app.job_manager.get_stalled_jobs(queue=QUEUE, seconds_since_heartbeat=DEAD_AFTER):
                await app.job_manager.finish_job(job, status=Status.FAILED, delete_job=True)
            await asyncio.sleep(SWEEP)

    def stop(self) -> None:
        if self._loop is not None and self._running is not None:
            self._loop.call_soon_threadsafe(self._running.cancel)

    def close(self) -> None:
        if self._connection is not None:
            self._connection.close()
            self._connection = None


def steps_of(due: list[Any]) -> list[DueStep]:
    """The steps of a job. A worker of the version before puts one step into it, bare."""
    return [DueStep(*each) for each in due] if isinstance(due[0], list) else [DueStep(*due)]


def _elsewhere(due: list[Any]) -> None:
    """What the handing-out side knows the task by; an executor brings the body."""
    raise RuntimeError(f"a process that hands out does not execute: {steps_of(due)[0].run_id}")
