"""A clock that jumped is not believed at once: what waits for a year must not leave in the minute of a wrong clock.

The worker compares its wall clock with the last time it believed, plus what the monotonic clock says has passed since
(a new worker: with the last time any worker kept). Within `SLACK` all is well. A larger jump, forwards or back, stops
the worker from acting and is logged as `clock_jumped`, until

* the clock is back where it should be, or
* the jump is no longer than `SHORT` (a machine that slept) and has stood for `STEADY`, or
* it is no longer than `LONGEST` and has stood for `PATIENT`, while `kiitos doctor` and alerts tell of it, or
* it is no longer than `LONGEST`, forwards, and a platform tells of something that happened just now by this clock
  (`connector.working.witness`), or
* a person says that it is right: `kiitos clock confirm`.

Where many machines share one PostgreSQL, a worker also compares its clock with the database's (`shared`): leases
are times, and a machine an hour ahead would take everybody's for ended. One that is more than `APART` away holds still
until it is right; nobody can confirm it, for both cannot be.

A new worker takes any time up to `SHORT` after the last one as the installation's own standstill; a longer one is a
jump to it like any other.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from datetime import datetime, timedelta

from connector.clock import Clock, from_text, to_text
from connector.log import get_log
from connector.store import meta
from connector.store.db import Tx
from connector.store.store import Store

SLACK = timedelta(minutes=10)
"""A clock set right by hand, or by NTP (promise R14). Runs may wake so much too early, and no harm is done."""
SHORT = timedelta(days=3)
"""A closed laptop, a long weekend."""
LONGEST = timedelta(days=31)
STEADY, PATIENT = 600.0, 6 * 3600.0
"""Seconds by the monotonic clock."""
KEEP = timedelta(days=1)
"""How often the believed time is written."""
ASKED = 5.0
"""Seconds between two looks for a witness."""
APART = timedelta(seconds=10)
"""How far a machine's clock may be from the database's: a third of the shortest lease."""
COMPARED = 5.0
"""Seconds between two comparisons."""
_BELIEVED = "clock/believed"

log = get_log("clock")


@dataclass(frozen=True, slots=True)
class Mark:
    """A moment on both clocks: what the wall clock said, and seconds of the monotonic one."""

    at: datetime
    mono: float

    def expected(self, mono: float) -> datetime:
        """What the wall clock should say now."""
        return self.at + timedelta(seconds=mono - self.mono)


class ClockWatch:
    """One worker's. `trusted()` before each tick; it costs two clock readings."""

    shared = False

    def __init__(self, store: Store, clock: Clock, witness: Callable[[], datetime | None] = lambda: None) -> None:
        """`witness` gives a time that is past for certain, whatever this machine's clock says; `None` without one."""
        self._witness = witness
        self._asked = float("-inf")
        self._store = store
        self._clock = clock
        self._believed: Mark | None = None
        self._kept: datetime | None = None
        self._doubted: Mark | None = None
        self._compared = float("-inf")
        self._apart = False

    @property
    def holding(self) -> bool:
        """Whether the last look found a clock that is not believed; for the worker's other threads."""
        return self._doubted is not None or self._apart

    def trusted(self) -> bool:
        """Whether the clock may be acted upon now."""
        now = Mark(self._clock.now(), self._clock.monotonic())
        if self.shared and self._is_apart(now):
            return False
        if self._believed is None:
            with self._store.work.read() as tx:
                self._kept = believed(tx)
            if self._kept is None or -SLACK <= now.at - self._kept <= SHORT:
                return self._believe(now)
            return self._doubt(now, self._kept)
        expected = self._believed.expected(now.mono)
        if abs(now.at - expected) <= SLACK:
            return self._believe(now)
        return self._doubt(now, expected)

    def _is_apart(self, now: Mark) -> bool:
        """Whether this machine's clock differs from the database's, as of a few seconds ago or of a jump just now."""
        jumped = self._believed is not None and abs(now.at - self._believed.expected(now.mono)) > APART
        if jumped or self._apart or now.mono - self._compared >= COMPARED:
            with self._store.work.read() as tx:
                told = meta.server_time(tx)
            apart = told is not None and abs(self._clock.now() - told) > APART
            if apart and not self._apart:
                log.error("clock_differs", now=to_text(now.at), database=to_text(told or now.at))
            self._apart, self._compared = apart, now.mono
        return self._apart

    def _believe(self, now: Mark) -> bool:
        if self._doubted is not None:
            log.warning("clock_believed_again", now=to_text(now.at))
        self._believed, self._doubted = now, None
        if self._kept is None or abs(now.at - self._kept) >= KEEP:
            with self._store.work.transaction() as tx:
                confirm(tx, now.at)
            self._kept = now.at
        return True

    def _doubt(self, now: Mark, expected: datetime) -> bool:
        """Hold still; `True` when the jump has stood long enough, a witness speaks for it or a person confirmed it."""
        if self._doubted is None or abs(now.at - self._doubted.expected(now.mono)) > SLACK:
            self._doubted = now
            log.error("clock_jumped", now=to_text(now.at), expected=to_text(expected), act="kiitos clock confirm")
        with self._store.work.read() as tx:
            kept = believed(tx)
        confirmed = kept is not None and kept != self._kept and abs(now.at - kept) <= SLACK
        jump, stood = now.at - expected, now.mono - self._doubted.mono
        steady = abs(jump) <= LONGEST and stood >= (STEADY if abs(jump) <= SHORT else PATIENT)
        witnessed = timedelta(0) < jump <= LONGEST and self._witnessed(now)
        return self._believe(now) if confirmed or steady or witnessed else False

    def _witnessed(self, now: Mark) -> bool:
        """Whether something that has certainly happened is not `SLACK` before `now`: then the clock is not ahead."""
        if now.mono - self._asked < ASKED:
            return False
        self._asked, seen = now.mono, self._witness()
        return seen is not None and abs(now.at - seen) <= SLACK


def believed(tx: Tx) -> datetime | None:
    """The last time a worker of this installation believed, at most a day old while one runs."""
    kept = meta.get(tx, _BELIEVED)
    return from_text(kept) if kept else None


def confirm(tx: Tx, now: datetime) -> None:
    """From now on `now` is right: by a worker that believes it, or by a person."""
    meta.put(tx, _BELIEVED, to_text(now), now)
