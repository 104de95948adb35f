"""What was refused, in a log that a flood cannot fill: the first of a kind at once, the others as a number a minute.

Every single one is counted in the metrics (`kiitos_deliveries_total` by status).
"""

from __future__ import annotations

import threading

from connector.clock import Clock
from connector.log import get_log

EVERY = 60.0
"""Seconds between two lines of one kind."""

log = get_log("webhooks.accept")


class Rejections:
    """One receiver's. Kinds are bounded: platforms and owners that exist, and the reasons of their adapters."""

    def __init__(self, clock: Clock) -> None:
        self._clock = clock
        self._lock = threading.Lock()
        self._kinds: dict[tuple[str, str, str], list[float]] = {}  # when it was last said, and how many came since

    def note(self, platform: str, reason: str, owner_id: str) -> None:
        """Say it, or count it for the next line."""
        now, kind = self._clock.monotonic(), (platform, reason, owner_id)
        with self._lock:
            known = self._kinds.get(kind)
            if known is not None and now - known[0] < EVERY:
                known[1] += 1
                return
            before = int(known[1]) if known else 0
            self._kinds[kind] = [now, 0]
        log.info("rejected", platform=platform, reason=reason, owner_id=owner_id, more_since=before)
