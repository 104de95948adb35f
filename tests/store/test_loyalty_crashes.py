"""Power cuts at commits, repetitions and disorder, by seed: no value is created or lost.

A cut undoes a transaction, or comes right after its commit, so that whoever waited does it again. `make ledger` looks
at more seeds (KIITOS_LEDGER_SEEDS).
"""

from __future__ import annotations

import contextlib
import os
import random  # noqa: TID251 - seeded cuts
from collections.abc import Callable, Iterable, Iterator
from dataclasses import replace
from datetime import timedelta
from decimal import Decimal
from pathlib import Path
from typing import Any

import pytest

from connector.model import Event, EventKind, LineItem, Order
from connector.model.value import Fact
from connector.store import Store, accounts, books
from connector.store.db import Tx
from connector.worker import Worker
from flows.value import bookings, cases, earning
from tests.store.deeds import Deed, adjusted, given_by_a_flow, held_back, taken_in
from tests.store.loyal import AINO, PROGRAMME, Loyal, cancelled, faults, line, purchase, refund, told
from tests.store.trade import SHOP, START

SEEDS = range(int(os.environ.get("KIITOS_LEDGER_SEEDS", "3")))
HOUR = timedelta(hours=1)


class PowerCut(BaseException):
    """Nothing after it is carried out."""


@contextlib.contextmanager
def shaky(life: Loyal, chance: random.Random, share: float) -> Iterator[None]:
    """Every fifth transaction or so is cut, before or after its commit."""
    real = life.store.work.transaction

    @contextlib.contextmanager
    def transaction() -> Iterator[Tx]:
        with real() as tx:
            yield tx
            if chance.random() < share:
                raise PowerCut
        if chance.random() < share:
            raise PowerCut

    life.store.work.transaction = transaction  # type: ignore[method-assign]
    try:
        yield
    finally:
        life.store.work.transaction = real  # type: ignore[method-assign]


def story(seed: int) -> list[Deed]:
    """What happens to one person, as deeds that may be done in any order and any number of times."""
    chance = random.Random(seed)
    deeds: list[Deed] = []
    for number in range(chance.randrange(2, 5)):
        at = START + number * HOUR
        lines = [
            line(key, str(Decimal(chance.randrange(100, 9000)) / 100), chance.choice([1, 2, 3]))
            for key in "ab"[: chance.choice([1, 2])]
        ]
        made = purchase(*lines, order_id=str(number), email=AINO, at=at)
        deeds.append(taken_in(told(made, EventKind.ORDER_PAID)))
        deeds += [taken_in(each) for each in undone(chance, made, lines)]
    for number in range(chance.randrange(3)):
        deeds.append(spent(f"spend/{number}", Decimal(chance.randrange(1, 90))))
    deeds.append(given_by_a_flow("0"))
    deeds.append(adjusted("late", chance.randrange(1, 60)))
    return deeds


def undone(chance: random.Random, made: Order, lines: list[LineItem]) -> Iterator[Event]:
    at = made.placed_at
    for number, each in enumerate(lines):
        if chance.random() < 0.5:
            yield refund(made, f"r{made.id}-{number}", at + HOUR / 2, **{each.id: 1})
    if chance.random() < 0.3:
        yield refund(made, f"m{made.id}", at + HOUR / 2, "3.50")
    if chance.random() < 0.3:
        yield cancelled(made, at + HOUR)


def spent(key: str, amount: Decimal) -> Deed:
    """Something the shop says was used, whether there was enough or not."""

    def deed(life: Loyal) -> None:
        now = life.clock.now()
        with life.store.work.transaction() as tx:
            holder = accounts.open_for(tx, SHOP, None, AINO, key, now)
            grant = bookings.Fact(
                id=key,
                account="",
                unit=bookings.POINTS,
                kind=bookings.FactKind.SPEND,
                amount=amount,
                at=START + 40 * 24 * HOUR,
                cause=key,
            )
            bookings.post(tx, SHOP, holder, [grant], now)

    return deed


def lived(folder: Path, deeds: list[Deed], cuts: random.Random | None) -> tuple[object, ...]:
    store = Store.open("sqlite://:memory:")
    try:
        life = Loyal(store, folder, {**PROGRAMME, "grace": "1d"})
        share = 0.12 if cuts is not None else 0.0
        for deed in deeds:
            insist(life, cuts, share, deed)
            life.clock.advance(HOUR * (cuts.randrange(60) if cuts is not None else 1))
            insist(life, cuts, share, lambda one: one.worker.drain())
        at_once = held_back(life)
        insist(life, cuts, share, lambda one: one.live(120 * 24 * HOUR))
        badge, tier = life.position(unit="badge/regular").available, life.state()["tier"]
        return (life.points(), badge, tier, *at_once, *faults(life))
    finally:
        store.close()


def insist(life: Loyal, cuts: random.Random | None, share: float, deed: Callable[[Loyal], Any]) -> None:
    """Do it until it was done; after a cut a new process does."""
    while True:
        try:
            with shaky(life, cuts or random.Random(0), share):
                deed(life)
            return
        except PowerCut:
            life.worker = Worker(life.kiitos)


def outcomes(folder: Path, seed: int) -> tuple[tuple[object, ...], tuple[object, ...]]:
    deeds = story(seed)
    chance = random.Random(seed + 1000)
    disorder = [*deeds, *chance.choices(deeds, k=3)]
    chance.shuffle(disorder)
    return lived(folder, deeds, None), lived(folder, disorder, chance)


@pytest.mark.parametrize("seed", SEEDS)
def test_no_value_is_created_or_lost(tmp_path: Path, seed: int) -> None:
    right, found = outcomes(tmp_path, seed)
    assert found == right
    assert len(found) == 3, "the books are sound, and no gift was held back"


def _not_with_the_facts(tx: Tx, shop_id: str, holder: Any, facts: Any, now: Any, cause: str = "", **more: Any) -> Any:
    """Planted: points are entered under a number of their own, so that what is repeated counts again."""
    number = len(books.facts_of(tx, shop_id, holder.accounts))
    return POST(tx, shop_id, holder, [replace(fact, id=f"{fact.id}~{number}") for fact in facts], now, cause, **more)


def _all_of_an_order(facts: Iterable[Fact], _: str) -> list[Fact]:
    return list(facts)


def _takes_nothing_back(*_: object) -> dict[str, Decimal]:
    return {}


POST = bookings.post


@pytest.mark.parametrize(
    ("module", "name", "bug"),
    [
        (cases, "post", _not_with_the_facts),
        (earning, "targets", _takes_nothing_back),
        (earning, "of_programme", _all_of_an_order),
    ],
    ids=["counts again", "takes nothing back", "a gift is the order's own"],
)
def test_a_planted_bug_is_found(
    module: Any, name: str, bug: Any, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    right = {seed: outcomes(tmp_path, seed)[0] for seed in (0, 1)}
    monkeypatch.setattr(module, name, bug)
    assert any(outcomes(tmp_path, seed)[1] != right[seed] for seed in right)
