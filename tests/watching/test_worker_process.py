"""The real `kiitos worker` under a service manager: ready, alive, asked over its port, ended."""

from __future__ import annotations

import json
import re
import signal
import socket
import subprocess
import sys
import urllib.request
from pathlib import Path

from connector.testing.serving import free_port
from tests.watching.conftest import House


def test_a_worker_says_how_it_stands_and_leaves_nothing_behind(house: House, tmp_path: Path) -> None:
    port = free_port()
    house.app = f'worker_listen = "127.0.0.1:{port}"'
    command = [str(Path(sys.executable).with_name("kiitos")), "-c", str(house.path)]
    with socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM) as manager:
        manager.bind(str(tmp_path / "notify"))
        manager.settimeout(120)
        environ = {"NOTIFY_SOCKET": str(tmp_path / "notify"), "WATCHDOG_USEC": "4000000", "PATH": "/usr/bin:/bin"}
        worker = subprocess.Popen([*command, "worker"], cwd=tmp_path, env=environ, stderr=subprocess.DEVNULL)
        try:
            assert manager.recv(200) == b"READY=1"
            rounds = [int(re.findall(rb"STATUS=(\d+) rounds", manager.recv(200))[0]) for _ in range(2)]
            assert rounds[1] > rounds[0]
            for path, words in (
                ("/health", b"ok"),
                ("/ready", b'"ready":true'),
                ("/metrics", b"kiitos_database_up 1.0"),
            ):
                with urllib.request.urlopen(f"http://127.0.0.1:{port}{path}", timeout=60) as answer:
                    assert words in answer.read()
            told = subprocess.run(
                [*command, "status", "--json"], capture_output=True, cwd=tmp_path, timeout=120, check=False
            )
            assert len(json.loads(told.stdout)["workers"]) == 1
        finally:
            worker.send_signal(signal.SIGTERM)
            code = worker.wait(120)
        assert code == 0
        said = b""
        while not said.startswith(b"STOPPING"):
            said = manager.recv(200)
    told = subprocess.run([*command, "status", "--json"], capture_output=True, cwd=tmp_path, timeout=120, check=False)
    assert json.loads(told.stdout)["workers"] == []
