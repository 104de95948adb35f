"""CPU, memory and ports of the processes a run started, read from /proc (Linux).

A system under test is started as the leader of its own session, so its processes are found by session id even when a
parent has died: that is also how orphans are found.
"""

from __future__ import annotations

import os
import signal
import socket
import time
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path

_PROC = Path("/proc")
_TICK = os.sysconf("SC_CLK_TCK")


def _stat_fields(pid: int) -> list[str]:
    """The fields of /proc/<pid>/stat after the command name (which may hold spaces); empty when the process is gone."""
    try:
        text = (_PROC / str(pid) / "stat").read_text()
    except (FileNotFoundError, ProcessLookupError):
        return []
    return text.rpartition(")")[2].split()


def session_of(leader: int) -> list[int]:
    """The live processes of the session `leader` started, zombies left out."""
    found = []
    for entry in _PROC.iterdir():
        if entry.name.isdigit():
            fields = _stat_fields(int(entry.name))
            if fields and int(fields[3]) == leader and fields[0] != "Z":
                found.append(int(entry.name))
    return found


def cpu_seconds(leader: int) -> float:
    """User + system time of the session, children that have ended and were waited for included."""
    ticks = 0
    for pid in session_of(leader):
        fields = _stat_fields(pid)
        if fields:
            ticks += sum(int(value) for value in fields[11:15])
    return ticks / _TICK


def pss_mb(leader: int) -> float:
    """Proportional set size of the session in MB: shared pages are counted once."""
    total = 0
    for pid in session_of(leader):
        with suppress(FileNotFoundError, ProcessLookupError):
            for line in (_PROC / str(pid) / "smaps_rollup").read_text().splitlines():
                if line.startswith("Pss:"):
                    total += int(line.split()[1])
    return total / 1024


def busy_seconds() -> float:
    """CPU time of the whole machine that was not idle, steal included: a neighbour's share is foreign load too."""
    fields = [int(value) for value in (_PROC / "stat").read_text().split("\n", 1)[0].split()[1:]]
    idle = fields[3] + fields[4]
    return (sum(fields[:8]) - idle) / _TICK


@dataclass(frozen=True, slots=True)
class Usage:
    """What a measured stretch cost. `foreign` is the share of all cores that neither the system nor the bench used."""

    seconds: float
    cpu: float
    foreign: float


class Meter:
    """Measures one stretch: CPU of `leaders` (the systems), and what strangers took meanwhile."""

    def __init__(self, *leaders: int) -> None:
        self._leaders = leaders
        self._start = self._now()

    def _now(self) -> tuple[float, float, float, float]:
        own = os.times()
        return (
            time.monotonic(),
            sum(cpu_seconds(leader) for leader in self._leaders),
            busy_seconds(),
            own.user + own.system + own.children_user + own.children_system,
        )

    def read(self, also: float = 0.0) -> Usage:
        """The stretch so far. `also` is CPU of the bench's own that is no waited-for child (the sink)."""
        wall, cpu, busy, own = (b - a for a, b in zip(self._start, self._now(), strict=True))
        cores = os.cpu_count() or 1
        foreign = (busy - cpu - own - also) / (wall * cores) if wall else 0.0
        # The kernel counts in ticks: over a moment it may count more than there was.
        return Usage(seconds=wall, cpu=cpu, foreign=min(max(0.0, foreign), 1.0))


def free_port() -> int:
    """A port of 127.0.0.1 nobody listens on, found by binding and proved by a refused connection.

    Binding alone is no proof: with SO_REUSEPORT an orphan would answer for the program under test.
    """
    for _ in range(20):
        with socket.socket() as probe:
            probe.bind(("127.0.0.1", 0))
            port: int = probe.getsockname()[1]
        if not port_answers(port):
            return port
    raise RuntimeError("no free port on 127.0.0.1; is something listening on all of them?")


def port_answers(port: int) -> bool:
    with socket.socket() as probe:
        probe.settimeout(1)
        return probe.connect_ex(("127.0.0.1", port)) == 0


def end_session(leader: int, *, kill: bool = False, patience: float = 10.0) -> list[int]:
    """Ends every process of a session we started, by id; returns those that had to be killed after `patience` seconds.

    With `kill` all get SIGKILL at once, as a power cut or the kernel's OOM killer would; the leader first, so that a
    supervisor cannot start a new worker in between.
    """
    if kill:
        _kill_all(leader)
        return []
    for pid in session_of(leader):
        with suppress(ProcessLookupError):
            os.kill(pid, signal.SIGTERM)
    deadline = time.monotonic() + patience
    while (stubborn := session_of(leader)) and time.monotonic() < deadline:
        time.sleep(0.02)
    _kill_all(leader)
    return stubborn


def _kill_all(leader: int) -> None:
    """SIGKILL until the session is empty. Raises `RuntimeError` when it is not within 10 s."""
    deadline = time.monotonic() + 10
    while members := session_of(leader):
        for pid in sorted(members, key=lambda pid: pid != leader):
            with suppress(ProcessLookupError):
                os.kill(pid, signal.SIGKILL)
        if time.monotonic() > deadline:
            raise RuntimeError(f"processes {members} outlive SIGKILL")
        time.sleep(0.005)
