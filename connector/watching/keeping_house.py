"""The wardens of both kinds of processes, with everything they see to."""

from __future__ import annotations

from typing import TYPE_CHECKING

from connector.app import Kiitos
from connector.errors import KiitosError
from connector.keeping.ledgers import WORKER, announce
from connector.log import get_log
from connector.store import watch
from connector.watching.retention import LOOK, Retention
from connector.watching.tallies import Tallies
from connector.watching.warden import STUCK, Chore, Warden

if TYPE_CHECKING:
    from connector.contracts.dispatcher import Dispatcher
    from connector.worker import Worker
    from connector.working.dispatching import Executing

log = get_log("watching")

SCAN_EVERY = 60.0
"""Seconds between two looks at which topics were heard of."""


def of_worker(kiitos: Kiitos, worker: Worker, listen: str = "") -> Warden:
    """What `kiitos worker` runs beside the worker. `listen` is for another port than the configuration's."""
    retention = Retention(kiitos)
    chores = [
        Chore("scan", SCAN_EVERY, lambda: watch.scan(kiitos.store, kiitos.clock.now())),
        Chore("retention", LOOK, retention.work),
        *_alerting(kiitos),
    ]

    def daily() -> None:
        announce(kiitos.store, kiitos.config, kiitos.clock, WORKER)

    return Warden(kiitos, worker.carrier.tallies, lambda: not worker.watch.holding, chores, listen=listen, daily=daily)


def of_executor(kiitos: Kiitos, executing: Executing, dispatcher: Dispatcher, listen: str = "") -> Warden:
    """What `kiitos worker --steps` runs beside its threads. It does no chores: there are workers."""

    def queue() -> dict[str, bool]:
        try:
            dispatcher.waiting()
        except KiitosError as error:
            log.error("not_ready", code=error.code, reason=error.message)
            return {"queue": False}
        return {"queue": True}

    return Warden(
        kiitos,
        executing.tallies,
        lambda: not executing.watch.holding,
        role="steps",
        listen=listen or kiitos.config.app.dispatcher.listen,
        goes_on=lambda: executing.longest() < STUCK,
        checks=queue,
    )


def of_server(kiitos: Kiitos) -> Warden | None:
    """What `kiitos serve` runs beside the server: where somebody is to be told, it says so when no worker is there."""
    chores = _alerting(kiitos)
    return Warden(kiitos, Tallies(), lambda: True, chores, role="serve") if chores else None


def _alerting(kiitos: Kiitos) -> list[Chore]:
    settings = kiitos.config.app.seeing.alerts
    if not settings:
        return []
    # Here and not above: who tells nobody does without what it takes to.
    from connector.watching.alerting import Alerting

    return [Chore("alerts", settings.every.total_seconds(), Alerting(kiitos).work)]
