"""Coroutines that go on in whichever thread brings what they wait for."""

from __future__ import annotations

import asyncio
import threading
from collections.abc import Awaitable, Callable, Iterator
from types import SimpleNamespace
from typing import Any

import pytest

from webhooks.inline import Arrival, InlineLoop, Steps, later


class Scheduler:
    """Calls a loop as granian's does: the first argument has this name, the second is the request's coroutine."""

    def _run(self, coroutine: Any) -> None:
        self.given = coroutine
        coroutine.close()


@pytest.fixture
def loop() -> Iterator[InlineLoop]:
    made = InlineLoop()
    yield made
    made.close()


def request(seen: list[object], awaited: Awaitable[bool]) -> Any:
    async def coroutine() -> None:
        seen.append(threading.get_ident())
        seen.append(await awaited)
        seen.append(threading.get_ident())

    return coroutine()


def in_a_thread(work: Callable[[], object]) -> int | None:
    thread = threading.Thread(target=work)
    thread.start()
    thread.join(5)
    return thread.ident


@pytest.mark.parametrize("value", [True, False])
def test_a_request_begins_and_goes_on_where_it_is_called(loop: InlineLoop, value: bool) -> None:
    seen: list[object] = []
    arrival = Arrival()
    begun = in_a_thread(lambda: loop.call_soon_threadsafe(Scheduler()._run, request(seen, arrival)))
    assert seen == [begun]
    gone_on = in_a_thread(lambda: arrival.bring(value))
    assert seen == [begun, value, gone_on]


def test_what_has_arrived_before_is_not_waited_for() -> None:
    seen: list[object] = []
    arrival = Arrival()
    arrival.bring(True)
    Steps(request(seen, arrival)).go_on()
    assert seen[1] is True


def test_a_step_is_taken_once_however_the_two_threads_meet() -> None:
    for _ in range(300):
        seen: list[object] = []
        arrival = Arrival()
        thread = threading.Thread(target=arrival.bring, args=(True,))
        thread.start()
        Steps(request(seen, arrival)).go_on()
        thread.join(5)
        assert len(seen) == 3


def test_granians_futures_go_on_through_the_loop_and_can_be_cancelled(loop: InlineLoop) -> None:
    """They call `call_soon` and `call_soon_threadsafe` with the callback and themselves."""

    class Message:
        """What granian's `receive()` gives."""

        callback: Any = None
        over = False

        def add_done_callback(self, callback: Any, *, context: Any = None) -> None:
            self.callback = callback

        def cancelled(self) -> bool:
            return self.over

        def __await__(self) -> Any:
            yield self
            return "body"

    async def coroutine(message: Message) -> None:
        try:
            seen.append(await message)  # type: ignore[misc]
        except asyncio.CancelledError:
            seen.append("cancelled")

    seen: list[object] = []
    whole, slow = Message(), Message()
    for message in (whole, slow):
        Steps(coroutine(message)).go_on()
    loop.call_soon_threadsafe(whole.callback, whole)
    slow.over = True
    loop.call_soon(slow.callback, slow)
    assert seen == ["body", "cancelled"]


def test_everything_else_runs_on_the_loop(loop: InlineLoop) -> None:
    seen: list[int] = []

    async def coroutine() -> int:
        return threading.get_ident()

    async def scene() -> None:
        future = asyncio.run_coroutine_threadsafe(coroutine(), loop)
        seen.append(await asyncio.wrap_future(future))
        await asyncio.get_running_loop().run_in_executor(
            None, lambda: loop.call_soon_threadsafe(lambda: seen.append(threading.get_ident()))
        )
        await asyncio.sleep(0)

    loop.run_until_complete(scene())
    assert seen == [threading.get_ident()] * 2


def test_a_call_that_only_looks_like_granians_is_left_to_the_loop(loop: InlineLoop) -> None:
    """Should another version name its function otherwise, requests run on the loop as with any other server."""
    scheduler = Scheduler()
    renamed = SimpleNamespace(start=lambda coroutine: scheduler._run(coroutine))
    made = request([], Arrival())
    loop.call_soon_threadsafe(renamed.start, made)
    loop.run_until_complete(asyncio.sleep(0))
    assert scheduler.given is made


def test_an_exception_never_reaches_the_caller(loop: InlineLoop, caplog: pytest.LogCaptureFixture) -> None:
    async def coroutine() -> None:
        raise ValueError("unforeseen")

    loop.call_soon_threadsafe(Scheduler()._run, coroutine())
    assert "step_raised" in caplog.text


def test_later_on_a_running_loop_is_a_future_of_that_loop() -> None:
    async def scene() -> bool:
        stays, bring = later()
        leaves, never = later()
        assert isinstance(leaves, asyncio.Future)
        leaves.cancel()
        in_a_thread(lambda: (bring(True), never(True)))
        return await asyncio.wait_for(stays, 5)

    assert asyncio.run(scene()) is True


def test_news_for_a_loop_that_was_closed_is_dropped(caplog: pytest.LogCaptureFixture) -> None:
    async def scene() -> Callable[[bool], None]:
        return later()[1]

    asyncio.run(scene())(True)
    assert "loop_closed" in caplog.text
