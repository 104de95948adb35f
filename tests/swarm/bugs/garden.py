"""All planted bugs, and the search for one of them: `python -m tests.swarm.bugs.garden --most 2000`."""

from __future__ import annotations

import argparse
import json
import logging
import sys
from collections.abc import Iterable
from pathlib import Path

import pytest

from tests.swarm.bugs import engine, intake, outbox, policy
from tests.swarm.bugs.planting import Bug
from tests.swarm.house import House
from tests.swarm.search import lead

KNOWN = Path(__file__).with_name("known.json")
BUGS: tuple[Bug, ...] = (*engine.BUGS, *outbox.BUGS, *policy.BUGS, *intake.BUGS)


def find(bug: Bug, house: House, seeds: Iterable[int]) -> tuple[int, str]:
    """The first of the seeds in which the bug is seen, and as what; (-1, "") when in none."""
    with pytest.MonkeyPatch.context() as patch:
        bug.plant(patch, house)
        for seed in seeds:
            _, faults = lead(seed, house)
            if faults:
                return seed, faults[0]
    return -1, ""


def main(arguments: list[str] | None = None) -> int:
    """How many lives each bug needs; what is found is written to `known.json`, which the test tries first."""
    parser = argparse.ArgumentParser(prog="python -m tests.swarm.bugs.garden", description=main.__doc__)
    parser.add_argument("--most", type=int, default=1000, help="lives to try for each (default: %(default)s)")
    parser.add_argument("--only", default="", help="bugs whose name holds this")
    options = parser.parse_args(arguments)
    logging.disable(logging.CRITICAL)
    house = House()
    known = read_known()
    for bug in BUGS:
        if options.only not in bug.name:
            continue
        seed, fault = find(bug, house, range(options.most))
        known.pop(bug.name, None)
        if seed >= 0:
            known[bug.name] = seed
        print(f"{seed + 1 if seed >= 0 else f'not in {options.most}':>5}  {bug.name}: {fault}", flush=True)
        KNOWN.write_text(json.dumps(dict(sorted(known.items())), indent=1) + "\n", "utf-8")
    return int(len(known) < 0.95 * len(BUGS))


def read_known() -> dict[str, int]:
    """A life in which each bug was seen: the product and the lives change, so it is a hint."""
    found: dict[str, int] = json.loads(KNOWN.read_text("utf-8")) if KNOWN.exists() else {}
    return found


if __name__ == "__main__":
    sys.exit(main())
