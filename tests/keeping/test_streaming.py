"""Litestream beside the product: its own program, a folder and a store that speaks S3, kills and ways back."""

from __future__ import annotations

import json
import os
import re
import signal
import subprocess
import threading
from collections.abc import Callable, Iterator
from contextlib import closing, contextmanager
from datetime import datetime
from pathlib import Path
from time import monotonic

import pytest
from click.testing import CliRunner, Result
from prometheus_client import CollectorRegistry, generate_latest

from connector.app import load
from connector.cli import cli
from connector.clock import SystemClock
from connector.config import Config, load_config
from connector.errors import ConfigError, StoreUnavailable
from connector.keeping.starting import open_store
from connector.keeping.streaming import last_synced, program, socket_of, write_document
from connector.store import Store, inbox, meta
from connector.store.sqlite import Sqlite
from connector.watching.doctor import examine_running
from connector.watching.figures import Looking
from connector.watching.gauges import register
from tests.keeping.conftest import fill
from tests.kill.product import KIITOS
from tests.store.examples import NOW, delivery

pytestmark = pytest.mark.skipif(os.name != "posix", reason="Litestream is no Windows program")
PATIENCE = 120.0


def run(app: Path, *words: str) -> Result:
    return CliRunner().invoke(cli, ["-c", str(app), *words], catch_exceptions=True)


def streamed(write_app: Callable[..., Path], to: str = "replica", more: str = "") -> Path:
    app = write_app(more=f'[backup]\nto = "copies"\n{more}\n[backup.litestream]\nto = "{to}"\n')
    load(app).close()
    return app


def wait_for(what: str, done: Callable[[], bool]) -> None:
    end = monotonic() + PATIENCE
    while not done():
        assert monotonic() < end, f"waited {PATIENCE:.0f} s for {what}"
        threading.Event().wait(0.1)


@contextmanager
def streaming(app: Path) -> Iterator[Config]:
    """`kiitos backup stream`, killed in the end once it has copied everything there is."""
    config = load_config(app)
    with (app.parent / "stream.log").open("ab") as log:
        process = subprocess.Popen([str(KIITOS), "-c", str(app), "backup", "stream"], stdout=log, stderr=log)
    try:
        wait_for(f"Litestream\n{(app.parent / 'stream.log').read_text()}", lambda: is_synced(config))
        yield config
        now = SystemClock().now()
        wait_for("the last copy", lambda: is_synced(config, since=now))
    finally:
        process.send_signal(signal.SIGKILL)
        process.wait(30)


def is_synced(config: Config, since: datetime | None = None) -> bool:
    try:
        return all(at is not None and (since is None or at > since) for at in last_synced(config).values())
    except StoreUnavailable:
        return False


def rows(app: Path) -> int:
    with closing(open_store(load_config(app), SystemClock())) as store, store.work.read() as tx:
        return sum(meta.get(tx, f"row/{n}") is not None for n in range(200))


def lose(app: Path) -> None:
    for path in app.parent.glob("*.db*"):
        if path.is_file():
            path.unlink()


@pytest.fixture(scope="module")
def s3() -> Iterator[str]:
    from moto.server import ThreadedMotoServer

    server = ThreadedMotoServer(ip_address="127.0.0.1", port=0, verbose=False)
    server.start()
    host, port = server.get_host_and_port()
    yield f"http://{host}:{port}"
    server.stop()


@pytest.mark.filterwarnings("ignore::DeprecationWarning")
def test_both_databases_come_back_from_a_store_that_speaks_s3(
    s3: str, write_app: Callable[..., Path], monkeypatch: pytest.MonkeyPatch
) -> None:
    """Killed, lost, put back and held; and what is copied after that comes back as well."""
    import boto3

    monkeypatch.setenv("S3_KEY", "a")
    monkeypatch.setenv("S3_SECRET", "b")
    client = boto3.client(
        "s3", endpoint_url=s3, region_name="eu-north-1", aws_access_key_id="a", aws_secret_access_key="b"
    )
    client.create_bucket(Bucket="stream", CreateBucketConfiguration={"LocationConstraint": "eu-north-1"})
    more = f'endpoint = "{s3}"\nregion = "eu-north-1"\naccess_key = {{ env = "S3_KEY" }}\n'
    app = streamed(write_app, "s3://stream/shop", more + 'secret_key = { env = "S3_SECRET" }')
    for first in (0, 20):
        with streaming(app) as config:
            assert "b" not in json.loads((app.parent / "litestream.json").read_text())["dbs"][0]["replica"].values()
            with closing(open_store(config, SystemClock())) as store:
                fill(store, start=first)
        lose(app)
        done = run(app, "restore", "from", "litestream", "--json")
        assert done.exit_code == 0, (done.output, done.exception)
        assert json.loads(done.stdout)["backup"].startswith("litestream-")
        assert rows(app) == first + 20
        with closing(open_store(load_config(app), SystemClock())) as store, store.inbox.read() as tx:
            assert inbox.count(tx) == first + 20
        assert run(app, "restore", "status").exit_code == 1, "it is held"


def test_a_working_database_that_got_farther_than_the_inbox_is_taken_at_the_inboxs_moment(
    write_app: Callable[..., Path],
) -> None:
    """Both are copied apart: a kill may leave the newer of one and the older of the other."""
    app = streamed(write_app)
    config = load_config(app)
    with closing(open_store(config, SystemClock())) as store:
        fill(store)
        read_up_to(store, 20)
        once(config, app.parent)
        threading.Event().wait(2.1)  # moments of copies are told to the second
        with store.inbox.transaction() as tx:
            inbox.put_many(tx, [delivery(f"late{n}") for n in range(5)])
        read_up_to(store, 25)
        once(config, app.parent, "work")
    lose(app)
    assert run(app, "restore", "from", "litestream").exit_code == 0
    with closing(open_store(config, SystemClock())) as store:
        with store.work.read() as tx:
            row = tx.one("cursor_get")
        with store.inbox.read() as tx:
            last = inbox.last_id(tx)
    assert row is not None
    assert (row["last_id"], last) == (20, 20), "the worker would pass over the next five deliveries"


def read_up_to(store: Store, last: int) -> None:
    with store.work.transaction() as tx:
        tx.run("cursor_put", last_id=last)


def once(config: Config, folder: Path, *parts: str) -> None:
    """Copy now and end; of `parts` only, where any are named."""
    path = write_document(config, folder)
    if parts:
        said = json.loads(path.read_text())
        said["dbs"] = [one for one in said["dbs"] if Path(one["replica"]["path"]).name in parts]
        path.write_text(json.dumps(said))
    words = [program(), "replicate", "-config", str(path), "-once"]
    done = subprocess.run(words, capture_output=True, text=True, timeout=PATIENCE, check=False)
    assert done.returncode == 0, done.stderr


def test_only_litestream_empties_the_logs(tmp_path: Path) -> None:
    """Ours would have it copy the whole file again. The control is the same writing without it."""
    for name, left in (("streamed", True), ("alone", False)):
        with closing(Store.open(f"sqlite:///{tmp_path}/{name}.db", streamed=left)) as store:
            assert isinstance(store.work, Sqlite)
            before = store.work.path.stat().st_size
            for n in range(3):
                with store.work.transaction() as tx:
                    for m in range(40):
                        meta.put(tx, f"large/{n}/{m}", "x" * 100_000, NOW)
            with closing(store.work.open().conn) as raw:
                (pages,) = raw.execute("PRAGMA wal_autocheckpoint").fetchone()
            grown = store.work.path.stat().st_size > before
            assert (grown, pages == 1000) == (not left, not left)
            assert store.work.scrub()
            if left:
                assert store.work.path.with_name(f"{name}.db-wal").stat().st_size > 4 << 20, "it was emptied"


def told(app: Path) -> str:
    """What `kiitos status` says of it."""
    lines = [line for line in run(app, "status").output.splitlines() if line.startswith("litestream")]
    return lines[0].removeprefix("litestream").strip() if lines else ""


def metrics(app: Path) -> dict[str, float]:
    """Litestream's, as Prometheus would read them."""
    registry, kiitos = CollectorRegistry(), load(app)
    try:
        register(registry, Looking(kiitos.store, kiitos.clock, kiitos.config))
        lines = generate_latest(registry).decode().splitlines()
    finally:
        kiitos.close()
    return {name: float(value) for line in lines if line.startswith("kiitos_stream") for name, value in [line.split()]}


def test_without_litestream_nothing_is_said_of_it(write_app: Callable[..., Path]) -> None:
    app = write_app()
    assert run(app, "db", "upgrade").exit_code == 0
    assert (told(app), metrics(app)) == ("", {})


def test_the_doctor_says_when_nothing_is_copied(write_app: Callable[..., Path]) -> None:
    app = streamed(write_app)

    def troubles() -> list[str]:
        kiitos = load(app)
        try:
            return [one.what for one in examine_running(kiitos, slow=False) if one.check == "stream"]
        finally:
            kiitos.close()

    assert troubles() == ["Litestream does not run on this machine: nothing is copied"]
    assert (told(app), metrics(app)) == ("does not run: nothing is copied", {"kiitos_stream_up": 0.0})
    with streaming(app):
        assert troubles() == []
        assert re.fullmatch(r"\d+ \w+ behind", told(app))
        found = metrics(app)
        assert found.pop("kiitos_stream_up") == 1.0
        assert found.keys() == {
            'kiitos_stream_behind_seconds{part="inbox"}',
            'kiitos_stream_behind_seconds{part="work"}',
        }
        assert all(0 <= seconds < 600 for seconds in found.values())
    with pytest.raises(StoreUnavailable, match="kiitos backup stream"):
        last_synced(load_config(app))


def test_what_is_wrong_with_the_table_is_said(write_app: Callable[..., Path], tmp_path: Path) -> None:
    with pytest.raises(ConfigError) as met:
        write_app(more='[backup.litestream]\nto = "ftp://x"\nevery = "soon"\nkep = "3d"\n')
    assert "backup.litestream.to: should be a folder" in met.value.message
    assert "backup.litestream.every" in met.value.message
    assert "backup.litestream.kep: unknown key; did you mean 'keep'?" in met.value.message
    app = write_app()
    for words in (("backup", "stream"), ("restore", "from", "litestream")):
        done = run(app, *words)
        assert (done.exit_code, "[backup.litestream]" in done.stderr) == (1, True)
    assert load_config(write_app(database="postgresql:///x", more='[backup.litestream]\nto = "r"\n')).stream is None
    shown = json.loads(run(streamed(write_app), "backup", "stream", "--print").stdout)
    assert [Path(one["replica"]["path"]).name for one in shown["dbs"]] == ["work", "inbox"]
    long = tmp_path / ("f" * 90)
    long.mkdir()
    app.rename(long / "app.toml")
    assert len(str(socket_of(load_config(long / "app.toml")))) <= 100


def test_a_moment_is_for_litestream_only(write_app: Callable[..., Path]) -> None:
    app = streamed(write_app)
    done = run(app, "restore", "from", "latest.tar", "--at", "2026-11-22T14:30Z")
    assert isinstance(done.exception, ConfigError)
    assert "--at" in done.exception.message
