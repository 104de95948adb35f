"""E-mail through Amazon SES, over its SMTP interface.

SES takes what its events need as headers (https://docs.aws.amazon.com/ses/latest/dg/event-publishing-send-email.html)
and removes them: the configuration set, and tags it hands back with each event. It writes a Message-ID of its own,
which is also its answer to the message; ours is among its events' `mail.headers` (facts/messaging.md 2.2).

[channels.mail]
kind = "ses"
region = "eu-north-1"
username = { env = "SES_SMTP_USER" }            # SMTP credentials, not an access key
password = { env = "SES_SMTP_PASSWORD" }
configuration_set = "kiitos"                    # without one SES tells nothing of what became of a message
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import replace
from typing import ClassVar

from connector.clock import Clock
from connector.contracts import Accepted, Channel, ChecksChannel, Message, Outcome, Rate
from connector.contracts.channel import OnWire
from connector.contracts.connecting import Finding
from connector.errors import ConfigError, near
from connector.segments import Segmented
from flows.channels.smtp_pool import SmtpPool
from flows.channels.smtp_server import number, reachable, server_of, text
from flows.channels.smtp_session import Server

TAG = "kiitos"
_KEYS = frozenset(
    {"kind", "region", "host", "port", "tls", "username", "password", "configuration_set", "ca_file"}
    | {"connections", "timeout", "sender", "reply_to"}
)
_REGION = re.compile(r"[a-z]{2}(-[a-z]+)+-\d")
_NAME = re.compile(r"[A-Za-z0-9_-]{1,64}")
_ANSWER = re.compile(r"(?:\d[.]\d[.]\d )?[Oo][Kk] ([A-Za-z0-9-]{8,})")


class Ses(Channel, ChecksChannel):
    """Over kept connections, as `smtp`. SES knows no keys."""

    name: ClassVar[str] = "ses"
    medium: ClassVar[str] = "email"
    marks_wire: ClassVar[bool] = True
    rate: ClassVar[Rate | None] = Rate(14, 1, 14)

    def __init__(self, server: Server, clock: Clock, connections: int, configuration_set: str) -> None:
        self._pool = SmtpPool(server, clock, connections)
        self._set = configuration_set

    @classmethod
    def from_settings(cls, settings: Mapping[str, object], clock: Clock) -> Ses:
        """Keys as in this module's head; `host`, `port`, `tls` where it is not SES' own. Raises `ConfigError`."""
        for key in settings:
            if key not in _KEYS:
                raise ConfigError(f"the ses channel has no such key{near(key, _KEYS)}", where=key)
        region = text(settings, "region")
        if not settings.get("host") and not _REGION.fullmatch(region):
            raise ConfigError('the region of your SES account, as in region = "eu-north-1"', where="region")
        chosen = text(settings, "configuration_set")
        if chosen and not _NAME.fullmatch(chosen):
            raise ConfigError("letters, digits, - and _ only, as SES names it", where="configuration_set")
        server = server_of({"host": f"email-smtp.{region}.amazonaws.com", **settings})
        return cls(server, clock, number(settings, "connections", 2, 1, 16), chosen)

    def send_all(self, messages: Iterable[Message], on_wire: OnWire | None = None) -> Iterator[Outcome]:
        """As `smtp` does; `provider_id` is the id SES answers with, by which its events name the message."""
        for outcome in self._pool.send_all((self._tagged(message) for message in messages), on_wire):
            if isinstance(outcome, Accepted) and (named := _ANSWER.match(outcome.provider_id)):
                yield replace(outcome, provider_id=named[1])
            else:
                yield outcome

    def check(self, sender: str) -> Iterator[Finding]:
        """Whether SES lets us in: region, certificate and SMTP credentials."""
        del sender
        yield reachable(self._pool, self.name)

    def close(self) -> None:
        self._pool.close()

    def _tagged(self, message: Message) -> Message:
        lines = [f"X-SES-MESSAGE-TAGS: {TAG}={message.key}, purpose={message.purpose.value}\r\n"]
        if self._set:
            lines.insert(0, f"X-SES-CONFIGURATION-SET: {self._set}\r\n")
        head = "".join(lines).encode("ascii")
        content = Segmented(head + message.content)
        known = (
            message.content.segments if isinstance(message.content, Segmented) else ((False, bytes(message.content)),)
        )
        content.segments = ((False, head), *known)
        return replace(message, content=content)
