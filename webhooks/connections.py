"""What the connections of one server share: who decides, what they hold together, their time, and ready answers."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Iterable
from http import HTTPStatus
from typing import Protocol

from webhooks.accept import Acceptor, Answer
from webhooks.settings import ReceiverSettings

Headers = list[tuple[bytes, bytes]]


class Connection(Protocol):
    """What is asked of one connection."""

    def check_time(self, now: float) -> None:
        """End it if what it waits for took too long. `now` is its event loop's time, in seconds."""


class Connections:
    """Of one event loop, in whose thread everything here is called."""

    def __init__(self, acceptor: Acceptor, settings: ReceiverSettings) -> None:
        self.acceptor, self.settings = acceptor, settings
        self.held = 0
        """Bytes that unfinished bodies hold."""
        self.arrivals = 0
        """Connections made and pieces of data received, ever."""
        self._watched: set[Connection] = set()
        self._ticking = False
        self._dated: Headers = []
        self._written: dict[tuple[Answer, bool, bool], bytes] = {}

    def watch(self, connection: Connection, loop: asyncio.AbstractEventLoop) -> None:
        """See to its time until `leave`: each limit runs out at most a quarter of `body_timeout` late.

        One timer looks at all, set only while somebody is there: a timer a request would cost a tenth of the request.
        """
        self._watched.add(connection)
        self.arrivals += 1
        if not self._ticking:
            self._ticking = True
            self._tick_later(loop)

    def leave(self, connection: Connection) -> None:
        self._watched.discard(connection)

    def _tick_later(self, loop: asyncio.AbstractEventLoop) -> None:
        loop.call_later(self.settings.body_timeout / 4, self._tick, loop)

    def _tick(self, loop: asyncio.AbstractEventLoop) -> None:
        now = loop.time()
        for connection in list(self._watched):
            connection.check_time(now)
        self._ticking = bool(self._watched)
        if self._ticking:
            self._tick_later(loop)

    def waiter(self, settle: Callable[[bool], object], loop: asyncio.AbstractEventLoop) -> Callable[[bool], object]:
        """`settle` as the writer may call it: it has a thread of its own where it does not share the loop's."""
        if self.acceptor.shares_loop:
            return settle
        return lambda stored: loop.call_soon_threadsafe(settle, stored)

    def bytes_of(self, answer: Answer, dated: Headers, *, bare: bool, keep: bool) -> bytes:
        """An answer as it goes out. `dated` are the server's own headers, a new list each second; those of this second
        are kept. `bare` is without the body, as HEAD wants it; without `keep` the connection ends."""
        if dated is not self._dated:
            self._dated = dated
            self._written.clear()
        found = self._written.get((answer, bare, keep))
        if found is None:
            found = self._written[answer, bare, keep] = _written(answer, dated, bare=bare, keep=keep)
        return found


def _written(answer: Answer, dated: Headers, *, bare: bool, keep: bool) -> bytes:
    lines = [b"HTTP/1.1 %d %s" % (answer.status, HTTPStatus(answer.status).phrase.encode())]
    lines += [b"%s: %s" % pair for pair in dated]
    lines += [b"content-type: text/plain; charset=utf-8", b"content-length: %d" % len(answer.body)]
    lines += [f"{name.lower()}: {value}".encode() for name, value in answer.headers if name != "Connection"]
    if not keep:
        lines.append(b"connection: close")
    return b"\r\n".join([*lines, b"", b"" if bare else answer.body])


def header_lists(raw: Iterable[tuple[bytes, bytes]]) -> dict[str, list[str]]:
    """A head's pairs as `Inbound` wants them: names lower case, values in order, latin-1 so that no byte can fail."""
    headers: dict[str, list[str]] = {}
    for name, value in raw:
        key = name.decode("latin-1")
        if key in headers:
            headers[key].append(value.decode("latin-1"))
        else:
            headers[key] = [value.decode("latin-1")]
    return headers
