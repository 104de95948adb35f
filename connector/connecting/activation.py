"""A proven store joins in one transaction, and leaves in one: settings, credentials, hook address, status."""

from __future__ import annotations

import re
from collections.abc import Mapping
from datetime import datetime
from typing import Any, Protocol

from connector.clock import Clock
from connector.config import Config, ConnectedShop, ShopSettings, inherited
from connector.config.schema import check_connected
from connector.contracts import Access, Connected, ConnectsStores, HookTarget, ManagesWebhooks, StoreFacts
from connector.credentials import Credentials, forget_secrets
from connector.errors import ConfigError, ConnectRefused, KiitosError
from connector.model import Shop, ShopStatus
from connector.registry import PLATFORMS, Registry
from connector.secrets import Vault
from connector.standing import reconnect
from connector.store import connecting, jobs, shops
from connector.store.connecting import ConnectedRow
from connector.store.db import Tx
from connector.store.store import Store

_ODD = re.compile(r"[^a-z0-9]+")
_LONGEST_NAME = 40


class Application(Protocol):
    """The parts of the built application that connecting uses."""

    config: Config
    store: Store
    vault: Vault
    registry: Registry
    clock: Clock
    credentials: Credentials

    def refresh(self) -> bool: ...
    def candidate(self, row: ConnectedShop) -> ShopSettings: ...
    def endpoint_key(self, shop: ShopSettings) -> str: ...
    def hook_url(self, shop: ShopSettings) -> str: ...
    def access(self, shop: ShopSettings) -> Access: ...


def connectable(registry: Registry) -> dict[str, ConnectsStores]:
    """The platforms whose stores can be connected here, by name."""
    found: dict[str, ConnectsStores] = {}
    for name in registry.names(PLATFORMS):
        adapter = registry.platform(name)
        if isinstance(adapter, ConnectsStores):
            found[name] = adapter
    return found


def activate(tx: Tx, app: Application, client_id: str, platform: str, proven: Connected, only: str | None) -> str:
    """Let a proven store join a client; return its shop id. Everything or nothing: `tx` is the caller's.

    A store that is known is connected again: new credentials replace the old, its settings, people and flows stay.
    `only` is the one shop an invite is for. Raises `ConnectRefused`.
    """
    adapter, now = connectable(app.registry)[platform], app.clock.now()
    known = _known(tx, platform, proven.facts.domain)
    if known is not None and known.client_id != client_id:
        raise ConnectRefused("taken", "the store belongs to another client")
    shop_id = known.id if known is not None else _free_id(tx, app.config, client_id, proven.facts.domain)
    if only is not None and shop_id != only:
        raise ConnectRefused("another_store", "the link is for another store")
    declared = app.config.shops.get(shop_id)
    if declared is not None and declared.declared and set(declared.secrets) & set(proven.secrets):
        raise ConnectRefused("in_file", "app.toml sets this shop's credentials", shop=shop_id)
    row = _row(tx, app, client_id, shop_id, platform, proven)
    try:
        settings = app.candidate(ConnectedShop(shop_id=shop_id, client_id=client_id, settings=row.settings))
        shops.save(tx, settings.shop, now)
    except ConfigError as error:
        raise ConnectRefused("left_out", error.message, shop=shop_id) from error
    shops.put_endpoint(tx, app.endpoint_key(settings), platform, shop_id, shop_id, now)
    _keep_secrets(tx, app.vault, adapter, shop_id, proven.secrets, now)
    # An uninstall of an earlier installation whose webhook is still on its way must not be obeyed.
    shops.note_installed(tx, shop_id, now)
    if known is not None:
        _welcome_back(tx, known, now)
    connecting.put(tx, row, now)
    return shop_id


def _known(tx: Tx, platform: str, domain: str) -> Shop | None:
    """The shop that is this store. `www` makes no other store: connected twice, its customers would hear all twice."""
    same = [shop for shop in shops.all(tx) if shop.platform == platform and _bare(shop.domain) == _bare(domain)]
    return next((shop for shop in same if shop.domain == domain), same[0] if same else None)


def _bare(domain: str) -> str:
    return domain.lower().removeprefix("www.").rstrip("/")


def _welcome_back(tx: Tx, known: Shop, now: datetime) -> None:
    """What waited for the credentials goes on, and subscriptions are looked at now, not tonight. A paused shop stays
    paused: a person said so."""
    reconnect(tx, known.id, now)
    if known.status is ShopStatus.UNINSTALLED:
        shops.set_status(tx, known.id, ShopStatus.ACTIVE, now, "connected again")
    for kind in ("webhooks", "poll"):
        jobs.wake(tx, known.id, kind, now, now)


def _keep_secrets(
    tx: Tx, vault: Vault, adapter: ConnectsStores, shop_id: str, secrets: Mapping[str, str], now: datetime
) -> None:
    stored = set(shops.secret_names(tx, shop_id))
    for name in set(adapter.credential_names) & stored - set(secrets):
        shops.delete_secret(tx, shop_id, name)
    for name, value in secrets.items():
        if not (name in adapter.lasting_secrets and name in stored):
            shops.put_secret(tx, vault, shop_id, name, value, now)


def _free_id(tx: Tx, config: Config, client_id: str, domain: str) -> str:
    """`client-name`, the name made of the domain; numbered where another store has it."""
    bare = domain.removesuffix(".myshopify.com").removeprefix("www.")
    name = _ODD.sub("-", bare).strip("-")[:_LONGEST_NAME].strip("-") or "shop"
    for number in range(1, 1000):
        shop_id = f"{client_id}-{name}" + (f"-{number}" if number > 1 else "")
        if shop_id not in config.shops and shops.get(tx, shop_id) is None:
            return shop_id
    raise ConnectRefused("left_out", "no free name for the shop", shop=f"{client_id}-{name}")


def _row(tx: Tx, app: Application, client_id: str, shop_id: str, platform: str, proven: Connected) -> ConnectedRow:
    before = connecting.get(tx, shop_id)
    settings: dict[str, Any] = dict(before.settings) if before is not None else {}
    settings.update(_told(proven.facts), platform=platform)
    if "sender" not in settings and inherited(app.config, client_id).get("sender") is None and proven.facts.email:
        name = re.sub(r'[<>"\r\n,;]', " ", proven.facts.name).strip() or proven.facts.domain
        settings["sender"] = f"{name} <{proven.facts.email}>"
    return ConnectedRow(shop_id=shop_id, client_id=client_id, settings=settings, granted=tuple(proven.granted))


def _told(facts: StoreFacts) -> dict[str, Any]:
    """What the platform told, as settings; what could not stand in app.toml (an unknown zone) is left to the file."""
    told = {
        "domain": facts.domain,
        "url": facts.url,
        "name": facts.name,
        "locale": facts.locale,
        "timezone": facts.timezone,
        "currency": facts.currency,
        "country": facts.country,
        "support_email": facts.email,
        "platform_shop_id": facts.platform_shop_id,
    }
    return {key: value for key, value in told.items() if value and not check_connected("", {key: value})}


def remove(tx: Tx, app: Application, shop: Shop) -> None:
    """The shop leaves: sends stop at once, credentials are gone. Its people and history stay until they are erased.

    Its settings stay too: what is still queued for it is dropped with a reason, and late webhooks find no stranger.
    """
    now = app.clock.now()
    shops.set_status(tx, shop.id, ShopStatus.UNINSTALLED, now, "removed")
    forget_secrets(tx, shop.id)
    jobs.forget(tx, shop.id)
    connecting.bump(tx, now)


def leave(app: Application, settings: ShopSettings) -> list[str]:
    """Disconnect a shop; what was done, in words. Stops first, tidies up at the platform second: a platform that
    cannot be reached keeps nobody."""
    shop = settings.shop
    with app.store.work.transaction() as tx:
        shops.set_status(tx, shop.id, ShopStatus.UNINSTALLED, app.clock.now(), "removed")
    done = [f"{shop.id} sends nothing any more", _remove_webhooks(app, settings)]
    with app.store.work.transaction() as tx:
        remove(tx, app, shop)
    app.refresh()
    return [*done, "its credentials are forgotten"]


def _remove_webhooks(app: Application, settings: ShopSettings) -> str:
    adapter, address = app.registry.platform(settings.shop.platform), app.hook_url(settings)
    if not isinstance(adapter, ManagesWebhooks):
        return "its platform's webhooks are not ours to delete"
    try:
        count = adapter.remove_webhooks(app.access(settings), HookTarget(url=address))
    except KiitosError as error:
        return f"its webhooks could not be deleted ({error.code}): delete those that go to {address} in the store"
    return f"{count} webhooks of ours were deleted in the store"
