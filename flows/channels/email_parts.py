"""A frozen e-mail read back into its parts, for providers that take JSON instead of a MIME message.

The MIME message is what was frozen (`flows.render.mime`), so it alone is the truth: nothing is rendered again.
"""

from __future__ import annotations

from base64 import b64encode
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from email.header import decode_header, make_header
from email.message import Message as Mime
from email.parser import BytesParser
from email.policy import compat32
from email.utils import parseaddr

from connector.contracts import Message
from connector.errors import Refused
from flows.render.mime import ascii_address

_STRUCTURE = frozenset(
    {"from", "to", "cc", "bcc", "reply-to", "subject", "date", "message-id", "mime-version"}
    | {"content-type", "content-transfer-encoding", "content-disposition", "content-id"}
)


@dataclass(frozen=True, slots=True)
class Mailbox:
    """A name, empty where there is none, and an address with an ASCII domain."""

    name: str
    address: str

    @property
    def shown(self) -> str:
        """As a header has it, the name always quoted: some providers split an unquoted one at its comma."""
        if not self.name:
            return self.address
        name = self.name.replace("\\", "\\\\").replace('"', '\\"')
        return f'"{name}" <{self.address}>'

    @property
    def pair(self) -> dict[str, str]:
        """As JSON has it where name and address are apart."""
        return {"email": self.address, "name": self.name} if self.name else {"email": self.address}


@dataclass(frozen=True, slots=True)
class Attachment:
    """`content_id` is set where the HTML shows it (`cid:`), without angle brackets. `type` is complete, with a
    calendar's `method`."""

    name: str
    type: str
    data: bytes
    content_id: str = ""

    @property
    def base64(self) -> str:
        return b64encode(self.data).decode("ascii")


@dataclass(frozen=True, slots=True, kw_only=True)
class Parts:
    """`headers` are those a message added itself (List-Unsubscribe, References and the like), in order, unfolded."""

    sender: Mailbox
    recipient: Mailbox
    reply_to: Mailbox | None
    subject: str
    message_id: str
    text: str
    html: str
    headers: Mapping[str, str]
    attachments: Sequence[Attachment]


def read_parts(content: bytes) -> Parts:
    """Raises `Refused` for bytes that are no e-mail with a body."""
    mime = BytesParser(policy=compat32).parsebytes(content)
    text, html = "", ""
    attachments: list[Attachment] = []
    for part in mime.walk():
        if part.is_multipart():
            continue
        kind = part.get_content_type()
        shown = not part.get_filename() and part.get_content_disposition() != "attachment"
        if shown and kind == "text/plain" and not text:
            text = _text(part)
        elif shown and kind == "text/html" and not html:
            html = _text(part)
        else:
            attachments.append(_attachment(part, len(attachments) + 1))
    if not (text or html):
        raise Refused("the message has no text", provider_code="empty")
    reply_to = _mailbox(mime, "Reply-To")
    return Parts(
        sender=_mailbox(mime, "From"),
        recipient=_mailbox(mime, "To"),
        reply_to=reply_to if reply_to.address else None,
        subject=_words(mime, "Subject"),
        message_id=_words(mime, "Message-ID"),
        text=text,
        html=html,
        headers={name: _words(mime, name) for name in mime if name.lower() not in _STRUCTURE},
        attachments=tuple(attachments),
    )


def recipient_of(message: Message, parts: Parts) -> Mailbox:
    """Whom it goes to: the message's recipient, by the name in its To. Raises `Refused` (`bad_address`)."""
    return Mailbox(parts.recipient.name, ascii_address(message.recipient))


def _words(mime: Mime, name: str) -> str:
    raw = str(mime.get(name, ""))
    unfolded = "".join(raw.splitlines()).strip()
    return str(make_header(decode_header(unfolded))) if "=?" in unfolded else unfolded


def _mailbox(mime: Mime, name: str) -> Mailbox:
    raw = "".join(str(mime.get(name, "")).splitlines())
    shown, address = parseaddr(raw)
    return Mailbox(str(make_header(decode_header(shown))) if "=?" in shown else shown, address)


def _text(part: Mime) -> str:
    data = part.get_payload(decode=True)
    assert isinstance(data, bytes)
    return data.decode(part.get_content_charset() or "utf-8", "replace").replace("\r\n", "\n")


def _attachment(part: Mime, number: int) -> Attachment:
    data = part.get_payload(decode=True)
    kind = part.get_content_type()
    if kind == "text/calendar":
        method = part.get_param("method")
        kind = f"text/calendar; charset=utf-8; method={method}" if method else "text/calendar; charset=utf-8"
    suffix = ".ics" if kind.startswith("text/calendar") else ""
    return Attachment(
        name=part.get_filename() or f"attachment-{number}{suffix}",
        type=kind,
        data=data if isinstance(data, bytes) else b"",
        content_id=str(part.get("Content-ID", "")).strip().strip("<>"),
    )
