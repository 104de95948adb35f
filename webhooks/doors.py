"""A channel's event webhooks seen as the receiver sees a platform's: verified by the provider's scheme, kept as they
came, read later (`connector.working.hearing`).
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any, ClassVar

from connector.clock import Clock
from connector.config import Config
from connector.contracts import Endpoint, Handshake, Inbound, PlatformAdapter, Verified
from connector.contracts.channel_events import HOOK_PREFIX, ChannelEvents, EventEndpoint
from connector.errors import ConfigError, Transient, WebhookRejected
from connector.model import Event, Shop
from connector.registry import CHANNEL_EVENTS, Registry
from flows.sending.addressing import derive_token
from webhooks.certificates import Certificates


class EventDoor(PlatformAdapter):
    """One configured channel. `name` is no platform's: nothing but the receiver's directory hands it out."""

    name: ClassVar[str] = "channel"

    def __init__(
        self, events: ChannelEvents, endpoint: EventEndpoint, clock: Clock, certificates: Certificates
    ) -> None:
        self._events = events
        self._endpoint = endpoint
        self._clock = clock
        self._certificates = certificates

    def verify(self, inbound: Inbound, endpoint: Endpoint) -> Verified | Handshake:  # noqa: ARG002
        """As the provider signs. Raises `WebhookRejected`, or `Transient` while a certificate is on its way."""
        missing: list[Transient] = []

        def fetch(url: str) -> bytes:
            try:
                return self._certificates.get(url)
            except Transient as error:
                missing.append(error)
                raise

        try:
            return self._events.verify(inbound, self._endpoint, self._clock.now(), fetch)
        except WebhookRejected:
            if missing:
                raise missing[0] from None
            raise

    def normalise(self, verified: Verified, body: bytes, shop: Shop) -> Sequence[Event]:  # noqa: ARG002
        """Nothing: what is in it belongs to messages, not to one shop."""
        return ()


class Doors:
    """The doors of all configured channels whose provider tells anything, by `channel.NAME`."""

    def __init__(
        self,
        channels: Mapping[str, Mapping[str, Any]],
        urls: Mapping[str, str],
        registry: Registry,
        clock: Clock,
        certificates: Certificates,
    ) -> None:
        self.certificates = certificates
        self._doors: dict[str, EventDoor] = {}
        for name, url in urls.items():
            table = channels[name]
            events = registry.channel_events(str(table["kind"]))
            self._doors[f"{HOOK_PREFIX}{name}"] = EventDoor(
                events, EventEndpoint(url=url, settings=table), clock, certificates
            )

    def door(self, name: str) -> EventDoor:
        """Raises `ConfigError` for a channel that is gone from app.toml, or tells nothing."""
        if name not in self._doors:
            raise ConfigError(f"no channel '{name.removeprefix(HOOK_PREFIX)}' of app.toml tells events")
        return self._doors[name]


def event_urls(config: Config, registry: Registry, salt: bytes) -> dict[str, str]:
    """Where the providers of the configured channels tell what became of messages, by channel."""
    known = registry.names(CHANNEL_EVENTS)
    named = [name for name, table in config.channels.items() if table.get("kind") in known]
    keys = {name: derive_token(salt, "endpoint", f"channel:{name}", length=32) for name in named}
    return {name: f"{config.app.base_url}/hooks/{HOOK_PREFIX}{name}/{key}" for name, key in keys.items()}
