"""Wake-ups in the whole product: made for those known before, in pieces, moved, removed; told once, whatever dies."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace
from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from connector.explaining.explain import explain
from connector.model import Customer, Event, Ref
from connector.store import entities, runs, wakeups
from connector.store.store import Store
from flows.triggers import arming, past
from tests.engine.shop import BIRTHDAY, DAY, MONDAYS, SHOP, SILENCE, START, Shop


@pytest.fixture
def shop(tmp_path: Path) -> Iterator[Shop]:
    store = Store.open("sqlite://:memory:")
    yield Shop(tmp_path, store)
    store.close()


@pytest.fixture
def small(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(past, "SLICE", 3)


CHANGED = '{ date = "customer.updated_at", offset = "30d" }'


@pytest.mark.usefixtures("small")
@pytest.mark.parametrize("trigger", [SILENCE, MONDAYS, BIRTHDAY, CHANGED])
def test_people_known_before_get_theirs_in_pieces_and_lose_them_again(shop: Shop, trigger: str) -> None:
    worker = shop.open()
    for number in range(8):
        shop.order(number, f"p{number}")
        shop.account(f"p{number}", "1990-04-05")
    worker.drain()
    assert shop.rows("late") == 0
    worker = shop.open(late=trigger)
    worker.tick()
    assert shop.rows("late") <= 3, "a slice at a time"
    worker.tick()
    assert shop.rows("late") < 8
    shop.open(late=trigger).drain()  # another process goes on where this one stopped
    assert shop.rows("late") == 8
    shop.open().drain()
    assert shop.rows("late") == 0


def test_a_record_of_ours_moves_what_is_counted_from_it(shop: Shop) -> None:
    """The step `set` writes beside the events; the person's wake-ups are looked at all the same."""
    worker = shop.open(plain='"order.created"', late=BIRTHDAY)
    shop.order(1, "aino")
    worker.drain()
    customer = Customer(id="aino", email="aino@example.test", birthday="1990-04-05", updated_at=START)
    told = Event(kind="customer.updated", key="k", subject=Ref("customer", "aino"), at=START, customer=customer)
    with shop.store.work.transaction() as tx:
        entities.apply(tx, SHOP, told, START)
        assert wakeups.count(tx, SHOP, "late") == 0
        (run,) = runs.all_of_shop(tx, SHOP)
        arming.of_run(tx, shop.kiitos.catalog, run, START)
        assert wakeups.count(tx, SHOP, "late") == 1


@pytest.mark.usefixtures("small")
def test_explain_tells_what_is_still_to_come(shop: Shop) -> None:
    """Who asks why nothing came hears that it is not yet the day."""
    worker = shop.open(silent=SILENCE)
    shop.order(1, "aino")
    worker.drain()
    story = explain(shop.store, SHOP, "aino@example.test")
    assert story is not None
    (line,) = [line for line in story.lines if line.what == "planned"]
    assert (line.flow, line.at - START) == ("silent", 60 * DAY)
    shop.pass_until(worker, START + 61 * DAY)
    story = explain(shop.store, SHOP, "aino@example.test")
    assert story is not None
    assert not [line for line in story.lines if line.what == "planned"]


@pytest.mark.parametrize("corrected", [True, False])
def test_nobody_is_missed_at_an_address_that_was_a_slip(shop: Shop, corrected: bool) -> None:
    """The order that had it has another now: who reads the first never bought anything (found by the swarm)."""
    worker = shop.open(silent=SILENCE)
    shop.order(1, "anio")
    worker.drain()
    shop.clock.advance(timedelta(minutes=30))
    if corrected:
        with shop.store.work.transaction() as tx:
            (order,) = entities.orders_of(tx, SHOP, "anio@example.test")
        mended = replace(order, email="aino@example.test", updated_at=shop.clock.now())
        told = Event(
            kind="order.updated",
            key="corrected",
            subject=Ref("order", order.id),
            at=shop.clock.now(),
            order_id=order.id,
            order=mended,
        )
        shop.happen([told])
    shop.pass_until(worker, START + 70 * DAY)
    assert [address for _, address in shop.told()] == ([] if corrected else ["anio@example.test"])


def test_an_edited_trigger_makes_them_anew(shop: Shop) -> None:
    worker = shop.open(quiet=SILENCE)
    for number in range(5):
        shop.order(number, f"p{number}")
    worker.drain()
    worker = shop.open(quiet=SILENCE.replace("60d", "30d"))
    shop.pass_until(worker, START + 59 * DAY)
    assert [at - START for at, _ in shop.told()] == [30 * DAY] * 5
    shop.pass_until(worker, START + 90 * DAY)
    assert len(shop.told()) == 5, "the sixty days are no longer true"


def test_history_wakes_nobody_for_what_is_past(shop: Shop) -> None:
    """Switched on a year later: who has been silent for long is not greeted in a crowd."""
    worker = shop.open()
    shop.order(1, "aino")
    shop.pass_until(worker, START + 200 * DAY)
    shop.believe()
    shop.order(2, "eero")
    worker = shop.open(quiet=SILENCE)
    shop.pass_until(worker, START + 300 * DAY)
    assert shop.told() == [(START + 260 * DAY, "eero@example.test")]


def test_a_worker_that_slept_tells_what_is_not_too_old(shop: Shop) -> None:
    worker = shop.open(quiet=SILENCE)
    shop.order(1, "aino")
    worker.drain()
    shop.clock.advance(61 * DAY)
    shop.order(2, "eero")
    shop.believe()
    worker = shop.open(quiet=SILENCE)
    worker.drain()
    assert [who for _, who in shop.told()] == ["aino@example.test"]
    shop.clock.advance(70 * DAY)  # ten days late: past the age limit of three
    shop.believe()
    shop.open(quiet=SILENCE).drain()
    assert [who for _, who in shop.told()] == ["aino@example.test"]


class Died(Exception):
    """The worker did."""


@pytest.mark.parametrize("trigger", [SILENCE, BIRTHDAY])
def test_one_that_is_told_while_the_worker_dies_is_told_once(
    shop: Shop, trigger: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The row moves in the very transaction that records the event: both or neither."""
    worker = shop.open(mine=trigger)
    shop.order(1, "aino")
    shop.account("aino", "1990-05-01")
    worker.drain()
    due = worker.next_due()
    assert due is not None
    shop.clock.advance(due - shop.clock.now())
    genuine = shop.kiitos.runner.ingest

    def ingest(*given: Any, **more: Any) -> int:
        genuine(*given, **more)
        raise Died

    monkeypatch.setattr(shop.kiitos.runner, "ingest", ingest)
    worker.alarms.ring()
    assert shop.told() == []
    monkeypatch.setattr(shop.kiitos.runner, "ingest", genuine)
    shop.pass_until(worker, due + timedelta(hours=2))
    assert [who for _, who in shop.told()] == ["aino@example.test"]


def test_one_that_always_fails_does_not_hold_up_the_others(shop: Shop, monkeypatch: pytest.MonkeyPatch) -> None:
    worker = shop.open(quiet=SILENCE)
    for number, who in enumerate(("aino", "bad", "eero")):
        shop.order(number, who)
    worker.drain()
    genuine = shop.kiitos.runner.ingest

    def ingest(tx: Any, shop_id: str, arrived: list[Event], now: Any, *more: Any) -> int:
        if any(event.customer and event.customer.email == "bad@example.test" for event in arrived):
            raise Died
        return genuine(tx, shop_id, arrived, now, *more)

    monkeypatch.setattr(shop.kiitos.runner, "ingest", ingest)
    shop.clock.advance(60 * DAY)
    shop.believe()
    worker.drain()
    assert sorted(str(who) for _, who in shop.told()) == ["aino@example.test", "eero@example.test"]
    next_look = worker.next_due()
    assert next_look is not None
    assert next_look > shop.clock.now(), "looked at again later, not at once"


def test_a_flow_without_wake_ups_asks_for_none(shop: Shop, monkeypatch: pytest.MonkeyPatch) -> None:
    """The control of what it costs: shops without such flows never look at the table."""
    worker = shop.open(plain='"order.created"')
    worker.drain()
    asked: list[str] = []
    cls = type(shop.store.work)._tx
    monkeypatch.setattr(type(shop.store.work), "_tx", cls)
    monkeypatch.setattr(wakeups, "due", lambda *_: asked.append("due"))
    monkeypatch.setattr(wakeups, "next_due", lambda *_: asked.append("next"))
    monkeypatch.setattr(wakeups, "get", lambda *_: asked.append("get"))
    monkeypatch.setattr(wakeups, "next_arming", lambda *_: asked.append("arming"))
    shop.order(1, "aino")
    worker.drain()
    worker.next_due()
    assert asked == []


# -- a year of activity, in any order --------------------------------------------------------------------------------


def silent_days(orders: list[int], span: int, until: int) -> list[int]:
    """By hand: every day on which the last order was exactly `span` days ago."""
    return [day for day in range(until + 1) if any(at + span == day for at in orders) and _quiet(orders, span, day)]


def _quiet(orders: list[int], span: int, day: int) -> bool:
    return not any(day - span < at < day for at in orders)


@pytest.fixture(scope="module")
def year(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Shop]:
    store = Store.open("sqlite://:memory:")
    yield Shop(tmp_path_factory.mktemp("year"), store)
    store.close()


histories = st.dictionaries(
    st.sampled_from(["aino", "eero", "liisa"]), st.lists(st.integers(0, 300), min_size=1, max_size=6, unique=True),
    min_size=1,
)  # fmt: skip


@settings(max_examples=40, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(histories)
def test_a_year_of_silence_and_activity(year: Shop, history: dict[str, list[int]]) -> None:
    """One wake-up a person always; silences are told on the days a count by hand gives, and no others."""
    year.begin_anew()
    worker = year.open(quiet=SILENCE)
    happenings = sorted((day, who) for who, days in history.items() for day in days)
    for number, (day, who) in enumerate(happenings):
        year.pass_until(worker, START + day * DAY)
        year.order(number, who)
        with year.store.work.read() as tx:
            rows = tx._cursor.execute("SELECT COUNT(*), COUNT(DISTINCT email_key) FROM wakeups").fetchone()  # type: ignore[attr-defined]
        known = {name for at, name in happenings[: number + 1]}
        assert tuple(rows) == (len(known), len(known))
    year.pass_until(worker, START + 400 * DAY)
    wanted = sorted(
        (START + day * DAY, f"{who}@example.test")
        for who, days in history.items()
        for day in silent_days(days, 60, 400)
    )
    assert sorted((at, str(who)) for at, who in year.told()) == wanted
