"""The fast road: an ASGI application that answers `/hooks/` itself and hands everything else to Flask.

Deliveries never touch WSGI, so a half-sent body costs a coroutine and no thread, and a burst costs a third of what it
costs through a Flask route (facts/performance.md §1a). The rules are those of `webhooks.accept`; a test asks both roads
the same questions.
"""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable, Iterable, MutableMapping
from functools import lru_cache
from typing import Any, cast

from a2wsgi import WSGIMiddleware
from flask import Flask

from webhooks.accept import TIMED_OUT, TOO_LARGE, UNAVAILABLE, Acceptor, Answer
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
        self._open_bytes = 0

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        kind = scope["type"]
        if kind == "http" and scope["path"].startswith(PREFIX):
            await self._hook(scope, receive, send)
        elif kind == "lifespan":
            await self._live(receive, send)
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
            body = await self._body(receive)
        except ClientGone:
            return
        if isinstance(body, Answer):
            answer = body
        else:
            answer = await acceptor.run_soon(acceptor.settle(entry, headers, body))
        await _send(send, acceptor.count(entry, answer))

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

    async def _body(self, receive: Receive) -> bytes | Answer:
        """The whole body, or why not. One limit for its size and one for its time, however it is cut up."""
        ticket = self._patience.begin()
        try:
            message = await receive()
            if message["type"] != "http.request":
                raise ClientGone
            body: bytes = message.get("body", b"")
            if message.get("more_body", False):
                return await self._rest(receive, body)
            return body
        except asyncio.CancelledError:
            if self._patience.ran_out(ticket):
                return TIMED_OUT
            raise
        finally:
            self._patience.end(ticket)

    async def _rest(self, receive: Receive, first: bytes) -> bytes | Answer:
        """The parts of a body that comes in several. What unfinished requests may hold together is bounded, but small
        bodies always pass: fifty slow big ones must not shut the others out."""
        parts, size = [first], len(first)
        self._open_bytes += size
        try:
            while True:
                message = await receive()
                if message["type"] != "http.request":
                    raise ClientGone
                part = message.get("body", b"")
                size += len(part)
                self._open_bytes += len(part)
                if size > self._settings.max_body:
                    return TOO_LARGE
                if size > SMALL_BODY and self._open_bytes > self._settings.open_bytes:
                    return UNAVAILABLE
                parts.append(part)
                if not message.get("more_body", False):
                    return b"".join(parts)
        finally:
            self._open_bytes -= size

    async def _live(self, receive: Receive, send: Send) -> None:
        await receive()
        # start() reads the database; nobody is served yet, so the loop may wait for it
        self._receiver.start()
        await send({"type": "lifespan.startup.complete"})
        await receive()
        await asyncio.get_running_loop().run_in_executor(None, self._receiver.close)
        await send({"type": "lifespan.shutdown.complete"})


class Patience:
    """One time limit, in seconds, for many tasks of one event loop: cancels a task at most a quarter of it late.

    `asyncio.timeout` costs 8 µs a request, a twelfth of all; this costs a dictionary entry. All limits are equal, so
    the tasks stand in the order in which they run out, and one timer, set only while somebody waits, sees to all.
    """

    def __init__(self, limit: float) -> None:
        self._limit = limit
        self._began: dict[asyncio.Task[Any], float] = {}
        self._over: set[asyncio.Task[Any]] = set()
        self._ticking = False

    def begin(self) -> asyncio.Task[Any]:
        """Start the time of the running task; the ticket is for `ran_out` and `end`."""
        task = asyncio.current_task()
        if task is None:
            raise RuntimeError("Patience needs a running task")
        loop = asyncio.get_running_loop()
        self._began[task] = loop.time()
        if not self._ticking:
            self._ticking = True
            loop.call_later(self._limit / 4, self._tick, loop)
        return task

    def ran_out(self, ticket: asyncio.Task[Any]) -> bool:
        """Whether the cancellation just caught was ours; if so it is taken back."""
        if ticket not in self._over:
            return False
        self._over.discard(ticket)
        return ticket.uncancel() == 0

    def end(self, ticket: asyncio.Task[Any]) -> None:
        self._began.pop(ticket, None)
        self._over.discard(ticket)

    def _tick(self, loop: asyncio.AbstractEventLoop) -> None:
        latest = loop.time() - self._limit
        while self._began:
            task, began = next(iter(self._began.items()))
            if began > latest:
                break
            del self._began[task]
            self._over.add(task)
            task.cancel()
        self._ticking = bool(self._began)
        if self._ticking:
            loop.call_later(self._limit / 4, self._tick, loop)


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
