"""The product's real server inside this process, so that tests and the demo can give it a clock of their own.

The same ASGI application as `kiitos serve`, served by granian on a thread with an event loop.
"""

from __future__ import annotations

import asyncio
import contextlib
import socket
import threading
from pathlib import Path
from types import TracebackType

import requests
from flask import Flask
from granian.constants import HTTPModes, Interfaces
from granian.server.embed import Server

from connector.errors import StoreUnavailable
from connector.serve import create_asgi


def free_port() -> int:
    """A port nobody listens on right now."""
    with contextlib.closing(socket.socket()) as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])


class Serving:
    """`with Serving(app) as serving: serving.url`. With `certificate` (one PEM file, key included) over https."""

    def __init__(self, app: Flask, port: int | None = None, certificate: Path | None = None) -> None:
        self.port = port or free_port()
        self.url = f"http{'s' if certificate else ''}://127.0.0.1:{self.port}"
        self._trust: str | bool = str(certificate) if certificate else True
        self._server = Server(
            create_asgi(app, threads=4),
            address="127.0.0.1",
            port=self.port,
            interface=Interfaces.ASGI,
            http=HTTPModes.http1,
            websockets=False,
            log_enabled=False,
            ssl_cert=certificate,
            ssl_key=certificate,
        )
        self._loop = asyncio.new_event_loop()
        self._thread = threading.Thread(target=self._run, name="serving", daemon=True)

    def _run(self) -> None:
        asyncio.set_event_loop(self._loop)
        try:
            self._loop.run_until_complete(self._server.serve())
        finally:
            self._loop.close()

    def start(self) -> Serving:
        self._thread.start()
        for _ in range(200):
            with contextlib.suppress(requests.ConnectionError):
                if requests.get(f"{self.url}/healthz", timeout=2, verify=self._trust).ok:
                    return self
            threading.Event().wait(0.025)
        raise StoreUnavailable("the embedded server did not start within 5 s")

    def stop(self) -> None:
        self._loop.call_soon_threadsafe(self._server.stop)
        self._thread.join(10)

    def __enter__(self) -> Serving:
        return self.start()

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.stop()
