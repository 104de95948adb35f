"""A reward waits until the friend can no longer send back what arrived, and never for ever; on both engines."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import closing
from dataclasses import replace
from datetime import datetime, timedelta
from itertools import permutations
from pathlib import Path
from typing import Any, ClassVar

import pytest

from connector.model import Event, Order, Ref, Shipment, ShipmentStatus, ShippedLine
from connector.store import Store, referrals
from flows.referring import programme
from tests.store.loyal import line
from tests.store.referred import AINO, TERMS, Referred, Somebody, forget_all, of_order, refunding
from tests.store.trade import SHOP, START

DAY = timedelta(days=1)
HOUR = timedelta(hours=1)
CODE = "FRIEND-AINO"
EERO = Somebody()
GOODS = (line("a", "40"),)


@pytest.fixture
def life(store: Store, tmp_path: Path) -> Referred:
    made = Referred(store, tmp_path)
    made.advocate()
    return made


def parcel(of: Order, status: ShipmentStatus, at: datetime, number: int = 1) -> Event:
    """News of a parcel; `number` names it, each with its share of the lines."""
    shipment = Shipment(
        id=f"s{of.id}-{number}",
        order_id=of.id,
        status=status,
        raw_status=status,
        created_at=of.placed_at,
        updated_at=at,
        lines=tuple(ShippedLine(line_id=one.id, quantity=one.quantity) for one in of.lines[number - 1 : number]),
    )
    return Event(
        kind=f"shipment.{status}",
        key=f"{shipment.id}/{status}",
        subject=Ref("shipment", shipment.id),
        at=at,
        order_id=of.id,
        shipment=shipment,
    )


def buys(life: Referred, who: Somebody = EERO, **more: Any) -> Order:
    return life.buys(who, CODE, **{"lines": GOODS, **more})


def told(life: Referred, of: Order, status: ShipmentStatus, number: int = 1) -> None:
    life.take_in(parcel(of, status, life.clock.now(), number))


def until(life: Referred, days: float) -> str:
    life.live(days * DAY)
    with life.store.work.read() as tx:
        (row,) = referrals.of_advocate(tx, SHOP, "aino.makinen@gmail.com")
    return row.state


def opens(life: Referred, of: Order) -> float:
    """Days from the beginning until the reward opens."""
    row = life.of(of)
    assert row is not None
    assert row.opens_at is not None
    return (row.opens_at - START) / DAY


SHIPPED, DELIVERED = ShipmentStatus.SHIPPED, ShipmentStatus.DELIVERED


def test_both_sides_wait_for_the_return_window_after_the_arrival(life: Referred) -> None:
    made = buys(life)
    assert opens(life, made) == 16, "a promise has a day, also while nobody knows of a parcel"
    life.live(3 * DAY)
    told(life, made, SHIPPED)
    assert opens(life, made) == 3 + 4 + 16
    life.live(5 * DAY)
    told(life, made, DELIVERED)
    assert opens(life, made) == 5 + 16
    assert until(life, 20.9) == "held", "paid 20 days ago, arrived 15"
    assert (life.points(AINO), life.points(EERO)) == ((0, 100), (0, 20))
    assert until(life, 21.1) == "rewarded"
    assert (life.points(AINO), life.points(EERO)) == ((100, 0), (20, 0))


def test_the_last_parcel_counts(life: Referred) -> None:
    two = buys(life, lines=(*GOODS, line("b", "20")))
    life.live(2 * DAY)
    for number in (1, 2):
        told(life, two, SHIPPED, number)
    life.live(4 * DAY)
    told(life, two, DELIVERED, 1)
    assert opens(life, two) == 2 + 4 + 16, "the other one is still on its way"
    life.live(12 * DAY)
    told(life, two, DELIVERED, 2)
    assert opens(life, two) == 12 + 16
    assert until(life, 27.9) == "held"
    assert until(life, 28.1) == "rewarded"


def test_an_arrival_that_nobody_tells_of_is_not_waited_for_for_ever(life: Referred) -> None:
    made = buys(life)
    life.live(15 * DAY)
    told(life, made, SHIPPED)
    assert until(life, 34.9) == "held"
    assert until(life, 35.1) == "rewarded"
    told(life, made, DELIVERED)
    assert opens(life, made) == 35, "what was given is not given later"
    assert until(life, 60) == "rewarded"


def test_an_arrival_after_the_first_moment_is_still_waited_for(life: Referred) -> None:
    """Left on the fifteenth day, arrived on the eighteenth: the sixteenth had woken the run."""
    made = buys(life)
    life.live(15 * DAY)
    told(life, made, SHIPPED)
    life.live(18 * DAY)
    told(life, made, DELIVERED)
    assert opens(life, made) == 34
    assert until(life, 33.9) == "held"
    assert until(life, 35.1) == "rewarded"


def test_nothing_left_and_nothing_is_told(life: Referred) -> None:
    buys(life)
    assert until(life, 15.9) == "held"
    assert until(life, 16.1) == "rewarded"


def test_an_order_that_is_paid_when_it_has_arrived(life: Referred) -> None:
    """Cash on delivery: the arrival was told before there was a referral."""
    made = replace(life.made(EERO, CODE, lines=GOODS), paid_at=None)
    life.take_in(of_order(made, "order.created"))
    life.live(6 * DAY)
    told(life, made, DELIVERED)
    life.live(7 * DAY)
    now = life.clock.now()
    life.take_in(of_order(replace(made, paid_at=now, updated_at=now), "order.paid"))
    assert opens(life, made) == 7 + 16, "the payment was later"


def test_what_is_bought_at_the_counter_or_downloaded_is_there_at_once(life: Referred) -> None:
    made = buys(life, source="pos")
    assert opens(life, made) == 16
    assert until(life, 16.1) == "rewarded"


def test_from_the_payment_alone_where_the_shop_says_so(store: Store, tmp_path: Path) -> None:
    life = Referred(store, tmp_path, {**TERMS, "pending_from": "payment"})
    life.advocate()
    made = buys(life)
    life.live(5 * DAY)
    told(life, made, DELIVERED)
    assert opens(life, made) == 16
    assert until(life, 16.1) == "rewarded"


def test_as_installed_the_parameter_of_the_flow_is_counted_from_the_arrival(store: Store, tmp_path: Path) -> None:
    reward = {"referral-reward": {"file": "referral_reward", "params": {"hold": "9d"}}}
    life = Referred(store, tmp_path, {}, reward)
    life.advocate()
    made = buys(life)
    life.live(5 * DAY)
    told(life, made, DELIVERED)
    assert opens(life, made) == 14
    assert until(life, 13.9) == "held"


def test_what_was_promised_before_parcels_counted_opens_when_it_was_said(life: Referred) -> None:
    """Rows of the version before say no more than the day."""
    made = buys(life)
    with life.store.work.transaction() as tx:
        tx.script('UPDATE referrals SET reward = \'{"nth":"1","kind":"points","worth":"100"}\'')
    life.live(5 * DAY)
    told(life, made, DELIVERED)
    assert opens(life, made) == 16
    assert until(life, 16.1) == "rewarded"


def test_terms_that_change_later_change_nothing_that_was_promised(store: Store, tmp_path: Path) -> None:
    life = Referred(store, tmp_path)
    life.advocate()
    made = buys(life)
    life.terms = {**TERMS, "return_window": "60d", "pending_from": "payment"}
    life.configure({})
    life.live(5 * DAY)
    told(life, made, DELIVERED)
    assert opens(life, made) == 21


def test_what_waits_for_a_person_opens_by_the_arrival_too(life: Referred) -> None:
    made = buys(life, Somebody(email="x@mailinator.com"))
    assert life.state(made) == "review"
    life.live(5 * DAY)
    told(life, made, DELIVERED)
    assert opens(life, made) == 21


def test_points_of_the_reward_are_good_for_as_long_as_promised(store: Store, tmp_path: Path) -> None:
    life = Referred(store, tmp_path, {**TERMS, "reward": {"kind": "points", "points": 100, "valid": "10d"}})
    life.advocate()
    made = buys(life)
    life.live(5 * DAY)
    told(life, made, DELIVERED)
    life.live(21.1 * DAY)
    assert life.points() == (100, 0)
    life.live(30.9 * DAY)
    assert life.points() == (100, 0), "ten days from when they could be used, not from when they were promised"
    life.live(31.2 * DAY)
    assert life.points() == (0, 0)


class WithRule(Referred):
    """The loyalty programme rewards the advocate too."""

    loyalty: ClassVar[dict[str, Any]] = {"return_window": "14d", "rules": {"pals": {"kind": "referral", "points": 200}}}


def test_points_of_the_loyalty_rule_wait_as_well(store: Store, tmp_path: Path) -> None:
    life = WithRule(store, tmp_path, {**TERMS, "reward": {"kind": "code", "worth": "10 %"}})
    life.advocate()
    made = buys(life)
    assert life.points() == (0, 200)
    life.live(5 * DAY)
    told(life, made, DELIVERED)
    life.live(20.9 * DAY)
    assert life.points() == (0, 200)
    life.live(21.1 * DAY)
    assert life.points() == (200, 0)
    life.refund(made)
    assert life.points() == (0, 0)


# -- races with refunds ------------------------------------------------------------------------------------------------


def story(life: Referred, news: tuple[str, ...]) -> tuple[str, tuple[int, int], tuple[int, int]]:
    """What it comes to when these are told in this order on the fifth day."""
    life.advocate()
    made = buys(life)
    life.live(5 * DAY)
    at = life.clock.now()
    known = {
        "sent": [parcel(made, SHIPPED, at)],
        "arrived": [parcel(made, DELIVERED, at)],
        "part": refunding(made, "10.00", at),
        "all": refunding(made, "40.00", at),
    }
    for each in news:
        life.take_in(*known[each])
    life.live(40 * DAY)
    return life.state(made), life.points(AINO), life.points(EERO)


@pytest.mark.parametrize("back", ["part", "all"])
def test_a_refund_among_news_of_the_parcel_takes_it_back(store: Store, tmp_path: Path, back: str) -> None:
    """In any order and twice; without the refund both are rewarded (the control)."""
    stories: Iterator[tuple[str, ...]] = permutations(("sent", "arrived", back))
    for number, news in enumerate([("sent", "arrived"), *stories, ("arrived", back, "arrived", back)]):
        folder = tmp_path / str(number)
        folder.mkdir()
        expected = ("reversed", (0, 0), (0, 0)) if back in news else ("rewarded", (100, 0), (20, 0))
        assert story(Referred(store, folder), news) == expected, news
        forget_all(store)


def test_a_refund_in_the_return_window_after_the_arrival_comes_in_time(
    store: Store, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Sent back on the last day. Planted: held from the payment alone, the advocate would have been rewarded before."""
    for planted, state in ((False, "held"), (True, "rewarded")):
        with closing(Store.open(f"sqlite:///{tmp_path}/{planted}.db")) as own:
            if planted:
                monkeypatch.setattr(programme, "_open_later", lambda *_: None)
            life = Referred(own, tmp_path)
            life.advocate()
            made = buys(life)
            life.live(10 * DAY)
            told(life, made, DELIVERED)
            assert until(life, 23) == state
            life.refund(made)
            assert life.state(made) == "reversed"
            assert life.points() == (0, 0)
