"""`python -m bench.profile_steps [steps]`: where a due step's CPU goes, by function, on SQLite.

A crowd among four times as many sleepers is woken by one worker in this process: first plainly (CPU and wall clock a
step and how many steps share a commit), then another crowd under cProfile (which
about doubles its time: read the shares).
"""

from __future__ import annotations

import cProfile
import gc
import pstats
import sys
import tempfile
import time
from collections.abc import Callable
from pathlib import Path

from bench.ours_sleepers import product
from bench.ours_steps import Crowds, crowd_at, fill
from connector.app import Kiitos
from connector.clock import ManualClock
from connector.worker import COLLECT_AFTER
from connector.working.intake import Intake


def wake(kiitos: Kiitos, number: int) -> list[int]:
    """Wake crowd `number`; how many runs each transaction woke."""
    assert isinstance(kiitos.clock, ManualClock)
    kiitos.clock.advance(crowd_at(number) - kiitos.clock.now())
    return list(iter(Intake(kiitos).wake, 0))


def timed(call: Callable[[], list[int]]) -> str:
    wall, used = time.perf_counter(), time.process_time()
    batches = call()
    wall, used, steps = time.perf_counter() - wall, time.process_time() - used, sum(batches)
    return (
        f"{steps} steps: {used / steps * 1e6:.0f} us of CPU each, {wall / steps * 1e6:.0f} us on the clock,"
        f" {steps / len(batches):.0f} to a commit"
    )


def main() -> int:
    crowd = int(sys.argv[1]) if len(sys.argv) > 1 else 10_000
    gc.set_threshold(COLLECT_AFTER, 20, 20)
    with tempfile.TemporaryDirectory() as folder:
        kiitos = product(Path(folder))
        fill(kiitos, 4 * crowd, Crowds(crowd, 0, 2))
        print(timed(lambda: wake(kiitos, 0)))
        profile = cProfile.Profile()
        profile.runcall(wake, kiitos, 1)
        kiitos.close()
    for order in ("cumtime", "tottime"):
        pstats.Stats(profile).strip_dirs().sort_stats(order).print_stats(30)
    return 0


if __name__ == "__main__":
    sys.exit(main())
