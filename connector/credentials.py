"""The one place where a shop's credentials come from: every call to a platform gets its `Access` here.

Credentials live sealed in the store. Those of app.toml are copied there at start (`Kiitos.sync`), those of connected
stores are put there when the connection was proven. Renewal of tokens that lapse belongs here too, so that no caller
ever sees an old one.
"""

from __future__ import annotations

import threading

from connector.clock import Clock
from connector.config import Config, ShopSettings
from connector.contracts import Access
from connector.secrets import Vault
from connector.store import shops
from connector.store.store import Store


class Credentials:
    """Looks credentials up. Thread-safe; never called inside a transaction."""

    def __init__(self, store: Store, vault: Vault, clock: Clock) -> None:
        self._store = store
        self._vault = vault
        self._clock = clock
        self._names: dict[str, frozenset[str]] = {}
        self._guard = threading.Lock()

    def access(self, shop: ShopSettings, config: Config) -> Access:
        """What an adapter needs to act for the shop now. Raises `ConfigError` when the vault has not the key."""
        with self._store.work.read() as tx:
            stored = shops.secrets(tx, self._vault, shop.shop.id)
        return Access(
            shop=shop.shop,
            secrets={**shop.secrets, **stored},
            clock=self._clock,
            base_url=shop.api_url,
            public_only=not (shop.declared or config.connect.private_addresses),
        )

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

    def forget(self) -> None:
        """Credentials were added or taken away: look again."""
        with self._guard:
            self._names.clear()
