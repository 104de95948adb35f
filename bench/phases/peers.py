"""Phase J: other systems on the same job, turn and turn about with the product. `--peers` only, never in CI.

In each round every system gets a fresh start, a few orders to warm up, and one burst; the ratio ours/peer is taken
inside the round. Then an open loop far below what any of them can do gives the time from a webhook's due moment to its
message at the sink, and kill -9 in mid-stream tells what an acknowledgement is worth.
"""

from __future__ import annotations

import random
from collections.abc import Callable, Sequence
from dataclasses import dataclass

from bench import corpus, generator, mail, stats
from bench.generator import Load
from bench.mail import Delivered
from bench.peers.celery_redis import CeleryRedis
from bench.peers.n8n import N8n
from bench.peers.nodered import NodeRed
from bench.peers.peer import Peer
from bench.peers.restate import Restate
from bench.phases import e2e, kill
from bench.phases.e2e import Journey
from bench.plan import Bench
from bench.sampling import VoidRun
from bench.systems import System, started

QUIET_SECONDS = 10.0
PATIENCE_SECONDS = 120.0
LATENCY_CONNECTIONS = 16
WARM_UP = 20
"""Orders before a burst, so that no start and no compiler is measured: what runs on Node.js needs some."""
PEERS: tuple[Callable[[], Peer], ...] = (
    N8n,
    lambda: N8n(queue=True),
    NodeRed,
    CeleryRedis,
    lambda: CeleryRedis("everysec"),
    Restate,
)


@dataclass(frozen=True, slots=True)
class Waiting:
    """Milliseconds from the moment a webhook was due to its answer and to its message at the sink."""

    ack_p50: float
    ack_p99: float
    mail_p50: float
    mail_p99: float


def chosen(names: str) -> list[Peer]:
    """The peers of a comma-separated list, or all. Raises `ValueError` for a name nobody has."""
    peers = {peer.name: peer for peer in (make() for make in PEERS)}
    wanted = list(peers) if names == "all" else names.split(",")
    unknown = sorted(set(wanted) - set(peers))
    if unknown:
        raise ValueError(f"no such peer: {', '.join(unknown)} (there are {', '.join(peers)})")
    return [peers[name] for name in wanted]


def run(bench: Bench) -> None:
    """All that was asked for; each that cannot be had, or fails, says so in one line and the others go on."""
    ours = bench.system("ours")
    if ours is None:
        return
    peers = [peer for peer in bench.peers if _can_run(bench, peer)]
    systems: list[System] = [ours, *peers]
    _bursts(bench, systems)
    for system in systems:
        for measure in (_latency, _kill):
            try:
                measure(bench, system)
            except (RuntimeError, VoidRun) as error:
                bench.results.remark(f"{system.name}: {measure.__name__.strip('_')} gave nothing: {error}")
    print(f"\n{table(bench, systems)}\n")


def _can_run(bench: Bench, peer: System) -> bool:
    reason = peer.missing()
    if reason:
        bench.results.remark(f"{peer.name} left out: {reason}")
    return not reason


# -- bursts ---


def _orders(bench: Bench, system: System) -> int:
    return min(bench.plan.orders, system.most_orders) if isinstance(system, Peer) else bench.plan.orders


def _burst(bench: Bench, system: System) -> Journey | None:
    """One burst from a fresh start. `None`, and a remark, when a message is missing or came twice."""
    try:
        tries = [e2e.journey(bench, system, _orders(bench, system), WARM_UP)]
        if tries[0].foreign > stats.FOREIGN_ABOVE and bench.may_repeat():
            tries.append(e2e.journey(bench, system, _orders(bench, system), WARM_UP))
        return min(tries, key=lambda one: one.foreign)
    except (RuntimeError, VoidRun) as error:
        bench.results.remark(f"void run: {error}")
        return None


def _bursts(bench: Bench, systems: Sequence[System]) -> None:
    """The rounds, the order turned by one in each so that none always follows the same neighbour."""
    found: dict[str, list[Journey]] = {system.name: [] for system in systems}
    paired: dict[str, list[tuple[Journey, Journey]]] = {system.name: [] for system in systems[1:]}
    for number in range(bench.plan.rounds):
        turn = number % len(systems)
        taken = {system.name: _burst(bench, system) for system in [*systems[turn:], *systems[:turn]]}
        ours = taken[systems[0].name]
        for name, one in taken.items():
            if one is not None:
                found[name].append(one)
                if ours is not None and name in paired:
                    paired[name].append((ours, one))
    for name, journeys in found.items():
        if journeys:
            _put_burst(bench, name, journeys)
    for name, pairs in paired.items():
        if pairs:
            _put_ratio(bench, name, pairs)


def _doubt(journeys: Sequence[Journey]) -> str:
    return "foreign load above 10 %" if any(one.foreign > stats.FOREIGN_ABOVE for one in journeys) else ""


def _put_burst(bench: Bench, name: str, journeys: list[Journey]) -> None:
    put, doubt = bench.results.put, _doubt(journeys)
    put(f"peers.{name}.rate", [one.rate for one in journeys], "e-mails/s", doubt)
    put(f"peers.{name}.cpu_ms", [one.cpu_ms for one in journeys], "ms/e-mail", doubt)
    put(f"peers.{name}.loaded_pss_mb", [one.loaded_pss_mb for one in journeys], "MB")
    put(f"peers.{name}.message_bytes", [one.message_bytes for one in journeys], "bytes")
    put(f"peers.{name}.foreign", [one.foreign for one in journeys], "of all cores")


def _put_ratio(bench: Bench, name: str, pairs: list[tuple[Journey, Journey]]) -> None:
    doubt = _doubt([one for pair in pairs for one in pair])
    rates = [stats.ratio(ours.rate, theirs.rate) for ours, theirs in pairs]
    cpu = [stats.ratio(theirs.cpu_ms, ours.cpu_ms) for ours, theirs in pairs]
    bench.results.put(f"peers.ours_over_{name}.rate", rates, "x", doubt)
    bench.results.put(f"peers.{name}_over_ours.cpu", cpu, "x", doubt)


# -- latency and kill ---


def waited(outcome: generator.Outcome, rate: float, delivered: Sequence[Delivered]) -> Waiting:
    """Order `n` was due at `started + n / rate`; its message is known by its recipient."""
    due = {corpus.email_of(number): outcome.started + number / rate for number in range(outcome.ok)}
    took = [(one.at - due[one.recipient]) * 1000 for one in delivered if one.recipient in due]
    return Waiting(outcome.p50_ms, outcome.p99_ms, stats.percentile(took, 0.5), stats.percentile(took, 0.99))


def _latency(bench: Bench, system: System) -> None:
    rate, seconds = bench.plan.peer_rate, bench.plan.open_seconds
    orders, where = int(rate * seconds), bench.fresh(f"{system.name}-pace")
    corpus_file = bench.corpus(orders)
    try:
        with mail.sink(where) as sink, started(system, where, roles=system.roles, sink_port=sink.port) as running:
            load = Load(connections=LATENCY_CONNECTIONS, seconds=seconds + 5, rate=rate, count=orders)
            outcome = generator.run(load, running.port, system.hook_path, corpus_file)
            delivered = sink.wait_for(orders, quiet=QUIET_SECONDS, patience=PATIENCE_SECONDS)
        e2e.check_mail(delivered, orders)
        found = waited(outcome, rate, delivered)
    finally:
        bench.discard(where)
    for name in ("ack_p50", "ack_p99", "mail_p50", "mail_p99"):
        bench.results.put(f"peers.{system.name}.{name}_ms", getattr(found, name), "ms")


def _kill(bench: Bench, system: System) -> None:
    """As the kill phase, at its first rate, for every system alike; the instants are the same for all."""
    chance = random.Random(int(bench.began.timestamp()))
    found: list[kill.Aftermath] = []
    for _ in range(bench.plan.kills):
        where = bench.fresh(f"{system.name}-kill")
        try:
            with mail.sink(where) as sink:
                after = chance.uniform(kill.EARLIEST, kill.LATEST)
                found.append(kill.kill_once(bench, system, bench.plan.kill_rates[0], after, where, sink))
        finally:
            bench.discard(where)
    put, prefix = bench.results.put, f"peers.{system.name}.kill"
    put(f"{prefix}.acknowledged", float(sum(one.acknowledged for one in found)), "webhooks")
    put(f"{prefix}.unsent", float(sum(one.unsent for one in found)), "e-mails")
    put(f"{prefix}.extra", float(sum(one.extra for one in found)), "e-mails")
    put(f"{prefix}.back_after_s", [one.back_after for one in found], "s")


# -- the table ---

COLUMNS = (
    ("e-mails/s", "rate", 0),
    ("CPU ms", "cpu_ms", 2),
    ("MB", "loaded_pss_mb", 0),
    ("bytes", "message_bytes", 0),
    ("ack p50 ms", "ack_p50_ms", 1),
    ("ack p99", "ack_p99_ms", 1),
    ("mail p50 ms", "mail_p50_ms", 1),
    ("mail p99", "mail_p99_ms", 1),
    ("acked, killed", "kill.acknowledged", 0),
    ("lost", "kill.unsent", 0),
    ("twice", "kill.extra", 0),
)


def table(bench: Bench, systems: Sequence[System]) -> str:
    """One line a system, in Markdown, as the documentation takes it."""
    head = ["system", *(title for title, _, _ in COLUMNS), "ours/it, rate", "differs by"]
    lines = [head, ["---"] * len(head)]
    for system in systems:
        cells = []
        for _, name, digits in COLUMNS:
            value = bench.results.value(f"peers.{system.name}.{name}")
            cells.append("-" if value is None else f"{value:.{digits}f}")
        ratio = bench.results.figures.get(f"peers.ours_over_{system.name}.rate")
        differs = system.differs if isinstance(system, Peer) else ""
        lines.append([system.name, *cells, ratio.rounds.text(1) if ratio else "", differs])
    return "\n".join(f"| {' | '.join(line)} |" for line in lines)
