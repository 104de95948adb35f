"""Twilio and 46elks against servers that answer like them: what goes out, what answers mean, what can be looked up."""

from __future__ import annotations

import logging
from collections.abc import Iterator
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta

import pytest

from connector.clock import ManualClock
from connector.config.rates import rate_of
from connector.contracts import Accepted, Message, Outcome, Rate, Rejected, Retry, Unknown
from connector.contracts.connecting import Verdict
from connector.errors import ConfigError, Transient
from connector.testing.fakes.texting import ACCOUNT, BROKEN, BUSY, NOBODY, SILENT, STOPPED, TOKEN, Texting
from connector.testing.fakes.web import LoopbackServer
from flows.channels.elks46 import Elks46
from flows.channels.twilio import Twilio
from flows.channels.whatsapp import WhatsApp

START = datetime(2026, 11, 23, 9, 0, tzinfo=UTC)
KEY = "0123456789abcdefghjkmnpq"
TWILIO = {"account_sid": ACCOUNT, "auth_token": TOKEN, "from": "+15005550006"}
ELKS = {"username": "user", "password": "pass", "from": "Metsa"}
EVENTS = "https://kiitos.example.com/hooks/channel.texts/abc"


@dataclass
class Line:
    """A channel and the server behind it."""

    channel: Twilio | Elks46
    server: Texting
    clock: ManualClock
    url: str

    def send(self, number: str, text: str = "Hei!", sender: str = "", key: str = KEY) -> Outcome:
        (outcome,) = self.channel.send_all([message(number, text, sender, key)])
        return outcome


def message(number: str, text: str = "Hei!", sender: str = "", key: str = KEY) -> Message:
    return Message(key=key, channel="sms", sender=sender, recipient=number, content=text.encode())


@pytest.fixture(params=["twilio", "elks46"])
def line(request: pytest.FixtureRequest) -> Iterator[Line]:
    yield from line_of(request.param)


def line_of(kind: str, **more: str) -> Iterator[Line]:
    clock = ManualClock(START)
    server = Texting(clock)
    with LoopbackServer(server.twilio if kind == "twilio" else server.elks46) as web:
        cls, table = (Twilio, TWILIO) if kind == "twilio" else (Elks46, ELKS)
        table = {**table, "api_url": web.url, "events_url": EVENTS, **more}
        yield Line(cls.from_settings(table, clock), server, clock, web.url)


PERSON = "+358401234567"


def test_a_text_arrives_whole(line: Line) -> None:
    outcome = line.send(PERSON, "Åäö €\nおはよう 😀 & + = %")
    (form,) = line.server.taken
    twilio = isinstance(line.channel, Twilio)
    assert isinstance(outcome, Accepted)
    assert outcome.provider_id == ("SM" if twilio else "s") + "0" * 32
    assert (form["Body"] if twilio else form["message"]) == "Åäö €\nおはよう 😀 & + = %"
    assert (form["From"], form["To"]) == ("+15005550006", PERSON) if twilio else (form["from"], form["to"])
    assert form["StatusCallback" if twilio else "whendelivered"] == f"{EVENTS}?key={KEY}"


def test_a_shops_own_sender_goes_first(line: Line) -> None:
    line.send(PERSON, sender="Kahvila")
    assert "Kahvila" in (line.server.taken[0].get("From"), line.server.taken[0].get("from"))


def test_a_messaging_service_is_named_as_one() -> None:
    for line in line_of("twilio", **{"from": "MG" + "0" * 32}):
        line.send(PERSON)
        assert line.server.taken[0]["MessagingServiceSid"] == "MG" + "0" * 32
        assert "From" not in line.server.taken[0]


@pytest.mark.parametrize(
    ("number", "wanted"),
    [
        (NOBODY, "Rejected 21211 blamed"),
        (STOPPED, "Rejected 21610 objected"),
        (BUSY, "Retry 7.0"),
        (SILENT, "Unknown"),
        (BROKEN, "Unknown"),
    ],
)
def test_what_twilios_answers_mean(number: str, wanted: str) -> None:
    for line in line_of("twilio"):
        assert told(line.send(number)) == wanted


@pytest.mark.parametrize(
    ("number", "wanted"),
    [
        (NOBODY, "Rejected 400 blamed"),
        (STOPPED, "Retry 300.0"),  # no credit left: nothing is lost while somebody pays
        (BUSY, "Retry 7.0"),
        (SILENT, "Unknown"),
        (BROKEN, "Unknown"),
    ],
)
def test_what_46elks_answers_mean(number: str, wanted: str) -> None:
    for line in line_of("elks46"):
        assert told(line.send(number)) == wanted


def told(outcome: Outcome) -> str:
    assert PERSON not in str(outcome), "no outcome quotes a number"
    match outcome:
        case Rejected(code=code, bad_address=bad, objected=objected):
            return f"Rejected {code}{' blamed' * bad}{' objected' * objected}"
        case Retry(after=after):
            return f"Retry {after}"
        case _:
            return type(outcome).__name__


@pytest.mark.parametrize("kind", ["twilio", "elks46"])
def test_wrong_credentials_lose_nothing(kind: str) -> None:
    wrong = {"auth_token": "wrong"} if kind == "twilio" else {"password": "wrong"}
    for line in line_of(kind, **wrong):
        outcome = line.send(PERSON)
        assert isinstance(outcome, Retry)
        assert "check the credentials" in outcome.text
        assert "wrong" not in outcome.text


def test_a_look_says_whether_the_credentials_open_the_account(line: Line) -> None:
    (found,) = line.channel.check("")
    assert (found.code, found.verdict) == ("credentials", Verdict.OK)
    kind = "twilio" if isinstance(line.channel, Twilio) else "elks46"
    wrong = {"auth_token": "wrong"} if kind == "twilio" else {"password": "wrong"}
    for other in line_of(kind, **wrong):
        (found,) = other.channel.check("")
        assert (found.code, found.verdict) == ("credentials", Verdict.FAIL)
    assert line.server.taken == []


def test_after_silence_the_rest_waits(line: Line) -> None:
    numbers = [PERSON, SILENT, PERSON]
    marked: list[str] = []
    batch = [message(number, key=KEY[:-1] + str(index)) for index, number in enumerate(numbers)]
    found = list(line.channel.send_all(iter(batch), marked.append))
    assert [type(each) for each in found] == [Accepted, Unknown, Retry]
    assert marked == [each.key for each in batch[:2]]
    assert len(line.server.taken) == 2


def test_a_text_of_unknown_fate_is_found_again(line: Line) -> None:
    assert isinstance(line.send(SILENT, "this one"), Unknown)
    with pytest.raises(Transient, match="too early"):
        line.channel.look_up(message(SILENT, "another one"), START)
    line.clock.advance(timedelta(minutes=2))
    found = line.channel.look_up(message(SILENT, "this one"), START)
    assert found is not None
    assert found.key == KEY
    assert found.provider_id.endswith("0" * 32)
    assert line.channel.look_up(message(SILENT, "another one"), START) is None
    assert line.channel.look_up(message(PERSON, "this one"), START) is None


def test_an_older_text_of_the_same_words_is_not_taken_for_it() -> None:
    for line in line_of("twilio"):
        line.send(PERSON)
        line.clock.advance(timedelta(hours=1))
        since = line.clock.now()
        line.clock.advance(timedelta(minutes=2))
        assert line.channel.look_up(message(PERSON), since) is None


def test_a_local_address_for_events_is_not_told_to_twilio() -> None:
    clock = ManualClock(START)
    for url in ("http://127.0.0.1:8321/hooks/x", "http://kiitos.example.com/x", "https://localhost/x"):
        call = Twilio.from_settings({**TWILIO, "events_url": url}, clock).request(message(PERSON))
        assert b"StatusCallback" not in call.body


def test_reports_of_46elks_come_with_basic_auth_where_configured() -> None:
    for line in line_of("elks46", events_user="kiitos", events_password="open sesame"):
        line.send(PERSON)
        wanted = f"https://kiitos:open%20sesame@kiitos.example.com/hooks/channel.texts/abc?key={KEY}"
        assert line.server.taken[0]["whendelivered"] == wanted


def test_no_secret_is_in_a_repr_or_a_log(line: Line, caplog: pytest.LogCaptureFixture) -> None:
    with caplog.at_level(logging.DEBUG):
        line.send(BROKEN)
    call = line.channel.request(message(PERSON))
    for secret in (TOKEN, "Basic "):
        assert secret not in repr(line.channel) + repr(call) + caplog.text


@pytest.mark.parametrize(
    ("cls", "table", "where"),
    [
        (Twilio, {**TWILIO, "acount_sid": "x"}, "acount_sid: .* did you mean 'account_sid'"),
        (Twilio, {"auth_token": "x"}, "account_sid: missing"),
        (Twilio, {**TWILIO, "account_sid": "AC12"}, "account_sid: should be AC and 32"),
        (Twilio, {"account_sid": ACCOUNT}, "auth_token: missing"),
        (Twilio, {**TWILIO, "api_key": "SK1"}, "api_secret: missing"),
        (Elks46, {"username": "user"}, "password: missing"),
        (Elks46, {**ELKS, "events_user": "x"}, "events_user: .* go together"),
        (Elks46, {**ELKS, "from": 7}, "from: must be a text"),
    ],
)
def test_a_wrong_setting_is_named(cls: type[Twilio | Elks46], table: dict[str, object], where: str) -> None:
    with pytest.raises(ConfigError, match=where):
        cls.from_settings(table, ManualClock(START))


def test_without_a_sender_it_says_where_to_set_one(line: Line) -> None:
    table = {**TWILIO, "api_url": line.url} if isinstance(line.channel, Twilio) else {**ELKS, "api_url": line.url}
    bare = type(line.channel).from_settings({**table, "from": ""}, line.clock)
    (outcome,) = bare.send_all([message(PERSON)])
    assert isinstance(outcome, Rejected)
    assert outcome.code == "no_sender"
    assert line.server.taken == []


@pytest.mark.parametrize(
    ("sender", "a_second"),
    [
        ("+12025550123", 1),
        ("+18445550123", 3),
        ("+358401234567", 10),
        ("Aamu", 10),
        ("12345", 30),
        ("MG" + "0" * 32, None),
        ("", None),
    ],
)
def test_twilio_is_given_what_its_sender_may_send(sender: str, a_second: float | None) -> None:
    rate = Twilio.usual_rate({"from": sender})
    assert (rate.messages / rate.seconds if rate else None) == a_second


def test_the_operators_word_goes_before_the_usual_rate() -> None:
    table = {"from": "+12025550123", "rate": "5/s"}
    assert rate_of(table, Twilio.usual_rate(table)) == Rate(5, 1, 1)
    assert rate_of({"from": "+12025550123"}, Twilio.usual_rate(table)) == Rate(1)
    assert WhatsApp.usual_rate({}) == WhatsApp.rate == Rate(80, 1, 8)
