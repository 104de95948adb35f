from __future__ import annotations

import sqlite3
import sys
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import pytest

from bench import corpus, native, plan, sql, systems
from bench.plan import Bench

SMALL = replace(plan.QUICK, rounds=1, seconds=0.3, orders=40, burst_seconds=0.0, kills=1, kill_rates=(50,))


class Pretender(systems.System):
    """A whole product in miniature: the Python floor takes webhooks, tests/bench/mailing_worker.py mails them.

    `mode` "hmac" makes a receiver that acknowledges and stores nothing; `drop` a worker that forgets orders.
    """

    name = "ours"
    roles = ("receiver", "worker")
    health_path = "/"

    def __init__(self, mode: str = "store", drop: int = 0) -> None:
        self.mode, self.drop = mode, drop

    def start(self, place: systems.Place) -> systems.Start:
        inbox, here = str(place.where / "inbox.db"), Path(__file__).parent
        receiver = [sys.executable, str(native.HERE / "floor.py"), "-p", str(place.port), "-m", self.mode, "-d", inbox]
        worker = [sys.executable, str(here / "mailing_worker.py"), "--inbox", inbox]
        worker += ["--sent", str(place.where / "sent.db"), "--smtp-port", str(place.sink_port)]
        return systems.Start(
            {
                "receiver": [*receiver, "-k", corpus.SECRET.decode()],
                "worker": [*worker, "--drop", str(self.drop)],
            }
        )

    def keys(self, where: Path) -> set[str]:
        try:
            return {str(key) for (key,) in systems.query(where / "inbox.db", sql.statements()["keys"])}
        except sqlite3.OperationalError:
            return set()


@pytest.fixture
def bench_of(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Callable[..., Bench]:
    """Makes a run of one system in a directory of the test's own; built C parts stay in the shared cache."""
    build = native.build
    cache = native.CACHE
    monkeypatch.setattr(native, "build", lambda name: build(name, cache=cache))
    monkeypatch.setattr(native, "CACHE", tmp_path)

    def make(system: systems.System) -> Bench:
        return Bench(SMALL, (system,))

    return make


@pytest.fixture
def pretender() -> type[Pretender]:
    return Pretender
