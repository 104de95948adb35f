"""A provider, or whatever stands at its address, answers 200 and has not taken the message: nothing is called sent.

Where the provider's API promises an id, an answer without one proves nothing (`flows.channels.side_by_side.accepted`).
Providers that accept and never answer are in tests/journeys/test_providers_whole.py and test_provider_faults.py, mail
servers that do in tests/channels/test_smtp_wire.py.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import pytest

from connector.clock import ManualClock
from connector.contracts import Accepted, Message, Outcome, Unknown
from connector.model import EffectStatus
from connector.testing.fakes.providers import FakeProviders, Mishap
from connector.testing.fakes.texting import ACCOUNT, TOKEN
from connector.testing.fakes.web import LoopbackServer, Request, Response
from flows.channels import api_email
from flows.channels.elks46 import Elks46
from flows.channels.twilio import Twilio
from flows.channels.whatsapp import WhatsApp
from tests.journeys.test_provider_limits import house
from tests.journeys.test_providers_whole import with_provider
from tests.journeys.two_providers import ASKING, ORDERS, Make

from .installation import START

__all__ = ["house"]

PAGE = "<!doctype html><title>Sign in to the hotel's network</title>"
LIES = {
    "a page": Mishap(status=200, body=PAGE, content_type="text/html"),
    "nothing": Mishap(status=200, body="", content_type="text/plain"),
    "an id that is none": Mishap(status=202, body={"id": None, "MessageID": None, "messageId": 7}),
    "an error's body": Mishap(status=200, body={"error": "internal", "message": "try later", "errors": [{}]}),
    "depth": Mishap(status=200, body="[" * 50_000, content_type="text/plain"),
}
KEYED = {"resend", "brevo"}
PROVIDERS = ("resend", "postmark", "sendgrid", "mailgun", "brevo")


@pytest.fixture
def providers() -> Iterator[FakeProviders]:
    with FakeProviders() as running:
        yield running


@pytest.mark.parametrize("lie", LIES)
@pytest.mark.parametrize("name", PROVIDERS)
def test_order_mail_arrives_all_the_same(house: Make, providers: FakeProviders, name: str, lie: str) -> None:
    life = with_provider(house, name, providers, ORDERS, "main")
    providers.mishaps.append(LIES[lie])
    life.orders(1)
    life.worker.drain()
    assert (providers.box, EffectStatus.SENT in life.statuses()) == ([], False)
    life.until(minutes=30)
    assert (len(providers.box), life.statuses()) == (1, [EffectStatus.SENT])


@pytest.mark.parametrize("name", PROVIDERS)
def test_marketing_is_repeated_only_where_that_is_safe(house: Make, providers: FakeProviders, name: str) -> None:
    life = with_provider(house, name, providers, ASKING, "main")
    providers.mishaps.append(LIES["a page"])
    life.orders(1)
    life.until(hours=2)
    arrived, status = (0, EffectStatus.UNCERTAIN) if name not in KEYED else (1, EffectStatus.SENT)
    assert (len(providers.box), life.statuses()) == (arrived, [status])


def test_control_a_product_that_believes_every_200_loses_the_message(
    house: Make,
    providers: FakeProviders,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(api_email, "accepted", lambda _provider, key, _status, _id: Accepted(key=key))
    life = with_provider(house, "sendgrid", providers, ORDERS, "main")
    providers.mishaps.append(LIES["a page"])
    life.orders(1)
    life.until(minutes=30)
    assert (providers.box, life.statuses()) == ([], [EffectStatus.SENT])


TEXTS: dict[str, tuple[Any, dict[str, str]]] = {
    "twilio": (Twilio, {"account_sid": ACCOUNT, "auth_token": TOKEN, "from": "+15005550006"}),
    "elks46": (Elks46, {"username": "user", "password": "pass", "from": "Metsa"}),
    "whatsapp": (
        WhatsApp,
        {"phone_number_id": "106540352242922", "access_token": "token", "app_secret": "secret", "verify_token": "word"},
    ),
}


@pytest.mark.parametrize("name", TEXTS)
@pytest.mark.parametrize("body", [PAGE, "", "{}", '{"error": "internal"}', "[1]", '{"messages": [{"id": null}]}'])
def test_texts_need_their_proof_too(name: str, body: str) -> None:
    def lying(request: Request) -> Response:
        return Response(200, body.encode(), "text/html")

    kind, settings = TEXTS[name]
    with LoopbackServer(lying) as web:
        channel = kind.from_settings({**settings, "api_url": web.url}, ManualClock(START))
        content = b"Hei!" if name != "whatsapp" else b'{"type": "text", "text": {"body": "Hei!"}}'
        message = Message(key="k" * 24, channel=name, sender="", recipient="+358401234567", content=content)
        found: list[Outcome] = list(channel.send_all([message]))
    assert [type(each) for each in found] == [Unknown], found
