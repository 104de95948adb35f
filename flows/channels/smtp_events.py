"""What comes back by mail to merchants who send over SMTP: delivery reports, complaints, answers.

There is no webhook. Mail to `b+KEY@BOUNCES` (VERP; the channel's key `bounces`) is read from a mailbox or a pipe
(`connector.working.mailbox`), kept as it came and read here. Reports are RFC 3464, complaints RFC 5965; of other mail
only what a person wrote counts: whatever says of itself that a machine sent it is ignored, so that no two machines
talk.
"""

from __future__ import annotations

import email
import email.policy
import email.utils
import re
from collections.abc import Iterator, Sequence
from datetime import UTC, datetime
from email.header import decode_header, make_header
from email.message import Message as Mail
from typing import ClassVar

from connector.contracts import Handshake, Inbound, Verified
from connector.contracts.channel_events import (
    BounceKind,
    ChannelEvent,
    ChannelEventKind,
    ChannelEvents,
    EventEndpoint,
    Fetch,
)
from connector.contracts.event_reading import (
    bounce_of,
    enhanced_code,
    event_id,
    key_among,
    text_of,
)
from connector.errors import MalformedPayload, WebhookRejected

# Where a mailbox's server writes whom a mail was for; the first that names one of our addresses decides.
_FOR = ("Delivered-To", "X-Original-To", "Envelope-To", "X-Envelope-To", "To", "Cc")
_TOKEN = re.compile(r"\bb\+([0-9a-hjkmnp-tv-z]{24})@", re.IGNORECASE)
_ACTIONS = {
    "failed": ChannelEventKind.BOUNCED,
    "delayed": ChannelEventKind.DEFERRED,
    "delivered": ChannelEventKind.DELIVERED,
    "relayed": ChannelEventKind.DELIVERED,
    "expanded": ChannelEventKind.DELIVERED,
}
_FEEDBACK = {"abuse": ChannelEventKind.COMPLAINED, "opt-out": ChannelEventKind.UNSUBSCRIBED}
_DAEMON = re.compile(r"^(mailer-daemon|postmaster|mail-daemon)@", re.IGNORECASE)
_BULK = frozenset({"bulk", "junk", "list", "auto_reply", "auto-reply"})
_BY_MACHINES = ("X-Autoreply", "X-Autorespond", "X-Auto-Response", "List-Id", "List-Unsubscribe", "X-Loop")
# Where what somebody wrote ends and what they answer to begins, as the common programs write it.
_QUOTE = re.compile(
    r"^(>|-{2,} ?(original message|alkuperäinen viesti|ursprungligt meddelande|ursprüngliche nachricht)|_{10,}$"
    r"|-- ?$|(on|am|den|le|el|ti|ma|ke|to|pe|la|su) .{5,120}(wrote|schrieb|skrev|écrit|kirjoitti)\b.{0,80}:$"
    r"|(from|lähettäjä|från|von): .+@)",
    re.IGNORECASE,
)
_TAG = re.compile(r"<(style|script)\b.*?</\1>|<br\s*/?>|</p>|<[^>]*>", re.IGNORECASE | re.DOTALL)
_MOST_TEXT = 4000
_MOST_PEOPLE = 50


class SmtpEvents(ChannelEvents):
    name: ClassVar[str] = "smtp"

    def verify(self, inbound: Inbound, endpoint: EventEndpoint, now: datetime, fetch: Fetch) -> Verified | Handshake:  # noqa: ARG002
        raise WebhookRejected("reports of mail servers come by mail, not by webhook")

    def read(self, verified: Verified, body: bytes) -> Sequence[ChannelEvent]:
        """The events of one mail, which is not believed in anything but the key it brings back."""
        try:
            mail = email.message_from_bytes(body, policy=email.policy.compat32)
            return list(_events(mail, body, verified.triggered_at))
        except (ValueError, LookupError, TypeError, AttributeError, RecursionError) as error:
            # The parser of the standard library takes any bytes; what is asked of its result may still be nonsense.
            raise MalformedPayload(f"no readable mail ({type(error).__name__})", topic="mail") from error


def _events(mail: Mail, body: bytes, read_at: datetime | None) -> Iterator[ChannelEvent]:
    at = _date(mail, read_at)
    token = _token(mail)
    name = _header(mail, "Message-ID") or event_id(body)
    report = str(mail.get_param("report-type") or "").lower() if mail.get_content_type() == "multipart/report" else ""
    if report == "delivery-status":
        yield from _delivery_report(mail, token, name, at)
    elif report == "feedback-report":
        yield from _complaint(mail, token, name, at)
    elif token and _is_daemon(mail):
        yield from _plain_bounce(mail, token, name, at)
    elif not _is_by_machine(mail):
        yield _reply(mail, token, name, at)


def _delivery_report(mail: Mail, token: str, name: str, at: datetime) -> Iterator[ChannelEvent]:
    """One event a recipient. The token goes before the ids: it was in the address, and addresses come through."""
    blocks = [part for part in mail.walk() if part.get_content_type() == "message/delivery-status"]
    fields = [each for block in blocks for each in _blocks(block)]
    envelope = next((each for each in fields if "Original-Envelope-Id" in each), None)
    original = _original(mail)
    found = [token, _header(envelope, "Original-Envelope-Id"), _header(original, "Message-ID")]
    for place, each in enumerate([each for each in fields if "Action" in each][:_MOST_PEOPLE]):
        action = _header(each, "Action").lower()
        status, said = _header(each, "Status"), _header(each, "Diagnostic-Code")
        kind = _ACTIONS.get(action, ChannelEventKind.OTHER)
        yield ChannelEvent(
            id=event_id(name, place, token, action, status),
            kind=kind,
            at=at,
            raw_kind=text_of(f"dsn {action}"),
            key=key_among(found),
            recipient=text_of(_address(each)),
            bounce=_fault(status, said) if kind is ChannelEventKind.BOUNCED else None,
            code=enhanced_code(status, said),
        )


def _fault(status: str, said: str) -> BounceKind:
    """A server that gave up after days writes the 4.x of its last attempt: nobody's fault for long."""
    telling = [text for text in (said, status) if not enhanced_code(text).endswith(".0.0")]
    return bounce_of(*telling, otherwise=BounceKind.OTHER)


def _complaint(mail: Mail, token: str, name: str, at: datetime) -> Iterator[ChannelEvent]:
    told = next((part for part in mail.walk() if part.get_content_type() == "message/feedback-report"), None)
    block = next(iter(_blocks(told)), None) if told is not None else None
    word = _header(block, "Feedback-Type").lower()
    yield ChannelEvent(
        id=event_id(name, "feedback"),
        kind=_FEEDBACK.get(word, ChannelEventKind.OTHER),
        at=at,
        raw_kind=text_of(f"feedback {word}"),
        key=key_among([token, _header(_original(mail), "Message-ID")]),
        recipient=text_of(_header(block, "Original-Rcpt-To")),
    )


def _plain_bounce(mail: Mail, token: str, name: str, at: datetime) -> Iterator[ChannelEvent]:
    """A daemon's letter in its own words, to an address that only bounces are sent to."""
    said = _text(mail, whole=True)
    yield ChannelEvent(
        id=event_id(name, "plain"),
        kind=ChannelEventKind.BOUNCED,
        at=at,
        raw_kind="bounce in words",
        key=token,
        bounce=bounce_of(said),
        code=enhanced_code(said),
    )


def _reply(mail: Mail, token: str, name: str, at: datetime) -> ChannelEvent:
    thread = f"{_header(mail, 'In-Reply-To')} {_header(mail, 'References')}".split()
    return ChannelEvent(
        id=event_id(name, "reply"),
        kind=ChannelEventKind.REPLIED,
        at=at,
        raw_kind="reply",
        key=key_among([token, *thread]),
        recipient=text_of(email.utils.parseaddr(_header(mail, "From"))[1]),
        text=_text(mail),
    )


def _is_daemon(mail: Mail) -> bool:
    sender = email.utils.parseaddr(_header(mail, "From"))[1]
    return _DAEMON.match(sender) is not None or _header(mail, "Return-Path").strip() == "<>"


def _is_by_machine(mail: Mail) -> bool:
    """RFC 3834, and what older programs write: no answer of a person."""
    automatic = _header(mail, "Auto-Submitted").partition(";")[0].strip().lower()
    return (
        automatic not in ("", "no")
        or _header(mail, "Precedence").strip().lower() in _BULK
        or any(field in mail for field in _BY_MACHINES)
        or _is_daemon(mail)
        or mail.get_content_type() == "multipart/report"
    )


def _token(mail: Mail) -> str:
    for field in _FOR:
        for value in mail.get_all(field) or ():
            found = _TOKEN.search(str(value))
            if found:
                return found[1].lower()
    return ""


def _blocks(part: Mail) -> list[Mail]:
    """The groups of fields of a report: the parser makes each a message of its own."""
    payload = part.get_payload()
    if isinstance(payload, list):
        return [each for each in payload if isinstance(each, Mail)]
    made = email.message_from_string(str(payload), policy=email.policy.compat32)
    return [made]


def _original(mail: Mail) -> Mail | None:
    """The mail that came back, whole or its head."""
    for part in mail.walk():
        kind = part.get_content_type()
        if kind == "message/rfc822":
            payload = part.get_payload()
            return payload[0] if isinstance(payload, list) and payload and isinstance(payload[0], Mail) else None
        if kind == "text/rfc822-headers":
            return email.message_from_string(str(part.get_payload()), policy=email.policy.compat32)
    return None


def _address(block: Mail) -> str:
    """`Final-Recipient: rfc822; aino@example.com`, or the one we wrote to where it was forwarded."""
    for field in ("Original-Recipient", "Final-Recipient"):
        value = _header(block, field).rpartition(";")[2].strip()
        if "@" in value:
            return value
    return ""


def _header(part: Mail | None, field: str) -> str:
    value = part.get(field) if part is not None else None
    if value is None:
        return ""
    try:
        return str(make_header(decode_header(str(value)))).replace("\0", "")
    except (LookupError, ValueError):
        return str(value).replace("\0", "")


def _date(mail: Mail, read_at: datetime | None) -> datetime:
    """When it was written, but not later than it was read: a wrong clock must not speak for the future."""
    try:
        found = email.utils.parsedate_to_datetime(_header(mail, "Date"))
        written = (found if found.tzinfo else found.replace(tzinfo=UTC)).astimezone(UTC)
    except (ValueError, TypeError, OverflowError):
        written = None
    known = [each for each in (written, read_at) if each is not None]
    if not known:
        raise MalformedPayload("tells no time", topic="mail")
    return min(known)


def _text(mail: Mail, *, whole: bool = False) -> str:
    """What the person wrote: the first text, without what they answer to."""
    for wanted in ("text/plain", "text/html"):
        for part in mail.walk():
            if part.get_content_type() == wanted and part.get_filename() is None:
                text = _decoded(part)
                if wanted == "text/html":
                    text = _TAG.sub(lambda tag: "\n" if tag[0].lower().startswith(("<br", "</p")) else " ", text)
                return (text if whole else _own_words(text)).replace("\0", "")[:_MOST_TEXT].strip()
    return ""


def _decoded(part: Mail) -> str:
    data = part.get_payload(decode=True)
    raw = data if isinstance(data, bytes) else b""
    try:
        return raw.decode(part.get_content_charset() or "utf-8", "replace")
    except LookupError:
        return raw.decode("utf-8", "replace")


def _own_words(text: str) -> str:
    kept: list[str] = []
    for line in text.splitlines():
        if _QUOTE.match(line.strip()):
            break
        kept.append(line)
    if not "".join(kept).strip():  # who answers below what they answer to
        kept = [line for line in text.splitlines() if not line.lstrip().startswith(">")]
    return "\n".join(kept)
