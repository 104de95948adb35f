"""The only reader of time and the only source of chance.

Everything else is handed a `Clock`. A year of flows therefore runs in seconds under `ManualClock`,
and a run with the same seed is the same run.
"""

from __future__ import annotations

import random
import secrets
import time
from datetime import UTC, datetime, timedelta
from functools import lru_cache
from typing import Protocol

_ALPHABET = "0123456789abcdefghjkmnpqrstvwxyz"  # Crockford base 32: no i, l, o, u


def _base32(number: int, length: int) -> str:
    return "".join(_ALPHABET[(number >> (5 * i)) & 31] for i in reversed(range(length)))


class Clock(Protocol):
    """What the product may know about time and chance."""

    def now(self) -> datetime:
        """The present, aware, in UTC."""
        ...

    def monotonic(self) -> float:
        """Seconds from an arbitrary start; never goes backwards."""
        ...

    def sleep(self, seconds: float) -> None:
        """Wait. Only composition roots and clients that honour a rate limit call this."""
        ...

    def random(self) -> float:
        """A number in [0, 1): jitter and back-off, never a decision of a flow."""
        ...

    def token(self, nbytes: int = 20) -> str:
        """An unguessable base-32 text with at least `nbytes` * 8 bits."""
        ...

    def new_id(self) -> str:
        """A 26-character, time-ordered id (10 of milliseconds, 16 of chance)."""
        ...


class SystemClock:
    """The machine's clock."""

    def now(self) -> datetime:
        return datetime.now(UTC)

    def monotonic(self) -> float:
        return time.monotonic()

    def sleep(self, seconds: float) -> None:
        if seconds > 0:
            time.sleep(seconds)

    def random(self) -> float:
        return random.random()

    def token(self, nbytes: int = 20) -> str:
        return _base32(int.from_bytes(secrets.token_bytes(nbytes)), -(-nbytes * 8 // 5))

    def new_id(self) -> str:
        return _base32(time.time_ns() // 1_000_000, 10) + _base32(secrets.randbits(80), 16)


class ManualClock:
    """A clock that moves only when told; seeded, so its tokens repeat. For tests and simulation."""

    def __init__(self, start: datetime, seed: int = 0) -> None:
        if start.tzinfo is None:
            raise TypeError("ManualClock needs an aware datetime")
        self._now = start.astimezone(UTC)
        self._chance = random.Random(seed)
        self._mono = 0.0

    def now(self) -> datetime:
        return self._now

    def monotonic(self) -> float:
        return self._mono

    def sleep(self, seconds: float) -> None:
        self.advance(timedelta(seconds=max(0.0, seconds)))

    def random(self) -> float:
        return self._chance.random()

    def token(self, nbytes: int = 20) -> str:
        return _base32(self._chance.getrandbits(nbytes * 8), -(-nbytes * 8 // 5))

    def new_id(self) -> str:
        ms = int(self._now.timestamp() * 1000)
        return _base32(ms, 10) + _base32(self._chance.getrandbits(80), 16)

    def advance(self, by: timedelta) -> None:
        """Move forward. Raises nothing and never moves back: use `set` for clock-jump tests."""
        self._now += by
        self._mono += by.total_seconds()

    def set(self, to: datetime) -> None:
        """Jump to `to`, backwards too, as a wrong system clock would."""
        self._now = to.astimezone(UTC)


def to_text(at: datetime) -> str:
    """UTC text with microseconds: sorts as time, the form in which the store keeps times.

    >>> to_text(datetime(2026, 11, 22, 8, 0, tzinfo=UTC))
    '2026-11-22T08:00:00.000000Z'
    """
    return _utc_text(at if at.tzinfo is UTC else at.astimezone(UTC))


@lru_cache(maxsize=512)
def _utc_text(at: datetime) -> str:
    # The moment of a transaction is written into a dozen rows. Kept for UTC alone: in other zones two moments can be
    # equal as keys (`fold`).
    return at.isoformat(timespec="microseconds")[:26] + "Z"


def from_text(text: str) -> datetime:
    """The inverse of `to_text`; also reads any ISO 8601 time that carries an offset."""
    at = datetime.fromisoformat(text)
    if at.tzinfo is None:
        raise TypeError(f"time without an offset: {text}")
    return at if at.tzinfo is UTC else at.astimezone(UTC)
