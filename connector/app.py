"""The composition root: everything a process needs, built once from the configuration."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from functools import cached_property
from pathlib import Path
from typing import TYPE_CHECKING

from connector.clock import Clock, SystemClock
from connector.config import Config, ShopSettings, load_config
from connector.contracts import Access, Channel
from connector.errors import ConfigError
from connector.model import Shop
from connector.registry import Registry
from connector.secrets import Vault
from connector.store import meta, shops
from connector.store.store import Store
from flows.addressing import derive_token
from flows.catalog import Catalog
from flows.render.locales import FALLBACK
from flows.render.sources import Sources
from flows.runner import Runner

if TYPE_CHECKING:
    from flask import Flask

    from flows.outbox import Outbox
    from flows.render.renderer import Renderer


@dataclass(kw_only=True)
class Kiitos:
    """The built application. Web, worker, simulation and commands all use one of these; none of them is global.

    What only the worker needs (renderer, outbox) is made, and its modules are imported, at first use.
    """

    config: Config
    store: Store
    vault: Vault
    registry: Registry
    clock: Clock
    catalog: Catalog
    runner: Runner
    salt: bytes = field(repr=False)
    _channels: dict[str, Channel] = field(default_factory=dict)

    @cached_property
    def renderer(self) -> Renderer:
        from flows.render.renderer import Renderer

        return Renderer()

    @cached_property
    def outbox(self) -> Outbox:
        from flows.outbox import Outbox

        return Outbox(self.runner, self.renderer, self.clock, base_url=self.config.app.base_url, salt=self.salt)

    def channel(self, shop: ShopSettings) -> Channel:
        """The shop's e-mail channel; one instance a name, built on first use."""
        name = shop.email_channel
        if name not in self._channels:
            table = dict(self.config.channels[name])
            kind = str(table.pop("kind"))
            self._channels[name] = self.registry.channel(kind).from_settings(table, self.clock)
        return self._channels[name]

    def use_channel(self, name: str, channel: Channel) -> None:
        """Put a channel in place of the configured one: simulation and tests."""
        self._channels[name] = channel

    def access(self, shop: ShopSettings) -> Access:
        """What an adapter needs to act for the shop."""
        return Access(shop=shop.shop, secrets=shop.secrets, clock=self.clock, base_url=shop.api_url)

    def endpoint_key(self, shop: ShopSettings) -> str:
        """The unguessable part of the shop's hook URL: configured, or derived from the master key."""
        return shop.endpoint_key or derive_token(self.salt, "endpoint", shop.shop.id, length=32)

    def hook_url(self, shop: ShopSettings) -> str:
        return f"{self.config.app.base_url}/hooks/{shop.shop.platform}/{self.endpoint_key(shop)}"

    def sync(self) -> None:
        """Write shops, hook URLs and credentials of the configuration into the store. Idempotent."""
        now = self.clock.now()
        with self.store.work.transaction() as tx:
            for shop_id, settings in self.config.shops.items():
                stored = shops.get(tx, shop_id)
                shop = settings.shop
                if stored is None or _differs(stored, shop):
                    shops.save(tx, replace(shop, status=stored.status) if stored else shop, now)
                shops.put_endpoint(tx, self.endpoint_key(settings), shop.platform, shop_id, shop_id, now)
                known = shops.secrets(tx, self.vault, shop_id)
                for name, value in settings.secrets.items():
                    if known.get(name) != value:
                        shops.put_secret(tx, self.vault, shop_id, name, value, now)

    def close(self) -> None:
        for channel in self._channels.values():
            channel.close()
        self.store.close()


def _differs(stored: Shop, shop: Shop) -> bool:
    """Whether the file says something new; a shop's status is the store's own."""
    return replace(stored, status=shop.status) != shop


def build(
    config: Config,
    *,
    clock: Clock | None = None,
    registry: Registry | None = None,
    store: Store | None = None,
) -> Kiitos:
    """Open the store, check every flow and template, and wire the parts. Raises `ConfigError` with all faults."""
    clock = clock or SystemClock()
    registry = registry or Registry()
    vault = Vault.from_text(config.app.master_key)
    catalog = load_catalog(config, registry)
    if store is None:
        _make_folder(config.app.database)
        store = Store.open(config.app.database, inbox_url=config.app.inbox)
    salt = _salt(store, vault, clock)
    runner = Runner(catalog, clock, salt)
    kiitos = Kiitos(
        config=config,
        store=store,
        vault=vault,
        registry=registry,
        clock=clock,
        catalog=catalog,
        runner=runner,
        salt=salt,
    )
    kiitos.sync()
    return kiitos


def load_catalog(config: Config, registry: Registry) -> Catalog:
    """Check every address, flow and template, and touch nothing. Raises `ConfigError` with all faults."""
    return Catalog(config, registry, frozenset(Sources().names(FALLBACK)))


def load(path: Path, environ: Mapping[str, str] | None = None, *, clock: Clock | None = None) -> Kiitos:
    """`build` from a file."""
    return build(load_config(path, environ), clock=clock)


def _salt(store: Store, vault: Vault, clock: Clock) -> bytes:
    """The secret behind codes, links and hook addresses: made once, sealed in the store, kept when keys rotate."""
    with store.work.transaction() as tx:
        sealed = meta.get(tx, "salt")
        if sealed is None:
            sealed = vault.encrypt(clock.token(32), "meta|salt")
            meta.put(tx, "salt", sealed, clock.now())
    return vault.decrypt(sealed, "meta|salt").encode()


def _make_folder(database: str) -> None:
    if not database.startswith("sqlite:///"):
        return
    folder = Path(database.removeprefix("sqlite:///")).parent
    try:
        folder.mkdir(mode=0o700, parents=True, exist_ok=True)
    except OSError as error:
        raise ConfigError(f"the folder {folder} cannot be made: {error.strerror}", where="app.database") from error


def create_app(kiitos: Kiitos) -> Flask:
    """The Flask application: hook URLs (also served by the fast path), hosted pages, health and metrics."""
    # Here and not above: the worker and most commands build a Kiitos too, and serve nothing.
    from flask import Flask

    from connector import pages
    from webhooks.receiver import Receiver, mount_receiver
    from webhooks.settings import ReceiverSettings

    app = Flask("kiitos", static_folder=None)
    settings = ReceiverSettings(max_body=kiitos.config.app.max_body, queue_rows=kiitos.config.app.queue)
    mount_receiver(app, Receiver(kiitos.store, kiitos.vault, kiitos.registry, kiitos.clock, settings))
    app.extensions["kiitos"] = kiitos
    pages.register(app)
    return app


def from_path(path: str) -> Flask:
    """`create_app` from a configuration file: what the server imports."""
    return create_app(load(Path(path)))
