"""The configured channels: built on first use, one instance a name, kept for the worker's life."""

from __future__ import annotations

import hashlib
from collections.abc import Callable, Mapping

from connector.clock import Clock
from connector.config import Config, ShopSettings
from connector.config.rates import OURS, rate_of
from connector.contracts import Channel, LooksUp, Message
from connector.contracts.channel_events import ENVELOPE
from connector.registry import Registry
from flows.sending.routing import Provider


class Channels:
    """`config` gives the configuration as it is now, `event_urls` where providers tell of messages, by channel."""

    def __init__(
        self,
        config: Callable[[], Config],
        registry: Registry,
        clock: Clock,
        event_urls: Callable[[], Mapping[str, str]],
    ) -> None:
        self._config = config
        self._registry = registry
        self._clock = clock
        self._event_urls = event_urls
        self._built: dict[str, Channel] = {}
        self._seen: dict[str, tuple[Mapping[str, object], type[Channel], Provider]] = {}

    def named(self, name: str) -> Channel:
        """A configured channel. Raises `ConfigError` naming what is wrong with its table."""
        if name not in self._built:
            table = {key: value for key, value in self._config().channels[name].items() if not _is_ours(key)}
            kind = self._registry.channel(str(table.pop("kind")))
            told = {"events_url": self._event_urls().get(name, "")} if kind.told_where else {}
            self._built[name] = kind.from_settings(told | table, self._clock)
        return self._built[name]

    def provider(self, name: str) -> Provider | None:
        """A configured channel as routing sees it; `None` for one that is not configured."""
        table = self._config().channels.get(name)
        if table is None:
            return None
        cls = type(self._built[name]) if name in self._built else self._registry.channel(str(table["kind"]))
        seen = self._seen.get(name)  # asked for three times a message
        if seen is None or seen[0] is not table or seen[1] is not cls:
            seen = self._seen[name] = (table, cls, _as_provider(name, table, cls))
        return seen[2]

    def of(self, shop: ShopSettings, message: Message, provider: str = "") -> Channel:
        """What takes this very message: a chat of the merchant's people, the provider that was chosen for it, or the
        shop's first for its medium."""
        if message.channel != "chat":
            return self.named(provider or shop.providers(message.channel)[0])
        person = shop.people[message.recipient]
        name = f"chat {hashlib.sha256(person.chat.encode()).hexdigest()}"
        if name not in self._built:
            table = {"url": person.chat, "style": person.style, "private_addresses": person.private_addresses}
            self._built[name] = self._registry.channel("chat").from_settings(table, self._clock)
        return self._built[name]

    def use(self, name: str, channel: Channel) -> None:
        """Put a channel in place of the configured one."""
        self._built[name] = channel

    def close(self) -> None:
        for channel in self._built.values():
            channel.close()


def _as_provider(name: str, table: Mapping[str, object], cls: type[Channel]) -> Provider:
    account, rate = str(table.get("account") or name), rate_of(table, cls.usual_rate(table))
    tells = any(key.startswith(ENVELOPE) for key in table)
    return Provider(name=name, account=account, rate=rate, looks_up=issubclass(cls, LooksUp), tells=tells)


def _is_ours(key: str) -> bool:
    """Whether a key of a channel's table is not the channel's own: limits of the account, reading of events."""
    return key in OURS or key.startswith(ENVELOPE)
