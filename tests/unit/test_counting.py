"""A shop's whole history in figures: against counting by hand, on generated shops."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from decimal import Decimal
from itertools import combinations, pairwise
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from connector.model import Money, Product, Purchase
from flows import counting
from flows.background import Companion, ProductFigures
from flows.counting import Tally, likelihood_ratio, replenishment
from flows.recommending import candidates, recommend, sellable

NOW = datetime(2026, 11, 22, 9, 0, tzinfo=UTC)
Shopper = list[tuple[int, list[str]]]


def purchases(shopper: Shopper) -> list[Purchase]:
    return [
        Purchase(
            order_id=str(number),
            placed_at=NOW - timedelta(days=days),
            amount=Money(Decimal(10 + days % 7), "EUR"),
            products=tuple((product, 1) for product in dict.fromkeys(bought)),
        )
        for number, (days, bought) in enumerate(shopper)
    ]


def counted(*shoppers: Shopper) -> Tally:
    tally = Tally(NOW, "EUR")
    for shopper in shoppers:
        tally.add(purchases(shopper))
    return tally


SHOPPERS = st.lists(
    st.lists(
        st.tuples(st.integers(0, 300), st.lists(st.sampled_from("abcdef"), max_size=4)), max_size=6,
    ),
    max_size=40,
)  # fmt: skip


@settings(max_examples=60, deadline=None)
@given(SHOPPERS, st.randoms())
def test_companions_are_those_a_count_by_hand_finds(shoppers: list[Shopper], chance: Any) -> None:
    baskets = [{product for _, bought in one for product in bought} for one in shoppers if one]
    expected: dict[tuple[str, str], tuple[int, float]] = {}
    for one, other in combinations("abcdef", 2):
        together = sum({one, other} <= basket for basket in baskets)
        first, second = (sum(product in basket for basket in baskets) for product in (one, other))
        if together >= counting.TOGETHER and (lift := together * len(baskets) / (first * second)) >= counting.LIFT:
            expected[one, other] = expected[other, one] = (together, round(lift, 2))
    chance.shuffle(shoppers)
    found = counted(*shoppers).products()
    assert {
        (product, near.product_id): (near.together, near.lift)
        for product, figures in found.items()
        for near in figures.companions
    } == expected


@settings(max_examples=60, deadline=None)
@given(SHOPPERS)
def test_the_shop_s_figures_are_those_of_a_count_by_hand(shoppers: list[Shopper]) -> None:
    found = counted(*shoppers).shop()
    buyers = [sorted({days for days, _ in one}) for one in shoppers if one]
    returns = [b - a for days in buyers for a, b in pairwise(days)]
    assert found.buyers == len(buyers)
    assert found.repeat_buyers == sum(len(days) > 1 for days in buyers)
    assert found.repeat_gap_days is None, "too few have come back"
    if found.quintiles is not None:
        recencies = sorted(days[0] for days in buyers)
        for share, cut in enumerate(found.quintiles.recency, start=1):
            assert sum(each <= cut for each in recencies) * 5 >= share * len(recencies)
            assert sum(each < cut for each in recencies) * 5 < share * len(recencies)
    assert (found.quintiles is None) == (len(buyers) < counting.RFM_BUYERS)
    assert len(returns) >= found.repeat_buyers


def test_the_repeat_gap_counts_once_a_hundred_have_come_back() -> None:
    few = [[(100, []), (100 - gap, [])] for gap in range(1, 100)]
    assert counted(*few).shop().repeat_gap is None
    enough = counted(*few, [(100, []), (40, [])]).shop()
    assert (enough.repeat_gap_days, enough.late_gap_days) == (50, 79)
    assert enough.repeat_gap == timedelta(days=50)


def test_a_product_s_interval_needs_repeats_and_agreement() -> None:
    assert replenishment({30: counting.REPEATS - 1}, 5).gap_days is None
    sure = replenishment({28: 4, 30: 8, 33: 4}, 9)
    assert (sure.gap_days, sure.repeats, sure.replenish_after) == (30, 16, timedelta(days=30))
    assert sure.gap_low in (28, 30)
    assert sure.gap_high in (30, 33)
    unsure = replenishment({3: 5, 400: 5}, 9)
    assert (unsure.gap_days, unsure.repeats) == (None, 10)


def test_the_interval_is_learnt_from_one_person_s_repeats_alone() -> None:
    shoppers: list[Shopper] = [[(90, ["bags"]), (60, ["bags", "cup"]), (30, ["bags"])] for _ in range(6)]
    found = counted(*shoppers).products()
    assert (found["bags"].gap_days, found["bags"].repeats, found["bags"].buyers) == (30, 12, 6)
    assert (found["cup"].gap_days, found["cup"].repeats) == (None, 0)


def test_a_sure_pair_comes_before_a_rare_one() -> None:
    assert likelihood_ratio(300, 400, 400, 2000) > likelihood_ratio(3, 3, 3, 2000) > 0
    assert likelihood_ratio(4, 40, 200, 2000) == pytest.approx(0, abs=1e-6), "exactly what chance gives"


def test_the_memory_of_a_count_is_bounded(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(counting, "MOST_PAIRS", 20)
    shoppers: list[Shopper] = [[(9, ["a", "b"])] for _ in range(5)]
    odd: list[Shopper] = [[(9, [f"x{number}-{each}" for each in range(4)])] for number in range(20)]
    tally = counted(*shoppers, *odd)
    assert len(tally._pairs) <= 20 + 6
    assert [near.product_id for near in tally.products()["a"].companions] == ["b"]


def test_one_who_buys_everything_pairs_only_the_newest() -> None:
    everything: Shopper = [(number, [f"p{number}"]) for number in range(100)]
    tally = counted(everything)
    assert len(tally._pairs) == counting.WIDEST * (counting.WIDEST - 1) // 2


# -- recommending ------------------------------------------------------------------------------------------------------


def near(*found: tuple[str, int, float]) -> ProductFigures:
    return ProductFigures(companions=tuple(Companion(product_id=p, together=t, lift=x) for p, t, x in found))


def product(product_id: str, **more: Any) -> Product:
    given: dict[str, Any] = {"url": f"https://shop.example/{product_id}", "raw_status": "active", **more}
    return Product(id=product_id, title=product_id, **given)


FIGURES = {"cup": near(("tray", 40, 3.0), ("spoon", 10, 3.0), ("cup2", 4, 1.5)), "pot": near(("spoon", 40, 3.0))}
KNOWN = {name: product(name) for name in ("tray", "spoon", "cup2", "cup", "pot")}


def recommended(seeds: list[str], owned: set[str], **changed: Product) -> list[str]:
    return [each.id for each in recommend(seeds, FIGURES, owned, {**KNOWN, **changed})]


def test_what_more_of_theirs_point_to_comes_first() -> None:
    assert recommended(["cup"], set()) == ["tray", "spoon", "cup2"]
    assert recommended(["cup", "pot"], set()) == ["spoon", "tray", "cup2"]
    assert recommended(["unknown"], set()) == []


def test_never_what_they_have_or_what_cannot_be_had() -> None:
    assert recommended(["cup"], {"cup", "tray"}) == ["spoon", "cup2"]
    assert recommended(["cup"], set(), tray=product("tray", deleted=True)) == ["spoon", "cup2"]
    assert recommended(["cup"], set(), tray=product("tray", raw_status="draft")) == ["spoon", "cup2"]
    assert recommended(["cup"], set(), tray=product("tray", url=None)) == ["spoon", "cup2"]
    assert not sellable(product("x", raw_status="archived"))
    assert recommended(["cup"], set(), tray=product("tray", in_stock=False)) == ["spoon", "cup2"]
    assert sellable(product("x", in_stock=True))


def test_a_product_nobody_told_us_of_is_not_recommended() -> None:
    assert candidates(["cup"], FIGURES, set())[0] == "tray"
    assert [each.id for each in recommend(["cup"], FIGURES, set(), {"spoon": KNOWN["spoon"]})] == ["spoon"]
