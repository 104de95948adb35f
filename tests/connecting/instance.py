"""One installation with a client and no shops, a merchant's browser, and a WooCommerce store to connect."""

from __future__ import annotations

import base64
import re
from datetime import UTC, datetime, timedelta
from ipaddress import ip_address
from pathlib import Path
from typing import Any
from urllib.parse import parse_qsl, urlsplit

from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec
from flask.testing import FlaskClient
from werkzeug.test import TestResponse

from connector.app import Kiitos, build, create_app
from connector.clock import ManualClock
from connector.config import parse_config
from connector.connecting import Attempts
from connector.store import connecting, shops
from connector.testing.fakes.woocommerce import FakeWoo
from connector.testing.fakes.woocommerce.authorize import callback_body
from connector.testing.serving import free_port

NOW = datetime(2026, 11, 22, 9, 0, tzinfo=UTC)
ENV = {
    "KEY": "k1=" + base64.b64encode(b"a master key that has 32 bytes!!").decode(),
    "PASSPHRASE": "a long enough pass phrase",
}
BASE = "https://kiitos.test"


def document(folder: Path, base_url: str = BASE, **connect: Any) -> dict[str, Any]:
    return {
        "schema": 1,
        "app": {
            "base_url": base_url,
            "database": f"sqlite:///{folder}/kiitos.db",
            "master_key": {"env": "KEY"},
        },
        "connect": {"private_addresses": True, **connect},
        "channels": {"mail": {"kind": "memory"}},
        "defaults": {"flows": {"order-confirmation": {"file": "order_confirmation"}}},
        "clients": {"acme": {"name": "Acme Agency"}},
    }


def make(folder: Path, *, clients: tuple[str, ...] = (), base_url: str = BASE, **connect: Any) -> Kiitos:
    found = document(folder, base_url, **connect)
    for name in clients:
        found["clients"][name] = {}
        found["connect"].setdefault("client", "acme")
    return build(parse_config(found, folder / "app.toml", ENV), clock=ManualClock(NOW))


def make_store(**settings: Any) -> FakeWoo:
    """A store at a loopback address that calls itself by that address, as a real one does by its own."""
    port = free_port()
    clock = ManualClock(NOW, seed=port)
    return FakeWoo(clock, f"http://127.0.0.1:{port}", "ck_first", "cs_first", port=port, name="Metsäkauppa", **settings)


def active(kiitos: Kiitos) -> dict[str, Any]:
    """Everything that would let us act for a store."""
    with kiitos.store.work.read() as tx:
        rows = connecting.all(tx)
        stored = {row["owner_id"] for row in tx.all("credential_all")}
        known = {shop.id for shop in shops.all(tx)}
    return {"connected": [row.shop_id for row in rows], "credentials": sorted(stored), "shops": sorted(known)}


NOTHING: dict[str, Any] = {"connected": [], "credentials": [], "shops": []}


class Scene:
    """A merchant who has submitted the form and is now in the store's admin: everything a forger could play with."""

    def __init__(self, kiitos: Kiitos, woo: FakeWoo) -> None:
        self.kiitos, self.woo = kiitos, woo
        self.app = create_app(kiitos)
        self.browser = self.visitor()
        self.invite = urlsplit(Attempts(kiitos).invite("acme", locale="en")).path
        answer = self.submit(self.browser, self.invite, "approve", url=woo.home)
        assert answer.status_code == 303, answer.text
        page = self.browser.get("/connect/go", base_url=BASE).text
        found = re.search(r'class="button" href="([^"]+)"', page)
        assert found is not None
        self.authorize = found[1].replace("&amp;", "&")
        self.sent = dict(parse_qsl(urlsplit(self.authorize).query))
        self.ticket = self.sent["user_id"]
        _, self.key, self.secret = woo.issue_key("read_write")

    def visitor(self) -> FlaskClient:
        return self.app.test_client()

    def submit(self, browser: FlaskClient, invite: str, way: str, **values: str) -> TestResponse:
        return browser.post(f"{invite}/woocommerce/{way}", data=values, base_url=BASE)

    def call(self, body: bytes | None = None, *, url: str | None = None, **headers: str) -> TestResponse:
        """The store's server posts to the callback."""
        given = callback_body(self.ticket, self.key, self.secret) if body is None else body
        kind = headers.pop("content_type", "application/json;charset=UTF-8")
        path = urlsplit(url or self.sent["callback_url"]).path
        return self.visitor().post(path, data=given, content_type=kind, headers=headers, base_url=BASE)

    def come_back(self, browser: FlaskClient | None = None, query: str | None = None) -> TestResponse:
        """The browser is sent back."""
        given = f"success=1&user_id={self.ticket}" if query is None else query
        path = urlsplit(self.sent["return_url"]).path
        return (browser or self.browser).get(f"{path}?{given}", base_url=BASE)

    def pass_time(self, **span: float) -> None:
        clock = self.kiitos.clock
        assert isinstance(clock, ManualClock)
        clock.advance(timedelta(**span))


def certificate(folder: Path) -> Path:
    """A certificate of 127.0.0.1 and its key in one PEM file."""
    key = ec.generate_private_key(ec.SECP256R1())
    name = x509.Name([x509.NameAttribute(x509.NameOID.COMMON_NAME, "kiitos.example.test")])
    start = datetime(2020, 1, 1, tzinfo=UTC)
    made = (
        x509.CertificateBuilder()
        .subject_name(name)
        .issuer_name(name)
        .public_key(key.public_key())
        .serial_number(x509.random_serial_number())
        .not_valid_before(start)
        .not_valid_after(start + timedelta(days=36_500))
        .add_extension(x509.SubjectAlternativeName([x509.IPAddress(ip_address("127.0.0.1"))]), critical=False)
        .add_extension(x509.BasicConstraints(ca=True, path_length=None), critical=True)
        .sign(key, hashes.SHA256())
    )
    path = folder / "server.pem"
    private = key.private_bytes(
        serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, serialization.NoEncryption()
    )
    path.write_bytes(made.public_bytes(serialization.Encoding.PEM) + private)
    return path
