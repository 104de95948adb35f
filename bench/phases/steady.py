"""Phase W: fifty webhooks a second for five minutes (promise R3): how long an answer takes, from when it was due.

Meanwhile the worker has a backlog, one backup follows another and fifty half-sent bodies hang.
"""

from __future__ import annotations

import os
import socket
import subprocess
import threading
from contextlib import ExitStack, suppress
from pathlib import Path

from bench import accounting, generator, mail, stats
from bench.generator import Load, Outcome
from bench.ours import Ours
from bench.plan import Bench
from bench.systems import Running, System, started

RATE = 50
HALF_SENT = 50
_BACKLOG_IDS = 1 << 40
_BODY = 3000


def run(bench: Bench) -> None:
    system = bench.system("ours")
    if system is None or not isinstance(system, Ours) or not bench.plan.steady_seconds:
        return
    where = bench.fresh("steady")
    try:
        _run(bench, system, where)
    finally:
        bench.discard(where)


def _run(bench: Bench, system: Ours, where: Path) -> None:
    plan = bench.plan
    corpus_file = bench.corpus(max(plan.steady_backlog, int(plan.steady_seconds * RATE)))
    with ExitStack() as stack:
        sink = stack.enter_context(mail.sink(where))
        running = stack.enter_context(started(system, where, roles=system.roles, sink_port=sink.port))
        generator.run(
            Load(connections=32, seconds=600, count=plan.steady_backlog, id_base=_BACKLOG_IDS),
            running.port,
            system.hook_path,
            corpus_file,
        )
        meter = accounting.Meter(*running.pids)
        half = stack.enter_context(HalfSent(running, system))
        backups = stack.enter_context(Backups(system, where))
        load = Load(connections=16, seconds=plan.steady_seconds, rate=RATE)
        outcome = generator.run(load, running.port, system.hook_path, corpus_file)
        mailed = len(sink.delivered())
        usage = meter.read(also=accounting.cpu_seconds(sink.process.pid))
    doubt = "foreign load above 10 %" if usage.foreign > stats.FOREIGN_ABOVE else ""
    _put(bench, outcome, doubt)
    put, name = bench.results.put, "steady.ours"
    put(f"{name}.foreign", usage.foreign, "of all cores")
    put(f"{name}.backups", float(backups.made), f"made meanwhile, {backups.failed} failed")
    put(f"{name}.half_sent", float(half.opened), "bodies that never ended")
    put(f"{name}.mailed", float(mailed), "e-mails meanwhile")
    if not backups.made or backups.failed:
        bench.results.remark(f"steady: {backups.made} backups were made and {backups.failed} failed: {backups.words}")


def _put(bench: Bench, outcome: Outcome, doubt: str) -> None:
    put, name = bench.results.put, "steady.ours"
    put(f"{name}.answered", float(outcome.ok), f"webhooks in {outcome.seconds:.0f} s")
    put(f"{name}.errors", float(outcome.errors), "answers")
    put(f"{name}.p50_ms", outcome.p50_ms, "ms", doubt)
    put(f"{name}.p99_ms", outcome.p99_ms, "ms", doubt)
    put(f"{name}.max_ms", outcome.max_ms, "ms", doubt)


class _Beside:
    """Something that goes on in a thread until the block ends."""

    def __init__(self) -> None:
        self._stopping = threading.Event()
        self._thread = threading.Thread(target=self._go_on, daemon=True)

    def __enter__(self):  # type: ignore[no-untyped-def]
        self._thread.start()
        return self

    def __exit__(self, *_: object) -> None:
        self._stopping.set()
        self._thread.join(60)

    def _go_on(self) -> None:
        raise NotImplementedError


class Backups(_Beside):
    """`kiitos backup`, again and again."""

    def __init__(self, system: Ours, where: Path) -> None:
        super().__init__()
        self.made = self.failed = 0
        self.words = ""
        start = {**os.environ, **system.environment()}
        self._command = [*system.kiitos, "--config", str(where / "app.toml"), "backup", "--plain"]
        self._options = {"env": start, "cwd": where}

    def _go_on(self) -> None:
        while not self._stopping.is_set():
            ended = subprocess.run(self._command, **self._options, capture_output=True, text=True, check=False)  # type: ignore[call-overload]
            self.made += ended.returncode == 0
            self.failed += ended.returncode != 0
            if ended.returncode:
                self.words = (ended.stderr.strip().splitlines() or ["no reason given"])[-1]
            self._stopping.wait(0.1)


class HalfSent(_Beside):
    """Connections that promise a body and send half of it; one that is given up is opened anew."""

    def __init__(self, running: Running, system: System) -> None:
        super().__init__()
        self.opened = 0
        self._port = running.port
        head = f"POST {system.hook_path} HTTP/1.1\r\nhost: x\r\ncontent-length: {_BODY}\r\n\r\n"
        self._half = head.encode() + b"{" * (_BODY // 2)

    def _go_on(self) -> None:
        connections: list[socket.socket] = []
        while not self._stopping.wait(0.2):
            connections = [each for each in connections if not _ended(each)]
            while len(connections) < HALF_SENT and not self._stopping.is_set():
                with suppress(OSError):
                    one = socket.create_connection(("127.0.0.1", self._port), 5)
                    one.sendall(self._half)
                    one.setblocking(False)
                    connections.append(one)
                    self.opened += 1
        for each in connections:
            each.close()


def _ended(connection: socket.socket) -> bool:
    try:
        connection.recv(4096)
    except BlockingIOError:
        return False
    except OSError:
        pass
    connection.close()
    return True
