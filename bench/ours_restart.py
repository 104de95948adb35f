"""An installation to be restarted: `python -m bench.ours_restart FOLDER PORT SINK_PORT SLEEPERS DUE` makes it.

So many runs sleep; `DUE` are overdue since hours. The last of those to come due are a thousand with news of their order
and, before them, a thousand that ask for a review; the others wake only to sleep on. Runs are clones of ones that the
engine made itself; the orders of those with messages are real.
"""

from __future__ import annotations

import base64
import random
import sys
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

from bench.ours_sleepers import CHUNK, an_order, event_of
from connector.app import Kiitos, build
from connector.changes import adopt
from connector.clock import ManualClock, SystemClock, to_text
from connector.config import load_config
from connector.store import runs
from connector.store.sqlite import Sqlite

SHOP = "bench-shop"
ORDERS = 1000
"""Orders with two messages due, one of each class."""
WAIT = timedelta(days=30)
_FLOW = """
id = "{id}"
title = "{id}"
trigger = "order.created"
purpose = "{purpose}"
{extra}
[[steps]]
id = "first"
do = "wait"
span = "30d"

[[steps]]
id = "second"
{second}
"""
_SEND = 'do = "send"\ntemplate = "{}"'
FLOWS = {
    "sleep": _FLOW.format(id="sleep", purpose="review", extra="", second='do = "wait"\nspan = "300d"'),
    "news": _FLOW.format(id="news", purpose="transactional", extra="", second=_SEND.format("order_confirmation")),
    "ask": _FLOW.format(id="ask", purpose="review", extra="", second=_SEND.format("review_request")),
}
_APP = """
schema = 1

[app]
base_url   = "http://127.0.0.1:{port}"
listen     = "127.0.0.1:{port}"
database   = "sqlite:///{folder}/work.db"
master_key = {{ file = "master.key" }}
log_level  = "warning"

[channels.mail]
kind = "smtp"
host = "127.0.0.1"
port = {sink_port}
tls  = "none"

[defaults]
email = "mail"
fetch_before_send = false
soft_opt_in = ["review"]
flows = {{ sleep = {{ file = "./sleep.toml" }}, news = {{ file = "./news.toml" }}, ask = {{ file = "./ask.toml" }} }}

[clients.bench.shops.shop]
platform = "shopify"
domain = "bench.myshopify.com"
name = "Bench"
sender = "Bench <bench@shop.example>"
support_email = "help@shop.example"
address = ["Street 1"]
"""


def product(folder: Path, port: int, sink_port: int, clock: ManualClock) -> Kiitos:
    """Write its files and open it."""
    for name, text in FLOWS.items():
        (folder / f"{name}.toml").write_text(text, "utf-8")
    key = "k1=" + base64.b64encode(b"bench master key, 32 bytes long!").decode()
    (folder / "master.key").write_text(key, "utf-8")
    (folder / "app.toml").write_text(_APP.format(folder=folder, port=port, sink_port=sink_port), "utf-8")
    return build(load_config(folder / "app.toml", {}), clock=clock)


def fill(kiitos: Kiitos, now: datetime, sleepers: int, due: int) -> None:
    """Make the runs; `now` is the moment of the restart."""
    start, work = kiitos.clock.now(), kiitos.store.work
    for number in range(ORDERS):
        with work.transaction() as tx:
            kiitos.runner.ingest(tx, SHOP, [event_of("order.created", number, start, an_order(number))], start)
    with work.transaction() as tx:
        (template,) = (run for run in runs.of_order(tx, SHOP, "o0") if run.flow_id == "sleep")
        row = tx.one("run_get", shop_id=SHOP, run_id=template.id)
        assert row is not None
        for flow, since in (("ask", timedelta(hours=3)), ("news", timedelta(hours=2)), ("sleep", timedelta(hours=9))):
            tx.script("UPDATE runs SET wake_at = ? WHERE flow_id = ?", [to_text(now - since), flow])
    raw = Sqlite(Path(kiitos.config.directory) / "work.db", synchronous="OFF").open().conn
    columns = list(row)
    insert = f"INSERT INTO runs ({', '.join(columns)}) VALUES ({', '.join('?' * len(columns))})"
    overdue = due - 3 * ORDERS
    for first in range(0, overdue + sleepers, CHUNK):
        numbers = range(first, min(first + CHUNK, overdue + sleepers))
        raw.execute("BEGIN")
        raw.executemany(insert, clones(kiitos, row, columns, numbers, overdue, now))
        raw.execute("COMMIT")
    raw.close()
    work.checkpoint("TRUNCATE")


def clones(
    kiitos: Kiitos, row: Any, columns: list[str], numbers: range, overdue: int, now: datetime
) -> Iterator[tuple[Any, ...]]:
    chance = random.Random(numbers.start)
    for number in numbers:
        name = f"c{number}"
        if number < overdue:
            at = now - timedelta(hours=8) + timedelta(seconds=4 * 3600 * number / overdue)
        else:
            at = now + timedelta(days=1) + WAIT * chance.random()
        mine = {**row, "run_id": kiitos.clock.new_id(), "subject_id": name, "order_id": name, "wake_at": to_text(at)}
        mine |= {"entry_key": f"order/{name}", "email_key": f"{name}@example.com"}
        yield tuple(mine[column] for column in columns)


def main(folder: Path, port: int, sink_port: int, sleepers: int, due: int) -> None:
    now = SystemClock().now()
    kiitos = product(folder, port, sink_port, ManualClock((now - WAIT - timedelta(hours=1)).astimezone(UTC)))
    adopt(kiitos)  # a worker has seen these flows before: this is a restart, not a first start
    fill(kiitos, now, sleepers, due)
    kiitos.close()


if __name__ == "__main__":
    main(Path(sys.argv[1]), *map(int, sys.argv[2:]))
