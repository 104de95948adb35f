"""A process without a web server of its own tells of itself: `/health`, `/ready`, `/metrics` on a small port.

Bind it to loopback or to a network of yours (`app.worker_listen`): nothing here asks for a password, and nothing tells
more than numbers and yes or no. Requests are answered one thread each and cut after a few seconds.
"""

from __future__ import annotations

import threading
from collections.abc import Callable, Mapping
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

from connector import codec
from connector.errors import ConfigError
from connector.log import get_log

log = get_log("watching.port")

Page = Callable[[], tuple[int, str, bytes]]
"""Gives status, content type and body."""
TEXT = "text/plain; charset=utf-8"


class _Handler(BaseHTTPRequestHandler):
    timeout = 5
    server_version = "kiitos"
    sys_version = ""
    pages: Mapping[str, Page] = {}

    def do_GET(self) -> None:
        page = self.pages.get(self.path.partition("?")[0])
        status, kind, body = page() if page else (404, TEXT, b"not found")
        self.send_response(status)
        self.send_header("Content-Type", kind)
        self.send_header("Content-Length", str(len(body)))
        self.send_header("Cache-Control", "no-store")
        self.end_headers()
        self.wfile.write(body)

    def log_message(self, format: str, *args: object) -> None:  # noqa: A002 - the library's name
        """Who scrapes is not logged."""


class Port:
    """Listens from the moment it is made until `close()`. `port` 0 takes any free one; `address` says which."""

    def __init__(self, listen: str, pages: Mapping[str, Page]) -> None:
        host, _, port = listen.rpartition(":")
        handler = type("Handler", (_Handler,), {"pages": dict(pages)})
        try:
            self._server = ThreadingHTTPServer((host or "127.0.0.1", int(port)), handler)
        except OSError as error:
            raise ConfigError(
                f"{listen} cannot be listened on ({error.strerror})", where="app.worker_listen"
            ) from error
        self._server.daemon_threads = True
        found = self._server.server_address
        self.address = f"{found[0]!s}:{found[1]}"
        self._thread = threading.Thread(target=self._server.serve_forever, name="port", daemon=True)
        self._thread.start()

    def close(self) -> None:
        self._server.shutdown()
        self._server.server_close()
        self._thread.join(5)


def as_json(found: Mapping[str, object]) -> bytes:
    return codec.encode(dict(found))
