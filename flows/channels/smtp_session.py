"""One kept SMTP connection, and what its answers mean for a message.

With PIPELINING (RFC 2920) the envelope is one write, and the next message's envelope travels with the final dot:
one round trip a message (facts/performance.md section 2.3). Nothing of the next message's content is sent before the
dot's answer has been read, so a lost connection leaves at most one message Unknown.
"""

from __future__ import annotations

import re
import smtplib
import socket
import ssl
from collections.abc import Callable, Iterator
from contextlib import suppress
from dataclasses import dataclass, field

from connector.clock import Clock
from connector.contracts import Accepted, Message, Outcome, Rejected, Retry, Scope, Unknown
from connector.contracts.channel import OnWire
from connector.contracts.channel_events import BounceKind
from connector.errors import Refused
from connector.segments import Segmented
from flows.render.mime import ascii_address, split_sender

MAX_MESSAGES = 100
MAX_SECONDS = 60.0
_MAX_LINES = 100
_MAX_HEARD = 65_536
_BARE_BREAK = re.compile(rb"(?<!\r)\n|\r(?!\n)")
_ENHANCED = re.compile(r"\s*([245][.]\d{1,3}[.]\d{1,3})\b")
_ADDRESS = re.compile(r"<?[^\s<>@]+@[^\s<>]+>?")
_SENDER_FAULTS = frozenset({"5.1.7", "5.1.8"})  # RFC 3463: the sender's address, not the recipient's
_LEAVING = frozenset({421, 454})
"""The server closes, or has had too much of us (SES: 454 Throttling)."""
_BOUNCES = {"5.2.": BounceKind.SOFT, "5.7.": BounceKind.BLOCK}
_SENDER_REFUSED = "the shop's sender was refused"


class ConnectionFailed(Exception):
    """No usable connection; nothing was sent. The text is for operators and names no person."""


class _Lost(Exception):
    """The connection broke, or the server said it is leaving (421)."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Server:
    """Where to connect and how. `tls` is `starttls`, `ssl` or `none`; `context` checks the certificate."""

    host: str
    port: int
    tls: str
    context: ssl.SSLContext | None
    username: str = ""
    password: str = field(default="", repr=False)
    timeout: float = 60.0


@dataclass(frozen=True, slots=True)
class Envelope:
    """A message as it goes over the wire."""

    key: str
    sender: str
    recipient: str
    content: bytes

    @property
    def needs_utf8(self) -> bool:
        return not (self.sender.isascii() and self.recipient.isascii())


@dataclass(frozen=True, slots=True)
class Reply:
    code: int
    text: str

    @property
    def enhanced(self) -> str:
        match = _ENHANCED.match(self.text)
        return match[1] if match else ""

    def outcome(self, key: str, *, at_sender: bool = False, at_recipient: bool = False) -> Outcome:
        """What a refusal means: 4xx again later, anything else no for good. Addresses are cut out of the text.

        A sender the server does not take is the operator's to put right, and no recipient's fault: again later.
        Of the rest RFC 3463 tells whose fault it is: 5.1.x the address', 5.2.x a mailbox that is full or shut for now,
        5.7.x ours (blocked, not authenticated).
        """
        plain = _ADDRESS.sub("<address>", self.text)[:200]
        if 400 <= self.code < 500:
            scope = Scope.ACCOUNT if self.code in _LEAVING else Scope.SHOP if at_sender else Scope.MESSAGE
            full = BounceKind.SOFT if at_recipient and self.enhanced.startswith("4.2.") else None
            return Retry(key=key, text=f"{self.code} {plain}", scope=scope, bounce=full)
        if at_sender or self.enhanced in _SENDER_FAULTS:
            return Retry(key=key, text=f"{_SENDER_REFUSED}: {self.code} {plain}", scope=Scope.SHOP)
        code = f"{self.code} {self.enhanced}".strip()
        bad = at_recipient and self.enhanced.startswith("5.1.")
        bounce = BounceKind.HARD if bad else _BOUNCES.get(self.enhanced[:4])
        return Rejected(key=key, code=code, text=plain, bad_address=bad, bounce=bounce)


def envelope(message: Message) -> Envelope | Rejected | Retry:
    """Check the addresses and stuff the dots (RFC 5321 section 4.5.2). Only the recipient's may blame the recipient."""
    try:
        sender = split_sender(message.sender)[1]
    except Refused:
        text = f"{_SENDER_REFUSED}: it is no address; set sender in app.toml"
        return Retry(key=message.key, text=text, scope=Scope.SHOP)
    try:
        recipient = ascii_address(message.recipient)
    except Refused as error:
        hard = BounceKind.HARD
        return Rejected(key=message.key, code="bad_address", text=str(error), bad_address=True, bounce=hard)
    return Envelope(message.key, sender, recipient, _wire_form(message.content))


def _wire_form(content: bytes) -> bytes:
    """Every line ends with CRLF, and a dot at its beginning is doubled."""
    if isinstance(content, Segmented) and _has_wire_form(content):
        return content
    if not _ends_lines(content):
        content = _BARE_BREAK.sub(b"\r\n", content)  # a bare line feed before a dot could end the message early
    if not content.endswith(b"\r\n"):
        content += b"\r\n"
    content = content.replace(b"\r\n.", b"\r\n..")
    return b"." + content if content.startswith(b".") else content


def _has_wire_form(content: Segmented) -> bool:
    """Lines of base64 have it, and they are nearly all of a message of ours: only the rest is looked at."""
    plain = [data for encoded, data in content.segments if not encoded]
    return content.endswith(b"\r\n") and all(
        _ends_lines(data) and not data.startswith(b".") and b"\n." not in data for data in plain
    )


def _ends_lines(data: bytes) -> bool:
    return data.count(b"\r\n") == data.count(b"\n") == data.count(b"\r")


class Session:
    """A connection that has said EHLO, is encrypted and logged in. Raises `ConnectionFailed` when it cannot be."""

    def __init__(self, server: Server, clock: Clock) -> None:
        self._clock = clock
        self._born = clock.monotonic()
        self._sent = 0
        self._must_reset = False
        self.broken = False
        self._smtp = _connect(server)
        self._heard = b""
        self._pipelining = self._smtp.has_extn("pipelining")
        self._utf8 = self._smtp.has_extn("smtputf8")
        self.leftover: Envelope | None = None
        self.idle = True

    @property
    def worn(self) -> bool:
        """Whether the connection has carried its share: servers and balancers dislike endless ones."""
        return self.broken or self._sent >= MAX_MESSAGES or self._clock.monotonic() - self._born >= MAX_SECONDS

    def deliver(
        self, first: Envelope, following: Callable[[], Envelope | None], on_wire: OnWire | None = None
    ) -> Iterator[Outcome]:
        """Send `first` and what `following` gives until it is empty or the connection is worn or lost.

        A message that was announced but not sent is left in `leftover`, for the next connection.
        """
        current: Envelope | None = first
        announced = False
        reused = self._sent > 0
        self.leftover = None
        self.idle = False  # until the end is reached: who stops listening half-way leaves a transaction open
        while current is not None:
            try:
                refusal = self._announce(current, announced)
                announced = False
                if refusal is None:
                    self._write(current.content)
            except _Lost as error:
                self.close()
                if reused:  # an idle connection the server had closed: nothing was sent, so simply connect again
                    self.leftover = current
                else:
                    yield Retry(key=current.key, text=f"connection lost before the message was sent ({error})")
                return
            reused = False
            if refusal is not None:
                yield refusal
                current = None if self.worn else following()
                continue
            self._sent += 1
            upcoming = following() if self._pipelining and not self.worn else None
            self.leftover = upcoming
            outcome = self._finish(current, upcoming, on_wire)
            announced = upcoming is not None
            yield outcome
            if self.broken:
                return
            self.leftover = None
            current = upcoming if upcoming or self.worn else following()
        self.idle = True

    def _announce(self, message: Envelope, announced: bool) -> Outcome | None:
        """MAIL, RCPT, DATA; `None` when the server waits for the content."""
        if message.needs_utf8 and not self._utf8:
            return Rejected(key=message.key, code="553 5.6.7", text="the server takes no addresses outside ASCII")
        commands = self._commands(message)
        replies: list[Reply] = []
        if self._pipelining:
            if not announced:
                self._write(b"".join(commands))
            replies = [self._read() for _ in commands]
        else:
            for command in commands:
                self._write(command)
                replies.append(self._read())
                if replies[-1].code >= 400:
                    break
        return self._judge(message, replies)

    def _judge(self, message: Envelope, replies: list[Reply]) -> Outcome | None:
        reset, self._must_reset = self._must_reset, False
        mail, *rest = replies[1:] if reset else replies
        at_sender = mail.code >= 400
        at_recipient = not at_sender and bool(rest) and rest[0].code >= 400
        refused = mail if at_sender else rest[0] if at_recipient else None
        started = len(rest) == 2 and rest[1].code == 354
        if refused is None and not started:
            refused = rest[-1]
        if refused is None:
            return None
        if started:  # RFC 2920 section 3.1: the server waits for content although nobody will get it
            self._write(b".\r\n")
            self._read()
        else:
            self._must_reset = True
        if refused.code == 421:
            self.close()
        return refused.outcome(message.key, at_sender=at_sender, at_recipient=at_recipient)

    def _commands(self, message: Envelope) -> list[bytes]:
        options = " BODY=8BITMIME SMTPUTF8" if message.needs_utf8 else ""
        commands = [
            f"MAIL FROM:<{message.sender}>{options}\r\n".encode(),
            f"RCPT TO:<{message.recipient}>\r\n".encode(),
            b"DATA\r\n",
        ]
        return [b"RSET\r\n", *commands] if self._must_reset else commands

    def _finish(self, message: Envelope, upcoming: Envelope | None, on_wire: OnWire | None) -> Outcome:
        """The final dot, with the next envelope in the same write, and the dot's answer."""
        try:
            if on_wire is not None:
                on_wire(message.key)
        except OSError:
            self.close()  # without its dot, the server forgets the message
            return Retry(key=message.key, text="the batch ledger cannot be written; is the disk full?")
        tail = b".\r\n"
        if upcoming is not None and not (upcoming.needs_utf8 and not self._utf8):
            tail += b"".join(self._commands(upcoming))
        try:
            self._write(tail)
            reply = self._read()
        except _Lost as error:
            self.close()
            return Unknown(key=message.key, text=f"no answer after the message was sent ({error})")
        if reply.code == 421:
            self.close()
        if 200 <= reply.code < 300:
            return Accepted(key=message.key, provider_id=reply.text[:120])
        return reply.outcome(message.key)

    def _write(self, data: bytes) -> None:
        sock = self._smtp.sock
        if sock is None:
            raise _Lost("closed")
        try:
            sock.sendall(data)
        except OSError as error:
            raise _Lost(type(error).__name__) from error

    def _read(self) -> Reply:
        texts: list[bytes] = []
        while len(texts) < _MAX_LINES:
            line = self._read_line()
            texts.append(line[4:].strip())
            if line[3:4] != b"-":
                if not line[:3].isdigit():
                    break
                return Reply(int(line[:3]), b" ".join(texts).decode("utf-8", "replace"))
        raise _Lost("an answer that is no SMTP")

    def _read_line(self) -> bytes:
        """One line; smtplib's own reader takes ten times as long, and a message needs four."""
        while (end := self._heard.find(b"\n")) < 0:
            sock = self._smtp.sock
            if sock is None or len(self._heard) > _MAX_HEARD:
                raise _Lost("an answer that is no SMTP")
            try:
                piece = sock.recv(65_536)
            except OSError as error:
                raise _Lost("timed out" if isinstance(error, TimeoutError) else type(error).__name__) from error
            if not piece:
                raise _Lost("closed by the server")
            self._heard += piece
        line, self._heard = self._heard[: end + 1], self._heard[end + 1 :]
        return line

    def close(self) -> None:
        """Hang up. Idempotent."""
        self.broken = True
        self._smtp.close()

    def quit(self) -> None:
        """Say QUIT, wait a little for the answer (else the server logs a reset connection), then hang up."""
        if not self.broken:
            with suppress(_Lost):
                if self._smtp.sock is not None:
                    self._smtp.sock.settimeout(2)
                self._write(b"QUIT\r\n")
                self._read()
        self.close()


def _connect(server: Server) -> smtplib.SMTP:
    smtp: smtplib.SMTP | None = None
    logging_in = False
    place = f"{server.host}:{server.port}"
    try:
        if server.tls == "ssl":
            smtp = smtplib.SMTP_SSL(server.host, server.port, timeout=server.timeout, context=server.context)
        else:
            smtp = smtplib.SMTP(server.host, server.port, timeout=server.timeout)
        if smtp.sock is not None:
            # Without this, the dot waits for the acknowledgement of the content (Nagle and delayed ACK: 40 ms).
            smtp.sock.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        smtp.ehlo_or_helo_if_needed()
        if server.tls == "starttls":
            smtp.starttls(context=server.context)
            smtp.ehlo()
        if server.username:
            logging_in = True
            smtp.login(server.username, server.password)
    except (OSError, smtplib.SMTPException, ValueError) as error:
        if smtp is not None:
            smtp.close()
        raise ConnectionFailed(f"{place}: {_reason(error, logging_in)}") from error
    return smtp


def _reason(error: Exception, logging_in: bool) -> str:
    if isinstance(error, ssl.SSLCertVerificationError):
        return f"the server's certificate is not trusted ({error.verify_message}); set ca_file for an own authority"
    if isinstance(error, smtplib.SMTPNotSupportedError):
        return "the server offers no STARTTLS or AUTH; check tls and the port"
    if logging_in:  # some servers hang up instead of answering
        code = error.smtp_code if isinstance(error, smtplib.SMTPResponseException) else "hung up"
        return f"the login was refused ({code}); check username and password"
    if isinstance(error, smtplib.SMTPResponseException):
        return f"refused with {error.smtp_code}"
    return f"cannot be reached ({type(error).__name__}); check host and port"
