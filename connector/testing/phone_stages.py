"""The stages of the channels that are no e-mail: providers of texts, Meta, a push service, a print house's folder."""

from __future__ import annotations

import base64
import csv
import hashlib
import json
import shutil
import tempfile
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any, ClassVar

from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.hazmat.primitives.serialization import Encoding, PublicFormat

from connector.clock import SystemClock
from connector.contracts import Message
from connector.testing.channels import WAIT, ChannelStage, Trouble
from connector.testing.fakes.texting import ACCOUNT, BUSY, NOBODY, SILENT, TOKEN, Texting
from connector.testing.fakes.web import LoopbackServer, Request, Response, as_json

_TEXT = "Metsäkauppa: tilauksesi on matkalla."


class WebStage(ChannelStage):
    """A provider on loopback."""

    def begin(self, answer: Callable[[Request], Response]) -> str:
        """Start to answer; where."""
        self._server = LoopbackServer(answer)
        self._server.start()
        return self._server.url

    def leave(self) -> None:
        self._server.stop()

    def recipient(self, name: str) -> str:
        return f"+35840{int(hashlib.sha256(name.encode()).hexdigest(), 16) % 10**7:07}"


class TwilioStage(WebStage):
    required: Sequence[str] = ("account_sid", "auth_token")
    secrets: Sequence[str] = (TOKEN,)
    kind: ClassVar[str] = "twilio"

    def __init__(self) -> None:
        self._texting = Texting(SystemClock())
        common = {"from": "Metsakauppa", "events_url": "https://kiitos.example.com/hooks/channel.texts/abc"}
        url = self.begin(getattr(self._texting, self.kind))
        self.settings = {**self.account(), **common, "api_url": url}

    def account(self) -> dict[str, str]:
        return {"account_sid": ACCOUNT, "auth_token": TOKEN}

    def taken(self) -> Sequence[str]:
        hooks = (form.get("StatusCallback") or form["whendelivered"] for form in self._texting.taken)
        return [hook.rpartition("?key=")[2] for hook in hooks]

    def trouble(self, what: Trouble) -> None:
        self._texting.mishaps.append({Trouble.REFUSES: NOBODY, Trouble.BUSY: BUSY, Trouble.CUTS: SILENT}[what])

    def message(self, key: str, recipient: str) -> Message:
        text = f"{_TEXT} {key}".encode()
        return Message(key=key, channel="sms", sender="", recipient=recipient, content=text, shop_id="metsa")


class Elks46Stage(TwilioStage):
    required = ("username", "password")
    secrets = ()
    kind = "elks46"

    def account(self) -> dict[str, str]:
        return {"username": "user", "password": "pass"}


class WhatsAppStage(WebStage):
    required: Sequence[str] = ("phone_number_id", "access_token")
    secrets = ("EAAx-token",)

    def __init__(self) -> None:
        self._seen: list[str] = []
        self._troubles: list[Trouble] = []
        url = self.begin(self._answer)
        self.settings = {"phone_number_id": "1065", "access_token": "EAAx-token", "api_url": url}

    def _answer(self, request: Request) -> Response:
        if request.method == "GET":
            return as_json(200, {"id": "1065", "verified_name": "Metsäkauppa"})
        told = json.loads(request.body)
        what = self._troubles.pop(0) if self._troubles else None
        if what is Trouble.REFUSES:
            return as_json(400, {"error": {"code": 131026, "message": f"({told['to']}) is undeliverable"}})
        if what is Trouble.BUSY:
            return as_json(429, {"error": {"code": 130429}}, headers=(("Retry-After", f"{WAIT:g}"),))
        self._seen.append(told["biz_opaque_callback_data"])
        found = as_json(200, {"messages": [{"id": f"wamid.{len(self._seen)}"}]})
        return Response(found.status, found.body, drop=what is Trouble.CUTS)

    def taken(self) -> Sequence[str]:
        return list(self._seen)

    def trouble(self, what: Trouble) -> None:
        self._troubles.append(what)

    def message(self, key: str, recipient: str) -> Message:
        template = {"name": "order_confirmed", "language": {"policy": "deterministic", "code": "fi"}}
        content = json.dumps(template).encode()
        return Message(key=key, channel="whatsapp", sender="", recipient=recipient, content=content, shop_id="metsa")


class WebPushStage(WebStage):
    """A push service. What it took it knows by the topic, as it cannot read the rest."""

    one_provider: ClassVar[bool] = False
    required: Sequence[str] = ("private_key", "subject")

    def __init__(self) -> None:
        self._seen: list[str] = []
        self._troubles: list[Trouble] = []
        self._url = self.begin(self._answer)
        private = _base64(ec.generate_private_key(ec.SECP256R1()).private_numbers().private_value.to_bytes(32, "big"))
        self.secrets = (private,)
        self.settings = {"private_key": private, "subject": "mailto:it@example.com", "private_addresses": True}

    def _answer(self, request: Request) -> Response:
        what = self._troubles.pop(0) if self._troubles else None
        if what is Trouble.REFUSES:
            return Response(410)
        if what is Trouble.BUSY:
            return Response(429, headers=(("Retry-After", f"{WAIT:g}"),))
        self._seen.append(request.headers["topic"])
        return Response(201, drop=what is Trouble.CUTS)

    def taken(self) -> Sequence[str]:
        return list(self._seen)

    def trouble(self, what: Trouble) -> None:
        self._troubles.append(what)

    def recipient(self, name: str) -> str:
        return f"{name}@example.com"

    def message(self, key: str, recipient: str) -> Message:
        point = ec.generate_private_key(ec.SECP256R1()).public_key()
        keys = {"p256dh": _base64(point.public_bytes(Encoding.X962, PublicFormat.UncompressedPoint)), "auth": "A" * 22}
        browser: dict[str, Any] = {"id": key, "endpoint": f"{self._url}/push/{key}", **keys}
        told = {"payload": {"title": _TEXT}, "ttl": 60, "topic": key, "urgency": "normal"}
        return Message(
            key=key,
            channel="push",
            sender="",
            recipient=recipient,
            content=json.dumps(told).encode(),
            headers={"subscriptions": json.dumps([browser])},
            shop_id="metsa",
        )


class LettersStage(ChannelStage):
    """A print house's folder. Nothing keeps it waiting, and no answer of its gets lost."""

    required: Sequence[str] = ("folder",)
    can = frozenset({Trouble.REFUSES})

    def __init__(self) -> None:
        self._folder = Path(tempfile.mkdtemp(prefix="kiitos-letters-"))
        self._long = False
        self.settings = {"folder": str(self._folder / "out")}

    def taken(self) -> Sequence[str]:
        manifest = self._folder / "out" / "manifest.csv"
        if not manifest.is_file():
            return []
        with manifest.open(encoding="utf-8", newline="") as file:
            return [row["file"].removesuffix(".pdf") for row in csv.DictReader(file)]

    def trouble(self, what: Trouble) -> None:
        self._long = what is Trouble.REFUSES

    def leave(self) -> None:
        shutil.rmtree(self._folder, ignore_errors=True)
        self._folder.touch()

    def close(self) -> None:
        shutil.rmtree(self._folder, ignore_errors=True)
        self._folder.unlink(missing_ok=True)

    def message(self, key: str, recipient: str) -> Message:
        body, self._long = ("<p>Kiitos</p>" * (400 if self._long else 1)), False
        told = {
            "body": body,
            "lines": ["Aino Mäkinen", "Esimerkkikatu 1", "00100 HELSINKI"],
            "country": "FI",
            "home": "FI",
            "sender": ["Metsäkauppa"],
            "lang": "fi",
            "dir": "ltr",
            "template": "loyalty_thanks",
        }
        content = json.dumps(told).encode()
        return Message(key=key, channel="print", sender="", recipient=recipient, content=content, shop_id="metsa")


def _base64(raw: bytes) -> str:
    return base64.urlsafe_b64encode(raw).rstrip(b"=").decode()
