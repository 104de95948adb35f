"""Two web and three worker machines, a PostgreSQL and its streaming replica, each a host of its own."""

from __future__ import annotations

import base64
import os
import shutil
import signal
import subprocess
import sys
import threading
from collections import Counter
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field
from http.client import HTTPConnection, HTTPException
from pathlib import Path
from time import monotonic

import libfaketime
import psycopg

from bench import corpus
from connector.app import load
from connector.clock import SystemClock
from flows.sending.addressing import derive_token
from tests.hosts.net import SUBNET, Host, Network
from tests.kill.product import ASKING
from tests.store.conftest import _programs

KIITOS = Path(sys.executable).with_name("kiitos")
FAKETIME = next((Path(libfaketime.__file__).parent / "vendor").rglob("libfaketime.so.1"), Path("none"))
PORT = 8321
PATIENCE = 420.0

_APP = """
schema = 1

[app]
base_url   = "http://hosts.example"
listen     = "0.0.0.0:{port}"
database   = {{ env = "KIITOS_DATABASE" }}
master_key = {{ file = "master.key" }}

[channels.sink]
kind = "smtp"
host = "{gate}"
port = {sink_port}
tls  = "none"
connections = 1

[clients.hosts]
sender = "Hosts <hello@hosts.example>"
soft_opt_in = ["review"]

[clients.hosts.flows.order-confirmation]
file = "order_confirmation"

[clients.hosts.flows.thanks]
file = "thanks.toml"

[clients.hosts.shops.main]
platform = "shopify"
domain = "{domain}"
currency = "EUR"
country = "FI"
timezone = "Europe/Helsinki"
address = ["Hosts Oy", "Esimerkkikatu 1", "00100 Helsinki"]
endpoint_key = {{ file = "endpoint.key" }}
webhook_secret = {{ file = "webhook.secret" }}
fetch_before_send = false
"""


@dataclass
class Cluster:
    """The machines, and what is done to them. `replicated` commits wait for the replica."""

    folder: Path
    network: Network
    sink_port: int
    replicated: bool = True
    databases: list[Host] = field(default_factory=list)

    def build(self) -> None:
        self.databases = [self.network.add(name) for name in ("d1", "d2")]
        self._primary(self.databases[0])
        self._replica(self.databases[1])
        for name in ("w1", "w2", "k1", "k2", "k3"):
            self.network.add(name)
            folder = self._place(name)
            folder.mkdir()
            files = {
                "app.toml": _APP.format(
                    port=PORT, gate=self.network.gate, sink_port=self.sink_port, domain=corpus.SHOP_DOMAIN
                ),
                "thanks.toml": ASKING,
                "master.key": "k1=" + base64.b64encode(b"hosts test key, 32 bytes long...").decode(),
                "endpoint.key": "hosts",
                "webhook.secret": corpus.SECRET.decode(),
                "faketime": "+0",
            }
            for file, text in files.items():
                (folder / file).write_text(text, "utf-8")
            self.run(name)
            if name == "w1":  # one makes the tables, as an upgrade begins with one
                began = monotonic()
                while not self.ready(name):
                    assert monotonic() - began < PATIENCE, (folder / "log").read_text("utf-8")[-2000:]
                    threading.Event().wait(0.2)

    def _place(self, name: str) -> Path:
        return self.folder / name

    def dsn(self) -> str:
        hosts = ",".join(host.address for host in self.databases)
        return f"postgresql://postgres@{hosts}/postgres?target_session_attrs=read-write&connect_timeout=3"

    def run(self, name: str) -> None:
        """What a supervisor would start on the host."""
        role = "serve" if name.startswith("w") else "worker"
        folder = self._place(name)
        environ = {**os.environ, "KIITOS_DATABASE": self.dsn(), "FAKETIME_TIMESTAMP_FILE": str(folder / "faketime")}
        if name == "k2" and FAKETIME.exists():
            environ |= {
                "LD_PRELOAD": str(FAKETIME),
                "FAKETIME_CACHE_DURATION": "1",
                "FAKETIME_DONT_FAKE_MONOTONIC": "1",
            }
        self.network.hosts[name].start(
            role, [str(KIITOS), "-c", str(folder / "app.toml"), role], folder / "log", environ
        )

    def kill(self, name: str) -> None:
        self.network.hosts[name].end()

    def set_clock(self, name: str, by: str) -> None:
        (self._place(name) / "faketime").write_text(by, "utf-8")

    # -- PostgreSQL ----------------------------------------------------------------------------------------------------

    def _primary(self, host: Host) -> None:
        data = self._database(host)
        self._as_postgres("initdb", "-D", str(data), "-U", "postgres", "-A", "trust", "-E", "UTF8", "-N")
        with (data / "pg_hba.conf").open("a") as rules:
            rules.write(f"host all all {SUBNET}.0/24 trust\nhost replication all {SUBNET}.0/24 trust\n")
        with (data / "postgresql.conf").open("a") as settings:
            settings.write(
                "listen_addresses = '*'\nunix_socket_directories = ''\nmax_connections = 100\nwal_keep_size = '256MB'\n"
                "wal_receiver_timeout = '5s'\nwal_sender_timeout = '5s'\nshared_buffers = '32MB'\n"
            )
        self.start_database(host)
        self._await_database(host)

    def _replica(self, host: Host) -> None:
        data, primary = self._database(host), self.databases[0]
        words = ["-h", primary.address, "-U", "postgres", "-D", str(data), "-R", "-X", "stream", "-c", "fast", "-N"]
        command = ["ip", "netns", "exec", host.namespace, *_dropped("pg_basebackup"), *words]
        subprocess.run(command, check=True, capture_output=True, cwd=data.parent)
        self.start_database(host)
        self._await_database(host)
        if self.replicated:
            with self._asked(primary) as connection:
                connection.execute("ALTER SYSTEM SET synchronous_standby_names = '*'")
                connection.execute("SELECT pg_reload_conf()")

    def _database(self, host: Host) -> Path:
        folder = self._place(host.name)
        folder.mkdir(exist_ok=True)
        shutil.chown(folder, "postgres")
        return folder / "data"

    def _as_postgres(self, program: str, *words: str) -> None:
        subprocess.run([*_dropped(program), *words], check=True, capture_output=True, cwd="/")

    def start_database(self, host: Host) -> None:
        data = self._database(host)
        (data / "postmaster.pid").unlink(missing_ok=True)
        host.start("postgres", [*_dropped("postgres"), "-D", str(data)], self._place(host.name) / "log", os.environ)

    def restart_database(self, host: Host) -> None:
        host.end(signal.SIGINT)  # "fast": sessions are cut, nothing is lost
        self.start_database(host)
        self._await_database(host)

    def promote(self, host: Host) -> None:
        self._as_postgres("pg_ctl", "promote", "-w", "-D", str(self._database(host)))
        with self._asked(host) as connection:
            connection.execute("ALTER SYSTEM SET synchronous_standby_names = ''")
            connection.execute("SELECT pg_reload_conf()")

    def _await_database(self, host: Host) -> None:
        began = monotonic()
        while True:
            try:
                with self._asked(host):
                    return
            except psycopg.OperationalError:
                if monotonic() - began > 60:
                    raise
                threading.Event().wait(0.1)

    @contextmanager
    def _asked(self, host: Host) -> Iterator[psycopg.Connection]:
        with psycopg.connect(
            host=host.address, user="postgres", dbname="postgres", autocommit=True, connect_timeout=3
        ) as one:
            yield one

    # -- what came of it -----------------------------------------------------------------------------------------------

    def ready(self, name: str) -> bool:
        client = HTTPConnection(self.network.hosts[name].address, PORT, timeout=2)
        try:
            client.request("GET", "/readyz")
            return client.getresponse().status == 200
        except (OSError, HTTPException):
            return False
        finally:
            client.close()

    def waiting(self, host: Host) -> int:
        with self._asked(host) as connection:
            row = connection.execute(
                "SELECT (SELECT count(*) FROM delivery_progress WHERE status IN ('new', 'leased'))"
                " + (SELECT count(*) FROM effects WHERE status IN ('pending', 'sending'))"
            ).fetchone()
        return int(row[0]) if row else -1

    def judge(self, host: Host, load: Load, counts: Mapping[str, int]) -> Verdict:
        """By the database that is left and what the sink took, once nothing runs any more."""
        salt_of = load_salt(self._place("k1") / "app.toml", self.dsn())
        with self._asked(host) as connection:
            stored = {row[0] for row in connection.execute("SELECT dedup_key FROM inbox")}
            rows = connection.execute(
                "SELECT shop_id, effect_id, status, tainted, recipient, purpose FROM effects WHERE kind = 'message'"
            ).fetchall()
        left = Counter({key.strip("<>").partition("@")[0]: count for key, count in counts.items()})
        found = Verdict(lost=sorted(load.acknowledged - stored), acknowledged=len(load.acknowledged))
        confirmed = set()
        for shop, effect_id, status, tainted, recipient, purpose in rows:
            count = left.pop(derive_token(salt_of, "message", shop, effect_id, length=24), 0)
            found.messages += 1
            if purpose == "transactional" and count:
                confirmed.add(recipient)
            if count > 1 and (purpose != "transactional" or not tainted):
                found.doubled.append(f"{effect_id} x{count} {purpose} tainted={tainted}")
            found.repeated += max(count - 1, 0) if purpose == "transactional" else 0
            if status == "sent" and not count:
                found.claimed.append(effect_id)
            found.uncertain += status == "uncertain"
        found.strangers = sorted(left)
        found.unconfirmed = sorted(load.customers - confirmed)
        return found


@dataclass
class Verdict:
    """`lost`: acknowledged and not stored. `doubled`: arrived twice without the window in which nobody can know.
    `repeated`: order mail that came once more because of such a window."""

    lost: list[str]
    acknowledged: int
    messages: int = 0
    doubled: list[str] = field(default_factory=list)
    claimed: list[str] = field(default_factory=list)
    strangers: list[str] = field(default_factory=list)
    unconfirmed: list[str] = field(default_factory=list)
    repeated: int = 0
    uncertain: int = 0

    def faults(self) -> dict[str, list[str]]:
        names = ("lost", "doubled", "claimed", "strangers", "unconfirmed")
        return {name: getattr(self, name)[:5] for name in names if getattr(self, name)}


def load_salt(path: Path, dsn: str) -> bytes:
    kiitos = load(path, {**os.environ, "KIITOS_DATABASE": dsn})
    try:
        return kiitos.salt
    finally:
        kiitos.close()


def _dropped(program: str) -> list[str]:
    folder = _programs()
    assert folder is not None
    return ["setpriv", "--reuid", "postgres", "--regid", "postgres", "--clear-groups", str(folder / program)]


class Load:
    """Orders, posted to one web machine after another until one says 200; each under its own webhook id."""

    def __init__(self, addresses: list[str], rate: float, threads: int = 3) -> None:
        self.acknowledged: set[str] = set()
        self.customers: set[str] = set()
        self.refused = 0
        self._addresses = addresses
        self._pause = threads / rate
        self._bodies = enumerate(corpus.bodies(100_000, SystemClock().now()))
        self._lock = threading.Lock()
        self._stopping, self._giving_up = threading.Event(), threading.Event()
        self._threads = [threading.Thread(target=self._run, args=(n,)) for n in range(threads)]

    def __enter__(self) -> Load:
        for thread in self._threads:
            thread.start()
        return self

    def __exit__(self, *exc: object) -> None:
        self._stopping.set()
        self._giving_up.set()
        for thread in self._threads:
            thread.join()

    def stop(self, patience: float = 60.0) -> bool:
        self._stopping.set()
        for thread in self._threads:
            thread.join(patience)
        return not any(thread.is_alive() for thread in self._threads)

    def _run(self, turn: int) -> None:
        while not self._stopping.is_set():
            with self._lock:
                number, body = next(self._bodies)
            if not self._post(body, f"order-{number:06d}", turn):
                return
            with self._lock:
                self.customers.add(corpus.email_of(number))
            turn += 1
            self._stopping.wait(self._pause)

    def _post(self, body: bytes, webhook: str, turn: int) -> bool:
        headers = {
            "Content-Type": "application/json",
            "X-Shopify-Hmac-Sha256": corpus.sign(body).decode(),
            "X-Shopify-Shop-Domain": corpus.SHOP_DOMAIN,
            "X-Shopify-Topic": "orders/paid",
            "X-Shopify-API-Version": corpus.API_VERSION,
            "X-Shopify-Webhook-Id": webhook,
            "X-Shopify-Event-Id": f"event-{webhook}",
            "X-Shopify-Triggered-At": SystemClock().now().isoformat(),
        }
        while not _ask(self._addresses[turn % len(self._addresses)], body, headers):
            turn += 1
            with self._lock:
                self.refused += 1
            if self._giving_up.wait(0.1):
                return False
        with self._lock:
            self.acknowledged.add(webhook)
        return True


def _ask(address: str, body: bytes, headers: dict[str, str]) -> bool:
    client = HTTPConnection(address, PORT, timeout=5)
    try:
        client.request("POST", "/hooks/shopify/hosts", body, headers)
        answer = client.getresponse()
        answer.read()
    except (OSError, HTTPException):
        return False
    finally:
        client.close()
    return answer.status == 200


__all__ = ["Cluster", "Load", "Verdict"]
