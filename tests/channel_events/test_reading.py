"""What each provider's words mean: the samples people published, and recordings of our own with our key in them."""

from __future__ import annotations

import json
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from connector.contracts import Verified
from connector.contracts.channel_events import BounceKind, ChannelEvent, ChannelEventKind
from connector.contracts.event_reading import bounce_of, enhanced_code, key_among
from connector.errors import MalformedPayload
from tests.channel_events.signing import KEY, NOW, TOPIC, providers

SAMPLES = Path(__file__).resolve().parents[3] / "shared" / "data" / "providers" / "provider_webhooks"
VERIFIED = Verified(topic="events", dedup_key="d", event_id="msg_1", triggered_at=NOW)
K, B = ChannelEventKind, BounceKind


def read(provider: str, payload: Any) -> list[ChannelEvent]:
    body = payload if isinstance(payload, bytes) else json.dumps(payload).encode()
    return list(providers()[provider].events.read(VERIFIED, body))


def notified(message: Any, name: str = "m-1") -> dict[str, Any]:
    told = {"Type": "Notification", "MessageId": name, "TopicArn": TOPIC, "Timestamp": "2026-11-23T09:00:00.000Z"}
    return {**told, "Message": message if isinstance(message, str) else json.dumps(message)}


# What the published samples (django-anymail's tests) must come to: kind, bounce, code; `None` where one tells no time
# and must therefore be kept for a person.
EXPECTED: dict[str, dict[str, tuple[K, B | None, str] | None]] = {
    "resend": {
        "test_sent_event": (K.ACCEPTED, None, ""),
        "test_delivered_event": (K.DELIVERED, None, ""),
        "test_hard_bounced_event": (K.BOUNCED, B.HARD, ""),
        "test_suppressed_event": (K.BOUNCED, B.HARD, ""),
        "test_delivery_delayed_event": (K.DEFERRED, None, ""),
        "test_complained_event": (K.COMPLAINED, None, ""),
        "test_opened_event": (K.OPENED, None, ""),
        "test_clicked_event": (K.CLICKED, None, ""),
    },
    "postmark": {
        "test_bounce_event": (K.BOUNCED, B.HARD, "5.1.1"),
        "test_delivered_event": (K.DELIVERED, None, ""),
        "test_open_event": (K.OPENED, None, ""),
        "test_click_event": (K.CLICKED, None, ""),
        "test_spam_event": (K.COMPLAINED, None, ""),
        "test_unsubscribe": (K.UNSUBSCRIBED, None, ""),
        "test_resubscribe": (K.OTHER, None, ""),
        "test_subscription_change_bounce": (K.BOUNCED, B.HARD, ""),
        "test_bounce_unsubscribe_variant": (K.UNSUBSCRIBED, None, ""),
    },
    "sendgrid": {
        "test_processed_event": (K.ACCEPTED, None, ""),
        "test_delivered_event": (K.DELIVERED, None, "2.0.0"),
        "test_dropped_invalid_event": (K.FAILED, B.HARD, "Invalid"),
        "test_dropped_bounced": (K.FAILED, B.HARD, "5.0.0"),
        "test_dropped_unsubscribed_event": (K.FAILED, B.OTHER, "Unsubscribed Address"),
        "test_bounce_event": (K.BOUNCED, B.HARD, "5.1.1"),
        "test_deferred_event": (K.DEFERRED, None, ""),
        "test_open_event": (K.OPENED, None, ""),
        "test_click_event": (K.CLICKED, None, ""),
        "test_compatibility_message_id_from_smtp_id": (K.DELIVERED, None, "2.0.0"),
    },
    "mailgun": {
        "test_requires_webhook_signing_key": None,
        "test_webhook_signing_is_different_from_api_key": None,
        "test_defaults_webhook_signing_to_api_key": None,
        "test_verifies_correct_signature": None,
        "test_verifies_bad_signature": None,
        "test_delivered_event": (K.DELIVERED, None, "250"),
        "test_failed_permanent_event": (K.BOUNCED, B.HARD, "5.1.1"),
        "test_failed_temporary_event": (K.DEFERRED, None, "498"),
        "test_failed_greylisted_event": (K.DEFERRED, None, "450"),
        "test_rejected_event": (K.FAILED, None, ""),
        "test_complained_event": (K.COMPLAINED, None, ""),
        "test_unsubscribed_event": (K.UNSUBSCRIBED, None, ""),
        "test_opened_event": (K.OPENED, None, ""),
        "test_clicked_event": (K.CLICKED, None, ""),
        "test_delivery_status_is_none_event": None,
    },
    "brevo": {
        "test_sent_event": (K.ACCEPTED, None, ""),
        "test_delivered_event": (K.DELIVERED, None, ""),
        "test_hard_bounce": (K.BOUNCED, B.HARD, "5.5.0"),
        "test_soft_bounce_event": (K.BOUNCED, B.SOFT, ""),
        "test_blocked": (K.FAILED, None, ""),
        "test_spam": (K.COMPLAINED, None, ""),
        "test_complaint": (K.COMPLAINED, None, ""),
        "test_invalid_email": (K.BOUNCED, B.HARD, "invalid"),
        "test_error_email": (K.FAILED, None, ""),
        "test_deferred_event": (K.DEFERRED, None, "5.1.1"),
        "test_opened_event": (K.OPENED, None, ""),
        "test_unique_opened_event": (K.OPENED, None, ""),
        "test_proxy_open_event": (K.OPENED, None, ""),
        "test_unique_proxy_open_event": (K.OPENED, None, ""),
        "test_clicked_event": (K.CLICKED, None, ""),
        "test_unsubscribe": (K.UNSUBSCRIBED, None, ""),
    },
    "amazon_ses": {
        "test_bounce_event": (K.BOUNCED, B.HARD, "5.1.1"),
        "test_multiple_bounce_event": (K.BOUNCED, B.HARD, ""),
        "test_complaint_event": (K.COMPLAINED, None, ""),
        "test_delivery_event": (K.DELIVERED, None, ""),
        "test_send_event": (K.ACCEPTED, None, ""),
        "test_reject_event": (K.FAILED, None, "Bad content"),
        "test_open_event": (K.OPENED, None, ""),
        "test_click_event": (K.CLICKED, None, ""),
        "test_rendering_failure_event": (K.FAILED, None, ""),
        "test_incorrect_received_event": (K.OTHER, None, ""),
    },
}


@pytest.mark.parametrize("file", EXPECTED)
def test_the_published_samples(file: str) -> None:
    path = SAMPLES / f"{file}.json"
    if not path.exists():
        pytest.skip("the published samples are not at hand")
    told = {sample["test"]: sample["payload"] for sample in json.loads(path.read_text())["samples"]}
    assert told.keys() == EXPECTED[file].keys()
    for test, expected in EXPECTED[file].items():
        payload = told[test]
        if file == "amazon_ses":
            payload = payload if payload.get("Type") else notified(payload)
            payload = {"Timestamp": "2026-11-23T09:00:00Z", **payload}
        try:
            events = read("ses" if file == "amazon_ses" else file, payload)
        except MalformedPayload:
            assert expected is None, test
            continue
        assert expected is not None, test
        assert {(event.kind, event.bounce, event.code) for event in events} == {expected}, test
        assert all(event.id and event.at.tzinfo for event in events), test


# Our own: invented people, our key where each provider gives it back.
OWN: dict[str, tuple[str, Any]] = {
    "resend, tags as an object": (
        "resend",
        {
            "type": "email.delivered",
            "created_at": "2026-11-23T09:00:00Z",
            "data": {"email_id": "r1", "tags": {"kiitos": KEY}},
        },
    ),
    "resend, tags as a list": (
        "resend",
        {
            "type": "email.delivered",
            "created_at": "2026-11-23T09:00:00Z",
            "data": {"email_id": "r1", "tags": [{"name": "kiitos", "value": KEY}]},
        },
    ),
    "postmark, metadata": (
        "postmark",
        {
            "RecordType": "Delivery",
            "MessageID": "p1",
            "Metadata": {"kiitos": KEY},
            "DeliveredAt": "2026-11-23T09:00:00Z",
        },
    ),
    "sendgrid, a custom argument": (
        "sendgrid",
        [{"event": "delivered", "sg_event_id": "s1", "kiitos": KEY, "timestamp": NOW.timestamp()}],
    ),
    "sendgrid, our own Message-ID": (
        "sendgrid",
        [{"event": "delivered", "sg_event_id": "s1", "smtp-id": f"<{KEY}@shop.example>", "timestamp": NOW.timestamp()}],
    ),
    "mailgun, a variable": (
        "mailgun",
        {"event-data": {"event": "delivered", "id": "g1", "timestamp": NOW.timestamp(), "user-variables": {"k": KEY}}},
    ),
    "mailgun, our own Message-ID": (
        "mailgun",
        {
            "event-data": {
                "event": "complained",
                "id": "g1",
                "timestamp": NOW.timestamp(),
                "message": {"headers": {"message-id": f"{KEY}@shop.example"}},
            }
        },
    ),
    "brevo, the header": (
        "brevo",
        {"event": "delivered", "message-id": "<b1@brevo>", "ts_epoch": NOW.timestamp() * 1000, "X-Mailin-custom": KEY},
    ),
    "ses, a tag": (
        "ses",
        notified({"eventType": "Delivery", "mail": {"tags": {"kiitos": [KEY]}, "destination": ["a@example.test"]}}),
    ),
    "ses, the Message-ID we gave": (
        "ses",
        notified(
            {
                "notificationType": "Complaint",
                "complaint": {"complainedRecipients": [{"emailAddress": "aino@example.test"}]},
                "mail": {"headers": [{"name": "Message-ID", "value": f"<{KEY}@shop.example>"}]},
            }
        ),
    ),
}


@pytest.mark.parametrize("name", OWN)
def test_our_key_is_found_and_a_repetition_is_the_same_event(name: str) -> None:
    provider, payload = OWN[name]
    (event,) = read(provider, payload)
    assert event.key == KEY
    assert event.at == NOW
    assert [one.id for one in read(provider, payload)] == [event.id]


def test_two_events_of_one_message_are_two() -> None:
    first = {"RecordType": "Open", "MessageID": "p1", "ReceivedAt": "2026-11-23T09:00:00Z"}
    second = {**first, "ReceivedAt": "2026-11-23T09:00:01Z"}
    assert read("postmark", first)[0].id != read("postmark", second)[0].id
    events = [{"event": "click", "sg_message_id": "s", "timestamp": at} for at in (1_795_000_000, 1_795_000_001)]
    assert len({event.id for event in read("sendgrid", events)}) == 2


def test_one_notification_about_two_people_is_two_events() -> None:
    bounced = [{"emailAddress": "aino@example.test", "status": "5.1.1"}, {"emailAddress": "eino@example.test"}]
    told = {
        "notificationType": "Bounce",
        "bounce": {"bounceType": "Transient", "bouncedRecipients": bounced},
        "mail": {},
    }
    first, second = read("ses", notified(told))
    assert (first.recipient, first.bounce, second.recipient, second.bounce) == (
        "aino@example.test",
        B.HARD,
        "eino@example.test",
        B.SOFT,
    )
    assert first.id != second.id


def test_machines_are_told_apart() -> None:
    assert read("sendgrid", [{"event": "open", "timestamp": 1, "sg_machine_open": True}])[0].by_machine
    assert read("brevo", {"event": "unique_proxy_open", "ts_event": 1})[0].by_machine
    assert not read("brevo", {"event": "opened", "ts_event": 1})[0].by_machine


def test_the_provider_s_name_is_the_one_sending_answered() -> None:
    told = {"event": "delivered", "timestamp": 1, "sg_message_id": "wrfRRvF7Q0.filter0425p1mdw1.13037.57168B4A1D.0"}
    assert read("sendgrid", [told])[0].provider_id == "wrfRRvF7Q0"
    told["sg_message_id"] = "14c5d75ce93.recvd-5d4b7-abc-1.0"
    assert read("sendgrid", [told])[0].provider_id == "14c5d75ce93"


def test_a_topic_that_was_just_made_says_so_in_words() -> None:
    assert read("ses", notified("Successfully validated SNS topic for Amazon SES event publishing.")) == []


@pytest.mark.parametrize(
    ("text", "otherwise", "kind"),
    [
        ("550 5.1.1 no such user", B.OTHER, B.HARD),
        ("smtp; 550 5.1.10 RESOLVER.ADR.RecipientNotFound", B.SOFT, B.HARD),
        ("550 5.1.8 bad sender domain", B.HARD, B.BLOCK),
        ("550 5.2.1 disabled", B.OTHER, B.HARD),
        ("552 5.2.2 mailbox full", B.HARD, B.SOFT),
        ("452 4.2.2 over quota", B.HARD, B.SOFT),
        ("550 5.7.1 blocked", B.HARD, B.BLOCK),
        ("550 5.7.515 unauthenticated", B.HARD, B.BLOCK),
        ("450 4.7.1 greylisted", B.OTHER, B.SOFT),
        ("550 5.4.4 no route", B.OTHER, B.SOFT),
        ("554 5.6.0 bad content", B.OTHER, B.OTHER),
        ("550 5.5.0 mailbox unavailable", B.OTHER, B.HARD),
        ("550 User unknown", B.OTHER, B.HARD),
        ("The email account that you tried to reach does not exist", B.OTHER, B.HARD),
        ("552 Mailbox is full", B.OTHER, B.SOFT),
        ("550 listed at a DNSBL", B.OTHER, B.BLOCK),
        ("550 no", B.HARD, B.HARD),
        ("", B.OTHER, B.OTHER),
        ("connecting from 10.5.1.1.2 failed", B.OTHER, B.OTHER),
    ],
)
def test_whose_fault_a_bounce_is(text: str, otherwise: BounceKind, kind: BounceKind) -> None:
    assert bounce_of(text, otherwise=otherwise) is kind


def test_what_a_key_is() -> None:
    assert key_among([None, 7, "x", f"<{KEY}@a.example>"]) == KEY
    assert key_among([KEY + "a", KEY.replace("a", "i"), f"x{KEY}@a.example", KEY.upper()]) == ""
    assert enhanced_code("550 no", "550 5.1.1 x") == "5.1.1"


JSONS = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats(allow_nan=False) | st.text(max_size=20),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=10), inner, max_size=4),
    max_leaves=8,
)


@pytest.mark.parametrize("name", OWN)
@settings(max_examples=30, deadline=None)
@given(data=st.data())
def test_a_payload_with_anything_in_any_place_is_read_or_called_malformed(name: str, data: st.DataObject) -> None:
    provider, payload = OWN[name]
    changed = _changed(payload, data)
    body = json.dumps(changed).encode() if data.draw(st.booleans()) else data.draw(st.binary(max_size=60))
    try:
        events = read(provider, body)
    except MalformedPayload:
        return
    for event in events:
        assert event.at.tzinfo is not None
        assert "\0" not in event.raw_kind + event.code + event.recipient + event.url + event.provider_id
        assert len(event.id) <= 300


def _changed(value: Any, data: st.DataObject) -> Any:
    if isinstance(value, dict) and value and data.draw(st.integers(0, 4)):
        field = data.draw(st.sampled_from(sorted(value)))
        return {**value, field: _changed(value[field], data)}
    if isinstance(value, list) and value and data.draw(st.integers(0, 3)):
        return [_changed(value[0], data), *value[1:]]
    if isinstance(value, str) and value.startswith("{") and data.draw(st.booleans()):
        return json.dumps(_changed(json.loads(value), data))
    return data.draw(JSONS)


def test_times_are_in_utc() -> None:
    told = {"RecordType": "Delivery", "MessageID": "p", "DeliveredAt": "2014-08-01T13:28:10.2735393-04:00"}
    assert read("postmark", told)[0].at == datetime(2014, 8, 1, 17, 28, 10, 273539, tzinfo=UTC)
