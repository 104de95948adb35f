"""Two workers at once keep the limits as one does: neither sends what only the other left room for."""

from __future__ import annotations

import threading
from collections.abc import Callable, Iterator
from contextlib import suppress
from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest

from connector.app import Kiitos
from connector.model import EffectStatus
from connector.store import Store, pace
from connector.store.postgres import PostgresTx
from tests.engine.fair_world import SHOPS, START, FairWorld, Wanted, a_story, broken, without_rendering
from tests.store.test_concurrency import together


@pytest.fixture
def make(tmp_path: Path, open_store: Callable[[], Store]) -> Iterator[Callable[..., tuple[FairWorld, list[Kiitos]]]]:
    """A world, and two workers on its database."""

    def one(**limits: Any) -> tuple[FairWorld, list[Kiitos]]:
        world = FairWorld(tmp_path, open_store(), limits)
        return world, [world.kiitos, world.another(open_store())]

    with without_rendering():
        yield one


def meet(monkeypatch: pytest.MonkeyPatch, patience: float) -> None:
    """Each worker has counted when the other has, if the database lets both count: for so many seconds they wait.

    Both what a person got and what a flow began are counted, one after the other: who met at the first only may find
    at the second what the other has written meanwhile."""
    for name in ("reached", "begun"):
        monkeypatch.setattr(pace, name, together_once(getattr(pace, name), patience))


def together_once(count: Callable[..., Any], patience: float) -> Callable[..., Any]:
    both, met = threading.Barrier(2), set[int]()

    def count_and_wait(*asked: Any) -> Any:
        found = count(*asked)
        if threading.get_ident() not in met:
            met.add(threading.get_ident())
            with suppress(threading.BrokenBarrierError):
                both.wait(patience)
        return found

    return count_and_wait


def send_side_by_side(
    world: FairWorld, workers: list[Kiitos], monkeypatch: pytest.MonkeyPatch, patience: float = 0.5
) -> int:
    """One message each, at the same moment; how many left."""
    with monkeypatch.context() as patch:
        meet(patch, patience)
        assert together(2, lambda index: world.tick(1, workers[index])) == []
    return len(world.sent)


def one_person(world: FairWorld) -> None:
    world.want(Wanted(START, SHOPS[0], "low", 0))
    world.want(Wanted(START, SHOPS[1], "low", 0))


def one_flow(world: FairWorld) -> None:
    world.want(Wanted(START, SHOPS[0], "low", 0))
    world.want(Wanted(START, SHOPS[0], "low", 1))


@pytest.mark.parametrize("story", [one_person, one_flow])
def test_two_workers_share_one_slot(
    make: Callable[..., Any], story: Callable[[FairWorld], None], monkeypatch: pytest.MonkeyPatch
) -> None:
    world, workers = make(daily=1)
    story(world)
    assert send_side_by_side(world, workers, monkeypatch) == 1
    world.pass_until(START + timedelta(minutes=10))
    assert len(world.sent) == 1
    statuses = sorted(str(effect.status) for effect in world.rows())
    assert statuses == (["pending", "sent"] if story is one_person else ["held", "sent"])


@pytest.mark.postgres
@pytest.mark.parametrize("story", [one_person, one_flow])
def test_without_holding_the_slot_both_would_send(
    tmp_path: Path, schema_dsn: str, story: Callable[[FairWorld], None], monkeypatch: pytest.MonkeyPatch
) -> None:
    """The control."""
    monkeypatch.setattr(PostgresTx, "try_hold", lambda *_: True)
    stores = [Store.open(schema_dsn), Store.open(schema_dsn)]
    try:
        with without_rendering():
            world = FairWorld(tmp_path, stores[0], {"daily": 1})
            story(world)
            workers = [world.kiitos, world.another(stores[1])]
            assert send_side_by_side(world, workers, monkeypatch, patience=20) == 2
    finally:
        for store in stores:
            store.close()


@pytest.mark.parametrize("seed", [3])
def test_no_interleaving_of_two_workers_breaks_a_promise(make: Callable[..., Any], seed: int) -> None:
    world, workers = make()
    story = a_story(seed, 16)

    def work_until(at: Any) -> None:
        while (due := world.next_due()) is not None and due <= at:
            if due > world.clock.now():
                world.clock.advance(due - world.clock.now())
            assert together(2, lambda index: world.tick(1 + index, workers[index])) == []
        if at > world.clock.now():
            world.clock.advance(at - world.clock.now())

    for wanted in story:
        work_until(wanted.at)
        world.want(wanted)
    work_until(story[-1].at + timedelta(days=4))
    # Who finds the slot held comes back in a second: meanwhile whoever holds it may be the less important.
    assert broken(world, story) <= {"the less important went first"}
    assert all(effect.status is not EffectStatus.PENDING for effect in world.rows())
