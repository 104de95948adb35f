"""Lives of the ledger by the thousand: `python -m tests.swarm.value.search --seeds 2000` (`make swarm-value`)."""

from __future__ import annotations

import argparse
import gc
import multiprocessing
import os
import sys
import time
from collections.abc import Iterable

from connector.worker import COLLECT_AFTER
from tests.swarm.search import BATCH, Found, _quiet
from tests.swarm.value.house import ValueHouse
from tests.swarm.value.life import ValueLife
from tests.swarm.value.oracles import check

_house: ValueHouse | None = None


def house() -> ValueHouse:
    """This process's."""
    global _house
    if _house is None:
        _house = ValueHouse()
    return _house


def lead(seed: int, where: ValueHouse | None = None) -> tuple[ValueLife, list[str]]:
    """One life, and what was wrong in it."""
    life = ValueLife(where or house(), seed)
    life.live()
    return life, check(life)


def lead_all(seeds: Iterable[int]) -> Found:
    found = Found()
    for seed in seeds:
        life, faults = lead(seed)
        found.lives += 1
        found.letters += len(life.post.letters)
        found.orders += len(life.orders)
        found.days += (life.now - life.plan.start).total_seconds() / 86400
        found.troubles.update(life.troubles)
        found.decisions.update(life.happened())
        if faults:
            found.faults[seed] = faults
    return found


def search(first: int, count: int, processes: int) -> Found:
    """The lives of `count` seeds from `first` on, with progress."""
    batches = [range(at, min(at + BATCH, first + count)) for at in range(first, first + count, BATCH)]
    found, began = Found(), time.monotonic()
    with multiprocessing.get_context("spawn").Pool(processes, initializer=_settle_in) as pool:
        for part in pool.imap_unordered(lead_all, batches):
            found.add(part)
            took = time.monotonic() - began
            print(f"\r{found.lives}/{count} lives, {len(found.faults)} failed, {took:.0f} s", end="", flush=True)
    return found


def _settle_in() -> None:
    _quiet()
    house()
    gc.freeze()
    gc.set_threshold(COLLECT_AFTER, 20, 20)


def told(found: Found) -> str:
    """Every failing seed with its faults and its command."""
    return "\n".join(
        f"seed {seed}: {'; '.join(faults[:4])}\n  again: python -m tests.swarm.value.search --seed {seed}"
        for seed, faults in sorted(found.faults.items())
    )


def main(arguments: list[str] | None = None) -> int:
    parser = argparse.ArgumentParser(prog="python -m tests.swarm.value.search", description=__doc__)
    parser.add_argument("--seeds", type=int, default=2000, help="how many (default: %(default)s)")
    parser.add_argument("--first", type=int, default=0, help="where to begin")
    parser.add_argument("--seed", type=int, help="one life only, with its story")
    parser.add_argument("--processes", type=int, default=min(2, os.cpu_count() or 1))
    options = parser.parse_args(arguments)
    if options.seed is not None:
        return _one(options.seed)
    found = search(options.first, options.seeds, options.processes)
    print(f"\n{found}\n{told(found)}")
    return int(bool(found.faults))


def _one(seed: int) -> int:
    _quiet()
    life, faults = lead(seed)
    print(f"{life.plan}\n{dict(life.troubles)}")
    for true in life.orders.values():
        who = true.order.customer
        print(f"order {true.shop_id} {true.number} of {true.person.name} ({who.id if who else ''}) {true.order.total}:")
        for kind, which, at in true.story:
            print(f"  {at:%m-%d %H:%M:%S} {kind} {which}")
    for name in ("merged", "forgotten", "words", "uses", "off"):
        print(name, getattr(life, name))
    print("\n".join(faults) or "no fault")
    return int(bool(faults))


if __name__ == "__main__":
    sys.exit(main())
