"""`kiitos db copy` to PostgreSQL under a receiver and a worker that go on: real processes, orders posted meanwhile."""

from __future__ import annotations

import os
import subprocess
import threading
from collections import Counter
from collections.abc import Callable
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


def lead(folder: Path, dsn: str, copying: list[str]) -> tuple[set[str], set[str], Counter[str]]:
    """Move while orders come. Which webhooks were acknowledged, which of them the new database has, and how many
    confirmations each customer got whose whole order was acknowledged."""
    with MailSink() as sink:
        product = Product.set_up(folder, sink.port)
        product.start()
        try:
            with Load(product.port, rate=4) as load:
                wait_for("some orders", lambda: len(load.acknowledged.customers) > 5, product)
                words = [*copying, "-c", str(folder / "app.toml"), "db", "copy", "--to", "env:NEW"]
                done = subprocess.run(
                    words, capture_output=True, text=True, timeout=120, env={**os.environ, "NEW": dsn}, check=False
                )
                assert done.returncode == 0, done.stderr
                assert product.stop() == [0, 0]
                app = folder / "app.toml"
                text = app.read_text("utf-8")
                lines = [f'database = "{dsn}"' if x.startswith("database") else x for x in text.splitlines()]
                app.write_text("\n".join(lines), "utf-8")
                product.start()
                load.stop()
                many = len(load.acknowledged.customers)
                wait_for("orders on the new one", lambda: len(load.acknowledged.customers) >= many, product)
            assert load.retries > 0, "nothing was posted while all was frozen: this shows nothing"
            acknowledged, customers = set(load.acknowledged.webhooks), set(load.acknowledged.customers)

            def confirmed() -> Counter[str]:
                found = (m for m in sink.messages if b"list-unsubscribe" not in m.content.split(b"\r\n\r\n")[0].lower())
                return Counter(who for m in found for who in m.recipients if who in customers)

            end = monotonic() + 45
            while set(confirmed()) != customers and monotonic() < end:
                threading.Event().wait(0.2)
            with psycopg.connect(dsn) as raw:
                known = {str(row[0]) for row in raw.execute("SELECT dedup_key FROM inbox")}
            assert product.stop() == [0, 0]
        finally:
            product.kill()
    return acknowledged, known, Counter({who: confirmed()[who] for who in customers})


def test_nothing_acknowledged_is_lost_and_nothing_sent_twice(tmp_path: Path, schema_dsn: str) -> None:
    acknowledged, known, confirmed = lead(tmp_path, schema_dsn, [str(KIITOS)])
    assert len(acknowledged) > 10
    assert {hook for hook in acknowledged if hook not in known} == set()
    assert {who: count for who, count in confirmed.items() if count != 1} == {}
