"""Processes that start together on a new database: one makes it, the others wait, and nobody backs up half of it."""

from __future__ import annotations

import contextlib
import threading
from collections.abc import Callable
from concurrent.futures import Future, ThreadPoolExecutor
from pathlib import Path

import pytest

from connector.app import load
from connector.config import load_config
from connector.errors import KiitosError
from connector.keeping import starting
from connector.keeping.backup import list_backups
from connector.store.database import Database
from connector.store.db import Tx
from connector.store.migrate import migrate

MORE = '[backup]\nto = "copies"\nkey = { file = "backup.key" }\n'


class Halfway:
    """The first process stops in the middle of its migrations until it is let go."""

    def __init__(self, monkeypatch: pytest.MonkeyPatch) -> None:
        monkeypatch.setattr("connector.store.store.migrate_schema", migrate)  # as it is outside of tests
        self.reached, self.go = threading.Event(), threading.Event()
        apply, count = Database.apply, [0]

        def slowly(database: Database, script: str, tx: Tx) -> None:
            if threading.current_thread().name.startswith("first"):
                count[0] += 1
                if count[0] == 6:
                    self.reached.set()
                    assert self.go.wait(60)
            apply(database, script, tx)

        monkeypatch.setattr(Database, "apply", slowly)


def start(name: str, app: Path) -> tuple[ThreadPoolExecutor, Future[None]]:
    pool = ThreadPoolExecutor(1, thread_name_prefix=name)
    return pool, pool.submit(lambda: load(app).close())


@pytest.fixture(params=["sqlite", pytest.param("postgres", marks=pytest.mark.postgres)])
def app(request: pytest.FixtureRequest, write_app: Callable[..., Path]) -> Path:
    if request.param == "sqlite":
        return write_app(more=MORE)
    return write_app(request.getfixturevalue("schema_dsn"), MORE)


def test_who_comes_second_waits_and_backs_up_nothing(app: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    halfway = Halfway(monkeypatch)
    first_pool, first = start("first", app)
    with first_pool:
        assert halfway.reached.wait(60)
        second_pool, second = start("second", app)
        with second_pool:
            with pytest.raises(TimeoutError):
                second.result(1.0)
            halfway.go.set()
            first.result(60)
            second.result(60)
    assert list_backups(load_config(app).backup) == []


def test_without_waiting_half_a_database_is_taken_for_an_older_one(app: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """The control."""
    monkeypatch.setattr(starting, "_first", lambda _: contextlib.nullcontext())
    halfway = Halfway(monkeypatch)
    tried: list[object] = []
    monkeypatch.setattr("connector.keeping.upgrading.secure", lambda *_: tried.append("a backup"))
    first_pool, first = start("first", app)
    with first_pool:
        assert halfway.reached.wait(60)
        second_pool, second = start("second", app)
        with second_pool:
            for _ in range(600):
                if tried:
                    break
                threading.Event().wait(0.1)
            halfway.go.set()
            with contextlib.suppress(KiitosError):
                first.result(60)
            with contextlib.suppress(KiitosError):
                second.result(60)
    assert tried == ["a backup"]
