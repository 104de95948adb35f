"""E-mail over SMTP: any provider, any mail server. Connections are kept, messages pipelined, outcomes exact.

[channels.mail]
type = "smtp"
url = "smtp://user:secret@smtp.example.com:587"     # or smtps://...:465, or host, port, username, password
tls = "starttls"                                    # what smtp:// means; none only inside one machine or network
connections = 2
per_domain = 0                                      # connections at a time to one recipient domain; 0: no limit
bounces = "bounces.example.com"                     # what comes back goes to b+KEY@ this domain (VERP)
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import replace
from typing import ClassVar
from urllib.parse import parse_qsl, unquote, urlsplit

from connector.clock import Clock
from connector.contracts import Channel, ChecksChannel, Message, Outcome
from connector.contracts.channel import OnWire
from connector.contracts.connecting import Finding
from connector.errors import ConfigError, near
from flows.channels.smtp_pool import SmtpPool
from flows.channels.smtp_server import number, reachable, server_of, text
from flows.channels.smtp_session import Server

_KEYS = frozenset(
    {"kind", "url", "host", "port", "username", "password", "tls", "connections", "per_domain", "timeout", "ca_file"}
    | {"bounces", "mailbox"}  # where what comes back goes, and where it is fetched from (connector.working.mailbox)
    | {"sender", "reply_to"}  # of the message, not of the connection; allowed so that one table holds both
)

_DOMAIN = re.compile(r"(?!-)[a-z0-9-]{1,63}(\.[a-z0-9-]{1,63})+")


class Smtp(Channel, ChecksChannel):
    """Sends over kept connections; see `from_settings`. `idempotent_for` is 0: SMTP knows no keys."""

    name: ClassVar[str] = "smtp"
    medium: ClassVar[str] = "email"
    marks_wire: ClassVar[bool] = True

    def __init__(
        self, server: Server, clock: Clock, connections: int = 1, per_domain: int = 0, bounces: str = ""
    ) -> None:
        self._pool = SmtpPool(server, clock, connections, per_domain)
        self._bounces = bounces

    @classmethod
    def from_settings(cls, settings: Mapping[str, object], clock: Clock) -> Smtp:
        """Keys: `url` (its scheme or `?tls=` says `tls` too) or `host`; `port`, `username`, `password`, `tls`
        (starttls, ssl, none; only ssl beside smtps://), `connections` (1 to 16), `per_domain`, `timeout` (seconds),
        `ca_file` (PEM of an own authority), `bounces` (a domain of yours whose mail comes to the mailbox). Raises
        `ConfigError` naming the key."""
        for key in settings:
            if key not in _KEYS:
                raise ConfigError(f"no such key{near(key, _KEYS)}", where=key)
        told = _from_url(text(settings, "url"))
        if told.get("tls") == "ssl" and settings.get("tls", "ssl") != "ssl":
            raise ConfigError("smtps:// speaks TLS from the start; leave tls out, or write smtp://", where="tls")
        server = server_of({**told, **{k: v for k, v in settings.items() if k != "url"}})
        connections = number(settings, "connections", 1, 1, 16)
        bounces = text(settings, "bounces")
        if bounces and not _DOMAIN.fullmatch(bounces):
            raise ConfigError("should be a domain such as bounces.example.com", where="bounces")
        return cls(server, clock, connections, number(settings, "per_domain", 0, 0, 16), bounces)

    def send_all(self, messages: Iterable[Message], on_wire: OnWire | None = None) -> Iterator[Outcome]:
        """One outcome a message, as soon as it is known. With one connection, in the order given.

        `on_wire` is called right before a message's final dot, so at most one message a connection is in doubt.
        """
        yield from self._pool.send_all(map(self._returning, messages) if self._bounces else messages, on_wire)

    def _returning(self, message: Message) -> Message:
        """With an address of its own to come back to: `sender` is the envelope's, the mail's From is in its content."""
        return replace(message, sender=f"b+{message.key}@{self._bounces}")

    def check(self, sender: str) -> Iterator[Finding]:
        """Whether the server lets us in: connection, certificate and login."""
        del sender
        yield reachable(self._pool, self.name)

    def close(self) -> None:
        self._pool.close()


def _from_url(url: str) -> dict[str, object]:
    if not url:
        return {}
    try:
        parts = urlsplit(url)
        port = parts.port
    except ValueError:
        raise ConfigError("not an address such as smtp://user:secret@smtp.example.com:587", where="url") from None
    if parts.scheme not in {"smtp", "smtps"} or not parts.hostname:
        raise ConfigError("begin with smtp:// or smtps:// and a server's name", where="url")
    values: dict[str, object] = {"host": parts.hostname}
    if port:
        values["port"] = port
    asked = dict(parse_qsl(parts.query, keep_blank_values=True))
    if asked.keys() - {"tls"}:
        raise ConfigError("after the ? only tls=starttls, tls=ssl or tls=none may stand", where="url")
    if parts.scheme == "smtps" and asked.get("tls", "ssl") != "ssl":
        raise ConfigError("smtps:// speaks TLS from the start; leave ?tls= out, or write smtp://", where="url")
    if asked or parts.scheme == "smtps":
        values["tls"] = asked.get("tls", "ssl")
    if parts.username:
        values |= {"username": unquote(parts.username), "password": unquote(parts.password or "")}
    return values
