"""Web push against a receiver of our own that decrypts: what arrives, what answers mean, where nothing is ever sent."""

from __future__ import annotations

import json
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
from cryptography.exceptions import InvalidSignature

from connector.clock import ManualClock
from connector.contracts import Accepted, Message, Outcome, Rejected, Retry, Unknown
from connector.contracts.channel import Scope
from connector.errors import ConfigError
from connector.store.push_subscriptions import Subscription
from flows.channels.webpush import LONGEST, WebPush
from flows.channels.webpush.vapid import Vapid, make_private_key
from tests.channels.browser import Browser, check_vapid, push_service

NOW = datetime(2026, 11, 23, 9, 0, tzinfo=UTC)
PRIVATE = make_private_key()
PUBLIC = Vapid(PRIVATE).public_key
TABLE = {"private_key": PRIVATE, "subject": "mailto:it@example.com", "private_addresses": True}
PAYLOAD = {
    "title": "Paketti on matkalla",
    "body": "Tilaus 1001 \u2013 今日",
    "url": "https://shop.example.com/",
    "tag": "t",
}


def message(*browsers: Browser, payload: dict[str, Any] | None = None, topic: str = "abc") -> Message:
    told = []
    for each in browsers:
        given = each.subscription
        known = Subscription(endpoint=given["endpoint"], **given["keys"])
        told.append({"id": known.id, "endpoint": known.endpoint, **given["keys"]})
    content = {"payload": payload or PAYLOAD, "ttl": 259200, "topic": topic, "urgency": "high"}
    return Message(
        key="k" * 24,
        channel="push",
        sender="",
        recipient="aino@example.test",
        content=json.dumps(content).encode(),
        headers={"subscriptions": json.dumps(told)},
    )


def send(sent: Message, clock: ManualClock | None = None, **more: Any) -> Outcome:
    (outcome,) = WebPush.from_settings({**TABLE, **more}, clock or ManualClock(NOW)).send_all([sent])
    return outcome


def test_the_browser_decrypts_what_was_said_and_the_service_reads_its_headers() -> None:
    browser = Browser()
    with push_service(browser) as service:
        assert send(message(browser)) == Accepted(key="k" * 24)
        origin = service.url
    assert browser.got == [PAYLOAD]
    (headers,) = browser.headers
    assert (headers["ttl"], headers["topic"], headers["urgency"]) == ("259200", "abc", "high")
    assert headers["content-encoding"] == "aes128gcm"
    claims = check_vapid(headers["authorization"], PUBLIC)
    assert claims["aud"] == origin
    assert claims["sub"] == "mailto:it@example.com"
    assert 0 < claims["exp"] - NOW.timestamp() <= 24 * 3600, "push services refuse more than a day"
    head, body, rest = headers["authorization"].split(".")
    changed = ".".join([head, body[:-2] + ("AA" if body[-2:] != "AA" else "BB"), rest])
    with pytest.raises(InvalidSignature):
        check_vapid(changed, PUBLIC)


def test_the_token_is_used_again_and_renewed_before_it_ends() -> None:
    browser, clock = Browser(), ManualClock(NOW)
    channel = WebPush.from_settings(TABLE, clock)
    with push_service(browser):
        for hours in (0, 1, 8):
            clock.advance(timedelta(hours=hours))
            list(channel.send_all([message(browser)]))
    first, second, third = (headers["authorization"] for headers in browser.headers)
    assert first == second != third


def test_each_of_a_persons_browsers_gets_it_and_the_gone_ones_are_named() -> None:
    phone, desk, old = Browser(name="phone"), Browser(name="desk"), Browser(name="old", status=410)
    with push_service(phone, desk, old):
        outcome = send(message(old, phone, desk))
        assert isinstance(outcome, Accepted)
        (gone,) = outcome.gone
        assert gone == Subscription(endpoint=old.subscription["endpoint"], p256dh="", auth="").id
    assert phone.got == desk.got == [PAYLOAD]


@pytest.mark.parametrize(
    ("status", "wanted"),
    [(410, Rejected), (404, Rejected), (429, Retry), (503, Retry), (500, Unknown), (403, Retry), (413, Rejected)],
)
def test_what_answers_mean(status: int, wanted: type[Outcome]) -> None:
    browser = Browser(status=status, retry_after="9" if status == 429 else "")
    with push_service(browser):
        outcome = send(message(browser))
    assert type(outcome) is wanted
    assert getattr(outcome, "gone", ()) == ((outcome_id(browser),) if status in (404, 410) else ())
    if status == 429:
        assert isinstance(outcome, Retry)
        assert outcome.after == 9


@pytest.mark.parametrize("status", [401, 403, 429, 503])
def test_one_server_holds_back_nobody_elses_messages(status: int) -> None:
    browser = Browser(status=status, retry_after="3600")
    with push_service(browser):
        outcome = send(message(browser))
    assert isinstance(outcome, Retry)
    assert outcome.scope is Scope.MESSAGE, "its address came from a visitor"


def outcome_id(browser: Browser) -> str:
    return Subscription(endpoint=browser.subscription["endpoint"], p256dh="", auth="").id


def test_the_largest_payload_fits_what_every_service_takes_and_one_byte_more_is_refused() -> None:
    browser = Browser()
    room = LONGEST - len(json.dumps({"title": ""}).encode())
    with push_service(browser):
        assert isinstance(send(message(browser, payload={"title": "x" * room})), Accepted)
        refused = send(message(browser, payload={"title": "x" * (room + 1)}))
    assert browser.sizes == [4096]
    assert isinstance(refused, Rejected)
    assert refused.code == "too_long"


def test_nothing_is_sent_into_the_operators_own_network() -> None:
    browser = Browser()
    with push_service(browser):
        outcome = send(message(browser), private_addresses=False)
    assert isinstance(outcome, Rejected)
    assert outcome.code == "private_address"
    assert browser.got == []


def test_without_browsers_nothing_is_claimed() -> None:
    outcome = send(message())
    assert isinstance(outcome, Rejected)
    assert outcome.code == "no_browser"


def test_keys_that_are_none_are_gone_and_no_crash() -> None:
    browser = Browser()
    with push_service(browser):
        sent = message(browser)
        told = json.loads(sent.headers["subscriptions"])
        told[0]["p256dh"] = "AAAA"
        broken = Message(**{**{n: getattr(sent, n) for n in ("key", "channel", "sender", "recipient", "content")},
                            "headers": {"subscriptions": json.dumps(told)}})  # fmt: skip
        outcome = send(broken)
    assert isinstance(outcome, Rejected)
    assert outcome.gone == (told[0]["id"],)


@pytest.mark.parametrize(
    ("table", "where"),
    [
        ({"subject": "mailto:a@example.com"}, "private_key: missing: make one with: kiitos push keys"),
        ({**TABLE, "private_key": "short"}, "private_key: should be 32 bytes"),
        ({**TABLE, "subject": "it@example.com"}, "subject: should begin with mailto:"),
        ({**TABLE, "key": "x"}, "key: the webpush channel has no such key"),
    ],
)
def test_a_wrong_setting_is_named(table: dict[str, object], where: str) -> None:
    with pytest.raises(ConfigError, match=where):
        WebPush.from_settings(table, ManualClock(NOW))
    assert PRIVATE not in where
