"""The systems under test: how each is started, where it listens and what it stored. One small class each."""

from __future__ import annotations

import os
import shutil
import sqlite3
import subprocess
import sys
import time
import venv
from abc import ABC, abstractmethod
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager, suppress
from dataclasses import dataclass, field
from http.client import HTTPConnection, HTTPException
from pathlib import Path
from typing import ClassVar

from bench import accounting, corpus, native, sql

ENDPOINT_KEY = "bench"
STARTS_WITHIN = 20.0


@dataclass(frozen=True, slots=True)
class Place:
    """Where one start happens: its own directory, its port, and the sink's port (0 without a sink)."""

    where: Path
    port: int
    sink_port: int = 0


@dataclass(frozen=True, slots=True)
class Start:
    """The command line of each role, and what is added to the environment."""

    commands: Mapping[str, Sequence[str]]
    environment: Mapping[str, str] = field(default_factory=dict)


class System(ABC):
    """One receiver (and what belongs to it).

    `roles` are the processes `start` may name: "receiver" alone takes webhooks, "worker" sends the mail.
    """

    name: ClassVar[str]
    roles: ClassVar[tuple[str, ...]] = ("receiver",)
    hook_path: ClassVar[str] = f"/hooks/shopify/{ENDPOINT_KEY}"
    health_path: ClassVar[str] = "/healthz"
    health_text: ClassVar[bytes] = b""
    """What a healthy answer holds: one peer says 200 to everything while it starts."""
    starts_within: ClassVar[float] = STARTS_WITHIN

    @property
    def mails(self) -> bool:
        """Whether its orders reach the sink."""
        return "worker" in self.roles

    @property
    def stores(self) -> bool:
        """Whether acknowledged webhooks can be looked up afterwards."""
        return True

    def missing(self) -> str:
        """Why this system cannot run here, in one line; empty when it can. May build or install what it needs."""
        return ""

    @abstractmethod
    def start(self, place: Place) -> Start:
        """How to start it. May write configuration into `place.where`."""

    @abstractmethod
    def keys(self, where: Path) -> set[str]:
        """The webhook ids that are stored."""


def query(database: Path, statement: str) -> list[tuple[object, ...]]:
    """Rows of a read-only query; waits for a writer up to 10 s."""
    with sqlite3.connect(f"file:{database}?mode=ro", uri=True, timeout=10) as db:
        rows = db.execute(statement).fetchall()
    db.close()
    return rows


class Floor(System):
    """bench/floor.c, or bench/floor.py where there is no compiler. `mode` is echo, hmac or store."""

    name = "floor"
    health_path = "/"

    def __init__(self, mode: str = "store") -> None:
        self.mode = mode

    @property
    def native(self) -> bool:
        return native.build("floor") is not None

    @property
    def stores(self) -> bool:
        return self.mode == "store"

    def start(self, place: Place) -> Start:
        built = native.build("floor")
        program = [str(built)] if built else [sys.executable, str(native.HERE / "floor.py")]
        options = ["-p", str(place.port), "-m", self.mode, "-k", corpus.SECRET.decode(), *(["-z"] if built else [])]
        files = ["-d", str(place.where / "floor.db"), "-q", str(sql.INBOX_SQL)]
        return Start({"receiver": [*program, *options, *files]})

    def keys(self, where: Path) -> set[str]:
        return {str(key) for (key,) in query(where / "floor.db", sql.statements()["keys"])}


class Stock(System):
    """Plain Flask under gunicorn gthread with one transaction per request (bench/stock.py)."""

    name = "stock"
    environment_dir: ClassVar[Path] = native.CACHE.parent / "bench-venv"

    def missing(self) -> str:
        """Installs Flask and gunicorn into a virtual environment of the bench's own; neither is in our lock."""
        requirements = native.HERE / "requirements-stock.txt"
        done = self.environment_dir / requirements.name
        if done.exists() and done.read_text() == requirements.read_text():
            return ""
        try:
            venv.create(self.environment_dir, with_pip=True, clear=True)
            command = [
                str(self.environment_dir / "bin" / "python"),
                "-m",
                "pip",
                "install",
                "-q",
                "-r",
                str(requirements),
            ]
            subprocess.run(command, check=True, capture_output=True, timeout=300)
        except (OSError, subprocess.SubprocessError) as error:
            return f"Flask and gunicorn could not be installed ({type(error).__name__}); is there a package index?"
        shutil.copy(requirements, done)
        return ""

    def start(self, place: Place) -> Start:
        options = ["-k", "gthread", "-w", "1", "--threads", "16", "--keep-alive", "75", "--log-level", "warning"]
        python = str(self.environment_dir / "bin" / "python")
        environment = {
            "PYTHONPATH": str(native.HERE),
            "BENCH_DATABASE": str(place.where / "stock.db"),
            "BENCH_SECRET": corpus.SECRET.decode(),
            "BENCH_SQL": str(sql.INBOX_SQL),
        }
        command = [python, "-m", "gunicorn", *options, "-b", f"127.0.0.1:{place.port}", "stock:app"]
        return Start({"receiver": command}, environment)

    def keys(self, where: Path) -> set[str]:
        return {str(key) for (key,) in query(where / "stock.db", sql.statements()["keys"])}


@dataclass(slots=True)
class Running:
    """A started system. `leaders` maps a role to the process that leads its session."""

    system: System
    where: Path
    port: int
    leaders: dict[str, subprocess.Popen[bytes]] = field(default_factory=dict)
    ready_after: float = 0.0

    @property
    def pids(self) -> tuple[int, ...]:
        return tuple(process.pid for process in self.leaders.values())

    def stop(self, *, kill: bool = False) -> None:
        """Ends all sessions. Raises `RuntimeError` when the port still answers: an orphan would fake the next run."""
        for process in self.leaders.values():
            accounting.end_session(process.pid, kill=kill)
            process.wait(timeout=10)
        self.leaders.clear()
        if accounting.port_answers(self.port):
            raise RuntimeError(f"{self.system.name}: something still listens on port {self.port} after it was stopped")


def answers(port: int, path: str, text: bytes = b"") -> bool:
    """Whether GET `path` gives 200, and `text` in the answer."""
    client = HTTPConnection("127.0.0.1", port, timeout=2)
    try:
        client.request("GET", path)
        answer = client.getresponse()
        return answer.status == 200 and text in answer.read()
    except (OSError, HTTPException):
        return False
    finally:
        client.close()


def _wait_until_ready(running: Running) -> None:
    patience = running.system.starts_within
    deadline = time.monotonic() + patience
    while not answers(running.port, running.system.health_path, running.system.health_text):
        for role, process in running.leaders.items():
            if process.poll() is not None:
                raise RuntimeError(
                    f"{running.system.name} {role} ended at once: {last_line(running.where / f'{role}.log')}"
                )
        if time.monotonic() > deadline:
            raise RuntimeError(f"{running.system.name} gave no 200 on {running.system.health_path} in {patience:.0f} s")
        time.sleep(0.005)


def last_line(path: Path) -> str:
    """The last words of a log: of a traceback the error itself."""
    with suppress(FileNotFoundError):
        lines = [line for line in path.read_text(errors="replace").splitlines() if line.strip()]
        return lines[-1].strip()[:300] if lines else "nothing was logged"
    return "nothing was logged"


def delayed_disk(fsync_us: int) -> dict[str, str]:
    """The environment that adds `fsync_us` to every fsync; raises `RuntimeError` when the library cannot be built."""
    if not fsync_us:
        return {}
    library = native.build("fsyncdelay")
    if library is None:
        raise RuntimeError("the slow disk needs a C compiler")
    return {"LD_PRELOAD": str(library), "FSYNC_US": str(fsync_us)}


def launch(
    system: System, where: Path, *, roles: Sequence[str] = ("receiver",), fsync_us: int = 0, sink_port: int = 0
) -> Running:
    """Starts `roles` on a free port and waits for the first 200.

    `where` may hold an earlier run: that is the restart after a kill.
    """
    where.mkdir(parents=True, exist_ok=True)
    running = Running(system, where, accounting.free_port())
    start = system.start(Place(where, running.port, sink_port))
    environ = {**os.environ, **start.environment, **delayed_disk(fsync_us)}
    began = time.monotonic()
    try:
        for role in (role for role in roles if role in start.commands):
            with (where / f"{role}.log").open("ab") as log:
                running.leaders[role] = subprocess.Popen(
                    list(start.commands[role]), env=environ, cwd=where, stdout=log, stderr=log, start_new_session=True
                )
        _wait_until_ready(running)
    except BaseException:
        running.stop(kill=True)
        raise
    running.ready_after = time.monotonic() - began
    return running


@contextmanager
def started(system: System, where: Path, **options: object) -> Iterator[Running]:
    running = launch(system, where, **options)  # type: ignore[arg-type]
    try:
        yield running
    finally:
        running.stop()
