"""How long a run takes and where it works: the choices every phase shares."""

from __future__ import annotations

import shutil
from dataclasses import dataclass, field
from datetime import UTC, datetime
from itertools import count
from pathlib import Path

from bench import corpus, native
from bench.figures import Results
from bench.ours import Ours
from bench.systems import Floor, Stock, System


@dataclass(frozen=True, slots=True, kw_only=True)
class Plan:
    """Seconds are per measured stretch; `fsync_us` lists the slow disks; `kills` counts kill -9 instants per rate,
    `sleepers` the runs asleep, a database each; `restarts` runs asleep and overdue when the product is started.

    `many_kills` end lives of one installation.

    `step_crowd` runs of `step_sleepers` come due together; `growth` are numbers of orders kept, `growth_orders` how
    many new ones come in at each; `peer_rate` is how many webhooks a second the peers' latency is taken at: few enough
    for the slowest of them.

    `steady_seconds` are spent at fifty webhooks a second, with `steady_backlog` orders for the worker before.

    `repeats` bounds how many disturbed stretches and rounds are taken again in the whole run.
    """

    rounds: int = 3
    seconds: float = 2.0
    connections: tuple[int, ...] = (1, 16, 64, 256)
    slow_connections: tuple[int, ...] = (16, 64)
    fsync_us: tuple[int, ...] = (2000, 10000)
    open_rates: tuple[int, ...] = (500, 2000)
    open_seconds: float = 3.0
    orders: int = 2000
    messages: int = 2000
    past_orders: int = 100_000
    burst_seconds: float = 5.0
    repeats: int = 24
    kill_rates: tuple[int, ...] = (200, 2000)
    kills: int = 3
    sleepers: tuple[int, ...] = (10_000, 100_000, 1_000_000)
    step_sleepers: int = 1_000_000
    step_crowd: int = 20_000
    many_kills: int = 100
    restarts: tuple[tuple[int, int], ...] = ((1_000_000, 100_000),)
    peer_rate: int = 20
    growth: tuple[int, ...] = (10_000, 100_000, 1_000_000, 10_000_000)
    growth_orders: int = 500
    steady_seconds: float = 300.0
    steady_backlog: int = 60_000


FULL = Plan()
QUICK = Plan(
    seconds=1.0,
    connections=(64,),
    slow_connections=(64,),
    fsync_us=(2000,),
    open_rates=(2000,),
    open_seconds=2.0,
    orders=1000,
    messages=500,
    past_orders=4_000,
    repeats=8,
    burst_seconds=0.0,
    kill_rates=(200,),
    kills=1,
    sleepers=(10_000, 100_000),
    step_sleepers=100_000,
    step_crowd=4_000,
    growth=(10_000, 100_000),
    growth_orders=200,
    restarts=((20_000, 6_000),),
    many_kills=3,
    steady_seconds=20.0,
    steady_backlog=2_000,
)


@dataclass(slots=True)
class Bench:
    """One run: the plan, the systems that can run here, the results, and a scratch directory on the real disk."""

    plan: Plan
    systems: tuple[System, ...]
    peers: tuple[System, ...] = ()
    results: Results = field(default_factory=Results)
    began: datetime = field(default_factory=lambda: datetime.now(UTC))
    _numbers: count[int] = field(default_factory=count)
    _repeated: int = 0

    @property
    def scratch(self) -> Path:
        return native.CACHE / "scratch"

    def fresh(self, name: str) -> Path:
        """An empty directory for one start; a database is never used for two configurations."""
        where = self.scratch / f"{next(self._numbers):04d}-{name}"
        shutil.rmtree(where, ignore_errors=True)
        where.mkdir(parents=True)
        return where

    def discard(self, where: Path) -> None:
        """Removes it at once: dirty pages of a finished run must not be written during the next."""
        shutil.rmtree(where, ignore_errors=True)

    def corpus(self, orders: int | None = None) -> Path:
        return corpus.cached(native.CACHE, orders or self.plan.orders, self.began)

    def may_repeat(self) -> bool:
        """Whether a disturbed stretch may be taken again: on a busy machine a run must still end."""
        if self._repeated == self.plan.repeats:
            self.results.remark(
                f"{self._repeated} disturbed stretches were repeated; from here on they stand, in doubt"
            )
        self._repeated += 1
        return self._repeated <= self.plan.repeats

    def system(self, name: str) -> System | None:
        return next((system for system in self.systems if system.name == name), None)


def prepare(plan: Plan, wanted: tuple[str, ...]) -> Bench:
    """Checks which systems can run here and says of each absent one why, in one line."""
    native.CACHE.mkdir(parents=True, exist_ok=True)
    bench = Bench(plan, ())
    shutil.rmtree(bench.scratch, ignore_errors=True)
    present: list[System] = []
    for system in (Floor(), Ours(), Stock()):
        reason = system.missing() if system.name in wanted else "not asked for"
        if not reason:
            present.append(system)
        elif system.name in wanted:
            bench.results.remark(f"{system.name} left out: {reason}")
    bench.systems = tuple(present)
    return bench
