"""The mail sink takes what a real client sends and misbehaves exactly as scripted."""

from __future__ import annotations

import smtplib
import socket
import subprocess
import sys
from collections.abc import Iterator
from email.message import EmailMessage
from pathlib import Path

import pytest

from connector.testing.fakes.smtp import MailSink, Misbehaviour


@pytest.fixture
def sink() -> Iterator[MailSink]:
    with MailSink() as running:
        yield running


def letter(
    to: str = "aino@example.test", message_id: str = "<one@kiitos.test>", text: str = "Hei\n.\n..kaksi\n"
) -> EmailMessage:
    message = EmailMessage()
    message["From"] = "shop@example.com"
    message["To"] = to
    message["Message-ID"] = message_id
    message["Subject"] = "Kiitos tilauksesta"
    message.set_content(text)
    return message


def send(sink: MailSink, message: EmailMessage) -> dict[str, tuple[int, bytes]]:
    with smtplib.SMTP("127.0.0.1", sink.port, timeout=5) as client:
        return client.send_message(message)


def test_keeps_envelope_bytes_and_count(sink: MailSink) -> None:
    send(sink, letter())
    send(sink, letter())
    send(sink, letter(message_id="<two@kiitos.test>"))
    kept = sink.messages[0]
    assert (kept.sender, kept.recipients) == ("shop@example.com", ("aino@example.test",))
    assert b"\r\n.\r\n..kaksi\r\n" in kept.content
    assert sink.by_message_id() == {"<one@kiitos.test>": 2, "<two@kiitos.test>": 1}
    assert len(sink.to("AINO@example.test")) == 3


def test_a_folded_message_id_is_read_and_one_in_the_body_is_not(sink: MailSink) -> None:
    with smtplib.SMTP("127.0.0.1", sink.port, timeout=5) as client:
        client.sendmail("a@example.com", ["b@example.com"], b"Message-ID:\r\n <folded@x.test>\r\n\r\nhei\r\n")
        client.sendmail("a@example.com", ["b@example.com"], b"Subject: x\r\n\r\nMessage-ID: <body@x.test>\r\n")
    assert [m.message_id for m in sink.messages] == ["<folded@x.test>", ""]


def test_pipelined_commands_are_answered_in_order(sink: MailSink) -> None:
    with socket.create_connection(("127.0.0.1", sink.port), timeout=5) as raw, raw.makefile("rb") as answers:
        answers.readline()
        raw.sendall(b"EHLO me\r\nMAIL FROM:<a@example.com>\r\nRCPT TO:<b@example.com>\r\nRCPT TO:<>\r\nDATA\r\n")
        lines = [answers.readline() for _ in range(9)]
        raw.sendall(b"Subject: x\r\n\r\nhei\r\n.\r\nQUIT\r\n")
        lines += [answers.readline(), answers.readline()]
    assert b"".join(lines[:5]).count(b"250-") == 4
    assert [line[:3] for line in lines[5:]] == [b"250", b"250", b"501", b"354", b"250", b"221"]


def test_utf8_address_needs_smtputf8(sink: MailSink) -> None:
    with smtplib.SMTP("127.0.0.1", sink.port, timeout=5) as client:
        client.ehlo()
        client.command_encoding = "utf-8"
        assert client.mail("a@example.com", ["SMTPUTF8"])[0] == 250
        assert client.rcpt("ääkkönen@example.test")[0] == 250
        client.rset()
        client.command_encoding = "utf-8"
        assert client.mail("a@example.com")[0] == 250
        assert client.rcpt("ääkkönen@example.test")[0] == 553


def test_out_of_order_commands_are_refused(sink: MailSink) -> None:
    with smtplib.SMTP("127.0.0.1", sink.port, timeout=5) as client:
        assert client.docmd("MAIL FROM:<a@example.com>")[0] == 503
        client.ehlo()
        assert client.docmd("RCPT TO:<a@example.com>")[0] == 503
        assert client.docmd("MAIL FROM:<a@example.com>")[0] == 250
        assert client.docmd("MAIL FROM:<a@example.com>")[0] == 503
        assert client.docmd("DATA")[0] == 554
        assert client.docmd("WHAT")[0] == 500
    assert sink.messages == []


def test_codes_per_recipient(sink: MailSink) -> None:
    sink.script = Misbehaviour(recipient_codes={"gone@example.test": 550, "busy@example.test": [451]})
    with pytest.raises(smtplib.SMTPRecipientsRefused):
        send(sink, letter("gone@example.test"))
    with pytest.raises(smtplib.SMTPRecipientsRefused):
        send(sink, letter("busy@example.test"))
    assert send(sink, letter("busy@example.test")) == {}
    assert len(sink.messages) == 1


def test_drop_after_data_keeps_the_message_and_says_nothing(sink: MailSink) -> None:
    sink.script.drop_after_data = 1
    with pytest.raises(smtplib.SMTPServerDisconnected):
        send(sink, letter())
    assert sink.wait_for(1)
    send(sink, letter())
    assert sink.by_message_id() == {"<one@kiitos.test>": 2}


def test_drop_at_data_keeps_nothing(sink: MailSink) -> None:
    sink.script.drop_at_data = 1
    with pytest.raises(smtplib.SMTPServerDisconnected):
        send(sink, letter())
    assert sink.messages == []


def test_data_and_greeting_codes(sink: MailSink) -> None:
    sink.script = Misbehaviour(data_codes=[452], greeting_codes=[421])
    with pytest.raises(smtplib.SMTPConnectError):
        send(sink, letter())
    with pytest.raises(smtplib.SMTPDataError) as refused:
        send(sink, letter())
    assert refused.value.smtp_code == 452
    send(sink, letter())
    assert len(sink.messages) == 1


def test_delay_outlasts_an_impatient_client(sink: MailSink) -> None:
    sink.script.delay = 2.0
    client = smtplib.SMTP("127.0.0.1", sink.port, timeout=0.2)
    with pytest.raises((TimeoutError, smtplib.SMTPServerDisconnected)):
        client.send_message(letter())
    client.close()


def test_too_big_is_refused_by_declared_size_and_by_bytes() -> None:
    with MailSink(max_size=200) as sink, smtplib.SMTP("127.0.0.1", sink.port, timeout=5) as client:
        client.ehlo()
        assert client.mail("a@example.com", ["SIZE=201"])[0] == 552
        assert client.mail("a@example.com")[0] == 250
        assert client.rcpt("b@example.com")[0] == 250
        assert client.data(b"x" * 300)[0] == 552
        assert sink.messages == []


def test_directory_numbers_go_on(tmp_path: Path) -> None:
    for _ in range(2):
        with MailSink(directory=tmp_path) as sink:
            send(sink, letter())
    assert sorted(path.name for path in tmp_path.iterdir()) == ["00001.eml", "00002.eml"]
    assert b"Kiitos tilauksesta" in (tmp_path / "00002.eml").read_bytes()


def test_module_runs_without_the_test_packages(tmp_path: Path) -> None:
    """The wheel has no pytest: the sink must not need it."""
    code = (
        "import sys; sys.modules['pytest'] = None; sys.modules['hypothesis'] = None\n"
        "import connector.testing.fakes.smtp as s\n"
        "with s.MailSink() as sink: print(sink.port > 0)\n"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, timeout=60, check=False)
    assert done.stdout.strip() == "True", done.stderr
