"""Phases B, C, D: ours beside the floor and the stock stack, on this disk and on slow ones, in paired rounds."""

from __future__ import annotations

from dataclasses import dataclass

from bench import stats
from bench.generator import Load
from bench.plan import Bench
from bench.sampling import Sample, VoidRun, measure
from bench.systems import Floor, System

ROUND_REPEATS = 2


@dataclass(frozen=True, slots=True)
class Round:
    """All systems under the same load within a few seconds; the floor runs first and last."""

    samples: dict[str, Sample]
    floor_after: Sample | None
    stable: bool

    def rate(self, name: str) -> float:
        """Requests per second; of the floor the mean of its two runs."""
        if name == "floor" and self.floor_after is not None:
            return (self.samples[name].outcome.rate + self.floor_after.outcome.rate) / 2
        return self.samples[name].outcome.rate

    def cpu_us(self, name: str) -> float:
        if name == "floor" and self.floor_after is not None:
            return (self.samples[name].cpu_us + self.floor_after.cpu_us) / 2
        return self.samples[name].cpu_us


def _take_round(bench: Bench, systems: tuple[System, ...], load: Load, fsync_us: int) -> Round:
    samples = {}
    for system in systems:
        try:
            samples[system.name] = measure(bench, system, load, fsync_us)
        except VoidRun as reason:
            bench.results.remark(f"void run: {reason}")
    if "floor" not in samples or len(samples) == 1:
        return Round(samples, None, stable=True)
    try:
        after = measure(bench, systems[0], load, fsync_us)
    except VoidRun as reason:
        bench.results.remark(f"void run: {reason}")
        return Round(samples, None, stable=False)
    # The open loop's rate is fixed, so there the floors are compared by what they cost.
    pair = (samples["floor"].cpu_us, after.cpu_us) if load.rate else (samples["floor"].outcome.rate, after.outcome.rate)
    return Round(samples, after, stable=not stats.floors_disagree(*pair))


def take_rounds(bench: Bench, systems: tuple[System, ...], load: Load, fsync_us: int = 0) -> list[Round]:
    """The plan's rounds; one in which the two floors disagree is taken again, at most twice."""
    rounds = []
    for _ in range(bench.plan.rounds):
        taken = _take_round(bench, systems, load, fsync_us)
        for _ in range(ROUND_REPEATS):
            if taken.stable or not bench.may_repeat():
                break
            taken = _take_round(bench, systems, load, fsync_us)
        rounds.append(taken)
    return rounds


def doubt_of(rounds: list[Round]) -> str:
    """Why figures of these rounds must not be gated; empty when they may."""
    samples = [sample for taken in rounds for sample in taken.samples.values()]
    if any(not taken.stable for taken in rounds):
        return "unstable: the floors before and after differ by more than 25 %"
    if any(sample.outcome.generator_bound for sample in samples):
        return "generator-bound"
    if any(sample.usage.foreign > stats.FOREIGN_ABOVE for sample in samples):
        return "foreign load above 10 %"
    return ""


def _put_absolute(bench: Bench, prefix: str, name: str, rounds: list[Round], doubt: str) -> None:
    put = bench.results.put
    samples = [taken.samples[name] for taken in rounds]
    put(f"{prefix}.{name}.rate", [taken.rate(name) for taken in rounds], "/s", doubt)
    put(f"{prefix}.{name}.cpu_us", [taken.cpu_us(name) for taken in rounds], "us/req", doubt)
    for share in ("p50_ms", "p99_ms", "p999_ms", "max_ms"):
        put(f"{prefix}.{name}.{share}", [getattr(sample.outcome, share) for sample in samples], "ms", doubt)
    put(f"{prefix}.{name}.foreign", [sample.usage.foreign for sample in samples], "of all cores")
    put(f"{prefix}.{name}.generator_cpu", [sample.outcome.cpu_share for sample in samples], "of a core")


def _put_ratios(bench: Bench, prefix: str, other: str, rounds: list[Round], doubt: str) -> None:
    put, ratio = bench.results.put, stats.ratio
    if other == "floor":
        doubt = doubt or _stand_in(bench)
    label = f"{prefix}.ours_over_{other}"
    put(f"{label}.rate", [ratio(taken.rate("ours"), taken.rate(other)) for taken in rounds], "x", doubt)
    put(f"{label}.cpu", [ratio(taken.cpu_us("ours"), taken.cpu_us(other)) for taken in rounds], "x", doubt)
    p99 = [ratio(taken.samples["ours"].outcome.p99_ms, taken.samples[other].outcome.p99_ms) for taken in rounds]
    put(f"{label}.p99", p99, "x", doubt)


def _stand_in(bench: Bench) -> str:
    floor = bench.system("floor")
    return "" if isinstance(floor, Floor) and floor.native else "the floor is the Python stand-in"


def record(bench: Bench, prefix: str, rounds: list[Round]) -> None:
    """Absolute figures of every system that ran in all rounds, then the paired ratios."""
    doubt = doubt_of(rounds)
    whole = [name for name in ("floor", "ours", "stock") if all(name in taken.samples for taken in rounds)]
    for name in whole:
        _put_absolute(bench, prefix, name, rounds, doubt)
    for other in ("floor", "stock"):
        if "ours" in whole and other in whole:
            _put_ratios(bench, prefix, other, rounds, doubt)
    if "floor" in whole and "stock" in whole:
        ratios = [stats.ratio(taken.rate("stock"), taken.rate("floor")) for taken in rounds]
        bench.results.put(f"{prefix}.stock_over_floor.rate", ratios, "x", doubt or _stand_in(bench))


def closed_loop(bench: Bench, disk: str, connections: tuple[int, ...], fsync_us: int = 0) -> None:
    for c in connections:
        load = Load(connections=c, seconds=bench.plan.seconds)
        record(bench, f"receiver.{disk}.c{c}", take_rounds(bench, bench.systems, load, fsync_us))


def open_loop(bench: Bench) -> None:
    """Latency at fixed rates, and at half of what each system was measured to reach."""
    for rate in bench.plan.open_rates:
        # Beyond about 1,000/s the stock stack only builds a queue; its number would say nothing.
        systems = tuple(system for system in bench.systems if system.name != "stock" or rate <= 500)
        load = Load(connections=64, seconds=bench.plan.open_seconds, rate=rate)
        record(bench, f"receiver.open{rate}", take_rounds(bench, systems, load))
    top = bench.results.value("receiver.fast.c64.ours.rate")
    ours = bench.system("ours")
    if top and ours is not None:
        load = Load(connections=64, seconds=bench.plan.open_seconds, rate=round(top / 2))
        record(bench, "receiver.open_half", take_rounds(bench, (ours,), load))


def duplicates_and_forgeries(bench: Bench) -> None:
    """A repeated id is answered 200 and stored once; a wrong signature is a 401 and costs less than an acceptance."""
    ours = bench.system("ours")
    if ours is None:
        return
    seconds = bench.plan.seconds
    try:
        # Void unless exactly 100 rows are stored: the check is in measure_once.
        measure(bench, ours, Load(connections=16, seconds=seconds, count=2000, repeat_every=100))
        accepted = [measure(bench, ours, Load(connections=16, seconds=seconds)) for _ in range(bench.plan.rounds)]
        forged = Load(connections=16, seconds=seconds, wrong_percent=100)
        refused = [measure(bench, ours, forged) for _ in range(bench.plan.rounds)]
    except VoidRun as reason:
        bench.results.remark(f"void run: {reason}")
        bench.results.put("receiver.repeats_stored_once", 0.0, "1 = yes")
        return
    bench.results.put("receiver.repeats_stored_once", 1.0, "1 = yes")
    ratios = [stats.ratio(no.cpu_us, yes.cpu_us) for no, yes in zip(refused, accepted, strict=True)]
    bench.results.put("receiver.refused_over_accepted.cpu", ratios, "x")


def fast(bench: Bench) -> None:
    closed_loop(bench, "fast", bench.plan.connections)
    open_loop(bench)
    duplicates_and_forgeries(bench)


def slow(bench: Bench) -> None:
    """The same with every fsync made longer. Group commit must keep most of its own fast-disk rate."""
    for fsync_us in bench.plan.fsync_us:
        closed_loop(bench, f"fsync{fsync_us}us", bench.plan.slow_connections, fsync_us)
    kept = bench.results.value("receiver.fsync2000us.c64.ours.rate")
    own = bench.results.value("receiver.fast.c64.ours.rate")
    if kept and own:
        bench.results.put("receiver.slow_over_fast.c64", stats.ratio(kept, own), "x")
