"""What one worker counts as it goes: plain numbers, which cost nothing where nobody scrapes them.

Labels come from closed sets: flows, channels and platforms of the configuration, outcomes and classes of ours.
"""

from __future__ import annotations

import threading
from bisect import bisect_left
from collections import Counter
from collections.abc import Iterable, Sequence
from datetime import datetime

from connector.contracts import Accepted, Outcome, Rejected, Retry
from connector.errors import KiitosError
from connector.model import Effect, Purpose

BUCKETS = (0.5, 1.0, 2.5, 5.0, 10.0, 30.0, 60.0, 300.0, 1800.0, 7200.0, 86400.0)
"""Seconds from due to begun."""


class Tallies:
    """`sends` by flow and outcome, `errors` by provider and class, `late` by priority: counts a bucket, and seconds in
    all, `steps` by outcome: those an executor was brought. Read by any thread."""

    def __init__(self) -> None:
        self.sends: Counter[tuple[str, str]] = Counter()
        self.errors: Counter[tuple[str, str]] = Counter()
        self.steps: Counter[str] = Counter()
        self.late: dict[str, tuple[list[int], float]] = {}
        self._lock = threading.Lock()

    def begun(self, effects: Iterable[Effect], now: datetime) -> None:
        """Effects are about to be carried out: how late that is."""
        with self._lock:
            for effect in effects:
                priority = "transactional" if effect.purpose is Purpose.TRANSACTIONAL else "other"
                counts, total = self.late.get(priority, ([0] * (len(BUCKETS) + 1), 0.0))
                late = max((now - effect.due_at).total_seconds(), 0.0)
                counts[bisect_left(BUCKETS, late)] += 1
                self.late[priority] = (counts, total + late)

    def sent(self, told: Sequence[tuple[Effect, Outcome]], provider: str) -> None:
        """Messages were handed to a provider, and this is what it said."""
        with self._lock:
            for effect, outcome in told:
                word = _word(outcome)
                self.sends[effect.flow_id, word] += 1
                if word != "accepted":
                    self.errors[provider, word] += 1

    def stepped(self, outcome: str) -> None:
        """A step that was handed out ended: `done`, `stale` or `failed`."""
        with self._lock:
            self.steps[outcome] += 1

    def performed(self, effect: Effect, provider: str, failure: KiitosError | None) -> None:
        """An effect on a platform or a call was tried."""
        with self._lock:
            if failure is None:
                self.sends[effect.flow_id, "accepted"] += 1
                return
            self.sends[effect.flow_id, "error"] += 1
            self.errors[provider, failure.code.lower()] += 1


def _word(outcome: Outcome) -> str:
    match outcome:
        case Accepted():
            return "accepted"
        case Rejected():
            return "rejected"
        case Retry():
            return "retry"
    return "unknown"
