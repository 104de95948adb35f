"""Scores and their intervals: published examples, brute force, and how often the interval covers the truth."""

from __future__ import annotations

import math
import random  # noqa: TID251 - seeded samples
from datetime import UTC, datetime

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from connector.model.survey import CES, CSAT, NPS, SCALES
from connector.store.surveys import AskRow
from flows.care.scoring import LEAST, Interval, Z, net_promoter, score_of, summarise, wilson

START = datetime(2026, 3, 2, 8, 0, tzinfo=UTC)


@pytest.mark.parametrize(
    ("hits", "total", "low", "high"),
    [
        # Newcombe, Statistics in Medicine 17 (1998), table I, method 3.
        (81, 263, 25.53, 36.62),
        (15, 148, 6.24, 16.05),
        (0, 20, 0.0, 16.11),
        (1, 29, 0.61, 17.18),
        # https://statulator.com/help/ci1P-help.html
        (12, 150, 4.6, 13.5),
    ],
)
def test_wilson_as_published(hits: int, total: int, low: float, high: float) -> None:
    found = wilson(hits, total)
    assert (found.low, found.high) == (pytest.approx(low, abs=0.05), pytest.approx(high, abs=0.05))


def test_wilson_solves_its_own_equation() -> None:
    """The ends are where the score test just accepts: (p - P)^2 = z^2 P (1 - P) / n."""
    for hits, total in ((3, 10), (50, 80), (1, 7)):
        found, share = wilson(hits, total), hits / total
        for end in (found.low / 100, found.high / 100):
            assert (share - end) ** 2 == pytest.approx(Z * Z * end * (1 - end) / total)


def test_the_width_of_a_large_nps_is_the_known_rule_of_thumb() -> None:
    """cybaea.net (2016): of thirds the 95 % interval is about 320 / sqrt(n) wide."""
    found = net_promoter(30_000, 30_000, 30_000)
    assert found.high - found.low == pytest.approx(320 / math.sqrt(90_000), rel=0.005)
    assert (found.value, found.low) == (0.0, -found.high)


def test_adjusted_wald_by_hand() -> None:
    """Ten answers: 5 promoters, 3 passives, 2 detractors, with 3/4, 3/2 and 3/4 of an answer more (Rocks 2016)."""
    p, d = 5.75 / 13, 2.75 / 13
    half = 1.959964 * math.sqrt((p + d - (p - d) ** 2) / 13)
    found = net_promoter(5, 3, 2)
    assert found == Interval(
        pytest.approx(30.0), pytest.approx(100 * (p - d - half)), pytest.approx(100 * (p - d + half))
    )


@given(st.lists(st.integers(0, 10), min_size=LEAST, max_size=60))
@settings(max_examples=100)
def test_the_score_is_that_of_counting_one_by_one(scores: list[int]) -> None:
    value = 0.0
    for score in scores:
        value += 100 / len(scores) if score in (9, 10) else -100 / len(scores) if score <= 6 else 0
    found = score_of(NPS, scores)
    assert found is not None
    assert found.value == pytest.approx(value, abs=1e-9)
    assert -100 <= found.low <= found.high <= 100


@pytest.mark.parametrize(("n", "weights"), [(12, (5, 3, 2)), (30, (7, 2, 1)), (100, (4, 4, 2))])
def test_the_nps_interval_covers_the_truth_about_95_times_of_100(n: int, weights: tuple[int, int, int]) -> None:
    rng, runs = random.Random(20160112), 3000
    truth = 100 * (weights[0] - weights[2]) / sum(weights)
    covered = 0
    for _ in range(runs):
        drawn = rng.choices((0, 1, 2), weights, k=n)
        found = net_promoter(drawn.count(0), drawn.count(1), drawn.count(2))
        covered += found.low <= truth <= found.high
    assert 0.93 <= covered / runs <= 0.985
    # The same without the three answers more covers less: the check can tell.
    if n == 12:
        plain = sum(_plain(rng.choices((0, 1, 2), weights, k=n), truth) for _ in range(runs)) / runs
        assert plain < covered / runs


def _plain(drawn: list[int], truth: float) -> bool:
    p, d = drawn.count(0) / len(drawn), drawn.count(2) / len(drawn)
    half = Z * math.sqrt((p + d - (p - d) ** 2) / len(drawn))
    return 100 * (p - d - half) <= truth <= 100 * (p - d + half)


@pytest.mark.parametrize(("n", "share"), [(10, 0.5), (25, 0.85), (80, 0.3)])
def test_wilson_covers_the_truth_about_95_times_of_100(n: int, share: float) -> None:
    """Exactly: every outcome, weighed with how often it comes."""
    covered = sum(
        math.comb(n, hits) * share**hits * (1 - share) ** (n - hits)
        for hits in range(n + 1)
        if wilson(hits, n).low <= 100 * share <= wilson(hits, n).high
    )
    assert 0.93 <= covered <= 0.985


def test_the_interval_is_that_of_a_bootstrap() -> None:
    """A seeded bootstrap of 80 answers has nearly the same ends: three answers more pull a little."""
    scores = [10] * 30 + [9] * 10 + [8] * 20 + [6] * 12 + [3] * 8
    rng = random.Random(7)
    drawn = sorted(_value(rng.choices(scores, k=len(scores))) for _ in range(2000))
    found = score_of(NPS, scores)
    assert found is not None
    assert found.low == pytest.approx(drawn[50], abs=3)
    assert found.high == pytest.approx(drawn[1949], abs=3)


def _value(scores: list[int]) -> float:
    return 100 * sum((score >= 9) - (score <= 6) for score in scores) / len(scores)


def test_too_few_answers_make_no_score() -> None:
    assert score_of(CSAT, [5] * (LEAST - 1)) is None
    assert score_of(CSAT, [5] * LEAST) is not None
    found = score_of(CES, [5, 6, 7, 4, 1])
    assert found is not None
    assert found.value == 60
    with pytest.raises(ValueError, match="no answers"):
        net_promoter(0, 0, 0)


def test_bands_are_those_of_the_scale() -> None:
    assert [SCALES[NPS].band(score) for score in (0, 6, 7, 8, 9, 10)] == [
        "low",
        "low",
        "middle",
        "middle",
        "high",
        "high",
    ]
    assert [SCALES[CSAT].band(score) for score in range(1, 6)] == ["low", "low", "middle", "high", "high"]
    assert [SCALES[CES].band(score) for score in range(1, 8)] == ["low"] * 3 + ["middle"] + ["high"] * 3


def row(number: int, kind: str, score: int | None, flow: str = "f") -> AskRow:
    return AskRow(
        ask_id=str(number), survey="delivery", kind=kind, flow_id=flow, order_id="", email_key="", customer_id="",
        asked_at=START, score=score,
    )  # fmt: skip


def test_groups_are_counted_each_on_its_own_scale() -> None:
    rows = [row(n, CSAT, score) for n, score in enumerate([5, 5, 4, 1, None, None, 3])]
    rows += [row(n, NPS, score, "g") for n, score in enumerate([10, 9, 9, 8, 0, None], 10)]
    first, second = summarise(rows, lambda each: (each.flow_id, each.flow_id))
    assert (first.group, first.kind, first.asked, first.answered) == ("f", CSAT, 7, 5)
    assert first.counts == {1: 1, 2: 0, 3: 1, 4: 1, 5: 2}
    assert first.score is not None
    assert (first.score.value, first.rate.value, first.few) == (60, pytest.approx(500 / 7), True)
    assert second.score is not None
    assert (second.group, second.score.value, second.mean) == ("g", pytest.approx(40), 7.2)
    assert summarise(rows, lambda _: ()) == []
