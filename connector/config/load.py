"""From app.toml to `Config`: checked in one pass, layered, secrets looked up where they live."""

from __future__ import annotations

import os
import re
import tomllib
from collections.abc import Mapping, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

from connector.config import schema
from connector.config.brands import read_brand, read_folders
from connector.config.consenting import read_consenting, read_tracking
from connector.config.dispatching import read_dispatcher
from connector.config.enclosures import read_enclosures
from connector.config.generated import generate_secret
from connector.config.growth import read_growth
from connector.config.guides import DEFAULT_FOLDER, read_guides
from connector.config.layering import Layered, merge
from connector.config.limits import read_limits, read_share
from connector.config.loyalty import read_loyalty
from connector.config.mailboxes import mailbox_faults
from connector.config.parties import read_endpoints, read_people, top_layer
from connector.config.referral_params import flow_params
from connector.config.referrals import ReferralTerms, read_referrals
from connector.config.returns import read_returns
from connector.config.reviews import read_reviews
from connector.config.seeing import read_seeing
from connector.config.settings import (
    AppSettings,
    Config,
    ConnectedShop,
    ConnectSettings,
    FlowSetting,
    FlowsSettings,
    ShopSettings,
    Source,
)
from connector.config.shops import read_shop
from connector.config.surveys import read_surveys
from connector.errors import ConfigError, near
from connector.model import Guide, Purpose

CONNECTED = "connected"
"""The layer of what a platform told when its store was connected."""
SHORTEST_PASSPHRASE = 16
MEDIA = ("sms", "whatsapp", "push", "print")
"""Kinds of messages beside e-mail that a shop may have a channel for."""
_SIZE = re.compile(r"(\d+)\s*(KiB|MiB|B)?")


def load_config(path: Path, environ: Mapping[str, str] | None = None, *, generate: bool = True) -> Config:
    """Read and check the file. Raises one `ConfigError` that lists every fault with its place.

    Without `generate` nothing is written: a secret that is still to be made is empty. Only for looking at the file.
    """
    document = read_document(path)
    return parse_config(document, path, os.environ if environ is None else environ, generate=generate)


def read_document(path: Path) -> dict[str, Any]:
    """The parsed file. Raises `ConfigError` where there is none, or no TOML."""
    try:
        return tomllib.loads(path.read_text(encoding="utf-8"))
    except FileNotFoundError as error:
        raise ConfigError(
            "not found; begin with a copy of the app.toml that comes with Kiitos, or name yours with --config",
            where=str(path),
        ) from error
    except (tomllib.TOMLDecodeError, UnicodeDecodeError) as error:
        raise ConfigError(f"is no TOML: {error}", where=path.name) from error


def parse_config(
    document: Mapping[str, Any],
    path: Path,
    environ: Mapping[str, str],
    *,
    generate: bool = True,
    connected: Sequence[ConnectedShop] = (),
) -> Config:
    """`load_config` for a document that is parsed already, with the stores that were connected."""
    faults = schema.check_document(document)
    if faults:
        raise _faulty(path, faults)
    reader = _Reader(document, path, environ, faults, generate)
    app = reader.app()
    channels = {name: reader.channel(name, table) for name, table in document.get("channels", {}).items()}
    connect = reader.connect()
    shops = reader.shops(channels, {row.shop_id: row for row in connected})
    if faults or app is None:
        raise _faulty(path, faults)
    joined, left_out = reader.join(channels, [row for row in connected if row.shop_id not in shops])
    return Config(
        path=path,
        app=app,
        connect=connect,
        flows=FlowsSettings(**document.get("flows", {})),
        channels=channels,
        shops={**shops, **joined},
        source=Source(document, environ, generate),
        left_out=left_out,
    )


def with_connected(config: Config, connected: Sequence[ConnectedShop]) -> Config:
    """The same file under these connected stores: each is a layer `connected` above its client's, below the file's
    own table of the shop where there is one. Faulty ones are in `left_out`."""
    source = config.source
    return parse_config(source.document, config.path, source.environ, generate=source.generate, connected=connected)


def inherited(config: Config, client_id: str) -> Layered:
    """What every shop of a client gets from the file. Raises `ConfigError` for an unknown client."""
    if client_id not in config.clients:
        raise ConfigError(f"no client '{client_id}'{near(client_id, config.clients)}", where=config.path.name)
    source = config.source
    reader = _Reader(source.document, config.path, source.environ, [], generate=False)
    return merge(reader.layers_of(client_id, config.clients[client_id]))


def _faulty(path: Path, faults: list[str]) -> ConfigError:
    faults = list(dict.fromkeys(faults))  # what every shop inherits is one fault
    lines = "\n".join(f"  {path.name}: {fault}" for fault in faults)
    return ConfigError(f"{len(faults)} fault(s):\n{lines}", where=str(path.name))


class _Reader:
    def __init__(
        self, document: Mapping[str, Any], path: Path, environ: Mapping[str, str], faults: list[str], generate: bool
    ) -> None:
        self.document = document
        self.path = path
        self.environ = environ
        self.faults = faults
        self.generate = generate
        self._guides: dict[str, tuple[Guide, ...]] = {}

    def app(self) -> AppSettings | None:
        table = self.document.get("app", {})
        host, _, port = str(table.get("listen", "127.0.0.1:8321")).rpartition(":")
        size = _SIZE.fullmatch(str(table.get("max_body", "2 MiB")))
        limit = int(size[1]) * {"KiB": 1 << 10, "MiB": 1 << 20}.get(size[2] or "B", 1) if size else 0
        if not 0 < limit <= 10 << 20:
            self.faults.append("app.max_body: should be a size of at most 10 MiB, such as 2 MiB")
        if not port.isdigit():
            self.faults.append("app.listen: should be host:port, such as 127.0.0.1:8321")
            port = "0"
        key = self.secret("app.master_key", table.get("master_key", {"file": "var/master.key", "generate": True}))
        database = self.secret("app.database", table.get("database", "sqlite:///var/kiitos.db"))
        return AppSettings(
            base_url=str(table.get("base_url", f"http://{host or '127.0.0.1'}:{port}")).rstrip("/"),
            host=host or "127.0.0.1",
            port=int(port),
            database=self.anchored(database),
            inbox=self.anchored(table["inbox"]) if "inbox" in table else None,
            master_key=key,
            max_body=limit,
            queue=int(table.get("queue", 2000)),
            log_level=str(table.get("log_level", "info")),
            seeing=read_seeing(table, self.document.get("channels", {}), self.secret, self.faults),
            dispatcher=read_dispatcher(table.get("dispatcher", {}), self.secret),
        )

    def connect(self) -> ConnectSettings:
        table = self.document.get("connect", {})
        clients = self.document.get("clients", {})
        client = table.get("client") or (next(iter(clients)) if len(clients) == 1 else None)
        if client is not None and client not in clients:
            self.faults.append(f"connect.client: no client '{client}'{near(client, clients)}")
        passphrase = self.secret("connect.passphrase", table["passphrase"]) if "passphrase" in table else ""
        if passphrase and len(passphrase) < SHORTEST_PASSPHRASE:
            self.faults.append(f"connect.passphrase: should have at least {SHORTEST_PASSPHRASE} characters")
        return ConnectSettings(
            enabled=table.get("enabled", True),
            client=client,
            passphrase=passphrase,
            private_addresses=table.get("private_addresses", False),
            apps={
                name: {key: self.secret(f"connect.apps.{name}.{key}", value) for key, value in app.items()}
                for name, app in table.get("apps", {}).items()
            },
        )

    def anchored(self, database: str) -> str:
        """A relative SQLite path starts at the file's folder, not at wherever the command was typed."""
        if database.startswith("sqlite:///") and not database.startswith("sqlite:////"):
            return f"sqlite:///{(self.path.parent / database.removeprefix('sqlite:///')).resolve()}"
        return database

    def channel(self, name: str, table: Mapping[str, Any]) -> Mapping[str, Any]:
        found = {
            key: self.secret(f"channels.{name}.{key}", value) if isinstance(value, Mapping) else value
            for key, value in table.items()
        }
        self.faults += mailbox_faults(name, str(found["mailbox"])) if found.get("mailbox") else ()
        return found

    def secret(self, where: str, value: Any) -> str:
        """Look a secret up; a missing one is a fault that names the variable or the file, never a value."""
        if isinstance(value, str):
            return value
        if "env" in value:
            found = self.environ.get(value["env"], "")
            if not found:
                self.faults.append(f"{where}: the environment variable {value['env']} is not set")
            return found
        file = self.path.parent / str(value.get("file", ""))
        if value.get("generate") and not file.exists():
            if not self.generate:
                return ""
            generate_secret(file, key=where == "app.master_key")
        try:
            return file.read_text(encoding="utf-8").strip()
        except (OSError, UnicodeDecodeError) as error:
            self.faults.append(f"{where}: the file {file.name} cannot be read ({type(error).__name__})")
            return ""

    def shops(self, channels: Mapping[str, Any], connected: Mapping[str, ConnectedShop]) -> dict[str, ShopSettings]:
        """The shops of the file; what the platform told of a connected one lies below what the file says of it."""
        found = {}
        places: dict[str, str] = {}
        for client_id, client in self.document.get("clients", {}).items():
            base = self.layers_of(client_id, client)
            for name, table in client.get("shops", {}).items():
                where, shop_id = f"clients.{client_id}.shops.{name}", f"{client_id}-{name}"
                if shop_id in places:
                    self.faults.append(
                        f"{where}: is called '{shop_id}' like {places[shop_id]}; give one of them another name"
                    )
                    continue
                places[shop_id] = where
                told = connected.get(shop_id)
                middle = [(CONNECTED, told.settings)] if told and told.client_id == client_id else []
                layered = merge([*base, *middle, (where, table)])
                settings = self.shop(where, client_id, shop_id, layered, channels)
                if settings is not None:
                    found[settings.shop.id] = settings
        return found

    def join(
        self, channels: Mapping[str, Any], connected: Sequence[ConnectedShop]
    ) -> tuple[dict[str, ShopSettings], dict[str, str]]:
        """Connected stores the file does not name, and the reasons of those that cannot join."""
        clients = self.document.get("clients", {})
        joined: dict[str, ShopSettings] = {}
        left_out: dict[str, str] = {}
        for row in connected:
            self.faults = faults = []
            where = f"{CONNECTED}.{row.shop_id}"
            client = clients.get(row.client_id)
            if client is None:
                left_out[row.shop_id] = f"{where}: app.toml has no client '{row.client_id}' (any more)"
                continue
            faults += schema.check_connected(f"{where}.", row.settings)
            layered = merge([*self.layers_of(row.client_id, client), (CONNECTED, row.settings)])
            settings = None if faults else self.shop(where, row.client_id, row.shop_id, layered, channels)
            if settings is None:
                left_out[row.shop_id] = "; ".join(faults)
            else:
                joined[row.shop_id] = replace(settings, declared=False)
        return joined, left_out

    def layers_of(self, client_id: str, client: Mapping[str, Any]) -> list[tuple[str, Mapping[str, Any]]]:
        """What a client's shops inherit: the file's segments, defaults, presets, the client's own table."""
        own = {k: v for k, v in client.items() if k not in ("extends", "shops")}
        where = f"clients.{client_id}"
        defaults = ("defaults", self.document.get("defaults", {}))
        return [top_layer(self.document), defaults, *self.presets(where, client), (where, own)]

    def presets(self, where: str, table: Mapping[str, Any]) -> list[tuple[str, Mapping[str, Any]]]:
        chain: list[tuple[str, Mapping[str, Any]]] = []
        seen: set[str] = set()
        while (wanted := table.get("extends")) not in (None, "defaults"):
            name = str(wanted).removeprefix("presets.")
            presets = self.document.get("presets", {})
            if name in seen:
                self.faults.append(f"{where}.extends: presets extend one another in a circle at '{name}'")
                break
            if name not in presets:
                self.faults.append(f"{where}.extends: no preset '{name}'{near(name, presets)}")
                break
            seen.add(name)
            table = presets[name]
            chain.insert(0, (f"presets.{name}", {k: v for k, v in table.items() if k != "extends"}))
        return chain

    def shop(
        self, where: str, client_id: str, shop_id: str, layered: Layered, channels: Mapping[str, Any]
    ) -> ShopSettings | None:
        get = layered.get
        before = len(self.faults)
        if not get("platform"):
            self.faults.append(f'{where}.platform: missing; write platform = "shopify" or "woocommerce"')
        if not (get("domain") or get("url")):
            self.faults.append(f"{where}: needs domain (Shopify) or url (WooCommerce)")
        mailers = self.mailers(where, get("email"), channels)
        if not get("sender"):
            self.faults.append(f'{where}.sender: missing; write sender = "Shop name <hello@your-domain>"')
        purposes = frozenset(Purpose.of(word) for word in get("soft_opt_in", []))
        if Purpose.OTHER in purposes:
            self.faults.append(f"{where}.soft_opt_in: purposes are {', '.join(p for p in Purpose if p != 'other')}")
        secrets = {name: self.secret(f"{where}.{name}", get(name)) for name in schema.SECRETS if get(name) is not None}
        key = self.secret(f"{where}.endpoint_key", get("endpoint_key")) if get("endpoint_key") else None
        media = self.media(where, layered, channels)
        endpoints = read_endpoints(layered, self.secret, self.faults)
        people = read_people(layered, self.secret, self.faults)
        referrals = read_referrals(layered, where, get("currency", "EUR"), self.faults)
        flows = tuple(self.flow(where, flow_id, layered, referrals) for flow_id in get("flows", {}))
        guides = self.guides(where, get("guides"))
        brand = read_brand(self.document, self.path.parent, get("brand"), where, self.faults)
        enclosures = read_enclosures(self.path.parent, get("attachments", {}), where, self.faults)
        templates = read_folders(self.path.parent, get("templates"), where, self.faults)
        loyalty = read_loyalty(layered, where, get("currency", "EUR"), self.faults)
        surveys = read_surveys(layered, where, self.faults)
        if len(self.faults) > before:
            return None
        return ShopSettings(
            shop=read_shop(client_id, shop_id, layered),
            loyalty=loyalty,
            growth=read_growth(layered),
            surveys=surveys,
            returns=read_returns(layered),
            referrals=referrals,
            reviews=read_reviews(layered),
            layered=layered,
            flows=flows,
            secrets=secrets,
            email_channel=mailers[0],
            email_fallbacks=mailers[1:],
            sender=get("sender"),
            reply_to=get("reply_to"),
            soft_opt_in=purposes,
            fetch_before_send=get("fetch_before_send", True),
            api_url=get("api_url"),
            endpoint_key=key,
            guides=guides,
            brand=brand,
            templates=templates,
            enclosures=enclosures,
            order_markup=get("order_markup", False),
            limits=read_limits(layered),
            channels={"email": mailers[0], **media},
            consenting=read_consenting(layered),
            tracking=read_tracking(layered),
            endpoints=endpoints,
            people=people,
            sms_sender=get("sms_sender", ""),
            sms_parts=get("sms_parts", 8),
        )

    def guides(self, where: str, named: str | None) -> tuple[Guide, ...]:
        """The product texts of a folder, read once however many shops name it."""
        name = named or DEFAULT_FOLDER
        folder = self.path.parent / name
        if named and not folder.is_dir():
            beside = [entry.name for entry in folder.parent.iterdir()] if folder.parent.is_dir() else []
            self.faults.append(f"{where}.guides: no folder '{name}'{near(folder.name, beside)}")
            return ()
        if name not in self._guides:
            self._guides[name] = read_guides(folder, self.faults)
        return self._guides[name]

    def mailers(self, where: str, named: str | list[str] | None, channels: Mapping[str, Any]) -> tuple[str, ...]:
        """The channels for e-mail, the first one first; the next takes what the one before certainly did not."""
        names = [named] if isinstance(named, str) else named or list(channels)[:1] or [""]
        for name in names:
            if name not in channels:
                self.faults.append(f"{where}.email: no channel '{name}'{near(name, channels)}")
        if len(set(names)) < len(names):
            self.faults.append(f"{where}.email: a channel is named twice")
        return tuple(names)

    def media(self, where: str, layered: Layered, channels: Mapping[str, Any]) -> dict[str, str]:
        """The channels for other kinds of messages than e-mail, as far as the shop has any."""
        found = {medium: str(layered.get(medium)) for medium in MEDIA if layered.get(medium)}
        for medium, name in found.items():
            if name not in channels:
                self.faults.append(f"{where}.{medium}: no channel '{name}'{near(name, channels)}")
        return found

    def flow(self, where: str, flow_id: str, layered: Layered, referrals: ReferralTerms) -> FlowSetting:
        table = layered.get(f"flows.{flow_id}")
        if not table.get("file"):
            self.faults.append(f"{where}.flows.{flow_id}.file: missing; name a library flow or a .toml file")
        edits = layered.edits
        return FlowSetting(
            flow_id=flow_id,
            file=table.get("file", ""),
            enabled=table.get("enabled", True),
            params={**flow_params(referrals, table.get("file", "")), **table.get("params", {})},
            migrate=table.get("migrate", ""),
            priority=table.get("priority"),
            daily=table.get("daily"),
            canary=read_share(table.get("canary", "100%")),
            removes=tuple((layer, tuple(v)) for layer, v in edits.get(f"flows.{flow_id}.remove", [])),
            inserts=tuple((layer, tuple(v)) for layer, v in edits.get(f"flows.{flow_id}.insert", [])),
        )
