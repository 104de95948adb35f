"""The fast road: uvicorn's HTTP protocol, with deliveries answered in it and everything else left to the application.

A delivery is read, verified, queued and answered in callbacks of the event loop's thread, without a task and without
another thread: the commit, shared by all that came in one turn of the loop, happens there too (`webhooks.writer`;
docs/adr/0008). The rules are those of `webhooks.accept`; a test asks this road and Flask's the same questions.

What a client may do slowly is bounded: its head and its body have `body_timeout` each, however they are cut up, and a
connection may be idle for `IDLE`. Deliveries are answered one by one: a client that sends the next request before it
has its answer gets that answer, and then the connection ends (RFC 9112 §9.3.2 lets a server do so).
"""

from __future__ import annotations

import asyncio
from enum import Enum, auto
from typing import TYPE_CHECKING, Any, cast
from urllib.parse import unquote

from uvicorn.config import Config
from uvicorn.protocols.http.httptools_impl import HttpToolsProtocol, RequestResponseCycle
from uvicorn.server import ServerState

from webhooks.accept import HEAD_TOO_LARGE, STORED, TIMED_OUT, TOO_LARGE, UNAVAILABLE, Answer
from webhooks.connections import header_lists
from webhooks.receiver import PREFIX
from webhooks.settings import KIB, MIB

if TYPE_CHECKING:
    from webhooks.directory import Entry
    from webhooks.front import Front

HEAD_LIMIT = 64 * KIB
SMALL_BODY = 64 * KIB
UNREAD_LIMIT = 32 * MIB
"""What is still taken from a client after its body was refused: one that is sending reads no answer, and closing on it
would lose the answer too."""
IDLE = 75.0
"""Seconds; longer than proxies keep their side open, so that none sends into a connection that is just closing."""
_HOOKS = PREFIX.encode()


class Phase(Enum):
    """What a connection is busy with."""

    IDLE = auto()
    HEAD = auto()
    BODY = auto()
    ANSWER = auto()
    UNREAD = auto()
    PAGE = auto()


class HookProtocol(HttpToolsProtocol):
    """One connection. `config.app` is the `webhooks.front.Front` of this process."""

    def __init__(
        self,
        config: Config,
        server_state: ServerState,
        app_state: dict[str, Any],
        _loop: asyncio.AbstractEventLoop | None = None,
    ) -> None:
        super().__init__(config, server_state, app_state, _loop)
        self._all = cast("Front", config.app).connections
        self._acceptor, self._settings = self._all.acceptor, self._all.settings
        self._phase, self._since = Phase.IDLE, self.loop.time()
        self._head_size = self._size = self._held = 0
        self._parts: list[bytes] = []
        self._named: dict[str, list[str]] = {}
        self._method = self._path = self._query = ""
        self._entry: Entry | None = None
        self._keep, self._deaf = True, False
        self._behind_page = b""

    # -- the connection ---------------------------------------------------------------------------------------------

    def connection_made(self, transport: asyncio.Transport) -> None:  # type: ignore[override]
        super().connection_made(transport)
        self._all.watch(self, self.loop)

    def connection_lost(self, exc: Exception | None) -> None:
        super().connection_lost(exc)
        self._let_go()
        self._all.leave(self)

    def shutdown(self) -> None:
        """The server is stopping: end when what was begun is answered."""
        if self._phase in (Phase.BODY, Phase.ANSWER):
            self._keep = False
        else:
            super().shutdown()

    def data_received(self, data: bytes) -> None:
        if self._deaf:
            return
        if self._phase is Phase.IDLE:
            self._enter(Phase.HEAD)
        self._all.arrivals += 1
        super().data_received(data)
        if self._phase is Phase.HEAD:
            self._head_size += len(data)
            if self._head_size > HEAD_LIMIT:
                self._end_with(HEAD_TOO_LARGE)
        elif self._phase is Phase.BODY:
            self._hold()

    def check_time(self, now: float) -> None:
        """See `Connection`."""
        waited, patience = now - self._since, self._settings.body_timeout
        if self._phase in (Phase.HEAD, Phase.BODY) and waited > patience:
            self._end_with(TIMED_OUT)
        elif (self._phase is Phase.UNREAD and waited > patience) or (self._phase is Phase.IDLE and waited > IDLE):
            self.transport.close()

    # -- what the parser finds --------------------------------------------------------------------------------------

    def on_message_begin(self) -> None:
        if self._phase is Phase.ANSWER:
            self._deaf, self._keep = True, False
        elif self._phase is not Phase.HEAD:
            # The last one ended within these bytes; or its page has been read, and is not quite done with here.
            self._enter(Phase.HEAD)
        self.url = b""
        self.expect_100_continue = False
        self.headers = []

    def on_header(self, name: bytes, value: bytes) -> None:
        if self._phase is Phase.HEAD:  # else a trailer: nothing that comes after the body is believed
            super().on_header(name, value)

    def on_headers_complete(self) -> None:
        if self._deaf:
            return
        if self.url.startswith(_HOOKS):
            self._begin()
            return
        url, headers, expecting = self.url, self.headers, self.expect_100_continue
        super().on_message_begin()
        self.url, self.expect_100_continue = url, expecting
        self.headers.extend(headers)
        self._enter(Phase.PAGE)
        super().on_headers_complete()

    def on_body(self, body: bytes) -> None:
        if self._phase is Phase.BODY:
            self._size += len(body)
            if self._size > self._settings.max_body:
                self._answer(TOO_LARGE)
            else:
                self._parts.append(body)
        elif self._phase is Phase.PAGE:
            super().on_body(body)
        elif self._phase is Phase.UNREAD:
            self._size += len(body)
            if self._size > UNREAD_LIMIT:
                self.transport.close()

    def on_message_complete(self) -> None:
        if self._phase is Phase.BODY:
            self._decide()
        elif self._phase is Phase.PAGE:
            super().on_message_complete()
        elif self._phase is Phase.UNREAD:
            self._enter(Phase.IDLE)

    def on_response_complete(self) -> None:
        """Of a page. Where the next one has begun already, the phase is the next one's."""
        if self._phase is Phase.PAGE and not self.pipeline:
            self._enter(Phase.IDLE)
        super().on_response_complete()
        if self._behind_page and self._page_is_out():
            behind, self._behind_page = self._behind_page, b""
            self._write(behind)

    def timeout_keep_alive_handler(self) -> None:
        if self._phase is Phase.IDLE:
            super().timeout_keep_alive_handler()

    # -- a delivery -------------------------------------------------------------------------------------------------

    def _begin(self) -> None:
        path, _, query = self.url.partition(b"?")
        self._path, self._query = path.decode("latin-1"), query.decode("latin-1")
        if "%" in self._path:
            self._path = unquote(self._path)
        self._method = self.parser.get_method().decode("ascii")
        self._keep = self.parser.should_keep_alive()
        self._named, self.headers = header_lists(self.headers), []
        self._size = 0
        self._enter(Phase.BODY)
        found = self._acceptor.at_once(self._acceptor.admit(self._method, self._path, self._named))
        if isinstance(found, Answer):
            # Who waits for a word may send no body after this one: what came next could be taken for it.
            self._keep = self._keep and not self.expect_100_continue
            self._answer(found)
            return
        self._entry = found
        if self.expect_100_continue:
            self.transport.write(b"HTTP/1.1 100 Continue\r\n\r\n")

    def _decide(self) -> None:
        self._enter(Phase.ANSWER)
        body = self._parts[0] if len(self._parts) == 1 else b"".join(self._parts)
        named, self._named = self._named, {}
        self._let_go()
        acceptor, found = self._acceptor, None
        if self._entry is not None:
            found = acceptor.at_once(acceptor.judge(self._entry, named, body, self._query, self._method))
        if found is None:
            task = self.loop.create_task(self._decide_later(named, body))
            task.add_done_callback(self.tasks.discard)
            self.tasks.add(task)
        elif isinstance(found, Answer):
            self._answer(found)
        elif not acceptor.submit(found, self._all.waiter(self._settle, self.loop)):
            self._answer(UNAVAILABLE)

    async def _decide_later(self, named: dict[str, list[str]], body: bytes) -> None:
        """As above, where the directory has to be read again first."""
        acceptor = self._acceptor
        entry = await acceptor.run_soon(acceptor.admit(self._method, self._path, named))
        if isinstance(entry, Answer):
            self._answer(entry)
            return
        self._entry = entry
        found = await acceptor.run_soon(acceptor.judge(entry, named, body, self._query, self._method))
        if isinstance(found, Answer):
            self._answer(found)
        elif not acceptor.submit(found, self._all.waiter(self._settle, self.loop)):
            self._answer(UNAVAILABLE)

    def _settle(self, stored: bool) -> None:
        """The delivery is durable, or could not be made so."""
        self._answer(STORED if stored else UNAVAILABLE)

    # -- answers ----------------------------------------------------------------------------------------------------

    def _answer(self, answer: Answer) -> None:
        self._acceptor.count(self._entry, answer)
        self._entry = None
        self._let_go()
        if self.transport.is_closing():
            return
        dated, bare = self.server_state.default_headers, self._method == "HEAD"
        said = self._all.bytes_of(answer, dated, bare=bare, keep=self._keep)
        self._enter(Phase.IDLE if self._phase is Phase.ANSWER else Phase.UNREAD)
        if self._page_is_out():
            self._write(said)
        else:
            self._behind_page = said

    def _page_is_out(self) -> bool:
        """Whether the last page of this connection, if there was one, has been written."""
        cycle: RequestResponseCycle | None = self.cycle
        return cycle is None or cycle.response_complete

    def _write(self, said: bytes) -> None:
        self.transport.write(said)
        if not self._keep:
            self.transport.close()

    def _end_with(self, answer: Answer) -> None:
        self._deaf, self._keep = True, False
        self._answer(answer)

    def _enter(self, phase: Phase) -> None:
        self._phase, self._since, self._head_size = phase, self.loop.time(), 0

    # -- what unfinished bodies hold ----------------------------------------------------------------------------------

    def _hold(self) -> None:
        """Together it is bounded, but small bodies always pass: fifty slow big ones must not shut the others out."""
        self._all.held += self._size - self._held
        self._held = self._size
        if self._size > SMALL_BODY and self._all.held > self._settings.open_bytes:
            self._answer(UNAVAILABLE)

    def _let_go(self) -> None:
        self._all.held -= self._held
        self._held, self._parts = 0, []
