"""A channel whose messages are one POST each to a provider's API: what all of those have in common.

Keys, addresses of people and texts stand in no outcome. After a request that nobody answered the rest of the batch
waits for another time.
"""

from __future__ import annotations

import base64
import json
from abc import abstractmethod
from collections.abc import Collection, Iterable, Iterator, Mapping
from dataclasses import dataclass, field
from typing import Any, ClassVar

from connector.clock import Clock
from connector.contracts import Channel, Message, Outcome, Rejected, Retry, Unknown
from connector.contracts.channel import ChecksChannel, OnWire, Scope
from connector.contracts.connecting import Finding, Verdict
from connector.errors import AuthExpired, ConfigError, Refused, Transient, near
from connector.http import Http
from connector.outside.posting import Answer, post
from flows.channels.side_by_side import accepted

ACCOUNT_PAUSE = 300.0
"""Seconds to wait when the provider refuses the account: a person must put it right first, and nothing is lost."""


@dataclass(frozen=True, slots=True)
class Call:
    """One POST."""

    url: str
    body: bytes
    headers: Mapping[str, str] = field(default_factory=dict, repr=False)


class Posted(Channel, ChecksChannel):
    """Sends one message a request. `private_addresses`: the operator named the server, so it may be their own."""

    marks_wire: ClassVar[bool] = True
    provider: ClassVar[str]
    """What an outcome calls the other side."""

    def __init__(self, clock: Clock, *, private_addresses: bool = False) -> None:
        self._clock = clock
        self._private = private_addresses

    @abstractmethod
    def request(self, message: Message) -> Call:
        """The request for one message. Raises `Refused` for one that cannot be sent."""

    @abstractmethod
    def harmless(self) -> tuple[str, Mapping[str, str]]:
        """An address whose GET changes nothing and needs the credentials, and its headers."""

    def check(self, sender: str) -> Iterator[Finding]:
        """Whether the credentials open the account."""
        del sender
        values = {"provider": self.name}
        url, headers = self.harmless()
        try:
            answer = Http(self._clock, headers=headers).call("GET", url)
        except Transient as error:
            yield Finding(code="unreachable", verdict=Verdict.FAIL, values={**values, "why": error.message})
        except AuthExpired:
            yield Finding(code="credentials", verdict=Verdict.FAIL, values={**values, "status": "401"})
        except Refused as error:
            yield Finding(code="credentials", verdict=Verdict.FAIL, values={**values, "status": error.provider_code})
        else:
            yield Finding(code="credentials", verdict=Verdict.OK, values={**values, "status": str(answer.status_code)})

    @abstractmethod
    def refused(self, message: Message, answer: Answer, told: Mapping[str, Any]) -> Outcome | None:
        """What an answer of 400 to 499 means, its JSON in `told`; `None` leaves it to the status."""

    @abstractmethod
    def provider_id(self, told: Mapping[str, Any]) -> str:
        """The provider's name for the message in an answer of 200 to 299; empty where it has none."""

    def send_all(self, messages: Iterable[Message], on_wire: OnWire | None = None) -> Iterator[Outcome]:
        """One outcome a message, in order."""
        silent = ""
        for message in messages:
            if silent:
                yield Retry(key=message.key, text=silent)
                continue
            outcome = self._send(message, on_wire)
            silent = outcome.text if isinstance(outcome, Unknown) else ""
            yield outcome

    def _send(self, message: Message, on_wire: OnWire | None) -> Outcome:
        key = message.key
        try:
            call = self.request(message)
            if on_wire is not None:
                on_wire(key)
            answer = post(call.url, call.body, call.headers, now=self._clock.now(), private_addresses=self._private)
        except OSError as error:
            return Retry(key=key, text=f"not begun ({type(error).__name__})")
        except Transient as error:
            told = f"{self.provider}: {error.message}"
            return Unknown(key=key, text=told) if error.maybe_done else Retry(key=key, text=told, scope=Scope.ACCOUNT)
        except Refused as error:
            return Rejected(key=key, code=error.provider_code or error.code, text=error.message)
        return self._outcome(message, answer)

    def _outcome(self, message: Message, answer: Answer) -> Outcome:
        key, status, told = message.key, answer.status, read_object(answer.body)
        if 200 <= status < 300:
            return accepted(self.provider, key, status, self.provider_id(told))
        found = self.refused(message, answer, told) if 400 <= status < 500 else None
        return found or outcome_of_status(self.provider, key, status, answer.retry_after)


def outcome_of_status(provider: str, key: str, status: int, after: float | None) -> Outcome:
    """What a status alone says. A failure of the server's may have come after it took the message."""
    text = f"{provider} answered {status}"
    if status in (401, 403):
        return account_refused(key, f"{text}: check the credentials of the channel", after)
    if status in (500, 502, 504):
        return Unknown(key=key, text=text)
    if status in (408, 409, 425, 429) or status >= 500:
        return Retry(key=key, text=text, after=after, scope=Scope.ACCOUNT)
    return Rejected(key=key, code=str(status), text=text)


def account_refused(key: str, text: str, after: float | None = None) -> Retry:
    """The account itself: nothing goes out until somebody puts it right, and nothing is dropped."""
    return Retry(key=key, text=text, after=after or ACCOUNT_PAUSE, scope=Scope.ACCOUNT)


def read_object(body: bytes) -> Mapping[str, Any]:
    """The JSON object of an answer, empty where it is none."""
    try:
        found = json.loads(body)
    except (ValueError, RecursionError):
        return {}
    return found if isinstance(found, dict) else {}


def basic(user: str, password: str) -> str:
    """The value of an `Authorization` header."""
    return "Basic " + base64.b64encode(f"{user}:{password}".encode()).decode()


def known_keys(channel: str, settings: Mapping[str, object], keys: Collection[str]) -> None:
    """Raises `ConfigError` for a key that the channel does not have."""
    for key in settings:
        if key not in keys:
            raise ConfigError(f"the {channel} channel has no such key{near(key, keys)}", where=key)


def text_of(settings: Mapping[str, object], key: str, *, needed: str = "") -> str:
    """A text setting, empty where it is absent. Raises `ConfigError` where it is no text, or with `needed` (what it is)
    absent."""
    value = settings.get(key, "")
    if not isinstance(value, str):
        raise ConfigError("must be a text", where=key)
    if needed and not value:
        raise ConfigError(f"missing: {needed}", where=key)
    return value


def with_key(url: str, key: str) -> str:
    """The address of the channel's events with a message's key behind it; empty where none is configured."""
    return f"{url}?key={key}" if url else ""
