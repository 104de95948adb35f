"""The warden of a worker, with everything it sees to."""

from __future__ import annotations

from connector.app import Kiitos
from connector.store import watch
from connector.watching.retention import LOOK, Retention
from connector.watching.warden import Warden
from connector.worker import Worker

SCAN_EVERY = 60.0
"""Seconds between two looks at which topics were heard of."""


def make_warden(kiitos: Kiitos, worker: Worker) -> Warden:
    """What `kiitos worker` runs beside the worker."""
    retention = Retention(kiitos)
    return Warden(
        kiitos,
        worker.carrier.tallies,
        lambda: not worker.watch.holding,
        chores=(
            (SCAN_EVERY, lambda: watch.scan(kiitos.store, kiitos.clock.now())),
            (LOOK, retention.work),
        ),
    )
