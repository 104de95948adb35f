"""Backups: whole while others write, sealed, found damaged when they are, rotated, and in either kind of place."""

from __future__ import annotations

import json
import os
import threading
from collections.abc import Callable, Iterator
from contextlib import closing
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest
from click.testing import CliRunner, Result

from connector.cli import cli
from connector.clock import SystemClock, to_text
from connector.config import BackupSettings
from connector.errors import ConfigError, StoreUnavailable
from connector.keeping import backup as backing_up
from connector.keeping.archive import Manifest, identity_of, make_key, pack
from connector.keeping.backup import back_up, list_backups, opened
from connector.keeping.repository import FolderRepository, repository_of, surplus
from connector.store import Store, inbox, meta, snapshots
from connector.store.db import Sqlite
from connector.store.snapshots import look_into
from tests.keeping.conftest import fill
from tests.store.examples import NOW, delivery


@pytest.fixture
def settings(tmp_path: Path) -> BackupSettings:
    key = tmp_path / "backup.key"
    return BackupSettings(to=str(tmp_path / "copies"), key=make_key(key), key_file=key)


def test_a_copy_holds_every_row_and_opens_with_its_key_only(
    store: Store, settings: BackupSettings, clock: SystemClock, tmp_path: Path
) -> None:
    fill(store)
    made = back_up(store, settings, clock, why="before a test").manifest
    (path,) = Path(settings.to).glob("*.age")
    assert b"aino@example.test" not in path.read_bytes()
    assert path.stat().st_mode & 0o077 == 0
    with opened(settings, "latest", tmp_path) as (manifest, folder):
        assert manifest.why == "before a test"
        assert manifest.total_rows == made.total_rows > 40
        assert sorted(manifest.files) == sorted(p.name for p in folder.iterdir() if p.name != "manifest.json")
    assert not list(tmp_path.glob(".kiitos-backup-*")), "a copy was left lying about in the clear"
    other = tmp_path / "other.key"
    wrong = BackupSettings(to=settings.to, key=make_key(other), key_file=other)
    with pytest.raises(ConfigError, match="does not open with this key"), opened(wrong, "latest", tmp_path):
        pass
    none = BackupSettings(to=settings.to, key_file=tmp_path / "none")
    with pytest.raises(ConfigError, match=r"backup\.key: the backup is sealed"), opened(none, "latest", tmp_path):
        pass


def test_a_copy_for_public_keys_needs_no_secret_here(
    store: Store, settings: BackupSettings, clock: SystemClock, tmp_path: Path
) -> None:
    fill(store)
    identity = identity_of(settings)
    assert identity is not None
    away = BackupSettings(to=settings.to, recipients=(str(identity.to_public()),), key_file=tmp_path / "absent.key")
    back_up(store, away, clock)
    assert not away.key_file.exists()
    with opened(settings, "latest", tmp_path) as (manifest, _):
        assert manifest.sealed
    with pytest.raises(ConfigError, match=r"backup\.recipients: is no age public key"):
        back_up(store, BackupSettings(to=settings.to, recipients=("age1nonsense",), key_file=tmp_path / "k"), clock)


def test_plain_must_be_asked_for_and_is_readable(
    open_store: Callable[[], Store], settings: BackupSettings, clock: SystemClock, tmp_path: Path
) -> None:
    store = open_store()
    fill(store)
    made = back_up(store, settings, clock, plain=True).manifest
    assert not made.sealed
    assert made.name.endswith(".tar.zst")
    with opened(BackupSettings(to=settings.to, key_file=tmp_path / "none"), made.name, tmp_path) as (manifest, _):
        assert manifest.total_rows == made.total_rows


@pytest.mark.parametrize("part", [0.02, 0.3, 0.6, 0.99])
def test_a_changed_byte_is_found_and_nothing_comes_of_it(
    store: Store, settings: BackupSettings, clock: SystemClock, tmp_path: Path, part: float
) -> None:
    fill(store)
    made = back_up(store, settings, clock).manifest
    path = Path(settings.to) / made.name
    data = bytearray(path.read_bytes())
    data[int(len(data) * part)] ^= 1
    path.write_bytes(data)
    with pytest.raises(StoreUnavailable, match="not what was stored"), opened(settings, made.name, tmp_path):
        pass
    lone = tmp_path / made.name  # as a file, without the manifest beside it: age itself finds it out
    lone.write_bytes(data)
    with pytest.raises((StoreUnavailable, ConfigError), match="damaged"), opened(settings, str(lone), tmp_path):
        pass


def test_rows_changed_inside_the_archive_are_found(
    tmp_path: Path, settings: BackupSettings, clock: SystemClock
) -> None:
    """Somebody with the key packs another database under the old manifest's counts."""
    store = Store.open(f"sqlite:///{tmp_path}/work.db")
    fill(store)
    made = back_up(store, settings, clock, plain=True).manifest
    store.close()
    with opened(settings, made.name, tmp_path) as (manifest, folder):
        database = Sqlite(folder / "work.db")
        with database.transaction() as tx:
            tx.script("DELETE FROM meta WHERE name = 'row/3'")
        database.close()
        forged = Manifest(**{**json.loads(manifest.encoded()), "files": {n: _sum(folder / n) for n in manifest.files}})
        pack(folder, tmp_path / "forged.tar.zst", forged, [])
    name = str(tmp_path / "forged.tar.zst")
    with pytest.raises(StoreUnavailable, match=r"work\.db has other rows"), opened(settings, name, tmp_path):
        pass


def _sum(path: Path) -> str:
    from connector.keeping.archive import digest

    return digest(path)


def test_each_of_many_copies_under_load_is_whole(tmp_path: Path, settings: BackupSettings, clock: SystemClock) -> None:
    """Somebody acknowledges deliveries and a worker reads them, as fast as they can, while copies are taken."""
    url = f"sqlite:///{tmp_path}/work.db"
    store = Store.open(url)
    stop, acknowledged = threading.Event(), 0

    def write() -> None:
        nonlocal acknowledged
        theirs = Store.open(url)
        number = 0
        while not stop.is_set():
            number += 1
            inbox.append(theirs.inbox, [delivery(f"w{number}")])
            acknowledged = number
            with theirs.work.transaction() as tx:
                tx.script(
                    "INSERT INTO inbox_cursor VALUES ('worker', ?) ON CONFLICT (name) DO UPDATE SET last_id = ?",
                    (number, number),
                )
        theirs.close()

    writer = threading.Thread(target=write)
    writer.start()
    try:
        while acknowledged < 5:
            stop.wait(0.01)
        for _ in range(12):
            before = acknowledged
            folder = tmp_path / f"copy-{_}"
            folder.mkdir()
            found = snapshots.take(store, folder, lambda *_: None)
            rows, _migrations, cut = look_into(folder / "inbox.db")
            assert rows["inbox"] >= before, "an acknowledged delivery is not in the copy"
            assert found.cut["cursor"] <= cut["last_id"], "the cursor stands behind deliveries nobody has"
    finally:
        stop.set()
        writer.join()
    store.close()


def test_the_order_of_the_two_views_is_what_makes_it_whole(tmp_path: Path) -> None:
    """One delivery comes and is read between the two views. Taken the other way round, the copy would have lost it."""
    store = Store.open(f"sqlite:///{tmp_path}/work.db")
    assert isinstance(store.work, Sqlite)
    assert isinstance(store.inbox, Sqlite)

    def comes_and_is_read() -> None:
        inbox.append(store.inbox, [delivery("between")])
        with store.work.transaction() as tx:
            tx.script("INSERT INTO inbox_cursor VALUES ('worker', 1)")

    def lost(first: Sqlite, second: Sqlite) -> bool:
        with snapshots._reading(first) as one:
            comes_and_is_read()
            with snapshots._reading(second) as two:
                work, box = (one, two) if first is store.work else (two, one)
                cursor = work.execute("SELECT COALESCE(MAX(last_id), 0) FROM inbox_cursor").fetchone()[0]
                newest = box.execute("SELECT COALESCE(MAX(id), 0) FROM inbox").fetchone()[0]
        with store.work.transaction() as tx:
            tx.script("DELETE FROM inbox_cursor")
        with store.inbox.transaction() as tx:
            tx.script("DELETE FROM inbox")
            tx.script("DELETE FROM sqlite_sequence")
        return bool(cursor > newest)

    assert not lost(store.work, store.inbox)
    assert lost(store.inbox, store.work), "the control loses nothing: this test proves nothing"
    store.close()


def test_a_backup_cut_off_before_its_manifest_is_none(
    store: Store, settings: BackupSettings, clock: SystemClock, monkeypatch: pytest.MonkeyPatch
) -> None:
    fill(store)
    whole = back_up(store, settings, clock).manifest
    put = FolderRepository.put

    def cut_off(self: FolderRepository, source: Path, name: str) -> None:
        if name.endswith(".json"):
            raise KeyboardInterrupt
        put(self, source, name)

    monkeypatch.setattr(FolderRepository, "put", cut_off)
    with pytest.raises(KeyboardInterrupt):
        back_up(store, settings, clock)
    assert [one.name for one in list_backups(settings)] == [whole.name]


def test_a_place_that_changes_what_it_stores_is_noticed(
    store: Store, settings: BackupSettings, clock: SystemClock, monkeypatch: pytest.MonkeyPatch
) -> None:
    put = FolderRepository.put

    def short(self: FolderRepository, source: Path, name: str) -> None:
        source.write_bytes(source.read_bytes()[:-7])
        put(self, source, name)

    monkeypatch.setattr(FolderRepository, "put", short)
    with pytest.raises(StoreUnavailable, match="the place it lies in changed it"):
        back_up(store, settings, clock)
    assert list_backups(settings) == []


def _manifest(at: datetime) -> Manifest:
    return Manifest(name=f"k{at:%m%d%H}", at=to_text(at), kiitos="0", why="", sealed=True, dialect="sqlite", how="",
                    rows={}, migrations={}, cut={}, files={})  # fmt: skip


def test_rotation_keeps_the_newest_one_a_day_and_one_a_week() -> None:
    found = [_manifest(datetime(2026, 11, 30, tzinfo=UTC) - timedelta(hours=6 * n)) for n in range(200)]
    gone = {one.name for one in surplus(found, 3, 7, 4)}
    left = [one for one in found if one.name not in gone]
    assert [one.name for one in left[:3]] == [one.name for one in found[:3]]
    assert {one.taken_at.date() for one in left} >= {
        (datetime(2026, 11, 30, tzinfo=UTC) - timedelta(days=n)).date() for n in range(7)
    }
    assert len({one.taken_at.strftime("%G-%V") for one in left}) == 4
    assert len(left) <= 3 + 7 + 4
    assert surplus(found[:1], 0, 0, 0) == [], "the only backup there is was removed"


def test_rotation_happens_after_the_new_one_is_stored(store: Store, tmp_path: Path, clock: SystemClock) -> None:
    key = tmp_path / "k"
    few = BackupSettings(to=str(tmp_path / "c"), key=make_key(key), key_file=key, keep=2, daily=1, weekly=1)
    done = [back_up(store, few, clock) for _ in range(4)]
    assert [one.name for one in list_backups(few)] == [done[2].manifest.name, done[3].manifest.name]
    assert done[3].removed == (done[1].manifest.name,)
    assert len(list((tmp_path / "c").iterdir())) == 4, "archives or manifests were left behind"


@pytest.fixture(scope="module")
def s3() -> Iterator[str]:
    """A real HTTP server that speaks S3."""
    from moto.server import ThreadedMotoServer

    server = ThreadedMotoServer(ip_address="127.0.0.1", port=0, verbose=False)
    server.start()
    host, port = server.get_host_and_port()
    yield f"http://{host}:{port}"
    server.stop()


@pytest.mark.filterwarnings("ignore::DeprecationWarning")
def test_the_same_in_a_store_that_speaks_s3(s3: str, tmp_path: Path, clock: SystemClock) -> None:
    import boto3

    store = Store.open(f"sqlite:///{tmp_path}/work.db")
    fill(store)
    key = tmp_path / "k"
    there = BackupSettings(to="s3://kiitos-test/nightly", endpoint=s3, region="eu-north-1", access_key="a",
                           secret_key="b", key=make_key(key), key_file=key, keep=1, daily=1, weekly=1)  # fmt: skip
    with pytest.raises(StoreUnavailable, match="NoSuchBucket"):
        back_up(store, there, clock)
    client = boto3.client(
        "s3", endpoint_url=s3, region_name="eu-north-1", aws_access_key_id="a", aws_secret_access_key="b"
    )
    client.create_bucket(Bucket="kiitos-test", CreateBucketConfiguration={"LocationConstraint": "eu-north-1"})
    first, second = (back_up(store, there, clock) for _ in range(2))
    assert second.removed == (first.manifest.name,)
    assert repository_of(there).names() == [second.manifest.name, second.manifest.name + ".json"]
    with opened(there, "latest", tmp_path) as (manifest, _):
        assert manifest.total_rows == second.manifest.total_rows
    with pytest.raises(ConfigError, match="there is no backup 'kiitos-gone'"), opened(there, "kiitos-gone", tmp_path):
        pass
    client.close()
    store.close()


def test_without_pg_dump_the_copy_is_made_by_copy(
    schema_dsn: str, settings: BackupSettings, clock: SystemClock, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    store = Store.open(schema_dsn)
    fill(store)
    by_dump = back_up(store, settings, clock).manifest
    monkeypatch.setattr(backing_up.shutil, "which", lambda _: None)
    by_copy = back_up(store, settings, clock).manifest
    assert by_dump.how == "pg_dump"
    assert by_copy.how.startswith("COPY")
    same = {table: count for table, count in by_copy.rows["postgres"].items() if table != "meta"}
    assert same.items() <= by_dump.rows["postgres"].items()
    assert "inbox.copy" in by_copy.files
    store.close()


def run(app: Path, *words: str) -> Result:
    return CliRunner().invoke(cli, ["-c", str(app), "backup", *words])


def test_the_commands(write_app: Callable[..., Path], tmp_path: Path) -> None:
    app = write_app(more='[backup]\nto = "copies"\nkeep = 2\n')
    assert run(app, "list").exit_code == 1
    first = run(app)
    assert first.exit_code == 0, first.output
    assert "Keep a copy of that file" in first.stderr
    assert (tmp_path / "var" / "backup.key").stat().st_mode & 0o077 == 0
    second = json.loads(run(app, "--json", "--why", "nightly").stdout)
    assert second["sealed"] is True
    assert [one["name"] for one in json.loads(run(app, "list", "--json").stdout)][-1] == second["name"]
    assert "whole" in run(app, "verify").output
    path = tmp_path / "copies" / second["name"]
    path.write_bytes(path.read_bytes()[:-1])
    assert isinstance(run(app, "verify", "latest").exception, StoreUnavailable)
    hidden = tmp_path / "kiitos.db"
    with closing(Sqlite(hidden)) as database, database.read() as tx:
        assert meta.get(tx, backing_up.LAST) is not None


@pytest.mark.parametrize(
    ("more", "fault"),
    [
        ("[backup]\nkeep = -1\n", "backup.keep: should be a whole number"),
        ('[backup]\nkey = "AGE-SECRET-KEY-1"\n', "backup.key: is a secret"),
        ('[backup]\nrecipients = ["ssh-rsa"]\n', "backup.recipients: should be"),
        ('[backup]\ntoo = "x"\n', "backup.too: unknown key; did you mean"),
        ('[backup]\nledger_keep = "soon"\n', "backup.ledger_keep"),
    ],
)
def test_faults_of_the_table_are_named(write_app: Callable[..., Path], more: str, fault: str) -> None:
    with pytest.raises(ConfigError, match=fault.replace(".", r"\.")):
        write_app(more=more)


def test_a_missing_variable_is_named(write_app: Callable[..., Path]) -> None:
    os.environ.pop("NO_SUCH_KEY", None)
    app = write_app(more='[backup]\nkey = { env = "NO_SUCH_KEY" }\n')
    assert "NO_SUCH_KEY is not set" in str(run(app).exception)
    assert NOW
