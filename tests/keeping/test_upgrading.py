"""`kiitos db status`, `upgrade`, `downgrade`, and the backup that is made before a start changes the schema."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path

import pytest
from click.testing import CliRunner, Result

from connector.app import load
from connector.cli import cli
from connector.config import load_config
from connector.errors import ConfigError, StoreUnavailable
from connector.keeping.backup import list_backups
from connector.keeping.repository import FolderRepository
from connector.store import Store, meta
from connector.store.migrate import applied, migrate
from connector.store.way_back import files_of
from tests.store.examples import NOW

OLD = "0018_links"
MORE = '[backup]\nto = "copies"\nkey = { file = "backup.key" }\n'


def run(app: Path, *words: str) -> Result:
    return CliRunner().invoke(cli, ["-c", str(app), "db", *words])


@pytest.fixture
def app(write_app: Callable[..., Path]) -> Path:
    """An installation as an earlier version left it."""
    app = write_app(more=MORE)
    store = Store.attach(load_config(app).app.database)
    migrate(store.inbox, "inbox")
    migrate(store.work, "work", until=OLD)
    with store.work.transaction() as tx:
        meta.put(tx, "kept", "yes", NOW)
    store.close()
    return app


def test_a_start_backs_up_before_it_changes_the_schema(app: Path) -> None:
    assert run(app, "status").exit_code == 1
    load(app).close()
    (made,) = list_backups(load_config(app).backup)
    assert made.why == f"before the upgrade of schema {OLD}"
    assert made.migrations["work"][-1] == OLD
    assert run(app, "status").exit_code == 0
    load(app).close()
    assert len(list_backups(load_config(app).backup)) == 1, "a start without an upgrade backs up nothing"


def test_a_start_that_cannot_be_taken_back_does_not_happen(app: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def full(self: FolderRepository, source: Path, name: str) -> None:
        raise StoreUnavailable("copies: no space left on device")

    monkeypatch.setattr(FolderRepository, "put", full)
    with pytest.raises(StoreUnavailable, match="no space left"):
        load(app)
    store = Store.attach(load_config(app).app.database)
    assert applied(store.work, "work")[-1] == OLD
    store.close()
    assert run(app, "upgrade", "--no-backup").exit_code == 0
    load(app).close()


def test_there_and_back_by_command(app: Path) -> None:
    newest = list(files_of("work"))[-1]
    done = run(app, "upgrade")
    assert done.exit_code == 0, done.output
    assert "backup: kiitos-" in done.output
    assert newest in done.output
    assert "nothing to do" in run(app, "upgrade").output
    told = json.loads(run(app, "status", "--json").stdout)
    assert told["work"]["applied"][-1] == newest
    asked = CliRunner().invoke(cli, ["-c", str(app), "db", "downgrade", "--to", OLD], input="n\n")
    assert asked.exit_code == 1
    assert "deleted with it: sent_before (0 rows)" in asked.output
    back = run(app, "downgrade", "--to", OLD, "--yes")
    assert back.exit_code == 0, back.output
    told = json.loads(run(app, "status", "--json").stdout)
    assert told["work"]["applied"][-1] == OLD
    assert told["work"]["pending"]
    store = Store.attach(load_config(app).app.database)
    with store.work.read() as tx:
        assert meta.get(tx, "kept") == "yes"
    store.close()
    with pytest.raises(ConfigError, match="no migration '0018_nonsense'"):
        raise run(app, "downgrade", "--to", "0018_nonsense").exception or AssertionError


def test_a_new_installation_has_nothing_to_back_up(write_app: Callable[..., Path]) -> None:
    app = write_app(more=MORE)
    load(app).close()
    assert list_backups(load_config(app).backup) == []
