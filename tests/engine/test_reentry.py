"""Re-entry against a count by hand: who enters when, whatever the order of events; and a wrong rule is noticed."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import replace

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from connector.errors import StoreCollision
from connector.model import Customer
from connector.rehearsal.life import Life
from connector.store.store import Store
from flows import runner
from tests.engine.shop import DAY, SHOP, START, Shop

LENGTH = 3
"""Days a run takes."""
STEPS = """
id = "{name}"
purpose = "transactional"
trigger = "order.created"
subject = "customer"
reentry = {reentry}
[[steps]]
id = "pause"
do = "wait"
span = "3d"
"""
Entries = list[tuple[int, str]]


def once(days: list[int]) -> list[int]:
    return days[:1]


def always(days: list[int]) -> list[int]:
    return days


def ignore(days: list[int]) -> list[int]:
    return spaced(days, LENGTH)


def monthly(days: list[int]) -> list[int]:
    return spaced(days, 30)


def spaced(days: list[int], apart: int) -> list[int]:
    """Each day that lies `apart` days or more after the last that was taken."""
    taken: list[int] = []
    for day in days:
        if not taken or day - taken[-1] >= apart:
            taken.append(day)
    return taken


MODES: dict[str, Callable[[list[int]], list[int]]] = {
    '"once"': once,
    '"per_event"': once,
    '"always"': always,
    '"ignore"': ignore,
    '{ every = "30d" }': monthly,
}
histories = st.dictionaries(
    st.sampled_from(["aino", "eero"]), st.lists(st.integers(0, 120), min_size=1, max_size=7, unique=True), min_size=1
)


@pytest.fixture(scope="module")
def shop(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Shop]:
    store = Store.open("sqlite://:memory:")
    yield Shop(tmp_path_factory.mktemp("reentry"), store)
    store.close()


def entered(shop: Shop, reentry: str, history: dict[str, list[int]]) -> Entries:
    shop.begin_anew()
    (shop.folder / "mine.toml").write_text(STEPS.format(name="mine", reentry=reentry), "utf-8")
    worker = shop.open(mine="")
    happenings = sorted((day, who) for who, days in history.items() for day in days)
    for number, (day, who) in enumerate(happenings):
        shop.pass_until(worker, START + day * DAY)
        shop.order(number, who)
    shop.pass_until(worker, START + 140 * DAY)
    return sorted(((at - START) // DAY, str(who).partition("@")[0]) for at, who in shop.told())


def expected(reentry: str, history: dict[str, list[int]]) -> Entries:
    return sorted((day, who) for who, days in history.items() for day in MODES[reentry](sorted(days)))


@pytest.mark.parametrize("reentry", MODES)
@settings(max_examples=12, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(history=histories)
def test_who_enters(shop: Shop, reentry: str, history: dict[str, list[int]]) -> None:
    assert entered(shop, reentry, history) == expected(reentry, history)


BUSY = {"aino": [0, 1, 3, 29, 31, 60, 61, 90], "eero": [2]}
WRONG: dict[str, tuple[str, object]] = {
    "nobody is kept out": ("stays_out", lambda *_: None),
    "everybody is kept out who was in before": (
        "stays_out",
        lambda _flow, before, _now: ("once", "before") if before else None,
    ),
    "the number does not rise": ("next_number", lambda _before: 1),
}


@pytest.mark.parametrize("name", WRONG)
def test_a_wrong_rule_is_noticed(shop: Shop, name: str, monkeypatch: pytest.MonkeyPatch) -> None:
    assert entered(shop, '{ every = "30d" }', BUSY) == expected('{ every = "30d" }', BUSY)
    place, wrong = WRONG[name]
    monkeypatch.setattr(runner, place, wrong)
    try:
        found = entered(shop, '{ every = "30d" }', BUSY)
    except StoreCollision:  # two entries under one key: noticed by the store itself
        return
    assert found != expected('{ every = "30d" }', BUSY)


def ordered(shop: Shop, number: int, account: str | None, email: str) -> None:
    """An order of an account under the address it had that day."""
    events = Life(shop.kiitos.config.shop(SHOP).shop, {}).order(str(number), shop.clock.now())
    buyer = Customer(id=account, email=email)
    placed = [
        replace(each, customer_id=account, order=replace(each.order, customer=buyer, email=email))
        for each in events
        if each.order is not None
    ]
    shop.happen(placed)


@pytest.mark.parametrize(
    ("account", "entries"), [("c1", 1), (None, 2)], ids=["one account", "two guests as far as anybody knows"]
)
def test_once_means_the_person_though_the_address_was_corrected(shop: Shop, account: str | None, entries: int) -> None:
    shop.begin_anew()
    (shop.folder / "mine.toml").write_text(STEPS.format(name="mine", reentry='"once"'), "utf-8")
    worker = shop.open(mine="")
    ordered(shop, 1, account, "aino@exmaple.test")
    shop.pass_until(worker, START + 10 * DAY)
    ordered(shop, 2, account, "aino@example.test")
    shop.pass_until(worker, START + 20 * DAY)
    assert len(shop.told()) == entries
