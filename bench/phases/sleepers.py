"""Phase S: a million runs asleep: steps, wake latency, cancelling, bytes and memory, each against the bare table.

Every size is a process of its own; the product and the table take turns in it, on the same disk.
"""

from __future__ import annotations

import json
import os
import subprocess
import sys
from collections.abc import Mapping

from bench import native
from bench.plan import Bench

TIMEOUT = 1800
COMPARED = ("steps_per_s", "wake_s", "cancel_s", "bytes")
GROWING = ("steps_per_s", "wake_s", "cancel_s", "empty_s")


def run(bench: Bench) -> None:
    """The figures of each size, and how the largest compares with the smallest."""
    found = {count: _size(bench, count) for count in bench.plan.sleepers}
    for count, figures in found.items():
        for name, value in figures.items():
            bench.results.put(f"sleepers.{count}.{name}", *_shown(name, value))
        for name in COMPARED:
            bench.results.put(f"sleepers.{count}.{name}_over_bare", figures[name] / figures[f"bare.{name}"], "x")
    least, most = min(found), max(found)
    for name in GROWING:
        bench.results.put(f"sleepers.growth.{name}", found[most][name] / found[least][name], f"x, {least} to {most}")


def _shown(name: str, value: float) -> tuple[float, str]:
    if name.startswith("bytes."):
        return value, "bytes"
    if name.endswith("per_s"):
        return value, "steps/s"
    if name.endswith("_s"):
        return value * 1000, "ms"
    return value, "MB" if name.endswith("_mb") else "bytes"


def _size(bench: Bench, count: int) -> Mapping[str, float]:
    where = bench.fresh(f"sleepers-{count}")
    repository = native.HERE.parent
    try:
        ended = subprocess.run(
            [sys.executable, "-m", "bench.ours_sleepers", str(where), str(count)],
            cwd=repository,
            env={**os.environ, "PYTHONPATH": str(repository)},
            capture_output=True,
            text=True,
            timeout=TIMEOUT,
            check=False,
        )
        if ended.returncode:
            raise RuntimeError(f"sleepers {count}: {(ended.stderr.strip().splitlines() or ['no reason given'])[-1]}")
        figures: Mapping[str, float] = json.loads(ended.stdout)
        return figures
    finally:
        bench.discard(where)
