"""Birthdays that become known after the last order: their members are looked at on the day."""

from __future__ import annotations

from dataclasses import replace
from datetime import datetime
from pathlib import Path

import pytest

from connector.model import Customer, Event, EventKind, Order, Ref
from connector.store import Store, accounts
from flows.value import birthdays
from tests.store.loyal import AINO, DAY, Loyal, faults, line, purchase, told
from tests.store.test_loyalty_reviews import writes
from tests.store.trade import SHOP

BORN = {"rules": {"born": {"kind": "birthday", "points": 30}, "spend": {"kind": "spend", "points": 1, "per": "9 EUR"}}}


@pytest.fixture
def life(store: Store, tmp_path: Path) -> Loyal:
    return Loyal(store, tmp_path, BORN)


def given(life: Loyal, email: str = AINO) -> list[datetime]:
    """When something was given for a birthday."""
    return [lot.grant.at for lot in life.position(email).lots.values() if lot.grant.rule == "born"]


def buys(life: Loyal, customer: Customer | None, order_id: str = "1") -> Order:
    made = purchase(line("a", "40", product_id="p1"), order_id=order_id, email=AINO, at=life.clock.now())
    life.take_in(told(replace(made, customer=customer), EventKind.ORDER_PAID))
    return made


def learns(life: Loyal, day: datetime, kind: str = EventKind.CUSTOMER_UPDATED, **more: str) -> None:
    """The shop tells of an account, as it is now."""
    who = Customer(id="c1", email=AINO, updated_at=life.clock.now(), birthday=f"1990-{day:%m-%d}")
    event = Event(
        kind=kind,
        key=f"customer/c1/{life.clock.now().isoformat()}",
        subject=Ref("customer", "c1"),
        at=life.clock.now(),
        customer_id="c1",
        customer=replace(who, **more),
    )
    life.take_in(event)


def looks(life: Loyal) -> list[datetime | None]:
    with life.store.work.read() as tx:
        return [row.look_at for row in accounts.members(tx, SHOP)]


@pytest.mark.parametrize("registered", [True, False])
def test_a_birthday_that_is_learnt_later_is_given(life: Loyal, registered: bool) -> None:
    """To a member with an account, and to a guest who registers with their address."""
    buys(life, Customer(id="c1", email=AINO) if registered else None)
    life.live(3 * DAY)
    day = life.clock.now() + 10 * DAY
    learns(life, day, EventKind.CUSTOMER_UPDATED if registered else EventKind.CUSTOMER_CREATED)
    life.live(11 * DAY)
    assert given(life) == []
    life.live(14 * DAY)
    assert [at.date() - day.date() for at in given(life)] in ([0 * DAY], [-1 * DAY]), "midnight in Helsinki"
    learns(life, day)
    life.live(400 * DAY)
    assert len(given(life)) == 2, "once a year, and every year"
    assert faults(life) == []


def test_without_hearing_of_customers_it_is_not(life: Loyal, monkeypatch: pytest.MonkeyPatch) -> None:
    """Negative control."""
    monkeypatch.setattr(birthdays, "expect", lambda *_: None)
    buys(life, Customer(id="c1", email=AINO))
    life.live(3 * DAY)
    learns(life, life.clock.now() + 10 * DAY)
    life.live(100 * DAY)
    assert given(life) == []


@pytest.mark.parametrize(("ago", "presents"), [(1, 1), (5, 0)])
def test_one_that_was_just_now_is_given_late_and_one_before_that_next_year(
    life: Loyal, ago: int, presents: int
) -> None:
    buys(life, Customer(id="c1", email=AINO))
    life.live(20 * DAY)
    learns(life, life.clock.now() - ago * DAY)
    life.worker.drain()
    assert len(given(life)) == presents
    life.live(385 * DAY)
    assert len(given(life)) == presents + 1


def test_who_owns_nothing_is_nobody_to_look_at(life: Loyal) -> None:
    learns(life, life.clock.now() + DAY)
    assert looks(life) == []
    life.live(3 * DAY)
    assert given(life) == []


def test_the_same_news_again_arranges_nothing_anew(life: Loyal, monkeypatch: pytest.MonkeyPatch) -> None:
    buys(life, Customer(id="c1", email=AINO))
    day = life.clock.now() + 10 * DAY
    learns(life, day)
    before = looks(life)
    held: list[str] = []
    real = accounts.holder_of

    def holder_of(*named: object) -> accounts.Holder:
        held.append(str(named[2]))
        return real(*named)  # type: ignore[arg-type]

    monkeypatch.setattr(accounts, "holder_of", holder_of)
    for more in ({}, {"first_name": "Aino"}):
        life.clock.advance(DAY)
        learns(life, day, **more)
        assert (looks(life), held) == (before, [])
    life.clock.advance(DAY)
    learns(life, life.clock.now() + DAY)
    assert len(held) == 1, "one that comes sooner than anything else is arranged"
    assert looks(life) != before


def test_news_of_an_order_that_does_not_tell_the_birthday_keeps_the_look(life: Loyal) -> None:
    """The buyer as an order and its review name them has no birthday; the account has."""
    buyer = Customer(id="c1", email=AINO)
    made = buys(life, buyer)
    learns(life, life.clock.now() + 10 * DAY)
    life.clock.advance(DAY)
    buys(life, buyer, "2")
    life.clock.advance(DAY)
    writes(life, replace(made, id="2"))
    life.live(20 * DAY)
    assert len(given(life)) == 1
