"""Split: the same person to the same side, in the shares that were asked for, whatever the order of weights."""

from __future__ import annotations

from collections import Counter
from dataclasses import replace

import pytest

from connector.contracts import Done
from flows.steps.split import Split
from tests.engine.world import facts, order

HALVES = Split(variants=("short 50", "long 50"), experiment="subject-line")
PEOPLE = [f"person{number}@example.test" for number in range(20_000)]


def side(step: Split, email: str, run_id: str = "r") -> str:
    decision = step.start(replace(facts(order=order(email=email)), run_id=run_id, step_id="part"))
    assert isinstance(decision, Done)
    return decision.outcome


def test_a_person_keeps_their_side_however_they_spell_themselves() -> None:
    for email in PEOPLE[:200]:
        assert side(HALVES, email, "r1") == side(HALVES, email.upper(), "r2")


def test_without_a_person_the_run_decides() -> None:
    nobody = facts(order=order(email=None, customer=None), customer=None)
    decisions = [HALVES.start(replace(nobody, run_id=f"r{number}")) for number in range(50)]
    assert {decision.outcome for decision in decisions if isinstance(decision, Done)} == {"short", "long"}


@pytest.mark.parametrize("weights", [(50, 50), (90, 10), (33, 33, 34), (1, 999)])
def test_shares(weights: tuple[int, ...]) -> None:
    step = Split(variants=tuple(f"v{number} {weight}" for number, weight in enumerate(weights)))
    counted = Counter(step.choose(email) for email in PEOPLE)
    for number, weight in enumerate(weights):
        share = weight / sum(weights)
        allowed = 5 * (len(PEOPLE) * share * (1 - share)) ** 0.5
        assert abs(counted[f"v{number}"] - share * len(PEOPLE)) <= allowed


def test_experiments_are_independent_of_one_another() -> None:
    other = replace(HALVES, experiment="time-of-day")
    counted = Counter((side(HALVES, email), side(other, email)) for email in PEOPLE[:4000])
    assert len(counted) == 4
    assert all(abs(count - 1000) < 5 * 27.4 for count in counted.values())


def test_a_changed_weight_moves_only_who_must_move() -> None:
    before = Split(variants=("new 10", "old 90"))
    after = Split(variants=("new 20", "old 80"))
    moved = [email for email in PEOPLE if before.choose(email) != after.choose(email)]
    assert all(after.choose(email) == "new" for email in moved)
    assert abs(len(moved) - 2000) < 250


@pytest.mark.parametrize(
    ("variants", "fault"),
    [
        (("only 100",), "at least two"),
        (("a 50", "a 50"), "each name once"),
        (("a", "b"), "a name and a weight"),
        (("a 0", "b 1"), "a name and a weight"),
        (("A 1", "b 1"), "a name and a weight"),
    ],
)
def test_splits_that_make_no_sense(variants: tuple[str, ...], fault: str) -> None:
    with pytest.raises(ValueError, match=fault):
        Split(variants=variants)
