"""`[app.dispatcher]`: what may stand there, and what is said of what may not."""

from __future__ import annotations

import json
import os
import subprocess
from contextlib import suppress
from datetime import timedelta
from pathlib import Path

import psycopg
import pytest

from connector.app import build
from connector.config import load_config
from connector.contracts.dispatcher import DueStep
from connector.dispatchers.procrastinate import QUEUE, TASK, Procrastinate, steps_of
from connector.errors import ConfigError, Transient
from connector.registry import Registry
from connector.store import Store
from connector.working.dispatching import dispatcher_of
from tests.dispatch.rig import KIITOS, write_files

MEMORY = {"KIITOS_DATABASE": "sqlite://:memory:"}


def refused(folder: Path, lines: str) -> str:
    kiitos = build(load_config(write_files(folder, lines), MEMORY))
    try:
        with pytest.raises(ConfigError) as found:
            dispatcher_of(kiitos)
    finally:
        kiitos.close()
    return str(found.value)


@pytest.mark.parametrize(
    ("lines", "words"),
    [
        ('kind = "procrastinat"', "did you mean 'procrastinate'"),
        ('kind = "procrastinate"', "needs PostgreSQL"),
        ('kind = "celery"', "app.dispatcher.broker"),
        ('kind = "celery"\nbroker = "mysql://x"', "should be the address of Redis or RabbitMQ"),
        ('kind = "celery"\nbroker = "redis://x"\nquue = "a"', "did you mean 'queue'"),
    ],
)
def test_what_does_not_fit_is_named(tmp_path: Path, lines: str, words: str) -> None:
    assert words in refused(tmp_path, lines)


@pytest.mark.parametrize(
    ("lines", "words"),
    [
        ("kind = 3", 'needs kind = "inline"'),
        ('kind = "inline"\nthreads = 0', "threads should be"),
        ('kind = "inline"\nthreads = true', "threads should be"),
    ],
)
def test_faults_of_the_table_are_those_of_the_file(tmp_path: Path, lines: str, words: str) -> None:
    path = write_files(tmp_path, lines)
    text = path.read_text("utf-8")
    path.write_text(text.replace("threads = 20\n", "", 1), "utf-8")
    with pytest.raises(ConfigError, match=r"app\.dispatcher") as found:
        load_config(path, MEMORY)
    assert words in str(found.value)


@pytest.mark.parametrize("lease", ["1s", "soon"])
def test_a_lease_that_is_none(tmp_path: Path, lease: str) -> None:
    with pytest.raises(ConfigError, match="lease"):
        load_config(write_files(tmp_path, 'kind = "inline"', lease=lease), MEMORY)


def test_what_is_read(tmp_path: Path) -> None:
    (tmp_path / "url").write_text("redis://:secret@127.0.0.1:1/0", "utf-8")
    lines = 'kind = "celery"\nbroker = { file = "url" }'
    config = load_config(write_files(tmp_path, lines, lease="90s", threads=3), MEMORY)
    found = config.app.dispatcher
    assert (found.kind, found.lease, found.threads) == ("celery", timedelta(seconds=90), 3)
    assert found.rest == {"broker": "redis://:secret@127.0.0.1:1/0"}
    assert "secret" not in repr(config.app)


def test_without_a_table_workers_do_it_themselves(tmp_path: Path) -> None:
    path = write_files(tmp_path, 'kind = "inline"')
    kiitos = build(load_config(path, MEMORY))
    assert dispatcher_of(kiitos).inline
    kiitos.close()
    path.write_text(path.read_text("utf-8").replace("[app.dispatcher]", "[app.nothing]"), "utf-8")
    with pytest.raises(ConfigError, match=r"app\.nothing"):
        load_config(path, MEMORY)


def test_steps_are_refused_where_nobody_hands_them_out(tmp_path: Path) -> None:
    path = write_files(tmp_path, 'kind = "inline"')
    command = [str(KIITOS), "-c", str(path), "worker", "--steps"]
    found = subprocess.run(command, env={**os.environ, **MEMORY}, capture_output=True, text=True, check=False)
    assert found.returncode == 1
    assert "app.dispatcher" in found.stderr


def test_a_missing_package_is_named_with_its_extra() -> None:
    class Point:
        name, value = "celery", "nowhere:Celery"

        def load(self) -> None:
            raise ImportError("No module named 'celery'")

    with pytest.raises(ConfigError, match=r"install kiitos\[celery\]"):
        Registry(source=lambda _: [Point()]).dispatcher("celery")


def test_a_broker_that_is_not_there_is_a_matter_of_time(tmp_path: Path) -> None:
    kiitos = build(load_config(write_files(tmp_path, 'kind = "celery"\nbroker = "redis://127.0.0.1:9/0"'), MEMORY))
    dispatcher = dispatcher_of(kiitos)
    with pytest.raises(Transient):
        dispatcher.waiting()
    with pytest.raises(Transient):
        dispatcher.publish([DueStep("s", "r", 0, 1)], timedelta(seconds=5))
    dispatcher.close()
    kiitos.close()


@pytest.mark.postgres
def test_what_is_rolled_back_was_never_handed_out(schema_dsn: str) -> None:
    dispatcher, store = Procrastinate(schema_dsn), Store.open(schema_dsn)
    dispatcher.prepare()
    dispatcher.prepare()
    steps = [DueStep("s", f"r{n}", 0, 1) for n in range(100)]
    with suppress(ZeroDivisionError), store.work.transaction() as tx:
        dispatcher.enlist(tx.connection, steps)
        raise ZeroDivisionError
    assert dispatcher.waiting() == 0
    with store.work.transaction() as tx:
        dispatcher.enlist(tx.connection, steps)
        assert dispatcher.waiting() == 0
    assert dispatcher.waiting() == 100
    with psycopg.connect(schema_dsn) as connection:
        kept = connection.execute(
            "SELECT count(*) FROM procrastinate_jobs WHERE scheduled_at IS NULL AND lock IS NULL"
        ).fetchone()
    assert kept == (10,)
    with store.work.transaction() as tx:
        dispatcher.enlist(tx.connection, steps[:3])
    assert dispatcher.waiting() == 103
    with psycopg.connect(schema_dsn) as connection:
        handed = [due for (due,) in connection.execute("SELECT args -> 'due' FROM procrastinate_jobs ORDER BY id")]
    assert [len(due) for due in handed] == [10] * 10 + [1] * 3, "of a few each is a job of its own"
    assert [step for due in handed for step in steps_of(due)] == [*steps, *steps[:3]]
    with store.work.transaction() as tx:
        dispatcher.enlist(tx.connection, [*steps[:28], steps[28]._replace(again=True), steps[29]])
    with psycopg.connect(schema_dsn) as connection:
        rows = connection.execute("SELECT args -> 'due' FROM procrastinate_jobs ORDER BY id OFFSET 13").fetchall()
    assert [len(due) for (due,) in rows] == [3] * 9 + [2, 1], "who may be deadly goes alone"
    assert steps_of(rows[-1][0]) == [steps[28]]
    dispatcher.close()
    store.close()


@pytest.mark.postgres
def test_a_step_of_the_version_before_is_counted_and_understood(schema_dsn: str) -> None:
    dispatcher = Procrastinate(schema_dsn)
    dispatcher.prepare()
    bare = ["s", "r1", 2, 3]
    with psycopg.connect(schema_dsn) as connection:
        connection.execute(
            "INSERT INTO procrastinate_jobs (queue_name, task_name, args, status) VALUES (%s, %s, %s, 'todo')",
            (QUEUE, TASK, json.dumps({"due": bare})),
        )
    assert dispatcher.waiting() == 1
    assert steps_of(bare) == [DueStep("s", "r1", 2, 3)]
    dispatcher.close()
