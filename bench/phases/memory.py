"""Phase I: memory of the idle product and the time until it answers."""

from __future__ import annotations

import time

from bench import accounting, mail
from bench.plan import Bench
from bench.systems import System, launch

SETTLE_SECONDS = 3.0


def _start_once(bench: Bench, system: System, settle: float) -> tuple[float, float]:
    """(seconds from exec to the first 200, PSS in MB of all roles when idle)."""
    where = bench.fresh(f"{system.name}-idle")
    try:
        with mail.sink(where) as sink:
            running = launch(system, where, roles=system.roles, sink_port=sink.port)
            try:
                time.sleep(settle)
                return running.ready_after, sum(accounting.pss_mb(pid) for pid in running.pids)
            finally:
                running.stop()
    finally:
        bench.discard(where)


def run(bench: Bench) -> None:
    """The first start makes the database and the byte code; it is shown apart and not gated."""
    for system in bench.systems:
        try:
            _measure(bench, system)
        except RuntimeError as error:
            bench.results.remark(f"memory: {error}")


def _measure(bench: Bench, system: System) -> None:
    first, _ = _start_once(bench, system, 0.0)
    later = [_start_once(bench, system, SETTLE_SECONDS) for _ in range(bench.plan.rounds)]
    bench.results.put(f"start.{system.name}.first_s", first, "s")
    bench.results.put(f"start.{system.name}.s", [seconds for seconds, _ in later], "s")
    bench.results.put(f"memory.{system.name}.idle_pss_mb", [pss for _, pss in later], "MB")
