"""Where returned mail is fetched from: `mailbox` in the table of a channel that sends over SMTP."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any
from urllib.parse import unquote, urlsplit

from connector.errors import ConfigError

_LOOPBACK = frozenset({"localhost", "127.0.0.1", "::1"})


@dataclass(frozen=True, slots=True)
class Mailbox:
    """Where returned mail of a channel is fetched from. `secure`: TLS from the first byte; else only this machine."""

    channel: str
    host: str
    port: int
    user: str = field(repr=False)
    password: str = field(repr=False)
    folder: str
    secure: bool


def mailbox_faults(channel: str, url: str) -> list[str]:
    """What is wrong with a channel's `mailbox`; the address holds a password and is never quoted."""
    try:
        _mailbox(channel, url)
    except ConfigError as error:
        return [error.message]
    return []


def mailboxes_of(channels: Mapping[str, Mapping[str, Any]]) -> list[Mailbox]:
    """The mailboxes of app.toml. Raises `ConfigError` naming the channel whose address is wrong, never quoting it."""
    return [_mailbox(name, str(table["mailbox"])) for name, table in channels.items() if table.get("mailbox")]


def _mailbox(channel: str, url: str) -> Mailbox:
    where = f"channels.{channel}.mailbox"
    try:
        parts = urlsplit(url)
        port = parts.port
    except ValueError:
        raise ConfigError("not an address such as imaps://user:password@imap.example.com/INBOX", where=where) from None
    secure = parts.scheme == "imaps"
    if parts.scheme not in ("imaps", "imap") or not parts.hostname or not parts.username:
        raise ConfigError("write imaps://user:password@imap.example.com/INBOX", where=where)
    if not secure and parts.hostname not in _LOOPBACK:
        raise ConfigError("a password would travel in the clear; use imaps://", where=where)
    return Mailbox(
        channel=channel,
        host=parts.hostname,
        port=port or (993 if secure else 143),
        user=unquote(parts.username),
        password=unquote(parts.password or ""),
        folder=unquote(parts.path.strip("/")) or "INBOX",
        secure=secure,
    )
