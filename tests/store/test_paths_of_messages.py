"""What is asked on a message's way, from its webhook to its outcome: nothing that looks over all shops.

tests/store/test_shop_bound.py lists the queries that are not bound to one shop, each with its reason. That those of the
operator's looks (`OF_ALL`, `WATCHED`) are none of a message's way is shown here: in whole lives of the swarm, with its
flows, faults, pages and retries, every query that receiving, taking in, waking, ringing and sending ask is noted.
"""

from __future__ import annotations

import logging
from collections.abc import Callable, Iterator, Mapping
from typing import Any

import pytest

from connector.working.alarms import Alarms
from connector.working.carrier import Carrier
from connector.working.intake import Intake
from flows.runner import Runner
from tests.store.test_shop_bound import CLAIMS, OF_ALL, WATCHED
from tests.swarm.house import House
from tests.swarm.life import Life
from tests.swarm.search import LIVES

LIVES_LED = range(12)
WAYS: list[tuple[type, str]] = [
    (Intake, "take_in"),
    (Intake, "wake"),
    (Intake, "wake_first"),
    (Alarms, "ring"),
    (Carrier, "act"),
]
"""What a worker does for messages in each round."""
ON_THE_WAY = {"progress_lease", "effect_due", "run_due", "wakeup_due", "order_get", "run_get", "effect_begin"}
"""Without these nothing was looked at."""


class Asked(dict[str, Any]):
    """A database's queries; notes which are asked for while something is `under_way`."""

    def __init__(self, queries: Mapping[str, Any], under_way: list[str], found: set[str]) -> None:
        super().__init__(queries)
        self._under_way, self._found = under_way, found

    def __getitem__(self, name: str) -> Any:
        if self._under_way:
            self._found.add(name)
        return super().__getitem__(name)


@pytest.fixture
def asked(monkeypatch: pytest.MonkeyPatch) -> Iterator[Callable[[], set[str]]]:
    """Leads some lives and tells what was asked on the way of their messages."""
    under_way: list[str] = []
    found: set[str] = set()
    logging.disable(logging.CRITICAL)
    house = House()
    for database in (house.store.work, house.store.inbox):
        session: Any = database._session()
        for tx in (session.writing, session.reading):
            tx._queries = Asked(tx._queries, under_way, found)

    def mark(of: type, name: str) -> None:
        real = getattr(of, name)

        def marked(*given: Any, **named: Any) -> Any:
            under_way.append(name)
            try:
                return real(*given, **named)
            finally:
                under_way.pop()

        monkeypatch.setattr(of, name, marked)

    def meanwhile(self: Life) -> None:
        """While one worker waits for an answer, the life goes on: polls, people, and other workers, marked anew."""
        waiting, under_way[:] = [*under_way], []
        try:
            real_meanwhile(self)
        finally:
            under_way[:] = waiting

    real_meanwhile = Life.meanwhile
    monkeypatch.setattr(Life, "meanwhile", meanwhile)

    def lead() -> set[str]:
        for of, name in WAYS:
            mark(of, name)
        for seed in LIVES_LED:
            LIVES.lead(seed, house)
        return found

    yield lead
    house.close()
    logging.disable(logging.NOTSET)


def test_no_query_over_all_shops_is_on_a_messages_way(asked: Callable[[], set[str]]) -> None:
    found = asked()
    assert ON_THE_WAY - found == set(), "the lives must have had messages, or nothing was shown"
    assert len(found) > 100
    assert len(found & CLAIMS.keys()) > 5, "what claims work is asked, and is the only thing over all shops"
    assert found & {*OF_ALL, *WATCHED} == set()


@pytest.mark.parametrize("planted", ["effect_counts", "watch_people"])
def test_control_a_look_over_all_shops_in_the_middle_is_found(
    asked: Callable[[], set[str]], monkeypatch: pytest.MonkeyPatch, planted: str
) -> None:
    monkeypatch.setattr("tests.store.test_paths_of_messages.LIVES_LED", range(1))
    real = Runner.ingest

    def ingest(self: Runner, tx: Any, *rest: Any) -> Any:
        tx.all(planted)
        return real(self, tx, *rest)

    monkeypatch.setattr(Runner, "ingest", ingest)
    assert asked() & {*OF_ALL, *WATCHED} == {planted}
