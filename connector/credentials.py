"""The one place where a shop's credentials come from: every call to a platform gets its `Access` here.

Credentials live sealed in the store. Those of app.toml are copied there at start (`Kiitos.sync`), those of connected
stores are put there when the connection was proven. `connector.tokens` renews those that lapse: callers get their
`Access` from `Kiitos.access`, so that none ever sees an old one.
"""

from __future__ import annotations

import threading

from connector.clock import Clock
from connector.config import Config, ShopSettings
from connector.contracts import Access
from connector.secrets import Vault
from connector.store import shops
from connector.store.db import Tx
from connector.store.store import Store


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
