"""A real SMTP server (aiosmtpd) that can be told to misbehave, by a word in the message's recipient or body."""

from __future__ import annotations

import asyncio
import socket
import ssl
from collections.abc import Callable, Iterator
from typing import Any

import pytest
from aiosmtpd.controller import Controller
from aiosmtpd.smtp import AuthResult

from connector.clock import ManualClock, SystemClock
from connector.contracts import Message
from flows.channels.smtp import Smtp


def message(
    key: str, recipient: str = "aino@example.com", body: str = "Hei!", sender: str = "shop@example.com"
) -> Message:
    content = f"Subject: {key}\r\nMessage-ID: <{key}@example.com>\r\n\r\n{body}\r\n".encode()
    return Message(key=key, channel="mail", sender=sender, recipient=recipient, content=content)


class Handler:
    """Answers by name: `rcpt-550@`, `rcpt-451@`, `drop-rcpt@`, sender `refused@`; bodies with DATA-552, DATA-DROP."""

    def __init__(self, pipelining: bool) -> None:
        self.pipelining = pipelining
        self.accepted: list[tuple[str, bytes]] = []
        self.connections = 0
        self.users: list[str] = []

    async def handle_EHLO(
        self, server: Any, session: Any, envelope: Any, hostname: str, responses: list[str]
    ) -> list[str]:
        session.host_name = hostname
        self.connections += 1
        return [*responses[:-1], "250-PIPELINING", responses[-1]] if self.pipelining else responses

    async def handle_MAIL(self, server: Any, session: Any, envelope: Any, address: str, options: list[str]) -> str:
        if address.startswith("refused@"):
            return f"553 5.1.7 <{address}>: not a sender of this account"
        envelope.mail_from = address
        envelope.mail_options.extend(options)
        return "250 ok"

    async def handle_RCPT(self, server: Any, session: Any, envelope: Any, address: str, options: list[str]) -> str:
        local = address.partition("@")[0]
        answers = {
            "rcpt-550": "550 5.1.1 <aino@example.com>: no such user",
            "rcpt-policy": "550 5.7.1 blocked",
            "rcpt-sender": "550 5.1.8 bad sender",
            "rcpt-451": "451 4.7.1 greylisted",
        }
        if local == "drop-rcpt":
            server.transport.abort()
        if local in answers:
            return answers[local]
        envelope.rcpt_tos.append(address)
        return "250 ok"

    async def handle_DATA(self, server: Any, session: Any, envelope: Any) -> str:
        body = envelope.content
        if b"DATA-552" in body:
            return "552 5.2.2 mailbox of aino@example.com is full"
        if b"DATA-451" in body:
            return "451 4.3.0 try later"
        if b"DATA-SLOW" in body:
            await asyncio.sleep(0.3)
        self.accepted.append((envelope.rcpt_tos[0], body))
        if b"DATA-DROP" in body:
            server.transport.abort()
        if b"DATA-HANG" in body:
            await asyncio.sleep(3)
        return f"250 2.0.0 queued as {len(self.accepted)}"


class MailServer:
    def __init__(self, handler: Handler, controller: Controller, port: int) -> None:
        self.handler, self.controller, self.port = handler, controller, port

    @property
    def bodies(self) -> list[bytes]:
        return [body for _, body in self.handler.accepted]


def free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])


@pytest.fixture
def start() -> Iterator[Callable[..., MailServer]]:
    running: list[Controller] = []

    def begin(
        *, pipelining: bool = True, tls: ssl.SSLContext | None = None, at_once: bool = False, password: str = ""
    ) -> MailServer:
        """`at_once`: TLS from the first byte (smtps), not after STARTTLS."""
        handler, port = Handler(pipelining), free_port()
        options: dict[str, Any] = {"enable_SMTPUTF8": True}
        if tls:
            options |= {"ssl_context" if at_once else "tls_context": tls}
        if password:

            def authenticate(server: Any, session: Any, envelope: Any, mechanism: str, data: Any) -> AuthResult:
                handler.users.append(data.login.decode())
                return AuthResult(success=data.password.decode() == password)

            options |= {
                "authenticator": authenticate,
                "auth_require_tls": bool(tls) and not at_once,
                "auth_required": True,
            }
        controller = Controller(handler, hostname="127.0.0.1", port=port, **options)
        controller.start()
        running.append(controller)
        handler.connections = 0
        return MailServer(handler, controller, port)

    yield begin
    for controller in running:
        controller.stop()


@pytest.fixture
def connect() -> Iterator[Callable[..., Smtp]]:
    made: list[Smtp] = []

    def begin(server: MailServer, clock: SystemClock | ManualClock | None = None, **settings: object) -> Smtp:
        table = {"host": "127.0.0.1", "port": server.port, "tls": "none", "timeout": 5, **settings}
        channel = Smtp.from_settings(table, clock or SystemClock())
        made.append(channel)
        return channel

    yield begin
    for channel in made:
        channel.close()
