"""Hosts of one machine: network namespaces on a bridge, each with its own address, cut off and joined again at will."""

from __future__ import annotations

import os
import signal
import socket
import subprocess
import threading
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager, suppress
from dataclasses import dataclass, field
from pathlib import Path

SUBNET = "10.203.77"


def _ip(*words: str) -> None:
    subprocess.run(["ip", *words], check=True, capture_output=True)


def allowed() -> str:
    """Why there can be no hosts here; empty when there can."""
    if os.geteuid() != 0:
        return "network namespaces need root"
    name = f"kh{os.getpid() % 10_000}p"
    found = subprocess.run(["ip", "netns", "add", name], check=False, capture_output=True, text=True)
    if found.returncode:
        return f"no network namespaces here: {found.stderr.strip()}"
    _ip("netns", "del", name)
    return ""


@dataclass
class Host:
    """A namespace. Its processes lead groups of their own, so that a host dies as a whole."""

    name: str
    address: str
    namespace: str
    wire: str
    running: dict[str, subprocess.Popen[bytes]] = field(default_factory=dict)

    def start(self, role: str, command: Sequence[str], log: Path, environ: Mapping[str, str]) -> None:
        with log.open("ab") as out:
            self.running[role] = subprocess.Popen(
                ["ip", "netns", "exec", self.namespace, *command],
                env=dict(environ),
                stdin=subprocess.DEVNULL,
                stdout=out,
                stderr=out,
                start_new_session=True,
                cwd=log.parent,
            )

    def end(self, number: signal.Signals = signal.SIGKILL) -> list[int]:
        """Every process of the host gets the signal; their exit codes."""
        for process in self.running.values():
            with suppress(ProcessLookupError):
                os.killpg(process.pid, number)
        codes = [process.wait(60) for process in self.running.values()]
        self.running.clear()
        return codes

    def cut(self) -> None:
        _ip("link", "set", self.wire, "down")

    def join(self) -> None:
        _ip("link", "set", self.wire, "up")


class Network:
    """A bridge at `.1` and hosts from `.11` on."""

    def __init__(self) -> None:
        self._mark = f"kh{os.getpid() % 10_000}"
        self.hosts: dict[str, Host] = {}
        self.gate = f"{SUBNET}.1"

    def __enter__(self) -> Network:
        _ip("link", "add", f"{self._mark}b", "type", "bridge")
        _ip("addr", "add", f"{self.gate}/24", "dev", f"{self._mark}b")
        _ip("link", "set", f"{self._mark}b", "up")
        return self

    def add(self, name: str) -> Host:
        number = len(self.hosts)
        namespace, wire = f"{self._mark}{name}", f"{self._mark}v{number}"
        host = Host(name, f"{SUBNET}.{11 + number}", namespace, wire)
        _ip("netns", "add", namespace)
        self.hosts[name] = host
        _ip("link", "add", wire, "type", "veth", "peer", "name", "eth0", "netns", namespace)
        _ip("link", "set", wire, "master", f"{self._mark}b")
        _ip("link", "set", wire, "up")
        for words in (
            ("addr", "add", f"{host.address}/24", "dev", "eth0"),
            ("link", "set", "eth0", "up"),
            ("link", "set", "lo", "up"),
        ):
            _ip("-n", namespace, *words)
        return host

    def stop(self) -> None:
        for host in self.hosts.values():
            host.end()

    def __exit__(self, *exc: object) -> None:
        self.stop()
        for host in self.hosts.values():
            with suppress(subprocess.CalledProcessError):
                _ip("netns", "del", host.namespace)
        with suppress(subprocess.CalledProcessError):
            _ip("link", "del", f"{self._mark}b")


@contextmanager
def door(address: str, port: int) -> Iterator[int]:
    """A port at `address` behind which is 127.0.0.1:`port`: what listens for us alone is reached by the hosts."""
    server = socket.create_server((address, 0))
    closing = threading.Event()

    def pump(left: socket.socket, right: socket.socket) -> None:
        with suppress(OSError):
            while data := left.recv(65536):
                right.sendall(data)
        for one in (left, right):
            with suppress(OSError):
                one.shutdown(socket.SHUT_RDWR)

    def carry(outer: socket.socket) -> None:
        with outer, socket.create_connection(("127.0.0.1", port)) as inner:
            back = threading.Thread(target=pump, args=(inner, outer))
            back.start()
            pump(outer, inner)
            back.join()

    def serve() -> None:
        while not closing.is_set():
            outer, _ = server.accept()
            if closing.is_set():
                outer.close()
                return
            carrying.append(threading.Thread(target=carry, args=(outer,)))
            carrying[-1].start()

    carrying: list[threading.Thread] = []
    serving = threading.Thread(target=serve)
    serving.start()
    try:
        yield int(server.getsockname()[1])
    finally:
        closing.set()
        with suppress(OSError):
            socket.create_connection(server.getsockname()).close()  # a waiting accept is woken by nothing else
        serving.join()
        server.close()
        for thread in carrying:
            thread.join(30)
