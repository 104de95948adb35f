"""Phase T: due steps a second with two workers, on SQLite and on PostgreSQL, and a crowd of a thousand woken by one.

A crowd is runs whose time comes together among all that sleep. Workers are processes of their own that wait for one
signal; the rate is all they woke between the first's beginning and the last's end, and must be the whole crowd.
"""

from __future__ import annotations

import json
import os
import subprocess
import sys
from collections.abc import Mapping, Sequence
from contextlib import ExitStack
from pathlib import Path

from bench import accounting, database, native, stats
from bench.ours_steps import CROWDS
from bench.plan import Bench

WORKERS = 2
THOUSAND = 1_000
TIMEOUT = 1800
DATABASES = ("sqlite", "postgres")


def run(bench: Bench) -> None:
    for kind in DATABASES:
        where = bench.fresh(f"steps-{kind}")
        try:
            with ExitStack() as stack:
                address = f"sqlite:///{where}/work.db"
                if kind == "postgres":
                    address = stack.enter_context(database.postgres(where))
                _measure(bench, kind, where, address)
        except RuntimeError as error:
            bench.results.remark(f"steps on {kind}: {error}")
        finally:
            bench.discard(where)


def _measure(bench: Bench, kind: str, where: Path, address: str) -> None:
    """The rounds, half of the crowds for each question. Crowds of a thousand make them comparable with the notes."""
    sleepers, crowd = bench.plan.step_sleepers, bench.plan.step_crowd
    rounds = min(bench.plan.rounds, CROWDS // 2)
    rates, foreign = [], []
    _run(where, address, "fill", str(sleepers), str(crowd))
    for number in range(rounds):
        meter = accounting.Meter()
        rates.append(rate(_crowd(where, address, number, WORKERS), crowd))
        foreign.append(_foreign(meter))
    doubt = "foreign load above 10 %" if max(foreign) > stats.FOREIGN_ABOVE else ""
    bench.results.put(f"steps.{kind}.two_workers_per_s", rates, "steps/s", doubt)
    alone = [seconds(_crowd(where, address, rounds + number, 1), crowd) for number in range(rounds)]
    each = [took * THOUSAND / crowd for took in alone]
    bench.results.put(f"steps.{kind}.wake1000_inline_s", each, "s", doubt)


def _foreign(meter: accounting.Meter) -> float:
    """Children are counted as the bench's own once they have been waited for."""
    return meter.read().foreign


def rate(found: Sequence[Mapping[str, float]], crowd: int) -> float:
    """Steps a second of all workers together. Raises `RuntimeError` unless they woke the crowd, each run once."""
    return crowd / seconds(found, crowd)


def seconds(found: Sequence[Mapping[str, float]], crowd: int) -> float:
    woken = sum(one["woken"] for one in found)
    if woken != crowd:
        raise RuntimeError(f"{woken:.0f} runs were woken, {crowd} were due")
    busy = [one for one in found if one["woken"]]
    return max(one["ended"] for one in busy) - min(one["began"] for one in found)


def _command(where: Path, address: str, role: str, *numbers: str) -> tuple[list[str], dict[str, str]]:
    repository = str(native.HERE.parent)
    return (
        [sys.executable, "-m", "bench.ours_steps", role, str(where), address, *numbers],
        {**os.environ, "PYTHONPATH": repository},
    )


def _run(where: Path, address: str, role: str, *numbers: str) -> None:
    command, environ = _command(where, address, role, *numbers)
    ended = subprocess.run(
        command, cwd=native.HERE.parent, env=environ, capture_output=True, text=True, timeout=TIMEOUT, check=False
    )
    if ended.returncode:
        raise RuntimeError((ended.stderr.strip().splitlines() or ["no reason given"])[-1])


def _crowd(where: Path, address: str, number: int, workers: int) -> list[dict[str, float]]:
    """Starts the workers, lets them go together, and reads what each did."""
    command, environ = _command(where, address, "work", str(number))
    started = [
        subprocess.Popen(
            command, cwd=native.HERE.parent, env=environ, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True
        )
        for _ in range(workers)
    ]
    try:
        for process in started:
            if not process.stdout or process.stdout.readline().strip() != "ready":
                raise RuntimeError("a worker did not start")
        for process in started:
            if process.stdin:
                process.stdin.write("go\n")
                process.stdin.flush()
        return [json.loads(process.communicate(timeout=TIMEOUT)[0]) for process in started]
    finally:
        for process in started:
            if process.poll() is None:
                process.kill()
            process.wait()
