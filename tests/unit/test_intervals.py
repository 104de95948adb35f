"""How long a product lasts: against a count by hand, and against shops in which the truth is known."""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from datetime import UTC, datetime, timedelta

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from flows.goods.intervals import FEWEST, Gap, distribution, gaps_of, interval_of
from tests.chance import Chance

NOW = datetime(2026, 11, 22, 9, tzinfo=UTC)
DAY = timedelta(days=1)
GAPS = st.lists(st.tuples(st.integers(1, 30), st.integers(0, 40)).map(lambda two: Gap(two[0], two[0] + two[1])))


def shop(seed: int, days: float, *, buyers: int = 150, history: int = 400, back: float = 0.6) -> list[list[Gap]]:
    """People who buy one, two or three pieces of what lasts `days` in the middle (times e to a third of a normal), and
    come back with a chance of `back`; they began at any time in the `history`."""
    chance = Chance(seed)
    found: list[list[Gap]] = []
    for _ in range(buyers):
        at, bought = NOW - chance.share() * history * DAY, []
        while at < NOW:
            pieces = (1, 1, 1, 2, 3)[chance.whole(0, 4)]
            bought.append((at, pieces))
            if chance.share() > back:
                break
            at += pieces * days * math.exp(0.35 * chance.normal()) * DAY
        found.append(gaps_of(bought, NOW))
    return found


def recovered(known: Callable[[Sequence[Gap]], tuple[float, float] | None], shops: int = 120, **shape: float) -> float:
    """The share of shops whose truth lies in the range."""
    hits = total = 0
    for seed in range(shops):
        true = 15 + 45 * Chance(9000 + seed).share()
        gaps = [gap for each in shop(seed, true, **shape) for gap in each]  # type: ignore[arg-type]
        found = known(gaps)
        if found is not None:
            total += 1
            hits += found[0] <= true <= found[1]
    assert total >= shops / 3
    return hits / total


def ours(gaps: Sequence[Gap]) -> tuple[float, float] | None:
    found = interval_of(gaps)
    return (found.low or 0, found.high or 0) if found.middle is not None else None


@pytest.mark.parametrize("shape", [{}, {"history": 150}, {"buyers": 40}, {"back": 0.3, "buyers": 300}])
def test_known_intervals_are_in_the_stated_range(shape: dict[str, int]) -> None:
    assert recovered(ours, **shape) >= 0.9


def plain(gaps: Sequence[Gap]) -> tuple[float, float] | None:
    """The middle of what was seen, as if all of it could have been."""
    return ours([Gap(gap.days, 10_000.0) for gap in gaps])


def test_without_what_could_not_be_seen_yet_they_would_not_be() -> None:
    """The control: a plain median is too short, and its range does not hold the truth."""
    assert recovered(plain, history=150, buyers=400) < 0.85 < 0.9 <= recovered(ours, history=150, buyers=400)


def test_without_the_pieces_they_would_not_be() -> None:
    def of_orders(gaps: Sequence[Gap]) -> tuple[float, float] | None:
        pieces = (1, 1, 1, 2, 3)
        return ours([Gap(gap.days * pieces[at % 5], gap.seen * pieces[at % 5]) for at, gap in enumerate(gaps)])

    assert recovered(of_orders) < 0.5


@settings(max_examples=150, deadline=None)
@given(GAPS)
def test_the_estimate_is_the_product_by_hand(gaps: list[Gap]) -> None:
    share, expected = 1.0, []
    for at in sorted({gap.days for gap in gaps}, reverse=True):
        expected.append((at, share))
        ended = sum(gap.days == at for gap in gaps)
        share *= 1 - ended / sum(gap.days <= at <= gap.seen for gap in gaps)
    found = distribution(gaps)
    assert [days for days, _ in found] == [days for days, _ in expected[::-1]]
    assert [each for _, each in found] == pytest.approx([each for _, each in expected[::-1]])


def test_where_all_could_be_seen_it_is_the_plain_share() -> None:
    gaps = [Gap(float(days), 1000.0) for days in range(1, 11)]
    assert [share for _, share in distribution(gaps)] == pytest.approx([days / 10 for days in range(1, 11)])


def test_too_few_too_different_too_short_a_history() -> None:
    assert interval_of([Gap(30, 300)] * (FEWEST - 1)).middle is None
    assert interval_of([Gap(30, 300)] * FEWEST).middle == 30
    assert interval_of([*[Gap(3, 900)] * 5, *[Gap(400, 900)] * 5]).middle is None
    assert interval_of([Gap(30, 60)] * 50).middle is None, "gaps of 90 days could not have been seen"


def test_what_comes_within_a_day_is_part_of_it() -> None:
    begin = NOW - 100 * DAY
    bought = [(begin, 1), (begin + DAY / 2, 1), (begin + 40 * DAY, 1), (begin + 60 * DAY, 3)]
    assert gaps_of(bought, NOW) == [Gap(20, 50), Gap(20, 60)]
    assert gaps_of([(begin, 1)], NOW) == []
