"""The ledger's rule: the same facts in any order are the same position, and the books always sum to nothing."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from decimal import Decimal

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from connector.model.value import POINTS, Entry, Fact, FactKind, Place
from flows.value import settling
from flows.value.settling import Position, balances, postings, settle, wanted

START = datetime(2026, 1, 1, tzinfo=UTC)
DAY = timedelta(days=1)
END = START + 100 * DAY


def grant(key: str, amount: int, day: int = 0, opens: int | None = 0, lapses: int | None = None) -> Fact:
    return Fact(
        id=key,
        account="a",
        unit=POINTS,
        kind=FactKind.GRANT,
        amount=Decimal(amount),
        at=START + day * DAY,
        cause=f"order/{key}",
        rule="spend",
        version="v1",
        available_at=None if opens is None else START + opens * DAY,
        expires_at=None if lapses is None else START + lapses * DAY,
    )


def word(kind: FactKind, key: str, of: str, amount: int, day: int) -> Fact:
    at = START + day * DAY
    return Fact(id=key, account="a", unit=POINTS, kind=kind, of=of, amount=Decimal(amount), at=at, cause="refund/1")


def spend(key: str, amount: int, day: int, of: str = "") -> Fact:
    return word(FactKind.SPEND, key, of, amount, day)


def back(key: str, of: str, amount: int, day: int) -> Fact:
    return word(FactKind.TAKE_BACK, key, of, amount, day)


def places(position: Position) -> dict[str, Decimal]:
    found = balance_of(position)
    return {str(place): amount for place, amount in sorted(found.items()) if amount}


def balance_of(position: Position) -> dict[Place, Decimal]:
    total: dict[Place, Decimal] = {}
    for lot in wanted(position).values():
        for place, amount in lot.items():
            total[place] = total.get(place, Decimal(0)) + amount
    return total


def test_a_life() -> None:
    facts = [grant("o1", 90, 0, opens=16, lapses=60), grant("o2", 50, 5, opens=21)]
    assert places(settle(facts, START + 10 * DAY)) == {"pending": 140, "source": -140}
    assert places(settle(facts, START + 20 * DAY)) == {"available": 90, "pending": 50, "source": -140}
    facts.append(spend("s1", 100, 30))
    assert places(settle(facts, START + 30 * DAY)) == {"available": 40, "spent": 100, "source": -140}
    assert settle(facts, START + 70 * DAY).available == 40, "what lapses first was used first"
    facts.append(back("o1/taken/1", "o1", 90, 65))
    late = settle(facts, START + 70 * DAY)
    assert (late.available, late.owed) == (-50, 50), "what was never earned had been spent"
    facts.append(grant("o3", 80, 66, opens=82))
    assert settle(facts, START + 90 * DAY).available == 30, "the next points pay first what is owed"


def test_three_refunds_of_a_third_take_back_exactly_what_was_earned() -> None:
    facts = [grant("o1", 100), *(back(f"o1/taken/{n}", "o1", part, 3) for n, part in enumerate((33, 33, 34)))]
    assert settle(facts, END).available == 0
    assert settle([*facts, back("o1/taken/9", "o1", 50, 4)], END).available == 0, "never more than was earned"


def test_a_reward_that_is_taken_back_after_its_use_is_owed_and_no_other_pays_for_it() -> None:
    facts = [
        grant("code/A", 1),
        spend("order/1/code/A", 1, 5, of="code/A"),
        back("t", "code/A", 1, 9),
        grant("code/B", 1, 10),
    ]
    position = settle(facts, END)
    assert position.lots["code/A"].owed == -1
    assert position.lots["code/B"].available == 1


def test_held_until_released_and_held_again() -> None:
    facts = [grant("r1", 20, opens=None)]
    assert settle(facts, END).pending == 20
    facts.append(word(FactKind.RELEASE, "r1/released", "r1", 0, 5))
    assert settle(facts, END).available == 20
    facts.append(word(FactKind.HOLD, "r1/held", "r1", 0, 7))
    assert settle(facts, END).pending == 20


# -- any order, any repetition -----------------------------------------------------------------------------------------

days = st.integers(0, 60)


@st.composite
def stories(draw: st.DrawFn) -> list[Fact]:
    """Facts of one person, with reversals and spends that may be too large, too late or of nothing."""
    facts: list[Fact] = []
    for number in range(draw(st.integers(1, 4))):
        key, earned, day = f"g{number}", draw(st.integers(1, 120)), draw(days)
        opens = draw(st.one_of(st.none(), st.integers(day, day + 20)))
        lapses = draw(st.one_of(st.none(), st.integers(day, day + 70)))
        facts.append(grant(key, earned, day, opens, lapses))
        parts = draw(st.lists(st.integers(1, 120), max_size=3))
        facts += [back(f"{key}/taken/{n}", key, part, draw(days)) for n, part in enumerate(parts)]
        if draw(st.booleans()):
            kind = draw(st.sampled_from((FactKind.HOLD, FactKind.RELEASE)))
            facts.append(word(kind, f"{key}/word", key, 0, draw(days)))
    for number in range(draw(st.integers(0, 3))):
        of = draw(st.sampled_from(["", "", "", "g0"]))
        facts.append(spend(f"s{number}", draw(st.integers(1, 150)), draw(days), of))
        if draw(st.booleans()):
            facts.append(
                word(FactKind.GIVE_BACK, f"s{number}/back", f"s{number}", draw(st.integers(1, 150)), draw(days))
            )
    return facts


def booked(order: list[Fact], at: list[datetime]) -> list[Entry]:
    """The books after facts came one at a time, each told twice, with a look at the end."""
    entries: list[Entry] = []
    told: list[Fact] = []
    for fact, now in zip(order, at, strict=True):
        told.append(fact)
        for _ in range(2):
            entries += postings(settling.settle(told, now), entries, "a", POINTS, now, "x")
    return entries + postings(settling.settle(told, END), entries, "a", POINTS, END, "time")


def faults_of(facts: list[Fact], order: list[Fact], at: list[datetime]) -> Iterator[str]:
    """What is wrong with the books after the facts came in this order, beside a count by hand."""
    entries, right = booked(order, at), settling.settle(facts, END)
    found = balances(entries)
    if len({entry.id for entry in entries}) != len(entries):
        yield "two entries of one number"
    if any(entry.amount <= 0 for entry in entries):
        yield "an entry of nothing"
    if any(sum(lot.values()) for lot in found.values()):
        yield "sums are not zero"
    should = {key: {p: a for p, a in lot.items() if a} for key, lot in wanted(settle(order, END)).items()}
    has = {key: {p: a for p, a in lot.items() if a} for key, lot in found.items()}
    if {k: v for k, v in has.items() if v} != {k: v for k, v in should.items() if v}:
        yield "the order of events changed a balance"
    yield from by_hand(facts, right)


def by_hand(facts: list[Fact], position: Position) -> Iterator[str]:
    """Sums that need no sweep: kept is earned less taken, spent is spent less given back, and nothing is below zero."""
    kept = spent = Decimal(0)
    for fact in facts:
        theirs = [other for other in facts if other.of == fact.id]
        if fact.kind is FactKind.GRANT:
            taken = sum((o.amount for o in theirs if o.kind is FactKind.TAKE_BACK), Decimal(0))
            kept += max(fact.amount - taken, Decimal(0))
        elif fact.kind is FactKind.SPEND:
            given = sum((o.amount for o in theirs if o.kind is FactKind.GIVE_BACK), Decimal(0))
            spent += max(fact.amount - given, Decimal(0))
    total = balance_of(position)
    if total[Place.SOURCE] != -kept:
        yield "earned and taken back do not make what is kept"
    if total[Place.SPENT] != spent:
        yield "what was spent is not what is booked as spent"
    lots = position.lots.values()
    if any(min(lot.pending, lot.available, lot.spent, lot.expired) < 0 or lot.owed > 0 for lot in lots):
        yield "below zero"
    if position.owed < 0:
        yield "owed below zero"
    lapses = {fact.id: fact.expires_at for fact in facts}
    if any(lot.available and lapses[lot.grant.id] is not None and lapses[lot.grant.id] <= END for lot in lots):
        yield "what lapsed can be used"
    if any(lot.kept != lot.pending + lot.available + lot.spent + lot.expired + lot.owed for lot in lots):
        yield "a lot does not sum up"
    if position.owed and any(lot.available for lot in lots if lot.opens_at and lot.lapses_at is None):
        yield "something is owed while something that never lapses can be used"


@st.composite
def arrivals(draw: st.DrawFn) -> tuple[list[Fact], list[Fact], list[datetime]]:
    facts = draw(stories())
    order = draw(st.permutations([*facts, *draw(st.lists(st.sampled_from(facts), max_size=3))]))
    at = sorted(draw(st.lists(st.integers(0, 99), min_size=len(order), max_size=len(order))))
    return facts, list(order), [START + day * DAY for day in at]


@given(arrivals())
@settings(max_examples=150, deadline=None, suppress_health_check=[HealthCheck.too_slow])
def test_any_order_and_any_repetition_give_the_same_books(case: tuple[list[Fact], list[Fact], list[datetime]]) -> None:
    assert list(faults_of(*case)) == []


# -- planted bugs ------------------------------------------------------------------------------------------------------


def _spends_as_told(told: dict[str, Fact]) -> dict[str, Decimal]:
    return {key: fact.amount for key, fact in told.items() if fact.kind is FactKind.SPEND}


def _debt_forgotten(position: Position, lot: settling.Lot) -> None:
    lot.available += lot.kept


def _debt_paid_twice(position: Position, lot: settling.Lot) -> None:
    paid = min(position.owed, lot.kept)
    lot.spent += paid
    lot.available += lot.kept - paid


def _overspending_lost(position: Position, amount: Decimal, only: str) -> None:
    for lot in position.lots.values():
        used = min(lot.available, amount)
        lot.available, lot.spent, amount = lot.available - used, lot.spent + used, amount - used


def _below_zero(position: Position, amount: Decimal, only: str) -> None:
    lot = next(iter(position.lots.values()))
    lot.available, lot.spent = lot.available - amount, lot.spent + amount


def _more_taken_than_earned(told: dict[str, Fact]) -> Iterator[settling.Lot]:
    for lot in _lots(told):
        taken = sum(
            (f.amount for f in told.values() if f.of == lot.grant.id and f.kind is FactKind.TAKE_BACK), Decimal(0)
        )
        yield replace(lot, kept=lot.grant.amount - taken)


def _only_the_last_refund(told: dict[str, Fact]) -> Iterator[settling.Lot]:
    for lot in _lots(told):
        taken = [f.amount for f in told.values() if f.of == lot.grant.id and f.kind is FactKind.TAKE_BACK]
        yield replace(lot, kept=max(lot.grant.amount - taken[-1], Decimal(0)) if taken else lot.kept)


def _never_lapses(told: dict[str, Fact]) -> Iterator[settling.Lot]:
    for lot in _lots(told):
        yield replace(lot, grant=replace(lot.grant, expires_at=lot.grant.expires_at and END + DAY))


def _refunds_by_number(facts: list[Fact], now: datetime) -> Position:
    seen: dict[str, Fact] = {}
    for fact in facts:  # the first word about a grant wins, whichever it is
        key = f"{fact.kind}/{fact.of}" if fact.kind is FactKind.TAKE_BACK else fact.id
        seen.setdefault(key, fact)
    return _settle(seen.values(), now)


def _each_time_anew(facts: list[Fact], now: datetime) -> Position:
    return _settle([replace(fact, id=f"{fact.id}~{n}") for n, fact in enumerate(facts)], now)


def _as_it_came(facts: list[Fact], now: datetime) -> Position:
    days = {fact.id: START + n * DAY for n, fact in enumerate(facts)}
    return _settle([replace(f, at=days[f.id]) if f.kind is FactKind.SPEND else f for f in facts], now)


_lots, _settle = settling._lots, settling.settle
PLANTED: dict[str, Callable[..., object]] = {
    "_spends:given back is still spent": _spends_as_told,
    "_open:a debt is forgotten": _debt_forgotten,
    "_open:a debt is paid again and again": _debt_paid_twice,
    "_spend:more than there was vanishes": _overspending_lost,
    "_spend:below zero": _below_zero,
    "_lots:more is taken than was earned": _more_taken_than_earned,
    "_lots:only the last refund counts": _only_the_last_refund,
    "_lots:nothing lapses": _never_lapses,
    "settle:one refund a grant": _refunds_by_number,
    "settle:a repetition counts again": _each_time_anew,
    "settle:spending is sorted as it came": _as_it_came,
}


@pytest.mark.parametrize("planted", PLANTED)
def test_a_planted_bug_is_found(planted: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(settling, planted.partition(":")[0], PLANTED[planted])
    found = False

    @given(arrivals())
    @settings(max_examples=200, deadline=None, database=None, derandomize=True, suppress_health_check=list(HealthCheck))
    def look(case: tuple[list[Fact], list[Fact], list[datetime]]) -> None:
        nonlocal found
        if not found:
            found = bool(list(faults_of(*case)))

    look()
    assert found
