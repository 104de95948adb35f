"""The real product as processes: its file, its start, its death."""

from __future__ import annotations

import base64
import os
import signal
import socket
import subprocess
import sys
import threading
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from http.client import HTTPConnection, HTTPException
from pathlib import Path
from time import monotonic

from bench import corpus
from connector.testing.fakes.providers import GOOD_KEY

ENDPOINT_KEY = "kill-nine"
SHOP = "killed-main"
CONFIRMATION, THANKS = "order-confirmation", "thanks"
STARTS_WITHIN = 30.0
KIITOS = Path(sys.executable).with_name("kiitos")
VARIANTS = Path(__file__).with_name("variants.py")

_APP = """
schema = 1

[app]
base_url   = "http://127.0.0.1:{port}"
listen     = "127.0.0.1:{port}"
database   = "sqlite:///kiitos.db"
master_key = {{ file = "master.key" }}
log_level  = "info"

{channels}
[clients.killed]
sender = "Kill Nine <hello@shop.example>"
soft_opt_in = ["review"]

[clients.killed.flows.order-confirmation]
file = "order_confirmation"

[clients.killed.flows.thanks]
file = "thanks.toml"

{shops}"""

_SHOP = """[clients.killed.shops.{name}]
platform = "shopify"
domain = "{domain}"
email = "{channel}"
currency = "EUR"
country = "FI"
timezone = "Europe/Helsinki"
address = ["Kill Nine Oy", "Esimerkkikatu 1", "00100 Helsinki"]
endpoint_key = {{ file = "{name}.key" }}
webhook_secret = {{ file = "webhook.secret" }}
fetch_before_send = false

"""

_SINK = """[channels.sink]
kind = "smtp"
host = "127.0.0.1"
port = {port}
tls  = "none"
connections = 1
"""

_PROVIDER = """[channels.{kind}]
kind = "{kind}"
api_key = {{ file = "provider.key" }}
url = "{url}"
connections = 1
rate = "1000/s"
"""

# Marketing class, sent at once: so that "never twice" is exercised as well as "at most once more".
ASKING = """
id = "thanks"
title = "Ask at once"
trigger = "order.paid"
purpose = "review"
subject = "order"
reentry = "once"

[[steps]]
id = "ask"
do = "send"
template = "review_request"
"""


def free_port() -> int:
    """A port of 127.0.0.1 nobody listens on."""
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])


@dataclass(frozen=True, slots=True)
class Door:
    """Where a shop's webhooks go, and the domain they name."""

    key: str
    domain: str


@dataclass(slots=True)
class Product:
    """`receiver` and `worker` are command lines. Each process leads a group of its own, killed as a whole."""

    folder: Path
    port: int
    receiver: Sequence[str]
    worker: Sequence[str]
    doors: Sequence[Door]
    running: list[subprocess.Popen[bytes]] = field(default_factory=list)
    environ: Mapping[str, str] | None = None
    """Of the processes; `None`: this one's."""

    @classmethod
    def set_up(cls, folder: Path, sink_port: int, *, receiver: str = "", worker: str = "") -> Product:
        """One shop that sends over SMTP. `receiver` and `worker` name a variant of tests/kill/variants.py."""
        shops = {"main": ("sink", Door(ENDPOINT_KEY, corpus.SHOP_DOMAIN))}
        return cls._set_up(folder, _SINK.format(port=sink_port), shops, receiver, worker)

    @classmethod
    def set_up_providers(cls, folder: Path, url: str, kinds: Sequence[str], *, worker: str = "") -> Product:
        """A shop for each kind of provider, all of them at `url`."""
        channels = "\n".join(_PROVIDER.format(kind=kind, url=url) for kind in kinds)
        shops = {kind: (kind, Door(f"{ENDPOINT_KEY}-{kind}", f"{kind}.myshopify.com")) for kind in kinds}
        return cls._set_up(folder, channels, shops, "", worker)

    @classmethod
    def _set_up(
        cls, folder: Path, channels: str, shops: Mapping[str, tuple[str, Door]], receiver: str, worker: str
    ) -> Product:
        port = free_port()
        tables = [_SHOP.format(name=name, domain=door.domain, channel=way) for name, (way, door) in shops.items()]
        files = {
            "app.toml": _APP.format(port=port, channels=channels, shops="".join(tables)),
            "thanks.toml": ASKING,
            "master.key": "k1=" + base64.b64encode(b"kill test key, 32 bytes long ...").decode(),
            "provider.key": GOOD_KEY,
            "webhook.secret": corpus.SECRET.decode(),
            **{f"{name}.key": door.key for name, (_, door) in shops.items()},
        }
        for name, text in files.items():
            (folder / name).write_text(text, encoding="utf-8")
        file = str(folder / "app.toml")

        def command(role: str, variant: str) -> list[str]:
            return [sys.executable, str(VARIANTS), variant, file] if variant else [str(KIITOS), "-c", file, role]

        doors = [door for _, door in shops.values()]
        return cls(folder, port, command("serve", receiver), command("worker", worker), doors)

    def start(self) -> float:
        """Start both processes and wait until webhooks are taken. Returns how long that took, in seconds."""
        began = monotonic()
        with (self.folder / "log.jsonl").open("ab") as log:
            self.running = [
                subprocess.Popen(
                    command,
                    stdout=log,
                    stderr=log,
                    stdin=subprocess.DEVNULL,
                    start_new_session=True,
                    cwd=self.folder,
                    env=self.environ,
                )
                for command in (self.receiver, self.worker)
            ]
        try:
            self._wait_for_answer(began)
        except RuntimeError:
            self._signal(signal.SIGKILL)  # the one that did start would outlive the test
            raise
        return monotonic() - began

    def _wait_for_answer(self, began: float) -> None:
        while not self._answers():
            for process in self.running:
                if process.poll() is not None:
                    raise RuntimeError(f"the product ended with {process.returncode}:\n{self.log()}")
            if monotonic() - began > STARTS_WITHIN:
                raise RuntimeError(f"the product did not start:\n{self.log()}")
            threading.Event().wait(0.01)

    def kill(self) -> None:
        """SIGKILL for both process groups at once. Raises `RuntimeError` when somebody still listens afterwards: a
        receiver that survived would make the test worthless."""
        self._signal(signal.SIGKILL)
        for _ in range(100):
            with socket.socket() as probe:
                if probe.connect_ex(("127.0.0.1", self.port)) != 0:
                    return
            threading.Event().wait(0.05)
        raise RuntimeError("something still listens after the kill")

    def stop(self) -> list[int]:
        """SIGTERM; the exit codes."""
        return self._signal(signal.SIGTERM)

    def _signal(self, number: signal.Signals) -> list[int]:
        for process in self.running:
            try:
                os.killpg(process.pid, number)
            except ProcessLookupError:
                continue
        codes = [process.wait(30) for process in self.running]
        self.running = []
        return codes

    def _answers(self) -> bool:
        client = HTTPConnection("127.0.0.1", self.port, timeout=2)
        try:
            client.request("GET", "/healthz")
            return client.getresponse().status == 200
        except (OSError, HTTPException):
            return False
        finally:
            client.close()

    def log(self) -> str:
        """The end of what the processes said."""
        return (self.folder / "log.jsonl").read_text(encoding="utf-8", errors="replace")[-3000:]
