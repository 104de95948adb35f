"""The wardens of both kinds of processes, with everything they see to."""

from __future__ import annotations

from typing import TYPE_CHECKING

from connector.app import Kiitos
from connector.store import watch
from connector.watching.retention import LOOK, Retention
from connector.watching.tallies import Tallies
from connector.watching.warden import Chore, Warden

if TYPE_CHECKING:
    from connector.worker import Worker

SCAN_EVERY = 60.0
"""Seconds between two looks at which topics were heard of."""


def of_worker(kiitos: Kiitos, worker: Worker) -> Warden:
    """What `kiitos worker` runs beside the worker."""
    retention = Retention(kiitos)
    chores = [
        Chore("scan", SCAN_EVERY, lambda: watch.scan(kiitos.store, kiitos.clock.now())),
        Chore("retention", LOOK, retention.work),
        *_alerting(kiitos),
    ]
    return Warden(kiitos, worker.carrier.tallies, lambda: not worker.watch.holding, chores)


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
