"""Points that flows and people give, beside what orders earn: usable at once, good for as long as others, told of."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import replace
from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest

from connector.loyalty import Adjustment, adjustment
from connector.model import EventKind, Order
from connector.model.value import Fact
from connector.store import Store
from flows.value import earning, loyalty
from flows.value.bookings import give_points
from tests.store.loyal import AINO, DAY, SPEND, Loyal, cancelled, delivered, faults, line, plain, told
from tests.store.trade import SHOP

__all__ = ["plain"]

SLIP = "aino@exmaple.test"
BY_POINTS: dict[str, Any] = {
    **SPEND,
    "measure": "points",
    "grace": "5d",
    "tiers": {"silver": {"at": 50}, "gold": {"at": 100}},
}


def goodwill(life: Loyal, order_id: str = "1", email: str = AINO, points: int = 100, lasts: int = 60) -> None:
    """What a flow's `grant` for an order leaves: the effect's id, the order as the cause."""
    with life.store.work.transaction() as tx:
        now = life.clock.now()
        changes = give_points(
            tx, SHOP, "run1:sorry", None, email, points, now,
            cause=f"order/{order_id}", rule="flow/late", expires_at=now + lasts * DAY,
        )  # fmt: skip
        life.kiitos.runner.ingest(tx, SHOP, life.kiitos.runner.loyalty.given(tx, SHOP, changes, now), now)


def of_goodwill(life: Loyal, email: str = AINO) -> tuple[int, int]:
    """What is usable and pending of it."""
    lots = [lot for key, lot in life.position(email).lots.items() if key.startswith("run1:sorry")]
    return int(sum(lot.available for lot in lots)), int(sum(lot.pending for lot in lots))


def adjusted(life: Loyal, points: int, name: str = "", lasting: timedelta | None = None) -> str:
    told = Adjustment(points=points, by="maija", name=name, lasting=lasting)
    return adjustment(life.kiitos, SHOP, AINO, told).text


# -- and the order -----------------------------------------------------------------------------------------------------


def later_news(life: Loyal, made: Order) -> None:
    """What is told of an order after somebody was given points for it."""
    life.clock.advance(5 * DAY)
    life.take_in(delivered(made, life.clock.now()))
    life.tell(made, note="leave it at the door")


def test_news_of_the_order_does_not_make_a_gift_pending_again(plain: Loyal) -> None:
    made = plain.buys(line("a", "40"))
    goodwill(plain)
    later_news(plain, made)
    assert plain.points() == (100, 40)
    plain.live(59 * DAY)
    assert of_goodwill(plain) == (100, 0)
    plain.live(61 * DAY)
    assert of_goodwill(plain) == (0, 0), "it lapses when its flow said"
    assert faults(plain) == []


def test_a_gift_that_is_taken_for_the_orders_own_is_held_back(plain: Loyal, monkeypatch: pytest.MonkeyPatch) -> None:
    """Negative control: as it was."""

    def everything(facts: Iterable[Fact], _: str) -> list[Fact]:
        return list(facts)

    monkeypatch.setattr(earning, "of_programme", everything)
    made = plain.buys(line("a", "40"))
    goodwill(plain)
    later_news(plain, made)
    assert plain.points() == (0, 140)


@pytest.mark.parametrize("kind", [EventKind.ORDER_CANCELLED, EventKind.ORDER_DELETED])
def test_a_gift_stays_when_nothing_is_left_of_the_order(plain: Loyal, kind: EventKind) -> None:
    made = plain.buys(line("a", "40"))
    goodwill(plain)
    plain.clock.advance(DAY)
    gone = cancelled(made, plain.clock.now())
    plain.take_in(gone if kind is EventKind.ORDER_CANCELLED else replace(gone, kind=kind, key="gone", order=None))
    assert plain.points() == (100, 0)
    assert faults(plain) == []


def test_a_gift_goes_with_its_order_when_the_address_is_corrected_and_back(plain: Loyal) -> None:
    made = plain.buys(line("a", "40"), email=SLIP)
    goodwill(plain, email=SLIP)
    for right, wrong in ((AINO, SLIP), (SLIP, AINO), (AINO, SLIP)):
        plain.clock.advance(DAY)
        news = told(replace(made, email=right, updated_at=plain.clock.now()), EventKind.ORDER_UPDATED)
        plain.take_in(news)
        plain.take_in(replace(news, key=f"{news.key}/again"))
        assert (of_goodwill(plain, right), of_goodwill(plain, wrong)) == ((100, 0), (0, 0))
        assert (plain.points(right), plain.points(wrong)) == ((100, 40), (0, 0))
    plain.live(61 * DAY)
    assert of_goodwill(plain) == (0, 0), "and is no longer good for it"
    assert faults(plain) == faults(plain, SLIP) == []


# -- and the programme -------------------------------------------------------------------------------------------------


@pytest.fixture
def ranked(store: Store, tmp_path: Path) -> Loyal:
    """A shop whose tiers are reached by points."""
    return Loyal(store, tmp_path, BY_POINTS)


def tiers(life: Loyal) -> list[tuple[int, str, str]]:
    return [(day, data["direction"], data["tier"]) for day, _, data in life.told("tier.changed")]


def test_an_adjustment_lifts_a_tier_is_told_and_lapses_as_other_points(ranked: Loyal) -> None:
    assert adjusted(ranked, 60, "k") == "60 points to use now"
    assert adjusted(ranked, 60, "k") == "done before: nothing was changed"
    assert (ranked.state()["tier"], tiers(ranked)) == ("silver", [(0, "up", "Silver")])
    (first,) = ranked.told("points.changed")
    assert (first[2]["points"], first[2]["balance"], first[2]["missing"]) == ("60", "60", "40")
    ranked.live(199 * DAY)
    assert ranked.points() == (60, 0)
    assert [(day, data["points"]) for day, _, data in ranked.told("points.expiring")] == [(186, "60")]
    ranked.live(201 * DAY)
    assert ranked.points() == (0, 0)
    assert ranked.state()["tier"] == "silver", "what lapses was earned all the same"
    ranked.live(380 * DAY)
    assert tiers(ranked)[1:] == [(370, "down", "")], "a year after it was given, and the grace"
    assert faults(ranked) == []


@pytest.mark.parametrize(("lasting", "left"), [(timedelta(0), 60), (timedelta(days=10), 0)])
def test_an_adjustment_may_say_how_long_it_is_good(ranked: Loyal, lasting: timedelta, left: int) -> None:
    adjusted(ranked, 60, lasting=lasting)
    ranked.live(11 * DAY)
    assert ranked.points()[0] == (60 if lasting == timedelta(0) else 0)
    ranked.live(900 * DAY)
    assert ranked.points() == (left, 0)


def test_what_a_person_takes_away_is_told_and_counts_as_used(ranked: Loyal) -> None:
    adjusted(ranked, 60)
    ranked.clock.advance(DAY)
    assert adjusted(ranked, -20) == "40 points to use now"
    assert adjusted(ranked, -41) == "nothing was taken: there are only 40"
    assert [data["points"] for *_, data in ranked.told("points.changed")] == ["60", "-20"]
    ranked.live(10 * DAY)
    assert ranked.state()["tier"] == "silver"


def test_without_looking_at_the_member_a_gift_leads_to_nothing(ranked: Loyal, monkeypatch: pytest.MonkeyPatch) -> None:
    """Negative control."""

    def nothing(*_: object) -> list[object]:
        return []

    monkeypatch.setattr(loyalty.Loyalty, "given", nothing)
    adjusted(ranked, 60)
    ranked.live(20 * DAY)
    assert (ranked.told("points.changed"), tiers(ranked)) == ([], [])


FLOW = """
id = "sorry"
title = "Points for whoever waited"
trigger = "order.paid"
purpose = "transactional"
subject = "customer"
reentry = "once"
cancel_on = ["tier.changed"]

[[steps]]
id = "give"
do = "grant"
what = "points"
points = 60
EXPIRES

[[steps]]
id = "rest"
do = "wait"
span = "3d"
"""


@pytest.mark.parametrize(("says", "lapses"), [("", 200), ('expires = "30d"', 30)])
def test_a_flow_that_gives_points_lifts_a_tier(store: Store, tmp_path: Path, says: str, lapses: int) -> None:
    """And it ends by what it led to, where it says so, with the step done."""
    (tmp_path / "sorry.toml").write_text(FLOW.replace("EXPIRES", says), "utf-8")
    life = Loyal(store, tmp_path, BY_POINTS, {"sorry": {"file": "./sorry.toml"}})
    life.buys(line("a", "5"))
    life.worker.drain()
    assert (life.points(), life.state()["tier"], tiers(life)) == ((60, 5), "silver", [(0, "up", "Silver")])
    assert sorted(data["points"] for *_, data in life.told("points.changed")) == ["0", "60"]
    with store.work.read() as tx:
        tx.script("SELECT status, reason, outcomes FROM runs")
        ((status, reason, outcomes),) = [
            tuple(row.values()) if isinstance(row, dict) else tuple(row) for row in tx._cursor.fetchall()
        ]
    assert (status, reason) == ("cancelled", "tier.changed")
    assert '"ends_at"' in outcomes
    seen = []
    for day in (lapses - 1, lapses + 1):
        life.live(day * DAY)
        gift = next(lot for lot in life.position().lots.values() if lot.grant.rule.startswith("flow/"))
        seen.append((int(gift.available), int(gift.expired)))
    assert seen == [(60, 0), (0, 60)]
    assert faults(life) == []
