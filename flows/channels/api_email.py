"""What the e-mail providers with an HTTP API have in common: one request a message, and what its answer means.

A provider says how a message is asked for and which of its refusals blame the recipient, the sender or the account;
the rest is here (facts/messaging.md 2.3): 429 and 503 were not accepted, an answer of 500, 502 or 504 or none at all
leaves the outcome unknown, everything else from 400 on is a refusal. What a provider writes is quoted without
addresses.

    [channels.mail]
    kind = "resend"                          # or postmark, sendgrid, mailgun, brevo
    api_key = { env = "RESEND_API_KEY" }
    connections = 4                          # requests at a time of each worker
    timeout = 30                             # seconds, from the first packet to the last
    url = "https://..."                      # only where the provider's own address is not the one
"""

from __future__ import annotations

import json
import re
from abc import abstractmethod
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, field
from typing import Any, ClassVar
from urllib.parse import urlsplit

from connector.clock import Clock
from connector.contracts import Channel, ChecksChannel, Message, Outcome, Rejected, Retry, Scope, Unknown
from connector.contracts.channel import OnWire
from connector.contracts.channel_events import BounceKind
from connector.contracts.connecting import Finding, Verdict
from connector.errors import ConfigError, Refused, Transient, near
from connector.outside.posting import Answer
from connector.outside.provider_api import LOOPBACK, ProviderApi
from flows.channels.side_by_side import accepted, side_by_side

TAG = "kiitos"
"""The name under which every provider is given the message's key, to hand back in its events."""
KEYS = frozenset({"kind", "api_key", "url", "connections", "timeout", "sender", "reply_to"})
WAIT_FOR_OPERATOR = 300.0
"""Seconds between two tries where somebody must put something right: a key, a plan, a sender."""
_ADDRESS = re.compile(r"<?[^\s<>@\"'(]+@[^\s<>\"')]+>?")


@dataclass(frozen=True, slots=True)
class Call:
    """One request. `options` are those of `requests` (`json`, `data`, `files`, `headers`)."""

    path: str
    options: Mapping[str, Any] = field(repr=False)
    method: str = "POST"


class ApiEmail(Channel, ChecksChannel):
    """A channel over one provider's API. Subclasses name their keys and address, make the call, and read refusals."""

    medium: ClassVar[str] = "email"
    marks_wire: ClassVar[bool] = True
    address: ClassVar[str]
    harmless: ClassVar[str]
    """The path of a request that reads something every good key may read."""
    own_keys: ClassVar[frozenset[str]] = frozenset()

    def __init__(self, settings: Mapping[str, object], clock: Clock) -> None:
        self._clock = clock
        self._connections = number(settings, "connections", 4, 1, 16)
        self._secret = text(settings, "api_key", required=True)
        self._api = ProviderApi(
            base_url(settings, self.default_address(settings)),
            self.credentials(self._secret),
            clock,
            limit=float(number(settings, "timeout", 30, 1, 300)),
        )
        self.configure(settings)

    @classmethod
    def from_settings(cls, settings: Mapping[str, object], clock: Clock) -> ApiEmail:
        """Keys: `api_key`, and `url`, `connections`, `timeout` and the provider's own. Raises `ConfigError`."""
        known = KEYS | cls.own_keys
        for key in settings:
            if key not in known:
                raise ConfigError(f"the {cls.name} channel has no such key{near(key, known)}", where=key)
        return cls(settings, clock)

    @classmethod
    def default_address(cls, settings: Mapping[str, object]) -> str:
        """Where the API is; the account's region may decide."""
        del settings
        return cls.address

    @abstractmethod
    def credentials(self, api_key: str) -> Mapping[str, str]:
        """The headers that log in."""

    def configure(self, settings: Mapping[str, object]) -> None:
        """Take the provider's own settings. Raises `ConfigError`."""
        del settings

    @abstractmethod
    def call_for(self, message: Message) -> Call:
        """The request that sends it. Raises `Refused` for content that is no e-mail."""

    @abstractmethod
    def accepted_id(self, answer: Answer) -> str:
        """The provider's name for the message, from an answer below 300; empty where it has none."""

    @abstractmethod
    def refusal(self, message: Message, answer: Answer, body: Mapping[str, Any]) -> Outcome | None:
        """What this provider means by an answer of 400 or more; `None` leaves it to the common table."""

    def send_all(self, messages: Iterable[Message], on_wire: OnWire | None = None) -> Iterator[Outcome]:
        """One outcome a message, as soon as it is known. Once the account as a whole cannot send, or an answer stayed
        away, the rest of the batch is put off at once instead of waiting for one time-out each."""
        yield from side_by_side(messages, lambda message: self._send(message, on_wire), self._connections)

    def check(self, sender: str) -> Iterator[Finding]:
        """Whether the credentials open the account."""
        del sender
        values = {"provider": self.name}
        try:
            answer = self._api.call("GET", self.harmless_path())
        except (Transient, Refused) as error:
            yield Finding(code="unreachable", verdict=Verdict.FAIL, values={**values, "why": error.message})
            return
        values["status"] = str(answer.status)
        if self.opens(answer):
            yield Finding(code="credentials", verdict=Verdict.OK, values=values)
        elif answer.status in (429, 503):
            yield Finding(code="busy", verdict=Verdict.WARN, values=values)
        else:
            yield Finding(code="credentials", verdict=Verdict.FAIL, values=values)

    def harmless_path(self) -> str:
        return self.harmless

    def opens(self, answer: Answer) -> bool:
        """Whether the answer to the harmless request proves the key good."""
        return answer.status < 300

    def close(self) -> None:
        self._api.close()

    def _send(self, message: Message, on_wire: OnWire | None) -> Outcome:
        key = message.key
        try:
            call = self.call_for(message)
            if on_wire is not None:
                on_wire(key)
            answer = self._api.call(call.method, call.path, **call.options)
        except OSError:
            return Retry(key=key, text="the batch ledger cannot be written; is the disk full?")
        except Transient as error:
            if error.maybe_done:
                return Unknown(key=key, text=f"{self.name}: {error.message}")
            return Retry(key=key, text=f"{self.name}: {error.message}", scope=Scope.ACCOUNT)
        except Refused as error:
            bad = error.provider_code == "bad_address"
            return Rejected(key=key, code=error.provider_code or error.code, text=error.message, bad_address=bad)
        return self.outcome_of(message, answer)

    def outcome_of(self, message: Message, answer: Answer) -> Outcome:
        """What an answer means for the message."""
        if 200 <= answer.status < 300:
            return accepted(self.name, message.key, answer.status, self.accepted_id(answer))
        named = self.refusal(message, answer, json_of(answer)) if answer.status >= 400 else None
        return named or self._common(message, answer)

    def _common(self, message: Message, answer: Answer) -> Outcome:
        key, status = message.key, answer.status
        said = f"{self.name} answered {status}"
        if status in (500, 502, 504) or status > 504:
            return Unknown(key=key, text=said)
        if status in (408, 425, 429, 503):
            return Retry(key=key, text=said, after=answer.retry_after, scope=Scope.ACCOUNT)
        if status in (401, 402, 403):
            return self.account_refused(message, said)
        if status < 400:
            return self.account_refused(message, f"{said}: check url")
        return Rejected(key=key, code=str(status), text=f"{said}{self._words(answer)}")

    def account_refused(self, message: Message, said: str) -> Retry:
        """The key, the plan or the account: nothing goes out until somebody puts it right, and nothing is dropped."""
        text = f"{said}; check api_key and the account, then: kiitos channels check"
        return Retry(key=message.key, text=text, after=WAIT_FOR_OPERATOR, scope=Scope.ACCOUNT)

    def sender_refused(self, message: Message, said: str) -> Retry:
        """The shop's sender is not verified at the provider. It is nobody's fault who is written to."""
        text = f"{self.name} refused the shop's sender ({said}); verify its domain there, or correct sender"
        return Retry(key=message.key, text=text, after=WAIT_FOR_OPERATOR, scope=Scope.SHOP)

    def bad_recipient(self, message: Message, code: str) -> Rejected:
        text = f"{self.name} says that the address is none"
        return Rejected(key=message.key, code=code, text=text, bad_address=True, bounce=BounceKind.HARD)

    def _words(self, answer: Answer) -> str:
        words = first_text(json_of(answer))
        if not words:
            return ""
        return ": " + _ADDRESS.sub("<address>", words.replace(self._secret, "<key>"))[:160]


def json_of(answer: Answer) -> dict[str, Any]:
    """The answer's JSON object; an empty one for anything else."""
    try:
        body = json.loads(answer.body)
    except (ValueError, RecursionError):
        return {}
    return body if isinstance(body, dict) else {}


def id_of(answer: Answer, name: str) -> str:
    """The id under this name in the answer's object, empty for anything that is none."""
    found = json_of(answer).get(name)
    return found if isinstance(found, str) else ""


def first_text(body: Mapping[str, Any]) -> str:
    """What an error's body says to people, wherever the provider puts it."""
    for key in ("message", "Message", "error"):
        if isinstance(body.get(key), str):
            return str(body[key])
    errors = body.get("errors")
    first = errors[0] if isinstance(errors, list) and errors else None
    return first_text(first) if isinstance(first, dict) else ""


def text(settings: Mapping[str, object], key: str, default: str = "", *, required: bool = False) -> str:
    """A setting that is a text. Raises `ConfigError` naming the key, never its value."""
    value = settings.get(key, default)
    if not isinstance(value, str) or (value and not value.isprintable()):
        raise ConfigError("must be a text on one line", where=key)
    if required and not value:
        raise ConfigError(f'is missing; write {key} = {{ env = "..." }}', where=key)
    if required and not value.isascii():
        raise ConfigError("has a character that no key has; copy it again", where=key)
    return value


def number(settings: Mapping[str, object], key: str, default: int, least: int, most: int) -> int:
    """A setting that is a whole number. Raises `ConfigError`."""
    value = settings.get(key, default)
    if isinstance(value, bool) or not isinstance(value, int) or not least <= value <= most:
        raise ConfigError(f"must be a whole number from {least} to {most}", where=key)
    return value


def base_url(settings: Mapping[str, object], default: str) -> str:
    """The API's address: https, or anything on this machine. Raises `ConfigError`."""
    url = text(settings, "url") or default
    parts = urlsplit(url)
    if parts.scheme != "https" and parts.hostname not in LOOPBACK:
        raise ConfigError("must begin with https://: the key travels with every request", where="url")
    if not parts.hostname or parts.query or parts.username:
        raise ConfigError("is no address such as https://api.example.com", where="url")
    return url.rstrip("/")


def region_address(settings: Mapping[str, object], known: Mapping[str, str], default: str) -> str:
    """The API's address in a region. Raises `ConfigError`."""
    region = text(settings, "region", default)
    if region not in known:
        raise ConfigError(f"one of {', '.join(known)}", where="region")
    return known[region]
