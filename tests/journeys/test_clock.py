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
from connector.watching.figures import look
from connector.watching.of_work import CHECKS
from connector.watching.patient import Patient
from connector.worker import Tick, Worker
from connector.working.clockwatch import LONGEST, PATIENT, SHORT, SLACK, STEADY, ClockWatch
from connector.working.witness import Witness

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


@pytest.mark.parametrize("jump", [SLACK * 2, -SLACK * 2, timedelta(hours=1), -SHORT, SHORT, timedelta(hours=9)])
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


def test_promise_r14_a_clock_eleven_minutes_off_is_not_believed_at_once(watch: tuple[ClockWatch, ManualClock]) -> None:
    asked, clock = watch
    assert asked.trusted()
    clock.set(clock.now() + timedelta(minutes=10, seconds=1))
    assert not asked.trusted()


@pytest.mark.parametrize("jump", [SHORT + timedelta(hours=1), LONGEST, -LONGEST])
def test_a_month_is_believed_only_after_hours(watch: tuple[ClockWatch, ManualClock], jump: timedelta) -> None:
    """On SQLite nobody else can be asked; meanwhile the operator is told."""
    asked, clock = watch
    assert asked.trusted()
    clock.set(clock.now() + jump)
    assert not asked.trusted()
    clock.sleep(PATIENT - 1)
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


@pytest.mark.parametrize(("gap", "wanted"), [(SHORT, True), (LONGEST, False), (YEAR, False), (-SLACK * 3, False)])
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


# -- a witness ---------------------------------------------------------------------------------------------------------

MONTH = timedelta(days=30)


def test_a_month_ahead_wakes_nobody_and_the_operator_is_told(world: World) -> None:
    """A bad time server, ten steady minutes and more: what waits for ten days still waits. Then the clock is right."""
    before, now = waiting_for_a_review(world), world.clock.now()
    world.clock.set(now + MONTH)
    for _ in range(30):
        assert world.worker.tick() == Tick()
        world.clock.sleep(STEADY / 10)
    assert len(world.sink.messages) == before
    (check,) = (each for each in CHECKS if each.name == "clock")
    (trouble,) = check.troubles(Patient(kiitos=world.kiitos, figures=look(world.kiitos.store, world.clock.now())))
    assert "ahead of the last time a worker believed" in trouble.what
    world.clock.set(now + timedelta(minutes=30))
    world.wait(days=11)
    assert len(world.sink.messages) == before + 1


def test_a_webhook_of_just_now_says_that_the_month_has_passed(world: World) -> None:
    """A machine that was off for a month: the first order that comes in proves its clock, and is confirmed."""
    waiting_for_a_review(world)
    world.clock.set(world.clock.now() + MONTH)
    assert world.worker.tick() == Tick()
    world.clock.sleep(60)
    before = len(world.sink.messages)
    world.shopify.place_order([(MUG, 1)], AINO)
    world.deliver()
    world.clock.sleep(10)
    world.worker.drain()
    assert len(world.sink.messages) > before


def test_a_webhook_of_last_month_proves_nothing(world: World) -> None:
    """The clock is wrong: what shops say happened a month ago by it."""
    before = waiting_for_a_review(world)
    world.shopify.place_order([(MUG, 1)], AINO)
    world.clock.set(world.clock.now() + MONTH)
    for _ in range(5):
        world.deliver()
        world.clock.sleep(60)
    assert world.worker.tick() == Tick()
    assert len(world.sink.messages) == before


def test_control_a_witness_that_reads_our_own_time_of_receipt_is_found_out(
    world: World, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(Witness, "_told", lambda self, delivery: delivery.received_at)
    before = waiting_for_a_review(world)
    world.shopify.place_order([(MUG, 1)], AINO)
    world.clock.set(world.clock.now() + MONTH)
    for _ in range(5):
        world.deliver()
        world.clock.sleep(60)
    world.worker.drain()
    assert len(world.sink.messages) > before, "a month of sleepers has left"
