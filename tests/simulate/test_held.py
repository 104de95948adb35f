"""The database held in memory answers as SQLite does: every question of invented lives is asked of both."""

from __future__ import annotations

from typing import Any

import pytest

from connector.simulate import held, twins
from connector.simulate.held import HeldTx, digest
from connector.simulate.scene import Scene
from connector.store.db import Row
from connector.store.sql import load_queries
from tests.simulate.product import essence, looked_back, playbook, window
from tests.simulate.test_equality import past


def test_no_twin_is_stale() -> None:
    """A query that changed leaves its twin behind. Say the same in connector/simulate/twins.py, then put the digest."""
    queries = load_queries("sqlite")
    every = {**twins.READS, **twins.WRITES}
    stale = {name: digest(queries[name]) for name, twin in every.items() if digest(queries[name]) != twin.of}
    assert not stale, f"these queries changed; their digests are now {stale}"


_TIES = frozenset({"run_due", "effect_due", "order_of_email"})
"""Rows of one moment come in whatever order SQLite likes."""


class Compared(HeldTx):
    """Asks SQLite too, and keeps count."""

    asked: dict[str, int]

    def all(self, query: str, **args: Any) -> list[Row]:
        found = super().all(query, **args)
        if query in self._reads:
            self._settle(self._touched[query])
            wanted = self._below.all(query, **args)
            # Contents are not read while looking back, and not held.
            wanted = [{name: row[name] for name in row.keys() - {"encoding", "content"}} for row in wanted]
            shared = [{name: row[name] for name in (wanted[0] if wanted else ())} for row in found]
            if query in _TIES or "ORDER BY" not in self._queries[query].sql:
                shared.sort(key=str)
                wanted.sort(key=str)
            assert shared == wanted, query
            self.asked[query] = self.asked.get(query, 0) + 1
        return found


def test_every_answer_is_that_of_sqlite(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(Compared, "asked", {}, raising=False)
    monkeypatch.setattr(held, "HeldTx", Compared)
    scene = Scene(playbook(), window(150))
    try:
        assert isinstance(scene.tx, Compared)
        for seed in range(4):
            for person in past(seed):
                scene.live_exactly(person)
    finally:
        scene.close()
    assert sum(Compared.asked.values()) > 500
    assert {"run_due", "effect_due", "order_get", "shipment_of_order", "event_known"} <= Compared.asked.keys()


def test_without_twins_the_same_comes_out() -> None:
    """A stale twin costs time, never truth: SQLite then answers everything."""
    people = past(5)
    book, within = playbook(), window(150)
    assert essence(looked_back(book, people, within, exact=True).deeds) == essence(
        looked_back(book, people, within, twins=False, exact=True).deeds
    )


@pytest.mark.parametrize("name", ["run_save", "effect_due", "order_put"])
def test_one_twin_fewer_changes_nothing(name: str, monkeypatch: pytest.MonkeyPatch) -> None:
    """SQLite steps in for a single query, over the same rows."""
    people = past(6)
    book, within = playbook(), window(150)
    whole = essence(looked_back(book, people, within, exact=True).deeds)
    table: dict[str, Any] = twins.READS if name in twins.READS else twins.WRITES
    monkeypatch.delitem(table, name)
    assert essence(looked_back(book, people, within, exact=True).deeds) == whole


def test_a_wrong_twin_is_found(monkeypatch: pytest.MonkeyPatch) -> None:
    """The negative control of the comparison itself."""
    monkeypatch.setattr(Compared, "asked", {}, raising=False)
    monkeypatch.setattr(held, "HeldTx", Compared)
    right = twins.READS["shipment_of_order"]
    wrong = twins.Twin(right.of, lambda tables, args: right.act(tables, args)[1:])
    monkeypatch.setitem(twins.READS, "shipment_of_order", wrong)
    with pytest.raises(AssertionError, match="shipment_of_order"):
        looked_back(playbook(), [person for seed in range(4) for person in past(seed)], window(150), exact=True)


def test_nothing_of_one_person_is_left_for_the_next() -> None:
    people = past(7)
    scene = Scene(playbook(), window(150))
    try:
        first = [essence(scene.live_exactly(person).deeds) for person in people]
        again = [essence(scene.live_exactly(person).deeds) for person in reversed(people)]
    finally:
        scene.close()
    assert first == again[::-1]
