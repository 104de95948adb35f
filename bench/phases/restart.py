"""Phase R: the product is started on a million sleeping runs of which a hundred thousand are overdue.

When the receiver answers, when the first message is at the sink, when the last of the two thousand messages is and when
nothing that was overdue is left, how much memory both take until then, and whether any order message came after one of
the marketing class.
"""

from __future__ import annotations

import os
import subprocess
import sys
import time
import urllib.request
from collections.abc import Callable
from email.header import decode_header, make_header
from pathlib import Path

from bench import accounting, mail, native, stats, systems
from bench.ours import Ours
from bench.ours_restart import ORDERS
from bench.plan import Bench
from connector.clock import SystemClock, to_text

PATIENCE = 300.0
DRAINING = 900.0
"""Seconds all that was overdue may take."""
TIMEOUT = 1800


def run(bench: Bench) -> None:
    """One start a size."""
    for sleepers, due in bench.plan.restarts:
        where = bench.fresh(f"restart-{sleepers}")
        try:
            with mail.sink(where) as sink:
                _measure(bench, where, sink, sleepers, due)
        finally:
            bench.discard(where)


def _measure(bench: Bench, where: Path, sink: mail.Sink, sleepers: int, due: int) -> None:
    repository, port = native.HERE.parent, accounting.free_port()
    environ = {**os.environ, "PYTHONPATH": str(repository)}
    sizes = map(str, (port, sink.port, sleepers, due))
    made = [sys.executable, "-m", "bench.ours_restart", str(where), *sizes]
    subprocess.run(made, cwd=repository, env=environ, check=True, timeout=TIMEOUT)
    kiitos = [*Ours.kiitos, "--config", str(where / "app.toml")]
    began, overdue_at = time.monotonic(), to_text(SystemClock().now())
    started = [
        subprocess.Popen([*kiitos, role], env=environ, cwd=where, start_new_session=True)
        for role in ("serve", "worker")
    ]
    try:
        while not _answers(port):
            if time.monotonic() - began > PATIENCE or any(each.poll() is not None for each in started):
                raise RuntimeError("restart: the product did not start")
            time.sleep(0.01)
        ready = time.monotonic() - began
        leaders = [each.pid for each in started]
        meter = accounting.Meter(*leaders)
        peak, drained = _watch(sink, leaders, began, lambda: overdue(where / "work.db", overdue_at))
        foreign = meter.read(also=accounting.cpu_seconds(sink.process.pid)).foreign
    finally:
        for each in started:
            accounting.end_session(each.pid)
            each.wait(timeout=30)
    name, found = f"restart.{sleepers}", sink.delivered()
    doubt = "foreign load above 10 %" if foreign > stats.FOREIGN_ABOVE else ""
    bench.results.put(f"{name}.foreign", foreign, "of all cores")
    bench.results.put(f"{name}.ready_s", ready, "s", doubt)
    bench.results.put(f"{name}.unsent", 2 * ORDERS - len(found), f"of {2 * ORDERS} messages")
    bench.results.put(f"{name}.memory_mb", peak, "MB, receiver and worker")
    if drained:
        bench.results.put(f"{name}.drained_s", drained, f"s, all {due} that were due", doubt)
    else:
        bench.results.remark(f"restart: of {due} that were due some were left after {DRAINING:.0f} s")
    if found:
        news = [each.at for each in found if _is_news(each.subject)]
        if len(news) != ORDERS:
            raise RuntimeError(f"restart: of {len(found)} messages {len(news)} look like order mail, not {ORDERS}")
        bench.results.put(f"{name}.first_message_s", found[0].at - began, "s", doubt)
        bench.results.put(f"{name}.last_order_message_s", max(news) - began, "s", doubt)
        bench.results.put(f"{name}.last_message_s", found[-1].at - began, f"s, {len(found)} messages", doubt)
        bench.results.put(f"{name}.overtaken", overtaken(found), "order messages after the first of marketing")


def _answers(port: int) -> bool:
    """Whether the receiver answers a request. That its port takes connections says nothing: the supervisor listens
    before anything is loaded."""
    try:
        with urllib.request.urlopen(f"http://127.0.0.1:{port}/health", timeout=PATIENCE) as answer:
            return int(answer.status) == 200
    except OSError:
        return False


def _watch(sink: mail.Sink, leaders: list[int], began: float, is_due: Callable[[], bool]) -> tuple[float, float]:
    """The most memory (PSS, MB) both took until the last message was there and nothing due any more, and the seconds
    that took; 0.0 when it was not done within `DRAINING`."""
    peak = 0.0
    while time.monotonic() - began < DRAINING:
        peak = max(peak, sum(accounting.pss_mb(pid) for pid in leaders))
        if sink.log.read_bytes().count(b"\n") >= 2 * ORDERS and not is_due():
            return peak, time.monotonic() - began
        time.sleep(0.25)
    return peak, 0.0


def overdue(database: Path, at: str) -> bool:
    """Whether a run still waits that was to wake by then (text, as stored)."""
    waits = f"status IN ('ready', 'sleeping', 'awaiting') AND wake_at <= '{at}'"
    ((left,),) = systems.query(database, f"SELECT EXISTS (SELECT 1 FROM runs WHERE {waits})")
    return bool(left)


def overtaken(found: list[mail.Delivered]) -> int:
    """How many order messages came after one of the marketing class, told apart by their subjects."""
    kinds = [_is_news(each.subject) for each in found]
    return sum(kinds[kinds.index(False) :]) if False in kinds else 0


def _is_news(subject: str) -> bool:
    """`subject` as it stands in the header, encoded (RFC 2047) where it is not ASCII."""
    words = str(make_header(decode_header(subject))).lower()
    return "order" in words and "review" not in words
