"""The application a server runs: pages to Flask's threads, bodies bounded before a thread is spent on them.

Under `webhooks.wire.HookProtocol` deliveries never come here; under any other ASGI server they go through the Flask
view like a page, slower and by the same rules.
"""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable, MutableMapping
from typing import Any, cast

from a2wsgi import WSGIMiddleware
from flask import Flask

from webhooks.accept import TIMED_OUT, TOO_LARGE, Answer
from webhooks.connections import Connections
from webhooks.receiver import Receiver

Scope = MutableMapping[str, Any]
Message = MutableMapping[str, Any]
Receive = Callable[[], Awaitable[Message]]
Send = Callable[[Message], Awaitable[None]]


class ClientGone(Exception):
    """The client hung up before its body was complete: there is nobody to answer."""


class Front:
    """`await Front(app, receiver)(scope, receive, send)`: ASGI 3. The receiver lives as long as the lifespan.

    `threads` serve the Flask side. `connections` is what the protocol asks about deliveries.
    """

    def __init__(self, app: Flask, receiver: Receiver, *, threads: int = 10) -> None:
        self._receiver = receiver
        self._settings = receiver.settings
        self.connections = Connections(receiver.acceptor, receiver.settings)
        app.extensions["front"] = self
        # a2wsgi types its events more narrowly than ASGI servers do
        self._flask: Any = WSGIMiddleware(cast("Any", app), workers=threads)

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] == "http":
            await self._page(scope, receive, send)
        elif scope["type"] == "lifespan":
            await self._live(receive, send)

    async def _page(self, scope: Scope, receive: Receive, send: Send) -> None:
        """A page, on a thread of Flask's. The body is read here: ten slow ones would hold all threads."""
        try:
            async with asyncio.timeout(self._settings.body_timeout):
                body = await self._body(receive)
        except ClientGone:
            return
        except TimeoutError:
            await _send(send, TIMED_OUT)
            return
        if body is None:
            await _send(send, TOO_LARGE)
        else:
            await self._flask(scope, _whole(body, receive), send)

    async def _body(self, receive: Receive) -> bytes | None:
        """The whole body, however it is cut up; `None` when it is too large."""
        parts, size = [], 0
        while True:
            message = await receive()
            if message["type"] != "http.request":
                raise ClientGone
            part = message.get("body", b"")
            size += len(part)
            if size > self._settings.max_body:
                return None
            parts.append(part)
            if not message.get("more_body", False):
                return b"".join(parts)

    async def _live(self, receive: Receive, send: Send) -> None:
        await receive()
        # start() reads the database and close() commits what is queued; nobody is served then, so the loop may wait
        self._receiver.start(asyncio.get_running_loop(), lambda: self.connections.arrivals)
        await send({"type": "lifespan.startup.complete"})
        await receive()
        self._receiver.close()
        await send({"type": "lifespan.shutdown.complete"})


async def _send(send: Send, answer: Answer) -> None:
    headers = [(b"content-type", b"text/plain; charset=utf-8"), (b"content-length", b"%d" % len(answer.body))]
    headers += [(name.lower().encode(), value.encode()) for name, value in answer.headers]
    await send({"type": "http.response.start", "status": answer.status, "headers": headers})
    await send({"type": "http.response.body", "body": answer.body, "more_body": False})


def _whole(body: bytes, receive: Receive) -> Receive:
    """A body that is at hand, as an application asks for it."""
    handed = False

    async def wrapped() -> Message:
        nonlocal handed
        if handed:
            return await receive()
        handed = True
        return {"type": "http.request", "body": body, "more_body": False}

    return wrapped
