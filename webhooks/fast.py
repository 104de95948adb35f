"""The fast road: an ASGI application that answers `/hooks/` itself and hands everything else to Flask.

Deliveries never touch WSGI, so a half-sent body costs a coroutine and no thread, and a burst costs a third of what it
costs through a Flask route (facts/performance.md §1a). The rules are those of `webhooks.accept`; a test asks both roads
the same questions.
"""

from __future__ import annotations

import asyncio
import threading
from collections.abc import Awaitable, Callable, Iterable, MutableMapping
from functools import lru_cache
from typing import Any, cast

from a2wsgi import WSGIMiddleware
from flask import Flask

from webhooks.accept import TIMED_OUT, TOO_LARGE, UNAVAILABLE, Acceptor, Answer
from webhooks.inline import later
from webhooks.receiver import PREFIX, Receiver

Scope = MutableMapping[str, Any]
Message = MutableMapping[str, Any]
Receive = Callable[[], Awaitable[Message]]
Send = Callable[[Message], Awaitable[None]]

SMALL_BODY = 64 * 1024


class ClientGone(Exception):
    """The client hung up before its body was complete: there is nobody to answer."""


class FastPath:
    """`await FastPath(app, receiver)(scope, receive, send)`: ASGI 3. The receiver lives as long as the lifespan."""

    def __init__(self, app: Flask, receiver: Receiver, *, threads: int = 10) -> None:
        self._receiver = receiver
        self._acceptor: Acceptor = receiver.acceptor
        self._settings = receiver.settings
        # a2wsgi types its events more narrowly than ASGI servers do
        self._flask: Any = WSGIMiddleware(cast("Any", app), workers=threads)
        self._patience = Patience(self._settings.body_timeout)
        self._loop: asyncio.AbstractEventLoop | None = None
        self._open = OpenBytes()

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        kind = scope["type"]
        if kind == "http" and scope["path"].startswith(PREFIX):
            await self._hook(scope, receive, send)
        elif kind == "lifespan":
            await self._live(receive, send)
        elif self._loop is not None and asyncio._get_running_loop() is None:
            await self._page_on_loop(self._loop, scope, receive, send)
        else:
            await self._page(scope, receive, send)

    async def _hook(self, scope: Scope, receive: Receive, send: Send) -> None:
        acceptor = self._acceptor
        headers = header_lists(scope["headers"])
        entry = await acceptor.run_soon(acceptor.admit(scope["method"], scope["path"], headers))
        if isinstance(entry, Answer):
            await _send(send, acceptor.count(None, entry))
            return
        try:
            body = await self._body(receive, _length(headers))
        except ClientGone:
            return
        if isinstance(body, Answer):
            answer = body
        else:
            query = scope.get("query_string", b"").decode("latin-1")
            found = await acceptor.run_soon(acceptor.judge(entry, headers, body, query, scope["method"]))
            # Freed here, where they were made and are at hand: the writer's thread runs on another core.
            del headers
            scope["headers"] = ()
            answer = found if isinstance(found, Answer) else await acceptor.store_soon(found)
        await _send(send, acceptor.count(entry, answer))

    async def _page_on_loop(self, loop: asyncio.AbstractEventLoop, scope: Scope, receive: Receive, send: Send) -> None:
        """a2wsgi needs a running loop; this coroutine has none (webhooks.inline)."""
        page = asyncio.run_coroutine_threadsafe(self._page(scope, receive, send), loop)
        done, bring = later()
        page.add_done_callback(lambda _: bring(True))
        await done
        page.result()

    async def _page(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Everything else, on a thread of Flask's. The body is read here: ten slow ones would hold all threads."""
        try:
            body = await self._body(receive)
        except ClientGone:
            return
        if isinstance(body, Answer):
            await _send(send, body)
        else:
            await self._flask(scope, _whole(body, receive), send)

    async def _body(self, receive: Receive, length: int = -1) -> bytes | Answer:
        """The whole body, or why not. One limit for its size and one for its time, however it is cut up.

        Servers say that a body has ended in a message of its own, even when `length`, the declared one, is reached:
        that message is not waited for.
        """
        ticket = self._patience.begin()
        try:
            message = await ticket.watch(receive())
            if message["type"] != "http.request":
                raise ClientGone
            body: bytes = message.get("body", b"")
            if len(body) != length and message.get("more_body", False):
                return await self._rest(receive, body, length, ticket)
            return body
        except asyncio.CancelledError:
            if ticket.ran_out():
                return TIMED_OUT
            raise
        finally:
            self._patience.end(ticket)

    async def _rest(self, receive: Receive, first: bytes, length: int, ticket: Ticket) -> bytes | Answer:
        """The parts of a body that comes in several. What unfinished requests may hold together is bounded, but small
        bodies always pass: fifty slow big ones must not shut the others out."""
        parts, size = [first], len(first)
        held = self._open.add(size)
        try:
            while True:
                message = await ticket.watch(receive())
                if message["type"] != "http.request":
                    raise ClientGone
                part = message.get("body", b"")
                size += len(part)
                held = self._open.add(len(part))
                if size > self._settings.max_body:
                    return TOO_LARGE
                if size > SMALL_BODY and held > self._settings.open_bytes:
                    return UNAVAILABLE
                parts.append(part)
                if size == length or not message.get("more_body", False):
                    return b"".join(parts)
        finally:
            self._open.add(-size)

    async def _live(self, receive: Receive, send: Send) -> None:
        await receive()
        # start() reads the database; nobody is served yet, so the loop may wait for it
        self._receiver.start()
        self._loop = self._patience.loop = asyncio.get_running_loop()
        await send({"type": "lifespan.startup.complete"})
        await receive()
        await asyncio.get_running_loop().run_in_executor(None, self._receiver.close)
        await send({"type": "lifespan.shutdown.complete"})


class OpenBytes:
    """How much unfinished bodies hold. Hooks count in granian's thread and pages on the loop, hence the lock."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._held = 0

    def add(self, size: int) -> int:
        """The sum with `size` (which may be negative) added."""
        with self._lock:
            self._held += size
            return self._held


class Ticket:
    """One body's time. What is cancelled is the awaited message where the server lets it be, else the task."""

    __slots__ = ("_cancel", "_over", "_task", "began")

    def __init__(self, began: float) -> None:
        self.began = began
        self._over = False
        self._task: asyncio.Task[Any] | None = None
        self._cancel: Callable[[], object] | None = None

    def watch(self, message: Awaitable[Message]) -> Awaitable[Message]:
        self._cancel = getattr(message, "cancel", None)
        if self._cancel is None:
            self._task = self._task or asyncio.current_task()
            self._cancel = self._task.cancel if self._task else None
        elif self._over:  # time ran out between two messages, when there was nothing to cancel
            self._cancel()
        return message

    def run_out(self) -> None:
        self._over = True
        if self._cancel is not None:
            self._cancel()

    def ran_out(self) -> bool:
        """Whether the cancellation just caught was ours; if so it is taken back."""
        return self._over and (self._task is None or self._task.uncancel() == 0)


class Patience:
    """One time limit, in seconds, for many bodies: each runs out at most a quarter of it late.

    `asyncio.timeout` costs 8 µs a request, a twelfth of all, and needs a task; this costs a dictionary entry. All
    limits are equal, so the tickets stand in the order in which they run out, and one timer, set only while somebody
    waits, sees to all.
    """

    def __init__(self, limit: float) -> None:
        self._limit = limit
        self._waiting: dict[Ticket, None] = {}
        self._ticking = False
        self.loop: asyncio.AbstractEventLoop | None = None

    def begin(self) -> Ticket:
        """Start the time of a body; the ticket is for `end`."""
        loop = asyncio._get_running_loop() or self.loop
        if loop is None:
            raise RuntimeError("no event loop to keep the time: the server has not begun the lifespan")
        ticket = Ticket(loop.time())
        self._waiting[ticket] = None
        if not self._ticking:
            self._ticking = True
            loop.call_soon_threadsafe(self._later, loop)
        return ticket

    def end(self, ticket: Ticket) -> None:
        self._waiting.pop(ticket, None)

    def _later(self, loop: asyncio.AbstractEventLoop) -> None:
        loop.call_later(self._limit / 4, self._tick, loop)

    def _tick(self, loop: asyncio.AbstractEventLoop) -> None:
        latest = loop.time() - self._limit
        for ticket in list(self._waiting):  # a copy: other threads begin and end meanwhile
            if ticket.began > latest:
                break
            self.end(ticket)
            ticket.run_out()
        self._ticking = bool(self._waiting)
        if self._ticking:
            self._later(loop)


def _length(headers: dict[str, list[str]]) -> int:
    """The declared length of a body; -1 when there is none, or none to rely on."""
    values = headers.get("content-length", ())
    return int(values[0]) if len(values) == 1 and values[0].isascii() and values[0].isdigit() else -1


def header_lists(raw: Iterable[tuple[bytes, bytes]]) -> dict[str, list[str]]:
    """ASGI's pairs as `Inbound` wants them: names lower case, values in order, latin-1 so that no byte can fail."""
    headers: dict[str, list[str]] = {}
    for name, value in raw:
        key = name.decode("latin-1")
        if key in headers:
            headers[key].append(value.decode("latin-1"))
        else:
            headers[key] = [value.decode("latin-1")]
    return headers


@lru_cache(maxsize=64)
def _messages(answer: Answer) -> tuple[Message, Message]:
    headers = [(b"content-type", b"text/plain; charset=utf-8"), (b"content-length", b"%d" % len(answer.body))]
    headers += [(name.lower().encode(), value.encode()) for name, value in answer.headers]
    return (
        {"type": "http.response.start", "status": answer.status, "headers": headers},
        {"type": "http.response.body", "body": answer.body, "more_body": False},
    )


async def _send(send: Send, answer: Answer) -> None:
    for message in _messages(answer):
        await send(message)


def _whole(body: bytes, receive: Receive) -> Receive:
    """A body that is at hand as a2wsgi asks for it: from a coroutine, which granian's own `receive` is not."""
    handed = False

    async def wrapped() -> Any:
        nonlocal handed
        if handed:
            return await receive()
        handed = True
        return {"type": "http.request", "body": body, "more_body": False}

    return wrapped
