"""`kiitos db copy` up and down under a receiver and a worker that go on: real processes, orders posted meanwhile."""

from __future__ import annotations

import os
import sqlite3
import subprocess
import sys
import threading
from collections import Counter
from collections.abc import Callable
from contextlib import closing
from pathlib import Path
from time import monotonic

import psycopg
import pytest

from connector.testing.fakes.smtp import MailSink
from tests.kill.load import Load
from tests.kill.product import KIITOS, Product

pytestmark = [
    pytest.mark.slow,
    pytest.mark.postgres,
    pytest.mark.skipif(os.name != "posix", reason="processes are ended by signals"),
]
PATIENCE = 150.0


def wait_for(what: str, done: Callable[[], bool], product: Product) -> None:
    end = monotonic() + PATIENCE
    while not done():
        assert monotonic() < end, f"waited {PATIENCE:.0f} s for {what}\n{product.log()}"
        threading.Event().wait(0.1)


def on(folder: Path, database: str) -> None:
    """The installation runs on this database from its next start on."""
    app = folder / "app.toml"
    lines = app.read_text("utf-8").splitlines()
    kept = [f'database = "{database}"' if line.startswith("database") else line for line in lines]
    app.write_text("\n".join(kept), "utf-8")


def deliveries_of(database: str, folder: Path) -> set[str]:
    if database.startswith("postgresql"):
        with psycopg.connect(database) as raw:
            return {str(row[0]) for row in raw.execute("SELECT dedup_key FROM inbox")}
    with closing(sqlite3.connect(folder / "inbox.db")) as raw:
        return {str(row[0]) for row in raw.execute("SELECT dedup_key FROM inbox")}


def lead(
    folder: Path, source: str, target: str, *, frozen: bool = True
) -> tuple[set[str], set[str], Counter[str], set[str]]:
    """Move while orders come. Which webhooks were acknowledged, which of them the new database has, how many
    confirmations each customer got whose whole order was acknowledged, and who they are. Without `frozen` by a copier
    that stops nobody."""
    with MailSink() as sink:
        product = Product.set_up(folder, sink.port)
        on(folder, source)
        product.start()
        try:
            with Load(product.port, rate=4) as load:
                wait_for("some orders", lambda: len(load.acknowledged.customers) > 5, product)
                copier = [str(KIITOS)] if frozen else [sys.executable, "-c", HEEDLESS]
                words = [*copier, "-c", str(folder / "app.toml"), "db", "copy", "--to", "env:NEW"]
                done = subprocess.run(
                    words, capture_output=True, text=True, timeout=120, env={**os.environ, "NEW": target}, check=False
                )
                assert done.returncode == 0, done.stderr
                if not frozen:
                    told = len(load.acknowledged.webhooks)
                    wait_for("orders on the old one", lambda: len(load.acknowledged.webhooks) > told + 2, product)
                assert product.stop() == [0, 0]
                on(folder, target)
                product.start()
                load.stop()
                many = len(load.acknowledged.customers)
                wait_for("orders on the new one", lambda: len(load.acknowledged.customers) >= many, product)
            assert load.retries > 0, "nothing was posted while all was frozen: this shows nothing"
            acknowledged, customers = set(load.acknowledged.webhooks), set(load.acknowledged.customers)

            def confirmed() -> Counter[str]:
                found = (m for m in sink.messages if b"list-unsubscribe" not in m.content.split(b"\r\n\r\n")[0].lower())
                return Counter(who for m in found for who in m.recipients if who in customers)

            end = monotonic() + (45 if frozen else 5)
            while set(confirmed()) != customers and monotonic() < end:
                threading.Event().wait(0.2)
            known = deliveries_of(target, folder)
            assert product.stop() == [0, 0]
        finally:
            product.kill()
    return acknowledged, known, confirmed(), customers


HEEDLESS = """
from connector.cli import cli
from connector.keeping import moving
moving.freeze = moving._rest = lambda *_: None
moving.equal_counts = lambda *_: 0
cli()
"""


@pytest.fixture(params=["up", "down"])
def urls(request: pytest.FixtureRequest, schema_dsn: str, tmp_path: Path) -> tuple[str, str]:
    file = f"sqlite:///{tmp_path}/kiitos.db"
    return (file, schema_dsn) if request.param == "up" else (schema_dsn, file)


def test_nothing_acknowledged_is_lost_and_nothing_sent_twice(tmp_path: Path, urls: tuple[str, str]) -> None:
    acknowledged, known, confirmed, customers = lead(tmp_path, *urls)
    assert len(acknowledged) > 10
    assert {hook for hook in acknowledged if hook not in known} == set()
    assert {who: confirmed[who] for who in customers if confirmed[who] != 1} == {}


def test_a_copier_that_stops_nobody_is_found_out(tmp_path: Path, urls: tuple[str, str]) -> None:
    """The control: what is acknowledged while and after it copies is nowhere."""
    acknowledged, known, _, _ = lead(tmp_path, *urls, frozen=False)
    assert acknowledged - known, "the control lost nothing: this shows nothing"
