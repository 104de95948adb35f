"""One measured stretch of one system, with the checks that make it worth believing."""

from __future__ import annotations

from dataclasses import dataclass

from bench import accounting, generator, stats
from bench.generator import Load, Outcome
from bench.plan import Bench
from bench.systems import Running, System, started

WARM_UP_SECONDS = 0.3
WARM_UP_IDS = 1 << 40
DELAY_CHECK_IDS = 1 << 41
REPEATS_WHEN_FOREIGN = 2


class VoidRun(Exception):
    """A stretch whose figures mean nothing; the text says why."""


@dataclass(frozen=True, slots=True)
class Sample:
    """What one system did under one load."""

    system: str
    outcome: Outcome
    usage: accounting.Usage

    @property
    def cpu_us(self) -> float:
        """CPU of the whole process tree per answered request, in microseconds: the figure that survives noise."""
        return stats.ratio(self.usage.cpu * 1e6, self.outcome.ok + self.outcome.rejected)


def _send(bench: Bench, running: Running, load: Load) -> Outcome:
    outcome = generator.run(load, running.port, running.system.hook_path, bench.corpus())
    if outcome.errors:
        raise VoidRun(
            f"{running.system.name}: {outcome.non_2xx} wrong statuses {dict(outcome.statuses)}, "
            f"{outcome.resets} resets, {outcome.unanswered} unanswered"
        )
    return outcome


def _check_delay(bench: Bench, running: Running, fsync_us: int) -> int:
    """One connection cannot be answered sooner than one sync: proves that the delay reaches this process."""
    outcome = _send(bench, running, Load(connections=1, seconds=0.3, id_base=DELAY_CHECK_IDS))
    if outcome.p50_ms < fsync_us / 1000 * 0.9:
        raise VoidRun(
            f"{running.system.name}: answered in {outcome.p50_ms} ms on a disk that needs {fsync_us / 1000} ms to sync"
        )
    return outcome.ok


def measure_once(bench: Bench, system: System, load: Load, fsync_us: int = 0) -> Sample:
    """Start fresh, warm up, measure, stop, and count the rows: all acknowledged, none twice.

    Raises `VoidRun`; `RuntimeError` when the system does not start or leaves an orphan behind.
    """
    where = bench.fresh(system.name)
    try:
        with started(system, where, fsync_us=fsync_us) as running:
            acknowledged = _check_delay(bench, running, fsync_us) if fsync_us else 0
            warm_up = Load(connections=load.connections, seconds=WARM_UP_SECONDS, id_base=WARM_UP_IDS)
            acknowledged += _send(bench, running, warm_up).ok
            meter = accounting.Meter(*running.pids)
            outcome = _send(bench, running, load)
            usage = meter.read()
        if usage.cpu <= 0:
            raise VoidRun(f"{system.name}: used no CPU; did another program answer on its port?")
        acknowledged += min(outcome.ok, load.repeat_every or outcome.ok)
        stored = len(system.keys(where)) if system.stores else acknowledged
        if stored != acknowledged:
            raise VoidRun(f"{system.name}: acknowledged {acknowledged}, stored {stored}")
        return Sample(system.name, outcome, usage)
    finally:
        bench.discard(where)


def measure(bench: Bench, system: System, load: Load, fsync_us: int = 0) -> Sample:
    """`measure_once`, repeated at most twice while strangers take more than 10 % of the machine; the calmest counts."""
    best = measure_once(bench, system, load, fsync_us)
    for _ in range(REPEATS_WHEN_FOREIGN):
        if best.usage.foreign <= stats.FOREIGN_ABOVE or not bench.may_repeat():
            break
        again = measure_once(bench, system, load, fsync_us)
        best = min(best, again, key=lambda sample: sample.usage.foreign)
    return best
