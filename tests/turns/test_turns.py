"""The worker with two shops, counted in rounds and in work: one shop's burst costs another's confirmation at most one
round more, and of the burst next to nothing is done before it."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator
from datetime import UTC, datetime
from pathlib import Path
from typing import Any, Literal

import pytest

from bench import corpus
from connector.clock import ManualClock
from connector.store import deliveries, effects, turns
from connector.working.intake import PIECE, SEVERAL, Intake
from tests.turns.burst import LOUD, MET, MISSED, NOT_SHOWN, QUIET, House, ticks_until_confirmed, verdict

START = datetime(2026, 11, 23, 9, 0, tzinfo=UTC)
BURST = 5_000
MOST = 12
"""Rounds after which nobody looks any further: with the oldest first the quiet shop would wait for two hundred."""


@pytest.fixture
def house(tmp_path: Path) -> Iterator[House]:
    one = House.build(tmp_path, "sqlite://:memory:", ManualClock(START))
    yield one
    one.kiitos.close()


def burst(house: House, count: int = BURST) -> Iterator[bytes]:
    """The loud shop's orders are stored and begun with; the next body is the quiet shop's. The same few orders again
    and again, for what comes of most of them nobody waits."""
    some = list(corpus.bodies(300, START))
    house.arrive(LOUD, (some[n % 300] for n in range(count)), count)
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
        return tx.all("progress_lease", now=now, lease_until=until, limit=limit)

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


# -- an order that comes in the middle of a batch of the burst ---------------------------------------------------------

Stage = Literal["taken in", "prepared"]


class Work:
    """What the worker does for the burst between the arrival of the quiet shop's order and its confirmation. The order
    comes while the `nth` of a batch is being taken in or prepared."""

    def __init__(self, house: House, body: Iterator[bytes], stage: Stage, nth: int) -> None:
        self.done: Counter[str] = Counter()
        self._house, self._body, self._until = house, body, nth
        runner, outbox = house.kiitos.runner, house.kiitos.outbox
        self._count(runner, "ingest", "taken in", stage)
        self._count(outbox, "prepare", "prepared", stage)
        self._count(outbox, "record", "recorded", stage)

    def _count(self, of: Any, name: str, what: str, stage: Stage) -> None:
        real = getattr(of, name)

        def counted(tx: Any, about: Any, *rest: Any) -> Any:
            shop_id = about if isinstance(about, str) else getattr(about, "effect", about).shop_id
            if shop_id == LOUD and self._until <= 0 and not self._house.confirmed(QUIET):
                self.done[what] += 1
            if what == stage:
                self._until -= 1
                if not self._until:
                    self._house.arrive(QUIET, self._body, 1)
            return real(tx, about, *rest)

        setattr(of, name, counted)

    def until_confirmed(self) -> Counter[str]:
        for _ in range(MOST):
            self._house.worker.tick()
            if self._house.confirmed(QUIET):
                return self.done
        raise AssertionError(f"not confirmed within {MOST} rounds, but done was {self.done}")


def rounds_of_the_burst(house: House) -> Iterator[bytes]:
    """A few, so that batches have their size; nothing of the quiet shop's is known."""
    body = burst(house)
    for _ in range(3):
        house.worker.tick()
    return body


@pytest.mark.parametrize(("stage", "nth"), [("taken in", 1), ("taken in", 13), ("prepared", 1), ("prepared", 13)])
def test_a_batch_of_the_burst_makes_way(house: House, stage: Stage, nth: int) -> None:
    """The item under way and the rest of its piece, a piece more of messages, and nothing else is begun with. What was
    prepared has begun and is sent: of a batch under way no more than what it holds."""
    done = Work(house, rounds_of_the_burst(house), stage, nth).until_confirmed()
    assert done["taken in"] + done["prepared"] <= 2 * PIECE, done
    assert done["recorded"] <= (PIECE if stage == "taken in" else SEVERAL), done
    assert deliveries.backlog(house.kiitos.store) > BURST / 2, "the burst must still be there, or nothing was shown"


@pytest.mark.parametrize("left_out", ["making way", "those with few first"])
def test_control_a_burst_that_goes_first_is_found_out(
    house: House, monkeypatch: pytest.MonkeyPatch, left_out: str
) -> None:
    body = rounds_of_the_burst(house)
    if left_out == "making way":
        monkeypatch.setattr(Intake, "makes_way", lambda *_: False)
        house.worker.carrier._makes_way = lambda _: False
    else:
        house.worker.intake._deliveries_turn.few_first = False
    done = Work(house, body, "taken in", 1).until_confirmed()
    assert done["taken in"] + done["prepared"] > 2 * PIECE, done


def test_the_burst_goes_on_however_many_others_come(house: House) -> None:
    """An order of the quiet shop in every round: the burst has every other one, and what made way is lost to nobody."""
    body, many = burst(house, 600), 600
    some = list(corpus.bodies(40, START, seed=5))
    before = house.confirmed(LOUD)
    for order in some:
        house.arrive(QUIET, iter([order]), 1)
        house.worker.tick()
    assert house.confirmed(LOUD) - before >= len(some) / 2 * PIECE
    assert house.confirmed(QUIET) >= len(some) - 2
    house.arrive(QUIET, body, 1)
    house.worker.drain()
    with house.kiitos.store.work.read() as tx:
        assert deliveries.count_by_status(tx) == {"done": many + len(some) + 1}


@pytest.mark.parametrize(
    ("ratio", "left", "foreign", "code"),
    [(1.9, 9, 0.0, MET), (1.9, 9, 0.5, MET), (2.1, 9, 0.0, MISSED), (2.1, 9, 0.5, NOT_SHOWN), (1.0, 0, 0.0, NOT_SHOWN)],
)
def test_make_burst_fails_when_the_promise_is_missed(ratio: float, left: int, foreign: float, code: int) -> None:
    assert verdict(ratio, left, foreign) == code
