"""Planted bugs and the search for one of them, of any kind of lives; those of the product: `python -m
tests.swarm.bugs.garden --most 2000`."""

from __future__ import annotations

import argparse
import json
import sys
from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path
from typing import Generic

import pytest

from tests.swarm.bugs import engine, intake, outbox, policy
from tests.swarm.bugs.planting import Bug
from tests.swarm.lives import H, L, Lives, quiet
from tests.swarm.search import LIVES

CAUGHT = 0.95
"""Of every hundred planted bugs so many must be found."""


@dataclass(frozen=True, slots=True)
class Garden(Generic[H, L]):
    """`bugs` planted in a kind of lives; `known` is the file that keeps for each a life in which it was seen. `module`
    is where its `main` is."""

    module: str
    lives: Lives[H, L]
    bugs: tuple[Bug, ...]
    known: Path
    most: int

    def find(self, bug: Bug, house: H, seeds: Iterable[int]) -> tuple[int, str]:
        """The first of the seeds in which the bug is seen, and as what; (-1, "") when in none."""
        with pytest.MonkeyPatch.context() as patch:
            bug.plant(patch, house)
            for seed in seeds:
                _, faults = self.lives.lead(seed, house)
                if faults:
                    return seed, faults[0]
        return -1, ""

    def read_known(self) -> dict[str, int]:
        """A life in which each bug was seen: the product and the lives change, so it is a hint."""
        found: dict[str, int] = json.loads(self.known.read_text("utf-8")) if self.known.exists() else {}
        return found

    def main(self, arguments: list[str] | None = None) -> int:
        """How many lives each bug needs; what is found is written to `known.json`, which the test tries first."""
        parser = argparse.ArgumentParser(prog=f"python -m {self.module}", description=Garden.main.__doc__)
        parser.add_argument("--most", type=int, default=self.most, help="lives to try for each (default: %(default)s)")
        parser.add_argument("--only", default="", help="bugs whose name holds this")
        options = parser.parse_args(arguments)
        quiet()
        house, known = self.lives.house(), self.read_known()
        for bug in self.bugs:
            if options.only not in bug.name:
                continue
            seed, fault = self.find(bug, house, range(options.most))
            known.pop(bug.name, None)
            if seed >= 0:
                known[bug.name] = seed
            print(f"{seed + 1 if seed >= 0 else f'not in {options.most}':>5}  {bug.name}: {fault}", flush=True)
            self.known.write_text(json.dumps(dict(sorted(known.items())), indent=1) + "\n", "utf-8")
        return int(len(known) < CAUGHT * len(self.bugs))


GARDEN = Garden(
    "tests.swarm.bugs.garden",
    LIVES,
    (*engine.BUGS, *outbox.BUGS, *policy.BUGS, *intake.BUGS),
    Path(__file__).with_name("known.json"),
    most=1000,
)

if __name__ == "__main__":
    sys.exit(GARDEN.main())
