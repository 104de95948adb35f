"""The programme over a real store and worker: points, reversals, tiers, badges, expiry; and that no order of events
changes what anybody owns."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import replace
from datetime import datetime, timedelta
from decimal import Decimal
from fractions import Fraction
from pathlib import Path

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from connector.model import Customer, Event, EventKind, FinancialStatus, Order, Ref, Refund
from connector.model.value import Fact
from connector.store import Store, people
from flows.value import cases, earning, exchanging
from tests.store.deeds import REWARDS, Deed, adjusted, exchanged, given_by_a_flow, held_back, taken_in
from tests.store.loyal import AINO, DAY, PROGRAMME, Loyal, cancelled, faults, life, line, plain, purchase, refund, told
from tests.store.trade import SHOP, START

__all__ = ["life", "plain"]


def test_points_are_pending_until_the_return_window_is_over(plain: Loyal) -> None:
    plain.buys(line("a", "89.90"))
    assert plain.points() == (0, 89)
    plain.live(15 * DAY)
    assert plain.points() == (0, 89)
    plain.live(17 * DAY)
    assert plain.points() == (89, 0)
    assert [entry.kind for entry in plain.entries()] == ["earn", "hold", "release"]
    assert {(entry.rule, bool(entry.version)) for entry in plain.entries()} == {("spend", True)}
    assert [(day, data["balance"], data["pending"]) for day, _, data in plain.told("points.changed")] == [
        (0, "0", "89"),
        (16, "89", "0"),
    ]


def test_three_refunds_of_a_third_late_and_repeated(plain: Loyal) -> None:
    made = plain.buys(line("a", "100", 3))
    plain.live(20 * DAY)
    left = []
    for number in (1, 2, 3):
        event = refund(made, f"r{number}", plain.clock.now(), a=1)
        plain.take_in(event)
        plain.take_in(event)
        left.append(plain.points()[0])
        plain.clock.advance(DAY)
    assert left == [67, 34, 0], "rounded down until the last piece goes back"
    assert faults(plain) == []


def test_a_refund_by_amount_takes_its_share(plain: Loyal) -> None:
    made = plain.buys(line("a", "80"), line("b", "20"))
    plain.take_in(refund(made, "r1", plain.clock.now() + DAY, "25"))
    assert plain.points() == (0, 75)
    plain.take_in(refund(made, "r2", plain.clock.now() + DAY, "15", b=1))
    assert plain.points() == (0, 60)


def test_a_cancelled_order_leaves_nothing_and_what_was_spent_is_owed(plain: Loyal) -> None:
    from connector.store import accounts
    from flows.value.bookings import spend

    made = plain.buys(line("a", "100"))
    plain.live(20 * DAY)
    with plain.store.work.transaction() as tx:
        holder = accounts.open_for(tx, SHOP, None, AINO, "x", plain.clock.now())
        assert spend(tx, SHOP, "s1", holder, Decimal(70), plain.clock.now(), "order/9")
        assert not spend(tx, SHOP, "s2", holder, Decimal(70), plain.clock.now(), "order/10")
        assert spend(tx, SHOP, "s1", holder, Decimal(70), plain.clock.now(), "order/9")
    plain.take_in(cancelled(made, plain.clock.now()))
    assert plain.points() == (-70, 0)
    plain.buys(line("a", "100"), order_id="2")
    plain.live(40 * DAY)
    assert plain.points() == (30, 0)
    assert faults(plain) == []


def test_tiers_rise_at_once_and_fall_after_the_grace(life: Loyal) -> None:
    life.buys(line("a", "120"))
    assert life.state()["tier"] == "silver"
    life.clock.advance(10 * DAY)
    life.buys(line("a", "200"), order_id="2")
    assert life.state()["tier"] == "gold"
    life.live(366 * DAY)
    assert life.state()["tier"] == "gold", "no longer reached, and in grace"
    life.live(420 * DAY)
    changes = [(day, kind, data["direction"], data["tier"]) for day, kind, data in life.told("tier.changed")]
    assert changes == [
        (0, "tier.changed", "up", "Silver"),
        (10, "tier.changed", "up", "Gold"),
        (395, "tier.changed", "down", ""),
    ]


def test_who_reaches_a_tier_again_within_the_grace_keeps_it(life: Loyal) -> None:
    life.buys(line("a", "120"))
    life.live(370 * DAY)
    life.buys(line("a", "130"), order_id="2")
    life.live(420 * DAY)
    assert [(day, data["tier"]) for day, _, data in life.told("tier.retained")] == [(370, "Silver")]
    assert len(life.told("tier.changed")) == 1


def test_how_near_the_next_tier_is(life: Loyal) -> None:
    life.buys(line("a", "260"))
    _, _, data = life.told("points.changed")[0]
    assert (data["tier"], data["next_tier"], data["missing"]) == ("Silver", "Gold", "40")


def test_points_lapse_after_a_warning(life: Loyal) -> None:
    life.buys(line("a", "30"))
    life.live(300 * DAY)
    warned = [(day, data["points"]) for day, _, data in life.told("points.expiring")]
    assert warned == [(202, "80")], "two weeks before the 216th day, once"
    assert life.points() == (0, 0)
    assert [entry.kind for entry in life.entries() if entry.kind == "expire"] == ["expire", "expire"]


def test_a_first_order_a_badge_and_a_challenge_and_what_a_cancellation_undoes(life: Loyal) -> None:
    first = life.buys(line("a", "10"), order_id="1")
    life.clock.advance(DAY)
    life.buys(line("a", "10"), order_id="2")
    life.clock.advance(DAY)
    life.buys(line("a", "10", product_id="beans"), order_id="3")
    assert life.points() == (0, 30 + 50 + 30 + 7)
    assert [data["badge"] for *_, data in life.told("badge.earned")] == ["A regular"]
    assert [data["challenge"] for *_, data in life.told("challenge.completed")] == ["Spring"]
    life.take_in(cancelled(first, life.clock.now()))
    assert life.points() == (0, 20 + 50 + 30 + 7), "the bonus is the second order's now"
    assert life.position(unit="badge/regular").available == 0
    assert faults(life) == []


def test_reviews_earn_up_to_their_limit(life: Loyal) -> None:
    for number in range(5):
        life.buys(line("a", "0.50"), order_id=str(number))
        life.take_in(_review(str(number), life))
        life.take_in(_review(str(number), life))
    assert life.points()[0] == 60
    assert life.position(unit="done/review").available == 5


def _review(order_id: str, life: Loyal) -> Event:
    key = f"order/{order_id}/reviewed"
    return Event(
        kind=EventKind.REVIEW_SUBMITTED, key=key, subject=Ref("order", order_id), at=life.clock.now(), order_id=order_id
    )


def test_an_order_edited_in_steps_earns_what_it_had_earned_at_once(plain: Loyal) -> None:
    made = plain.buys(line("a", "10.60"))
    plain.clock.advance(DAY)
    plain.tell(made, lines=(line("a", "10.60"), line("b", "10.60")), total=line("x", "21.20").total)
    assert plain.points() == (0, 21)


def test_a_guest_who_registers_keeps_what_they_earned_and_a_stranger_does_not_get_it(plain: Loyal) -> None:
    from connector.store import accounts
    from flows.value.bookings import balance

    plain.buys(line("a", "40"))
    account = Customer(id="71", email=AINO)
    plain.take_in(told(purchase(line("a", "5"), order_id="2", email=AINO, at=plain.clock.now()), EventKind.ORDER_PAID))
    made = purchase(line("a", "5"), order_id="3", email=AINO, at=plain.clock.now())
    plain.take_in(told(replace(made, customer=account), EventKind.ORDER_PAID))
    plain.live(30 * DAY)
    with plain.store.work.read() as tx:
        assert balance(tx, SHOP, "71", "new@example.test", plain.clock.now()) == 50
        assert balance(tx, SHOP, "99", AINO, plain.clock.now()) == 0, "somebody who took over the address"
        assert len(accounts.find(tx, SHOP, "71", AINO).accounts) == 1


def test_two_accounts_that_become_one_own_what_both_owned(plain: Loyal) -> None:
    from flows.value.bookings import balance

    for number, name in enumerate(("a", "b")):
        made = purchase(line("a", "40"), order_id=name, email=f"{name}@example.test", at=plain.clock.now())
        who = Customer(id=f"c{number}", email=f"{name}@example.test")
        plain.take_in(told(replace(made, customer=who), EventKind.ORDER_PAID))
    merged = Event(
        kind=EventKind.CUSTOMER_MERGED,
        key="m",
        subject=Ref("customer", "c0"),
        at=plain.clock.now(),
        customer_id="c0",
        data={"kept": "c0", "merged": "c1"},
    )
    plain.take_in(merged)
    plain.live(30 * DAY)
    with plain.store.work.read() as tx:
        assert balance(tx, SHOP, "c0", None, plain.clock.now()) == 80


def test_after_an_erasure_the_books_stay_and_are_nobodys(plain: Loyal) -> None:
    plain.buys(line("a", "40"))
    account = plain.entries()[0].account
    with plain.store.work.transaction() as tx:
        who = people.find(tx, SHOP, email=AINO)
        people.erase(tx, who, plain.kiitos.clock.new_id, (), "r1")
    assert plain.points() == (0, 0)
    plain.live(30 * DAY)
    plain.buys(line("a", "7"), order_id="2")
    assert plain.points() == (0, 7)
    assert plain.entries()[0].account != account


@pytest.mark.parametrize("statement", ["UPDATE value_{0} SET amount = '1'", "DELETE FROM value_{0}"])
@pytest.mark.parametrize("table", ["facts", "entries"])
def test_the_database_refuses_to_change_the_books(plain: Loyal, statement: str, table: str) -> None:
    plain.buys(line("a", "40"))
    with pytest.raises(Exception, match="append-only"), plain.store.work.transaction() as tx:
        tx.script(statement.format(table))
    assert plain.points() == (0, 40)
    with plain.store.work.transaction() as tx:
        people.wipe_shop(tx, SHOP, 1000)
    assert plain.entries() == []


# -- any order of events -----------------------------------------------------------------------------------------------


def story() -> list[Deed]:
    """Three orders of one person, edited, refunded in parts and cancelled, as their shop tells it; points that a flow
    and a person gave, and some that were exchanged for codes."""
    at = [START + n * timedelta(hours=1) for n in range(12)]
    one = purchase(line("a", "33.40", 3), line("b", "9.99"), order_id="1", email=AINO, at=at[0])
    two = purchase(line("a", "50.25", 2, product_id="beans"), order_id="2", email=AINO, at=at[1])
    three = purchase(line("a", "200"), order_id="3", email=AINO, at=at[2])
    partly = replace(one, financial=FinancialStatus.PARTIALLY_REFUNDED, refunded=line("x", "11.13").total)
    events = [
        told(one, EventKind.ORDER_PAID),
        told(two, EventKind.ORDER_PAID),
        told(three, EventKind.ORDER_PAID),
        refund(one, "r1", at[3], a=1),
        told(replace(partly, updated_at=at[4]), EventKind.ORDER_UPDATED),
        refund(two, "r2", at[5], a=1),
        refund(two, "r3", at[6], "10"),
        cancelled(three, at[7]),
    ]
    gifts = [given_by_a_flow("1"), adjusted("late", 40), exchanged("first"), exchanged("second", made=False)]
    return [*map(taken_in, events), *gifts]


RIGHT = ((133 + 100 + 40 + 30, 0), (), ())
"""What they own in the end, and what of the gifts was not to be used, after the last deed and in the end: nothing."""
MANY = len(story())


def outcome(life: Loyal) -> tuple[object, ...]:
    badge = life.position(unit="badge/regular").available
    return (badge, life.state()["tier"], tuple(faults(life)))


def lived(folder: Path, order: list[int], gaps: list[int]) -> tuple[object, ...]:
    store = Store.open("sqlite://:memory:")
    try:
        life = Loyal(store, folder, {**PROGRAMME, "grace": "1d", "rewards": REWARDS})
        deeds = story()
        for number, gap in zip(order, gaps, strict=True):
            deeds[number](life)
            life.clock.advance(timedelta(hours=gap))
            life.worker.drain()
        at_once = tuple(held_back(life))
        life.live(150 * DAY)
        return (life.points(), at_once, tuple(held_back(life)), *outcome(life))
    finally:
        store.close()


TWICE = [*range(MANY), 1, 3, 6, 7, 8, 10]


@given(order=st.permutations(TWICE), gaps=st.lists(st.integers(0, 100), min_size=len(TWICE), max_size=len(TWICE)))
@settings(max_examples=8, deadline=None, suppress_health_check=list(HealthCheck))
def test_no_order_of_events_changes_what_anybody_owns(
    tmp_path_factory: pytest.TempPathFactory, order: list[int], gaps: list[int]
) -> None:
    folder = tmp_path_factory.mktemp("loyal")
    right = lived(folder, TWICE, [0] * len(TWICE))
    assert right[:3] == RIGHT
    assert lived(folder, order, gaps) == right


def _bonus_of_every_order(*_: object) -> tuple[list[Fact], dict[str, Decimal]]:
    return [], {}


def _rounded_up(facts: list[Fact], shares: dict[str, Fraction]) -> dict[str, Decimal]:
    return {key: amount + (amount > 0) for key, amount in TARGETS(facts, shares).items()}


def _last_refund_only(order: Order, refunds: tuple[Refund, ...]) -> dict[str, Fraction]:
    return SHARES(order, refunds[-1:])


def _loose_money_forgotten(order: Order, refunds: tuple[Refund, ...]) -> Fraction:
    del order, refunds
    return Fraction(0)


def _all_of_an_order(facts: Iterable[Fact], _: str) -> list[Fact]:
    return list(facts)


def _nothing_comes_back(*_: object) -> bool:
    return False


def _taken_again(grant: Fact, facts: list[Fact], target: Decimal, now: datetime, cause: str) -> Fact | None:
    told = TAKING_BACK(grant, [], target, now, cause)
    number = sum(fact.of == grant.id for fact in facts)
    return replace(told, id=f"{grant.id}/taken/{number + 1}") if told else None


TARGETS, SHARES, TAKING_BACK = earning.targets, earning.shares_back, cases.taking_back
PLANTED: dict[str, tuple[object, str, object]] = {
    "no bonus moves": (earning, "first_order", _bonus_of_every_order),
    "rounded up": (earning, "targets", _rounded_up),
    "only the last refund": (earning, "shares_back", _last_refund_only),
    "money without pieces is forgotten": (earning, "_loose_money", _loose_money_forgotten),
    "a repetition takes again": (cases, "taking_back", _taken_again),
    "a gift is the order's own": (earning, "of_programme", _all_of_an_order),
    "a code that is refused costs points": (exchanging, "return_points", _nothing_comes_back),
}


@pytest.mark.parametrize("planted", PLANTED)
def test_a_planted_bug_changes_what_somebody_owns(
    planted: str, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    module, name, bug = PLANTED[planted]
    monkeypatch.setattr(module, name, bug)
    orders = ([*TWICE, 0], [*reversed(TWICE), 0])
    assert any(lived(tmp_path, order, [30] * len(order))[:3] != RIGHT for order in orders)
