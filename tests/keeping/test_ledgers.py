"""Whose send ledger a restore was given and whose it was not: what is not known is said, and refused without a word."""

from __future__ import annotations

import json
import os
import shutil
import socket
from collections.abc import Callable, Mapping
from datetime import timedelta
from pathlib import Path

import pytest
from click.testing import CliRunner, Result

from connector.app import load
from connector.cli import cli
from connector.clock import ManualClock, SystemClock
from connector.config import load_config
from connector.keeping import ledgers
from connector.keeping.ledgers import IDENTITY, WORKER, announce, in_use, lately, name_of
from connector.send_ledger import SendLedger
from connector.store import meta, restored
from connector.store.db import Tx
from tests.store.examples import NOW

SHOP = "acme-main"
MORE = '[backup]\nto = "copies"\nkey = {{ file = "backup.key" }}\nledger = "{}"\n'


def run(app: Path, *words: str) -> Result:
    return CliRunner().invoke(cli, ["-c", str(app), *words], catch_exceptions=False)


def backed_up(app: Path, *hosts: str, without: str = "") -> None:
    """A backup that knows of this machine's ledger and those of `hosts`, in folders of their names; one has none."""
    kiitos = load(app)
    clock = kiitos.clock
    announce(kiitos.store, kiitos.config, clock, WORKER)
    with kiitos.store.work.transaction() as tx:
        for host in hosts:
            put(tx, name_of(app.parent / host, clock), host)
        if without:
            put(tx, f"none/{without}", without)
    kiitos.close()
    assert run(app, "backup", "--json").exit_code == 0


def put(tx: Tx, name: str, host: str, age: timedelta = timedelta()) -> None:
    now = SystemClock().now()
    said = {"host": host, "role": WORKER, "at": f"{now - age:%Y-%m-%dT%H:%M:%S.%fZ}"}
    meta.put(tx, f"{ledgers.PREFIX}{name}/{WORKER}", json.dumps(said), now)


def left(folder: Path, *keys: str) -> None:
    ledger = SendLedger(folder, "w", SystemClock(), boot="b")
    ledger.begin({key: (SHOP, key) for key in keys})
    for key in keys:
        ledger.accepted(key)
    ledger.close()


def put_back(app: Path, *words: str) -> dict[str, object]:
    done: dict[str, object] = json.loads(run(app, "restore", "from", "latest", "--json", *words).stdout)
    return done


def test_the_ledgers_of_all_workers_are_taken_in_and_released(write_app: Callable[..., Path]) -> None:
    app = write_app(more=MORE.format("sent"))
    backed_up(app, "w2", "w3")
    for number, host in enumerate(("sent", "w2", "w3")):
        left(app.parent / host, f"key{number}")
    done = put_back(app, *(word for host in ("w2", "w3") for word in ("--ledger", str(app.parent / host))))
    assert (done["gaps"], done["sent_since"]) == ([], 3)
    released = run(app, "restore", "release", "--anyway")
    assert released.exit_code == 0, released.output


def test_a_worker_whose_ledger_is_missing_is_named_and_its_folder_can_be_brought_later(
    write_app: Callable[..., Path],
) -> None:
    app = write_app(more=MORE.format("sent"))
    backed_up(app, "w2", "w3")
    left(app.parent / "sent", "key0")
    left(app.parent / "w3", "key3")
    done = put_back(app, "--ledger", str(app.parent / "w2"))
    assert done["gaps"] == ["the send ledger of the worker on w3 is not among the folders"]
    assert done["sent_since"] == 1
    refused = run(app, "restore", "release", "--anyway")
    assert refused.exit_code == 1
    assert "not known: the send ledger of the worker on w3" in refused.stderr
    assert "would be sent again" in refused.stderr
    assert "between 20" in refused.stderr
    moved = app.parent / "copied-from-w3"
    shutil.copytree(app.parent / "w3", moved)
    brought = run(app, "restore", "ledger", str(moved))
    assert "1 effects had been sent" in brought.stdout
    assert "nobody knows" not in brought.stdout
    kiitos = load(app)
    with kiitos.store.work.read() as tx:
        assert restored.counts(tx) == {"sent": (2, 0)}
    kiitos.close()
    assert run(app, "restore", "release", "--anyway").exit_code == 0
    late = run(app, "restore", "ledger", str(moved))
    assert (late.exit_code, "nothing is held" in late.stderr) == (1, True)


@pytest.mark.parametrize("ledger", ["sent", "off"])
def test_without_any_ledger_it_says_that_nobody_knows(write_app: Callable[..., Path], ledger: str) -> None:
    app = write_app(more=MORE.format(ledger))
    backed_up(app)
    shutil.rmtree(app.parent / "sent", ignore_errors=True)
    told = run(app, "restore", "from", "latest")
    assert "nobody knows all that was sent" in told.stdout
    assert "there is no send ledger" in told.stdout
    assert "0 effects had been sent" not in told.stdout.split("what is known")[0]
    status = run(app, "restore", "status")
    assert "nobody knows all that was sent between 20" in status.stdout
    assert run(app, "restore", "release").exit_code == 1
    assert run(app, "restore", "release", "--anyway").exit_code == 1, "repeated without a person's word"
    released = run(app, "restore", "release", "--anyway", "--without-ledger")
    assert released.exit_code == 0
    assert json.loads(run(app, "restore", "status", "--json").stdout) == {"held": False}


def test_a_worker_that_keeps_none_is_a_gap_and_a_machine_of_long_ago_is_not(write_app: Callable[..., Path]) -> None:
    app = write_app(more=MORE.format("sent"))
    kiitos = load(app)
    with kiitos.store.work.transaction() as tx:
        put(tx, "somename", "gone", age=timedelta(days=9))
        assert [one.host for one in in_use(tx)] == ["gone"]
        assert lately(tx, SystemClock().now()) == []
        assert [one.host for one in lately(tx, SystemClock().now() - timedelta(days=8))] == ["gone"]
    kiitos.close()
    backed_up(app, without="w9")
    assert put_back(app)["gaps"] == ["a worker on w9 kept no send ledger"]


def test_a_ledger_that_was_begun_anew_is_not_the_one_that_is_missing(write_app: Callable[..., Path]) -> None:
    """The disk was lost; the folder is there again, with another name and another life."""
    app = write_app(more=MORE.format("sent"))
    backed_up(app)
    shutil.rmtree(app.parent / "sent")
    name_of(app.parent / "sent", SystemClock())
    assert put_back(app)["gaps"] == [
        f"the send ledger of the worker on {socket.gethostname()} is not among the folders"
    ]


def test_a_file_that_cannot_be_read_is_a_gap(write_app: Callable[..., Path]) -> None:
    app = write_app(more=MORE.format("sent"))
    backed_up(app)
    left(app.parent / "sent", "key0")
    assert put_back(app)["gaps"] == []
    (path,) = (app.parent / "sent").glob("*.sent")
    path.write_bytes(b"\xff" * 50)
    assert put_back(app)["gaps"] == [f"{path.name} of a send ledger cannot be read (UnicodeDecodeError)"]


def test_a_backup_older_than_what_a_ledger_keeps_is_a_gap(write_app: Callable[..., Path]) -> None:
    app = write_app(more=MORE.format("sent"))
    kiitos = load(app)
    announce(kiitos.store, kiitos.config, kiitos.clock, WORKER)
    now, keep = kiitos.clock.now(), timedelta(days=45)
    with kiitos.store.work.read() as tx:
        looked = {days: ledgers.look(tx, [app.parent / "sent"], [], now - timedelta(days=days), now, keep)[1]
                  for days in (44, 46)}  # fmt: skip
    kiitos.close()
    assert looked == {44: [], 46: ["the backup is older than the 45 days for which a send ledger is kept"]}


def test_a_name_is_given_once_whoever_asks_and_moves_with_the_folder(tmp_path: Path) -> None:
    clock = ManualClock(NOW)
    first = name_of(tmp_path / "a", clock)
    assert first
    assert name_of(tmp_path / "a", SystemClock()) == first
    shutil.copytree(tmp_path / "a", tmp_path / "b")
    assert name_of(tmp_path / "b", clock) == first
    assert [path.name for path in (tmp_path / "a").iterdir()] == [IDENTITY], "drafts are left lying about"


def test_a_file_system_without_links_will_do(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def refuse(*_: object) -> None:
        raise PermissionError("no links here")

    monkeypatch.setattr(os, "link", refuse)
    assert len(name_of(tmp_path, SystemClock())) > 10
    assert [path.name for path in tmp_path.iterdir()] == [IDENTITY]


def test_with_postgres_it_is_on_where_a_worker_may_write(
    write_app: Callable[..., Path], monkeypatch: pytest.MonkeyPatch
) -> None:
    """And stays where it is when a backup is put back into a database of another name."""
    app = write_app("postgresql://kiitos@db.internal/kiitos")
    assert load_config(app).ledger_folder == app.parent / "var" / "app-sent"
    assert load_config(write_app("postgresql://kiitos@db.internal/other")).ledger_folder == app.parent / "var/app-sent"
    monkeypatch.setattr("connector.config.backups.os.access", lambda *_: False)
    assert load_config(app).ledger_folder is None
    named = write_app("postgresql://kiitos@db.internal/kiitos", '[backup]\nledger = "/nowhere/sent"\n')
    assert load_config(named).ledger_folder == Path("/nowhere/sent"), "what is named is kept, or nothing is sent"


def test_what_hinders_saying_so_is_no_end(write_app: Callable[..., Path], monkeypatch: pytest.MonkeyPatch) -> None:
    app = write_app(more=MORE.format("sent"))
    (app.parent / "sent").write_text("a file in its place")
    kiitos = load(app)
    announce(kiitos.store, kiitos.config, kiitos.clock, WORKER)
    with kiitos.store.work.read() as tx:
        assert list(in_use(tx)) == []
    kiitos.close()


def test_the_process_of_a_worker_says_where_it_writes(write_app: Callable[..., Path]) -> None:
    app = write_app(more=MORE.format("sent"))
    done = run(app, "worker", "--once")
    assert done.exit_code == 0, done.output
    kiitos = load(app)
    with kiitos.store.work.read() as tx:
        found: Mapping[str, str] = {one.name: one.role for one in in_use(tx)}
    kiitos.close()
    assert found == {name_of(app.parent / "sent", SystemClock()): WORKER}
