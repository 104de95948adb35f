"""Running a coroutine in whichever thread brings what it waits for, instead of waking an event loop each time.

granian takes a request in a thread of its own and hands it to the event loop; its body comes in the same way, and so
does the news of a commit: three wake-ups of a thread and six hand-overs of the interpreter's lock for each webhook
(docs/performance.md). `InlineLoop` takes the first step of a request at once, in granian's thread; the coroutine goes
on there when its body is in, and in the writer's thread when its row is durable.

Such a coroutine has no running event loop, may await only granian's futures and `Arrival`s, and must not block
granian's thread. `later()` suits both worlds: under another loop or server the same application runs as usual.
"""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable, Coroutine, Generator
from contextvars import Context
from types import CoroutineType, MethodType
from typing import Any, Protocol, TypeVarTuple

from connector.log import get_log

Ts = TypeVarTuple("Ts")
log = get_log("webhooks.inline")


class Awaited(Protocol):
    """What a coroutine yields while it waits: the half of `asyncio.Future` that is needed to go on."""

    def add_done_callback(self, callback: Callable[[Any], object], /, *, context: Any = None) -> object: ...

    def cancelled(self) -> bool: ...


class Arrival:
    """A yes or no that another thread will bring, once. Goes on in the thread that brings it."""

    __slots__ = ("_asyncio_future_blocking", "_callbacks", "_value")

    def __init__(self) -> None:
        self._asyncio_future_blocking = False
        self._callbacks: list[Callable[[Any], object]] = []
        self._value: bool | None = None

    def bring(self, value: bool) -> None:
        self._value = value
        self._call()

    def _call(self) -> None:
        # `bring` and `add_done_callback` may meet; pop, which is atomic, lets only one of them call.
        try:
            callback = self._callbacks.pop()
        except IndexError:
            return
        callback(self)

    def add_done_callback(self, callback: Callable[[Any], object], /, *, context: Any = None) -> None:
        del context
        self._callbacks.append(callback)
        if self._value is not None:
            self._call()

    def cancelled(self) -> bool:
        return False

    def result(self) -> bool:
        return bool(self._value)

    def __await__(self) -> Generator[Arrival, None, bool]:
        if self._value is None:
            self._asyncio_future_blocking = True
            yield self
        return bool(self._value)


def later() -> tuple[Awaitable[bool], Callable[[bool], None]]:
    """Something to await, and the function that brings it from any thread."""
    loop = asyncio._get_running_loop()
    if loop is None:
        arrival = Arrival()
        return arrival, arrival.bring
    future: asyncio.Future[bool] = loop.create_future()

    def bring(value: bool) -> None:
        try:
            loop.call_soon_threadsafe(_settle, future, value)
        except RuntimeError:  # the loop was closed while its clients waited; their rows are stored all the same
            log.warning("loop_closed")

    return future, bring


def _settle(future: asyncio.Future[bool], value: bool) -> None:
    if not future.done():  # the client has gone
        future.set_result(value)


class Steps:
    """A coroutine being taken step by step."""

    __slots__ = ("_coroutine",)

    def __init__(self, coroutine: Coroutine[Awaited, None, None]) -> None:
        self._coroutine = coroutine

    def go_on(self, done: Awaited | None = None) -> None:
        """Take the next step, here and now, and be called again when what it waits for is `done`."""
        try:
            if done is not None and done.cancelled():
                awaited = self._coroutine.throw(asyncio.CancelledError())
            else:
                awaited = self._coroutine.send(None)
        except StopIteration:
            return
        awaited.add_done_callback(self.go_on)


class InlineLoop(asyncio.SelectorEventLoop):
    """An event loop that takes the steps of granian's requests in the calling thread; all else is as in asyncio.

    granian's scheduler calls `call_soon_threadsafe(_run, coroutine, ..., context=...)` for a new request, its futures
    `call_soon[_threadsafe](callback, future, context=...)`. Should a later granian call otherwise, nothing is
    recognised here and its requests run on the loop: slower, and just as right.
    """

    def __init__(self) -> None:
        super().__init__()
        self._taken = asyncio.Handle(_nothing, (), self)

    def call_soon_threadsafe(
        self, callback: Callable[[*Ts], object], *args: *Ts, context: Context | None = None
    ) -> asyncio.Handle:
        if _is_step(callback):
            return self._now(callback, *args)
        if args and type(args[0]) is CoroutineType and getattr(callback, "__name__", "") == "_run":
            return self._now(Steps(args[0]).go_on)
        return super().call_soon_threadsafe(callback, *args, context=context)

    def call_soon(
        self, callback: Callable[[*Ts], object], *args: *Ts, context: Context | None = None
    ) -> asyncio.Handle:
        if _is_step(callback):
            return self._now(callback, *args)
        return super().call_soon(callback, *args, context=context)

    def _now(self, step: Callable[[*Ts], object], *args: *Ts) -> asyncio.Handle:
        """granian ignores what is raised here and would go on with the exception set, which corrupts the interpreter.

        What is returned is there for the interface's sake: a step that was taken cannot be cancelled.
        """
        try:
            step(*args)
        except Exception as error:
            log.exception("step_raised", error)
        return self._taken


def _nothing() -> None:
    """What is left to do of a step that was taken."""


def _is_step(callback: object) -> bool:
    return type(callback) is MethodType and callback.__func__ is Steps.go_on
