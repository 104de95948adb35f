"""Mail that comes back: reports in the forms servers write them, complaints, machines, people. All invented."""

from __future__ import annotations

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from connector.contracts import Verified
from connector.contracts.channel_events import BounceKind, ChannelEvent, ChannelEventKind
from connector.errors import MalformedPayload
from flows.channels.smtp_events import SmtpEvents
from flows.people.stop_words import Order, order_in
from tests.channel_events.signing import KEY, NOW

K, B = ChannelEventKind, BounceKind
VERIFIED = Verified(topic="mail", dedup_key="d", triggered_at=NOW)
TO = f"b+{KEY}@bounces.example"
REPORT = """From: MAILER-DAEMON@mx.example
To: {to}
Date: Sun, 22 Nov 2026 10:00:00 +0200
Message-ID: <report-1@mx.example>
MIME-Version: 1.0
Content-Type: multipart/report; report-type=delivery-status; boundary="B"

--B
Content-Type: text/plain

Your message could not be delivered.

--B
Content-Type: message/delivery-status

Reporting-MTA: dns; mx.example
{envelope}
{fields}

--B
Content-Type: {what}

{original}

--B--
"""
FAILED = "Final-Recipient: rfc822; aino@example.test\nAction: failed\nStatus: {status}\nDiagnostic-Code: smtp; {said}"
ORIGINAL = f"Subject: Hei\nMessage-ID: <{KEY}@shop.example>\nTo: aino@example.test"


def report(
    status: str = "5.1.1",
    said: str = "550 5.1.1 unknown user",
    *,
    to: str = TO,
    envelope: str = "X-Postfix-Queue-ID: 1",
    what: str = "message/rfc822",
    original: str = "Subject: Hei",
    fields: str = "",
) -> bytes:
    told = fields or FAILED.format(status=status, said=said)
    return REPORT.format(to=to, envelope=envelope, fields=told, what=what, original=original).encode()


def read(mail: bytes) -> list[ChannelEvent]:
    return list(SmtpEvents().read(VERIFIED, mail))


@pytest.mark.parametrize(
    ("status", "said", "bounce", "code"),
    [
        ("5.1.1", "550 5.1.1 unknown user", B.HARD, "5.1.1"),
        ("5.0.0", "550 5.1.1 unknown user", B.HARD, "5.0.0"),
        ("5.0.0", "550 no such user here", B.HARD, "5.0.0"),
        ("5.2.2", "552 5.2.2 full", B.SOFT, "5.2.2"),
        ("4.4.7", "timed out after 5 days", B.SOFT, "4.4.7"),
        ("5.7.1", "550 blocked", B.BLOCK, "5.7.1"),
        ("5.3.0", "554 transaction failed", B.OTHER, "5.3.0"),
    ],
)
def test_whose_fault_a_report_says_it_is(status: str, said: str, bounce: BounceKind, code: str) -> None:
    (event,) = read(report(status, said))
    assert (event.kind, event.bounce, event.code) == (K.BOUNCED, bounce, code)
    assert (event.key, event.recipient, event.id) == (KEY, "aino@example.test", read(report(status, said))[0].id)


@pytest.mark.parametrize(
    "mail",
    [
        report(to=f"B+{KEY.upper()}@Bounces.Example"),
        report(to="shop@bounces.example", envelope=f"Original-Envelope-Id: {KEY}"),
        report(to="shop@bounces.example", original=ORIGINAL),
        report(to="shop@bounces.example", original=ORIGINAL, what="text/rfc822-headers"),
        b"Delivered-To: " + TO.encode() + b"\n" + report(to="undisclosed-recipients:;"),
    ],
)
def test_the_ways_a_report_is_known_by(mail: bytes) -> None:
    (event,) = read(mail)
    assert event.key == KEY


def test_a_warning_is_no_bounce_and_each_recipient_an_event() -> None:
    (event,) = read(report(fields="Final-Recipient: rfc822; a@example.test\nAction: delayed\nStatus: 4.4.1"))
    assert (event.kind, event.bounce) == (K.DEFERRED, None)
    two = FAILED.format(status="5.1.1", said="x") + "\n\n" + FAILED.format(status="5.2.2", said="y")
    assert [event.bounce for event in read(report(fields=two))] == [B.HARD, B.SOFT]
    assert len({event.id for event in read(report(fields=two))}) == 2


def test_a_date_of_the_future_is_not_believed() -> None:
    assert read(report().replace(b"22 Nov 2026", b"22 Nov 2036"))[0].at == NOW
    assert read(report())[0].at < NOW


COMPLAINT = f"""From: feedback@provider.example
To: {TO}
Message-ID: <arf-1@provider.example>
Content-Type: multipart/report; report-type=feedback-report; boundary="B"

--B
Content-Type: message/feedback-report

Feedback-Type: abuse
Original-Rcpt-To: aino@example.test

--B
Content-Type: message/rfc822

{ORIGINAL}

--B--
"""


def test_a_complaint_of_a_feedback_loop() -> None:
    (event,) = read(COMPLAINT.replace(TO, "fbl@shop.example").encode())
    assert (event.kind, event.key, event.recipient) == (K.COMPLAINED, KEY, "aino@example.test")
    (event,) = read(COMPLAINT.replace("abuse", "opt-out").encode())
    assert event.kind is K.UNSUBSCRIBED
    (event,) = read(COMPLAINT.replace("abuse", "fraud").encode())
    assert event.kind is K.OTHER


def test_a_daemon_that_writes_in_plain_words() -> None:
    mail = f"From: MAILER-DAEMON@old.example\nTo: {TO}\nSubject: failure notice\n\nSorry, no mailbox here by that name."
    (event,) = read(mail.encode())
    assert (event.kind, event.bounce, event.key) == (K.BOUNCED, B.HARD, KEY)
    assert read(mail.replace(TO, "shop@bounces.example").encode()) == [], "of what, nobody knows"


LETTER = f"""From: Aino <aino@example.test>
To: {TO}
In-Reply-To: <{KEY}@shop.example>
Message-ID: <1@example.test>
Date: Sun, 22 Nov 2026 10:00:00 +0200
{{more}}Content-Type: text/plain; charset=utf-8
Content-Transfer-Encoding: 8bit

{{body}}
"""


@pytest.mark.parametrize(
    "more",
    [
        "Auto-Submitted: auto-replied\n",
        "Auto-Submitted: auto-generated; owner-email=x\n",
        "Precedence: bulk\n",
        "Precedence: auto_reply\n",
        "X-Autoreply: yes\n",
        "List-Id: <a.example>\n",
        "Return-Path: <>\n",
    ],
)
def test_machines_are_not_listened_to(more: str) -> None:
    events = read(LETTER.format(more=more, body="I am away until Monday").encode())
    assert [event for event in events if event.kind is K.REPLIED] == []


@pytest.mark.parametrize(
    ("body", "said"),
    [
        ("Missä pakettini on?", "Missä pakettini on?"),
        ("STOP\n\n> Hei Aino\n> ...", "STOP"),
        ("Lopeta\n\nma 23. marrask. 2026 klo 9.00 Kauppa <a@shop.example> kirjoitti:\n> x", "Lopeta"),
        ("Nein danke\n\nAm 23.11.2026 um 09:00 schrieb Shop:\nText", "Nein danke"),
        ("No\n-- \nAino", "No"),
        ("> Hei\n\nanswer below", "answer below"),
        ("ok\n-----Original Message-----\nFrom: x", "ok"),
    ],
)
def test_what_a_person_wrote_without_what_they_answer_to(body: str, said: str) -> None:
    (event,) = read(LETTER.format(more="Auto-Submitted: no\n", body=body).encode())
    assert (event.kind, event.text, event.key, event.recipient) == (K.REPLIED, said, KEY, "aino@example.test")


def test_an_answer_in_html_alone() -> None:
    mail = LETTER.format(more="", body="<style>p{}</style><p>Hei<br>kiitos</p>").replace("text/plain", "text/html")
    (event,) = read(mail.encode())
    assert event.text.split() == ["Hei", "kiitos"]


@settings(max_examples=80, deadline=None)
@given(data=st.data())
def test_any_bytes_are_read_or_called_malformed(data: st.DataObject) -> None:
    base = data.draw(st.sampled_from([report(), COMPLAINT.encode(), LETTER.format(more="", body="x").encode()]))
    start = data.draw(st.integers(0, len(base)))
    mail = base[:start] + data.draw(st.binary(max_size=40)) + base[start + data.draw(st.integers(0, 200)) :]
    try:
        events = read(mail)
    except MalformedPayload:
        return
    for event in events:
        assert event.at <= NOW
        assert "\0" not in event.text + event.recipient + event.code + event.raw_kind


@pytest.mark.parametrize(
    "text",
    [
        "stop",
        "STOP!",
        " Stop. ",
        "unsubscribe",
        "opt-out",
        "OPT OUT",
        "Quit",
        "End",
        "cancel",
        "REVOKE",
        "STOPP",
        "lopeta",
        "Peruuta",
        "avsluta",
        "ABMELDEN",
        "Arrêt",
        "arret",
        "配信停止",
        "ストップ",
        "توقف",
        "إلغاء",
        "stop 👋",
    ],
)
def test_words_that_stop(text: str) -> None:
    assert order_in(text) is Order.STOP


@pytest.mark.parametrize("text", ["start", "UNSTOP", "Aloita", "再開"])
def test_words_that_start_again(text: str) -> None:
    assert order_in(text) is Order.START


@pytest.mark.parametrize(
    "text",
    ["", "!", "please stop the parcel", "stop it and send the other", "I want to cancel my order", "no", "stopper"],
)
def test_anything_else_is_for_a_person(text: str) -> None:
    assert order_in(text) is None
