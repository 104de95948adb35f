"""One engine for every kind of lives: leading them by the thousand in two processes, and telling what was wrong.

A failing seed is printed with the command that leads its life again, and nothing else, with the whole story.
"""

from __future__ import annotations

import argparse
import functools
import gc
import logging
import multiprocessing
import os
import time
from collections import Counter
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass, field
from typing import Generic, TypeVar

from connector.worker import COLLECT_AFTER
from tests.swarm.house import House
from tests.swarm.life import Life

H = TypeVar("H", bound=House)
L = TypeVar("L", bound=Life)

BATCH = 25
_houses: dict[type[House], House] = {}


@dataclass
class Found:
    """What a number of lives gave."""

    lives: int = 0
    letters: int = 0
    orders: int = 0
    days: float = 0.0
    troubles: Counter[str] = field(default_factory=Counter)
    happened: Counter[str] = field(default_factory=Counter)
    faults: dict[int, list[str]] = field(default_factory=dict)

    def add(self, other: Found) -> None:
        self.lives += other.lives
        self.letters += other.letters
        self.orders += other.orders
        self.days += other.days
        self.troubles.update(other.troubles)
        self.happened.update(other.happened)
        self.faults.update(other.faults)

    def __str__(self) -> str:
        return (
            f"{self.lives} lives, {self.orders} orders, {self.letters} letters, {self.days / 365:.0f} years; "
            f"troubles: {_listed(self.troubles)}; there were: {_listed(self.happened)}"
        )


def _listed(counted: Counter[str]) -> str:
    return ", ".join(f"{name} {count}" for name, count in sorted(counted.items()))


@dataclass(frozen=True, slots=True)
class Lives(Generic[H, L]):
    """A kind of lives: where they are led, what is asked of each, and `module`, whose `main` leads them.

    `happened` counts what there was to go wrong with; `story` tells a life line by line. All of it goes to other
    processes by its name.
    """

    module: str
    house: type[H]
    life: Callable[[H, int], L]
    check: Callable[[L], list[str]]
    happened: Callable[[L], Iterable[str]]
    story: Callable[[L], Iterable[str]]

    def lead(self, seed: int, where: H | None = None) -> tuple[L, list[str]]:
        """One life, and what was wrong in it."""
        life = self.life(where or self._home(), seed)
        life.live()
        return life, self.check(life)

    def _home(self) -> H:
        """This process's."""
        home = _houses.get(self.house)
        if not isinstance(home, self.house):
            home = _houses[self.house] = self.house()
        return home

    def lead_all(self, seeds: Iterable[int], where: H | None = None) -> Found:
        found = Found()
        for seed in seeds:
            life, faults = self.lead(seed, where)
            found.lives += 1
            found.letters += len(life.post.letters)
            found.orders += len(life.orders)
            found.days += (life.now - life.plan.start).total_seconds() / 86400
            found.troubles.update(life.troubles)
            found.happened.update(self.happened(life))
            if faults:
                found.faults[seed] = faults
        return found

    def search(
        self, first: int, count: int, processes: int = 2, progress: Callable[[Found], None] = lambda _: None
    ) -> Found:
        """The lives of `count` seeds from `first` on."""
        batches = [range(at, min(at + BATCH, first + count)) for at in range(first, first + count, BATCH)]
        found = Found()
        for part in self._parts(batches, processes):
            found.add(part)
            progress(found)
        return found

    def _parts(self, batches: list[range], processes: int) -> Iterator[Found]:
        if processes < 2:
            yield from map(self.lead_all, batches)
            return
        # Spawned, not forked: the parent may have threads and an open database.
        settle = functools.partial(_settle_in, self)
        with multiprocessing.get_context("spawn").Pool(processes, initializer=settle) as pool:
            yield from pool.imap_unordered(self.lead_all, batches)

    def told(self, found: Found) -> str:
        """Every failing seed with its faults and the command that leads its life once more."""
        return "\n".join(
            f"seed {seed}: {'; '.join(faults[:4])}\n  again: python -m {self.module} --seed {seed}"
            for seed, faults in sorted(found.faults.items())
        )

    def main(self, about: str | None, arguments: list[str] | None = None) -> int:
        """The command: many lives with progress, or one with its story; 1 when there was a fault."""
        options = self._parser(about).parse_args(arguments)
        if options.seed is not None:
            return self._one(options.seed)
        began = time.monotonic()

        def progress(found: Found) -> None:
            took = time.monotonic() - began
            print(
                f"\r{found.lives}/{options.seeds} lives, {len(found.faults)} failed, {took:.0f} s", end="", flush=True
            )

        quiet()
        found = self.search(options.first, options.seeds, options.processes, progress)
        print(f"\n{found}\n{self.told(found)}")
        return int(bool(found.faults))

    def _parser(self, about: str | None) -> argparse.ArgumentParser:
        parser = argparse.ArgumentParser(prog=f"python -m {self.module}", description=about)
        parser.add_argument("--seeds", type=int, default=2000, help="how many (default: %(default)s)")
        parser.add_argument("--first", type=int, default=0, help="where to begin")
        parser.add_argument("--seed", type=int, help="one life only, with its story")
        parser.add_argument("--processes", type=int, default=min(2, os.cpu_count() or 1))
        return parser

    def _one(self, seed: int) -> int:
        quiet()
        life, faults = self.lead(seed)
        print(f"{life.plan}\n{dict(life.troubles)}")
        print("\n".join([*self.story(life), *(faults or ["no fault"])]))
        return int(bool(faults))


def quiet() -> None:
    """Thousands of deaths are logged otherwise."""
    logging.disable(logging.CRITICAL)


def _settle_in(lives: Lives[H, L]) -> None:
    """For a process of lives alone, as a worker does (`Worker.run`): the house is not looked through for garbage."""
    quiet()
    lives._home()
    gc.freeze()
    gc.set_threshold(COLLECT_AFTER, 20, 20)


def stories(life: Life) -> Iterator[str]:
    """What became of each order."""
    for true in life.orders.values():
        who = true.order.customer
        yield f"order {true.shop_id} {true.number} of {true.person.name} ({who.id if who else ''}) {true.order.total}:"
        yield from (f"  {at:%m-%d %H:%M:%S} {kind} {which}" for kind, which, at in true.story)
