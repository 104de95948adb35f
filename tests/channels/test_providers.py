"""The five providers with an API, against servers on a real socket: what arrives, and what every answer means."""

from __future__ import annotations

import json
import socket
from base64 import b64decode
from collections.abc import Callable, Iterator
from datetime import timedelta

import pytest

from connector.clock import ManualClock, SystemClock
from connector.contracts import Accepted, Channel, Rejected, Retry, Scope, Unknown
from connector.contracts.channel import LooksUp, Message
from connector.contracts.channel_events import BounceKind
from connector.contracts.connecting import Verdict
from connector.errors import ConfigError, KiitosError, Refused, Transient
from connector.model import Purpose
from connector.registry import CHANNELS, Registry
from connector.testing.fakes.providers import GOOD_KEY, FakeProviders, Mishap

from .letters import AT, MARKETING, ORDER, THREAD, laden, letter

NAMES = ("resend", "postmark", "sendgrid", "mailgun", "brevo")
EACH = pytest.mark.parametrize("name", NAMES)
KEYED = {"resend", "brevo"}


@pytest.fixture
def providers() -> Iterator[FakeProviders]:
    with FakeProviders() as running:
        yield running


Make = Callable[..., Channel]


@pytest.fixture
def make(providers: FakeProviders) -> Iterator[Make]:
    made: list[Channel] = []

    def build(name: str, **settings: object) -> Channel:
        own = {"domain": "mg.aurora.example"} if name == "mailgun" else {}
        table = {"api_key": GOOD_KEY, "url": providers.url, "connections": 1, "timeout": 5, **own, **settings}
        clock = settings.pop("clock", None) or SystemClock()
        table.pop("clock", None)
        channel = Registry().channel(name).from_settings(table, clock)
        made.append(channel)
        return channel

    yield build
    for channel in made:
        channel.close()


def one(channel: Channel, message: Message | None = None):
    (outcome,) = list(channel.send_all([message or letter()]))
    return outcome


@EACH
def test_what_arrives_is_the_frozen_message(make, providers, name):
    sent = letter(purpose=Purpose.REVIEW)
    outcome = one(make(name), sent)
    (taken,) = providers.box
    assert outcome == Accepted(key=sent.key, provider_id=taken.provider_id.strip("<>"))
    assert (taken.key, taken.recipient, taken.subject) == (
        sent.key,
        "aino@example.com",
        "Kiitos, Äiti & Isä, tilauksesta 1001",
    )
    assert {header: taken.headers[header] for header in MARKETING} == MARKETING
    raw = json.dumps(taken.body, ensure_ascii=False, default=lambda b: b.decode("utf-8", "replace"))
    if name == "mailgun":
        assert taken.body["message"] == sent.content
    else:
        assert "Tilaus on matkalla. €" in raw
        assert "<p>Hei!</p>" in raw
        assert "help@aurora.example" in raw
        assert "Aamu, Ilta & Yö" in raw
        assert "Nö" in raw


@EACH
def test_the_thread_of_an_order_goes_along(make, providers, name):
    one(make(name))
    headers = providers.box[0].headers
    assert {header: headers[header] for header in ORDER} == ORDER
    kept = {"postmark", "sendgrid", "mailgun"}
    assert (headers.get("Message-ID") == f"<{'k' * 24}@aurora.example>") is (name in kept)
    assert "List-Unsubscribe" not in headers
    assert headers["References"] == THREAD


@EACH
def test_attachments_pictures_and_calendars(make, providers, name):
    sent = laden()
    one(make(name), sent)
    body = providers.box[0].body
    if name == "mailgun":
        assert body["message"] == sent.content
        return
    listed = body.get("attachments") or body.get("Attachments") or body["attachment"]
    names = [each.get("filename") or each.get("Name") or each["name"] for each in listed]
    assert names == ["logo.png", "lasku ääkköset.pdf", "attachment-3.ics"]
    contents = [b64decode(each.get("content") or each["Content"]) for each in listed]
    assert contents[:2] == [b"\x89PNG", b"%PDF-1.7"]
    if name in {"resend", "postmark"}:
        assert "method=PUBLISH" in str(listed[2])
    shown = {"resend": "logo", "postmark": "cid:logo", "sendgrid": "logo", "brevo": None}
    assert (listed[0].get("content_id") or listed[0].get("ContentID")) == shown[name]


@pytest.mark.parametrize(("purpose", "stream"), [(Purpose.TRANSACTIONAL, "outbound"), (Purpose.REVIEW, "news")])
def test_postmark_parts_order_mail_from_advertising(make, providers, purpose, stream):
    one(make("postmark", broadcast_stream="news"), letter(purpose=purpose))
    assert providers.box[0].body["MessageStream"] == stream


@EACH
def test_a_bad_key_makes_everybody_wait_and_drops_nothing(make, providers, name):
    channel = make(name, api_key="sk-secret-wrong")
    outcomes = list(channel.send_all([letter("a"), letter("b")]))
    assert [type(o) for o in outcomes] == [Retry, Retry]
    assert {o.scope for o in outcomes} == {Scope.ACCOUNT}
    assert outcomes[0].after
    assert "check api_key" in outcomes[0].text
    assert "secret" not in repr(outcomes) + repr(channel) + str(vars(channel).get("_api"))
    assert len(providers.requests) == 0  # the fake notes only what it let in
    assert not providers.box


@EACH
def test_429_is_honoured_for_the_whole_batch_with_and_without_a_time(make, providers, name):
    channel = make(name)
    providers.mishaps.append(Mishap(status=429, retry_after="7"))
    outcomes = list(channel.send_all([letter("a"), letter("b")]))
    assert [(o.after, o.scope) for o in outcomes] == [(7.0, Scope.ACCOUNT)] * 2
    assert len(providers.requests) == 1
    providers.mishaps.append(Mishap(status=429))
    assert one(channel) == Retry(key="k" * 24, text=f"{name} answered 429", scope=Scope.ACCOUNT)
    assert isinstance(one(channel), Accepted)


@EACH
@pytest.mark.parametrize("status", [500, 502, 504])
def test_an_error_after_the_body_was_read_leaves_the_outcome_unknown(make, providers, name, status):
    providers.mishaps.append(Mishap(status=status, body="<html>", content_type="text/html"))
    assert isinstance(one(make(name)), Unknown)


@EACH
def test_503_was_not_accepted(make, providers, name):
    providers.mishaps.append(Mishap(status=503))
    outcome = one(make(name))
    assert isinstance(outcome, Retry)
    assert outcome.scope is Scope.ACCOUNT


@pytest.mark.parametrize(
    ("name", "mishap"),
    [*((name, Mishap(after_work=True)) for name in NAMES), ("brevo", Mishap(hang=3, after_work=True))],
    ids=[*NAMES, "brevo-late"],
)
def test_accepted_but_nobody_said_so(make, providers, name, mishap):
    """The message was taken; a repetition under the key is no second one where the provider knows keys."""
    channel = make(name, timeout=1 if mishap.hang else 10)
    providers.mishaps.append(mishap)
    assert isinstance(one(channel), Unknown)
    assert len(providers.box) == 1
    again = one(channel)
    assert isinstance(again, Accepted)
    assert len(providers.box) == (1 if name in KEYED else 2)
    assert (channel.idempotent_for > 0) is (name in KEYED)


@EACH
def test_nobody_listening_was_certainly_not_accepted(make, name):
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        url = f"http://127.0.0.1:{probe.getsockname()[1]}"
    outcomes = list(make(name, url=url).send_all([letter("a"), letter("b")]))
    assert [(type(o), o.scope) for o in outcomes] == [(Retry, Scope.ACCOUNT)] * 2


BAD_ADDRESS = {
    "resend": Mishap(status=422, body={"name": "validation_error", "message": "Invalid `to` field: aino@example.com"}),
    "postmark": Mishap(status=422, body={"ErrorCode": 300, "Message": "Invalid 'To' address: 'aino@example.com'."}),
    "sendgrid": Mishap(
        status=400, body={"errors": [{"field": "personalizations.0.to.0.email", "message": "aino@example.com is none"}]}
    ),
    "mailgun": Mishap(status=400, body={"message": "to parameter is not a valid address. please check documentation"}),
    "brevo": Mishap(status=400, body={"code": "invalid_parameter", "message": "email is not valid in to"}),
}
BAD_SENDER = {
    "resend": Mishap(
        status=403, body={"name": "validation_error", "message": "The aurora.example domain is not verified."}
    ),
    "postmark": Mishap(status=422, body={"ErrorCode": 400, "Message": "The 'From' address is no Sender Signature"}),
    "sendgrid": Mishap(status=403, body={"errors": [{"field": "from", "message": "no verified Sender Identity"}]}),
    "mailgun": Mishap(status=404, body={"message": "Domain not found: mg.aurora.example"}),
    "brevo": Mishap(status=400, body={"code": "invalid_parameter", "message": "Sender is invalid / inactive"}),
}
QUOTA = {
    "resend": Mishap(status=429, body={"name": "daily_quota_exceeded", "message": "quota"}),
    "postmark": Mishap(status=422, body={"ErrorCode": 405, "Message": "run out of credits"}),
    "sendgrid": Mishap(status=401, body={"errors": [{"field": None, "message": "Maximum credits exceeded"}]}),
    "mailgun": Mishap(status=402, body={"message": "payment required"}),
    "brevo": Mishap(status=402, body={"code": "not_enough_credits", "message": "no credit"}),
}


@EACH
def test_a_bad_address_blames_the_recipient_and_quotes_nobody(make, providers, name):
    providers.mishaps.append(BAD_ADDRESS[name])
    outcomes = list(make(name).send_all([letter("a"), letter("b")]))
    first = next(o for o in outcomes if o.key == "a")
    assert isinstance(first, Rejected)
    assert (first.bad_address, first.bounce) == (True, BounceKind.HARD)
    assert "aino" not in repr(outcomes)
    assert isinstance(next(o for o in outcomes if o.key == "b"), Accepted)


@EACH
def test_an_unverified_sender_waits_for_its_shop_alone(make, providers, name):
    providers.mishaps.append(BAD_SENDER[name])
    outcomes = list(make(name).send_all([letter("a"), letter("b", shop_id="metsa")]))
    assert [(type(o), getattr(o, "scope", None)) for o in outcomes] == [(Retry, Scope.SHOP), (Accepted, None)]
    assert "sender" in outcomes[0].text


@EACH
def test_an_exhausted_account_is_everybodys(make, providers, name):
    providers.mishaps.append(QUOTA[name])
    outcome = one(make(name))
    assert isinstance(outcome, Retry)
    assert outcome.scope is Scope.ACCOUNT
    assert (outcome.after or 0) >= 300


@EACH
def test_too_large_is_refused_for_good(make, providers, name):
    providers.mishaps.append(
        Mishap(status=413, body={"message": f"mail to aino@example.com with {GOOD_KEY} is too large"})
    )
    outcome = one(make(name))
    assert isinstance(outcome, Rejected)
    assert (outcome.code, outcome.bad_address) == ("413", False)
    assert "aino" not in outcome.text
    assert GOOD_KEY not in outcome.text


@EACH
def test_a_redirect_is_not_followed(make, providers, name):
    providers.mishaps.append(Mishap(status=307))
    outcome = one(make(name))
    assert isinstance(outcome, Retry)
    assert "check url" in outcome.text
    assert len(providers.requests) == 1


def test_postmark_says_no_inside_a_200(make, providers):
    providers.mishaps.append(Mishap(status=200, body={"ErrorCode": 406, "Message": "inactive: aino@example.com"}))
    outcome = one(make("postmark"))
    assert isinstance(outcome, Rejected)
    assert "inactive" in outcome.text
    assert "aino" not in outcome.text


def test_resends_other_message_under_the_key_is_no_acceptance(make, providers):
    channel = make("resend")
    assert isinstance(one(channel), Accepted)
    changed = one(channel, letter(subject="Something else"))
    assert isinstance(changed, Rejected)
    assert "under this key" in changed.text
    assert len(providers.box) == 1


@EACH
def test_on_wire_is_told_before_and_a_full_disk_sends_nothing(make, providers, name):
    told: list[tuple[str, int]] = []
    channel = make(name)
    list(channel.send_all([letter("a"), letter("b")], lambda key: told.append((key, len(providers.box)))))
    assert told == [("a", 0), ("b", 1)]

    def full(key: str) -> None:
        raise OSError("no space")

    (outcome,) = list(channel.send_all([letter("c")], full))
    assert isinstance(outcome, Retry)
    assert len(providers.box) == 2


@EACH
def test_several_at_a_time_each_once(make, providers, name):
    keys = [f"key{number:02}" for number in range(20)]
    outcomes = list(make(name, connections=4).send_all(letter(key) for key in keys))
    assert sorted(o.key for o in outcomes) == keys
    assert all(isinstance(o, Accepted) for o in outcomes)
    assert sorted(taken.key for taken in providers.box) == keys


@EACH
def test_an_answer_without_sense_still_means_something(make, providers, name):
    providers.mishaps.append(Mishap(status=422, body="[" * 50_000, content_type="application/json; x"))
    assert isinstance(one(make(name)), Rejected)
    providers.mishaps.append(Mishap(status=400, body=["no", "object"]))
    assert isinstance(one(make(name)), Rejected)


@EACH
def test_a_key_that_opens_and_one_that_does_not(make, name):
    (good,) = make(name).check("orders@aurora.example")
    (bad,) = make(name, api_key="wrong").check("orders@aurora.example")
    assert (good.code, good.verdict) == ("credentials", Verdict.OK)
    assert (bad.code, bad.verdict) == ("credentials", Verdict.FAIL)


@pytest.mark.parametrize("name", ["postmark", "mailgun"])
def test_looking_up_tells_taken_from_not_taken_and_not_yet(make, providers, name):
    clock = ManualClock(AT)
    channel = make(name, clock=clock)
    assert isinstance(channel, LooksUp)
    sent = letter()
    providers.indexed = False
    one(channel, sent)
    with pytest.raises(Transient) as early:
        channel.look_up(sent, AT)
    assert early.value.retry_after == 60
    providers.indexed = True
    assert channel.look_up(sent, AT) == Accepted(key=sent.key, provider_id=providers.box[0].provider_id.strip("<>"))
    clock.advance(timedelta(seconds=61))
    assert channel.look_up(letter("never"), AT) is None
    with pytest.raises(KiitosError) as refused:
        make(name, api_key="wrong").look_up(sent, AT)
    assert isinstance(refused.value, Refused)


@EACH
@pytest.mark.parametrize(
    ("settings", "where"),
    [
        ({"api_key": ""}, "api_key"),
        ({"api_key": "käy"}, "api_key"),
        ({"api_key": "a\nb"}, "api_key"),
        ({"api_key": 7}, "api_key"),
        ({"url": "http://api.example.com"}, "url"),
        ({"url": "https://user:pw@api.example.com"}, "url"),
        ({"connections": 0}, "connections"),
        ({"timeout": "fast"}, "timeout"),
        ({"api_kye": "x"}, "api_kye"),
    ],
)
def test_a_fault_of_the_table_is_named(make, name, settings, where):
    with pytest.raises(ConfigError) as fault:
        make(name, **settings)
    assert fault.value.where == where
    assert "käy" not in str(fault.value)


def test_settings_of_one_provider(make):
    for name, settings, where in (
        ("mailgun", {"domain": "a/b"}, "domain"),
        ("mailgun", {"url": "", "region": "mars"}, "region"),
        ("sendgrid", {"url": "", "region": "mars"}, "region"),
        ("sendgrid", {"sandbox": "yes"}, "sandbox"),
        ("postmark", {"stream": 3}, "stream"),
    ):
        with pytest.raises(ConfigError) as fault:
            make(name, **settings)
        assert fault.value.where == where


def test_all_are_registered():
    assert {*NAMES, "ses", "smtp"} <= set(Registry().names(CHANNELS))
