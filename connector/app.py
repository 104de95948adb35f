"""The composition root: everything a process needs, built once from the configuration."""

from __future__ import annotations

import threading
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from functools import cached_property
from pathlib import Path
from typing import TYPE_CHECKING

from connector.clock import Clock, SystemClock
from connector.config import Config, ConnectedShop, ShopSettings, load_config, with_connected
from connector.config.folders import make_folder
from connector.contracts import Access, Channel
from connector.contracts.channel_events import HOOK_PREFIX
from connector.credentials import Credentials, app_owner, installation_salt
from connector.errors import ConfigError
from connector.keeping.refusals import keep_refusals
from connector.keeping.starting import open_store
from connector.log import get_log
from connector.model import Shop, ShopStatus
from connector.registry import Registry
from connector.secrets import Vault
from connector.store import applied as applied_states
from connector.store import connecting, scopes, shops
from connector.store.applied import AppliedState
from connector.store.store import Store
from connector.working.calling import Caller, keep_secrets
from connector.working.channels import Channels
from connector.working.tokens import Tokens
from flows.applied import Held, load_applied
from flows.catalog import Catalog
from flows.render.locales import FALLBACK
from flows.render.sources import Sources
from flows.runner import Runner
from flows.sending.addressing import derive_token
from flows.sending.routing import Routing
from webhooks.doors import event_urls

if TYPE_CHECKING:
    from flask import Flask

    from flows.outbox import Outbox
    from flows.render.renderer import Renderer


log = get_log("app")

AT_ONCE = 0.5
"""Seconds a receiver waits for the check of each file before it takes deliveries: what it stores is lost to nobody."""
AT_START = 5.0
"""The same of a worker and of commands: a file too large for that is checked beside the work."""


@dataclass(kw_only=True)
class Kiitos:
    """The built application. Web, worker, simulation and commands all use one of these; none of them is global.

    What only the worker needs (renderer, outbox) is made, and its modules are imported, at first use. `config` and
    `catalog` are replaced as a whole by `refresh`: ask for them anew, keep neither. `generation` is that of the
    connected stores and applied flows they were made with, `applied` the number of each shop's state at that time.
    """

    config: Config
    store: Store
    vault: Vault
    registry: Registry
    clock: Clock
    catalog: Catalog
    runner: Runner
    credentials: Credentials
    salt: bytes = field(repr=False)
    generation: int = 0
    applied: dict[str, int] = field(default_factory=dict)
    files: dict[tuple[str, str], bytes] = field(default_factory=dict, repr=False)
    _reading: threading.Lock = field(default_factory=threading.Lock, repr=False)

    @cached_property
    def renderer(self) -> Renderer:
        from flows.render.renderer import Renderer

        return Renderer()

    @cached_property
    def outbox(self) -> Outbox:
        from flows.outbox import Outbox
        from flows.sending.composing import Composer

        composer = Composer(self.renderer, self.config.app.base_url, self.salt, self.files)
        return Outbox(
            self.runner,
            composer,
            self.clock,
            salt=self.salt,
            base_url=self.config.app.base_url,
            routing=self.routing,
        )

    @cached_property
    def routing(self) -> Routing:
        """By which provider a message goes, and when."""
        return Routing(self.channels.provider)

    @cached_property
    def tokens(self) -> Tokens:
        """Where credentials come from; they are renewed there."""
        return Tokens(self.store, self.vault, self.registry, self.clock, self.credentials, lambda: self.config)

    @cached_property
    def caller(self) -> Caller:
        """Who calls the merchants' own endpoints."""
        return Caller(self.store, self.vault, self.clock)

    def channel(self, shop: ShopSettings, medium: str = "email") -> Channel:
        """The shop's first channel for e-mail or another medium; one instance a name, built on first use."""
        return self.channels.named(shop.providers(medium)[0])

    @cached_property
    def channels(self) -> Channels:
        """The configured channels."""
        return Channels(lambda: self.config, self.registry, self.clock, self.event_urls)

    def use_channel(self, name: str, channel: Channel) -> None:
        """Put a channel in place of the configured one: simulation and tests."""
        self.channels.use(name, channel)

    def access(self, shop: ShopSettings) -> Access:
        """What an adapter needs to act for the shop, with credentials that work now. May ask the platform to renew
        them: never in a transaction. Raises `AuthExpired`, `Transient`."""
        return self.tokens.access(shop)

    def endpoint_key(self, shop: ShopSettings) -> str:
        """The unguessable part of the shop's hook URL: configured, or derived from the master key."""
        return shop.endpoint_key or derive_token(self.salt, "endpoint", shop.shop.id, length=32)

    def hook_url(self, shop: ShopSettings) -> str:
        return f"{self.config.app.base_url}/hooks/{shop.shop.platform}/{self.endpoint_key(shop)}"

    def event_urls(self) -> dict[str, str]:
        """Where the providers of the configured channels tell what became of messages, by channel."""
        return event_urls(self.config, self.registry, self.salt)

    def refresh(self) -> bool:
        """Take in stores that were connected, changed or removed since, and flows that were applied; True when there
        were any. One short read.

        Whatever is wrong with them is logged and leaves the configuration as it is: the others go on.
        """
        with self.store.work.read() as tx:
            generation = connecting.generation(tx)
        if generation == self.generation:
            return False
        with self._reading:
            if generation == self.generation:
                return False
            states = _states(self.store)
            # With files that apply themselves, only what was applied since this process read them goes before them.
            seen = {} if self.config.flows.by_hand else self.applied
            later = [each for each in states.values() if each.rolled_back or each.state > seen.get(each.shop_id, 0)]
            try:
                held = _held(self.store, later, self.registry)
                config, catalog = settle(self.config, self.registry, connected_shops(self.store), self.catalog, held)
            except ConfigError as error:
                log.error("connected_stores_unusable", code=error.code, reason=error.message)
                self.generation = generation
                return False
            self.config, self.catalog, self.generation = config, catalog, generation
            self.runner.catalog = catalog
            self.credentials.forget()
        self.sync()
        self.limit()
        return True

    def candidate(self, row: ConnectedShop) -> ShopSettings:
        """The shop as it would be with these settings, its flows loaded. Raises `ConfigError` saying why not."""
        whole = with_connected(self.config, [row])
        fault = whole.left_out.get(row.shop_id) or _flow_faults(whole, self.registry, row)
        if fault:
            raise ConfigError(fault)
        return whole.shop(row.shop_id)

    def limit(self) -> list[str]:
        """Withhold the flows for which a merchant granted too little, as far as that was told; why, a line a fault."""
        faults: list[str] = []
        with self.store.work.read() as tx:
            told = {shop_id: scopes.get(tx, shop_id) for shop_id in self.config.shops}
            for row in connecting.all(tx):
                if row.granted and row.shop_id in told and told[row.shop_id] is None:
                    told[row.shop_id] = frozenset(row.granted)
        for shop_id, granted in told.items():
            if granted is None:
                continue
            for fault in self.catalog.withhold(shop_id, granted):
                log.error("flow_withheld", shop_id=shop_id, reason=fault)
                faults.append(fault)
        return faults

    def app_hook_url(self, platform: str) -> str:
        """Where webhooks of the operator's own app on a platform go, for all its shops: the delivery names the shop."""
        key = derive_token(self.salt, "endpoint", app_owner(platform), length=32)
        return f"{self.config.app.base_url}/hooks/{platform}/{key}"

    def sync(self) -> None:
        """Write shops, hook URLs and credentials of the configuration into the store. Idempotent."""
        now = self.clock.now()
        with self.store.work.transaction() as tx:
            for platform, app in self.config.connect.apps.items():
                key = self.app_hook_url(platform).rpartition("/")[2]
                shops.put_endpoint(tx, key, platform, app_owner(platform), None, now)
                self.credentials.sync_app(tx, platform, app, now)
            for name, url in self.event_urls().items():
                key = url.rpartition("/")[2]
                shops.put_endpoint(tx, key, f"{HOOK_PREFIX}{name}", f"channel:{name}", None, now)
            for shop_id, settings in self.config.shops.items():
                stored = shops.get(tx, shop_id)
                shop = settings.shop
                if stored is None or _differs(stored, shop):
                    shops.save(tx, replace(shop, status=stored.status) if stored else shop, now)
                shops.put_endpoint(tx, self.endpoint_key(settings), shop.platform, shop_id, shop_id, now)
                if stored is not None and stored.status is ShopStatus.UNINSTALLED:
                    continue  # it was removed: its credentials stay deleted, whatever the file still says
                known = shops.secrets(tx, self.vault, shop_id)
                keep_secrets(tx, self.vault, self.clock, settings)
                for name, value in settings.secrets.items():
                    if known.get(name) != value:
                        shops.put_secret(tx, self.vault, shop_id, name, value, now)

    def close(self) -> None:
        self.channels.close()
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
    within: float | None = None,
) -> Kiitos:
    """Open the store, check every flow and template, and wire the parts. Raises `ConfigError` with all faults.

    `within`: the seconds the check of each database file may take before it is left for later (`Store.open`).
    """
    clock = clock or SystemClock()
    registry = registry or Registry()
    vault = Vault.from_text(config.app.master_key)
    catalog = None if config.flows.by_hand else load_catalog(config, registry)
    rehearsed = store is not None
    if store is None:
        make_folder(config.app.database)
        store = open_store(config, clock, within)
    with store.work.read() as tx:
        generation = connecting.generation(tx)
    states = _states(store)
    if generation or catalog is None:
        # What somebody went back to stays, also where files apply themselves.
        kept = [state for state in states.values() if config.flows.by_hand or state.rolled_back]
        held = _held(store, kept, registry) if kept else None
        config, catalog = settle(config, registry, connected_shops(store), applied=held)
    salt = installation_salt(store, vault, clock)
    if not rehearsed:
        keep_refusals(store, config, salt, clock)
    runner = Runner(catalog, clock, salt)
    kiitos = Kiitos(
        config=config,
        store=store,
        vault=vault,
        registry=registry,
        clock=clock,
        catalog=catalog,
        runner=runner,
        credentials=Credentials(store, vault, clock),
        salt=salt,
        generation=generation,
        applied={shop_id: state.state for shop_id, state in states.items()},
    )
    kiitos.sync()
    kiitos.limit()
    return kiitos


def load_catalog(
    config: Config,
    registry: Registry,
    before: Catalog | None = None,
    applied: Mapping[str, Held] | None = None,
) -> Catalog:
    """Check every address, flow and template, and touch nothing. Raises `ConfigError` with all faults."""
    return Catalog(config, registry, frozenset(Sources().names(FALLBACK)), before, applied)


def settle(
    config: Config,
    registry: Registry,
    connected: Sequence[ConnectedShop],
    before: Catalog | None = None,
    applied: Mapping[str, Held] | None = None,
) -> tuple[Config, Catalog]:
    """The file with its connected stores, and their flows; `applied` ones go before the file's. A store whose flows do
    not load for it is left out and logged; faults of the file itself raise `ConfigError`."""
    whole = with_connected(config, connected)
    try:
        catalog = load_catalog(whole, registry, before, applied)
    except ConfigError:
        faults = {
            row.shop_id: fault
            for row in connected
            if row.shop_id in whole.shops
            and row.shop_id not in (applied or {})
            and (fault := _flow_faults(whole, registry, row))
        }
        kept = with_connected(config, [row for row in connected if row.shop_id not in faults])
        catalog = load_catalog(kept, registry, applied=applied)
        whole = replace(kept, left_out={**whole.left_out, **faults})
    for shop_id, reason in whole.left_out.items():
        log.error("connected_store_left_out", shop_id=shop_id, reason=reason)
    return whole, catalog


def look(config: Config) -> Config:
    """`config` with the connected stores of its database, to look at: without a database, or with one that this
    program may not read yet, the file alone."""
    database = config.app.database
    if database.startswith("sqlite:///") and not Path(database.removeprefix("sqlite:///")).exists():
        return config
    try:
        store = Store.open(database, inbox_url=config.app.inbox, migrate=False, check=False)
    except ConfigError:
        return config
    try:
        return with_connected(config, connected_shops(store))
    finally:
        store.close()


def _flow_faults(config: Config, registry: Registry, row: ConnectedShop) -> str:
    try:
        load_catalog(replace(config, shops={row.shop_id: config.shops[row.shop_id]}), registry)
    except ConfigError as error:
        return error.message
    return ""


def _states(store: Store) -> dict[str, AppliedState]:
    with store.work.read() as tx:
        return applied_states.newest(tx)


def _held(store: Store, states: Iterable[AppliedState], registry: Registry) -> dict[str, Held]:
    with store.work.read() as tx:
        return load_applied(tx, states, registry.steps)


def connected_shops(store: Store) -> list[ConnectedShop]:
    """Every store that was connected, as a layer of settings."""
    with store.work.read() as tx:
        return [
            ConnectedShop(shop_id=row.shop_id, client_id=row.client_id, settings=row.settings)
            for row in connecting.all(tx)
        ]


def load(path: Path, environ: Mapping[str, str] | None = None, *, clock: Clock | None = None) -> Kiitos:
    """`build` from a file, for a worker and for commands."""
    return build(load_config(path, environ), clock=clock, within=AT_START)


def create_app(kiitos: Kiitos) -> Flask:
    """The Flask application: hook URLs (also served by the fast path), hosted pages, health and metrics."""
    # Here and not above: the worker and most commands build a Kiitos too, and serve nothing.
    from flask import Flask

    from connector import pages
    from connector.watching import figures, gauges
    from webhooks.receiver import Receiver, doors_of, mount_receiver
    from webhooks.settings import ReceiverSettings

    app = Flask("kiitos", static_folder=None)
    settings = ReceiverSettings(max_body=kiitos.config.app.max_body, queue_rows=kiitos.config.app.queue)
    doors = doors_of(kiitos.config.channels, kiitos.event_urls(), kiitos.registry, kiitos.clock)
    receiver = Receiver(kiitos.store, kiitos.vault, kiitos.registry, kiitos.clock, settings, doors=doors)
    mount_receiver(app, receiver)
    gauges.register(receiver.metrics.registry, figures.Looking(kiitos.store, kiitos.clock, kiitos.config))
    app.extensions["kiitos"] = kiitos
    pages.register(app)
    return app


def from_path(path: str) -> Flask:
    """`create_app` from a configuration file: what the server imports."""
    return create_app(build(load_config(Path(path)), within=AT_ONCE))
