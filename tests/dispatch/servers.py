"""Brokers of the system's packages, private to a test."""

from __future__ import annotations

import os
import shutil
import signal
import socket
import subprocess
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from time import monotonic

import pytest

PATIENCE = 120.0


def free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])


@contextmanager
def redis(folder: Path) -> Iterator[str]:
    """A Redis on a free port; its address."""
    program = shutil.which("redis-server")
    if program is None:
        pytest.skip("no redis-server: scripts/brokers.sh")
    port = free_port()
    command = [program, "--port", str(port), "--bind", "127.0.0.1", "--save", "", "--dir", str(folder)]
    with _running(command, port, {}, folder):
        yield f"redis://127.0.0.1:{port}/0"


@contextmanager
def rabbitmq(folder: Path) -> Iterator[str]:
    """A RabbitMQ node of its own, with its own port mapper; its address."""
    program = Path("/usr/lib/rabbitmq/bin/rabbitmq-server")
    if not program.exists():
        pytest.skip("no rabbitmq-server: scripts/brokers.sh")
    port, mapper = free_port(), free_port()
    environ = {
        "HOME": str(folder),
        "RABBITMQ_NODENAME": f"kiitos-{port}@localhost",
        "RABBITMQ_NODE_IP_ADDRESS": "127.0.0.1",
        "RABBITMQ_NODE_PORT": str(port),
        "RABBITMQ_DIST_PORT": str(free_port()),
        "RABBITMQ_MNESIA_BASE": str(folder / "mnesia"),
        "RABBITMQ_LOG_BASE": str(folder / "log"),
        "RABBITMQ_CONFIG_FILE": str(folder / "none"),
        "RABBITMQ_ENABLED_PLUGINS_FILE": str(folder / "plugins"),
        "RABBITMQ_SERVER_ADDITIONAL_ERL_ARGS": "+S 1:1",
        "ERL_EPMD_PORT": str(mapper),
        "ERL_EPMD_ADDRESS": "127.0.0.1",
    }
    (folder / "plugins").write_text("[].", "utf-8")
    with _running([str(program)], port, environ, folder):
        yield f"amqp://guest:guest@127.0.0.1:{port}//"


@contextmanager
def _running(command: list[str], port: int, environ: dict[str, str], folder: Path) -> Iterator[None]:
    with (folder / "server.log").open("ab") as log:
        server = subprocess.Popen(
            command, env={**os.environ, **environ}, stdout=log, stderr=log, cwd=folder, start_new_session=True
        )
        try:
            _await(server, port, folder)
            yield
        finally:
            for number in (signal.SIGTERM, signal.SIGKILL):
                with _gone():
                    os.killpg(server.pid, number)
                if number == signal.SIGTERM:
                    with _gone():
                        server.wait(20)
            server.wait(20)


def _await(server: subprocess.Popen[bytes], port: int, folder: Path) -> None:
    began = monotonic()
    while True:
        with socket.socket() as probe:
            if probe.connect_ex(("127.0.0.1", port)) == 0:
                return
        if server.poll() is not None or monotonic() - began > PATIENCE:
            raise RuntimeError((folder / "server.log").read_text("utf-8", "replace")[-2000:])
        threading.Event().wait(0.1)


@contextmanager
def _gone() -> Iterator[None]:
    try:
        yield
    except (ProcessLookupError, subprocess.TimeoutExpired):
        return
