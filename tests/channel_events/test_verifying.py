"""Each provider's own scheme: right, wrong, old, repeated, changed by a byte; and whatever bytes there are."""

from __future__ import annotations

import base64
import json
from dataclasses import replace
from datetime import timedelta
from typing import Any

import pytest
from cryptography.hazmat.primitives.asymmetric import ec
from hypothesis import given, settings
from hypothesis import strategies as st

from connector.contracts import Inbound, Verified
from connector.contracts.channel_events import EventEndpoint
from connector.errors import MalformedPayload, WebhookRejected
from tests.channel_events import signing
from tests.channel_events.signing import NOW, TOPIC, URL, Provider, providers

NAMES = ("resend", "sendgrid", "mailgun", "postmark", "brevo", "ses")
SIGNED_BODY = ("resend", "sendgrid", "ses")


def verify(provider: Provider, inbound: Inbound, *, late: timedelta = timedelta(), **settings: Any) -> Verified:
    endpoint = EventEndpoint(url=URL, settings={**provider.settings, **settings})
    found = provider.events.verify(inbound, endpoint, NOW + late, provider.fetch)
    assert isinstance(found, Verified)
    return found


@pytest.mark.parametrize("name", NAMES)
def test_a_good_request_holds_and_names_itself(name: str) -> None:
    provider = providers()[name]
    first, again = verify(provider, provider.good), verify(provider, provider.good)
    assert first.dedup_key
    assert first.dedup_key == again.dedup_key
    assert first.topic == "events"


@pytest.mark.parametrize("name", NAMES)
def test_without_a_secret_nothing_is_believed(name: str) -> None:
    provider = providers()[name]
    with pytest.raises(WebhookRejected):
        provider.events.verify(provider.good, EventEndpoint(url=URL, settings={}), NOW, provider.fetch)


@pytest.mark.parametrize("name", SIGNED_BODY)
def test_a_byte_more_breaks_the_signature(name: str) -> None:
    provider = providers()[name]
    if name == "ses":
        told = json.loads(provider.good.body)
        changed = json.dumps({**told, "Message": told["Message"] + " "}).encode()
    else:
        changed = provider.good.body + b" "
    with pytest.raises(WebhookRejected):
        verify(provider, replace(provider.good, body=changed))


@pytest.mark.parametrize("name", [name for name in NAMES if name not in ("ses", "mailgun")])
def test_repeated_and_missing_headers_are_none(name: str) -> None:
    provider = providers()[name]
    for header in provider.good.headers:
        kept = {other: values for other, values in provider.good.headers.items() if other != header}
        with pytest.raises(WebhookRejected):
            verify(provider, Inbound(kept, provider.good.body))
        twice = {**provider.good.headers, header: [*provider.good.headers[header]] * 2}
        with pytest.raises(WebhookRejected):
            verify(provider, Inbound(twice, provider.good.body))


@pytest.mark.parametrize(("name", "minutes"), [("resend", 5), ("mailgun", 15)])
def test_what_is_too_old_or_from_the_future_is_refused(name: str, minutes: int) -> None:
    provider = providers()[name]
    assert verify(provider, provider.good, late=timedelta(minutes=minutes - 1))
    for late in (timedelta(minutes=minutes, seconds=1), -timedelta(minutes=minutes, seconds=1)):
        with pytest.raises(WebhookRejected):
            verify(provider, provider.good, late=late)


def test_a_mailgun_token_makes_two_requests_one() -> None:
    """Its signature does not cover the event: one who saw a request could sign another with it."""
    provider = providers()["mailgun"]
    forged = signing.mailgun({"event-data": {"event": "complained"}})
    assert verify(provider, forged).dedup_key == verify(provider, provider.good).dedup_key == "token-1"


def test_other_keys_and_words_do_not_open() -> None:
    found = providers()
    body = [{"event": "open"}]
    wrong = {
        "sendgrid": signing.sendgrid(body, key=ec.generate_private_key(ec.SECP256R1())),
        "resend": signing.resend({}, secret="whsec_" + base64.b64encode(b"x" * 24).decode()),
        "mailgun": signing.mailgun({}, secret="api key"),
        "postmark": signing.basic({}, password="open sesam"),
        "brevo": signing.bearer({}, token=signing.TOKEN[:-1]),
    }
    for name, inbound in wrong.items():
        with pytest.raises(WebhookRejected):
            verify(found[name], inbound)
    with pytest.raises(WebhookRejected):  # a password is no token
        verify(found["brevo"], signing.basic({}, user="", password=signing.TOKEN))


def test_either_way_of_saying_who_one_is() -> None:
    provider = providers()["postmark"]
    assert verify(provider, signing.bearer({}), webhook_token=signing.TOKEN)


@pytest.mark.parametrize("version", ["1", "2"])
def test_both_versions_of_sns(version: str) -> None:
    provider = providers()["ses"]
    assert (
        verify(provider, signing.sns({"eventType": "Send"}, version=version, Subject="Amazon SES")).dedup_key == "m-1"
    )


@pytest.mark.parametrize(
    "url",
    [
        "http://sns.eu-north-1.amazonaws.com/SimpleNotificationService-0123456789abcdef0123.pem",
        "https://sns.eu-north-1.amazonaws.com.evil.example/SimpleNotificationService-0123456789abcdef0123.pem",
        "https://evil.example/sns.eu-north-1.amazonaws.com/SimpleNotificationService-0123456789abcdef0123.pem",
        "https://sns.eu-north-1.amazonaws.com@evil.example/SimpleNotificationService-0123456789abcdef0123.pem",
        "https://evil.example\\@sns.eu-north-1.amazonaws.com/SimpleNotificationService-0123456789abcdef0123.pem",
        "https://sns.eu-north-1.amazonaws.com:8443/SimpleNotificationService-0123456789abcdef0123.pem",
        "https://bucket.s3.eu-north-1.amazonaws.com/SimpleNotificationService-0123456789abcdef0123.pem",
        "https://sns.eu-north-1.amazonaws.com/SimpleNotificationService-0123456789abcdef0123.pem?x=y",
        "https://sns.eu-north-1.amazonaws.com/?Action=ConfirmSubscription&x=.pem",
        "https://sns.eu-north-1.amazonaws.com/a/../SimpleNotificationService-0123456789abcdef0123.pem",
        "https://snsXeu-north-1.amazonaws.com/SimpleNotificationService-0123456789abcdef0123.pem",
        "https://[::1]/SimpleNotificationService-0123456789abcdef0123.pem",
        "https://[/",
        "",
    ],
)
def test_a_certificate_comes_from_sns_alone(url: str) -> None:
    """Signed rightly all the same: only the address is another one. Nothing is fetched."""

    def refuse(asked: str) -> bytes:
        raise AssertionError(f"asked for {asked}")

    provider = replace(providers()["ses"], fetch=refuse)
    with pytest.raises(WebhookRejected):
        verify(provider, signing.sns({}, SigningCertURL=url))


def test_only_allowed_topics_tell_and_nothing_is_fetched_for_others() -> None:
    def refuse(asked: str) -> bytes:
        raise AssertionError(f"asked for {asked}")

    provider = replace(providers()["ses"], fetch=refuse)
    with pytest.raises(WebhookRejected):
        verify(provider, signing.sns({}, TopicArn=TOPIC.replace("1234", "4321")))
    with pytest.raises(WebhookRejected):
        verify(provider, signing.sns("", kind="SubscriptionConfirmation", TopicArn=f"{TOPIC}-other"))


def test_a_certificate_that_is_out_of_force_or_none() -> None:
    provider = providers()["ses"]
    with pytest.raises(WebhookRejected):
        verify(provider, provider.good, late=timedelta(days=31))
    with pytest.raises(WebhookRejected):
        verify(replace(provider, fetch=lambda url: b"nothing"), provider.good)


def test_a_subscription_is_confirmed_at_sns_alone() -> None:
    provider = providers()["ses"]
    asked = signing.sns("", kind="SubscriptionConfirmation")
    verified = verify(provider, asked)
    assert verified.topic == "confirmation"
    events: Any = provider.events
    assert events.confirmation(verified, asked.body) == signing.confirm_url()
    assert events.read(verified, asked.body) == ()
    assert events.confirmation(verify(provider, provider.good), provider.good.body) is None
    for url in ("https://evil.example/?Action=ConfirmSubscription", signing.confirm_url("other"), "http://sns.x"):
        wrong = signing.sns("", kind="SubscriptionConfirmation", SubscribeURL=url)
        with pytest.raises(MalformedPayload):
            events.confirmation(verify(provider, wrong), wrong.body)


ANY_TEXT = st.text(max_size=60) | st.sampled_from(["v1,AAAA", "Basic !!!", "Bearer", "NaN", "1e400", "-1", "\ud800"])
HEADERS = st.dictionaries(
    st.sampled_from(
        ["svix-id", "svix-timestamp", "svix-signature", "authorization"]
        + [f"x-twilio-email-event-webhook-{word}" for word in ("signature", "timestamp")]
    ),
    st.lists(ANY_TEXT, max_size=2),
)
JSONS = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats(allow_nan=False, allow_infinity=False) | st.text(max_size=20),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=10), inner, max_size=4),
    max_leaves=8,
)
SNS_FIELDS = [
    "Type",
    "MessageId",
    "TopicArn",
    "Message",
    "Timestamp",
    "SignatureVersion",
    "SigningCertURL",
    "Signature",
]
SNS = st.fixed_dictionaries(
    {},
    optional={
        field: st.sampled_from(["Notification", "2", TOPIC, signing.CERTIFICATE_URL, "\u0000"]) | JSONS
        for field in SNS_FIELDS
    },
)
MAILGUN = st.fixed_dictionaries(
    {}, optional={"signature": st.dictionaries(st.sampled_from(["timestamp", "token", "signature"]), JSONS) | JSONS}
)
BODIES = st.binary(max_size=200) | (JSONS | SNS | MAILGUN).map(lambda told: json.dumps(told).encode())


@pytest.mark.parametrize("name", NAMES)
@settings(max_examples=60, deadline=None)
@given(headers=HEADERS, body=BODIES)
def test_whatever_comes_is_rejected_and_nothing_else(name: str, headers: dict[str, list[str]], body: bytes) -> None:
    provider = providers()[name]
    with pytest.raises(WebhookRejected):
        provider.events.verify(Inbound(headers, body), provider.endpoint, NOW, provider.fetch)


@pytest.mark.parametrize("name", NAMES)
@settings(max_examples=25, deadline=None)
@given(value=JSONS, other=ANY_TEXT)
def test_a_wrong_setting_rejects_too(name: str, value: object, other: str) -> None:
    provider = providers()[name]
    wrong = {key: value if place else other for place, key in enumerate(provider.settings)}
    with pytest.raises(WebhookRejected):
        provider.events.verify(provider.good, EventEndpoint(url=URL, settings=wrong), NOW, provider.fetch)
