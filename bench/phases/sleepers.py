"""Phase S: a million runs asleep: steps, wake latency, cancelling, bytes and memory, each against the bare table.

Every size is a process of its own; it is filled once, and the product and the table take turns in three rounds on the
same disk.
"""

from __future__ import annotations

import json
import os
import subprocess
import sys
from collections.abc import Mapping

from bench import native, stats
from bench.figures import Results
from bench.plan import Bench

TIMEOUT = 1800
COMPARED = ("steps_per_s", "wake_s", "cancel_s", "bytes")
Value = float | list[float]
"""One figure, or one a round."""
GROWING = ("steps_per_s", "wake_s", "cancel_s", "empty_s")


def run(bench: Bench) -> None:
    """The figures of each size, and how the largest compares with the smallest, round by round."""
    found = {count: _size(bench, count) for count in bench.plan.sleepers}
    for count, figures in found.items():
        put(bench.results, count, figures)
    least, most = min(found), max(found)
    doubt = doubt_of(found[least]) or doubt_of(found[most])
    for name in GROWING:
        ratio = over(found[most][name], found[least][name])
        bench.results.put(f"sleepers.growth.{name}", ratio, f"x, {least} to {most}", doubt)


def put(results: Results, count: int, figures: Mapping[str, Value]) -> None:
    """What was taken in rounds is in doubt when strangers disturbed one; bytes never are."""
    for name, value in figures.items():
        unit = _shown(name)
        values = value if isinstance(value, list) else [value]
        scale = 1000 if unit == "ms" else 1
        doubt = doubt_of(figures) if isinstance(value, list) and name != "foreign" else ""
        results.put(f"sleepers.{count}.{name}", [each * scale for each in values], unit, doubt)
    for name in COMPARED:
        doubt = doubt_of(figures) if isinstance(figures[name], list) else ""
        ratio = over(figures[name], figures[f"bare.{name}"])
        results.put(f"sleepers.{count}.{name}_over_bare", ratio, "x", doubt)


def doubt_of(figures: Mapping[str, Value]) -> str:
    foreign = figures["foreign"]
    most = max(foreign) if isinstance(foreign, list) else foreign
    return "foreign load above 10 %" if most > stats.FOREIGN_ABOVE else ""


def over(value: Value, other: Value) -> list[float]:
    """The ratio inside each round."""
    pairs = zip(*(each if isinstance(each, list) else [each] for each in (value, other)), strict=True)
    return [stats.ratio(mine, theirs) for mine, theirs in pairs]


def _shown(name: str) -> str:
    if name == "foreign":
        return "of all cores"
    if name.startswith("bytes."):
        return "bytes"
    if name.endswith("per_s"):
        return "steps/s"
    if name.endswith("_s"):
        return "ms"
    return "MB" if name.endswith("_mb") else "bytes"


def _size(bench: Bench, count: int) -> Mapping[str, Value]:
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
        figures: Mapping[str, Value] = json.loads(ended.stdout)
        return figures
    finally:
        bench.discard(where)
