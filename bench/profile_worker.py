"""`python -m bench.profile_worker [orders]`: where the worker's CPU goes, by function, for orders already received.

The receiver runs as in a real bench; the worker then drains the inbox inside this process, under cProfile (which about
doubles its time: read the shares, not the milliseconds; the unprofiled time is printed first).
"""

from __future__ import annotations

import cProfile
import os
import pstats
import sys
import time

from bench import corpus, generator, mail, plan, systems
from bench.generator import Load
from bench.ours import Ours
from bench.plan import Bench


def drain(bench: Bench, orders: int, profile: cProfile.Profile | None) -> float:
    """Milliseconds of CPU per e-mail in the worker, start-up included."""
    where, ours = bench.fresh("profile"), Ours()
    with mail.sink(where) as sink:
        with systems.started(ours, where, sink_port=sink.port) as running:
            load = Load(connections=16, seconds=60, count=orders)
            generator.run(load, running.port, ours.hook_path, bench.corpus(orders))
        os.environ.update(BENCH_ENDPOINT_KEY=systems.ENDPOINT_KEY, BENCH_SECRET=corpus.SECRET.decode())
        from connector.app import load as load_kiitos
        from connector.worker import Worker

        kiitos = load_kiitos(where / "app.toml")
        began = time.process_time()
        if profile is not None:
            profile.enable()
        Worker(kiitos).drain()
        if profile is not None:
            profile.disable()
        used = time.process_time() - began
        kiitos.close()
        mailed = len(sink.delivered())
    bench.discard(where)
    if mailed != orders:
        raise RuntimeError(f"{orders} orders, {mailed} messages: the profile would be of something else")
    return used * 1000 / orders


def main() -> int:
    orders = int(sys.argv[1]) if len(sys.argv) > 1 else 1000
    bench = plan.prepare(plan.QUICK, ("ours",))
    if bench.system("ours") is None:
        return 1
    print(f"worker: {drain(bench, orders, None):.3f} ms of CPU per e-mail")
    profile = cProfile.Profile()
    drain(bench, orders, profile)
    for order in ("cumtime", "tottime"):
        pstats.Stats(profile).strip_dirs().sort_stats(order).print_stats(30)
    return 0


if __name__ == "__main__":
    sys.exit(main())
