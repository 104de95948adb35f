"""The machine's clock is wrong for a while: nobody is asked for a review a year early, and nothing expires."""

from __future__ import annotations

from datetime import timedelta

import pytest
from click.testing import CliRunner

from connector.cli.clock import clock as clock_command
from connector.cli.context import App
from connector.clock import ManualClock
from connector.store import Store, deliveries
from connector.testing.demo.scenario import MONDAY
from connector.testing.fakes.people import AINO, MUG
from connector.testing.world import World
from connector.worker import Tick, Worker
from connector.working.clockwatch import LONGEST, SLACK, STEADY, ClockWatch

YEAR = timedelta(days=365)


def waiting_for_a_review(world: World) -> int:
    """Delivered; the question comes in ten days. How many messages there are so far."""
    order = world.shopify.place_order([(MUG, 1)], AINO)
    world.wait(hours=1)
    world.shopify.carrier_event(world.shopify.fulfill(order), "delivered")
    world.wait(hours=1)
    return len(world.sink.messages)


def kiitos(world: World, word: str) -> str:
    app = App("app.toml")
    vars(app).update(config=world.kiitos.config, kiitos=world.kiitos)
    return CliRunner().invoke(clock_command, [word], obj=app).output


@pytest.mark.parametrize("restarted", [False, True])
def test_a_year_ahead_for_a_minute_moves_nothing(
    world: World, restarted: bool, caplog: pytest.LogCaptureFixture
) -> None:
    before, now = waiting_for_a_review(world), world.clock.now()
    world.clock.set(now + YEAR)
    worker = Worker(world.kiitos) if restarted else world.worker
    for _ in range(60):
        assert worker.tick() == Tick()
        world.clock.sleep(1)
    assert len(world.sink.messages) == before
    assert [record.message for record in caplog.records].count("clock_jumped") == 1, "said once, not sixty times"
    world.clock.set(now + timedelta(minutes=1))
    assert (worker.tick(), len(world.sink.messages)) == (Tick(), before)
    world.worker = worker
    world.wait(days=11)
    assert len(world.sink.messages) == before + 1, "asked when its time has come"


def test_without_the_watch_the_year_would_have_passed(world: World, monkeypatch: pytest.MonkeyPatch) -> None:
    """The control: the same minute with a worker that believes everything."""
    before = waiting_for_a_review(world)
    monkeypatch.setattr(world.worker.watch, "trusted", lambda: True)
    world.clock.set(world.clock.now() + YEAR)
    world.worker.drain()
    with world.kiitos.store.work.read() as tx:
        rows = tx.all("run_under_way")
    assert len(world.sink.messages) > before or not [row for row in rows if row["flow_id"] == "review-request"]


def test_a_webhook_of_the_wrong_minute_is_worked_when_the_clock_is_right(world: World) -> None:
    world.worker.drain()
    now = world.clock.now()
    world.clock.set(now + YEAR)
    world.shopify.place_order([(MUG, 1)], AINO)
    world.deliver()
    assert world.sink.messages == []
    world.clock.set(now + timedelta(minutes=1))
    world.deliver()
    with world.kiitos.store.work.read() as tx:
        counts = deliveries.count_by_status(tx)
    assert set(counts) == {"done"}, counts


def test_a_person_confirms(world: World) -> None:
    world.worker.drain()
    assert "2026-11-02" in kiitos(world, "show")
    world.clock.advance(timedelta(seconds=1))
    world.clock.set(world.clock.now() + YEAR)
    assert not world.worker.watch.trusted()
    assert "confirmed: it is 2027-11-02" in kiitos(world, "confirm")
    assert world.worker.watch.trusted()


@pytest.fixture
def watch() -> tuple[ClockWatch, ManualClock]:
    clock = ManualClock(MONDAY)
    return ClockWatch(Store.open("sqlite://:memory:"), clock), clock


@pytest.mark.parametrize("jump", [SLACK, -SLACK, timedelta(minutes=5)])
def test_small_corrections_are_believed(watch: tuple[ClockWatch, ManualClock], jump: timedelta) -> None:
    asked, clock = watch
    assert asked.trusted()
    clock.set(clock.now() + jump)
    assert asked.trusted()


@pytest.mark.parametrize("jump", [SLACK * 2, -SLACK * 2, LONGEST, timedelta(hours=9)])
def test_a_machine_that_slept_is_believed_once_it_is_steady(
    watch: tuple[ClockWatch, ManualClock], jump: timedelta
) -> None:
    asked, clock = watch
    assert asked.trusted()
    clock.set(clock.now() + jump)
    assert not asked.trusted()
    clock.sleep(STEADY - 1)
    assert not asked.trusted()
    clock.sleep(1)
    assert asked.trusted()


@pytest.mark.parametrize("jump", [LONGEST + timedelta(days=1), YEAR, -YEAR])
def test_a_wild_jump_is_never_believed_by_itself(watch: tuple[ClockWatch, ManualClock], jump: timedelta) -> None:
    asked, clock = watch
    assert asked.trusted()
    clock.set(clock.now() + jump)
    for _ in range(50):
        clock.sleep(STEADY)
        assert not asked.trusted()


def test_a_clock_that_dances_is_never_steady(watch: tuple[ClockWatch, ManualClock]) -> None:
    asked, clock = watch
    assert asked.trusted()
    for hours in (5, 9, -7, 4, -3):
        clock.set(MONDAY + timedelta(hours=hours * 3))
        assert not asked.trusted()
        clock.sleep(STEADY - 60)


@pytest.mark.parametrize(("gap", "wanted"), [(LONGEST, True), (YEAR, False), (-SLACK * 3, False)])
def test_a_new_worker_takes_a_standstill_for_one(gap: timedelta, wanted: bool) -> None:
    store = Store.open("sqlite://:memory:")
    assert ClockWatch(store, ManualClock(MONDAY)).trusted()
    assert ClockWatch(store, ManualClock(MONDAY + gap)).trusted() is wanted


def test_time_that_passes_is_no_jump(watch: tuple[ClockWatch, ManualClock]) -> None:
    asked, clock = watch
    for _ in range(20):
        assert asked.trusted()
        clock.advance(timedelta(days=90))
    assert asked.trusted()
