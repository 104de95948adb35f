"""Flask + Celery + Redis with the product's renderer and kept SMTP connections."""

from __future__ import annotations

from typing import ClassVar

from bench import accounting, native
from bench.peers import installing
from bench.peers.confirming import SINK_PORT
from bench.peers.peer import Peer
from bench.systems import Place, Start


class CeleryRedis(Peer):
    """`appendfsync` is how often Redis syncs its log: "always" is as durable as the product, "everysec" its default."""

    roles: ClassVar[tuple[str, ...]] = ("broker", "receiver", "worker")
    differs: ClassVar[str] = "no deduplication, no inbox, no consent or policy; granian serves its Flask, two workers"

    def __init__(self, appendfsync: str = "always") -> None:
        self.appendfsync = appendfsync
        self.name = "celery" if appendfsync == "always" else f"celery-{appendfsync}"

    def missing(self) -> str:
        return installing.system("redis-server", "redis-server") or installing.environment()

    def start(self, place: Place) -> Start:
        noted = place.where / "redis.port"
        if not noted.exists():
            noted.write_text(str(accounting.free_port()))
        port = noted.read_text()
        broker = ["redis-server", "--port", port, "--bind", "127.0.0.1", "--dir", str(place.where), "--save", ""]
        broker += ["--appendonly", "yes", "--appendfsync", self.appendfsync]
        python = str(installing.python())
        web = ["granian", "--interface", "wsgi", "--host", "127.0.0.1", "--port", str(place.port), "--workers", "1"]
        web += ["--blocking-threads", "16", "--log-level", "warning", "bench.peers.celery_app:web"]
        worker = [
            "celery",
            "-A",
            "bench.peers.celery_app:tasks",
            "worker",
            "--concurrency",
            "2",
            "--loglevel",
            "WARNING",
        ]
        worker += ["--without-gossip", "--without-mingle", "--without-heartbeat"]
        environment = {
            "PYTHONPATH": str(native.HERE.parent),
            "BENCH_BROKER": f"redis://127.0.0.1:{port}/0",
            SINK_PORT: str(place.sink_port),
        }
        return Start(
            {"broker": broker, "receiver": [python, "-m", *web], "worker": [python, "-m", *worker]}, environment
        )
