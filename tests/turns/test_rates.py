"""Several worker processes on one PostgreSQL keep a provider's rate together: what they begin with never exceeds it."""

from __future__ import annotations

import base64
import os
import signal
import subprocess
import sys
import threading
from datetime import datetime
from pathlib import Path
from time import monotonic

import pytest

from connector.app import load
from connector.clock import from_text
from connector.rehearsal import VOCABULARY
from connector.rehearsal.life import Life
from connector.store import Store
from connector.testing.fakes.smtp import MailSink

SHOP, ORDERS, RATE, BURST, WORKERS = "demo-metsa", 36, 6, 2, 3
SOUND = "from connector.cli import main; main()"
HEEDLESS = "from connector.store import providers; providers.take = lambda *_: True; " + SOUND
_APP = """
schema = 1

[app]
base_url = "http://localhost"
database = {{ env = "KIITOS_DATABASE" }}
master_key = {{ file = "key" }}

[channels.main]
kind = "smtp"
host = "127.0.0.1"
port = {port}
tls = "none"
rate = "{rate}/s"
burst = {burst}

[clients.demo]
sender = "Metsä <hello@metsa.example>"

[clients.demo.shops.metsa]
platform = "woocommerce"
url = "https://metsa.example"
currency = "EUR"
country = "FI"
timezone = "Europe/Helsinki"
fetch_before_send = false
consumer_key = {{ file = "secret" }}
consumer_secret = {{ file = "secret" }}
webhook_secret = {{ file = "secret" }}

[clients.demo.shops.metsa.flows.order-confirmation]
file = "order_confirmation"
"""


def begun(folder: Path, dsn: str, sink: MailSink, program: str) -> list[datetime]:
    """When each message was begun with, after three processes have sent all there is."""
    (folder / "app.toml").write_text(_APP.format(port=sink.port, rate=RATE, burst=BURST), "utf-8")
    (folder / "key").write_text("k1=" + base64.b64encode(b"rates test key, 32 bytes long...").decode(), "utf-8")
    (folder / "secret").write_text("a-key-of-nobody", "utf-8")
    environ = {**os.environ, "KIITOS_DATABASE": dsn}
    kiitos = load(folder / "app.toml", environ)
    life, now = Life(kiitos.config.shop(SHOP).shop, {}, {}), kiitos.clock.now()
    with kiitos.store.work.transaction() as tx:
        for number in range(ORDERS):
            kiitos.runner.ingest(tx, SHOP, VOCABULARY["order"](life, str(number), now), now)
    kiitos.close()
    with (folder / "log").open("ab") as log:
        command = [sys.executable, "-c", program, "-c", str(folder / "app.toml"), "worker"]
        workers = [
            subprocess.Popen(command, env=environ, stdout=log, stderr=log, start_new_session=True)
            for _ in range(WORKERS)
        ]
    try:
        began = monotonic()
        while len(sink.by_message_id()) < ORDERS:
            assert monotonic() - began < 120, (folder / "log").read_text("utf-8")[-2000:]
            threading.Event().wait(0.1)
    finally:
        for worker in workers:
            os.killpg(worker.pid, signal.SIGTERM)
        for worker in workers:
            worker.wait(60)
    store = Store.open(dsn)
    with store.work.read() as tx:
        rows = tx._cursor.execute("SELECT first_try_at FROM effects WHERE kind = 'message'").fetchall()
    store.close()
    return sorted(from_text(row["first_try_at"]) for row in rows)


def excess(times: list[datetime]) -> float:
    """By how many messages the worst stretch exceeds the rate and its burst."""
    return max(
        last - first + 1 - (BURST + RATE * (times[last] - times[first]).total_seconds())
        for first in range(len(times))
        for last in range(first, len(times))
    )


@pytest.mark.postgres
def test_the_sum_of_three_processes_stays_under_the_limit(tmp_path: Path, schema_dsn: str) -> None:
    with MailSink() as sink:
        times = begun(tmp_path, schema_dsn, sink, SOUND)
        assert set(sink.by_message_id().values()) == {1}
    assert len(times) == ORDERS
    assert excess(times) < 1


@pytest.mark.postgres
def test_control_workers_that_do_not_share_it_exceed_it(tmp_path: Path, schema_dsn: str) -> None:
    with MailSink() as sink:
        assert excess(begun(tmp_path, schema_dsn, sink, HEEDLESS)) >= 1
