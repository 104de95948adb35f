"""Machines that share one PostgreSQL go by its clock: one that is apart from it holds still."""

from __future__ import annotations

from datetime import timedelta

import pytest

from connector.clock import ManualClock, SystemClock
from connector.store import Store
from connector.working.clockwatch import APART, COMPARED, ClockWatch

HOUR = timedelta(hours=1)


def watching(store: Store, apart: timedelta, shared: bool = True) -> tuple[ManualClock, ClockWatch]:
    clock = ManualClock(SystemClock().now() + apart)
    watch = ClockWatch(store, clock)
    watch.shared = shared
    return clock, watch


@pytest.mark.parametrize("apart", [-HOUR, -3 * APART, 3 * APART, HOUR])
def test_a_clock_apart_from_the_databases_is_not_acted_on(store: Store, apart: timedelta) -> None:
    _, watch = watching(store, apart)
    postgres = store.dialect == "postgres"
    assert watch.trusted() is not postgres
    assert watch.holding is postgres


def test_a_clock_that_leaps_is_noticed_at_once_and_forgiven_when_it_is_right(store: Store) -> None:
    if store.dialect == "sqlite":
        pytest.skip("a file has no clock")
    clock, watch = watching(store, timedelta())
    assert watch.trusted()
    clock.advance(timedelta(seconds=COMPARED / 2))
    assert watch.trusted()
    clock._now += HOUR  # the wall clock alone
    assert not watch.trusted()
    assert watch.holding
    clock._now -= HOUR
    assert watch.trusted()


def test_control_a_worker_that_compares_with_nobody_believes_it(store: Store) -> None:
    _, watch = watching(store, HOUR, shared=False)
    assert watch.trusted()
