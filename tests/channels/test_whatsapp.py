"""WhatsApp: the request by Meta's contract, what its answers mean, the handshake, statuses and replies."""

from __future__ import annotations

import hashlib
import hmac
import json
from collections.abc import Iterator
from dataclasses import replace
from datetime import UTC, datetime
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from connector.clock import ManualClock
from connector.contracts import Accepted, Message, Outcome, Rejected, Retry, Unknown
from connector.contracts.channel_events import ChannelEvent, ChannelEventKind, EventEndpoint
from connector.contracts.platform import Handshake, Inbound, Verified
from connector.errors import ConfigError, MalformedPayload, WebhookRejected
from connector.testing.fakes.web import LoopbackServer, Request, Response, as_json
from flows.channels.whatsapp import WhatsApp
from flows.channels.whatsapp.events import WhatsAppEvents
from tests.channels.contract import Contract

NOW = datetime(2026, 11, 23, 9, 0, tzinfo=UTC)
KEY = "0123456789abcdefghjkmnpq"
TABLE = {"phone_number_id": "106540352242922", "access_token": "EAAx-token", "app_secret": "s", "verify_token": "v"}
CONTENT = {
    "name": "order_confirmed",
    "language": {"policy": "deterministic", "code": "fi"},
    "components": [{"type": "body", "parameters": [{"type": "text", "text": "1001"}]}],
}
MESSAGE = Message(
    key=KEY, channel="whatsapp", sender="", recipient="+358401234567", content=json.dumps(CONTENT).encode()
)
AT = EventEndpoint(url="https://kiitos.example.com/hooks/channel.wa/abc", settings=TABLE)


class Meta:
    """Answers `answers` in turn, else accepts."""

    def __init__(self) -> None:
        self.seen: list[Request] = []
        self.answers: list[Response] = []

    def answer(self, request: Request) -> Response:
        self.seen.append(request)
        taken = {"messaging_product": "whatsapp", "messages": [{"id": "wamid.1", "message_status": "accepted"}]}
        return self.answers.pop(0) if self.answers else as_json(200, taken)


@pytest.fixture
def meta() -> Iterator[tuple[Meta, WhatsApp]]:
    server = Meta()
    with LoopbackServer(server.answer) as web:
        yield server, WhatsApp.from_settings({**TABLE, "api_url": web.url}, ManualClock(NOW))


def send(channel: WhatsApp) -> Outcome:
    (outcome,) = channel.send_all([MESSAGE])
    return outcome


def test_a_template_arrives_with_our_key(meta: tuple[Meta, WhatsApp]) -> None:
    server, channel = meta
    assert send(channel) == Accepted(key=KEY, provider_id="wamid.1")
    (request,) = server.seen
    body = json.loads(request.body)
    assert request.path == "/v23.0/106540352242922/messages"
    assert request.headers["authorization"] == "Bearer EAAx-token"
    assert body["to"] == "358401234567"
    assert body["template"] == CONTENT
    assert body["biz_opaque_callback_data"] == KEY


def test_the_request_is_as_meta_publishes_it() -> None:
    contract = Contract("whatsapp_messages.json")
    call = WhatsApp.from_settings(TABLE, ManualClock(NOW)).request(MESSAGE)
    assert contract.problems(call, "/{Version}/{Phone-Number-ID}/messages") == []
    bare = json.loads(call.body)
    del bare["template"]["language"]["policy"]
    wrong = replace(call, body=json.dumps(bare).encode())
    assert any("policy" in each for each in contract.problems(wrong, "/{Version}/{Phone-Number-ID}/messages"))


@pytest.mark.parametrize(
    ("status", "code", "wanted"),
    [
        (400, 131026, (Rejected, None)),
        (400, 132001, (Rejected, None)),
        (400, 131050, (Rejected, None)),
        (400, 130429, (Retry, 60.0)),
        (400, 131056, (Retry, 60.0)),
        (401, 190, (Retry, 300.0)),
        (403, 131031, (Retry, 300.0)),
        (429, 4, (Retry, 60.0)),
        (500, 131000, (Unknown, None)),
        (503, 131016, (Retry, None)),
    ],
)
def test_what_answers_mean(
    meta: tuple[Meta, WhatsApp], status: int, code: int, wanted: tuple[type[Outcome], float | None]
) -> None:
    server, channel = meta
    server.answers = [as_json(status, {"error": {"message": "(#1) +358401234567", "code": code}})]
    outcome = send(channel)
    assert (type(outcome), getattr(outcome, "after", None)) == wanted
    assert "+358401234567" not in str(outcome)
    assert getattr(outcome, "objected", False) == (code == 131050)
    assert not getattr(outcome, "bad_address", False), "no code says for certain that the number is none"


def test_the_handshake() -> None:
    def ask(query: str) -> Verified | Handshake:
        return WhatsAppEvents().verify(Inbound(headers={}, body=b"", query=query, method="GET"), AT, NOW, fetch)

    assert ask("hub.mode=subscribe&hub.verify_token=v&hub.challenge=1158201444") == Handshake(body=b"1158201444")
    for wrong in (
        "hub.mode=subscribe&hub.verify_token=w&hub.challenge=1158201444",
        "hub.mode=subscribe&hub.challenge=1158201444",
        "hub.mode=other&hub.verify_token=v&hub.challenge=1158201444",
        "hub.mode=subscribe&hub.verify_token=v&hub.challenge=%3Cscript%3E",
        "",
    ):
        with pytest.raises(WebhookRejected):
            ask(wrong)
    with pytest.raises(WebhookRejected):
        WhatsAppEvents().verify(
            Inbound(headers={}, body=b"", query="hub.mode=subscribe&hub.verify_token=&hub.challenge=1", method="GET"),
            EventEndpoint(url=AT.url, settings={**TABLE, "verify_token": ""}),
            NOW,
            fetch,
        )


def fetch(url: str) -> bytes:
    raise AssertionError("nothing is fetched")


def told(value: dict[str, Any], secret: str = "s") -> list[ChannelEvent]:
    body = json.dumps({"object": "whatsapp_business_account", "entry": [{"id": "1", "changes": [value]}]}).encode()
    signed = "sha256=" + hmac.new(secret.encode(), body, hashlib.sha256).hexdigest()
    verified = WhatsAppEvents().verify(Inbound(headers={"x-hub-signature-256": [signed]}, body=body), AT, NOW, fetch)
    assert isinstance(verified, Verified)
    return list(WhatsAppEvents().read(verified, body))


def status(word: str, *codes: int, **more: Any) -> dict[str, Any]:
    found = {
        "id": "wamid.1",
        "status": word,
        "timestamp": "1795424400",
        "recipient_id": "358401234567",
        "biz_opaque_callback_data": KEY,
        "errors": [{"code": code, "title": "t"} for code in codes],
        **more,
    }
    return {"field": "messages", "value": {"messaging_product": "whatsapp", "statuses": [found]}}


@pytest.mark.parametrize(
    ("word", "codes", "kind"),
    [
        ("sent", (), ChannelEventKind.ACCEPTED),
        ("delivered", (), ChannelEventKind.DELIVERED),
        ("read", (), ChannelEventKind.OPENED),
        ("failed", (131026,), ChannelEventKind.BOUNCED),
        ("failed", (131050,), ChannelEventKind.UNSUBSCRIBED),
        ("failed", (131049,), ChannelEventKind.FAILED),
        ("warned", (), ChannelEventKind.OTHER),
    ],
)
def test_statuses(word: str, codes: tuple[int, ...], kind: ChannelEventKind) -> None:
    (event,) = told(status(word, *codes))
    assert (event.kind, event.key, event.provider_id, event.recipient) == (kind, KEY, "wamid.1", "+358401234567")
    assert event.at == datetime.fromtimestamp(1795424400, UTC)
    assert event.id == f"wamid.1/{word}"
    assert event.code == (str(codes[0]) if codes else "")


def test_somebody_elses_data_in_place_of_our_key_is_no_key() -> None:
    (event,) = told(status("sent", biz_opaque_callback_data="campaign=7"))
    assert (event.key, event.provider_id) == ("", "wamid.1")


def test_replies_and_what_is_no_message() -> None:
    text = {
        "id": "wamid.2",
        "from": "358401234567",
        "timestamp": "1795424400",
        "type": "text",
        "text": {"body": "Stop"},
    }
    pressed = {"id": "wamid.3", "timestamp": "1795424400", "type": "button", "button": {"text": "Stop promotions"}}
    found = told({"field": "messages", "value": {"messages": [text, pressed]}})
    assert [(each.kind, each.text, each.recipient) for each in found] == [
        (ChannelEventKind.REPLIED, "Stop", "+358401234567"),
        (ChannelEventKind.REPLIED, "Stop promotions", ""),
    ]
    assert told({"field": "account_update", "value": {"statuses": [{}]}}) == []


def test_a_forged_batch_is_rejected() -> None:
    with pytest.raises(WebhookRejected):
        told(status("sent"), secret="another")
    with pytest.raises(MalformedPayload):
        told({"field": "messages", "value": {"statuses": [{"status": "sent"}]}})


@settings(max_examples=200)
@given(body=st.binary(max_size=200), query=st.text(max_size=60), header=st.text(max_size=30), get=st.booleans())
def test_any_bytes_are_rejected_and_nothing_else(body: bytes, query: str, header: str, get: bool) -> None:
    inbound = Inbound(
        headers={"x-hub-signature-256": [header]}, body=body, query=query, method="GET" if get else "POST"
    )
    with pytest.raises(WebhookRejected):
        WhatsAppEvents().verify(inbound, AT, NOW, fetch)


JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.text(max_size=8),
    lambda inner: (
        st.lists(inner, max_size=3)
        | st.dictionaries(st.sampled_from(["entry", "changes", "value", "statuses", "messages", "id", "errors"]), inner)
    ),
    max_leaves=20,
)


@settings(max_examples=200)
@given(JSON)
def test_any_signed_json_is_read_or_malformed(found: Any) -> None:
    verified = Verified(topic="messages", dedup_key="x", triggered_at=NOW)
    try:
        events = WhatsAppEvents().read(verified, json.dumps(found).encode())
    except MalformedPayload:
        return
    assert all(event.provider_id for event in events)


@pytest.mark.parametrize(
    ("table", "where"),
    [
        ({**TABLE, "phone_number_id": "+358401234567"}, "phone_number_id: should be the number's id"),
        ({"phone_number_id": "1"}, "access_token: missing"),
        ({**TABLE, "version": "23"}, "version: should be a version"),
        ({**TABLE, "token": "x"}, "token: the whatsapp channel has no such key"),
    ],
)
def test_a_wrong_setting_is_named(table: dict[str, object], where: str) -> None:
    with pytest.raises(ConfigError, match=where.replace("+", r"\+")):
        WhatsApp.from_settings(table, ManualClock(NOW))
