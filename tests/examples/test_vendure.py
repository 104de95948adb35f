"""The adapter outside the tree: found only through its entry point, held to the kit, and run against a real Vendure."""

from __future__ import annotations

import base64
import json
import os
import subprocess
import sys
import threading
from collections.abc import Iterator
from email import message_from_bytes, policy
from importlib import import_module
from pathlib import Path
from typing import Any

import pytest
import requests

from connector.app import Kiitos, build, create_app
from connector.clock import SystemClock
from connector.config import parse_config
from connector.registry import PLATFORMS, Registry
from connector.testing.fakes.smtp import MailSink
from connector.testing.serving import Serving, free_port
from connector.worker import Worker
from tests.outside import ROOT, environ_with, install

EXAMPLE = ROOT / "examples" / "kiitos-vendure"
INSTALLED = Path(os.environ.get("KIITOS_VENDURE", ROOT / ".cache" / "vendure"))
DOMAIN = "metsa.example.test"
HOOK_KEY = "vendure-hook-key-of-32-characters"
SECRET = "vendure-webhook-secret"
MINUTE = 60.0


@pytest.fixture
def site(tmp_path: Path) -> Path:
    return install(EXAMPLE, tmp_path / "site")


@pytest.fixture
def installed(site: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    """The package is installed in this process, and gone from it afterwards."""
    monkeypatch.syspath_prepend(str(site))
    yield
    for name in [name for name in sys.modules if name.partition(".")[0] == "kiitos_vendure"]:
        del sys.modules[name]


def test_nothing_of_ours_knows_it() -> None:
    """Without its dist-info the platform does not exist: the tree holds no mention of it outside examples and tests."""
    assert "vendure" not in Registry().names(PLATFORMS)
    code = [*ROOT.glob("connector/**/*.py"), *ROOT.glob("platforms/**/*.py"), *ROOT.glob("flows/**/*.py")]
    assert [path.name for path in code if "vendure" in path.read_text("utf-8").lower()] == []


def test_it_is_found_through_its_entry_point(installed: None) -> None:
    assert "vendure" in Registry().names(PLATFORMS)
    assert type(Registry().platform("vendure")).__module__ == "kiitos_vendure.platform"


def test_all_of_the_kit_holds(site: Path) -> None:
    command = [sys.executable, "-c", "from connector.cli import main; main()", "adapters", "check", "vendure", "--json"]
    done = subprocess.run(command, env=environ_with(site), capture_output=True, text=True, timeout=300)
    rows = {row["check"]: row for row in json.loads(done.stdout)}
    assert done.returncode == 0, [row for row in rows.values() if row["state"] == "fails"]
    assert rows["FetchesOrders"]["state"] == "holds"


def text_of(mail: Any) -> str:
    """Subject and plain text."""
    message = message_from_bytes(mail.content, policy=policy.default)
    body = message.get_body(("plain",))
    return f"{message['Subject']}\n{body.get_content() if body else ''}"


class Shop:
    """Kiitos beside the real shop: its web server and worker, a mail sink, and the wall's clock."""

    def __init__(self, kiitos: Kiitos, sink: MailSink, vendure: Any) -> None:
        self.kiitos, self.sink, self.vendure = kiitos, sink, vendure
        self._worker = Worker(kiitos)

    def until_sent(self, words: str) -> Any:
        """Work until a mail with these words has left. What the plug-in posts comes when Vendure's queue gets to it."""
        for _ in range(int(MINUTE / 0.2)):
            self._worker.drain()
            found = [mail for mail in self.sink.messages if words in text_of(mail)]
            if found:
                return found[0]
            threading.Event().wait(0.2)
        raise AssertionError(
            f"no mail with '{words}' within {MINUTE:.0f} s; {len(self.sink.messages)} other mails left"
        )


def document(port: int) -> dict[str, Any]:
    """The operator's file with one shop of the outside platform."""
    return {
        "schema": 1,
        "app": {
            "base_url": f"http://127.0.0.1:{port}",
            "database": {"env": "KIITOS_DATABASE"},
            "master_key": {"env": "KIITOS_MASTER_KEY"},
        },
        "channels": {"mail": {"kind": "smtp", "url": {"env": "KIITOS_SMTP_URL"}, "tls": "none"}},
        "defaults": {
            "email": "mail",
            "flows": {
                "order-confirmation": {"file": "order_confirmation"},
                # News of a parcel settles for a minute: here the clock is the wall's, and nobody wants to wait.
                "delivery-updates": {"file": "delivery_updates", "params": {"settle": "1s"}},
            },
        },
        "clients": {
            "demo": {
                "shops": {
                    "metsa": {
                        "platform": "vendure",
                        "domain": DOMAIN,
                        "url": f"https://{DOMAIN}",
                        "name": "Metsäkauppa",
                        "sender": "Metsäkauppa <tilaukset@metsa.example.test>",
                        "support_email": "apu@metsa.example.test",
                        "address": ["Metsäkauppa Oy", "Keksitie 2", "33100 Tampere"],
                        "timezone": "Europe/Helsinki",
                        "country": "FI",
                        "locale": "en",
                        "endpoint_key": {"env": "HOOK_KEY"},
                        "webhook_secret": {"env": "VENDURE_SECRET"},
                        "access_token": {"env": "VENDURE_KEY"},
                    }
                }
            }
        },
    }


@pytest.fixture
def shop(installed: None, tmp_path: Path) -> Iterator[Shop]:
    testing = import_module("kiitos_vendure.testing")
    if missing := testing.why_not(INSTALLED):
        pytest.skip(missing)
    port = free_port()
    found = document(port)
    hook = f"http://127.0.0.1:{port}/hooks/vendure/{HOOK_KEY}"
    with (
        MailSink(clock=SystemClock()) as sink,
        testing.VendureShop(INSTALLED, hook_url=hook, secret=SECRET, domain=DOMAIN) as vendure,
    ):
        found["clients"]["demo"]["shops"]["metsa"]["api_url"] = vendure.url
        environ = {
            "KIITOS_DATABASE": f"sqlite:///{tmp_path}/kiitos.db",
            "KIITOS_MASTER_KEY": "k1=" + base64.b64encode(b"example key, 32 bytes long......").decode(),
            "KIITOS_SMTP_URL": f"smtp://127.0.0.1:{sink.port}",
            "HOOK_KEY": HOOK_KEY,
            "VENDURE_SECRET": SECRET,
            "VENDURE_KEY": vendure.api_key,
        }
        kiitos = build(parse_config(found, tmp_path / "app.toml", environ), clock=SystemClock())
        with Serving(create_app(kiitos), port):
            yield Shop(kiitos, sink, vendure)
        kiitos.close()


@pytest.mark.slow
def test_an_order_in_a_real_shop_is_confirmed_and_followed_to_the_door(shop: Shop) -> None:
    """Placed through the Shop API, signed and posted by the plug-in, verified, normalised, fetched fresh, mailed."""
    order_id = shop.vendure.place_order("aino@example.test", "Aino", "Mäkinen", quantity=2)
    confirmed = shop.until_sent("Muki")
    assert confirmed.recipients == ("aino@example.test",)
    assert "55.70" in text_of(confirmed)

    parcel = shop.vendure.ship(order_id, "JJFI0001")
    shop.until_sent("JJFI0001")
    before = len(shop.sink.messages)
    shop.vendure.move(parcel, "Delivered")
    shop.until_sent("delivered")
    assert len(shop.sink.messages) == before + 1

    forged = requests.post(
        f"{shop.kiitos.config.app.base_url}/hooks/vendure/{HOOK_KEY}",
        data=b'{"topic": "order.placed", "shop": "metsa.example.test"}',
        headers={"x-kiitos-signature": "0" * 64},
        timeout=10,
    )
    assert forged.status_code == 401
