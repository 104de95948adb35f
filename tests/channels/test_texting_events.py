"""What Twilio and 46elks tell afterwards: signatures, kinds, keys, and that no bytes whatever break the reading."""

from __future__ import annotations

import base64
import hashlib
import hmac
from datetime import UTC, datetime
from urllib.parse import parse_qsl, urlencode

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from connector.contracts.channel_events import BounceKind, ChannelEvent, ChannelEventKind, EventEndpoint
from connector.contracts.platform import Inbound, Verified
from connector.errors import WebhookRejected
from flows.channels.elks46.events import Elks46Events
from flows.channels.twilio.events import TwilioEvents, signature

NOW = datetime(2026, 11, 23, 9, 0, tzinfo=UTC)
URL = "https://kiitos.example.com/hooks/channel.texts/abc"
KEY = "0123456789abcdefghjkmnpq"
AT = EventEndpoint(url=URL, settings={"auth_token": "12345"})


def fetch(url: str) -> bytes:
    raise AssertionError("nothing is fetched")


def twilio(form: dict[str, str], *, query: str = f"key={KEY}", token: str = "12345", url: str = URL) -> Inbound:
    """Signed as Twilio's documentation describes it, in other words than ours."""
    whole = url + (f"?{query}" if query else "")
    for name in sorted(form):
        whole += name + form[name]
    signed = base64.b64encode(hmac.new(token.encode(), whole.encode(), hashlib.sha1).digest()).decode()
    return Inbound(headers={"x-twilio-signature": [signed]}, body=urlencode(form).encode(), query=query)


def read_twilio(inbound: Inbound) -> ChannelEvent:
    verified = TwilioEvents().verify(inbound, AT, NOW, fetch)
    assert isinstance(verified, Verified)
    (event,) = TwilioEvents().read(verified, inbound.body)
    return event


STATUS = {"MessageSid": "SM1", "MessageStatus": "delivered", "To": "+358401234567", "From": "Metsä & Meri"}


def test_the_documented_example_of_a_signature() -> None:
    """https://www.twilio.com/docs/usage/security#validating-requests gives these values."""
    fields = {
        "CallSid": "CA1234567890ABCDE",
        "Caller": "+14158675309",
        "Digits": "1234",
        "From": "+14158675309",
        "To": "+18005551212",
    }
    url = "https://mycompany.com/myapp.php?foo=1&bar=2"
    assert signature("12345", url, urlencode(fields).encode()) == "RSOYDt4T1cUTdK1PDd93/VVr8B8="


@pytest.mark.parametrize(
    ("status", "code", "kind", "bounce"),
    [
        ("queued", "", ChannelEventKind.ACCEPTED, None),
        ("sent", "", ChannelEventKind.ACCEPTED, None),
        ("delivered", "", ChannelEventKind.DELIVERED, None),
        ("undelivered", "30005", ChannelEventKind.BOUNCED, BounceKind.HARD),
        ("undelivered", "30003", ChannelEventKind.BOUNCED, BounceKind.SOFT),
        ("undelivered", "30007", ChannelEventKind.BOUNCED, BounceKind.BLOCK),
        ("failed", "30008", ChannelEventKind.FAILED, BounceKind.OTHER),
        ("failed", "21610", ChannelEventKind.UNSUBSCRIBED, BounceKind.BLOCK),
        ("something_new", "", ChannelEventKind.OTHER, None),
    ],
)
def test_twilios_words(status: str, code: str, kind: ChannelEventKind, bounce: BounceKind | None) -> None:
    event = read_twilio(twilio({**STATUS, "MessageStatus": status, **({"ErrorCode": code} if code else {})}))
    assert (event.kind, event.bounce, event.raw_kind, event.code) == (kind, bounce, status, code)
    assert (event.key, event.provider_id, event.recipient) == (KEY, "SM1", "+358401234567")
    assert event.id == f"SM1/{status}"


def test_a_reply_says_who_and_what() -> None:
    reply = {"MessageSid": "SM2", "SmsSid": "SM2", "Body": "STOP ", "From": "+358401234567", "To": "+15005550006"}
    event = read_twilio(twilio(reply, query=""))
    assert (event.kind, event.text, event.recipient, event.key) == (
        ChannelEventKind.REPLIED,
        "STOP ",
        "+358401234567",
        "",
    )


@pytest.mark.parametrize(
    "forged",
    [
        twilio(STATUS, token="another"),
        twilio(STATUS, url="https://kiitos.example.com/hooks/channel.texts/abd"),
        Inbound(headers=twilio(STATUS).headers, body=urlencode({**STATUS, "MessageStatus": "failed"}).encode()),
        Inbound(headers=twilio(STATUS).headers, body=twilio(STATUS).body, query="key=" + "z" * 24),
        Inbound(headers={}, body=twilio(STATUS).body, query=f"key={KEY}"),
        Inbound(headers={"x-twilio-signature": ["a", "b"]}, body=twilio(STATUS).body),
    ],
)
def test_a_forged_request_is_rejected(forged: Inbound) -> None:
    with pytest.raises(WebhookRejected):
        TwilioEvents().verify(forged, AT, NOW, fetch)


def test_without_a_token_everything_is_rejected() -> None:
    with pytest.raises(WebhookRejected):
        TwilioEvents().verify(twilio(STATUS, token=""), EventEndpoint(url=URL, settings={}), NOW, fetch)


def elks(form: dict[str, str], at: EventEndpoint = AT, **headers: str) -> ChannelEvent:
    inbound = Inbound(
        headers={name: [value] for name, value in headers.items()},
        body=urlencode(form).encode(),
        query=f"key={KEY}",
    )
    verified = Elks46Events().verify(inbound, at, NOW, fetch)
    assert isinstance(verified, Verified)
    (event,) = Elks46Events().read(verified, inbound.body)
    return event


def test_reports_of_46elks() -> None:
    event = elks({"id": "s1", "status": "delivered", "delivered": "2026-11-23T08:59:10.123000"})
    assert (event.kind, event.key, event.provider_id) == (ChannelEventKind.DELIVERED, KEY, "s1")
    assert event.at == datetime(2026, 11, 23, 8, 59, 10, 123000, tzinfo=UTC)
    assert elks({"id": "s1", "status": "failed"}).kind is ChannelEventKind.FAILED
    assert elks({"id": "s1", "status": "failed"}).at == NOW
    reply = elks({"id": "s2", "direction": "incoming", "from": "+46701234567", "message": "Stopp", "to": "+4670"})
    assert (reply.kind, reply.text, reply.recipient, reply.key) == (
        ChannelEventKind.REPLIED,
        "Stopp",
        "+46701234567",
        "",
    )


def test_46elks_with_basic_auth() -> None:
    closed = EventEndpoint(url=URL, settings={"events_user": "kiitos", "events_password": "sesame"})
    report = {"id": "s1", "status": "delivered"}
    right = "Basic " + base64.b64encode(b"kiitos:sesame").decode()
    assert elks(report, closed, authorization=right).kind is ChannelEventKind.DELIVERED
    for wrong in ({}, {"authorization": right[:-2]}):
        with pytest.raises(WebhookRejected):
            elks(report, closed, **wrong)


FORMS = st.dictionaries(
    st.sampled_from(["MessageSid", "MessageStatus", "Body", "id", "status", "direction"]), st.text()
)
BODIES = st.binary(max_size=300) | FORMS.map(lambda form: urlencode(form, errors="surrogatepass").encode())


@settings(max_examples=200)
@given(body=BODIES, query=st.text(max_size=60), told=st.text(max_size=40))
def test_any_bytes_are_rejected_and_nothing_else(body: bytes, query: str, told: str) -> None:
    inbound = Inbound(headers={"x-twilio-signature": [told]}, body=body, query=query)
    with pytest.raises(WebhookRejected):
        TwilioEvents().verify(inbound, AT, NOW, fetch)
    try:
        verified = Elks46Events().verify(inbound, AT, NOW, fetch)
    except WebhookRejected:
        return
    assert isinstance(verified, Verified)
    assert dict(parse_qsl(body.decode(), keep_blank_values=True))["id"]
    assert Elks46Events().read(verified, body)
