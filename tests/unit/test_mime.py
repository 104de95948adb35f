"""E-mail bytes: read back by the standard library's parser, and by eye where mail servers are pickier than it."""

from __future__ import annotations

import email
import re
from datetime import UTC, datetime, timedelta, timezone
from email.header import decode_header, make_header
from email.utils import parseaddr, parsedate_to_datetime

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from connector import segments
from connector.errors import Refused, TemplateError
from flows.channels.smtp_session import _wire_form
from flows.render.mime import Letter, ascii_address, build, header, message_id, split_sender

AT = datetime(2026, 11, 22, 10, 30, tzinfo=UTC)
ANY_TEXT = st.text(max_size=300)
LINE_TEXT = st.text(st.characters(exclude_categories=("Cs", "Cc", "Zl", "Zp")), min_size=1, max_size=300)
WORD = st.text(st.characters(min_codepoint=33, max_codepoint=126), min_size=1, max_size=200)
DIRECTION = re.compile("[\u202a-\u202e\u2066-\u2069]")


def letter(**more: object) -> Letter:
    values: dict[str, object] = {
        "key": "k1",
        "sender": "Aamu & Ilta <kauppa@aamu.example.com>",
        "recipient": "aino@example.com",
        "recipient_name": "Aino Mäkinen",
        "subject": "Kiitos",
        "text": "Hei!\n",
        "html": "<p>Hei!</p>",
        "at": AT,
    }
    return Letter(**{**values, **more})  # type: ignore[arg-type]


def read(raw: bytes) -> email.message.Message:
    return email.message_from_bytes(raw)


def unfolded(value: str) -> str:
    return value.replace("\r\n", "")


def well_formed(raw: bytes) -> None:
    head = raw.partition(b"\r\n\r\n")[0]
    assert b"\n" not in raw.replace(b"\r\n", b"")
    assert b"\r" not in raw.replace(b"\r\n", b"")
    assert max(map(len, raw.split(b"\r\n"))) <= 998
    for line in head.decode().split("\r\n"):
        assert line.strip(), "a line of white space ends the headers for some servers"
        assert "=?" not in line or len(line) <= 76
        for word in re.findall(r"=\?[^?]*\?[bq]\?[^?]*\?=", line):
            assert len(word) <= 75
            assert "?b??=" not in word


def expected(text: str) -> str:
    return " ".join(DIRECTION.sub(" ", re.sub(r"[\x00-\x1f\x7f-\x9f\u2028\u2029]", " ", text)).split())


@settings(max_examples=200, deadline=None)
@given(ANY_TEXT)
def test_any_subject_comes_back(subject):
    raw = build(letter(subject=subject))
    well_formed(raw)
    assert str(make_header(decode_header(unfolded(read(raw)["Subject"])))) == expected(subject)


@settings(max_examples=200, deadline=None)
@given(ANY_TEXT)
def test_any_name_comes_back_and_never_adds_an_address(name):
    raw = build(letter(recipient_name=name))
    well_formed(raw)
    message = read(raw)
    shown, address = parseaddr(unfolded(message["To"]))
    assert address == "aino@example.com"
    assert str(make_header(decode_header(shown))) == expected(name)[:100].rstrip()
    assert message.get_all("Bcc") is None
    assert len(message.get_all("To")) == 1


@settings(max_examples=150, deadline=None)
@given(st.lists(WORD, min_size=1, max_size=12))
def test_structured_headers_are_folded_at_spaces_and_never_encoded(words):
    value = " ".join(words)
    raw = build(letter(headers={"References": value, "List-Unsubscribe": value}))
    message = read(raw)
    for name in ("References", "List-Unsubscribe"):
        assert unfolded(message[name]) == value
    assert all(line.strip() for line in raw.partition(b"\r\n\r\n")[0].split(b"\r\n"))


@settings(max_examples=150, deadline=None)
@given(LINE_TEXT, LINE_TEXT)
def test_bodies_come_back_to_the_byte(text, html):
    message = read(build(letter(text=text, html=html)))
    plain, rich = message.get_payload()
    assert (plain.get_content_type(), rich.get_content_type()) == ("text/plain", "text/html")
    assert plain.get_payload(decode=True).decode() == text
    assert rich.get_payload(decode=True).decode() == html
    assert rich.get_content_charset() == "utf-8"


@settings(max_examples=150, deadline=None)
@given(LINE_TEXT, LINE_TEXT)
def test_what_is_built_needs_nothing_doubled_or_mended_for_smtp(text, html):
    built = build(letter(subject=text, recipient_name=html, text=text, html=html, headers={"X-Note": "." * 300}))
    assert _wire_form(bytes(built)) == built
    assert _wire_form(built) is built
    assert segments.load(segments.dump(built)) == built


@pytest.mark.parametrize("plain", [b".a\r\n", b"a\r\n.b\r\n", b"a\nb\r\n", b"a\rb\r\n", b"a"])
def test_segments_that_are_not_in_the_form_of_smtp_are_mended(plain):
    made = segments.join([(True, b"picture"), (False, b"\r\n"), (False, plain)])
    assert _wire_form(made) == _wire_form(bytes(made)) != made


def test_other_bytes_are_mended_for_smtp():
    assert _wire_form(b".a\n.b\r.c") == b"..a\r\n..b\r\n..c\r\n"


def test_the_same_letter_is_the_same_bytes_and_another_key_another_message():
    assert build(letter()) == build(letter())
    assert build(letter()) != build(letter(key="k2"))
    message = read(build(letter(reply_to="Apu <apu@aamu.example.com>")))
    assert message["Message-ID"] == "<k1@aamu.example.com>"
    assert message["MIME-Version"] == "1.0"
    assert parseaddr(message["Reply-To"]) == ("Apu", "apu@aamu.example.com")
    assert (
        message["From"] == '"Aamu & Ilta" <kauppa@aamu.example.com>' or parseaddr(message["From"])[0] == "Aamu & Ilta"
    )


def test_a_long_unsubscribe_address_stays_whole():
    url = "<https://mail.example.com/u/" + "t" * 300 + ">"
    raw = build(letter(headers={"List-Unsubscribe": url, "List-Unsubscribe-Post": "List-Unsubscribe=One-Click"}))
    assert url.encode() in raw
    assert b"\r\nList-Unsubscribe-Post: List-Unsubscribe=One-Click\r\n" in raw


@pytest.mark.parametrize("value", ["a\r\nBcc: evil@example.com", "a\nb", "a\x00b", "a\u2028b", "a\rb"])
def test_a_header_with_a_line_break_is_refused(value):
    with pytest.raises(TemplateError):
        header("X-Note", value)


@pytest.mark.parametrize("name", ["Bcc:", "X Y", "", "To", "subject", "X\r\nY", "Content-Type"])
def test_a_header_name_that_is_none_or_ours_is_refused(name):
    with pytest.raises(TemplateError):
        header(name, "x")


def test_a_word_that_cannot_be_folded_is_refused():
    with pytest.raises(TemplateError):
        header("References", "<" + "x" * 1000 + "@example.com>")
    assert header("X-Id", "x" * 900).startswith("X-Id: x")


@pytest.mark.parametrize(
    "address",
    ["", "aino", "@example.com", "a@b@", "a b@example.com", "a@exa mple.com", "a@-x.com", ".a@example.com",
     "a..b@example.com", "a@example.com\r\nBcc: x@y.z", "<a@example.com>", "a@example.com>", 'a"b@example.com',
     "a@x..y"],
)  # fmt: skip
def test_an_address_that_is_none_is_refused_without_quoting_it(address):
    with pytest.raises(Refused) as error:
        ascii_address(address)
    assert error.value.provider_code == "bad_address"
    assert not address or address not in str(error.value)


def test_domains_become_punycode_and_local_parts_stay():
    assert ascii_address("äiti@mökki.example") == "äiti@xn--mkki-5qa.example"
    assert ascii_address("Aino+kauppa@Example.COM") == "Aino+kauppa@Example.COM"
    assert split_sender("Mökki <me@mökki.example>") == ("Mökki", "me@xn--mkki-5qa.example")
    assert message_id("a b/c", "me@mökki.example").endswith("@xn--mkki-5qa.example>")


def test_a_sender_is_one_line():
    with pytest.raises(Refused):
        build(letter(sender="Shop\r\nBcc: evil@example.com <shop@example.com>"))


def test_the_date_is_utc():
    local = AT.astimezone(timezone(timedelta(hours=2)))
    message = read(build(letter(at=local)))
    assert message["Date"] == "Sun, 22 Nov 2026 10:30:00 +0000"
    assert parsedate_to_datetime(message["Date"]) == AT
