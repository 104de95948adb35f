"""The worker with two shops, counted in rounds: one shop's burst costs another's confirmation at most one more."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pytest

from bench import corpus
from connector.clock import ManualClock
from connector.store import deliveries, effects, turns
from tests.turns.burst import LOUD, QUIET, House, ticks_until_confirmed

START = datetime(2026, 11, 23, 9, 0, tzinfo=UTC)
BURST = 5_000
MOST = 12
"""Rounds after which nobody looks any further: with the oldest first the quiet shop would wait for two hundred."""


@pytest.fixture
def house(tmp_path: Path) -> Iterator[House]:
    one = House.build(tmp_path, "sqlite://:memory:", ManualClock(START))
    yield one
    one.kiitos.close()


def burst(house: House) -> Iterator[bytes]:
    """The loud shop's orders are stored and begun with; the next body is the quiet shop's. The same few orders again
    and again, for what comes of most of them nobody waits."""
    some = list(corpus.bodies(300, START))
    house.arrive(LOUD, (some[n % 300] for n in range(BURST)), BURST)
    house.worker.tick()
    *_, last = corpus.bodies(2, START, seed=8)
    return iter([last])


def test_a_burst_costs_another_shops_confirmation_at_most_one_round_more(house: House) -> None:
    house.arrive(QUIET, corpus.bodies(1, START, seed=9), 1)
    alone = ticks_until_confirmed(house, MOST)
    house.forget()
    house.arrive(QUIET, burst(house), 1)
    behind = ticks_until_confirmed(house, MOST)
    assert behind <= 2 * alone
    assert deliveries.backlog(house.kiitos.store) > BURST / 2, "the burst must still be there, or nothing was shown"


def test_control_with_the_oldest_first_it_waits_for_the_burst(house: House, monkeypatch: pytest.MonkeyPatch) -> None:
    def oldest_first(tx: Any, now: str, until: str, limit: int, turn: Any) -> Any:
        return tx.all("progress_lease", now=now, lease_until=until, limit=limit, tried=0)

    monkeypatch.setattr(deliveries, "_lease_new", oldest_first)
    house.arrive(QUIET, burst(house), 1)
    assert ticks_until_confirmed(house, MOST) > MOST


def test_control_an_outbox_that_sends_the_oldest_first_is_found_out(
    house: House, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(effects, "share_out", lambda oldest, *_: oldest)
    monkeypatch.setattr("connector.working.carrier.SEND", 5)  # messages pile up
    monkeypatch.setattr("connector.working.carrier.SEND_FIRST", 5)
    bodies = corpus.bodies(301, START)
    house.arrive(LOUD, bodies, 300)
    for _ in range(4):
        house.worker.intake.take_in()
    house.arrive(QUIET, bodies, 1)
    assert ticks_until_confirmed(house, 4) > 4
    monkeypatch.setattr(effects, "share_out", turns.share_out)
    assert ticks_until_confirmed(house, 1) == 1
