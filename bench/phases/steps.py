"""Phase T: due steps a second with two workers, on SQLite and on PostgreSQL; a thousand woken by one, and dispatched.

A crowd is runs whose time comes together among all that sleep. Workers are processes of their own that wait for one
signal; the rate is all they woke between the first's beginning and the last's end, and must be the whole crowd.
"""

from __future__ import annotations

import json
import os
import subprocess
import sys
from collections.abc import Mapping, Sequence
from contextlib import ExitStack, suppress
from pathlib import Path

from bench import accounting, database, native, stats
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
    """The rounds: large crowds for two workers, small ones for one and, on PostgreSQL, for an executor."""
    crowd, few = bench.plan.step_crowd, min(THOUSAND, bench.plan.step_crowd)
    rounds = bench.plan.rounds
    _run(where, address, "fill", *map(str, (bench.plan.step_sleepers, crowd, few, rounds)))
    foreign: list[float] = []

    def timed(number: int, size: int, roles: Sequence[str]) -> float:
        meter = accounting.Meter()
        took = seconds(_crowd(where, address, number, roles), size)
        foreign.append(meter.read().foreign)  # children count as the bench's own once they have been waited for
        return took

    rates = [crowd / timed(number, crowd, ["work"] * WORKERS) for number in range(rounds)]
    inline = [timed(rounds + number, few, ["work"]) for number in range(rounds)]
    dispatched = []
    if kind == "postgres":
        dispatched = [timed(2 * rounds + number, few, ["execute", "hand"]) for number in range(rounds)]
    doubt = "foreign load above 10 %" if max(foreign) > stats.FOREIGN_ABOVE else ""
    bench.results.put(f"steps.{kind}.two_workers_per_s", rates, "steps/s", doubt)
    bench.results.put(f"steps.{kind}.wake{few}_inline_s", inline, "s", doubt)
    if dispatched:
        bench.results.put(f"steps.{kind}.wake{few}_dispatched_s", dispatched, "s", doubt)


def seconds(found: Sequence[Mapping[str, float]], crowd: int) -> float:
    """From the first's beginning to the last's end. Raises `RuntimeError` unless they woke the crowd, each run once."""
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


def _crowd(where: Path, address: str, number: int, roles: Sequence[str]) -> list[dict[str, float]]:
    """Starts a process a role, lets all go together, and reads what each did. Executors are ended when that is done."""
    started: list[tuple[str, subprocess.Popen[str]]] = []
    try:
        for role in roles:
            command, environ = _command(where, address, role, str(number))
            process = subprocess.Popen(
                command, cwd=native.HERE.parent, env=environ, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True
            )
            started.append((role, process))
            if not process.stdout or process.stdout.readline().strip() != "ready":
                raise RuntimeError(f"a process to {role} did not start")
        for _, process in started:
            if process.stdin:
                process.stdin.write("go\n")
                process.stdin.flush()
        return [json.loads(process.communicate(timeout=TIMEOUT)[0]) for role, process in started if role != "execute"]
    finally:
        for _, process in started:
            if process.poll() is None:
                process.kill()
            process.wait()
            for stream in (process.stdin, process.stdout):
                if stream is not None:
                    with suppress(BrokenPipeError):
                        stream.close()
