"""The configuration as the rest of the product sees it: everything resolved, secrets looked up."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from datetime import timedelta
from pathlib import Path
from typing import Any

from connector.config.backups import BackupSettings, ledger_folder, ledger_keep_of, ledger_of, read_backup
from connector.config.consenting import ConsentSettings, TrackingSettings
from connector.config.dispatching import DispatcherSettings
from connector.config.growth import GrowthSettings
from connector.config.layering import Layered
from connector.config.limits import Limits
from connector.config.loyalty import Programme
from connector.config.referrals import ReferralTerms
from connector.config.returns import Returns
from connector.config.reviews import ReviewSettings
from connector.config.seeing import SeeingSettings
from connector.config.streaming import StreamSettings, read_stream
from connector.config.surveys import Surveys
from connector.config.telling import schemas
from connector.errors import ConfigError, near
from connector.model import Brand, Enclosure, Guide, Purpose, Shop


@dataclass(frozen=True, slots=True, kw_only=True)
class AppSettings:
    """The `[app]` table. `max_body` in bytes, `queue` in deliveries waiting for their commit."""

    base_url: str
    host: str
    port: int
    database: str
    inbox: str | None
    master_key: str = field(repr=False)
    max_body: int
    queue: int
    log_level: str
    seeing: SeeingSettings = field(default_factory=SeeingSettings)
    dispatcher: DispatcherSettings = field(default_factory=DispatcherSettings)


@dataclass(frozen=True, slots=True, kw_only=True)
class ConnectSettings:
    """The `[connect]` table. `client` is the one new stores join, `None` where that must be said each time.

    `apps`: the operator's own app on a platform, by platform. `private_addresses` lets stores at loopback and private
    addresses be connected: for tests and for shops in the operator's own network.
    """

    enabled: bool = True
    client: str | None = None
    passphrase: str = field(default="", repr=False)
    private_addresses: bool = False
    apps: Mapping[str, Mapping[str, str]] = field(default_factory=dict, repr=False)


@dataclass(frozen=True, slots=True, kw_only=True)
class ConnectedShop:
    """A store that was connected in a browser or by command: `settings` are keys of a shop's table, no secrets."""

    shop_id: str
    client_id: str
    settings: Mapping[str, Any]


@dataclass(frozen=True, slots=True, kw_only=True)
class FlowSetting:
    """A flow as one shop has it: `file` is a library name or a path; edits in layer order, agency's first.

    `migrate`: what becomes of people in flight when the flow changes, empty where it is not said.
    `priority` and `daily` replace the flow's own and the shop's limit; `canary` is the share of people who get its
    messages before a person releases the others'.
    """

    flow_id: str
    file: str
    enabled: bool
    params: Mapping[str, Any]
    migrate: str = ""
    removes: tuple[tuple[str, tuple[str, ...]], ...] = ()
    inserts: tuple[tuple[str, tuple[Mapping[str, Any], ...]], ...] = ()
    priority: int | None = None
    daily: int | None = None
    canary: float = 1.0


@dataclass(frozen=True, slots=True, kw_only=True)
class FlowsSettings:
    """The `[flows]` table. `apply` is `auto` (a worker that starts applies the files) or `by_hand` (only
    `kiitos flows apply` does, and the worker says what differs); `migrate` is the migration of people in flight where
    nothing else is said."""

    apply: str = "auto"
    migrate: str = "finish"

    @property
    def by_hand(self) -> bool:
        return self.apply == "by_hand"


@dataclass(frozen=True, slots=True, kw_only=True)
class EndpointSettings:
    """Where a flow's `call` goes. `owner` names it in the vault: the layer that says the address, and the name.

    `secrets` are those of the file, the current one first, each `whsec_...`; without any the vault has one of its own.
    `private_addresses`: it may be in the operator's own network.
    """

    name: str
    owner: str
    url: str
    secrets: tuple[str, ...] = field(default=(), repr=False)
    private_addresses: bool = False


@dataclass(frozen=True, slots=True, kw_only=True)
class PersonSettings:
    """Somebody of the merchant's whom flows write to: by `email`, or in the chat whose incoming webhook `chat` is.

    `style` is the form the chat wants (`slack`, `teams`, `discord`); empty: told by the address.
    """

    name: str
    label: str
    email: str = ""
    chat: str = field(default="", repr=False)
    style: str = ""
    private_addresses: bool = False


@dataclass(frozen=True, slots=True, kw_only=True)
class ShopSettings:
    """One shop with all layers resolved. `secrets` maps a credential's name to its value; `api_url` is for tests.

    `declared`: the shop stands in the operator's file, so its address is the operator's word and not a merchant's.
    `guides` are the merchant's texts about products, from the folder the layers name.
    `brand` is how its messages look, `templates` are its own folders of them, the first before the next;
    `order_markup`: messages about an order carry it as JSON-LD; `enclosures` go with some of them.
    `channels` maps a medium (`email`, `sms`) to the name of the channel that carries it; `email_fallbacks` take, in
    this order, what the one before certainly did not. `sms_sender` is the number or name the shop's texts come from,
    empty for the channel's own; a text may take `sms_parts` SMS.
    """

    shop: Shop
    layered: Layered
    flows: tuple[FlowSetting, ...]
    secrets: Mapping[str, str] = field(repr=False)
    email_channel: str
    sender: str
    reply_to: str | None
    soft_opt_in: frozenset[Purpose]
    fetch_before_send: bool
    api_url: str | None
    endpoint_key: str | None = field(repr=False)
    declared: bool = True
    guides: tuple[Guide, ...] = ()
    limits: Limits = field(default_factory=Limits)
    channels: Mapping[str, str] = field(default_factory=dict)
    endpoints: Mapping[str, EndpointSettings] = field(default_factory=dict)
    brand: Brand = field(default_factory=Brand)
    templates: tuple[Path, ...] = ()
    order_markup: bool = False
    enclosures: tuple[Enclosure, ...] = ()
    people: Mapping[str, PersonSettings] = field(default_factory=dict)
    consenting: ConsentSettings = field(default_factory=ConsentSettings)
    tracking: TrackingSettings = field(default_factory=TrackingSettings)
    sms_sender: str = ""
    sms_parts: int = 8
    email_fallbacks: tuple[str, ...] = ()
    loyalty: Programme = field(default_factory=Programme)
    growth: GrowthSettings = field(default_factory=GrowthSettings)
    surveys: Surveys = field(default_factory=Surveys)
    returns: Returns = field(default_factory=Returns)
    referrals: ReferralTerms = field(default_factory=ReferralTerms)
    reviews: ReviewSettings = field(default_factory=ReviewSettings)

    def providers(self, medium: str) -> tuple[str, ...]:
        """The channels that carry a medium, the first one first; none where the shop has none."""
        if medium == "email":
            return (self.email_channel, *self.email_fallbacks)
        return (self.channels[medium],) if medium in self.channels else ()

    @property
    def segments(self) -> Mapping[str, Sequence[str]]:
        """The guards of each segment, as written; `flows.people.segments` reads them."""
        return {name: table.get("when", ()) for name, table in self.layered.get("segments", {}).items()}


@dataclass(frozen=True, slots=True)
class Source:
    """What a configuration was read from: the file's document, and where its secrets are looked up."""

    document: Mapping[str, Any] = field(repr=False)
    environ: Mapping[str, str] = field(repr=False)
    generate: bool


@dataclass(frozen=True, slots=True, kw_only=True)
class Config:
    """Everything the operator wrote, and the stores merchants connected. `directory` is where relative paths start.

    `left_out`: connected stores that cannot be used as they are, with the reason; one merchant's broken store must not
    stop the others.
    """

    path: Path
    app: AppSettings
    connect: ConnectSettings
    flows: FlowsSettings = FlowsSettings()
    channels: Mapping[str, Mapping[str, Any]] = field(repr=False)
    shops: Mapping[str, ShopSettings]
    source: Source = field(repr=False)
    left_out: Mapping[str, str] = field(default_factory=dict)

    @property
    def directory(self) -> Path:
        return self.path.parent

    def shop(self, shop_id: str) -> ShopSettings:
        """The settings of a shop by its id (`client-shop`). Raises `ConfigError` with a near match."""
        if shop_id not in self.shops:
            raise ConfigError(f"no shop '{shop_id}'{near(shop_id, self.shops)}", where=self.path.name)
        return self.shops[shop_id]

    @property
    def events(self) -> Mapping[str, Mapping[str, str]]:
        """Events of the merchants' own: kind (`custom.NAME`) to field to type."""
        return schemas(self.source.document)

    @property
    def backup(self) -> BackupSettings:
        """Where copies go and what they are sealed with; read anew each time. Raises `ConfigError`."""
        table = self.source.document.get("backup", {})
        return read_backup(table, self.directory, self.source.environ, ledger_folder(self.app.database, self.path))

    @property
    def ledger_folder(self) -> Path | None:
        """The folder of the send ledger and of the list of the forgotten; no secret is looked up for it."""
        table = self.source.document.get("backup", {})
        return ledger_of(table, self.directory, ledger_folder(self.app.database, self.path))

    @property
    def ledger_keep(self) -> timedelta:
        """How long what stands in that folder stays."""
        return ledger_keep_of(self.source.document.get("backup", {}))

    @property
    def stream(self) -> StreamSettings | None:
        """Where Litestream copies the databases to; `None` where it does not, and on PostgreSQL."""
        if not self.app.database.startswith("sqlite:///") or ":memory:" in self.app.database:
            return None
        return read_stream(self.source.document.get("backup", {}), self.directory)

    @property
    def clients(self) -> Mapping[str, Mapping[str, Any]]:
        """The clients' own tables in the file, by name."""
        found: Mapping[str, Mapping[str, Any]] = self.source.document.get("clients", {})
        return found
