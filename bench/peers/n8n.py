"""n8n at its fastest: the legacy expression engine, nothing kept of executions that went well."""

from __future__ import annotations

import json
import os
import subprocess
from pathlib import Path
from string import Template
from typing import ClassVar

from bench import accounting, corpus
from bench.peers import installing
from bench.peers.peer import FOLDER, Peer, installed
from bench.systems import Place, Start

WORKFLOW = "kiitosBench00001"
PROGRAM = ("node_modules", "n8n", "bin", "n8n")
COMMAND_SECONDS = 180


class N8n(Peer):
    """Webhook, Crypto over the raw body, If, Send Email. `queue` runs its queue mode: Redis and a worker of its own."""

    hook_path: ClassVar[str] = "/webhook/orders"
    health_path: ClassVar[str] = "/webhook/ready"
    health_text: ClassVar[bytes] = b"Workflow was started"
    starts_within: ClassVar[float] = 180.0
    most_orders: ClassVar[int] = 500
    differs: ClassVar[str] = (
        "no deduplication, no text part; its e-mail node opens a connection a message, which no setting changes"
    )

    def __init__(self, *, queue: bool = False) -> None:
        self.queue = queue
        self.name = "n8n-queue" if queue else "n8n"
        self.roles = ("broker", "receiver", "worker") if queue else ("receiver",)  # type: ignore[misc]

    def missing(self) -> str:
        needed = installing.system("redis-server", "redis-server") if self.queue else ""
        return needed or installing.npm("n8n", build=("sqlite3",))

    def start(self, place: Place) -> Start:
        environment = self._environment(place)
        node = [str(installing.node("n8n")), str(installed().joinpath("n8n", *PROGRAM))]
        if not (place.where / "made").exists():
            self._make(place, node, environment)
            (place.where / "made").touch()
        commands = {"receiver": [*node, "start"]}
        if self.queue:
            port = environment["QUEUE_BULL_REDIS_PORT"]
            broker = ["redis-server", "--port", port, "--bind", "127.0.0.1", "--dir", str(place.where), "--save", ""]
            commands["broker"] = [*broker, "--appendonly", "yes", "--appendfsync", "always"]
            commands["worker"] = [*node, "worker", "--concurrency=10"]
        return Start(commands, environment)

    def _environment(self, place: Place) -> dict[str, str]:
        """Settings by name; three ports are chosen once, so that a restart after a kill finds the same."""
        noted = place.where / "ports"
        if not noted.exists():
            noted.write_text(" ".join(str(accounting.free_port()) for _ in range(3)))
        redis, runners, health = noted.read_text().split()
        found = {
            "N8N_USER_FOLDER": str(place.where),
            "N8N_PORT": str(place.port),
            "N8N_LISTEN_ADDRESS": "127.0.0.1",
            "N8N_ENCRYPTION_KEY": "bench",
            "N8N_RUNNERS_BROKER_PORT": runners,
            "N8N_EXPRESSION_ENGINE": "legacy",
            "N8N_DIAGNOSTICS_ENABLED": "false",
            "N8N_VERSION_NOTIFICATIONS_ENABLED": "false",
            "N8N_TEMPLATES_ENABLED": "false",
            "N8N_DISABLED_MODULES": "insights,mcp-registry",
            "N8N_LOG_LEVEL": "error",
            "EXECUTIONS_DATA_SAVE_ON_SUCCESS": "none",
            "EXECUTIONS_DATA_SAVE_ON_ERROR": "none",
            "EXECUTIONS_DATA_SAVE_MANUAL_EXECUTIONS": "false",
            "NODE_ENV": "production",
        }
        if self.queue:
            found |= {
                "EXECUTIONS_MODE": "queue",
                "QUEUE_BULL_REDIS_HOST": "127.0.0.1",
                "QUEUE_BULL_REDIS_PORT": redis,
                "QUEUE_HEALTH_CHECK_PORT": health,
                "OFFLOAD_MANUAL_EXECUTIONS_TO_WORKERS": "true",
            }
        return found

    def _make(self, place: Place, node: list[str], environment: dict[str, str]) -> None:
        """Its database with the workflow and the sink's address in it. Raises `RuntimeError` with its own words."""
        page = json.dumps((FOLDER / "n8n" / "message.html").read_text().rstrip("\n"), ensure_ascii=False)
        text = Template((FOLDER / "n8n" / "workflow.json").read_text())
        credential = {"host": "127.0.0.1", "port": place.sink_port, "secure": False, "disableStartTls": True}
        credential |= {"user": "", "password": ""}
        documents = {
            "credentials": [{"id": "kiitosBenchSmtp1", "name": "sink", "type": "smtp", "data": credential}],
            "workflow": [json.loads(text.substitute(secret=corpus.SECRET.decode(), html=page))],
        }
        alone = {name: value for name, value in environment.items() if name != "EXECUTIONS_MODE"}
        for kind, document in documents.items():
            (place.where / f"{kind}.json").write_text(json.dumps(document))
            _command([*node, f"import:{kind}", f"--input={place.where / f'{kind}.json'}"], place.where, alone)
        _command([*node, "publish:workflow", f"--id={WORKFLOW}"], place.where, alone)


def _command(command: list[str], where: Path, environment: dict[str, str]) -> None:
    run = subprocess.run(
        command,
        cwd=where,
        env={**os.environ, **environment},
        capture_output=True,
        text=True,
        timeout=COMMAND_SECONDS,
        check=False,
    )
    if run.returncode:
        words = (run.stderr or run.stdout).strip().splitlines() or ["no reason given"]
        raise RuntimeError(f"n8n {command[2]}: {words[-1][:200]}")
