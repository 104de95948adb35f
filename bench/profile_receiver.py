"""`python -m bench.profile_receiver [fsync_us [rate]]`: the receiver's CPU by thread, with the rows of its commits.

A closed loop at 64 connections, or an open one at `rate` a second. The threads, in the order they start: the event loop
(everything of a webhook), the directory, checkpoints. A thread that gives its core up of itself more than about once a
webhook waits for another: mostly for the interpreter's lock.
"""

from __future__ import annotations

import re
import sys
import urllib.request
from pathlib import Path

from bench import accounting, generator, plan, systems
from bench.generator import Load
from bench.ours import Ours
from bench.systems import Running

SECONDS = 2.0
_SWITCHES = re.compile(r"^(?:non)?voluntary_ctxt_switches:\s+(\d+)", re.MULTILINE)
_SAMPLE = re.compile(r"^(kiitos_inbox_\w+_(?:sum|count)) (\S+)$", re.MULTILINE)


def threads(running: Running) -> dict[tuple[int, str], tuple[float, int, int]]:
    """Of each thread (id, name): seconds of CPU, switches of its own will, switches against it."""
    found = {}
    for pid in accounting.session_of(running.pids[0]):
        for task in Path(f"/proc/{pid}/task").iterdir():
            on_cpu = int((task / "schedstat").read_text().split()[0]) / 1e9
            own, forced = (int(count) for count in _SWITCHES.findall((task / "status").read_text()))
            found[int(task.name), (task / "comm").read_text().strip()] = (on_cpu, own, forced)
    return found


def commits(running: Running) -> dict[str, float]:
    with urllib.request.urlopen(f"http://127.0.0.1:{running.port}/metrics", timeout=5) as answer:
        return {name: float(value) for name, value in _SAMPLE.findall(answer.read().decode())}


def report(before: dict[str, float], after: dict[str, float]) -> str:
    """Mean rows and milliseconds of the commits in between."""
    grown = {name: value - before.get(name, 0.0) for name, value in after.items()}
    count = grown["kiitos_inbox_batch_rows_count"]
    rows, seconds = (
        grown["kiitos_inbox_batch_rows_sum"] / (count or 1),
        grown["kiitos_inbox_commit_seconds_sum"] / (count or 1),
    )
    return f"commits: {count:.0f}, of {rows:.1f} rows and {seconds * 1000:.2f} ms"


def main() -> int:
    fsync_us = int(sys.argv[1]) if len(sys.argv) > 1 else 0
    rate = float(sys.argv[2]) if len(sys.argv) > 2 else None
    bench = plan.prepare(plan.QUICK, ("ours",))
    if bench.system("ours") is None:
        return 1
    where, ours = bench.fresh("profile"), Ours()
    with systems.started(ours, where, fsync_us=fsync_us) as running:
        generator.run(Load(connections=64, seconds=0.5, id_base=1 << 40), running.port, ours.hook_path, bench.corpus())
        first, commits_before = threads(running), commits(running)
        load = Load(connections=64, seconds=SECONDS, rate=rate)
        outcome = generator.run(load, running.port, ours.hook_path, bench.corpus())
        last, commits_after = threads(running), commits(running)
    bench.discard(where)
    print(f"{outcome.rate:.0f}/s, p50 {outcome.p50_ms} ms, p99 {outcome.p99_ms} ms, {outcome.errors} errors")
    for key, (cpu, own, forced) in sorted(last.items()):
        was = first.get(key, (0.0, 0, 0))
        if (cpu - was[0]) * 1e6 < outcome.ok:
            continue  # less than a microsecond a webhook
        print(
            f"{key[1]:<18} {(cpu - was[0]) * 1e6 / outcome.ok:6.1f} us a webhook, switches a webhook: "
            f"{(own - was[1]) / outcome.ok:.2f} of its own, {(forced - was[2]) / outcome.ok:.2f} forced"
        )
    print(report(commits_before, commits_after))
    return 0


if __name__ == "__main__":
    sys.exit(main())
