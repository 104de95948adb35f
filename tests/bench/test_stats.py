from __future__ import annotations

import pytest

from bench import stats
from bench.stats import Rounds


def test_percentiles_are_values_that_were_seen() -> None:
    values = list(range(1, 101))
    assert stats.percentile(values, 0.5) == 51
    assert stats.percentile(values, 0.99) == 100
    assert stats.percentile(values, 1.0) == 100
    assert stats.percentile([], 0.5) == 0.0
    assert stats.percentile([3.0], 0.001) == 3.0


def test_the_order_of_values_does_not_matter() -> None:
    assert stats.percentile([5, 1, 3], 0.5) == stats.percentile([1, 3, 5], 0.5) == 3


def test_a_ratio_is_taken_inside_each_round() -> None:
    # The machine slowed down by half between the rounds: paired, that cannot be seen, and must not be.
    ours, floor = Rounds((50.0, 100.0, 40.0)), Rounds((100.0, 200.0, 100.0))
    assert ours.over(floor).values == (0.5, 0.5, 0.4)
    assert ours.over(floor).median == 0.5


def test_rounds_that_are_no_pairs_are_refused() -> None:
    with pytest.raises(ValueError, match="cannot be paired"):
        Rounds((1.0, 2.0)).over(Rounds((1.0,)))


def test_a_missing_floor_never_looks_like_success() -> None:
    assert stats.ratio(100.0, 0.0) == 0.0


@pytest.mark.parametrize(
    ("before", "after", "apart"), [(100, 76, False), (100, 74, True), (74, 100, True), (0, 0, False)]
)
def test_floors_disagree_above_a_quarter(before: float, after: float, apart: bool) -> None:
    assert stats.floors_disagree(before, after) is apart


def test_all_rounds_are_shown() -> None:
    assert Rounds((3.0, 1.0, 2.0)).text(1) == "2.0 (3.0, 1.0, 2.0)"
    assert Rounds(()).text() == "-"
