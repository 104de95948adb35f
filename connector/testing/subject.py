"""An adapter under test: its recordings, its shop, and how its platform signs. What the kit's checks are built of."""

from __future__ import annotations

import base64
import hashlib
import hmac
import json
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any, ClassVar

from connector.contracts import Endpoint, Inbound, PlatformAdapter, Verified
from connector.errors import WebhookRejected
from connector.model import Event, Shop
from connector.testing.exchanges import Tape, find_tapes
from connector.testing.recording import NOTHING, Recording, Replaced, find_recordings

if TYPE_CHECKING:
    import pytest

SECRET = b"kit-secret-current"
OLD_SECRET = b"kit-secret-before-rotation"


class Subject:
    """What an author says of a platform, and the requests made of it. Header names are lower case, as in `Inbound`.

    `repeat_refused` are headers of which a second copy must be refused. A platform without a topic, shop or delivery
    header leaves the name empty; where the signed body names the shop or the delivery instead, `shop_field` and
    `delivery_field` are the dotted paths there. `hosts` are the platform's own domains, which recordings may name.
    `exchanges` is the folder of tapes, `credentials` invented values of the secrets a client needs, `unrecorded` the
    methods without tapes and why.
    """

    recordings: ClassVar[Path]
    shop: ClassVar[Shop]
    signature_header: ClassVar[str]
    topic_header: ClassVar[str] = ""
    shop_header: ClassVar[str] = ""
    delivery_header: ClassVar[str] = ""
    shop_field: ClassVar[str] = ""
    delivery_field: ClassVar[str] = ""
    repeat_refused: ClassVar[Sequence[str]] = ()
    unknown_topic: ClassVar[str] = "kiitos/unheard_of"
    foreign_shop: ClassVar[str] = "somebody-else.example"
    max_examples: ClassVar[int] = 150
    hosts: ClassVar[Sequence[str]] = ()
    exchanges: ClassVar[Path | None] = None
    credentials: ClassVar[Mapping[str, str]] = {}
    unrecorded: ClassVar[Mapping[str, str]] = {}

    def make_adapter(self) -> PlatformAdapter:
        """A fresh adapter, as the registry would build it."""
        raise TypeError(f"{type(self).__name__} must define make_adapter()")

    def sign(self, body: bytes, secret: bytes) -> str:
        """The value of the signature header: base64 of HMAC-SHA256 over the raw body, unless overridden."""
        return base64.b64encode(hmac.new(secret, body, hashlib.sha256).digest()).decode()

    # -- what the tests are built of -------------------------------------------------------------------------------

    def endpoint(self, *secrets: bytes) -> Endpoint:
        return Endpoint(key="kit", platform=self.shop.platform, secrets=secrets, shop=self.shop)

    def signed(
        self, recording: Recording, replaced: Replaced = NOTHING, *, secret: bytes = SECRET, body: bytes | None = None
    ) -> Inbound:
        """The recording's request, validly signed over its (or another) body; `replaced` as in `Recording.inbound`."""
        signature = self.sign(recording.body if body is None else body, secret)
        return recording.inbound({self.signature_header: signature, **replaced}, body=body)

    def verified(self, recording: Recording, adapter: PlatformAdapter, replaced: Replaced = NOTHING) -> Verified:
        found = adapter.verify(self.signed(recording, replaced), self.endpoint(SECRET))
        assert isinstance(found, Verified), f"{recording.name}: a signed delivery was taken for a handshake"
        return found

    def events(
        self, recording: Recording, adapter: PlatformAdapter | None = None, replaced: Replaced = NOTHING
    ) -> list[Event]:
        adapter = adapter or self.make_adapter()
        return list(adapter.normalise(self.verified(recording, adapter, replaced), recording.body, self.shop))

    def refused(self, inbound: Inbound, *secrets: bytes, why: str) -> None:
        """Assert that a request is rejected with the one error allowed."""
        try:
            found = self.make_adapter().verify(inbound, self.endpoint(*secrets))
        except WebhookRejected:
            return
        raise AssertionError(f"accepted {why}: {type(found).__name__}")

    def pytest_generate_tests(self, metafunc: pytest.Metafunc) -> None:
        if "recording" in metafunc.fixturenames:
            found = find_recordings(self.recordings)
            metafunc.parametrize("recording", found, ids=[recording.name for recording in found])
        if "tape" in metafunc.fixturenames:
            tapes = self.tapes()
            metafunc.parametrize("tape", tapes, ids=[tape.name for tape in tapes])

    @classmethod
    def tapes(cls) -> list[Tape]:
        return find_tapes(cls.exchanges) if cls.exchanges else []


def with_field(body: bytes, path: str, value: Any) -> bytes:
    """A JSON body with the field at a dotted path replaced. Raises `KeyError` where there is no such field."""
    whole = json.loads(body)
    *parents, last = path.split(".")
    place = whole
    for name in parents:
        place = place[name]
    if last not in place:
        raise KeyError(path)
    place[last] = value
    return json.dumps(whole, ensure_ascii=False).encode()
