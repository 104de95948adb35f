"""E-mail as bytes, by our own hand.

The standard library writes a long List-Unsubscribe, In-Reply-To and References as RFC 2047 encoded words, which
Gmail and Yahoo do not read, and takes 2 to 3 ms a message (facts/messaging.md section 5.1, facts/performance.md
section 4). Here structured headers are folded at spaces only, texts are encoded words of at most 75 characters,
bodies are base64, and the same input gives the same bytes.
"""

from __future__ import annotations

import hashlib
import re
from base64 import b64encode
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from datetime import UTC, datetime
from functools import lru_cache
from urllib.parse import quote

from connector.errors import Refused, TemplateError
from connector.segments import Segmented, join

_LINE = 76
_LIMIT = 998  # RFC 5322 section 2.1.1
_WORD = 75  # RFC 2047 section 2
_CONTROL = re.compile(r"[\x00-\x1f\x7f-\x9f\u2028\u2029\u202a-\u202e\u2066-\u2069\ud800-\udfff]+")
_NAME = re.compile(r"[A-Za-z][A-Za-z0-9-]{0,76}")
_ATOM = re.compile(r"[A-Za-z0-9!#$%&'*+/=?^_`{|}~ -]*")
_LOCAL = re.compile(r"[A-Za-z0-9!#$%&'*+/=?^_`{|}~.\u00a1-\U0010ffff-]{1,64}")
_DOMAIN = re.compile(r"[A-Za-z0-9]([A-Za-z0-9-]*[A-Za-z0-9])?([.][A-Za-z0-9]([A-Za-z0-9-]*[A-Za-z0-9])?)*")
_KEY = re.compile(r"[A-Za-z0-9._-]{1,200}")
_DAYS = ("Mon", "Tue", "Wed", "Thu", "Fri", "Sat", "Sun")
_MONTHS = ("Jan", "Feb", "Mar", "Apr", "May", "Jun", "Jul", "Aug", "Sep", "Oct", "Nov", "Dec")
# Ours to write; a caller's own would contradict the message.
_OWN = frozenset(
    [
        "from",
        "to",
        "reply-to",
        "subject",
        "date",
        "message-id",
        "mime-version",
        "content-type",
        "content-transfer-encoding",
    ]
)


@dataclass(frozen=True, slots=True)
class Attached:
    """A file that goes with a message. `media_type` may have parameters."""

    name: str
    media_type: str
    content: bytes


@dataclass(frozen=True, slots=True, kw_only=True)
class Letter:
    """What goes into one e-mail. `sender` is an address or `Name <address>`; `at` is aware."""

    key: str
    sender: str
    recipient: str
    subject: str
    text: str
    html: str
    at: datetime
    recipient_name: str = ""
    reply_to: str | None = None
    headers: Mapping[str, str] = field(default_factory=dict)
    attached: tuple[Attached, ...] = ()


def build(letter: Letter) -> Segmented:
    """The MIME message with CRLF line ends, ready for DATA.

    Raises `Refused` (`provider_code` `bad_address`) for an address that cannot be one, and `TemplateError` for a
    header with a control character. Errors never quote the address.
    """
    name, address = split_sender(letter.sender)
    boundary = "=_" + hashlib.sha256(letter.key.encode()).hexdigest()[:32]
    lines = [
        "From: " + mailbox(name, address, 6),
        "To: " + mailbox(letter.recipient_name, letter.recipient, 4),
    ]
    if letter.reply_to:
        reply_name, reply_address = split_sender(letter.reply_to)
        lines.append("Reply-To: " + mailbox(reply_name, reply_address, 10))
    lines += [
        "Subject: " + unstructured(letter.subject, 9),
        f"Date: {date(letter.at)}",
        f"Message-ID: {message_id(letter.key, letter.sender)}",
        *(header(field_name, value) for field_name, value in letter.headers.items()),
        "MIME-Version: 1.0",
        *_opening(boundary, letter.attached),
    ]
    plain, html = (part.encode("utf-8", "replace") for part in (letter.text, letter.html))
    return join(
        (
            (False, "\r\n".join([*lines, *_part_lines(boundary, "plain")]).encode()),
            (True, plain),
            (False, "\r\n".join(_part_lines(boundary, "html")).encode()),
            (True, html),
            (False, f"\r\n--{boundary}--\r\n".encode()),
            *_attachments(boundary, letter.attached),
        )
    )


def _opening(boundary: str, attached: tuple[Attached, ...]) -> tuple[str, ...]:
    """What comes first: the two forms of the text, or with attachments the whole that holds them."""
    forms = f'Content-Type: multipart/alternative; boundary="{boundary}"'
    whole = f'Content-Type: multipart/mixed; boundary="{boundary}m"'
    return (whole, "", f"--{boundary}m", forms) if attached else (forms,)


def _attachments(boundary: str, attached: tuple[Attached, ...]) -> Iterator[tuple[bool, bytes]]:
    for each in attached:
        lines = (
            f"--{boundary}m",
            f"Content-Type: {each.media_type}",
            f"Content-Disposition: attachment; {_filename(each.name)}",
            "Content-Transfer-Encoding: base64",
            "",
            "",
        )
        yield False, "\r\n".join(lines).encode()
        yield True, each.content
        yield False, b"\r\n"
    if attached:
        yield False, f"--{boundary}m--\r\n".encode()


def _filename(name: str) -> str:
    """A file's name; where it is not ASCII in RFC 2231's form alone: readers given both take the poorer one."""
    plain = clean_name(name).replace('"', "'").replace("\\", "_")
    return f'filename="{plain}"' if plain.isascii() else f"filename*=utf-8''{quote(plain, safe='')}"


def message_id(key: str, sender: str) -> str:
    """`<key@domain>`: the same at each attempt, so that a repeated message can be recognised."""
    local = key if _KEY.fullmatch(key) else hashlib.sha256(key.encode()).hexdigest()[:40]
    return f"<{local}@{split_sender(sender)[1].rpartition('@')[2]}>"


def _part_lines(boundary: str, kind: str) -> tuple[str, ...]:
    return (
        "",
        f"--{boundary}",
        f'Content-Type: text/{kind}; charset="utf-8"',
        "Content-Transfer-Encoding: base64",
        "",
        "",
    )


def date(at: datetime) -> str:
    """RFC 5322 date in UTC."""
    return _utc_date(at.astimezone(UTC))


@lru_cache(maxsize=64)
def _utc_date(utc: datetime) -> str:  # a batch of messages has one date
    return f"{_DAYS[utc.weekday()]}, {utc.day:02} {_MONTHS[utc.month - 1]} {utc:%Y %H:%M:%S} +0000"


@lru_cache(maxsize=1024)
def split_sender(text: str) -> tuple[str, str]:
    """`Aamu & Ilta <kauppa@aamu.example>` as name and checked address. Raises `Refused`."""
    if _CONTROL.search(text):
        raise Refused("a sender is one line, as in Shop <shop@example.com>", provider_code="bad_address")
    name, opening, rest = text.strip().rpartition("<")
    if not opening:
        return "", ascii_address(text)
    return name.strip().strip('"'), ascii_address(rest.removesuffix(">"))


def ascii_address(address: str) -> str:
    """The address with its domain in punycode. A local part outside ASCII stays and needs SMTPUTF8.

    Raises `Refused` for what no mail server could accept, line breaks and angle brackets above all.
    """
    local, at, domain = address.strip().rpartition("@")
    if not domain.isascii():
        try:
            domain = domain.encode("idna").decode("ascii")
        except UnicodeError:
            domain = ""
    dots = local.startswith(".") or local.endswith(".") or ".." in local
    if not at or dots or not _LOCAL.fullmatch(local) or not _DOMAIN.fullmatch(domain) or len(domain) > 253:
        raise Refused("the e-mail address is not one a mail server would accept", provider_code="bad_address")
    return f"{local}@{domain}"


def clean_name(text: str) -> str:
    """A display name on one line, without control characters, at most 100 characters."""
    return " ".join(_CONTROL.sub(" ", text).split())[:100].rstrip()


def mailbox(name: str, address: str, used: int) -> str:
    """`"Aamu & Ilta" <kauppa@aamu.example>`, folded; `used` is the length of `To: ` before it."""
    checked = ascii_address(address)
    plain = clean_name(name)
    if not plain:
        return f"<{checked}>" if used + len(checked) + 2 > _LINE else checked
    if not plain.isascii() or "=?" in plain or len(plain) > 60:
        shown = _encoded_words(plain, used)
    elif _ATOM.fullmatch(plain):
        shown = plain
    else:
        shown = '"' + plain.replace("\\", "\\\\").replace('"', '\\"') + '"'
    last = len(shown) - (shown.rfind("\n") + 1) if "\n" in shown else used + len(shown)
    return f"{shown}{' ' if last + len(checked) + 3 <= _LINE else chr(13) + chr(10) + ' '}<{checked}>"


def unstructured(text: str, used: int) -> str:
    """A subject or the like: as it is when short ASCII, else encoded words."""
    plain = " ".join(_CONTROL.sub(" ", text).split())
    if plain.isascii() and "=?" not in plain and used + len(plain) <= _LINE:
        return plain
    return _encoded_words(plain, used)


def _encoded_words(text: str, used: int) -> str:
    """RFC 2047 words in base64, never splitting a character; `used` shortens the first one."""
    room = _room(min(_WORD, _LINE - used))
    whole = text.encode()
    if len(whole) <= room:
        return f"=?utf-8?b?{b64encode(whole).decode()}?="
    words: list[str] = []
    piece = b""
    for character in text:
        raw = character.encode()
        if len(piece) + len(raw) > room:
            words.append(f"=?utf-8?b?{b64encode(piece).decode()}?=")
            piece, room = b"", _room(_WORD)
        piece += raw
    words.append(f"=?utf-8?b?{b64encode(piece).decode()}?=")
    return "\r\n ".join(words)


def _room(width: int) -> int:
    """Bytes of text that fit an encoded word of `width` characters."""
    return (width - len("=?utf-8?b??=")) // 4 * 3


def header(name: str, value: str) -> str:
    """One more header. Its value is ASCII and folded at spaces only; other texts become encoded words.

    Raises `TemplateError` for a name that is none, for one we write ourselves, and for control characters.
    """
    if not _NAME.fullmatch(name) or name.lower() in _OWN:
        raise TemplateError("not a header a message may add", where=f"header {name[:40]!r}")
    if _CONTROL.search(value):
        raise TemplateError("a header's value has a line break or control character", where=f"header {name}")
    if not value.isascii():
        return f"{name}: {unstructured(value, len(name) + 2)}"
    lines = [f"{name}:"]
    for token in value.split():
        if len(token) + 1 > _LIMIT:
            raise TemplateError(f"a header's value has a word longer than {_LIMIT} characters", where=f"header {name}")
        if len(lines[-1]) + 1 + len(token) > _LINE and lines[-1] != f"{name}:" and lines[-1] != "":
            lines.append("")
        lines[-1] += f" {token}"
    if len(lines[0]) > _LIMIT:
        raise TemplateError(f"a header's value has a word longer than {_LIMIT} characters", where=f"header {name}")
    return "\r\n".join(lines)
