"""What channels' providers tell, from the stored delivery to the message it is about: the worker's side of
`webhooks.doors`."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta

from connector.app import Kiitos
from connector.codec import decode
from connector.contracts import Verified
from connector.contracts.channel_events import HOOK_PREFIX, ChannelEvent, ConfirmsSubscription
from connector.errors import ConfigError
from connector.log import get_log
from connector.model import Channel
from connector.registry import CHANNEL_EVENTS
from connector.store import privacy
from connector.store.db import Tx
from connector.store.inbox import Delivery
from flows.sending.afterwards import Account, Afterwards, address_key

log = get_log("hearing")

UNKNOWN_CHANNEL = "CHANNEL_NOT_CONFIGURED"
EARLY = timedelta(minutes=1)
"""An event that names no message we know may have overtaken the answer to its sending: it is looked at once more."""


@dataclass(frozen=True, slots=True)
class Heard:
    """How many events of a delivery found their message, how many did not, and whether one of those is about somebody
    who was forgotten: then the delivery's body must not stay."""

    matched: int
    unmatched: int
    forgotten: bool


class Hearing:
    """One worker's ear."""

    def __init__(self, kiitos: Kiitos) -> None:
        self._kiitos = kiitos
        self._afterwards = Afterwards(kiitos.runner, kiitos.clock, lambda: kiitos.outbox)

    def knows(self, delivery: Delivery) -> bool:
        """Whether its channel is (still) in app.toml."""
        return delivery.platform.removeprefix(HOOK_PREFIX) in self._kiitos.config.channels

    def read(self, delivery: Delivery) -> Sequence[ChannelEvent]:
        """The events of a stored delivery; a subscription that asks for it is confirmed.

        Raises `MalformedPayload`, `ConfigError`, and for the confirmation `Transient` and `Refused`.
        """
        events = self._kiitos.registry.channel_events(self._kind(delivery))
        verified = decode(delivery.headers["verified"], Verified)
        if isinstance(events, ConfirmsSubscription):
            url = events.confirmation(verified, delivery.body)
            if url is not None:
                self._confirm(delivery, url)
                return ()
        return events.read(verified, delivery.body)

    def take_in(
        self, tx: Tx, delivery: Delivery, events: Sequence[ChannelEvent], now: datetime, *, last: bool
    ) -> Heard:
        """Apply events; those that found no message are kept at the `last` look."""
        account = self._account(delivery)
        matched, forgotten = 0, False
        for event in events:
            if self._afterwards.hear(tx, account, event, now, delivery.id):
                matched += 1
            elif last:
                self._afterwards.keep_unmatched(tx, account, event, now, delivery.id)
                forgotten = forgotten or self._is_forgotten(tx, account, event)
        return Heard(matched, len(events) - matched, forgotten)

    def _is_forgotten(self, tx: Tx, account: Account, event: ChannelEvent) -> bool:
        """Whether a shop of the account was asked to forget whom the event names."""
        address = address_key(account.medium, event.recipient)
        kind = "email" if account.medium is Channel.EMAIL else "phone"
        return address is not None and any(
            privacy.erased_at(tx, shop_id, [privacy.key_of(self._kiitos.salt, shop_id, kind, address)]) is not None
            for shop_id in account.shops
        )

    def _account(self, delivery: Delivery) -> Account:
        name = delivery.platform.removeprefix(HOOK_PREFIX)
        shops = [
            shop_id
            for shop_id, settings in self._kiitos.config.shops.items()
            if name in (*settings.providers("email"), *settings.channels.values())
        ]
        return Account(name, Channel.of(self._kiitos.registry.channel(self._kind(delivery)).medium), shops)

    def _kind(self, delivery: Delivery) -> str:
        name = delivery.platform.removeprefix(HOOK_PREFIX)
        kind = str(self._kiitos.config.channels[name]["kind"])
        if kind not in self._kiitos.registry.names(CHANNEL_EVENTS):
            raise ConfigError(f"channel '{name}' is of a kind that tells no events any more")
        return kind

    def _confirm(self, delivery: Delivery, url: str) -> None:
        from connector.outside.posting import fetch

        fetch(url, now=self._kiitos.clock.now())
        log.info("subscription_confirmed", channel=delivery.platform.removeprefix(HOOK_PREFIX))
