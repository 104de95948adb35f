"""The product's real server inside this process, so that tests and the demo can give it a clock of their own.

The same application and the same protocol as `kiitos serve`, on a thread with an event loop.
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
from uvicorn import Config, Server

from connector.errors import StoreUnavailable
from connector.serving.serve import create_asgi, server_config


def free_port() -> int:
    """A port nobody listens on right now."""
    with contextlib.closing(socket.socket()) as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])


class PromptServer(Server):
    """Ends when it is told to, and not at the next tenth of a second: tests start and stop thousands."""

    def __init__(self, config: Config) -> None:
        super().__init__(config)
        self._loop: asyncio.AbstractEventLoop | None = None
        self._told = threading.Event()
        self._ending: asyncio.Event | None = None

    def end(self) -> None:
        """From any thread."""
        self._told.set()
        if self._loop is not None and self._ending is not None:
            self._loop.call_soon_threadsafe(self._ending.set)

    async def main_loop(self) -> None:
        await self.on_tick(0)
        self._loop, self._ending = asyncio.get_running_loop(), asyncio.Event()
        if not self._told.is_set():
            await self._ending.wait()

    async def shutdown(self, sockets: list[socket.socket] | None = None) -> None:
        for server in self.servers:
            server.close()
        for listener in sockets or ():
            listener.close()
        for connection in list(self.server_state.connections):
            connection.shutdown()
        for _ in range(1000):
            if not (self.server_state.connections or self.server_state.tasks):
                break
            await asyncio.sleep(0.005)
        await self.lifespan.shutdown()


class Serving:
    """`with Serving(app) as serving: serving.url`. With `certificate` (one PEM file, key included) over https."""

    def __init__(self, app: Flask, port: int | None = None, certificate: Path | None = None) -> None:
        self._listener = socket.create_server(("127.0.0.1", port or 0), backlog=128)
        self.port = int(self._listener.getsockname()[1])
        self.url = f"http{'s' if certificate else ''}://127.0.0.1:{self.port}"
        self._trust: str | bool = str(certificate) if certificate else True
        self._server = PromptServer(server_config(create_asgi(app, threads=4), certificate=certificate))
        self._thread = threading.Thread(target=self._run, name="serving", daemon=True)

    def _run(self) -> None:
        self._server.run(sockets=[self._listener])

    def start(self) -> Serving:
        self._thread.start()
        for _ in range(200):
            # A machine that others use may take seconds to answer at all.
            with contextlib.suppress(requests.ConnectionError, requests.Timeout):
                if requests.get(f"{self.url}/healthz", timeout=5, verify=self._trust).ok:
                    return self
            threading.Event().wait(0.025)
        raise StoreUnavailable("the embedded server did not answer 200 times")

    def stop(self) -> None:
        self._server.end()
        self._thread.join(10)

    def __enter__(self) -> Serving:
        return self.start()

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.stop()
