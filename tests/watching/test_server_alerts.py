"""The real `kiitos serve` tells by mail that no worker is there; where one lives it tells of everything else."""

from __future__ import annotations

import email
import email.policy
import os
import signal
import sqlite3
import subprocess
import sys
import threading
from collections.abc import Callable, Iterator
from contextlib import closing, contextmanager
from datetime import timedelta
from pathlib import Path
from time import monotonic

import pytest

from connector.clock import SystemClock, to_text
from connector.testing.fakes.smtp import MailSink
from connector.testing.serving import free_port
from connector.watching.patient import SILENT
from tests.watching.conftest import APP

PATIENCE = 90.0
ALERTS = """
[app.alerts]
mail = "ops@agency.example"
sender = "Kiitos <kiitos@agency.example>"
every = "1s"
wait = "0s"
quiet = "1s"
"""


@pytest.fixture
def sink() -> Iterator[MailSink]:
    with MailSink() as made:
        yield made


def write(folder: Path, name: str, port: int, alerts: str = "") -> Path:
    path = folder / name
    path.write_text(APP.replace("127.0.0.1:9", f"127.0.0.1:{port}").replace("#APP", alerts), "utf-8")
    return path


@contextmanager
def running(path: Path, *words: str) -> Iterator[subprocess.Popen[bytes]]:
    """A process of the product's, in a group of its own; whatever is left of it at the end is ended."""
    command = [str(Path(sys.executable).with_name("kiitos")), "-c", str(path), *words]
    with (path.parent / f"{words[0]}.log").open("ab") as log:
        process = subprocess.Popen(command, stdout=log, stderr=log, cwd=path.parent, start_new_session=True)
        try:
            yield process
        finally:
            if process.poll() is None:
                os.killpg(process.pid, signal.SIGTERM)
            process.wait(PATIENCE)


def until(done: Callable[[], object], log: Path) -> None:
    end = monotonic() + PATIENCE
    while not done():
        assert monotonic() < end, log.read_text("utf-8", "replace")[-3000:]
        threading.Event().wait(0.1)


def told(sink: MailSink) -> list[str]:
    """What each mail to the operator says."""
    found = []
    for message in sink.messages:
        assert message.recipients == ("ops@agency.example",)
        body = email.message_from_bytes(message.content, policy=email.policy.default).get_body(("plain",))
        assert body is not None
        found.append(str(body.get_content()))
    return found


def workers(folder: Path) -> list[str]:
    """When each worker said last that it lives."""
    try:
        with closing(sqlite3.connect(f"file:{folder}/var/kiitos.db?mode=ro", uri=True)) as database:
            return [seen for (seen,) in database.execute("SELECT seen_at FROM processes WHERE role = 'worker'")]
    except sqlite3.OperationalError:
        return []  # it is not made yet


def let_time_pass(folder: Path) -> None:
    """As long as a worker may be silent, and a minute."""
    then = to_text(SystemClock().now() - SILENT - timedelta(minutes=1))
    with closing(sqlite3.connect(folder / "var" / "kiitos.db", timeout=30)) as database, database:
        database.execute("UPDATE processes SET seen_at = ? WHERE role = 'worker'", (then,))


def test_without_any_worker_the_server_says_so(tmp_path: Path, sink: MailSink) -> None:
    path = write(tmp_path, "app.toml", sink.port, ALERTS)
    with running(path, "serve", "--port", str(free_port())):
        until(lambda: sink.messages, tmp_path / "serve.log")
    (text,) = told(sink)
    assert "FAIL workers: no worker has said that it lives" in text
    assert "mend it: kiitos worker" in text


def test_a_worker_that_lives_is_not_told_of_until_it_is_killed(tmp_path: Path, sink: MailSink) -> None:
    """The worker itself tells nobody: its file has no [app.alerts], so that every mail is the server's."""
    served, worked = write(tmp_path, "app.toml", sink.port, ALERTS), write(tmp_path, "quiet.toml", sink.port)
    log = tmp_path / "serve.log"
    with running(worked, "worker") as worker:
        until(lambda: workers(tmp_path), tmp_path / "worker.log")
        with running(served, "serve", "--port", str(free_port())):
            until(lambda: "backup: no backup was ever made" in "".join(told(sink)), log)
            assert "workers" not in "".join(told(sink))
            os.killpg(worker.pid, signal.SIGKILL)
            worker.wait(PATIENCE)
            let_time_pass(tmp_path)
            until(lambda: "FAIL workers: the last worker said 4 minutes ago that it lives" in "".join(told(sink)), log)
            with running(worked, "worker"):
                until(lambda: "SOLVED workers" in "".join(told(sink)), log)
