"""The application a server runs: pages to Flask's threads, bodies bounded before a thread is spent on them.

Under `webhooks.wire.HookProtocol` deliveries never come here; under any other ASGI server they go through the Flask
view like a page, slower and by the same rules.
"""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable, Mapping, MutableMapping
from typing import Any, cast

from a2wsgi import WSGIMiddleware
from flask import Flask

from webhooks.accept import TIMED_OUT, TOO_LARGE, UNAVAILABLE, Answer
from webhooks.connections import Connections
from webhooks.receiver import Receiver

Scope = MutableMapping[str, Any]
Message = MutableMapping[str, Any]
Receive = Callable[[], Awaitable[Message]]
Send = Callable[[Message], Awaitable[None]]


UPLOADS = 8
"""Bodies with files that are held at a time, 24 MB each at most; whoever comes beyond is asked to come again."""
UPLOAD_TIMEOUT = 120.0
"""Seconds: four pictures over a phone's slow network."""


class ClientGone(Exception):
    """The client hung up before its body was complete: there is nobody to answer."""


class Front:
    """`await Front(app, receiver)(scope, receive, send)`: ASGI 3. The receiver lives as long as the lifespan.

    `threads` serve the Flask side. `connections` is what the protocol asks about deliveries. `roomy` maps beginnings of
    paths where files are sent to the bytes they may have; only `UPLOADS` such bodies are held at a time.
    """

    def __init__(
        self, app: Flask, receiver: Receiver, *, threads: int = 10, roomy: Mapping[str, int] | None = None
    ) -> None:
        self._roomy = roomy or {}
        self._uploads = 0
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
        room = self._room(scope)
        if room is None:
            await self._serve(scope, receive, send, self._settings.max_body, self._settings.body_timeout)
        elif self._uploads >= UPLOADS:
            await _send(send, UNAVAILABLE)
        else:
            self._uploads += 1
            try:
                await self._serve(scope, receive, send, room, UPLOAD_TIMEOUT)
            finally:
                self._uploads -= 1

    def _room(self, scope: Scope) -> int | None:
        """How large the body may be where it is a form with files, and says that it is large."""
        room = next((size for path, size in self._roomy.items() if str(scope["path"]).startswith(path)), None)
        headers = dict(scope["headers"])
        told = headers.get(b"content-length", b"")
        large = told.isdigit() and int(told[:20]) > self._settings.max_body
        form = headers.get(b"content-type", b"").startswith(b"multipart/form-data")
        return room if scope["method"] == "POST" and form and large else None

    async def _serve(self, scope: Scope, receive: Receive, send: Send, most: int, patience: float) -> None:
        try:
            async with asyncio.timeout(patience):
                body = await self._body(receive, most)
        except ClientGone:
            return
        except TimeoutError:
            await _send(send, TIMED_OUT)
            return
        if body is None:
            await _send(send, TOO_LARGE)
        else:
            await self._flask(scope, _whole(body, receive), send)

    async def _body(self, receive: Receive, most: int) -> bytes | None:
        """The whole body, however it is cut up; `None` when it is too large."""
        parts, size = [], 0
        while True:
            message = await receive()
            if message["type"] != "http.request":
                raise ClientGone
            part = message.get("body", b"")
            size += len(part)
            if size > most:
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
