"""Phase M: messages a second of one process: read, rendered, built, sent, each alone, and all of it in one go.

Alone, each works on what the step before made outside the timing. In one go, the delivery's body is read, rendered and
built when the channel takes the message, as a worker without a database would. Beside sending stands the least SMTP
allows (`bench.mail.pump`).
"""

from __future__ import annotations

import time
from collections.abc import Callable, Iterable, Iterator
from itertools import cycle, islice

from bench import corpus, mail, ours
from bench.figures import Results
from bench.mail import Sink
from bench.plan import Bench
from bench.sampling import VoidRun

BODIES = 50
PARTS = ("read", "rendered", "built", "sent")

Taken = tuple[float, float]
"""Seconds by the clock and of CPU of this process, for one message."""


def run(bench: Bench) -> None:
    bodies = [body for _, body in corpus.read(bench.corpus())[:BODIES]]
    where = bench.fresh("messages")
    try:
        with mail.sink(where) as sink, ours.mailer(sink.port) as mailer:
            rounds = [_round(mailer, sink, bodies, bench.plan.messages) for _ in range(bench.plan.rounds)]
            sent = len(sink.delivered())
    finally:
        bench.discard(where)
    expected = bench.plan.messages * 3 * bench.plan.rounds
    if sent != expected:
        raise VoidRun(f"{expected} messages were sent and {sent} arrived")
    _show(bench.results, rounds)
    bench.results.put("messages.first_ms", ours.first_message_ms(bodies[0]), "ms")


def _round(mailer: ours.Mailer, sink: Sink, bodies: list[bytes], count: int) -> dict[str, Taken]:
    finished = [mailer.build(body) for body in bodies]
    pumped = mail.pump(sink.port, finished[0], count)
    return {
        "read": _each(mailer.read, bodies, count),
        "rendered": _each(mailer.render, bodies, count),
        "built": _each(mailer.build, bodies, count),
        "sent": _whole(lambda: mailer.send(islice(cycle(finished), count)), count),
        "in_one_go": _whole(lambda: mailer.send(_made(mailer, bodies, count)), count),
        "floor": (1 / pumped.rate, pumped.cpu_us / 1e6),
    }


def _made(mailer: ours.Mailer, bodies: Iterable[bytes], count: int) -> Iterator[bytes]:
    for body in islice(cycle(bodies), count):
        yield mailer.whole(body)


def _each(call: Callable[[bytes], object], bodies: list[bytes], count: int) -> Taken:
    for body in bodies:
        call(body)

    def work() -> None:
        for body in islice(cycle(bodies), count):
            call(body)

    return _whole(work, count)


def _whole(work: Callable[[], object], count: int) -> Taken:
    began, cpu = time.monotonic(), time.process_time()
    work()
    return (time.monotonic() - began) / count, (time.process_time() - cpu) / count


def _show(results: Results, rounds: list[dict[str, Taken]]) -> None:
    for name in rounds[0]:
        results.put(f"messages.{name}.rate", [1 / one[name][0] for one in rounds], "messages/s")
        results.put(f"messages.{name}.cpu_us", [one[name][1] * 1e6 for one in rounds], "us/message")
    together = [one["in_one_go"][0] / sum(one[part][0] for part in PARTS) for one in rounds]
    results.put("messages.in_one_go_over_parts", together, "x")
    floors = [one["sent"][1] / one["floor"][1] for one in rounds]
    results.put("messages.sent_over_floor.cpu", floors, "x")
