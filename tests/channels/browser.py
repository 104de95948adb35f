"""A browser with its push service, as RFC 8030, 8291 and 8292 describe them: it decrypts what it gets."""

from __future__ import annotations

import base64
import json
import os
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from typing import Any

import http_ece
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.hazmat.primitives.asymmetric.utils import encode_dss_signature
from cryptography.hazmat.primitives.serialization import Encoding, PublicFormat

from connector.testing.fakes.web import LoopbackServer, Request, Response


def b64(raw: bytes) -> str:
    return base64.urlsafe_b64encode(raw).rstrip(b"=").decode()


def unb64(text: str) -> bytes:
    return base64.urlsafe_b64decode(text + "=" * (-len(text) % 4))


@dataclass
class Browser:
    """`got` are decrypted payloads, `headers` what came with each; `status` is what the service answers."""

    key: Any = field(default_factory=lambda: ec.generate_private_key(ec.SECP256R1()))
    auth: bytes = field(default_factory=lambda: os.urandom(16))
    got: list[dict[str, Any]] = field(default_factory=list)
    headers: list[dict[str, str]] = field(default_factory=list)
    sizes: list[int] = field(default_factory=list)
    status: int = 201
    retry_after: str = ""
    base: str = ""
    name: str = "b1"

    @property
    def subscription(self) -> dict[str, Any]:
        """As `PushSubscription.toJSON` writes it."""
        point = self.key.public_key().public_bytes(Encoding.X962, PublicFormat.UncompressedPoint)
        keys = {"p256dh": b64(point), "auth": b64(self.auth)}
        return {"endpoint": f"{self.base}/push/{self.name}", "expirationTime": None, "keys": keys}

    def receive(self, request: Request) -> Response:
        if self.status >= 300:
            more = (("Retry-After", self.retry_after),) if self.retry_after else ()
            return Response(self.status, b"", headers=more)
        clear = http_ece.decrypt(request.body, private_key=self.key, auth_secret=self.auth, version="aes128gcm")
        self.got.append(json.loads(clear))
        self.headers.append(dict(request.headers))
        self.sizes.append(len(request.body))
        return Response(self.status, b"")


@contextmanager
def push_service(*browsers: Browser) -> Iterator[LoopbackServer]:
    known = {f"/push/{each.name}": each for each in browsers}

    def answer(request: Request) -> Response:
        return known[request.path].receive(request) if request.path in known else Response(404)

    with LoopbackServer(answer) as server:
        for each in browsers:
            each.base = server.url
        yield server


def check_vapid(header: str, public_key: str) -> dict[str, Any]:
    """The claims of an `Authorization: vapid` whose signature holds for the key. Raises otherwise."""
    scheme, _, rest = header.partition(" ")
    told = dict(part.strip().split("=", 1) for part in rest.split(","))
    assert scheme == "vapid"
    assert told["k"] == public_key
    head, claims, signature = told["t"].split(".")
    assert json.loads(unb64(head)) == {"typ": "JWT", "alg": "ES256"}
    raw = unb64(signature)
    der = encode_dss_signature(int.from_bytes(raw[:32], "big"), int.from_bytes(raw[32:], "big"))
    key = ec.EllipticCurvePublicKey.from_encoded_point(ec.SECP256R1(), unb64(public_key))
    key.verify(der, f"{head}.{claims}".encode(), ec.ECDSA(hashes.SHA256()))
    found: dict[str, Any] = json.loads(unb64(claims))
    return found
