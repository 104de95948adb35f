"""What a message channel is: something that takes one prepared message for one recipient."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Callable, Iterable, Iterator, Mapping
from dataclasses import dataclass, field
from datetime import datetime
from enum import StrEnum
from typing import ClassVar

from connector.clock import Clock
from connector.contracts.channel_events import BounceKind
from connector.contracts.connecting import Finding
from connector.model import Purpose


@dataclass(frozen=True, slots=True, kw_only=True)
class Message:
    """One message for one recipient, rendered and frozen before the first attempt.

    `key` is the effect's own key: a provider's idempotency key, and the local part of the Message-ID.
    `content` holds the finished bytes (for e-mail the MIME message with CRLF line ends). `purpose` chooses a provider's
    stream where it parts order mail from advertising; `shop_id` is whose account limits count.
    """

    key: str
    channel: str
    sender: str
    recipient: str
    content: bytes
    headers: Mapping[str, str] = field(default_factory=dict)
    purpose: Purpose = Purpose.TRANSACTIONAL
    shop_id: str = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class Accepted:
    """The provider has taken responsibility. `provider_id` is its own name for the message; `gone` are those of the
    recipient's browsers (ids) that take nothing any more."""

    key: str
    provider_id: str = ""
    gone: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True, kw_only=True)
class Rejected:
    """The provider said no for good. `code` is its word (`550 5.1.1`); `bad_address` blames the recipient's address;
    `objected`: the person told the sender to stop.

    `bounce` is whose fault it is, where the answer tells: the address is none, not now (full), the sender is refused.
    """

    key: str
    code: str
    text: str
    bad_address: bool = False
    bounce: BounceKind | None = None
    objected: bool = False
    gone: tuple[str, ...] = ()


class Scope(StrEnum):
    """What a refusal concerns: this message, the shop's sender at this provider, or the whole account there."""

    MESSAGE = "message"
    SHOP = "shop"
    ACCOUNT = "account"


@dataclass(frozen=True, slots=True, kw_only=True)
class Retry:
    """Certainly not accepted: try again, not before `after` seconds where the provider said so.

    `scope` beyond the message (a key that is refused, a server that is down, a sender nobody verified) makes others
    wait too, and lets a second provider take over. `bounce`: the recipient's mailbox takes nothing for now.
    """

    key: str
    text: str
    after: float | None = None
    scope: Scope = Scope.MESSAGE
    bounce: BounceKind | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Unknown:
    """Nobody can say whether it was accepted (the answer to the final dot never came)."""

    key: str
    text: str


@dataclass(frozen=True, slots=True)
class Rate:
    """So many messages in so many seconds, evenly, and `burst` of them at once."""

    messages: float
    seconds: float = 1.0
    burst: int = 1


Outcome = Accepted | Rejected | Retry | Unknown

OnWire = Callable[[str], None]
"""Told a message's key right before the bytes that complete it are written. Any thread may call it."""


class Channel(ABC):
    """Registered under `kiitos.channels`; built once a worker from its table in app.toml.

    `medium` is the kind of message it carries (`email`, `sms`, ...). `idempotent_for` is the number of seconds
    within which repeating a message under its key is harmless; 0 where the provider knows no keys.

    `marks_wire` promises that `send_all` calls `on_wire` for each message before it can have been accepted. Then a
    killed worker leaves only those messages unknown that it had begun to complete; without the promise `on_wire` is
    never passed, and the whole batch is unknown.

    `rate` is what an account of the provider may send where the operator says nothing else (`rate` in app.toml); all
    workers keep it together.

    `told_where`: each message names the address of its events, so `from_settings` is given `events_url`, the public one
    of the channel, where the operator set none.
    """

    name: ClassVar[str]
    medium: ClassVar[str]
    idempotent_for: ClassVar[float] = 0.0
    marks_wire: ClassVar[bool] = False
    rate: ClassVar[Rate | None] = None
    told_where: ClassVar[bool] = False

    @classmethod
    @abstractmethod
    def from_settings(cls, settings: Mapping[str, object], clock: Clock) -> Channel:
        """Build from the channel's table. Raises `ConfigError` naming the key that is wrong."""

    @abstractmethod
    def send_all(self, messages: Iterable[Message], on_wire: OnWire | None = None) -> Iterator[Outcome]:
        """Send, yielding an outcome for each message as soon as it is known. Raises nothing for a bad message.

        Outcomes may come in another order than the messages; each carries its message's key. When `on_wire` raises
        `OSError` the message must not be completed: answer `Retry`.
        """

    @classmethod
    def usual_rate(cls, settings: Mapping[str, object]) -> Rate | None:  # noqa: ARG003 - most have one for all accounts
        """What an account with these settings may send where the operator says nothing: `rate`, unless they decide."""
        return cls.rate

    def close(self) -> None:  # noqa: B027 - channels without connections need not write one
        """Give back connections. Idempotent."""


class LooksUp(ABC):
    """A channel whose provider can be asked, after the fact, whether it took a message."""

    @abstractmethod
    def look_up(self, message: Message, since: datetime) -> Accepted | None:
        """The acceptance of `message`, tried first at `since`; `None` when the provider certainly has none.

        Raises `Transient` when nobody can say yet, `Refused` when the provider will not tell.
        """


class ChecksChannel(ABC):
    """A channel that can say, without writing to anybody, whether it would work."""

    @abstractmethod
    def check(self, sender: str) -> Iterator[Finding]:
        """Findings about credentials, limits and the sender's standing, one as soon as it is known. Raises nothing for
        a provider that refuses or cannot be reached: that is a finding."""
