"""The test of the test: what is broken on purpose is found, in a life known to show it or in the lives from seed 0 on.

python -m tests.swarm.bugs.garden --most 2000      how many lives each one needs, which `known.json` then keeps

Every one of them is seen within the two thousand lives of `test_swarm`.
"""

from __future__ import annotations

import logging
from collections.abc import Iterator

import pytest

from tests.swarm.bugs.garden import CAUGHT, GARDEN
from tests.swarm.bugs.planting import Bug
from tests.swarm.house import House
from tests.swarm.search import LIVES
from tests.swarm.test_swarm import IN_CI

LEAST, TIMES = 40, 3
"""Lives to try when the known one does not show it any more, because product and lives change: so many, or so many
times what the bug needed when it was last looked for."""
KNOWN = GARDEN.read_known()


@pytest.fixture(scope="module")
def house() -> Iterator[House]:
    logging.disable(logging.CRITICAL)
    built = House()
    yield built
    built.close()
    logging.disable(logging.NOTSET)


def test_enough_bugs_are_planted_and_seen_by_the_lives_of_every_run() -> None:
    names = {bug.name for bug in GARDEN.bugs}
    assert len(names) == len(GARDEN.bugs) >= 20
    assert set(KNOWN) <= names
    seen = [name for name, seed in KNOWN.items() if seed < IN_CI]
    assert len(seen) >= CAUGHT * len(GARDEN.bugs)


@pytest.mark.parametrize("bug", [bug for bug in GARDEN.bugs if bug.name in KNOWN], ids=lambda bug: bug.name)
def test_a_planted_bug_is_found(bug: Bug, house: House) -> None:
    known = KNOWN[bug.name]
    most = max(LEAST, TIMES * known)
    seed, fault = GARDEN.find(bug, house, (known, *range(most)))
    assert seed >= 0, f"{bug.name}: in none of {most} lives; look for it with python -m tests.swarm.bugs.garden"
    assert fault


def test_the_sound_product_leads_the_same_lives_without_a_fault(house: House) -> None:
    """The control: what was found is the bug's and not the life's."""
    assert {seed: faults for seed in sorted(set(KNOWN.values())) if (faults := LIVES.lead(seed, house)[1])} == {}
