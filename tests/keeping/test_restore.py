"""A backup put back: held, told what it cannot know, refused where it would do harm."""

from __future__ import annotations

import json
import subprocess
import sys
from collections.abc import Callable
from contextlib import closing
from dataclasses import replace
from datetime import timedelta
from pathlib import Path
from typing import ClassVar

import psycopg
import pytest
from click.testing import CliRunner, Result
from sqlite_utils.utils import sqlite3 as driver  # type: ignore[attr-defined]

from connector.app import Kiitos, load
from connector.cli import cli
from connector.clock import SystemClock, to_text
from connector.contracts import Accepted, Channel
from connector.errors import ConfigError, StoreUnavailable
from connector.keeping.forgotten import note_people, note_shop
from connector.model import Effect, EffectStatus, Purpose, Run, RunStatus
from connector.privacy import Privacy
from connector.send_ledger import SendLedger, key_of
from connector.store import Store, effects, entities, inbox, meta, privacy, restored, runs
from connector.store.db import Sqlite
from connector.store.restored import Before, Known
from connector.watching.retention import Retention
from connector.worker import Worker
from connector.working import standstill
from connector.working.restored import sift
from connector.working.standstill import Standstill
from flows.outbox import LEASE
from tests.keeping.conftest import fill
from tests.store.examples import NOW, delivery, order_event
from tests.store.examples import effect as an_effect
from tests.store.examples import order as an_order
from tests.store.examples import run as a_run

SHOP = "acme-main"


def kiitos_run(app: Path, *words: str) -> Result:
    return CliRunner().invoke(cli, ["-c", str(app), *words], catch_exceptions=True)


@pytest.fixture
def app(write_app: Callable[..., Path]) -> Path:
    """An installation with a backup made of it."""
    app = write_app(more='[backup]\nto = "copies"\nkey = { file = "backup.key" }\n')
    kiitos = load(app)
    fill(kiitos.store)
    kiitos.close()
    made = kiitos_run(app, "backup", "--json")
    assert made.exit_code == 0, made.output
    return app


def rows(app: Path, name: str = "kiitos.db") -> int:
    with closing(driver.connect(str(app.with_name(name)))) as raw:
        table = "meta" if name == "kiitos.db" else "inbox"
        return int(raw.execute(f"SELECT COUNT(*) FROM {table}").fetchone()[0])


def test_lost_files_come_back_and_are_held(app: Path) -> None:
    for path in app.parent.glob("*.db*"):
        if path.is_file():
            path.unlink()
    done = json.loads(kiitos_run(app, "restore", "from", "latest", "--json").stdout)
    assert done["aside"] == []
    assert done["inbox"] == "the backup's"
    kiitos = load(app)
    with kiitos.store.work.read() as tx:
        held = standstill.read(tx)
        assert meta.get(tx, "row/7") is not None
    assert held is not None
    assert held.why is Standstill.RESTORED
    with kiitos.store.inbox.read() as tx:
        assert inbox.count(tx) == 20
    kiitos.close()
    assert kiitos_run(app, "restore", "release").exit_code == 1
    assert kiitos_run(app, "restore", "release", "--anyway", "--without-ledger").exit_code == 0
    assert json.loads(kiitos_run(app, "restore", "status", "--json").stdout) == {"held": False}


def test_an_intact_newer_inbox_stays_and_what_was_there_is_laid_aside(app: Path) -> None:
    kiitos = load(app)
    fill(kiitos.store, 5, start=20)
    kiitos.close()
    done = json.loads(kiitos_run(app, "restore", "from", "latest", "--json").stdout)
    assert "newer" in done["inbox"]
    assert rows(app, "inbox.db") == 25
    (aside,) = done["aside"]
    with closing(driver.connect(aside)) as raw:
        assert raw.execute("SELECT 1 FROM meta WHERE name = 'row/24'").fetchone()
    replaced = json.loads(kiitos_run(app, "restore", "from", "latest", "--inbox", "replace", "--json").stdout)
    assert len(replaced["aside"]) == 2
    assert rows(app, "inbox.db") == 20


def test_an_inbox_of_something_else_is_not_kept(app: Path) -> None:
    path = app.with_name("inbox.db")
    path.unlink()
    other = Store.open(f"sqlite:///{app.parent}/other/work.db", inbox_url=f"sqlite:///{path}")
    with other.inbox.transaction() as tx:
        inbox.put_many(tx, [delivery(f"other{n}") for n in range(30)])
    other.close()
    with pytest.raises(StoreUnavailable, match="not the inbox this backup was made of"):
        raise kiitos_run(app, "restore", "from", "latest", "--inbox", "keep").exception or AssertionError
    assert json.loads(kiitos_run(app, "restore", "from", "latest", "--json").stdout)["inbox"] == "the backup's"


def test_a_database_in_use_is_left_alone(app: Path) -> None:
    kiitos = load(app)
    with kiitos.store.work.read() as tx:
        assert meta.get(tx, "row/1")
    result = kiitos_run(app, "restore", "from", "latest")
    assert isinstance(result.exception, StoreUnavailable)
    assert "is in use; stop" in str(result.exception)
    with kiitos.store.work.read() as tx:
        assert standstill.read(tx) is None
    kiitos.close()
    assert not list(app.parent.glob("*.before-restore-*"))


def test_a_damaged_database_is_replaced_with_its_log_laid_aside(app: Path) -> None:
    path = app.with_name("kiitos.db")
    path.write_bytes(b"SQLite format 3\x00" + b"\xff" * 8000)
    path.with_name("kiitos.db-wal").write_bytes(b"\x37\x7f\x06\x82" + b"\xff" * 500)
    assert kiitos_run(app, "restore", "from", "latest").exit_code == 0
    assert rows(app) > 20
    assert list(app.parent.glob("kiitos.db.before-restore-*"))
    assert not app.with_name("kiitos.db-wal").exists() or rows(app) > 20, "the damaged log would be applied to the new"


def test_another_master_key_is_found_out_before_anything_is_replaced(app: Path) -> None:
    import base64

    app.with_name("master.key").write_text(base64.b64encode(b"another key of 32 bytes, really!").decode())
    with pytest.raises(ConfigError, match="needs encryption key"):
        raise kiitos_run(app, "restore", "from", "latest").exception or AssertionError
    with closing(driver.connect(str(app.with_name("kiitos.db")))) as raw:
        assert raw.execute("SELECT value FROM meta WHERE name = 'standstill'").fetchone() is None
    assert not list(app.parent.glob("*.before-restore-*"))


def test_a_backup_of_a_newer_kiitos_names_the_version(
    app: Path, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    import shutil

    from connector.keeping import restoring
    from connector.store.sql import MIGRATIONS

    older = tmp_path / "migrations"
    shutil.copytree(MIGRATIONS, older)
    newest = sorted((older / "work").glob("*.sql"))[-1]
    newest.unlink()
    monkeypatch.setattr(restoring, "MIGRATIONS", older)
    with pytest.raises(ConfigError, match=rf"was made by Kiitos .* which is newer \(migration '{newest.stem}'\)"):
        raise kiitos_run(app, "restore", "from", "latest").exception or AssertionError


def test_who_was_forgotten_after_the_backup_is_forgotten_again(app: Path) -> None:
    kiitos = load(app)
    with kiitos.store.work.transaction() as tx:
        for number, email in (("501", "aino@example.test"), ("502", "eino@example.test")):
            order = replace(an_order(number, email=email), customer=None)
            entities.apply(tx, SHOP, order_event(order), kiitos.clock.now())
    salt = kiitos.salt
    kiitos.close()
    kiitos_run(app, "backup")
    folder = app.parent / "kiitos.db-sent"
    note_people(folder, SHOP, [privacy.key_of(salt, SHOP, "email", "aino@example.test")], SystemClock().now())
    note_shop(folder, "acme-gone", SystemClock().now())
    assert json.loads(kiitos_run(app, "restore", "from", "latest", "--json").stdout)["forgotten_since"] == 2
    kiitos = load(app)
    with kiitos.store.work.read() as tx:
        assert privacy.anybody(tx, SHOP)
        (request,) = privacy.trail(tx, SHOP)
        assert (request.kind, request.source, request.subject) == (
            privacy.ERASE_CUSTOMER,
            "restore",
            {"email": "aino@example.test"},
        )
    Privacy(kiitos).work()
    with kiitos.store.work.read() as tx:
        assert entities.order(tx, SHOP, "501") is None
        assert entities.order(tx, SHOP, "502") is not None
    kiitos.close()


def test_what_the_lost_workers_were_about_to_send_is_decided_at_once(app: Path) -> None:
    """Their leases would last for minutes yet, and nobody is there who holds them."""
    kiitos = load(app)
    now = kiitos.clock.now()
    begun = put_effect(kiitos, a_run("r7", shop_id=SHOP), status=EffectStatus.SENDING, lease_until=now + LEASE)
    kiitos.close()
    kiitos_run(app, "backup")
    kiitos_run(app, "restore", "from", "latest")
    kiitos = load(app)
    with kiitos.store.work.read() as tx:
        assert [one.id for one in effects.expired(tx, kiitos.clock.now(), 9)] == [begun.id]
        assert effects.expired(tx, now, 9) == [], "the lease had ended before: this shows nothing"
    kiitos.close()


def test_what_left_before_is_kept_as_long_as_the_ledger(app: Path) -> None:
    kiitos = load(app)
    now, keep = kiitos.clock.now(), kiitos.config.backup.ledger_keep
    with kiitos.store.work.transaction() as tx:
        old = Before(SHOP, "old", Known.SENT, now - keep - timedelta(days=1))
        restored.put(tx, [old, Before(SHOP, "new", Known.SENT, now - keep + timedelta(days=1))])
    while Retention(kiitos).work():
        pass
    with kiitos.store.work.read() as tx:
        assert sorted(restored.of(tx, SHOP, ["old", "new"])) == ["new"]
    kiitos.close()


class Counting(Channel):
    """Takes everything."""

    name: ClassVar[str] = "counting"
    medium: ClassVar[str] = "email"

    def __init__(self) -> None:
        self.taken: list[str] = []

    @classmethod
    def from_settings(cls, settings: object, clock: object) -> Counting:
        return cls()

    def send_all(self, messages: object, on_wire: object = None) -> object:
        for message in messages:  # type: ignore[attr-defined]
            self.taken.append(message.recipient)
            yield Accepted(key=message.key)


def put_effect(kiitos: Kiitos, about: Run, **changes: object) -> Effect:
    effect = an_effect(f"{about.id}:ask", shop_id=SHOP, run_id=about.id, **changes)
    with kiitos.store.work.transaction() as tx:
        assert runs.start(tx, about)
        assert effects.put(tx, effect)
    return effect


@pytest.mark.parametrize(
    ("purpose", "fate", "status", "tainted"),
    [
        (Purpose.REVIEW, Known.SENT, EffectStatus.SENT, False),
        (Purpose.TRANSACTIONAL, Known.SENT, EffectStatus.SENT, False),
        (Purpose.REVIEW, Known.DOUBT, EffectStatus.UNCERTAIN, True),
        (Purpose.TRANSACTIONAL, Known.DOUBT, EffectStatus.PENDING, True),
    ],
)
def test_what_left_before_is_recognised(
    app: Path, purpose: Purpose, fate: Known, status: EffectStatus, tainted: bool
) -> None:
    kiitos = load(app)
    now = kiitos.clock.now()
    flow = next(one for one in kiitos.catalog.flows(SHOP) if one.id == "order-confirmation")
    with kiitos.store.work.transaction() as tx:
        assert kiitos.catalog.version(tx, SHOP, flow.id, flow.version) is flow
    about = a_run(
        "r9", shop_id=SHOP, entry_key="order/501", status=RunStatus.ACTING, flow_id=flow.id, version=flow.version
    )
    effect = put_effect(kiitos, about, purpose=purpose, created_at=now, due_at=now)
    assert sift_all(kiitos, effect) == [effect], "without anything known it is to be done"
    sent_at = now - timedelta(hours=3)
    with kiitos.store.work.transaction() as tx:
        # Under another run, as a restored database that began it anew would have it.
        key = key_of(kiitos.salt, an_effect("r1:ask", shop_id=SHOP), replace(about, id="r1"))
        restored.put(tx, [Before(SHOP, key, fate, sent_at)])
        restored.put(tx, [Before(SHOP, key, Known.DOUBT, sent_at)])  # once known as sent it stays so
    assert sift_all(kiitos, effect) == []
    with kiitos.store.work.read() as tx:
        after = effects.get(tx, SHOP, effect.id)
        assert restored.counts(tx) == {fate.value: (1, 1)}
    assert after is not None
    assert (after.status, after.tainted) == (status, tainted)
    if status is EffectStatus.SENT:
        assert after.done_at == sent_at, "caps would count it as sent today"
    if status is EffectStatus.PENDING:
        assert sift_all(kiitos, after) == [after], "it would never go out"
    kiitos.close()


def sift_all(kiitos: Kiitos, effect: Effect) -> list[Effect]:
    with kiitos.store.work.transaction() as tx:
        return sift(kiitos, tx, [effect], kiitos.clock.now())


@pytest.mark.parametrize("why", [Standstill.RESTORED, Standstill.MOVING])
def test_a_worker_that_is_held_sends_nothing(app: Path, why: Standstill) -> None:
    kiitos = load(app)
    channel = Counting()
    kiitos.use_channel("mail", channel)  # type: ignore[arg-type]
    worker = Worker(kiitos)
    acted: list[int] = []
    worker.carrier.act = lambda: acted.append(1) or 0  # type: ignore[method-assign,func-returns-value]
    with kiitos.store.work.transaction() as tx:
        standstill.begin(tx, why, kiitos.clock.now())
    done = worker.tick()
    assert acted == []
    assert (done.deliveries > 0) == (why is Standstill.RESTORED), "a restored one reads on, one that is moved does not"
    with kiitos.store.work.transaction() as tx:
        standstill.end(tx, kiitos.clock.now())
    worker.tick()
    assert acted == [1]
    kiitos.close()


def test_a_ledger_of_another_machine_is_named(app: Path, tmp_path: Path) -> None:
    theirs = tmp_path / "other-machine"
    ledger = SendLedger(theirs, "w2", SystemClock(), boot="b")
    ledger.begin({"m": (SHOP, "somekey")})
    ledger.accepted("m")
    ledger.close()
    done = json.loads(kiitos_run(app, "restore", "from", "latest", "--ledger", str(theirs), "--json").stdout)
    assert done["sent_since"] == 1
    assert to_text(NOW)


def test_postgres_is_restored_into_an_empty_database(
    write_app: Callable[..., Path], schema_dsn: str, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    """By pg_dump and by COPY; with a schema of the test's own in the place of a database."""
    import shutil

    from connector.keeping import backup as backing_up

    app = write_app(f"{schema_dsn}", '[backup]\nto = "copies"\nledger = "sent"\nkey = { file = "backup.key" }\n')
    kiitos = load(app)
    fill(kiitos.store)
    kiitos.close()
    ledger = SendLedger(tmp_path / "sent", "w", SystemClock())
    ledger.begin({"m": (SHOP, "somekey")})
    found = shutil.which
    for how, tool in (("pg_dump", found), ("COPY", lambda _name: None)):
        monkeypatch.setattr(backing_up.shutil, "which", tool)
        made = json.loads(kiitos_run(app, "backup", "--json").stdout)
        assert made["how"].startswith(how)
        monkeypatch.undo()
        full = kiitos_run(app, "restore", "from", made["name"])
        assert "is not empty" in str(full.exception)
        with psycopg.connect(schema_dsn, autocommit=True) as raw:
            schema = raw.execute("SELECT current_schema()").fetchone()
            raw.execute(f'DROP SCHEMA "{schema[0]}" CASCADE')  # type: ignore[index]
            raw.execute(f'CREATE SCHEMA "{schema[0]}"')  # type: ignore[index]
        done = json.loads(kiitos_run(app, "restore", "from", made["name"], "--json").stdout)
        assert done["in_doubt"] == 1
        kiitos = load(app)
        with kiitos.store.work.transaction() as tx:
            held = standstill.read(tx)
            assert held is not None
            assert held.detail["backup"] == made["name"]
            assert inbox.count(tx) == 20
            inbox.put_many(tx, [delivery("after-the-restore")])
            assert inbox.last_id(tx) == 21, "numbers begin again: deliveries would be taken for known ones"
            standstill.end(tx, kiitos.clock.now())
            tx.script("DELETE FROM inbox WHERE id = 21")
            tx.script("DELETE FROM delivery_progress WHERE delivery_id = 21")
        kiitos.close()
    assert isinstance(Sqlite, type)


KILLED = """
import os, sys
from connector.cli import cli
from connector.keeping import restoring_postgres
restoring_postgres.take_in = lambda *_: os._exit(9)
cli(["-c", sys.argv[1], "restore", "from", "latest"])
"""


def test_a_restore_of_postgres_that_was_killed_says_so_and_is_finished(
    write_app: Callable[..., Path], schema_dsn: str
) -> None:
    """Killed with everything copied and nothing known of what left since: the worst moment to begin to send."""
    app = write_app(f"{schema_dsn}", '[backup]\nto = "copies"\nledger = "sent"\nkey = { file = "backup.key" }\n')
    kiitos = load(app)
    fill(kiitos.store)
    kiitos.close()
    made = json.loads(kiitos_run(app, "backup", "--json").stdout)
    with psycopg.connect(schema_dsn, autocommit=True) as raw:
        schema = raw.execute("SELECT current_schema()").fetchone()
        raw.execute(f'DROP SCHEMA "{schema[0]}" CASCADE')  # type: ignore[index]
        raw.execute(f'CREATE SCHEMA "{schema[0]}"')  # type: ignore[index]
    try:
        done = subprocess.run([sys.executable, "-c", KILLED, str(app)], capture_output=True, timeout=120, check=False)
        assert done.returncode == 9, done.stderr
        with pytest.raises(StoreUnavailable, match=f"the restore of {made['name']} was cut off.*kiitos restore from"):
            load(app)
        with psycopg.connect(schema_dsn, autocommit=True) as raw, pytest.raises(psycopg.errors.ReadOnlySqlTransaction):
            raw.execute("CREATE TABLE by_somebody_else (x int)")
        assert kiitos_run(app, "restore", "from", "latest").exit_code == 0
    finally:
        with psycopg.connect(schema_dsn, autocommit=True) as raw:
            raw.execute("SET default_transaction_read_only = off")
            raw.execute("ALTER DATABASE postgres RESET default_transaction_read_only")
    kiitos = load(app)
    with kiitos.store.work.transaction() as tx:
        held = standstill.read(tx)
        assert held is not None
        assert held.detail["backup"] == made["name"]
        assert inbox.count(tx) == 20
    kiitos.close()
