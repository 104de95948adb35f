"""Faults planted in what keeps wake-ups true: one life, told by hand, notices each of them."""

from __future__ import annotations

import sys
import types
from collections.abc import Iterator
from dataclasses import replace
from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest

from connector.model import Event, EventKind, OrderStatus, Ref
from connector.store import entities, runs
from connector.store.store import Store
from connector.working import alarms
from flows import runner
from flows.triggers import arming, past, ringing, waiting
from tests.engine.shop import DAY, SHOP, START, Shop

FLOWS = {
    "quiet": '{ silence = "60d", after = "order.created" }',
    "yearly": '{ date = "customer.birthday", at = "10:00", yearly = true }',
    "bought": '{ date = "order.placed_at", offset = "100d", at = "10:00" }',
    "monthly": '{ calendar = "1.", at = "10:00" }',
}


@pytest.fixture(scope="module")
def shop(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Shop]:
    store = Store.open("sqlite://:memory:")
    yield Shop(tmp_path_factory.mktemp("mutants"), store)
    store.close()


def life(shop: Shop) -> dict[str, list[str]]:
    """What each flow is told in a year and a half, as days after the beginning and the person."""
    shop.begin_anew()
    worker = shop.open(**FLOWS)
    shop.account("aino", "1990-04-15")
    shop.account("liisa", "1980-04-20")
    shop.order(1, "aino")
    shop.order(2, "eero")
    shop.pass_until(worker, START + 20 * DAY)
    shop.order(3, "aino")
    shop.account("aino", "1990-04-05")  # ten days earlier than she had said
    shop.pass_until(worker, START + 26 * DAY)
    hear(shop, 10, 25)
    shop.pass_until(worker, START + 33 * DAY)
    shop.clock.advance(1.5 * DAY)  # no worker runs when Aino's day comes, and then her account is told again
    shop.believe()
    shop.account("aino", "1990-04-05")
    shop.pass_until(worker, START + 48 * DAY)
    shop.clock.advance(1.5 * DAY)  # no worker runs when Liisa's day comes, and then it is another
    shop.believe()
    shop.account("liisa", "1980-04-22")
    shop.pass_until(worker, START + 55 * DAY)
    shop.account("aino", "1990-06-15")  # after the greeting: none again this year
    cancel(shop, 2)
    shop.pass_until(worker, START + 87 * DAY)
    hear(shop, 26)  # when the silence since day 25 was told already
    shop.pass_until(worker, START + 480 * DAY)
    return told(shop)


def hear(shop: Shop, *days: int) -> None:
    """One delivery with orders of Aino's that nobody had told of yet."""
    shop.happen(
        [
            Event(
                kind=EventKind.ORDER_CREATED,
                key=f"late/{day}",
                subject=Ref("customer", "aino"),
                at=START + day * DAY,
                customer_id="aino",
            )
            for day in days
        ]
    )


def cancel(shop: Shop, number: int) -> None:
    now = shop.clock.now()
    with shop.store.work.read() as tx:
        order = entities.order(tx, SHOP, f"o{number}")
    assert order is not None
    over = replace(order, status=OrderStatus.CANCELLED, cancelled_at=now, updated_at=now)
    shop.happen([Event(kind=EventKind.ORDER_CANCELLED, key=f"over/{number}", subject=Ref("order", order.id), at=now,
                       order_id=order.id, order=over)])  # fmt: skip


def told(shop: Shop) -> dict[str, list[str]]:
    found: dict[str, list[str]] = {name: [] for name in FLOWS}
    with shop.store.work.read() as tx:
        for run in runs.all_of_shop(tx, SHOP):
            if run.reason != "not started":
                days = (run.created_at - START) / timedelta(days=1)
                found[run.flow_id].append(f"{days:.2f} {str(run.email_key).partition('@')[0]}")
    return found


def right() -> dict[str, list[str]]:
    """By hand. Ten o'clock in Helsinki is 23 hours after eleven o'clock of the day before, 22 in summer."""
    firsts = [30, 60, 91, 121, 152, 183, 213, 244, 274, 305, 336, 364, 395, 425, 456]
    return {
        "quiet": ["60.00 eero", "85.00 aino"],
        "yearly": ["34.50 aino", "50.92 liisa", "415.92 liisa", "469.92 aino"],
        "bought": ["99.92 aino", "119.92 aino"],
        "monthly": [f"{day - 1 + _hour(day):.2f} {who}" for day in firsts for who in ("aino", "eero")],
    }


def _hour(day: int) -> float:
    at = START + day * DAY
    return 23 / 24 if at.strftime("%m-%d") < "03-28" or at.strftime("%m-%d") > "10-25" else 22 / 24


MUTANTS: dict[str, tuple[Any, str, str]] = {
    "what was told is told again for older news": (arming, "due = None if told or moment <= floor else", "due ="),
    "a corrected birthday brings a second greeting": (
        arming,
        "HALF_A_YEAR = timedelta(days=183)",
        "HALF_A_YEAR = timedelta()",
    ),
    "a birthday that is edited does not move": (
        arming,
        "elif known is not None and same and known.due_at is not None and known.moment <= now:",
        "elif known is not None:",
    ),
    "one that is due is moved away before it is told": (arming, "and known.moment <= now:", "and False:"),
    "a told silence is forgotten": (
        ringing,
        "wakeups.put(tx, replace(row, due_at=None, fired_at=row.moment))",
        "wakeups.drop(tx, row)",
    ),
    "no second first of the month": (ringing, "following = next_moment(", "following = None and next_moment("),
    "what it hangs on is not read again": (
        ringing,
        "meant = next_moment(flow, facts, row.moment - _A_MOMENT)",
        "meant = row.moment",
    ),
    "nothing follows events": (arming, "flows = catalog.scheduled(sight.shop.id)", "flows = []"),
    "the first of several silences counts": (arming, "if silence or (flow.id", "if (flow.id"),
    "a cancelled order has an anniversary": (waiting, "or facts.progress.cancelled)", ")"),
    "moments are those of tomorrow": (waiting, "date_moment(schedule, facts.get(schedule.path), span,",
                                      "date_moment(schedule, facts.get(schedule.path), span + timedelta(days=1),"),
}  # fmt: skip


def planted(module: Any, old: str, new: str) -> types.ModuleType:
    """The module made of another source."""
    source = Path(module.__file__).read_text("utf-8")
    assert source.count(old) == 1, f"the mutant no longer fits: {old}"
    made = types.ModuleType(f"{module.__name__}_mutant")
    sys.modules[made.__name__] = made
    try:
        exec(compile(source.replace(old, new), "mutant.py", "exec"), made.__dict__)
    finally:
        del sys.modules[made.__name__]
    return made


def test_a_life_is_told_as_by_hand(shop: Shop) -> None:
    found = life(shop)
    assert {name: sorted(days) for name, days in found.items()} == {n: sorted(d) for n, d in right().items()}


@pytest.mark.parametrize("name", MUTANTS)
def test_a_planted_fault_is_noticed(shop: Shop, name: str, monkeypatch: pytest.MonkeyPatch) -> None:
    module, old, new = MUTANTS[name]
    mutant = planted(module, old, new)
    if module is waiting:
        for user in (arming, ringing):
            monkeypatch.setattr(user, "next_moment", mutant.next_moment)
    elif module is arming:
        monkeypatch.setattr(runner, "arming", mutant)
        monkeypatch.setattr(past, "arm", mutant.arm)
    else:
        monkeypatch.setattr(alarms, "ringing", mutant)
    found = life(shop)
    assert {name: sorted(days) for name, days in found.items()} != {n: sorted(d) for n, d in right().items()}
