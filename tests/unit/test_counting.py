"""A shop's whole history in figures: against counting by hand, on generated shops."""

from __future__ import annotations

import math
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from decimal import Decimal
from itertools import pairwise, permutations
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from connector.model import Money, Product, Purchase
from flows.goods import counting
from flows.goods.counting import Tally, likelihood_ratio
from flows.goods.recommending import Having, Verdict, candidates, judge, obstacle, recommend, weigh
from flows.knowing.background import Companion, ProductFigures
from tests.chance import Chance

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
    for number, shopper in enumerate(shoppers):
        tally.add([replace(one, order_id=f"{number}-{one.order_id}") for one in purchases(shopper)])
    return tally


SHOPPERS = st.lists(
    st.lists(
        st.tuples(st.integers(0, 300), st.lists(st.sampled_from("abcdef"), max_size=4)), max_size=6,
    ),
    max_size=40,
)  # fmt: skip


def by_hand(shoppers: list[Shopper]) -> dict[tuple[str, str], tuple[object, ...]]:
    """Every pair of products that goes together, counted the slow way: people by people, order by order."""
    recent = [[(days, set(bought)) for days, bought in one if days <= counting.SINCE.days] for one in shoppers]
    recent = [one for one in recent if one]
    baskets = [set().union(*(bought for _, bought in one)) for one in recent]
    people, found = len(baskets), {}
    for one, other in permutations("abcdef", 2):
        together = sum({one, other} <= basket for basket in baskets)
        if together < counting.TOGETHER:
            continue
        first, second = (sum(product in basket for basket in baskets) for product in (one, other))
        p, q, both = first / people, second / people, together / people
        lift = both / (p * q)
        # The variance of log(both) - log(p) - log(q) of a multinomial, term by term.
        variance = (1 / both - 1) + (1 / p - 1) + (1 / q - 1) - 2 * (1 / p - 1) - 2 * (1 / q - 1) + 2 * (lift - 1)
        low = math.exp(math.log(lift) - 2.326 * math.sqrt(max(0.0, variance / people)))
        if lift >= counting.LIFT and low > 1 + 1e-9:
            beside = sum({one, other} <= bought for shopper in recent for _, bought in shopper)
            found[one, other] = (together, round(lift, 2), round(low, 2), round(together / first, 4), beside)
    return found


def as_found(tally: Tally) -> dict[tuple[str, str], tuple[object, ...]]:
    return {
        (product, each.product_id): (each.together, each.lift, each.lift_low, each.confidence, each.beside)
        for product, figures in tally.products().items()
        for each in figures.companions
    }


def generated(seed: int) -> list[Shopper]:
    """A shop in which a goes with b and c with d, and e and f with nothing; some history is older than counts."""
    chance = Chance(seed)
    shoppers: list[Shopper] = []
    for _ in range(chance.whole(60, 160)):
        shopper: Shopper = []
        for _ in range(chance.whole(1, 2)):
            one = chance.pick("abcdef")
            beside = {"a": "b", "c": "d"}.get(one)
            more = [beside] if beside is not None and chance.share() < 0.8 else []
            odd = [chance.pick("abcdef")] if chance.share() < 0.3 else []
            shopper.append((chance.whole(0, 900), [one, *more, *odd]))
        shoppers.append(shopper)
    return shoppers


def test_companions_of_forty_shops_are_those_a_count_by_hand_finds() -> None:
    pairs = 0
    for seed in range(40):
        shoppers = generated(seed)
        expected = by_hand(shoppers)
        pairs += len(expected)
        assert as_found(counted(*shoppers)) == expected, seed
        assert as_found(counted(*reversed(shoppers))) == expected, seed
    assert pairs > 80, "the shops must have something to find"


@pytest.mark.parametrize("bug", ["orders", "old", "rate", "chance", "gift"])
def test_a_wrong_count_would_be_found(bug: str, monkeypatch: pytest.MonkeyPatch) -> None:
    """Planted: orders for people, old history, a rate of all buyers, no bound, the pieces for the products."""
    if bug == "orders":
        whole = Tally.add
        monkeypatch.setattr(Tally, "add", lambda tally, bought: [whole(tally, [one]) for one in bought])
    elif bug == "old":
        monkeypatch.setattr(counting, "SINCE", timedelta(days=4000))
        by_then = [[(days, bought) for days, bought in one if days <= 730] for one in generated(1)]
        assert as_found(counted(*generated(1))) != by_hand([one for one in by_then if one])
        return
    elif bug == "rate":
        monkeypatch.setattr(counting, "lift_low", lambda together, *_: together)
    elif bug == "chance":
        monkeypatch.setattr(counting, "lift_low", lambda *_: 9.0)
    else:
        monkeypatch.setattr(counting, "combinations", lambda items, _: [(a, b) for a in items for b in items])
    assert any(as_found(counted(*generated(seed))) != by_hand(generated(seed)) for seed in range(3))


def test_what_does_not_belong_together_is_hardly_ever_put_together() -> None:
    """Forty shops whose customers pick by chance alone: at most two pairs of a hundred pass."""
    passed = looked = 0
    for seed in range(40):
        chance = Chance(1000 + seed)
        shoppers: list[Shopper] = [
            [(chance.whole(0, 300), [chance.pick("abcdef") for _ in range(3)])] for _ in range(200)
        ]
        passed += len(as_found(counted(*shoppers))) // 2
        looked += 15
    assert passed <= 0.02 * looked, f"{passed} of {looked}"


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


def test_the_interval_is_learnt_from_one_person_s_repeats_alone() -> None:
    shoppers: list[Shopper] = [[(200, ["bags"]), (170, ["bags", "cup"]), (140, ["bags"])] for _ in range(6)]
    found = counted(*shoppers).products()
    assert (found["bags"].gap_days, found["bags"].repeats, found["bags"].buyers) == (30, 12, 6)
    assert found["bags"].lasts(3) == timedelta(days=90), "three last three times as long"
    assert (found["cup"].gap_days, found["cup"].repeats, found["cup"].lasts()) == (None, 0, None)


def test_of_very_many_repeats_a_fair_part_is_kept(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(counting, "MOST_GAPS", 30)
    shoppers: list[Shopper] = [[(200 + each, ["bags"]), (170 + each, ["bags"])] for each in range(100)]
    named = [
        [replace(one, order_id=f"{number}-{one.order_id}") for one in purchases(each)]
        for number, each in enumerate(shoppers)
    ]
    found = []
    for order in (named, named[::-1]):
        tally = Tally(NOW, "EUR")
        for each in order:
            tally.add(each)
        found.append(tally.products()["bags"])
        assert len(tally._products["bags"].gaps) <= 60
    assert found[0] == found[1]
    assert (found[0].repeats, found[0].gap_days) == (30, 30)


def test_a_sure_pair_comes_before_a_rare_one() -> None:
    assert likelihood_ratio(300, 400, 400, 2000) > likelihood_ratio(3, 3, 3, 2000) > 0
    assert likelihood_ratio(4, 40, 200, 2000) == pytest.approx(0, abs=1e-6), "exactly what chance gives"


def test_the_memory_of_a_count_is_bounded(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(counting, "MOST_PAIRS", 20)
    shoppers: list[Shopper] = [[(9, ["a", "b"])] for _ in range(5)]
    odd: list[Shopper] = [[(9, [f"x{number}-{each}" for each in range(4)])] for number in range(20)]
    tally = counted(*shoppers, *odd)
    assert len(tally._pairs) <= 20 + 6
    assert "b" in [near.product_id for near in tally.products()["a"].companions]


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
    assert obstacle(product("x", raw_status="archived"))
    assert recommended(["cup"], set(), tray=product("tray", in_stock=False)) == ["spoon", "cup2"]
    assert not obstacle(product("x", in_stock=True))


def test_a_product_nobody_told_us_of_is_not_recommended() -> None:
    assert candidates(["cup"], FIGURES, set())[0] == "tray"
    assert [each.id for each in recommend(["cup"], FIGURES, set(), {"spoon": KNOWN["spoon"]})] == ["spoon"]


def test_whatever_is_left_out_has_its_reason() -> None:
    having = Having(owned=frozenset({"tray", "filter"}), returned=frozenset({"tray"}), due=frozenset({"filter"}))
    known = {
        "filter": product("filter", tags=("Consumable",)),
        "card": product("card", product_type="Gift Card"),
        "spare": product("spare", tags=("no-recommendation",)),
        "gone": product("gone", deleted=True),
        **{f"p{number}": product(f"p{number}") for number in range(5)},
    }
    names = ["tray", "filter", "card", "spare", "gone", "nowhere", "p0", "p1", "p2", "p3"]
    judged = judge([Verdict(name, 1.0) for name in names], having, known)
    assert {each.product_id: each.why for each in judged} == {
        "tray": "they sent it back",
        "filter": "",
        "card": "it is a gift card",
        "spare": "it has the tag no-recommendation",
        "gone": "it was deleted",
        "nowhere": "the shop never told of it",
        "p0": "", "p1": "", "p2": "",
        "p3": "others come before it",
    }  # fmt: skip
    still = judge([Verdict("filter", 1.0)], replace(having, due=frozenset()), known)
    assert [each.why for each in still] == ["theirs has not run out yet"]
    assert [seed for seed, _ in weigh(["cup", "pot"], FIGURES)[0].because] == ["cup", "pot"]
