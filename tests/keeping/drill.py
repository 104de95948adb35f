"""The restore drill: the real product under load is backed up, killed, loses its files, and is put back.

    python -m tests.keeping.drill [--orders 60] [--no-ledger] [--database postgresql://...]

Processes, files, sockets and kills are real; the shop and the mail server are fakes that outlive the product and count.
"""

from __future__ import annotations

import argparse
import json
import re
import subprocess
import sys
import tempfile
import threading
from collections import Counter
from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass, field
from email import message_from_bytes
from http.client import HTTPConnection
from pathlib import Path
from time import monotonic
from typing import Any
from urllib.parse import urlsplit

from connector.clock import SystemClock
from connector.config import load_config
from connector.errors import StoreUnavailable
from connector.keeping.streaming import last_synced
from connector.testing.fakes.people import MUG, Buyer
from connector.testing.fakes.smtp import KeptMessage, MailSink, Misbehaviour
from connector.testing.fakes.woocommerce import FakeWoo
from tests.keeping.places import Files, Place, Server
from tests.kill.product import KIITOS, Product, free_port

SHOP = "drill-main"
KEY = "drill-endpoint"
PATIENCE = 150.0
COMMAND = 120.0
APP = """
schema = 1
[app]
base_url = "http://127.0.0.1:{port}"
listen = "127.0.0.1:{port}"
database = "{database}"
master_key = {{ file = "master.key", generate = true }}
[backup]
to = "copies"
key = {{ file = "backup.key" }}
{ledger}
[channels.sink]
kind = "smtp"
host = "127.0.0.1"
port = {sink}
tls = "none"
connections = 1
[clients.drill]
sender = "Drill <hello@shop.example>"
soft_opt_in = ["review"]
reviews.again_after = "0d"
limits = {{ email = {{ cap = "0s" }} }}
flows.order-confirmation = {{ file = "order_confirmation" }}
flows.thanks = {{ file = "thanks.toml" }}
[clients.drill.shops.main]
platform = "woocommerce"
url = "https://drill.example"
api_url = "{api}"
country = "FI"
timezone = "Europe/Helsinki"
address = ["Drill Oy", "Esimerkkikatu 1", "00100 Helsinki"]
endpoint_key = {{ file = "endpoint.key" }}
webhook_secret = {{ file = "hook.secret" }}
consumer_key = {{ file = "ck" }}
consumer_secret = {{ file = "cs" }}
fetch_before_send = false
"""
THANKS = """
id = "thanks"
trigger = "order.paid"
purpose = "review"
subject = "order"
reentry = "once"
[[steps]]
id = "ask"
do = "send"
template = "review_request"
"""


@dataclass
class Drill:
    """What happened. Times in seconds; `orders` are the addresses of those who bought, by when they did."""

    folder: Path
    before: list[str] = field(default_factory=list)
    after: list[str] = field(default_factory=list)
    held: list[str] = field(default_factory=list)
    forgotten: str = ""
    restored: dict[str, Any] = field(default_factory=dict)
    status: dict[str, Any] = field(default_factory=dict)
    mails: Counter[tuple[str, str]] = field(default_factory=Counter)
    sent_while_held: int = 0
    refused_early: bool = False
    known_again: bool = True
    point: float = 0.0
    put_back: float = 0.0
    caught_up: float = 0.0
    finished: float = 0.0
    log: str = ""
    refused_unknown: bool = False
    rows_lost: dict[str, int] = field(default_factory=dict)
    refused: str = ""
    """Who unsubscribed after the backup, by the button of their mail, and bought again while all was held."""

    @property
    def bought(self) -> list[str]:
        return [*self.before, *self.after, *self.held]

    def unconfirmed(self) -> list[str]:
        """Who bought and never got a confirmation."""
        confirmed = {who for who, purpose in self.mails if purpose == "order-confirmation"}
        return [who for who in self.bought if who not in confirmed]

    def twice(self) -> dict[tuple[str, str], int]:
        orders = {(self.refused, "order-confirmation"): 2}
        return {what: count for what, count in self.mails.items() if count > orders.get(what, 1)}


def lead(
    folder: Path,
    *,
    orders: int = 20,
    ledger: bool = True,
    lose_inbox: bool = True,
    stream: bool = False,
    dsn: str = "",
) -> Drill:
    """One drill: half of `orders` before the backup, half after it, a few while held. With `stream` Litestream copies
    all the time in place of the backup, and is killed with the product. With `dsn` the data is in that schema of
    PostgreSQL."""
    place: Place = Server(dsn) if dsn else Files(folder)
    drill = Drill(folder)
    with ExitStack() as stack:
        sink = stack.enter_context(MailSink())
        sink.script = Misbehaviour(delay=0.003)
        woo = stack.enter_context(
            FakeWoo(SystemClock(), "https://drill.example", "ck_d", "cs_d", "hook-secret-of-drill")
        )
        product = _product(folder, sink.port, woo.api_url, place, ledger=ledger, stream=stream)
        product.start()
        stack.callback(product.kill)
        woo.connect(f"http://127.0.0.1:{product.port}/hooks/woocommerce/{KEY}")
        if stream:
            product.running.append(_streaming(folder, product))
        drill.before = [_buy(woo, n) for n in range(orders // 2)]
        _wait("some mail before the backup", lambda: len(sink.messages) >= orders // 4, product)
        with _buying(woo, orders // 2, orders // 4, drill.after):
            if not stream:
                _kiitos(folder, "backup", "--json")
            at = monotonic()
        drill.after += [_buy(woo, orders // 2 + orders // 4 + n) for n in range(orders - orders // 2 - orders // 4)]
        drill.forgotten = drill.before[0]
        _wait("the first to be told", lambda: sum(drill.forgotten in m.recipients for m in sink.messages) >= 2, product)
        _kiitos(folder, "privacy", "erase", SHOP, "--email", drill.forgotten, "--yes")
        drill.refused = drill.before[1]
        _wait("theirs", lambda: any(_button(m.content) for m in _of(sink, drill.refused)), product)
        _unsubscribe(next(button for m in _of(sink, drill.refused) if (button := _button(m.content))))
        # At least three quarters of what followed the backup left before the kill.
        _wait("mail after the backup", lambda: len(sink.messages) >= 2 * (orders - orders // 8), product)
        _wait("the erasure", lambda: (folder / place.ledger / "forgotten.list").exists() or not ledger, product)
        if stream:  # as much as a second may bring, and no time to copy the last of it
            drill.after += [_buy(woo, orders + n) for n in range(8)]
        product.kill()
        drill.point = monotonic() - at
        before = _counted(place)
        place.lose(inbox=lose_inbox)
        began = monotonic()
        drill.restored = json.loads(_kiitos(folder, "restore", "from", "litestream" if stream else "latest", "--json"))
        drill.put_back = monotonic() - began
        found = _counted(place)
        drill.rows_lost = {name: before[name] - found[name] for name in before}
        drill.refused_early = _refused(folder)
        count = len(sink.messages)
        product.start()
        drill.held = [_buy(woo, orders + 8 + n) for n in range(3)]
        _buy(woo, int(drill.refused.removeprefix("buyer").partition("@")[0]))
        _wait("the restored one to catch up", lambda: _caught_up(folder), product)
        drill.caught_up = monotonic() - began
        drill.status = json.loads(_kiitos(folder, "restore", "status", "--json"))
        drill.sent_while_held = len(sink.messages) - count
        drill.refused_unknown = _refused(folder)
        _kiitos(folder, "restore", "release", *([] if ledger else ["--without-ledger"]))
        _wait("the outbox to be empty", lambda: not _unsettled(place), product, lambda: _unsettled(place))
        drill.finished = monotonic() - began
        drill.known_again = _knows(place, drill.forgotten)
        product.stop()
        drill.mails = Counter((m.recipients[0].lower(), _flow(m.content)) for m in sink.messages)
        drill.log = product.log()
    return drill


def _of(sink: MailSink, who: str) -> list[KeptMessage]:
    return [message for message in sink.messages if who in message.recipients]


def _button(content: bytes) -> str:
    """Where the mail's own button unsubscribes with one click (RFC 8058); empty for order mail."""
    told = str(message_from_bytes(content).get("List-Unsubscribe", ""))
    found = re.search(r"<(http[^>]+)>", told.replace("\r\n", ""))
    return found[1] if found else ""


def _unsubscribe(button: str) -> None:
    parts = urlsplit(button)
    client = HTTPConnection(parts.netloc, timeout=30)
    client.request(
        "POST",
        f"{parts.path}?{parts.query}",
        "List-Unsubscribe=One-Click",
        {"Content-Type": "application/x-www-form-urlencoded"},
    )
    if client.getresponse().status not in (200, 202):
        raise RuntimeError("the button does not work")
    client.close()


def _flow(content: bytes) -> str:
    """Review requests carry List-Unsubscribe, order messages do not."""
    head = content.split(b"\r\n\r\n", 1)[0].lower()
    return "thanks" if b"list-unsubscribe" in head else "order-confirmation"


def _product(folder: Path, sink: int, api: str, place: Place, *, ledger: bool, stream: bool) -> Product:
    port = free_port()
    more = "" if ledger else 'ledger = "off"'
    more += '\n[backup.litestream]\nto = "replica"' if stream else ""
    files = {
        "app.toml": APP.format(port=port, sink=sink, api=api, ledger=more, database=place.url),
        "thanks.toml": THANKS,
        "endpoint.key": KEY,
        "hook.secret": "hook-secret-of-drill",
        "ck": "ck_d",
        "cs": "cs_d",
    }
    for name, text in files.items():
        (folder / name).write_text(text, "utf-8")
    command = [str(KIITOS), "-c", str(folder / "app.toml")]
    return Product(folder, port, [*command, "serve"], [*command, "worker"], [])


def _streaming(folder: Path, product: Product) -> subprocess.Popen[bytes]:
    """Litestream as `kiitos backup stream` runs it, once it has copied both databases."""
    command = [str(KIITOS), "-c", str(folder / "app.toml"), "backup", "stream"]
    with (folder / "stream.log").open("ab") as log:
        running = subprocess.Popen(command, stdout=log, stderr=log, start_new_session=True, cwd=folder)
    config = load_config(folder / "app.toml")

    def copied() -> bool:
        try:
            return None not in last_synced(config).values()
        except StoreUnavailable:
            return False

    _wait("Litestream", copied, product)
    return running


def _counted(place: Place) -> dict[str, int]:
    """Rows that were acknowledged or decided, by table; of a database nobody has open."""
    return {
        "inbox": place.inbox_rows("SELECT COUNT(*) FROM inbox")[0][0],
        "effects": place.rows("SELECT COUNT(*) FROM effects")[0][0],
        "sent": place.rows("SELECT COUNT(*) FROM effects WHERE status = 'sent'")[0][0],
    }


def _buy(woo: FakeWoo, number: int) -> str:
    email = f"buyer{number}@example.test"
    woo.place_order([(MUG, 1)], Buyer(first_name="Ostaja", last_name=str(number), email=email))
    woo.deliver()
    return email


@contextmanager
def _buying(woo: FakeWoo, first: int, count: int, into: list[str]) -> Iterator[None]:
    """Purchases go on in the background; all are made when it ends."""

    def buy() -> None:
        for n in range(count):
            into.append(_buy(woo, first + n))
            threading.Event().wait(0.2)

    thread = threading.Thread(target=buy)
    thread.start()
    try:
        yield
    finally:
        thread.join()


def _kiitos(folder: Path, *words: str, fails: bool = False) -> str:
    command = [str(KIITOS), "-c", str(folder / "app.toml"), *words]
    done = subprocess.run(command, cwd=folder, capture_output=True, text=True, timeout=COMMAND)
    if done.returncode and not (fails and done.returncode == 1 and done.stdout):
        raise RuntimeError(f"kiitos {' '.join(words)} ended with {done.returncode}:\n{done.stdout}{done.stderr}")
    return done.stdout


def _refused(folder: Path) -> bool:
    """Whether a release before anything was caught up is refused."""
    command = [str(KIITOS), "-c", str(folder / "app.toml"), "restore", "release"]
    done = subprocess.run(command, cwd=folder, capture_output=True, text=True, timeout=60)
    return done.returncode == 1 and "not released" in done.stderr


def _caught_up(folder: Path) -> bool:
    return json.loads(_kiitos(folder, "restore", "status", "--json", fails=True))["missing"] == []


def _unsettled(place: Place) -> list[tuple[Any, ...]]:
    effects = (
        "SELECT effect_id, status, attempts, due_at, lease_until, reason FROM effects"
        " WHERE status IN ('pending', 'sending')"
    )
    runs = "SELECT run_id, status, step, wake_at, awaiting, reason FROM runs WHERE status IN ('ready', 'acting')"
    return [*place.rows(effects), *place.rows(runs)]


def _knows(place: Place, email: str) -> bool:
    query = f"SELECT COUNT(*) FROM orders WHERE email_key = '{email}' OR snapshot LIKE '%{email}%'"
    return list(place.rows(query)) != [(0,)]


def _wait(what: str, done: Callable[[], bool], product: Product, left: Callable[[], object] = str) -> None:
    end = monotonic() + PATIENCE
    while not done():
        if monotonic() > end:
            raise RuntimeError(f"waited {PATIENCE:.0f} s for {what}: {left()}\n{product.log()}")
        threading.Event().wait(0.1)


def main() -> None:
    """Print the figures for docs/keeping.md."""
    parser = argparse.ArgumentParser()
    parser.add_argument("--orders", type=int, default=60)
    parser.add_argument("--no-ledger", action="store_true")
    parser.add_argument("--database", default="", help="An empty PostgreSQL database in place of files.")
    parser.add_argument("--stream", action="store_true", help="Litestream in place of the backup.")
    asked = parser.parse_args()
    with tempfile.TemporaryDirectory() as folder:
        drill = lead(
            Path(folder),
            orders=asked.orders,
            ledger=not asked.no_ledger,
            stream=asked.stream,
            dsn=asked.database,
        )
    print(f"orders: {len(drill.before)} before the backup, {len(drill.after)} after it, {len(drill.held)} while held")
    print(f"backup to kill: {drill.point:.1f} s; put back in {drill.put_back:.1f} s", end=", ")
    print(f"caught up after {drill.caught_up:.1f} s, all sent after {drill.finished:.1f} s")
    print(f"asked again although they had unsubscribed: {drill.mails[drill.refused, 'thanks'] - 1}")
    print(f"rows there at the kill and not in the copy: {drill.rows_lost}")
    print(f"send ledger: {drill.restored['sent_since']} sent since, {drill.restored['in_doubt']} in doubt", end="")
    print(f"; not known: {drill.restored['gaps']}")
    print(
        f"without a confirmation: {len(drill.unconfirmed())}; twice: {sum(drill.twice().values()) - len(drill.twice())}"
    )
    sys.exit(bool(drill.unconfirmed()) or (bool(drill.twice()) and not asked.no_ledger))


if __name__ == "__main__":
    main()
