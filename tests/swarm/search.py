"""Lives by the thousand, in two processes: `python -m tests.swarm.search --seeds 50000` (`make swarm SEEDS=50000`).

A failing seed is printed with the command that leads its life again, and nothing else, with the whole story.
"""

from __future__ import annotations

import argparse
import gc
import logging
import multiprocessing
import os
import sys
import time
from collections import Counter
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass, field

from connector.worker import COLLECT_AFTER
from tests.swarm.house import House
from tests.swarm.life import Life
from tests.swarm.oracles import check

BATCH = 25
_house: House | None = None


@dataclass
class Found:
    """What a number of lives gave."""

    lives: int = 0
    letters: int = 0
    orders: int = 0
    days: float = 0.0
    troubles: Counter[str] = field(default_factory=Counter)
    decisions: Counter[str] = field(default_factory=Counter)
    faults: dict[int, list[str]] = field(default_factory=dict)

    def add(self, other: Found) -> None:
        self.lives += other.lives
        self.letters += other.letters
        self.orders += other.orders
        self.days += other.days
        self.troubles.update(other.troubles)
        self.decisions.update(other.decisions)
        self.faults.update(other.faults)

    def __str__(self) -> str:
        return (
            f"{self.lives} lives, {self.orders} orders, {self.letters} letters, {self.days / 365:.0f} years; "
            f"troubles: {_listed(self.troubles)}; decisions: {_listed(self.decisions)}"
        )


def _listed(counted: Counter[str]) -> str:
    return ", ".join(f"{name} {count}" for name, count in sorted(counted.items()))


def house() -> House:
    """This process's."""
    global _house
    if _house is None:
        _house = House()
    return _house


def lead(seed: int, where: House | None = None) -> tuple[Life, list[str]]:
    """One life, and what was wrong in it."""
    life = Life(where or house(), seed).live()
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
        found.decisions.update(life.decisions())
        if faults:
            found.faults[seed] = faults
    return found


def search(first: int, count: int, processes: int = 2, progress: Callable[[Found], None] = lambda _: None) -> Found:
    """The lives of `count` seeds from `first` on."""
    batches = [range(at, min(at + BATCH, first + count)) for at in range(first, first + count, BATCH)]
    found = Found()
    for part in _parts(batches, processes):
        found.add(part)
        progress(found)
    return found


def _parts(batches: list[range], processes: int) -> Iterator[Found]:
    if processes < 2:
        yield from map(lead_all, batches)
        return
    # Spawned, not forked: the parent may have threads and an open database.
    with multiprocessing.get_context("spawn").Pool(processes, initializer=_settle_in) as pool:
        yield from pool.imap_unordered(lead_all, batches)


def _quiet() -> None:
    logging.disable(logging.CRITICAL)  # thousands of deaths are logged otherwise


def _settle_in() -> None:
    """For a process of lives alone, as a worker does (`Worker.run`): the house is not looked through for garbage."""
    _quiet()
    house()
    gc.freeze()
    gc.set_threshold(COLLECT_AFTER, 20, 20)


def again(seed: int) -> str:
    """The command that leads one life once more."""
    return f"python -m tests.swarm.search --seed {seed}"


def told(found: Found) -> str:
    """Every failing seed with its faults and its command."""
    return "\n".join(
        f"seed {seed}: {'; '.join(faults[:4])}\n  again: {again(seed)}" for seed, faults in sorted(found.faults.items())
    )


def main(arguments: list[str] | None = None) -> int:
    parser = argparse.ArgumentParser(prog="python -m tests.swarm.search", description=__doc__)
    parser.add_argument("--seeds", type=int, default=2000, help="how many (default: %(default)s)")
    parser.add_argument("--first", type=int, default=0, help="where to begin")
    parser.add_argument("--seed", type=int, help="one life only, with its story")
    parser.add_argument("--processes", type=int, default=min(2, os.cpu_count() or 1))
    options = parser.parse_args(arguments)
    if options.seed is not None:
        return _one(options.seed)
    began = time.monotonic()

    def progress(found: Found) -> None:
        took = time.monotonic() - began
        print(f"\r{found.lives}/{options.seeds} lives, {len(found.faults)} failed, {took:.0f} s", end="", flush=True)

    found = search(options.first, options.seeds, options.processes, progress)
    print(f"\n{found}\n{told(found)}")
    return int(bool(found.faults))


def _one(seed: int) -> int:
    _quiet()
    life, faults = lead(seed)
    print(f"{life.plan}\n{dict(life.troubles)}")
    for true in life.orders.values():
        print(f"order {true.number} of {true.person.name}:")
        for kind, which, at in true.story:
            print(f"  {at:%m-%d %H:%M:%S} {kind} {which}")
    for letter in life.post.letters:
        print(f"  {letter}{' (word lost)' if letter.word_lost else ''}")
    print("\n".join(faults) or "no fault")
    return int(bool(faults))


if __name__ == "__main__":
    sys.exit(main())
