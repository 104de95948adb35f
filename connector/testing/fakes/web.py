"""The smallest HTTP the fakes need: a server on loopback with one answering function, and a sender of exact requests.

Standard library only, so that the demo runs from the wheel. Header names and order are kept as the real
platforms send them; a body is sent byte for byte, because it is signed.
"""

from __future__ import annotations

import http.client
import json
import socket
import ssl
import threading
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any
from urllib.parse import parse_qsl, urlsplit

Pairs = Sequence[tuple[str, str]]


@dataclass(frozen=True, slots=True)
class Request:
    """A request as it came. `headers` are lower-cased; `query` keeps repeated names in order."""

    method: str
    path: str
    query: tuple[tuple[str, str], ...]
    headers: Mapping[str, str]
    body: bytes

    def last(self, name: str) -> str | None:
        """The value of a query parameter; the last one wins, as in PHP."""
        return next((value for key, value in reversed(self.query) if key == name), None)


@dataclass(frozen=True, slots=True)
class Response:
    """An answer. `drop` closes the connection without sending it: the request was carried out, nobody hears of it."""

    status: int
    body: bytes = b""
    content_type: str = "application/json; charset=utf-8"
    headers: Pairs = field(default_factory=tuple)
    drop: bool = False


@dataclass(frozen=True, slots=True)
class Trouble:
    """What goes wrong with one request. `status` answers instead of working; `drop` works and never answers."""

    status: int = 0
    retry_after: str | None = None
    drop: bool = False


@dataclass(frozen=True, slots=True)
class Call:
    """A request that came in, for counting: never its body, its query or its token."""

    method: str
    path: str
    status: int
    at: datetime
    operation: str = ""


def as_json(status: int, value: Any, headers: Pairs = ()) -> Response:
    """An answer of compact UTF-8 JSON."""
    return Response(status, json.dumps(value, ensure_ascii=False, separators=(",", ":")).encode(), headers=headers)


class _Server(ThreadingHTTPServer):
    daemon_threads = True
    allow_reuse_address = True
    request_queue_size = 64

    def __init__(self, answer: Callable[[Request], Response], port: int) -> None:
        super().__init__(("127.0.0.1", port), _Handler)
        self.answer = answer
        self._open: set[socket.socket] = set()
        self._guard = threading.Lock()

    def process_request(self, request: Any, client_address: Any) -> None:
        with self._guard:
            self._open.add(request)
        super().process_request(request, client_address)

    def shutdown_request(self, request: Any) -> None:
        with self._guard:
            self._open.discard(request)
        super().shutdown_request(request)

    def hang_up(self) -> None:
        """End idle keep-alive connections: their threads would otherwise wait for ever."""
        with self._guard:
            waiting = list(self._open)
        for connection in waiting:
            try:
                connection.shutdown(socket.SHUT_RDWR)
            except OSError:
                continue

    def handle_error(self, request: Any, client_address: Any) -> None:
        """A client that went away is no fault of the fake; anything else was answered 500 already."""


class _Handler(BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"
    # Without this the headers and the body of an answer are two packets, and the second waits for a delayed ACK.
    disable_nagle_algorithm = True
    server: _Server

    def _serve(self) -> None:
        length = int(self.headers.get("Content-Length") or 0)
        parts = urlsplit(self.path)
        request = Request(
            method=self.command,
            path=parts.path,
            query=tuple(parse_qsl(parts.query, keep_blank_values=True)),
            headers={name.lower(): value for name, value in self.headers.items()},
            body=self.rfile.read(length),
        )
        response = self.server.answer(request)
        if response.drop:
            self.close_connection = True
            return
        self.send_response(response.status)
        self.send_header("Content-Type", response.content_type)
        for name, value in response.headers:
            self.send_header(name, value)
        self.send_header("Content-Length", str(len(response.body)))
        self.end_headers()
        if self.command != "HEAD":
            self.wfile.write(response.body)

    do_GET = do_POST = do_PUT = do_PATCH = do_DELETE = do_HEAD = do_OPTIONS = _serve  # noqa: N815

    def log_message(self, format: str, *args: Any) -> None:  # noqa: A002
        """Quiet: the request line may carry keys."""


class LoopbackServer:
    """An HTTP server on 127.0.0.1 in threads of its own. Use as a context manager, or `start` and `stop`."""

    def __init__(self, answer: Callable[[Request], Response], port: int = 0) -> None:
        self._answer = answer
        self._wanted = port
        self._server: _Server | None = None
        self._thread: threading.Thread | None = None

    def start(self) -> None:
        """Begin to listen. Raises `OSError` when the port is taken."""
        self._server = _Server(self._answer, self._wanted)
        self._thread = threading.Thread(
            target=self._server.serve_forever, kwargs={"poll_interval": 0.02}, name="fake-http", daemon=True
        )
        self._thread.start()

    def stop(self) -> None:
        """Stop listening and end every connection. Stopping twice is harmless."""
        if self._server is None or self._thread is None:
            return
        self._server.shutdown()
        self._server.hang_up()
        self._server.server_close()
        self._thread.join()
        self._server = self._thread = None

    def __enter__(self) -> LoopbackServer:
        self.start()
        return self

    def __exit__(self, *exc: object) -> None:
        self.stop()

    @property
    def port(self) -> int:
        if self._server is None:
            raise RuntimeError("the fake is not running: call start() or use it in a with statement")
        return int(self._server.server_address[1])

    @property
    def url(self) -> str:
        """`http://127.0.0.1:<port>`, without a slash at the end."""
        return f"http://127.0.0.1:{self.port}"


def post(url: str, headers: Pairs, body: bytes, timeout: float, trust: ssl.SSLContext | None = None) -> int | None:
    """POST exactly these headers and bytes; the status, or `None` when there was no answer in `timeout` seconds.

    `trust` names the certificates accepted over https. Redirects are not followed, as neither platform follows them for
    a webhook.
    """
    parts = urlsplit(url)
    host = parts.hostname or "127.0.0.1"
    connection = (
        http.client.HTTPSConnection(host, parts.port, timeout=timeout, context=trust)
        if parts.scheme == "https"
        else http.client.HTTPConnection(host, parts.port, timeout=timeout)
    )
    target = (parts.path or "/") + (f"?{parts.query}" if parts.query else "")
    try:
        connection.putrequest("POST", target, skip_accept_encoding=True)
        for name, value in headers:
            connection.putheader(name, value)
        connection.putheader("Content-Length", str(len(body)))
        connection.endheaders(body)
        response = connection.getresponse()
        response.read()
        return response.status
    except (OSError, http.client.HTTPException):
        return None
    finally:
        connection.close()
