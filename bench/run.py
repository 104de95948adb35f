"""`python -m bench`: the phases of one run, the table, the JSON, the verdicts."""

from __future__ import annotations

import argparse
import fcntl
import json
import os
import shutil
import sys
import time
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

from bench import gates, machine, native, plan
from bench.figures import Results
from bench.gates import Judgement, Verdict
from bench.phases import (
    backtest,
    e2e,
    floors,
    growth,
    kill,
    kills,
    memory,
    messages,
    peers,
    receiver,
    render,
    restart,
    sleepers,
    steady,
    steps,
)
from bench.plan import Bench

PHASES: dict[str, Callable[[Bench], None]] = {
    "floors": floors.run,
    "receiver": receiver.fast,
    "slow": receiver.slow,
    "render": render.run,
    "messages": messages.run,
    "e2e": e2e.run,
    "kill": kill.run,
    "memory": memory.run,
    "backtest": backtest.run,
    "sleepers": sleepers.run,
    "steps": steps.run,
    "growth": growth.run,
    "restart": restart.run,
    "kills": kills.run,
    "steady": steady.run,
    "peers": peers.run,
}
ON_DEMAND = frozenset({"backtest", "growth", "kills", "peers", "restart", "steady"})
"""Phases that run only when they are named: they take minutes and say nothing about the machine's limit."""
HISTORY = native.HERE / "history"


def parse_arguments(arguments: list[str]) -> argparse.Namespace:
    parser = argparse.ArgumentParser(prog="python -m bench", description="Ratios to this machine's limit, in one run.")
    parser.add_argument("--quick", action="store_true", help="about a minute: 64 connections, shorter stretches")
    parser.add_argument("--phase", action="append", choices=[*PHASES], help="only this phase (may be repeated)")
    parser.add_argument("--growth", metavar="SIZES", help="orders of the growth phase, with commas between")
    parser.add_argument(
        "--peers",
        nargs="?",
        const="all",
        metavar="NAMES",
        help="other systems beside the product; installs them on first use (minutes)",
    )
    parser.add_argument("--systems", default="floor,ours,stock", help="which systems to run (default: %(default)s)")
    parser.add_argument("--json", type=Path, metavar="FILE", help="also write the results here")
    parser.add_argument("--gate", choices=gates.LEVELS, help="exit with 1 when a gate of this level is missed")
    return parser.parse_args(arguments)


def plan_of(options: argparse.Namespace) -> plan.Plan:
    chosen = plan.QUICK if options.quick else plan.FULL
    if options.growth is None:
        return chosen
    return replace(chosen, growth=tuple(int(size) for size in options.growth.split(",")))


def phases_of(options: argparse.Namespace) -> list[str]:
    """Those that were named; `--peers` alone means its own phase; else all that are not on demand."""
    asked: list[str] = options.phase or []
    if options.peers:
        return asked if "peers" in asked else [*asked, "peers"]
    return asked or [name for name in PHASES if name not in ON_DEMAND]


def table(results: Results) -> str:
    """Every figure: median, all rounds, unit, and why it is in doubt."""
    width = max((len(name) for name in results.figures), default=0)
    lines = []
    for name, figure in results.figures.items():
        digits = 0 if figure.value >= 1000 else 1 if figure.value >= 100 else 3
        doubt = f"   ! {figure.doubt}" if figure.doubt else ""
        lines.append(f"{name:<{width}}  {figure.rounds.text(digits)} {figure.unit}{doubt}")
    return "\n".join(lines)


def verdicts(judgements: list[Judgement]) -> str:
    lines = []
    for one in judgements:
        value = "-" if one.value is None else f"{one.value:.3g}"
        doubt = f" ({one.doubt})" if one.doubt else ""
        lines.append(f"{one.verdict:<12} {value:>8} {one.bound.text():<9} {one.gate.figure}: {one.gate.why}{doubt}")
    return "\n".join(lines)


def changes(results: Results, history: Path = HISTORY) -> str:
    """The change of every ratio and CPU figure against the newest stored release, when there is one."""
    files = sorted(history.glob("*.json"))
    if not files:
        return ""
    before = json.loads(files[-1].read_text())["figures"]
    lines = [f"against {files[-1].stem}:"]
    for name, figure in results.figures.items():
        old = before.get(name, {}).get("median")
        if old and ("_over_" in name or name.endswith(("cpu_us", "cpu_ms"))):
            lines.append(f"  {name}: {old:.3g} -> {figure.value:.3g} ({(figure.value / old - 1) * 100:+.0f} %)")
    return "\n".join(lines)


def _listed(judgements: list[Judgement]) -> list[dict[str, object]]:
    return [{"figure": one.gate.figure, "verdict": one.verdict.value, "value": one.value} for one in judgements]


def save(
    results: Results, judgements: list[Judgement], aimed: list[Judgement], extra: Path | None, bench: Bench
) -> Path:
    """Writes the JSON into .cache/bench (and to `extra`); returns the first path."""
    document = {
        "taken": bench.began.isoformat(timespec="seconds"),
        "machine": machine.describe(),
        **results.as_json(),
        "gates": _listed(judgements),
        "targets": _listed(aimed),
    }
    text = json.dumps(document, indent=1, ensure_ascii=False) + "\n"
    path = native.CACHE / f"results-{bench.began:%Y%m%dT%H%M%S}.json"
    for target in filter(None, (path, extra)):
        target.write_text(text)
    return path


def only_one_run() -> int:
    """Holds a lock until the process ends; waits for another run on this machine rather than spoil both."""
    native.CACHE.mkdir(parents=True, exist_ok=True)
    lock = os.open(native.CACHE / "lock", os.O_CREAT | os.O_RDWR)
    try:
        fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError:
        print("bench: another run holds the lock; waiting for it")
        fcntl.flock(lock, fcntl.LOCK_EX)
    return lock


def run_phases(bench: Bench, wanted: list[str]) -> None:
    for name in wanted:
        began = time.monotonic()
        print(f"bench: {name} ...", flush=True)
        try:
            PHASES[name](bench)
        except RuntimeError as error:
            # One broken phase must not hide the others; its gates stay "not measured".
            bench.results.remark(f"{name} failed: {error}")
        print(f"bench: {name} took {time.monotonic() - began:.0f} s", flush=True)


def main(arguments: list[str] | None = None) -> int:
    options = parse_arguments(sys.argv[1:] if arguments is None else arguments)
    if sys.platform != "linux":
        print("bench: needs Linux (/proc, epoll)")
        return 2
    lock = only_one_run()
    # An installed product is compiled once; where this is set, every start compiles it anew.
    os.environ.pop("PYTHONDONTWRITEBYTECODE", None)
    bench = plan.prepare(plan_of(options), tuple(options.systems.split(",")))
    if options.peers:
        bench.peers = tuple(peers.chosen(options.peers))
    facts = machine.describe()
    print("\n".join(f"{name}: {value}" for name, value in facts.items()))
    if facts["file system"] == "tmpfs":
        bench.results.remark(".cache is on tmpfs, where a sync costs nothing: disk figures mean nothing here")
    run_phases(bench, phases_of(options))
    shutil.rmtree(bench.scratch, ignore_errors=True)
    judged = gates.judge(gates.load(), bench.results.figures, options.gate or "release")
    aimed = gates.judge(gates.load(), bench.results.figures, gates.TARGET)
    path = save(bench.results, judged, aimed, options.json, bench)
    print(f"\n{table(bench.results)}\n\n{verdicts(judged)}\n")
    print(f"targets:\n{verdicts([one for one in aimed if one.value is not None])}\n{changes(bench.results)}")
    print(f"results: {path.relative_to(native.HERE.parent)}")
    os.close(lock)
    return int(bool(options.gate) and any(one.verdict is Verdict.MISSED for one in judged))
