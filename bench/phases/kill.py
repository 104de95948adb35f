"""Phase H: kill -9 of the whole process tree in mid-stream; then every acknowledged webhook is looked for."""

from __future__ import annotations

import random
import time
from collections import Counter
from collections.abc import Collection, Mapping
from dataclasses import dataclass
from pathlib import Path

from bench import corpus, generator, mail
from bench.generator import Load
from bench.mail import Delivered, Sink
from bench.plan import Bench
from bench.systems import System, launch

SECONDS = 5.0
EARLIEST, LATEST = 1.0, 3.5
QUIET_SECONDS = 90.0  # leases of the killed worker must run out before its work is taken up again
PATIENCE_SECONDS = 240.0


Damage = tuple[int, int, int]


@dataclass(frozen=True, slots=True)
class Aftermath:
    """What one kill left. `lost`: acknowledged, not stored; `unsent`: stored, never mailed; `extra`: sent again."""

    acknowledged: int
    lost: int
    unsent: int
    extra: int
    back_after: float
    drained_after: float


def compare(acknowledged: Mapping[str, int], stored: Collection[str], recipients: list[str] | None) -> Damage:
    """(lost, unsent, extra). `recipients` is `None` for a system that sends no mail."""
    lost = sum(1 for key in acknowledged if key not in stored)
    if recipients is None:
        return lost, 0, 0
    counts = Counter(recipients)
    unsent = sum(1 for number in acknowledged.values() if corpus.email_of(number) not in counts)
    return lost, unsent, sum(count - 1 for count in counts.values())


def _wait_for(sink: Sink, recipients: Collection[str]) -> list[Delivered]:
    """Waits until all of them have a message, or nothing came for `QUIET_SECONDS`; then 2 s more, for what is doubled.

    Deliveries stored but not acknowledged when the kill came are mailed too, so the count alone does not end it.
    """
    deadline = time.monotonic() + PATIENCE_SECONDS
    delivered = sink.wait_for(len(recipients), quiet=QUIET_SECONDS, patience=PATIENCE_SECONDS)
    while not set(recipients) <= {message.recipient for message in delivered}:
        rest = deadline - time.monotonic()
        more = sink.wait_for(len(delivered) + 1, quiet=QUIET_SECONDS, patience=rest) if rest > 0 else delivered
        if len(more) == len(delivered):
            return more
        delivered = more
    time.sleep(2)
    return sink.delivered()


def kill_once(bench: Bench, system: System, rate: int, after: float, where: Path, sink: Sink) -> Aftermath:
    """Kills all roles `after` seconds into the stream, starts them again and looks for what was acknowledged."""
    acks, corpus_file = where / "acknowledged", bench.corpus(int(rate * SECONDS))
    running = launch(system, where, roles=system.roles, sink_port=sink.port)
    try:
        load = Load(connections=64, seconds=SECONDS, rate=rate, ack_file=acks)
        sending = generator.start(load, running.port, system.hook_path, corpus_file)
        time.sleep(after)
    finally:
        running.stop(kill=True)
    outcome = generator.finish(sending, SECONDS + 30)
    again = launch(system, where, roles=system.roles, sink_port=sink.port)
    back = time.monotonic()
    try:
        acknowledged = generator.acknowledged(acks)
        mails = system.mails
        delivered = _wait_for(sink, {corpus.email_of(number) for number in acknowledged.values()}) if mails else []
    finally:
        again.stop()
    if outcome.ok == 0 or outcome.resets == 0:
        raise RuntimeError(f"the kill after {after:.2f} s did not hit a running stream ({outcome.ok} acknowledged)")
    recipients = [message.recipient for message in delivered] if mails else None
    stored = system.keys(where) if system.stores else set(acknowledged)
    lost, unsent, extra = compare(acknowledged, stored, recipients)
    last = max((message.at for message in delivered), default=back)
    return Aftermath(len(acknowledged), lost, unsent, extra, again.ready_after, max(0.0, last - back))


def run(bench: Bench) -> None:
    system = bench.system("ours") or bench.system("floor")
    if system is None:
        return
    if system.name != "ours":
        bench.results.remark("kill: ours is not there; the floor is killed instead (inbox only), to try the phase")
    chance = random.Random(int(bench.began.timestamp()))
    for rate in bench.plan.kill_rates:
        found: list[Aftermath] = []
        for _ in range(bench.plan.kills):
            where = bench.fresh("kill")
            try:
                with mail.sink(where) as sink:
                    after = chance.uniform(EARLIEST, LATEST)
                    found.append(kill_once(bench, system, rate, after, where, sink))
            finally:
                bench.discard(where)
        _record(bench, f"kill.{system.name}.at{rate}", found)


def _record(bench: Bench, prefix: str, found: list[Aftermath]) -> None:
    put = bench.results.put
    put(f"{prefix}.acknowledged", [float(one.acknowledged) for one in found], "webhooks")
    # Sums and worst cases, not medians: one lost webhook in three kills is one too many.
    put(f"{prefix}.lost", float(sum(one.lost for one in found)), "webhooks")
    put(f"{prefix}.unsent", float(sum(one.unsent for one in found)), "e-mails")
    put(f"{prefix}.extra_max", float(max(one.extra for one in found)), "e-mails per kill")
    put(f"{prefix}.back_after_s", [one.back_after for one in found], "s")
    put(f"{prefix}.drained_after_s", [one.drained_after for one in found], "s")
