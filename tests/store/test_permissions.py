"""Who may read what holds people: the files and folders that Kiitos makes are their owner's alone."""

from __future__ import annotations

import os
from collections.abc import Iterator
from pathlib import Path

import pytest
from click.testing import CliRunner

from connector.cli import cli
from connector.ledger import Attempt, Ledger, folder_for
from connector.store.db import Sqlite
from connector.store.store import Store

pytestmark = pytest.mark.skipif(os.name != "posix", reason="modes are of POSIX")


@pytest.fixture(autouse=True)
def common_umask() -> Iterator[None]:
    before = os.umask(0o022)
    yield
    os.umask(before)


def mode(path: Path) -> int:
    return path.stat().st_mode & 0o777


def test_databases_and_what_stands_beside_them_are_the_owners(tmp_path: Path) -> None:
    url = f"sqlite:///{tmp_path}/var/kiitos.db"
    store = Store.open(url)
    with Ledger(folder_for(url, tmp_path), "w", boot="b") as ledger:
        ledger.begin([Attempt("key", 1, "2026-11-02T08:00:00Z", "shop", "effect")])
        found = {path.relative_to(tmp_path).as_posix(): mode(path) for path in tmp_path.rglob("*")}
    store.close()
    names = {"var/kiitos.db", "var/kiitos.db-wal", "var/inbox.db", "var/inbox.db-wal", "var/inbox.db-shm"}
    assert names <= set(found)
    assert {name: oct(bits) for name, bits in found.items() if bits & 0o077} == {}
    assert found["var"] == 0o700
    assert found["var/kiitos.db"] == 0o600


def test_where_files_cannot_be_linked_they_are_private_too(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def refuse(*_: object) -> None:
        raise OSError("no links here")

    monkeypatch.setattr(os, "link", refuse)
    Store.open(f"sqlite:///{tmp_path}/kiitos.db").close()
    assert {path.name: mode(path) for path in tmp_path.iterdir()} == {"kiitos.db": 0o600, "inbox.db": 0o600}


def test_a_new_file_is_there_all_at_once(tmp_path: Path) -> None:
    """A file that turned to WAL only after it was there told one of two processes "locked" on their first start."""
    path = tmp_path / "kiitos.db"
    Sqlite(path)._create_private()
    assert path.read_bytes()[18:20] == b"\x02\x02"  # https://sqlite.org/fileformat.html: read and write version WAL
    assert [each.name for each in tmp_path.iterdir()] == ["kiitos.db"]
    Sqlite(path)._put_in_place(str(path))
    assert path.stat().st_nlink == 1


def test_a_file_that_exists_keeps_its_mode(tmp_path: Path) -> None:
    Store.open(f"sqlite:///{tmp_path}/kiitos.db").close()
    (tmp_path / "kiitos.db").chmod(0o640)
    Store.open(f"sqlite:///{tmp_path}/kiitos.db").close()
    assert mode(tmp_path / "kiitos.db") == 0o640


def test_the_first_command_makes_a_private_folder(tmp_path: Path) -> None:
    (tmp_path / "app.toml").write_text('schema = 1\n[app]\ndatabase = "sqlite:///data/kiitos.db"\n', "utf-8")
    assert CliRunner().invoke(cli, ["-c", str(tmp_path / "app.toml"), "shops", "list"]).exit_code == 0
    assert [mode(tmp_path / name) for name in ("var", "data", "data/kiitos.db")] == [0o700, 0o700, 0o600]
