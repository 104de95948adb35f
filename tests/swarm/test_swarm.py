"""Thousands of seeded lives on the real engine, store, runner, outbox and policy, and not one fault in them.

    make swarm SEEDS=50000                        with progress; FIRST=2000 begins there
    python -m tests.swarm.search --seed 17        one life again, with its story

KIITOS_SWARM_SEEDS and KIITOS_SWARM_FIRST choose others for this test.
"""

from __future__ import annotations

import os

import pytest

from tests.swarm.plan import TROUBLES
from tests.swarm.search import LIVES

IN_CI = 2000
SEEDS = int(os.environ.get("KIITOS_SWARM_SEEDS", str(IN_CI)))
FIRST = int(os.environ.get("KIITOS_SWARM_FIRST", "0"))

DECISIONS = frozenset(
    {
        *("suppressed", "no_consent", "consent_withdrawn", "order_refunded", "order_cancelled", "order_returned"),
        *("capped", "slowed", "too_late", "told_already", "no_longer_true", "cancelled"),
    }
)
"""Each of these lies on somebody's way in two thousand lives."""


@pytest.mark.slow
@pytest.mark.timeout(1200)  # three minutes on a machine of one's own
def test_no_life_has_a_fault() -> None:
    found = LIVES.search(FIRST, SEEDS)
    assert not LIVES.told(found)
    assert found.lives == SEEDS
    # What was to be survived did happen, and there was something to lose.
    assert {trouble for trouble in TROUBLES if not found.troubles[trouble]} == set()
    if SEEDS >= IN_CI:
        assert DECISIONS - found.happened.keys() == set()
    assert found.letters > 4 * found.lives
