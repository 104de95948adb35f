"""In a crowd order messages' steps are handed out first. That queues bring them first: tests/dispatch/test_real.py."""

from __future__ import annotations

from datetime import timedelta
from pathlib import Path

import pytest

from connector.contracts.dispatcher import DueStep
from connector.working import dispatching
from connector.working.dispatching import HandingOut
from tests.dispatch.rig import both_due, write_advertising
from tests.dispatch.test_planted import Remembered, ThreadRig


def handed_out(folder: Path, monkeypatch: pytest.MonkeyPatch, *, waiting: int) -> list[DueStep]:
    """What one round hands out of ten steps of each class when so many messages wait already and two fill the queue."""
    dispatcher = Remembered()
    rig = ThreadRig(folder, dispatcher, more=write_advertising)
    try:
        both_due(rig, 10, 10)
        monkeypatch.setattr(dispatching, "CEILING", 2)
        monkeypatch.setattr(dispatching, "WAKE", 5)
        monkeypatch.setattr(dispatcher, "waiting", lambda: waiting)
        HandingOut(rig.kiitos, dispatcher, rig.kiitos.config.app.dispatcher.lease).wake()
        return [dispatcher.queue.get_nowait() for _ in range(dispatcher.queue.qsize())]
    finally:
        rig.close()


def test_a_crowd_of_others_does_not_keep_them_from_being_handed_out(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    found = handed_out(tmp_path, monkeypatch, waiting=0)
    assert [step.first for step in found] == [False] * 5 + [True] * 5, "a batch of the oldest, then order messages"


@pytest.mark.parametrize(("waiting", "count"), [(2, 5), (3, 5), (4, 0)])
def test_a_queue_full_of_others_takes_them_and_one_full_of_them_takes_nothing(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, waiting: int, count: int
) -> None:
    assert [step.first for step in handed_out(tmp_path, monkeypatch, waiting=waiting)] == [True] * count


def test_what_a_queue_carries_is_what_the_version_before_reads() -> None:
    step = DueStep("s", "r", 2, 5, first=True)
    assert DueStep(*step.message) == step._replace(first=False)
    assert len(step.message) == 4


def test_who_comes_back_undone_is_handed_out_as_such(tmp_path: Path) -> None:
    dispatcher = Remembered()
    rig = ThreadRig(tmp_path, dispatcher)
    try:
        rig.due(2)
        handing = HandingOut(rig.kiitos, dispatcher, timedelta(0))  # leases that end at once
        assert handing.wake() == handing.wake() == 2
        found = [dispatcher.queue.get_nowait() for _ in range(dispatcher.queue.qsize())]
        assert [step.again for step in found] == [False, False, True, True]
    finally:
        rig.close()
