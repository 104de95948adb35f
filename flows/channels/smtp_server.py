"""The table of a channel that speaks SMTP, read into the server it names."""

from __future__ import annotations

import ssl
from collections.abc import Mapping
from pathlib import Path

from connector.contracts.connecting import Finding, Verdict
from connector.errors import ConfigError, near
from flows.channels.smtp_pool import SmtpPool
from flows.channels.smtp_session import ConnectionFailed, Server

_TLS = ("starttls", "ssl", "none")
_LOOPBACK = frozenset({"localhost", "127.0.0.1", "::1"})


def server_of(values: Mapping[str, object]) -> Server:
    """The server of a channel's table. Raises `ConfigError` naming the key that is wrong."""
    host = text(values, "host")
    if not host:
        raise ConfigError('give the mail server\'s name, as in host = "smtp.example.com"', where="host")
    tls = text(values, "tls") or "starttls"
    if tls not in _TLS:
        raise ConfigError(f"one of {', '.join(_TLS)}{near(tls, _TLS)}", where="tls")
    username = text(values, "username")
    if tls == "none" and username and host not in _LOOPBACK:
        raise ConfigError("a password would travel in the clear; use starttls or ssl", where="tls")
    return Server(
        host=host,
        port=number(values, "port", 465 if tls == "ssl" else 587, 1, 65_535),
        tls=tls,
        context=None if tls == "none" else _context(text(values, "ca_file")),
        username=username,
        password=text(values, "password"),
        timeout=number(values, "timeout", 60, 1, 600),
    )


def reachable(pool: SmtpPool, name: str) -> Finding:
    """Whether the server can be used, in its own words where it cannot."""
    values = {"provider": name}
    try:
        pool.reach()
    except ConnectionFailed as error:
        return Finding(code="unreachable", verdict=Verdict.FAIL, values={**values, "why": str(error)})
    return Finding(code="credentials", verdict=Verdict.OK, values=values)


def text(values: Mapping[str, object], key: str) -> str:
    value = values.get(key, "")
    if not isinstance(value, str):
        raise ConfigError("must be a text", where=key)
    return value


def number(values: Mapping[str, object], key: str, default: int, least: int, most: int) -> int:
    value = values.get(key, default)
    if isinstance(value, bool) or not isinstance(value, int) or not least <= value <= most:
        raise ConfigError(f"must be a whole number from {least} to {most}", where=key)
    return value


def _context(ca_file: str) -> ssl.SSLContext:
    if ca_file and not Path(ca_file).is_file():
        raise ConfigError("there is no such file", where="ca_file")
    try:
        context = ssl.create_default_context(cafile=ca_file or None)
    except ssl.SSLError as error:
        raise ConfigError("is no PEM certificate", where="ca_file") from error
    context.minimum_version = ssl.TLSVersion.TLSv1_2
    return context
