"""Seeded lives of the ledger without one fault: value is neither created nor lost over crashes, repetitions, disorder.

    make swarm-value SEEDS=2000                         with progress; FIRST=2000 begins there
    python -m tests.swarm.value.search --seed 17        one life again, with its story

KIITOS_VALUE_SEEDS chooses how many for this test; docs/reliability.md has the last long search.
"""

from __future__ import annotations

import logging
import os
from collections.abc import Iterator

import pytest

from tests.swarm.bugs.garden import CAUGHT
from tests.swarm.bugs.planting import Bug
from tests.swarm.value.bugs.garden import GARDEN
from tests.swarm.value.house import ValueHouse
from tests.swarm.value.search import LIVES

SEEDS = int(os.environ.get("KIITOS_VALUE_SEEDS", "30"))
HAPPENED = frozenset(
    {
        *("merged", "refund", "points used", "points by hand", "code used", "referral rewarded", "referral reversed"),
        *("exchanged", "review held", "review hidden", "review withdrawn", "credit given", "credit used"),
        *("entry earn", "entry hold", "entry release", "entry spend", "entry expire", "entry reverse"),
    }
)
"""There was something to lose in every thirty lives."""
LEAST = 40
KNOWN = GARDEN.read_known()


@pytest.fixture(scope="module")
def house() -> Iterator[ValueHouse]:
    logging.disable(logging.CRITICAL)
    built = ValueHouse()
    yield built
    built.close()
    logging.disable(logging.NOTSET)


@pytest.mark.timeout(1200)
def test_no_value_is_created_or_lost(house: ValueHouse) -> None:
    found = LIVES.lead_all(range(SEEDS), house)
    assert not LIVES.told(found)
    assert HAPPENED - found.happened.keys() == set()


def test_enough_bugs_are_planted_and_found() -> None:
    names = {bug.name for bug in GARDEN.bugs}
    assert len(names) == len(GARDEN.bugs) >= 20
    assert set(KNOWN) <= names
    assert len(KNOWN) >= CAUGHT * len(GARDEN.bugs)


@pytest.mark.parametrize("bug", [bug for bug in GARDEN.bugs if bug.name in KNOWN], ids=lambda bug: bug.name)
def test_a_broken_ledger_is_found(bug: Bug, house: ValueHouse) -> None:
    seed, fault = GARDEN.find(bug, house, (KNOWN[bug.name], *range(LEAST)))
    assert seed >= 0, f"{bug.name}: in none of {LEAST} lives; look for it with python -m tests.swarm.value.bugs.garden"
    assert fault


def test_the_sound_ledger_leads_the_same_lives_without_a_fault(house: ValueHouse) -> None:
    """The control: what was found is the bug's and not the life's."""
    assert {seed: faults for seed in sorted(set(KNOWN.values())) if (faults := LIVES.lead(seed, house)[1])} == {}
