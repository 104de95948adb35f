"""A mail server that keeps what it gets and misbehaves when told to.

    python -m connector.testing.fakes.smtp --port 2525 --directory var/mail

Standard library only: the demo uses it from the wheel. It speaks the part of RFC 5321 a client of ours needs, with
PIPELINING (RFC 2920), 8BITMIME (RFC 6152) and SMTPUTF8 (RFC 6531); there is no TLS and no login, so it listens on
loopback alone.
"""

from __future__ import annotations

import argparse
import re
import socket
import socketserver
import threading
from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass, field
from datetime import datetime
from pathlib import Path
from typing import Any, ClassVar

from connector.clock import Clock, SystemClock

MAX_LINE = 4096
DEFAULT_MAX_SIZE = 10 * 1024 * 1024

_PATH = re.compile(rb"<([^<>]*)>(.*)$")
_MESSAGE_ID = re.compile(rb"^message-id:[ \t]*(?:\r\n[ \t]+)?(\S+)", re.IGNORECASE | re.MULTILINE)


@dataclass(frozen=True, slots=True, kw_only=True)
class KeptMessage:
    """A message the server took. `content` is as sent, dots unstuffed, CRLF line ends."""

    sender: str
    recipients: tuple[str, ...]
    content: bytes
    at: datetime
    options: tuple[str, ...] = ()

    @property
    def message_id(self) -> str:
        """The Message-ID with its angle brackets; empty when the message has none."""
        head = self.content.split(b"\r\n\r\n", 1)[0]
        found = _MESSAGE_ID.search(head)
        return found.group(1).decode("utf-8", "replace") if found else ""


@dataclass(slots=True, kw_only=True)
class Misbehaviour:
    """What to do wrong. Counters and lists are used up as they happen; then the server behaves again.

    recipient_codes   address (lower case, or `*`) to the reply to RCPT: one code for ever, or a list used once each
    data_codes        replies to the end of DATA, one a message; the message is kept only for a 2xx
    drop_after_data   so many messages are kept, and the connection closed before the reply: the sender cannot know
    hang_after_data   so many messages are kept, and no reply ever comes: the connection stays until the sender ends it
    drop_at_data      so many connections are closed when DATA is asked for: nothing was taken
    greeting_codes    replies in place of 220 at connection (421: too busy)
    delay             seconds of real time before each reply to the end of DATA
    """

    recipient_codes: dict[str, int | list[int]] = field(default_factory=dict)
    data_codes: list[int] = field(default_factory=list)
    drop_after_data: int = 0
    hang_after_data: int = 0
    drop_at_data: int = 0
    greeting_codes: list[int] = field(default_factory=list)
    delay: float = 0.0

    def recipient_code(self, address: str) -> int:
        """The reply code for a recipient, 250 when nothing is scripted for it."""
        for key in (address.lower(), "*"):
            code = self.recipient_codes.get(key)
            if isinstance(code, int):
                return code
            if code:
                return code.pop(0)
        return 250


class _Gone(Exception):
    """The conversation is over."""


class _Conversation(socketserver.StreamRequestHandler):
    server: _Listener
    disable_nagle_algorithm = True
    verbs: ClassVar[tuple[str, ...]] = ("HELO", "EHLO", "MAIL", "RCPT", "DATA", "RSET", "NOOP", "QUIT", "VRFY")

    def handle(self) -> None:
        self.sink = self.server.sink
        self.greeted = False
        self._forget()
        code = self.sink.script.greeting_codes.pop(0) if self.sink.script.greeting_codes else 220
        try:
            self._reply(code, "kiitos.test ESMTP keeps what it gets" if code == 220 else "try again later")
            while code == 220:
                self._command(self.rfile.readline(MAX_LINE + 2))
        except (_Gone, OSError):
            return

    def _forget(self) -> None:
        self.sender: str | None = None
        self.recipients: list[str] = []
        self.options: tuple[str, ...] = ()

    def _reply(self, code: int, *texts: str) -> None:
        lines = [f"{code}{'-' if n < len(texts) else ' '}{text}\r\n" for n, text in enumerate(texts, 1)]
        self.wfile.write("".join(lines).encode())

    def _command(self, line: bytes) -> None:
        if not line:
            raise _Gone
        if not line.endswith(b"\n"):
            self._reply(500, "line too long")
            raise _Gone
        verb, _, argument = line.strip(b"\r\n").partition(b" ")
        name = verb.decode("ascii", "replace").upper()
        if name not in self.verbs:
            self._reply(500, f"unknown command {name[:12]}")
            return
        if name in ("MAIL", "RCPT", "DATA") and not self.greeted:
            self._reply(503, "say EHLO first")
            return
        getattr(self, f"_{name.lower()}")(argument)

    def _ehlo(self, argument: bytes) -> None:
        self.greeted = True
        self._forget()
        self._reply(250, "kiitos.test", "PIPELINING", "8BITMIME", "SMTPUTF8", f"SIZE {self.sink.max_size}")

    def _helo(self, argument: bytes) -> None:
        self.greeted = True
        self._forget()
        self._reply(250, "kiitos.test")

    def _mail(self, argument: bytes) -> None:
        found = _PATH.search(argument)
        if not argument.upper().startswith(b"FROM:") or found is None:
            self._reply(501, "MAIL FROM:<address>")
            return
        if self.sender is not None:
            self._reply(503, "one sender at a time")
            return
        options = tuple(found.group(2).decode("utf-8", "replace").split())
        size = next((int(o[5:]) for o in options if o.upper().startswith("SIZE=") and o[5:].isdigit()), 0)
        if size > self.sink.max_size:
            self._reply(552, "message too big")
            return
        if not found.group(1).isascii() and "SMTPUTF8" not in (o.upper() for o in options):
            self._reply(553, "an address beyond ASCII needs SMTPUTF8")
            return
        self.sender, self.options = found.group(1).decode("utf-8", "replace"), options
        self._reply(250, "sender ok")

    def _rcpt(self, argument: bytes) -> None:
        found = _PATH.search(argument)
        if self.sender is None:
            self._reply(503, "MAIL first")
            return
        if not argument.upper().startswith(b"TO:") or found is None or not found.group(1):
            self._reply(501, "RCPT TO:<address>")
            return
        if not found.group(1).isascii() and "SMTPUTF8" not in (o.upper() for o in self.options):
            self._reply(553, "an address beyond ASCII needs SMTPUTF8")
            return
        address = found.group(1).decode("utf-8", "replace")
        code = self.sink.script.recipient_code(address)
        if 200 <= code < 300:
            self.recipients.append(address)
        self._reply(code, "recipient ok" if code < 300 else "recipient refused by script")

    def _data(self, argument: bytes) -> None:
        if not self.recipients:
            self._reply(554 if self.sender is not None else 503, "no valid recipients")
            return
        if self.sink.take("drop_at_data"):
            raise _Gone
        self._reply(354, "end with <CRLF>.<CRLF>")
        content = self._content()
        if content is None:
            self._reply(552, "message too big")
            self._forget()
            return
        self.sink.pause()
        code = self.sink.script.data_codes.pop(0) if self.sink.script.data_codes else 250
        if 200 <= code < 300:
            self.sink.keep(self.sender or "", tuple(self.recipients), content, self.options)
            if self.sink.take("drop_after_data"):
                raise _Gone
            if self.sink.take("hang_after_data"):
                while self.rfile.readline():
                    pass
                raise _Gone
        self._forget()
        self._reply(code, "kept" if code < 300 else "refused by script")

    def _content(self) -> bytes | None:
        """The message up to the lone dot, or `None` when it is too big (it is read to its end either way)."""
        lines: list[bytes] = []
        size = 0
        while True:
            line = self.rfile.readline()
            if not line:
                raise _Gone
            if line in (b".\r\n", b".\n"):
                return b"".join(lines) if size <= self.sink.max_size else None
            line = line[1:] if line.startswith(b".") else line
            size += len(line)
            if size <= self.sink.max_size:
                lines.append(line)

    def _rset(self, argument: bytes) -> None:
        self._forget()
        self._reply(250, "forgotten")

    def _noop(self, argument: bytes) -> None:
        self._reply(250, "ok")

    def _vrfy(self, argument: bytes) -> None:
        self._reply(252, "send and see")

    def _quit(self, argument: bytes) -> None:
        self._reply(221, "bye")
        raise _Gone


class _Listener(socketserver.ThreadingTCPServer):
    daemon_threads = True
    allow_reuse_address = True
    request_queue_size = 64

    def __init__(self, sink: MailSink, port: int) -> None:
        super().__init__(("127.0.0.1", port), _Conversation)
        self.sink = sink
        self.open: set[socket.socket] = set()

    def process_request(self, request: socket.socket | tuple[bytes, socket.socket], client_address: Any) -> None:
        if isinstance(request, socket.socket):
            self.open.add(request)
        super().process_request(request, client_address)

    def shutdown_request(self, request: socket.socket | tuple[bytes, socket.socket]) -> None:
        if isinstance(request, socket.socket):
            self.open.discard(request)
        super().shutdown_request(request)


class MailSink:
    """The server. `with MailSink() as sink:` gives `sink.port`, `sink.messages` and `sink.script`.

    `directory` also gets each message as 00001.eml, 00002.eml ...; numbering goes on from what is there.
    """

    def __init__(
        self,
        *,
        port: int = 0,
        directory: Path | None = None,
        script: Misbehaviour | None = None,
        clock: Clock | None = None,
        max_size: int = DEFAULT_MAX_SIZE,
    ) -> None:
        self.script = script or Misbehaviour()
        self.max_size = max_size
        self.messages: list[KeptMessage] = []
        self._wanted = port
        self._directory = directory
        self._clock = clock or SystemClock()
        self._changed = threading.Condition()
        self._listener: _Listener | None = None
        self._thread: threading.Thread | None = None
        if directory is not None:
            directory.mkdir(parents=True, exist_ok=True)

    @property
    def port(self) -> int:
        if self._listener is None:
            raise RuntimeError("the mail sink is not running: call start() or use it in a with statement")
        return int(self._listener.server_address[1])

    def start(self) -> None:
        """Begin to listen on 127.0.0.1. Raises `OSError` when the port is taken."""
        self._listener = _Listener(self, self._wanted)
        self._thread = threading.Thread(
            target=self._listener.serve_forever, kwargs={"poll_interval": 0.02}, name="mail-sink", daemon=True
        )
        self._thread.start()

    def stop(self) -> None:
        """Stop listening and end every conversation. Stopping twice is harmless."""
        if self._listener is None or self._thread is None:
            return
        self._listener.shutdown()
        for connection in list(self._listener.open):
            try:
                connection.shutdown(socket.SHUT_RDWR)
            except OSError:
                continue
        self._listener.server_close()
        self._thread.join()
        self._listener = self._thread = None

    def __enter__(self) -> MailSink:
        self.start()
        return self

    def __exit__(self, *exc: object) -> None:
        self.stop()

    def by_message_id(self) -> Counter[str]:
        """How often each Message-ID was taken: anything above one is a message sent twice."""
        with self._changed:
            return Counter(message.message_id for message in self.messages)

    def to(self, address: str) -> list[KeptMessage]:
        """The messages to an address, any case."""
        with self._changed:
            return [m for m in self.messages if address.lower() in (r.lower() for r in m.recipients)]

    def wait_for(self, count: int, timeout: float = 5.0) -> bool:
        """Wait until `count` messages are kept; false when `timeout` seconds of real time passed first."""
        with self._changed:
            return self._changed.wait_for(lambda: len(self.messages) >= count, timeout)

    def keep(self, sender: str, recipients: tuple[str, ...], content: bytes, options: tuple[str, ...]) -> None:
        """Store one message; called by the server's threads."""
        message = KeptMessage(
            sender=sender, recipients=recipients, content=content, at=self._clock.now(), options=options
        )
        with self._changed:
            self.messages.append(message)
            if self._directory is not None:
                self._next_file(self._directory).write_bytes(content)
            self._changed.notify_all()

    def take(self, counter: str) -> bool:
        """Use up one of a misbehaviour counter; whether there was one left."""
        with self._changed:
            left: int = getattr(self.script, counter)
            setattr(self.script, counter, max(0, left - 1))
            return left > 0

    def pause(self) -> None:
        """Wait the scripted delay: real time, because it is the sender's time-out that is under test."""
        if self.script.delay > 0:
            threading.Event().wait(self.script.delay)

    def _next_file(self, directory: Path) -> Path:
        numbers = (int(path.stem) for path in directory.glob("*.eml") if path.stem.isdigit())
        return directory / f"{max(numbers, default=0) + 1:05d}.eml"


def main(argv: Sequence[str] | None = None) -> None:
    """Run until interrupted."""
    parser = argparse.ArgumentParser(prog="python -m connector.testing.fakes.smtp", description=__doc__.split("\n")[0])
    parser.add_argument("--port", type=int, default=2525, help="port on 127.0.0.1 (0: any free one)")
    parser.add_argument("--directory", type=Path, default=None, help="keep each message there as an .eml file")
    options = parser.parse_args(argv)
    with MailSink(port=options.port, directory=options.directory) as sink:
        print(f"mail sink on 127.0.0.1:{sink.port}", flush=True)
        try:
            threading.Event().wait()
        except KeyboardInterrupt:
            return


if __name__ == "__main__":
    main()
