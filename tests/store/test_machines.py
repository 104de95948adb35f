"""Inbox, outbox and runs against their models (tests/store/machines.py), on SQLite and PostgreSQL; and each machine
against a store that is broken on purpose, which it must notice."""

from __future__ import annotations

from collections.abc import Collection
from dataclasses import dataclass, replace

import pytest
from hypothesis import HealthCheck, Phase, settings
from hypothesis.stateful import run_state_machine_as_test

from connector.store import Store
from tests.store.machines import InboxMachine, Machine, OutboxMachine, RunsMachine

EXAMPLES = {"sqlite": 30, "postgres": 4}


def run_machine(
    machine: type[Machine], store: Store, examples: int = 0, phases: Collection[Phase] = tuple(Phase)
) -> None:
    class Here(machine):  # type: ignore[misc, valid-type]
        pass

    Here.store = store
    chosen = settings(
        max_examples=examples or EXAMPLES[store.dialect],
        stateful_step_count=20,
        deadline=None,
        suppress_health_check=list(HealthCheck),
        derandomize=True,
        database=None,
        phases=phases,
    )
    run_state_machine_as_test(Here, settings=chosen)


@pytest.mark.parametrize("machine", [InboxMachine, OutboxMachine, RunsMachine])
def test_the_store_does_what_the_paper_says(store: Store, machine: type[Machine]) -> None:
    run_machine(machine, store)


@dataclass(frozen=True)
class Broken:
    """A machine, and the words of a query that are changed under it."""

    machine: type[Machine]
    query: str
    old: str
    new: str


BROKEN = {
    "a lease never ends": Broken(InboxMachine, "progress_lease_tried", "'new', 'leased'", "'new'"),
    "what is leased is claimed again": Broken(InboxMachine, "progress_lease_tried", "due_at <=", "'' <"),
    "what was sent is tried again": Broken(OutboxMachine, "effect_retry", "<> 'sent'", "<> ''"),
    "a taint is cleared": Broken(OutboxMachine, "effect_retry", "ELSE tainted", "ELSE 0"),
    "an attempt is not counted": Broken(OutboxMachine, "effect_begin", "+ 1", "+ 0"),
    "the last writer wins": Broken(RunsMachine, "run_save", "AND rev =", "AND -1 <"),
    "one that acts is woken": Broken(RunsMachine, "run_due", "'awaiting'", "'acting'"),
}


@pytest.mark.parametrize("name", BROKEN)
def test_a_store_that_is_broken_on_purpose_is_noticed(name: str, monkeypatch: pytest.MonkeyPatch) -> None:
    broken = BROKEN[name]
    store = Store.open("sqlite://:memory:")
    for known in (store.work.queries, store.work._selects):  # shared by all stores of the process: put back afterwards
        if broken.query in known:
            query = known[broken.query]
            assert broken.old in query.sql
            monkeypatch.setitem(known, broken.query, replace(query, sql=query.sql.replace(broken.old, broken.new)))
    with pytest.raises(AssertionError):
        run_machine(broken.machine, store, 200, [Phase.generate])  # nobody reads the shortest
    store.close()
