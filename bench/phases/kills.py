"""Phase K: kill -9 of the whole tree again and again, on one installation, under 2,000 webhooks a second.

Each life gets orders of its own, many times each under new webhook ids, so that thousands are acknowledged while a few
hundred are mailed; the kill comes at a random moment. After the last one the product is started once more and left
alone. The control is a receiver that answers before its commit: a few kills of it must lose something. The product's
own kill test (tests/kill) asks more questions about fewer webhooks.
"""

from __future__ import annotations

import random
import time
from collections import Counter
from itertools import islice
from pathlib import Path

from bench import corpus, generator, mail
from bench.generator import Load
from bench.mail import Sink
from bench.ours_eager import Eager
from bench.plan import Bench
from bench.systems import System, launch, query

RATE = 2000
CONTROL = 3
"""Kills of the broken one."""
ORDERS = 100
"""Orders of each life."""
EARLIEST, LATEST = 0.1, 1.0
"""Seconds from the first request to the kill."""
PATIENCE = 900.0
_IDS = 1_000_000


def run(bench: Bench) -> None:
    system = bench.system("ours")
    if system is None or not bench.plan.many_kills:
        return
    where = bench.fresh("kills")
    try:
        with mail.sink(where) as sink:
            _run(bench, system, where, sink)
    finally:
        bench.discard(where)
    control(bench, Eager())


def control(bench: Bench, broken: System) -> None:
    """A receiver that lies, killed a few times: a run in which it loses nothing would show nothing."""
    where = bench.fresh("kills-control")
    chance, every = random.Random(int(bench.began.timestamp())), corpus.bodies(CONTROL * ORDERS, bench.began)
    acknowledged: set[str] = set()
    try:
        for life in range(CONTROL):
            corpus.write(where / "orders.kbc", list(islice(every, ORDERS)))
            found, _ = _live(broken, where, 0, life, chance.uniform(EARLIEST, LATEST))
            acknowledged |= found.keys()
        lost = len(acknowledged - broken.keys(where))
    finally:
        bench.discard(where)
    bench.results.put("kills.control.acknowledged", float(len(acknowledged)), f"webhooks in {CONTROL} kills")
    bench.results.put("kills.control.lost", float(lost), "webhooks, of a receiver that answers before its commit")
    if not lost:
        bench.results.remark("kills: the control lost nothing, so that the run shows nothing")


def _run(bench: Bench, system: System, where: Path, sink: Sink) -> None:
    chance, kills = random.Random(int(bench.began.timestamp())), bench.plan.many_kills
    every = corpus.bodies(kills * ORDERS, bench.began)
    acknowledged: dict[str, int] = {}
    answers: list[float] = []
    for life in range(kills):
        corpus.write(where / "orders.kbc", list(islice(every, ORDERS)))
        after = chance.uniform(EARLIEST, LATEST)
        found, ready = _live(system, where, sink.port, life, after)
        acknowledged |= {key: life * ORDERS + number for key, number in found.items()}
        answers.append(ready)
    again = launch(system, where, roles=system.roles, sink_port=sink.port)
    began = time.monotonic()
    try:
        wanted = {corpus.email_of(number) for number in acknowledged.values()}
        delivered = _wait(where, sink)
    finally:
        again.stop()
    counts = Counter(message.recipient for message in delivered)
    put, name = bench.results.put, "kills.ours"
    put(f"{name}.kills", float(kills), "")
    put(f"{name}.acknowledged", float(len(acknowledged)), "webhooks")
    put(f"{name}.lost", float(len(set(acknowledged) - system.keys(where))), "webhooks")
    put(f"{name}.unsent", float(len(wanted - set(counts))), f"of {len(wanted)} acknowledged orders")
    put(f"{name}.extra", float(sum(counts.values()) - len(counts)), f"of {len(counts)} messages, sent again")
    put(f"{name}.back_after_s", answers, "s")
    put(f"{name}.drained_after_s", max((each.at for each in delivered), default=began) - began, "s")


def _live(system: System, where: Path, sink_port: int, life: int, after: float) -> tuple[dict[str, int], float]:
    """One life: what was acknowledged, and the seconds until it answered."""
    acks = where / "acknowledged"
    acks.unlink(missing_ok=True)  # the generator makes it anew when it begins
    running = launch(system, where, roles=system.roles, sink_port=sink_port)
    load = Load(connections=32, seconds=after + 0.2, rate=RATE, id_base=life * _IDS, ack_file=acks)
    sending = generator.start(load, running.port, system.hook_path, where / "orders.kbc")
    try:
        while not acks.exists():
            time.sleep(0.005)
        time.sleep(after)
    finally:
        running.stop(kill=True)
    generator.finish(sending, LATEST + 40)
    return generator.acknowledged(acks), running.ready_after


def _wait(where: Path, sink: Sink) -> list[mail.Delivered]:
    """Until nothing is left to do."""
    deadline = time.monotonic() + PATIENCE
    while time.monotonic() < deadline:
        open_effects = "SELECT COUNT(*) FROM effects WHERE status IN ('pending', 'sending')"
        open_deliveries = "SELECT COUNT(*) FROM delivery_progress WHERE status IN ('new', 'leased')"
        unread = "SELECT COALESCE(MAX(last_id), 0) FROM inbox_cursor"
        ((newest,),) = query(where / "inbox.db", "SELECT COALESCE(MAX(id), 0) FROM inbox")
        ((read,),) = query(where / "kiitos.db", unread)
        ((effects,),) = query(where / "kiitos.db", open_effects)
        ((deliveries,),) = query(where / "kiitos.db", open_deliveries)
        if read >= newest and not effects and not deliveries:
            break
        time.sleep(1.0)
    return sink.delivered()
