"""A damaged database is noticed, and nothing is sent from it (promise R13).

Files are checked quickly when they are opened (one too large for that beside the work, by one process for all: a
restart must not cost minutes of mail), thoroughly every night, and by every query that stumbles over damage.
From then on no worker acts, after a restart neither, until a file that passes the thorough check stands in its place.
PostgreSQL looks after its own files.
"""

from __future__ import annotations

from collections.abc import Callable
from datetime import datetime, timedelta
from functools import partial

from connector.clock import Clock, from_text, to_text
from connector.errors import StoreDamaged, StoreUnavailable
from connector.log import get_log
from connector.store import integrity, meta
from connector.store.db import Sqlite, Tx
from connector.store.integrity import mark_of
from connector.store.store import Store

NIGHT = timedelta(hours=2)
"""After midnight, UTC: late evening to early morning where most shops of an installation are."""
THOROUGH = 7200.0
"""Seconds a thorough check may take, then a quick one takes its place: it looks each row up in each index, which
outlasts the night where a file is several times as large as the memory, and no write-ahead log is emptied meanwhile."""
LOOK_EVERY = 60.0
"""Seconds between two looks at whether the night has come."""
_CHECKED = "integrity/checked"

log = get_log("integrity")


class Integrity:
    """One worker's. `sound()` before each tick; it costs a look at two names in a folder."""

    def __init__(self, store: Store, clock: Clock) -> None:
        self._store = store
        self._clock = clock
        self._files = [database for database in store.files() if not database.temporary]
        self._marks = [mark_of(database) for database in self._files]
        self._passed = {database.name: _passed(database) for database in store.unchecked}
        self._damaged = False
        self._told = False

    @property
    def any(self) -> bool:
        """Whether there are files to watch."""
        return bool(self._files)

    def sound(self) -> bool:
        """Whether nothing is known against the files."""
        if not self._damaged and not any(mark.exists() for mark in self._marks):
            return True
        if not self._told:
            self._told = True
            log.error("database_damaged", act=f"stop Kiitos, then {integrity.ADVICE}")
        self._damaged = True
        return False

    def learn(self, error: StoreUnavailable) -> None:
        """What a query met. Anything but damage passes by itself and is no concern of ours."""
        if isinstance(error, StoreDamaged):
            self._condemn(error.database, error.message)

    def check_the_rest(self) -> None:
        """Check what was opened before its check had come to an end, unless another process has done so since."""
        while self._store.unchecked:
            database = self._store.unchecked.pop()
            with integrity.turn(database) as turn:
                if turn.passed() != self._passed[database.name]:
                    log.info("database_checked_by_another", database=database.name)
                elif self._passes(database, database.quick_check):
                    turn.add()

    def check_at_night(self) -> bool:
        """Check every file thoroughly if this night's check has not been made; whether it was made now."""
        if not self._files or not self._claim():
            return False
        for database in self._files:
            self._passes(database, partial(_thorough, database))
        return True

    def _passes(self, database: Sqlite, check: Callable[[], str]) -> bool:
        began = self._clock.monotonic()
        verdict = check()
        took = round(self._clock.monotonic() - began, 1)
        log.info("database_checked", database=database.name, verdict=verdict, seconds=took)
        if verdict != "ok":
            self._condemn(database.name, verdict)
        return verdict == "ok"

    def keep_watch(self, stopping: Callable[[], bool]) -> None:
        """A worker's thread: the check of a large file must not hold up anybody's mail."""
        next_look = 0.0
        while not stopping():
            if self._clock.monotonic() >= next_look and not self._damaged:
                next_look = self._clock.monotonic() + LOOK_EVERY
                try:
                    self.check_the_rest()
                    self.check_at_night()
                except StoreUnavailable as error:
                    log.error("store_unavailable", code=error.code)
                    self.learn(error)
                except Exception as error:
                    log.exception("integrity_not_checked", error)
            self._clock.sleep(1.0)

    def _condemn(self, name: str, verdict: str) -> None:
        self._damaged = True
        for database in self._files:
            if database.name == name:
                integrity.condemn(database, verdict)

    def _claim(self) -> bool:
        """Whether this worker is the one that checks tonight. A new installation was checked when it was opened."""
        now = self._clock.now()
        with self._store.work.read() as tx:
            last = _last(tx)
        if last is not None and now < _night_after(last):
            return False
        with self._store.work.transaction() as tx:
            if _last(tx) != last:
                return False  # another worker was first
            meta.put(tx, _CHECKED, to_text(now), now)
        return last is not None


def _thorough(database: Sqlite) -> str:
    return database.integrity_check(THOROUGH) or database.quick_check()


def _passed(database: Sqlite) -> int:
    with integrity.turn(database, wait=False) as turn:
        return turn.passed()


def _last(tx: Tx) -> datetime | None:
    found = meta.get(tx, _CHECKED)
    return from_text(found) if found else None


def _night_after(at: datetime) -> datetime:
    night = at.replace(hour=0, minute=0, second=0, microsecond=0) + NIGHT
    return night if night > at else night + timedelta(days=1)
