"""Runs the load generator and reads its answer."""

from __future__ import annotations

import json
import subprocess
import sys
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from bench import corpus, native

OWN_CPU_LIMIT = 0.6  # share of one core above which the generator, not the server, sets the rate


@dataclass(frozen=True, slots=True, kw_only=True)
class Load:
    """What to send. `rate` of `None` is the closed loop; `count` and `seconds` both bound the run.

    `wrong_percent` of the requests carry a wrong signature (401 is then the right answer); `repeat_every` n makes the
    ids come again after n requests (a duplicate must be answered 200 and stored once).
    """

    connections: int
    seconds: float
    rate: float | None = None
    count: int | None = None
    id_base: int = 0
    wrong_percent: int = 0
    repeat_every: int = 0
    ack_file: Path | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Outcome:
    """What came back. Times in milliseconds, `started` and `ended` on the monotonic clock, `rate` per second.

    In the open loop latency counts from the instant a request was due.
    """

    issued: int
    ok: int
    rejected: int
    non_2xx: int
    resets: int
    reconnects: int
    unanswered: int
    seconds: float
    rate: float
    p50_ms: float
    p99_ms: float
    p999_ms: float
    max_ms: float
    cpu_seconds: float
    cpu_share: float
    started: float
    ended: float
    statuses: Mapping[str, int] = field(default_factory=dict)

    @property
    def errors(self) -> int:
        """Any at all voids the run."""
        return self.non_2xx + self.resets + self.unanswered

    @property
    def generator_bound(self) -> bool:
        return self.cpu_share > OWN_CPU_LIMIT


def read_outcome(text: str) -> Outcome:
    """Raises `ValueError` when `text` is not the generator's one JSON object."""
    try:
        answer: dict[str, Any] = json.loads(text)
        return Outcome(**answer)
    except (json.JSONDecodeError, TypeError) as error:
        raise ValueError(f"the load generator said {text[:200]!r}, not its JSON: {error}") from error


def arguments(load: Load, port: int, path: str, headers: Mapping[str, str], corpus_file: Path) -> list[str]:
    """The command line both generators understand."""
    given = ["-p", str(port), "-u", path, "-f", str(corpus_file), "-c", str(load.connections), "-d", str(load.seconds)]
    for name, value in headers.items():
        given += ["-H", f"{name}: {value}"]
    options = {
        "-r": load.rate,
        "-n": load.count,
        "-s": load.id_base or None,
        "-w": load.wrong_percent or None,
        "-k": load.repeat_every or None,
        "-a": load.ack_file,
    }
    for flag, value in options.items():
        if value is not None:
            given += [flag, str(value)]
    return given


HEADERS = {
    "X-Shopify-Topic": corpus.TOPIC,
    "X-Shopify-Shop-Domain": corpus.SHOP_DOMAIN,
    "X-Shopify-API-Version": corpus.API_VERSION,
    "User-Agent": "Shopify-Captain-Hook",
}
ID_PREFIX = "6b696974-6f73-4000-8000-"


def program() -> list[str]:
    built = native.build("lg")
    return [str(built)] if built else [sys.executable, str(native.HERE / "lg.py")]


def start(load: Load, port: int, path: str, corpus_file: Path) -> subprocess.Popen[str]:
    """Begins a run in the background (the kill test); `finish` reads it."""
    command = program() + arguments(load, port, path, HEADERS, corpus_file)
    return subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True)


def finish(running: subprocess.Popen[str], patience: float) -> Outcome:
    """Raises `RuntimeError` when the generator could not start or did not end in `patience` seconds."""
    try:
        out, error = running.communicate(timeout=patience)
    except subprocess.TimeoutExpired as stuck:
        running.kill()
        running.communicate()
        raise RuntimeError(f"the load generator did not end within {patience:.0f} s") from stuck
    if running.returncode:
        raise RuntimeError(f"the load generator failed: {error.strip()[:300]}")
    return read_outcome(out)


def run(load: Load, port: int, path: str, corpus_file: Path) -> Outcome:
    """One run, bounded by the load's own seconds plus the 10 s in which answers may still arrive."""
    return finish(start(load, port, path, corpus_file), load.seconds + 30)


def acknowledged(ack_file: Path) -> dict[str, int]:
    """Webhook id (as the server saw it) of every acknowledged request -> number of its body in the corpus."""
    pairs = (line.split() for line in ack_file.read_text().splitlines())
    return {f"{ID_PREFIX}{digits}": int(index) for digits, index in pairs}
