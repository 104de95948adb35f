"""The one place where a shop's credentials come from: every call to a platform gets its `Access` here.

Credentials live sealed in the store. Those of app.toml are copied there at start (`Kiitos.sync`), those of connected
stores are put there when the connection was proven. `connector.working.tokens` renews those that lapse: callers get
their `Access` from `Kiitos.access`, so that none ever sees an old one.
"""

from __future__ import annotations

import threading
from collections.abc import Mapping
from datetime import datetime

from connector.clock import Clock
from connector.config import Config, ShopSettings
from connector.contracts import Access
from connector.secrets import Vault
from connector.store import meta, sealing, shops
from connector.store.db import Tx
from connector.store.store import Store

SIGNING_SECRETS = ("webhook_secret", "client_secret", "webhook_secret_previous", "client_secret_previous")
"""What deliveries may be signed with, newest first, and what the platform makes us use (an app's client secret)
between ours: an adapter tries them in turn."""


def app_owner(platform: str) -> str:
    """Who owns the secrets of the operator's own app on a platform, in place of a shop."""
    return f"app:{platform}"


def told_owner(shop_id: str) -> str:
    """Who owns the key with which a shop's own systems tell events: never the key its platform signs with."""
    return f"told:{shop_id}"


def forget_secrets(tx: Tx, shop_id: str) -> None:
    """Remove what the shop's platform gave and the key its own systems tell events with: the shop is gone."""
    for owner in (shop_id, told_owner(shop_id)):
        shops.delete_secrets(tx, owner)


def installation_salt(store: Store, vault: Vault, clock: Clock) -> bytes:
    """The secret behind codes, links and hook addresses: made once, sealed in the store, kept when keys rotate."""
    with store.work.transaction() as tx:
        sealed = meta.get(tx, sealing.SALT)
        if sealed is None:
            sealed = vault.encrypt(clock.token(32), sealing.SALT_PLACE)
            meta.put(tx, sealing.SALT, sealed, clock.now())
    return vault.decrypt(sealed, sealing.SALT_PLACE).encode()


class Credentials:
    """Looks credentials up. Thread-safe; only `read` is called inside a transaction."""

    def __init__(self, store: Store, vault: Vault, clock: Clock) -> None:
        self._store = store
        self._vault = vault
        self._clock = clock
        self._names: dict[str, frozenset[str]] = {}
        self._guard = threading.Lock()

    def access(self, shop: ShopSettings, config: Config) -> Access:
        """What is known of the shop's credentials now. Raises `ConfigError` when the vault has not the key."""
        with self._store.work.read() as tx:
            return self.read(tx, shop, config)

    def read(self, tx: Tx, shop: ShopSettings, config: Config) -> Access:
        """The same inside a transaction. The operator's app on the platform serves shops without one of their own."""
        app = config.connect.apps.get(shop.shop.platform, {})
        return Access(
            shop=shop.shop,
            secrets={**app, **shop.secrets, **shops.secrets(tx, self._vault, shop.shop.id)},
            clock=self._clock,
            base_url=shop.api_url or app.get("api_url"),
            public_only=not (shop.declared or config.connect.private_addresses),
        )

    def sync_app(self, tx: Tx, platform: str, settings: Mapping[str, str], now: datetime) -> None:
        """Keep what the operator's app on a platform signs with: the receiver has no other place to look."""
        owner = app_owner(platform)
        known = shops.secrets(tx, self._vault, owner)
        for name in SIGNING_SECRETS:
            value = settings.get(name)
            if value and known.get(name) != value:
                shops.put_secret(tx, self._vault, owner, name, value, now)
            elif not value and name in known:
                shops.delete_secret(tx, owner, name)

    def names(self, shop: ShopSettings) -> frozenset[str]:
        """Which credentials the shop has, not their values; remembered until `forget`."""
        with self._guard:
            known = self._names.get(shop.shop.id)
        if known is None:
            with self._store.work.read() as tx:
                known = frozenset(shops.secret_names(tx, shop.shop.id)) | frozenset(shop.secrets)
            with self._guard:
                self._names[shop.shop.id] = known
        return known

    def open_api(self, shop: ShopSettings) -> bool:
        """Whether there is anything to ask the platform with: a signing secret alone opens no API."""
        return bool(self.names(shop) - set(SIGNING_SECRETS))

    def forget(self) -> None:
        """Credentials were added or taken away: look again."""
        with self._guard:
            self._names.clear()
