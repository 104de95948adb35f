"""Node-RED: an HTTP-in node, one function node with a kept SMTP pool, an answer."""

from __future__ import annotations

import json
from typing import ClassVar

from bench import corpus
from bench.peers import installing
from bench.peers.confirming import SINK_PORT
from bench.peers.peer import FOLDER, Peer, installed
from bench.systems import Place, Start


def flows() -> list[dict[str, object]]:
    """The flow file: the webhook's way, and one that answers when the flows run."""

    def http_in(name: str, method: str, url: str, target: str) -> dict[str, object]:
        common = {"id": name, "type": "http in", "z": "tab", "name": name, "x": 100, "y": 100}
        return {**common, "url": url, "method": method, "skipBodyParsing": True, "upload": False, "wires": [[target]]}

    return [
        {"id": "tab", "type": "tab", "label": "order confirmation", "disabled": False},
        http_in("orders", "post", "/hooks/orders", "confirm"),
        {
            "id": "confirm",
            "type": "function",
            "z": "tab",
            "name": "verify and send",
            "func": (FOLDER / "nodered" / "confirm.js").read_text(),
            "outputs": 2,
            "x": 300,
            "y": 100,
            "wires": [["answer"], []],
        },
        {"id": "answer", "type": "http response", "z": "tab", "statusCode": "", "x": 500, "y": 100, "wires": []},
        http_in("ready", "get", "/ready", "answer"),
    ]


class NodeRed(Peer):
    """It keeps nothing on disk: what was acknowledged and not yet sent is gone with the process."""

    name = "nodered"
    hook_path: ClassVar[str] = "/hooks/orders"
    health_path: ClassVar[str] = "/ready"
    differs: ClassVar[str] = "nothing is stored, no deduplication, no text part"

    def missing(self) -> str:
        return installing.npm("nodered")

    def start(self, place: Place) -> Start:
        (place.where / "flows.json").write_text(json.dumps(flows()))
        packages = installed() / "nodered" / "node_modules"
        program = [str(installing.node("nodered")), str(packages / "node-red" / "red.js")]
        environment = {
            "NODE_PATH": str(packages),
            "NODE_ENV": "production",
            "BENCH_PORT": str(place.port),
            "BENCH_FOLDER": str(place.where),
            "BENCH_SECRET": corpus.SECRET.decode(),
            SINK_PORT: str(place.sink_port),
        }
        return Start({"receiver": [*program, "-s", str(FOLDER / "nodered" / "settings.js")]}, environment)
