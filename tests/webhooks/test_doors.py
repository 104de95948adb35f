"""Events of channels' providers come in by the platforms' door: the same limits, the same log, the same two roads."""

from __future__ import annotations

import asyncio
from collections.abc import Iterator, Sequence
from contextlib import closing, contextmanager
from datetime import datetime
from pathlib import Path
from typing import Any, ClassVar

import pytest

from connector.clock import SystemClock
from connector.codec import decode
from connector.contracts import Handshake, Inbound, Verified
from connector.contracts.channel_events import ChannelEvent, ChannelEvents, EventEndpoint, Fetch
from connector.errors import Transient, WebhookRejected
from connector.registry import CHANNEL_EVENTS, PLATFORMS, Registry
from connector.secrets import Vault
from connector.store import shops
from connector.store.store import Store
from tests.webhooks.acme import Acme
from tests.webhooks.composition import MASTER_KEY, OTHER_KEY, SHOP, seed, stored
from webhooks.accept import Acceptor, Answer
from webhooks.certificates import MOST, Certificates
from webhooks.directory import Entry
from webhooks.doors import Doors
from webhooks.receiver import Receiver

KEY = "k5postkeykeykey"
PATH = f"/hooks/channel.post/{KEY}"
URL = f"https://kiitos.example{PATH}"
CERTIFICATE = "https://certificates.example/1"


class PostEvents(ChannelEvents):
    """Signed with a plain header; a body beginning with `cert` needs a certificate, `breaks` raises."""

    name: ClassVar[str] = "post"

    def verify(self, inbound: Inbound, endpoint: EventEndpoint, now: datetime, fetch: Fetch) -> Verified | Handshake:
        if inbound.method == "GET":
            if inbound.query == "challenge=42":
                return Handshake(b"42")
            if inbound.query != "odd":
                raise WebhookRejected("no challenge")
            return Verified(topic="events", dedup_key="odd")
        if inbound.one("x-post") != endpoint.settings["webhook_secret"] or endpoint.url != URL:
            raise WebhookRejected("signature")
        if inbound.body.startswith(b"cert"):
            try:
                fetch(CERTIFICATE)
            except Transient as error:
                raise WebhookRejected("no certificate") from error
        return Verified(topic="events", dedup_key=inbound.body.decode("latin-1"), resource_id=inbound.query or None)

    def read(self, verified: Verified, body: bytes) -> Sequence[ChannelEvent]:
        return ()


@contextmanager
def post_office(folder: Path, fetched: list[str], answers: list[bytes | Transient]) -> Iterator[Receiver]:
    registry = Registry(
        extra={(PLATFORMS, "acme"): Acme, (PLATFORMS, "explosive"): Acme, (CHANNEL_EVENTS, "post"): PostEvents}
    )
    clock = SystemClock()

    def fetch(url: str) -> bytes:
        fetched.append(url)
        answer = answers.pop(0)
        if isinstance(answer, Transient):
            raise answer
        return answer

    table: dict[str, Any] = {"kind": "post", "webhook_secret": "sesame"}
    doors = Doors({"post": table}, {"post": URL}, registry, clock, Certificates(fetch))
    with closing(Store.open(f"sqlite:///{folder}/work.db")) as store:
        seed(store)
        with store.work.transaction() as tx:
            shops.put_endpoint(tx, KEY, "channel.post", "channel:post", None, clock.now())
            shops.put_endpoint(tx, "k6gone", "channel.gone", "channel:gone", None, clock.now())
        receiver = Receiver(store, Vault.from_text(MASTER_KEY), registry, clock, doors=doors)
        receiver.start()
        try:
            yield receiver
        finally:
            receiver.close()


@pytest.fixture
def fetched() -> list[str]:
    return []


@pytest.fixture
def answers() -> list[bytes | Transient]:
    return []


@pytest.fixture
def office(tmp_path: Path, fetched: list[str], answers: list[bytes | Transient]) -> Iterator[Receiver]:
    with post_office(tmp_path, fetched, answers) as made:
        yield made


def told(acceptor: Acceptor, body: bytes, *, secret: str = "sesame", query: str = "", soon: bool = False) -> int:
    headers = {"x-post": [secret]}
    if soon:
        return asyncio.run(_told_soon(acceptor, headers, body))
    return acceptor.accept("channel.post", KEY, headers, body, query).status


async def _told_soon(acceptor: Acceptor, headers: dict[str, list[str]], body: bytes) -> int:
    """As the event loop's road goes."""
    entry = await acceptor.run_soon(acceptor.admit("POST", f"/hooks/channel.post/{KEY}", headers))
    assert isinstance(entry, Entry)
    found = await acceptor.run_soon(acceptor.judge(entry, headers, body))
    return found.status if isinstance(found, Answer) else acceptor.store(found).status


def test_a_provider_s_event_is_kept_under_the_channel_s_own_account(office: Receiver) -> None:
    assert told(office.acceptor, b"one", query="key=abc") == 200
    assert told(office.acceptor, b"two", soon=True) == 200
    first, second = stored(office.store)
    assert (first.shop_id, first.platform, first.topic, first.quarantine) == (
        "channel:post",
        "channel.post",
        "events",
        "",
    )
    assert (first.body, second.body) == (b"one", b"two")
    assert decode(first.headers["verified"], Verified).resource_id == "key=abc"


def test_a_repetition_is_answered_and_kept_once(office: Receiver) -> None:
    assert [told(office.acceptor, b"one") for _ in range(3)] == [200, 200, 200]
    assert len(stored(office.store)) == 1


@pytest.mark.parametrize(
    ("platform", "key", "secret", "status"),
    [
        ("channel.post", KEY, "wrong", 401),
        ("channel.post", "another", "sesame", 404),
        ("channel.other", KEY, "sesame", 404),
        ("post", KEY, "sesame", 404),
        ("channel.post", OTHER_KEY, "sesame", 404),
        ("channel.gone", "k6gone", "sesame", 503),
    ],
)
def test_only_the_right_path_and_signature_open_it(
    office: Receiver, platform: str, key: str, secret: str, status: int
) -> None:
    assert office.acceptor.accept(platform, key, {"x-post": [secret]}, b"x").status == status
    assert stored(office.store) == []


def test_a_provider_may_ask_with_get_and_nothing_else_comes_in_so(office: Receiver) -> None:
    acceptor = office.acceptor

    def asked(path: str, query: str) -> tuple[int, bytes]:
        entry = acceptor.run(acceptor.admit("GET", path, {}))
        if not hasattr(entry, "endpoint"):
            return entry.status, entry.body
        answer = acceptor.settle(entry, {}, b"", query, "GET")
        return answer.status, answer.body

    assert asked(PATH, "challenge=42") == (200, b"42")
    assert asked(PATH, "")[0] == 401
    assert asked(PATH, "odd")[0] == 405
    assert asked(f"/hooks/acme/{OTHER_KEY}", "challenge=42")[0] == 405
    assert stored(office.store) == []


def test_a_certificate_is_fetched_beside_the_request_and_once(
    office: Receiver, fetched: list[str], answers: list[bytes | Transient]
) -> None:
    answers.append(b"pem")
    assert [told(office.acceptor, b"cert 1"), told(office.acceptor, b"cert 2", soon=True)] == [200, 200]
    assert fetched == [CERTIFICATE]
    assert len(stored(office.store)) == 2


def test_without_its_certificate_an_event_is_asked_for_again_and_not_refused(
    office: Receiver, fetched: list[str], answers: list[bytes | Transient]
) -> None:
    answers += [Transient("no answer in time"), b"pem"]
    assert told(office.acceptor, b"cert 1") == 503  # a 401 would make SNS give the event up
    assert told(office.acceptor, b"cert 1") == 200
    assert len(fetched) == 2


def test_what_is_wanted_and_kept_of_certificates_is_bounded() -> None:
    kept = Certificates(lambda url: url.encode())
    for number in range(3 * MOST):
        with pytest.raises(Transient):
            kept.get(f"https://certificates.example/{number}")
    kept.bring()
    with pytest.raises(Transient):
        kept.get(f"https://certificates.example/{MOST}")
    kept.bring()
    assert kept.get(f"https://certificates.example/{MOST}") == f"https://certificates.example/{MOST}".encode()
    with pytest.raises(Transient):
        kept.get("https://certificates.example/0")


def test_an_app_s_deliveries_still_need_a_shop(office: Receiver) -> None:
    """Negative control: only a channel's account stands for itself."""
    assert told(office.acceptor, b"one") == 200
    assert {row.shop_id for row in stored(office.store)}.isdisjoint({SHOP.id})
