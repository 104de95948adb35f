"""Restate: its server acknowledges and logs each call, then calls a Python handler with the product's renderer."""

from __future__ import annotations

from typing import ClassVar

from bench import accounting, native
from bench.peers import installing
from bench.peers.confirming import SINK_PORT
from bench.peers.peer import Peer, installed
from bench.systems import Place, Start

SERVER = ("node_modules", "@restatedev", "restate-server-linux-x64", "bin", "restate-server")


class Restate(Peer):
    """The webhook goes straight to the server's door (`/send`), which is its quickest and most durable way."""

    name = "restate"
    roles: ClassVar[tuple[str, ...]] = ("receiver", "worker")
    hook_path: ClassVar[str] = "/Order/placed/send"
    health_path: ClassVar[str] = "/Order/ready"
    differs: ClassVar[str] = "no deduplication; signatures are checked after the acknowledgement"

    def missing(self) -> str:
        return installing.npm("restate") or installing.environment()

    def start(self, place: Place) -> Start:
        ports = place.where / "ports"
        if not ports.exists():
            ports.write_text(" ".join(str(accounting.free_port()) for _ in range(3)))
        node, admin, service = ports.read_text().split()
        environment = {
            "PYTHONPATH": str(native.HERE.parent),
            "RESTATE_BASE_DIR": str(place.where / "restate"),
            "RESTATE_NODE_NAME": "bench",
            "RESTATE_LISTEN_MODE": "tcp",
            "RESTATE_BIND_IP": "127.0.0.1",
            "RESTATE_BIND_PORT": node,
            "RESTATE_ADMIN__BIND_PORT": admin,
            "RESTATE_INGRESS__BIND_PORT": str(place.port),
            "RESTATE_DISABLE_TELEMETRY": "true",
            "RESTATE_LOG_FILTER": "warn",
            "BENCH_ADMIN": f"http://127.0.0.1:{admin}",
            "BENCH_SERVICE_PORT": service,
            SINK_PORT: str(place.sink_port),
        }
        server = str(installed().joinpath("restate", *SERVER))
        commands = {
            "receiver": [server, "--no-logo"],
            "worker": [str(installing.python()), "-m", "bench.peers.restate_service"],
        }
        return Start(commands, environment)
