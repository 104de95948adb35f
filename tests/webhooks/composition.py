"""A receiver with two shops of the invented platform `acme`, in this process or behind a real server."""

from __future__ import annotations

import base64
import json
import os
import signal
import socket
import subprocess
import sys
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from http.client import HTTPConnection
from pathlib import Path
from typing import Any

from flask import Flask, request

from connector.clock import SystemClock
from connector.errors import StoreUnavailable
from connector.metrics import Metrics
from connector.model import Shop
from connector.registry import PLATFORMS, Registry
from connector.secrets import Vault
from connector.store import inbox, shops
from connector.store.inbox import Delivery
from connector.store.store import Store
from tests.webhooks.acme import Acme, Explosive, sign
from webhooks.receiver import Receiver, build_receiver_app, mount_receiver
from webhooks.settings import ReceiverSettings
from webhooks.writer import DeliveryWriter

ROOT = Path(__file__).resolve().parents[2]
MASTER_KEY = base64.b64encode(bytes(range(32))).decode()
SECRET, OLD_SECRET, APP_SECRET = "acme-secret-now", "acme-secret-before", "acme-app-secret"
KEY, OTHER_KEY, APP_KEY, BOOM_KEY = "k1shoponeone", "k2shoptwotwo", "k3wholeapp", "k4explosive"
TARGET = "tests.webhooks.composition:create"
PATH = f"/hooks/acme/{KEY}"
SHOP = Shop(id="shop-1", client_id="c", platform="acme", domain="one.test", name="One", url="https://one.test")
OTHER = Shop(id="shop-2", client_id="c", platform="acme", domain="two.test", name="Two", url="https://two.test")
BOOM = Shop(id="shop-4", client_id="c", platform="explosive", domain="four.test", name="Four")


def vault() -> Vault:
    return Vault.from_text(MASTER_KEY)


def registry() -> Registry:
    return Registry(extra={(PLATFORMS, "acme"): Acme, (PLATFORMS, "explosive"): Explosive})


def seed(store: Store) -> None:
    """Two shops with keys of their own, one key for all shops of an app, one shop of a faulty adapter."""
    now, keys = SystemClock().now(), vault()
    with store.work.transaction() as tx:
        for shop in (SHOP, OTHER, BOOM):
            shops.save(tx, shop, now)
        for key, shop in ((KEY, SHOP), (OTHER_KEY, OTHER), (BOOM_KEY, BOOM)):
            shops.put_endpoint(tx, key, shop.platform, shop.id, shop.id, now)
        shops.put_endpoint(tx, APP_KEY, "acme", "app:acme", None, now)
        for owner, name, value in (
            (SHOP.id, "webhook_secret", SECRET),
            (SHOP.id, "webhook_secret_previous", OLD_SECRET),
            (OTHER.id, "webhook_secret", SECRET),
            ("app:acme", "client_secret", APP_SECRET),
        ):
            shops.put_secret(tx, keys, owner, name, value, now)


def headers_for(body: bytes, *, secret: str = SECRET, prefix: str = "x-acme-", **replaced: str) -> dict[str, str]:
    """The headers of a signed delivery; `topic`, `delivery`, `shop`, `source` may be replaced."""
    values = {"signature": sign(body, secret), "topic": "orders/create", "delivery": "d-1", "shop": "one.test"}
    return {f"{prefix}{name}": value for name, value in (values | replaced).items()}


def stored(store: Store) -> list[Delivery]:
    """Everything in the inbox, oldest first."""
    with store.inbox.read() as tx:
        return inbox.after(tx, 0, 100_000)


@dataclass(frozen=True)
class Bench:
    """A receiver in this process."""

    store: Store
    receiver: Receiver
    app: Flask

    def rows(self) -> list[Delivery]:
        return stored(self.store)


@contextmanager
def receiver_here(folder: Path, *, started: bool = True, **limits: Any) -> Iterator[Bench]:
    """A seeded receiver over files in `folder`; whoever serves it starts it, unless `started`."""
    store = Store.open(f"sqlite:///{folder / 'work.db'}")
    seed(store)
    app = Flask("bench")
    receiver = Receiver(store, vault(), registry(), SystemClock(), ReceiverSettings(min_free=1, **limits), Metrics())
    mount_receiver(app, receiver)
    if started:
        receiver.start()
    try:
        yield Bench(store, receiver, app)
    finally:
        receiver.close()
        store.close()


# -- behind a server ------------------------------------------------------------------------------------------------


class ForgetfulWriter(DeliveryWriter):
    """Negative control: acknowledges without committing. What the kill test must notice."""

    def _commit(self, batch: Any) -> None:
        self._settle(batch, stored=True)


class SlowWriter(DeliveryWriter):
    """Commits that take half a second, so that the queue fills."""

    def _commit(self, batch: Any) -> None:
        SystemClock().sleep(0.5)
        super()._commit(batch)


class FailingWriter(DeliveryWriter):
    """A store that cannot write while the file `broken` stands beside the database."""

    def _commit(self, batch: Any) -> None:
        if Path(self._inbox.path).with_name("broken").exists():
            self._fail(batch, StoreUnavailable("the disk is full"))
        else:
            super()._commit(batch)


class TellingWriter(DeliveryWriter):
    """Notes in the file `threads` beside the database in which thread each batch is committed."""

    def _commit(self, batch: Any) -> None:
        with Path(self._inbox.path).with_name("threads").open("a") as notes:
            notes.write(f"{threading.current_thread().name}\n")
        super()._commit(batch)


WRITERS = {"telling": TellingWriter, "forgetful": ForgetfulWriter, "slow": SlowWriter, "failing": FailingWriter}


def create(config: str) -> Flask:
    """The factory the server's worker calls: `config` is a JSON file with `url`, `limits` and perhaps a `writer`."""
    options = json.loads(Path(config).read_text())
    settings = ReceiverSettings(**options["limits"])
    app = build_receiver_app(Store.open(options["url"]), vault(), registry(), SystemClock(), settings)
    app.add_url_rule("/echo", view_func=lambda: request.get_data(), methods=["POST"])
    if "writer" in options:
        receiver = app.extensions["kiitos.receiver"]
        writer = WRITERS[options["writer"]](receiver.store, SystemClock(), settings, receiver.metrics)
        receiver.writer = receiver.checkpointer._writer = receiver.acceptor._writer = writer
    return app


@dataclass
class Server:
    """A running server with its supervisor, in a process group of its own."""

    process: subprocess.Popen[bytes]
    port: int
    folder: Path
    log: Path

    def connect(self, timeout: float = 10.0) -> HTTPConnection:
        return HTTPConnection("127.0.0.1", self.port, timeout=timeout)

    def call(self, method: str, path: str, body: bytes = b"", headers: Any = None) -> tuple[int, bytes, dict[str, str]]:
        """One request on a connection of its own. `headers` may be pairs, to repeat a name."""
        connection = self.connect()
        try:
            connection.putrequest(method, path, skip_accept_encoding=True)
            pairs = list(headers.items()) if isinstance(headers, dict) else list(headers or ())
            if not any(name.lower() in ("content-length", "transfer-encoding") for name, _ in pairs):
                pairs.append(("content-length", str(len(body))))
            for name, value in pairs:
                connection.putheader(name, value)
            connection.endheaders(body)
            answer = connection.getresponse()
            return answer.status, answer.read(), {name.lower(): value for name, value in answer.getheaders()}
        finally:
            connection.close()

    def rows(self) -> list[Delivery]:
        store = Store.open(f"sqlite:///{self.folder / 'work.db'}", migrate=False)
        try:
            return stored(store)
        finally:
            store.close()

    def kill(self) -> None:
        os.killpg(self.process.pid, signal.SIGKILL)
        self.process.wait(10)

    def stop(self) -> int:
        self.process.send_signal(signal.SIGTERM)
        return self.process.wait(25)


def free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])


@contextmanager
def serving(folder: Path, *, writer: str = "", fresh: bool = True, **limits: Any) -> Iterator[Server]:
    """Start the server on files in `folder` and wait for its first answer; kill what is left at the end."""
    if fresh:
        store = Store.open(f"sqlite:///{folder / 'work.db'}")
        seed(store)
        store.close()
    options: dict[str, Any] = {"url": f"sqlite:///{folder / 'work.db'}", "limits": {"min_free": 1, **limits}}
    if writer:
        options["writer"] = writer
    config, log, port = folder / "receiver.json", folder / "server.log", free_port()
    config.write_text(json.dumps(options))
    code = "import sys; from connector.serving.serve import run_server as run; _, target, port, path = sys.argv; "
    code += "run(target, port=int(port), config=path)"
    with log.open("wb") as output:
        process = subprocess.Popen(
            [
                sys.executable,
                "-c",
                code,
                TARGET,
                str(port),
                str(config),
            ],
            cwd=ROOT,
            stdout=output,
            stderr=output,
            start_new_session=True,
        )
    server = Server(process, port, folder, log)
    try:
        _wait(server)
        yield server
    finally:
        if process.poll() is None:
            server.kill()


def _wait(server: Server) -> None:
    for _ in range(400):
        if server.process.poll() is not None:
            break
        try:
            if server.call("GET", "/healthz")[0] == 200:
                return
        except OSError:
            SystemClock().sleep(0.05)
    raise AssertionError(f"the server did not start:\n{server.log.read_text()[-3000:]}")
