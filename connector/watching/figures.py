"""One look at the installation: what metrics, `kiitos status`, `kiitos doctor` and alerts are made of."""

from __future__ import annotations

import threading
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime, timedelta

from connector.clock import Clock
from connector.config import Config
from connector.errors import StoreUnavailable
from connector.model import Shop
from connector.store import pace, renewals, shops, watch
from connector.store.pace import Pause
from connector.store.renewals import RenewalState
from connector.store.store import Store
from connector.store.watch import Arrival, Blocked, Pile, ProcessRow
from connector.working import standstill
from connector.working.standstill import Held, Standstill

FRESH = 10.0
"""Seconds for which a look is good: several who scrape, or one who does so often, cost one look."""
LEFT = timedelta(minutes=10)
"""A lease that ended so long ago was taken up by nobody, although a worker looks every few seconds."""
LATE = timedelta(days=7)
"""A request about a person's data should be done within a day; after a week it is an alarm (promises.md B2)."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Figures:
    """`at` is when it was looked. Piles name a shop each; `suppressed` counts addresses by shop and reason. `copied`
    says of each part when Litestream last had all of it: empty while it does not run, `None` where there is none."""

    at: datetime
    shops: Sequence[Shop] = ()
    backlog: Sequence[Pile] = ()
    troubled: Sequence[Pile] = ()
    dead: Sequence[Pile] = ()
    held: Sequence[Pile] = ()
    left: Sequence[Pile] = ()
    privacy: Sequence[Pile] = ()
    pauses: Sequence[Pause] = ()
    blocked: Sequence[Blocked] = ()
    jobs: Sequence[tuple[str, str, int, str]] = ()
    arrivals: Sequence[Arrival] = ()
    renewals: Mapping[str, RenewalState] = field(default_factory=dict)
    suppressed: Mapping[tuple[str, str], int] = field(default_factory=dict)
    processes: Sequence[ProcessRow] = ()
    size: int = 0
    backup_at: datetime | None = None
    held_still: Held | None = None
    copied: Mapping[str, datetime | None] | None = None

    def behind(self) -> dict[str, float | None]:
        """Seconds by which Litestream's copy of a part is behind; `None` for one that it has not copied yet."""
        copied = (self.copied or {}).items()
        return {part: None if at is None else max((self.at - at).total_seconds(), 0.0) for part, at in copied}

    @property
    def restored(self) -> bool:
        """Whether the database was restored and is not released yet."""
        return self.held_still is not None and self.held_still.why is Standstill.RESTORED

    @property
    def oldest(self) -> Pile | None:
        """What has been due longest."""
        return min(self.backlog, key=lambda pile: pile.oldest, default=None)

    @property
    def lateness(self) -> timedelta:
        """How long it has been due."""
        return max(self.at - self.oldest.oldest, timedelta()) if self.oldest else timedelta()

    def total(self, piles: Sequence[Pile], kind: str = "") -> int:
        return sum(pile.total for pile in piles if kind in ("", pile.kind))

    def last_webhooks(self) -> dict[str, datetime]:
        """When each shop was last heard of, whatever it said."""
        found: dict[str, datetime] = {}
        for arrival in self.arrivals:
            found[arrival.shop_id] = max(arrival.at, found.get(arrival.shop_id, arrival.at))
        return found


def look(store: Store, now: datetime, config: Config | None = None) -> Figures:
    """Read everything; with the configuration Litestream is asked too, where it is. Raises `StoreUnavailable`."""
    copied = None if config is None else _copied(config)
    backlog, dead = watch.backlog(store, now), watch.dead(store, now)
    arrivals, size = watch.arrivals(store), watch.size(store)
    with store.work.read() as tx:
        return Figures(
            at=now,
            shops=shops.all(tx),
            backlog=backlog,
            dead=dead,
            arrivals=arrivals,
            size=size,
            troubled=watch.troubled(tx),
            held=watch.held(tx),
            left=watch.left(tx, now - LEFT),
            privacy=watch.overdue_privacy(tx, now - LATE),
            pauses=list(pace.pauses(tx)),
            blocked=watch.blocked(tx, now),
            jobs=watch.failing_jobs(tx),
            renewals=renewals.all(tx),
            suppressed=watch.suppressed(tx),
            processes=watch.processes(tx),
            backup_at=watch.backup_at(tx),
            held_still=standstill.read(tx),
            copied=copied,
        )


def _copied(config: Config) -> Mapping[str, datetime | None] | None:
    if config.stream is None:
        return None
    # Here and not above: most installations do without, and their processes need not load it.
    from connector.keeping.streaming import last_synced

    try:
        return last_synced(config)
    except StoreUnavailable:
        return {}


class Looking:
    """Looks that are shared: one that is younger than `FRESH` seconds is given again. Any thread may ask."""

    def __init__(self, store: Store, clock: Clock, config: Config | None = None) -> None:
        self._store = store
        self._config = config
        self._clock = clock
        self._lock = threading.Lock()
        self._last: tuple[float, Figures] | None = None

    def figures(self) -> Figures:
        """Raises `StoreUnavailable`."""
        with self._lock:
            now = self._clock.monotonic()
            if self._last is None or now - self._last[0] >= FRESH:
                self._last = (now, look(self._store, self._clock.now(), self._config))
            return self._last[1]


def living(config: Config, figures: Figures) -> list[Shop]:
    """The shops that are configured, as they stand."""
    return [shop for shop in figures.shops if shop.id in config.shops]
