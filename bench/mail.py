"""The SMTP sink as a process, what it logged, and the fastest client we can write (the sink's own limit)."""

from __future__ import annotations

import socket
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

from bench import accounting, native


@dataclass(frozen=True, slots=True)
class Delivered:
    """One message as the sink saw it; `at` in seconds of the monotonic clock."""

    at: float
    recipient: str
    message_id: str
    subject: str
    size: int


def read_log(path: Path) -> list[Delivered]:
    """Whole lines only: the last one may still be being written."""
    text = path.read_text(errors="replace") if path.exists() else ""
    found = []
    for line in text[: text.rfind("\n") + 1].splitlines():
        at, recipient, message_id, subject, size = line.split("\t")
        found.append(Delivered(float(at), recipient, message_id, subject, int(size)))
    return found


@dataclass(slots=True)
class Sink:
    """A running sink."""

    port: int
    log: Path
    process: subprocess.Popen[bytes]

    def delivered(self) -> list[Delivered]:
        return read_log(self.log)

    def wait_for(self, messages: int, *, quiet: float, patience: float) -> list[Delivered]:
        """Waits until `messages` have come, nothing came for `quiet` seconds, or `patience` seconds have passed."""
        began = last_change = time.monotonic()
        size = -1
        while True:
            now, grown = time.monotonic(), self.log.stat().st_size
            if grown != size:
                size, last_change = grown, now
                # Lines are counted without parsing: on two cores a busy watcher would be foreign load of our own.
                if self.log.read_bytes().count(b"\n") >= messages:
                    break
            if now - last_change > quiet or now - began > patience:
                break
            time.sleep(0.05)
        return self.delivered()


@contextmanager
def sink(where: Path, *, delay_ms: int = 0) -> Iterator[Sink]:
    """Runs the sink with its log in `where`; `delay_ms` is waited before the answer to each final dot."""
    built = native.build("sink")
    program = [str(built)] if built else [sys.executable, str(native.HERE / "sink.py")]
    port, log = accounting.free_port(), where / "sink.log"
    log.touch()
    command = [*program, "-p", str(port), "-l", str(log), "-w", str(delay_ms)]
    process = subprocess.Popen(command, start_new_session=True)
    try:
        deadline = time.monotonic() + 10
        while not accounting.port_answers(port):
            if time.monotonic() > deadline or process.poll() is not None:
                raise RuntimeError("the SMTP sink did not start")
            time.sleep(0.01)
        yield Sink(port, log, process)
    finally:
        accounting.end_session(process.pid)
        process.wait(timeout=10)


@dataclass(frozen=True, slots=True)
class Pumped:
    rate: float
    cpu_us: float


def pump(port: int, message: bytes, messages: int) -> Pumped:
    """Sends one message many times over one kept connection, the dot and the next envelope in one write.

    `message` ends with CRLF and holds no line that is a lone dot. One round trip a message is the least SMTP allows.
    """
    envelope = b"MAIL FROM:<bench@example.com>\r\nRCPT TO:<order-000000@example.com>\r\nDATA\r\n"
    with socket.create_connection(("127.0.0.1", port)) as connection, connection.makefile("rb") as answers:
        connection.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        answers.readline()
        connection.sendall(b"EHLO bench\r\n")
        while answers.readline()[3:4] == b"-":
            pass
        began, cpu = time.monotonic(), time.process_time()
        connection.sendall(envelope)
        for number in range(messages):
            for _ in range(3):
                answers.readline()
            connection.sendall(message + b".\r\n" + (envelope if number + 1 < messages else b""))
            answers.readline()
        took, used = time.monotonic() - began, time.process_time() - cpu
        connection.sendall(b"QUIT\r\n")
    return Pumped(rate=messages / took, cpu_us=used / messages * 1e6)
