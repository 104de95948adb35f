"""What providers tell afterwards: a channel's event webhooks, verified by their own scheme, read into one vocabulary.

Registered under `kiitos.channel_events` by the same name as the channel that sends. Pure: what must be fetched (a
signing certificate) comes in through `fetch`.
"""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from enum import StrEnum
from typing import ClassVar

from connector.contracts.platform import Handshake, Inbound, Verified

HOOK_PREFIX = "channel."
"""What the name of a channel has before it where platforms' names stand: `/hooks/channel.mail/KEY`."""
ENVELOPE = "webhook_"
"""Keys of a channel's table that begin so are for reading its events and are not shown to the channel that sends."""


class ChannelEventKind(StrEnum):
    """What became of a message (facts/messaging.md 2.4). `REFUSED` is no provider's event: it is what one answered when
    it was handed the message, kept where it tells of the recipient."""

    ACCEPTED = "accepted"
    DELIVERED = "delivered"
    DEFERRED = "deferred"
    BOUNCED = "bounced"
    COMPLAINED = "complained"
    UNSUBSCRIBED = "unsubscribed"
    OPENED = "opened"
    CLICKED = "clicked"
    FAILED = "failed"
    REPLIED = "replied"
    REFUSED = "refused"
    OTHER = "other"


class BounceKind(StrEnum):
    """Whose fault a bounce is: the address is none (hard), not now (soft), the sender is refused (block)."""

    HARD = "hard"
    SOFT = "soft"
    BLOCK = "block"
    OTHER = "other"


@dataclass(frozen=True, slots=True, kw_only=True)
class ChannelEvent:
    """One thing a provider says of one message and one recipient.

    `id` makes it once within the channel: the provider's own, else a hash of what identifies it. `key` is our message's
    key where the provider gave it back, `provider_id` its own name for the message; one of the two is there.
    `recipient` is as the provider writes it. `raw_kind` and `code` are the provider's words (`soft_bounce`, `5.1.1`).
    `text` of a `REPLIED` is what the person wrote. `by_machine`: the provider says that no person opened or clicked.
    """

    id: str
    kind: ChannelEventKind
    at: datetime
    raw_kind: str
    key: str = ""
    provider_id: str = ""
    recipient: str = field(default="", repr=False)
    bounce: BounceKind | None = None
    code: str = ""
    text: str = field(default="", repr=False)
    url: str = ""
    by_machine: bool = False


@dataclass(frozen=True, slots=True, kw_only=True)
class EventEndpoint:
    """Where a provider's events arrive. `url` is the public address it was told, without the query (Twilio signs both);
    `settings` is the channel's table of app.toml, with its secrets."""

    url: str
    settings: Mapping[str, object] = field(repr=False)


Fetch = Callable[[str], bytes]
"""A document at a public https address, as far as it is at hand; raises `Transient` while it is not. The caller then
sees to it and asks `verify` again, so check everything else first."""


class ChannelEvents(ABC):
    """Reads one provider's event webhooks."""

    name: ClassVar[str]

    @abstractmethod
    def verify(self, inbound: Inbound, endpoint: EventEndpoint, now: datetime, fetch: Fetch) -> Verified | Handshake:
        """Total: raises `WebhookRejected` and nothing else, whatever bytes and headers. A missing secret rejects."""

    @abstractmethod
    def read(self, verified: Verified, body: bytes) -> Sequence[ChannelEvent]:
        """Every event of the request. Raises `MalformedPayload`; what it does not know becomes `OTHER`."""


class ConfirmsSubscription(ABC):
    """Events whose provider asks once, in a signed message, that an address be fetched before it tells anything."""

    @abstractmethod
    def confirmation(self, verified: Verified, body: bytes) -> str | None:
        """The https address to fetch for this message; `None` for all others. Raises `MalformedPayload`."""
