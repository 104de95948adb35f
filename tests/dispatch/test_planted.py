"""The examination of dispatchers, itself examined: queues and executors that are broken on purpose are found out."""

from __future__ import annotations

import queue
import threading
from collections.abc import Callable, Mapping, Sequence
from contextlib import suppress
from dataclasses import replace
from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest

from connector.app import load
from connector.contracts.dispatcher import Dispatcher, DueStep, Perform
from connector.errors import Transient
from connector.store import runs
from connector.working.dispatching import Executing, HandingOut
from tests.dispatch.rig import AbstractHold, Rig, examine, write_files


class Remembered(Dispatcher):
    """A queue in this process."""

    name = "remembered"

    def __init__(self) -> None:
        self.queue: queue.Queue[DueStep] = queue.Queue()
        self._stopping = threading.Event()

    @classmethod
    def from_settings(cls, settings: Mapping[str, Any], database: str) -> Remembered:
        return cls()

    def waiting(self) -> int:
        return self.queue.qsize()

    def publish(self, due: Sequence[DueStep], lease: timedelta) -> None:
        for step in due:
            self.queue.put(step)

    def execute(self, perform: Perform, threads: int) -> None:
        self._stopping.clear()
        hands = [threading.Thread(target=self._take, args=(perform,)) for _ in range(threads)]
        for hand in hands:
            hand.start()
        for hand in hands:
            hand.join()

    def _take(self, perform: Perform) -> None:
        while not self._stopping.is_set():
            with suppress(queue.Empty):
                perform(self.queue.get(timeout=0.02))

    def stop(self) -> None:
        self._stopping.set()


class Losing(Remembered):
    """The same third of its messages every time."""

    def publish(self, due: Sequence[DueStep], lease: timedelta) -> None:
        super().publish([step for step in due if hash(step.run_id) % 3], lease)


class Garbling(Remembered):
    """Another attempt arrives than was sent."""

    def publish(self, due: Sequence[DueStep], lease: timedelta) -> None:
        super().publish([step._replace(attempt=step.attempt - 1) for step in due], lease)


class Giving(Remembered):
    """Gives up for good when an executor dies."""

    def execute(self, perform: Perform, threads: int) -> None:
        if not hasattr(self, "dead"):
            super().execute(perform, threads)
        self.dead = True


class Late(Executing):
    """Heeds every message."""

    def _held(self, tx: Any, due: DueStep) -> Any:
        run = runs.get(tx, due.shop_id, due.run_id)
        return super()._held(tx, due._replace(step=run.step, attempt=run.rev)) if run else None


class Hold(AbstractHold):
    def __init__(self, ids: Sequence[str]) -> None:
        self.ids = set(ids)
        self.gate = threading.Event()
        self.inside: set[str] = set()

    def begun(self) -> int:
        return len(self.inside)

    def let_go(self) -> None:
        self.gate.set()


class ThreadRig(Rig):
    """Executors are threads; one that is killed never does what it holds."""

    def __init__(
        self,
        folder: Path,
        dispatcher: Dispatcher,
        executing: type[Executing] = Executing,
        more: Callable[[Path], None] | None = None,
    ) -> None:
        self._hold: Hold | None = None
        self._thread: threading.Thread | None = None
        self._dead: list[bool] = [False]
        path = write_files(folder, 'kind = "inline"', lease="2s")
        if more is not None:
            more(path)
        super().__init__(load(path, ENVIRON), dispatcher)
        self._executing = executing(self.kiitos)

    def holding(self, ids: Sequence[str]) -> AbstractHold:
        self._hold = Hold(ids)
        return self._hold

    def start(self) -> None:
        dead = self._dead = [False]

        def perform(due: DueStep) -> bool:
            hold = self._hold
            if hold is not None and not hold.gate.is_set():
                hold.inside.add(due.run_id)
                while not hold.gate.is_set() and not dead[0]:
                    hold.gate.wait(0.01)
            return not dead[0] and self._executing.carry_out(due)

        self._thread = threading.Thread(target=self.dispatcher.execute, args=(perform, 20))
        self._thread.start()

    def kill(self) -> None:
        self._dead[0] = True
        self.stop()

    def stop(self) -> None:
        self.dispatcher.stop()
        if self._thread is not None:
            self._thread.join()
            self._thread = None

    def close(self) -> None:
        self.stop()
        self.kiitos.close()


ENVIRON = {"KIITOS_DATABASE": "sqlite://:memory:"}


def faults_of(folder: Path, dispatcher: Dispatcher, executing: type[Executing] = Executing) -> list[str]:
    """Of a broken one: nobody waits long for what never comes."""
    rig = ThreadRig(folder, dispatcher, executing)
    rig.patience = 60.0 if (type(dispatcher), executing) == (Remembered, Executing) else 4.0
    try:
        return examine(rig)
    finally:
        rig.close()


def test_a_sound_queue_passes(tmp_path: Path) -> None:
    assert faults_of(tmp_path, Remembered()) == []


@pytest.mark.parametrize(
    ("dispatcher", "executing", "words"),
    [
        (Losing, Executing, "never done"),
        (Garbling, Executing, "never done"),
        (Giving, Executing, "never done"),
        (Remembered, Late, "an attempt that was over"),
    ],
)
def test_control_what_is_broken_is_found(
    tmp_path: Path, dispatcher: Callable[[], Dispatcher], executing: type[Executing], words: str
) -> None:
    assert any(words in fault for fault in faults_of(tmp_path, dispatcher(), executing))


def test_control_a_lease_that_never_ends_loses_what_a_dead_executor_held(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    endless = runs.lease
    monkeypatch.setattr(runs, "lease", lambda tx, run, until: endless(tx, run, until + timedelta(days=99)))
    rig = ThreadRig(tmp_path, Remembered())
    rig.patience = 4.0
    try:
        assert any("20 of 20 steps that a dead executor held" in fault for fault in examine(rig))
    finally:
        rig.close()


def test_a_full_or_silent_queue_is_given_nothing(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    dispatcher = Remembered()
    rig = ThreadRig(tmp_path, dispatcher)
    rig.due(3)
    monkeypatch.setattr("connector.working.dispatching.CEILING", 1)
    dispatcher.queue.put(DueStep("s", "a", 0, 0))
    dispatcher.queue.put(DueStep("s", "b", 0, 0))
    assert rig.handing.wake() == 0

    def nobody() -> int:
        raise Transient("no broker")

    monkeypatch.setattr(dispatcher, "waiting", nobody)
    assert rig.handing.wake() == 0
    monkeypatch.setattr(dispatcher, "waiting", lambda: 0)
    assert rig.handing.wake() == 3
    rig.close()


def test_two_that_hand_out_at_once_hand_each_step_out_once(tmp_path: Path) -> None:
    rig = ThreadRig(tmp_path, Remembered())
    rig.due(30)
    others = [HandingOut(rig.kiitos, rig.dispatcher, timedelta(minutes=1)) for _ in range(3)]
    threads = [threading.Thread(target=each.wake) for each in others]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    steps = [rig.dispatcher.queue.get_nowait() for _ in range(rig.dispatcher.waiting())]  # type: ignore[attr-defined]
    assert len({step.run_id for step in steps}) == len(steps) == 30
    rig.close()


def test_news_between_makes_a_message_stale_and_it_is_handed_out_anew_if_still_due(tmp_path: Path) -> None:
    rig = ThreadRig(tmp_path, Remembered())
    (run,) = rig.due(1)
    rig.handing.wake()
    with rig.kiitos.store.work.transaction() as tx:
        found = runs.get(tx, run.shop_id, run.id)
        assert found is not None
        assert runs.save(tx, replace(found, wake_at=rig.kiitos.clock.now()))
    executing = Executing(rig.kiitos)
    stale = DueStep(run.shop_id, run.id, found.step, found.rev)
    assert not executing.carry_out(stale)
    assert not rig.done(run)
    rig.handing.wake()
    newest = rig.now(run)
    assert executing.carry_out(stale._replace(attempt=newest.rev))
    assert rig.done(run) == 1
    rig.close()
