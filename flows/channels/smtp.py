"""E-mail over SMTP: any provider, any mail server. Connections are kept, messages pipelined, outcomes exact.

[channels.mail]
type = "smtp"
url = "smtp://user:secret@smtp.example.com:587"     # or smtps://...:465, or host, port, username, password
tls = "starttls"                                    # ssl for 465; none only inside one machine or network
connections = 2
"""

from __future__ import annotations

import queue
import ssl
import threading
from collections.abc import Callable, Iterable, Iterator, Mapping
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import ClassVar
from urllib.parse import unquote, urlsplit

from connector.clock import Clock
from connector.contracts import Channel, Message, Outcome, Retry
from connector.contracts.channel import OnWire
from connector.errors import ConfigError, near
from flows.channels.smtp_session import ConnectionFailed, Envelope, Server, Session, envelope

_KEYS = frozenset(
    {"kind", "url", "host", "port", "username", "password", "tls", "connections", "timeout", "ca_file"}
    | {"sender", "reply_to"}  # of the message, not of the connection; allowed so that one table holds both
)
_TLS = ("starttls", "ssl", "none")
_LOOPBACK = frozenset({"localhost", "127.0.0.1", "::1"})
# After a failed connection the rest of a batch is put off at once instead of waiting for one time-out each.
_PAUSE = 15.0


class Smtp(Channel):
    """Sends over kept connections; see `from_settings`. `idempotent_for` is 0: SMTP knows no keys."""

    name: ClassVar[str] = "smtp"
    medium: ClassVar[str] = "email"
    marks_wire: ClassVar[bool] = True

    def __init__(self, server: Server, clock: Clock, connections: int = 1) -> None:
        self._server = server
        self._clock = clock
        self._connections = connections
        self._idle: list[Session] = []
        self._lock = threading.Lock()
        self._down: tuple[float, str] | None = None

    @classmethod
    def from_settings(cls, settings: Mapping[str, object], clock: Clock) -> Smtp:
        """Keys: `url` or `host`; `port`, `username`, `password`, `tls` (starttls, ssl, none), `connections` (1 to 16),
        `timeout` (seconds), `ca_file` (PEM of an own authority). Raises `ConfigError` naming the key that is wrong."""
        for key in settings:
            if key not in _KEYS:
                raise ConfigError(f"no such key{near(key, _KEYS)}", where=key)
        values = {**_from_url(_text(settings, "url")), **{k: v for k, v in settings.items() if k != "url"}}
        host = _text(values, "host")
        if not host:
            raise ConfigError('give the mail server\'s name, as in host = "smtp.example.com"', where="host")
        tls = _text(values, "tls") or "starttls"
        if tls not in _TLS:
            raise ConfigError(f"one of {', '.join(_TLS)}{near(tls, _TLS)}", where="tls")
        username = _text(values, "username")
        if tls == "none" and username and host not in _LOOPBACK:
            raise ConfigError("a password would travel in the clear; use starttls or ssl", where="tls")
        server = Server(
            host=host,
            port=_number(values, "port", 465 if tls == "ssl" else 587, 1, 65_535),
            tls=tls,
            context=None if tls == "none" else _context(_text(values, "ca_file")),
            username=username,
            password=_text(values, "password"),
            timeout=_number(values, "timeout", 60, 1, 600),
        )
        return cls(server, clock, _number(values, "connections", 1, 1, 16))

    def send_all(self, messages: Iterable[Message], on_wire: OnWire | None = None) -> Iterator[Outcome]:
        """One outcome a message, as soon as it is known. With one connection, in the order given.

        `on_wire` is called right before a message's final dot, so at most one message a connection is in doubt.
        """
        if self._connections == 1:
            source = iter(messages)
            yield from self._work(lambda: next(source, None), on_wire)
            return
        yield from self._work_together(list(messages), on_wire)

    def close(self) -> None:
        with self._lock:
            sessions, self._idle = self._idle, []
        for session in sessions:
            session.quit()

    def _work(self, take: Callable[[], Message | None], on_wire: OnWire | None) -> Iterator[Outcome]:
        """Send what `take` gives over one connection at a time."""
        refused: list[Outcome] = []

        def following() -> Envelope | None:
            while (message := take()) is not None:
                made = envelope(message)
                if isinstance(made, Envelope):
                    return made
                refused.append(made)
            return None

        current = following()
        while current is not None or refused:
            while refused:
                yield refused.pop()
            if current is None:
                return
            try:
                session = self._borrow()
            except ConnectionFailed as error:
                yield Retry(key=current.key, text=str(error))
                current = following()
                continue
            try:
                for outcome in session.deliver(current, following, on_wire):
                    yield outcome
                    while refused:
                        yield refused.pop()
                current = session.leftover or following()
            finally:
                self._give_back(session)

    def _work_together(self, messages: list[Message], on_wire: OnWire | None) -> Iterator[Outcome]:
        source = iter(messages)
        outcomes: queue.SimpleQueue[Outcome | None] = queue.SimpleQueue()
        stop = threading.Event()

        def take() -> Message | None:
            with self._lock:
                return None if stop.is_set() else next(source, None)

        def work() -> None:
            try:
                for outcome in self._work(take, on_wire):
                    outcomes.put(outcome)
            finally:
                outcomes.put(None)

        running = min(self._connections, len(messages))
        with ThreadPoolExecutor(max(1, running), thread_name_prefix="smtp") as pool:
            futures = [pool.submit(work) for _ in range(running)]
            try:
                while running:
                    outcome = outcomes.get()
                    if outcome is None:
                        running -= 1
                    else:
                        yield outcome
            finally:
                stop.set()
        for future in futures:
            future.result()  # raises what a worker raised: a fault of ours must not look like silence

    def _borrow(self) -> Session:
        with self._lock:
            if self._down and self._clock.monotonic() < self._down[0]:
                raise ConnectionFailed(self._down[1])
            while self._idle:
                session = self._idle.pop()
                if not session.worn:
                    return session
                session.quit()
        try:
            session = Session(self._server, self._clock)
        except ConnectionFailed as error:
            self._down = (self._clock.monotonic() + _PAUSE, str(error))
            raise
        self._down = None
        return session

    def _give_back(self, session: Session) -> None:
        if session.worn or not session.idle:
            session.quit()
            return
        with self._lock:
            self._idle.append(session)


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
    if parts.scheme == "smtps":
        values["tls"] = "ssl"
    if parts.username:
        values |= {"username": unquote(parts.username), "password": unquote(parts.password or "")}
    return values


def _text(values: Mapping[str, object], key: str) -> str:
    value = values.get(key, "")
    if not isinstance(value, str):
        raise ConfigError("must be a text", where=key)
    return value


def _number(values: Mapping[str, object], key: str, default: int, least: int, most: int) -> int:
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
