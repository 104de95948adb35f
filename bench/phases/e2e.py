"""Phases F and G: from the webhook to the last e-mail at the sink, and a burst above what can be sustained."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

from bench import accounting, corpus, generator, mail, stats
from bench.generator import Load
from bench.mail import Delivered, Sink
from bench.plan import Bench
from bench.sampling import VoidRun
from bench.systems import Running, System, started

QUIET_SECONDS = 10.0
PATIENCE_SECONDS = 180.0
WARM_UP_IDS = 1 << 40


@dataclass(frozen=True, slots=True)
class Journey:
    """One burst of orders. CPU in milliseconds per e-mail: of the whole tree, and of the worker alone."""

    rate: float
    cpu_ms: float
    worker_ms: float
    foreign: float
    loaded_pss_mb: float
    message_bytes: float = 0.0


def check_mail(delivered: list[Delivered], orders: int) -> None:
    """Exactly one message for each order. Raises `VoidRun`."""
    recipients = [message.recipient for message in delivered]
    missing = {corpus.email_of(number) for number in range(orders)} - set(recipients)
    if missing or len(recipients) != orders:
        raise VoidRun(f"{orders} orders: {len(missing)} without a message, {len(recipients)} messages in all")


def _warm_up(running: Running, sink: Sink, corpus_file: Path, orders: int) -> None:
    """Other orders first, until they are mailed: all processes are up, and what they compile is compiled."""
    load = Load(connections=4, seconds=60, count=orders, id_base=WARM_UP_IDS)
    outcome = generator.run(load, running.port, running.system.hook_path, corpus_file)
    if outcome.ok != orders or len(sink.wait_for(orders, quiet=QUIET_SECONDS * 3, patience=PATIENCE_SECONDS)) < orders:
        raise VoidRun(f"{running.system.name}: {outcome.ok} of {orders} accepted while warming up, or not mailed")


def _one(running: Running, sink: Sink, orders: int, corpus_file: Path, warmed: int = 0) -> Journey:
    meter = accounting.Meter(*running.pids)
    worker = running.leaders.get("worker")
    worker_before = accounting.cpu_seconds(worker.pid) if worker else 0.0
    sink_before = accounting.cpu_seconds(sink.process.pid)
    load = Load(connections=16, seconds=60, count=orders)
    outcome = generator.run(load, running.port, running.system.hook_path, corpus_file)
    if outcome.errors or outcome.ok != orders:
        raise VoidRun(f"{running.system.name}: {outcome.ok} of {orders} accepted, {outcome.errors} errors")
    delivered = sink.wait_for(orders + warmed, quiet=QUIET_SECONDS, patience=PATIENCE_SECONDS)
    usage = meter.read(also=accounting.cpu_seconds(sink.process.pid) - sink_before)
    before = {corpus.email_of(number) for number in range(orders, orders + warmed)}
    delivered = [message for message in delivered if message.recipient not in before]
    check_mail(delivered, orders)
    worker_cpu = accounting.cpu_seconds(worker.pid) - worker_before if worker else 0.0
    return Journey(
        rate=orders / (delivered[-1].at - outcome.started),
        cpu_ms=usage.cpu * 1000 / orders,
        worker_ms=worker_cpu * 1000 / orders,
        foreign=usage.foreign,
        loaded_pss_mb=sum(accounting.pss_mb(pid) for pid in running.pids),
        message_bytes=stats.median([message.size for message in delivered]),
    )


def journey(bench: Bench, system: System, orders: int, warm_up: int = 0) -> Journey:
    """One burst at a system started afresh. Raises `VoidRun` unless every order was mailed exactly once.

    After `warm_up` orders of their own; without, the worker's start and its first message count too.
    """
    where = bench.fresh(f"{system.name}-mail")
    corpus_file = bench.corpus(orders)
    try:
        with (
            mail.sink(where) as sink,
            started(system, where, roles=system.roles, sink_port=sink.port) as running,
        ):
            if warm_up:
                others = list(corpus.bodies(orders + warm_up, bench.began))[orders:]
                corpus.write(where / "warm-up.kbc", others)
                _warm_up(running, sink, where / "warm-up.kbc", warm_up)
            return _one(running, sink, orders, corpus_file, warm_up)
    finally:
        bench.discard(where)


def run(bench: Bench) -> None:
    system = bench.system("ours")
    if system is None:
        return
    journeys: list[Journey] = []
    for _ in range(bench.plan.rounds):
        try:
            tries = [journey(bench, system, bench.plan.orders)]
            if tries[0].foreign > stats.FOREIGN_ABOVE and bench.may_repeat():
                tries.append(journey(bench, system, bench.plan.orders))
            journeys.append(min(tries, key=lambda journey: journey.foreign))
        except VoidRun as reason:
            bench.results.remark(f"void run: {reason}")
    if journeys:
        _record(bench, journeys)
    if bench.plan.burst_seconds and journeys:
        _burst(bench, system, stats.median([journey.rate for journey in journeys]))


def _record(bench: Bench, journeys: list[Journey]) -> None:
    put = bench.results.put
    calm = all(journey.foreign <= stats.FOREIGN_ABOVE for journey in journeys)
    doubt = "" if calm else "foreign load above 10 %"
    put("e2e.rate", [journey.rate for journey in journeys], "e-mails/s", doubt)
    put("e2e.cpu_ms", [journey.cpu_ms for journey in journeys], "ms/e-mail", doubt)
    put("e2e.worker_cpu_ms", [journey.worker_ms for journey in journeys], "ms/e-mail", doubt)
    put("e2e.foreign", [journey.foreign for journey in journeys], "of all cores")
    put("memory.loaded_pss_mb", [journey.loaded_pss_mb for journey in journeys], "MB")
    parts = ("render.floor.cpu_us", "machine.smtp.client_us", "machine.store.cpu_us")
    known = [bench.results.value(part) for part in parts]
    if all(known):
        floor_ms = sum(value for value in known if value) / 1000
        put("e2e.cpu_over_floor", [stats.ratio(journey.cpu_ms, floor_ms) for journey in journeys], "x", doubt)


def _burst(bench: Bench, system: System, sustained: float) -> None:
    """Five seconds at three times the sustained rate: every webhook accepted, and how long the queue needs to drain."""
    rate, seconds = round(sustained * 3), bench.plan.burst_seconds
    orders, where = int(rate * seconds), bench.fresh("burst")
    corpus_file = bench.corpus(orders)
    try:
        with (
            mail.sink(where) as sink,
            started(system, where, roles=system.roles, sink_port=sink.port) as running,
        ):
            load = Load(connections=64, seconds=seconds + 1, rate=rate, count=orders)
            outcome = generator.run(load, running.port, system.hook_path, corpus_file)
            delivered = sink.wait_for(outcome.ok, quiet=QUIET_SECONDS, patience=PATIENCE_SECONDS)
        bench.results.put("burst.errors", float(outcome.errors), "answers")
        bench.results.put("burst.rate", outcome.rate, "/s")
        bench.results.put("burst.p99_ms", outcome.p99_ms, "ms")
        bench.results.put("burst.drain_s", delivered[-1].at - outcome.ended if delivered else 0.0, "s")
        bench.results.put(
            "burst.unsent", float(outcome.ok - len({message.recipient for message in delivered})), "e-mails"
        )
    finally:
        bench.discard(where)
        corpus_file.unlink(missing_ok=True)
