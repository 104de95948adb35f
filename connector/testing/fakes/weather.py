"""What goes wrong for a while, as it does in real life: lost deliveries, answers of 429 and 503, slowness."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta

from connector.clock import Clock, ManualClock
from connector.testing.fakes.web import Trouble


@dataclass(slots=True, kw_only=True)
class Weather:
    """The knobs of one fake. Seeded, so that a run with the same weather is the same run.

    `lose` is the share of deliveries that never arrive and that nobody notices, `throttle` the share of API requests
    answered 429 with `retry_after` seconds, `slow` the seconds of the fake's clock each answer takes. Until
    `down_until` the API answers 503; until `deaf_until` nobody takes deliveries at the other end.
    """

    clock: Clock
    seed: int = 1
    lose: float = 0.0
    throttle: float = 0.0
    retry_after: int = 20
    slow: float = 0.0
    down_until: datetime | None = None
    deaf_until: datetime | None = None
    early: int = 0
    _chance: Callable[[], float] = field(init=False)
    _not_before: datetime | None = field(init=False, default=None)

    def __post_init__(self) -> None:
        self._chance = ManualClock(datetime(2026, 1, 1, tzinfo=UTC), self.seed).random

    def loses(self) -> bool:
        """Whether the next delivery gets lost."""
        return self.lose > 0 and self._chance() < self.lose

    def reaches(self) -> bool:
        """Whether there is somebody at the other end to take deliveries."""
        return self.deaf_until is None or self.clock.now() >= self.deaf_until

    def trouble(self) -> Trouble:
        """What becomes of the next request. `early` counts those that came before Retry-After was over."""
        now = self.clock.now()
        if self.slow:
            self.clock.sleep(self.slow)
        if self.down_until is not None and now < self.down_until:
            return Trouble(status=503)
        if self._not_before is not None and now < self._not_before:
            self.early += 1
        if self.throttle > 0 and self._chance() < self.throttle:
            self._not_before = now + timedelta(seconds=self.retry_after)
            return Trouble(status=429, retry_after=str(self.retry_after))
        self._not_before = None
        return Trouble()

    def clear(self) -> None:
        """Fair again."""
        self.lose = self.throttle = self.slow = 0.0
        self.down_until = self.deaf_until = None
