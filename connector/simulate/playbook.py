"""Which flows are looked at: a shop's own, one more beside them, one alone, another file's, or versions of the past."""

from __future__ import annotations

import tomllib
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path

from connector.config import Config, FlowSetting, ShopSettings, load_config
from connector.config.settings import Source
from connector.errors import ConfigError, near
from connector.registry import Registry
from connector.store import applied, past
from connector.store.db import Tx
from flows.applied import Held, load_applied
from flows.catalog import Catalog, library_names
from flows.definition import Flow
from flows.render.locales import FALLBACK
from flows.render.sources import Sources

_KEY = "simulation=" + "c2ltdWxhdGlvbiBrZXkgdGhhdCBpcyAzMiBieXRlcyE="
APPLIED = "applied"
MEMORY_CHANNEL = "simulated"


@dataclass(frozen=True, slots=True, kw_only=True)
class Playbook:
    """One shop with the flows it is to be looked at with. Holds no secret, so that it may be handed to other processes.

    `bodies` are flows as canonical JSON (`Flow.to_json`): each takes the place of the file's flow of its id, or joins
    them; with `whole` they are all there is.
    `shown` are the ids of the flows to tell of; empty tells of all. The others still count: caps and arbitration are
    between all flows of a shop.
    """

    name: str
    config: Config
    shop_id: str
    bodies: tuple[str, ...] = ()
    whole: bool = False
    shown: frozenset[str] = frozenset()

    @property
    def settings(self) -> ShopSettings:
        return self.config.shop(self.shop_id)

    def catalog(self, registry: Registry) -> Catalog:
        """The flows, checked against what the platform of `registry` can do. Raises `ConfigError` with every fault."""
        templates = frozenset(Sources().names(FALLBACK))
        if not (self.bodies or self.whole):
            return Catalog(self.config, registry, templates)
        theirs = [Flow.from_json(body, registry.steps) for body in self.bodies]
        taken = {flow.id for flow in theirs}
        files = [] if self.whole else Catalog(self.config, registry, templates).flows(self.shop_id)
        flows = [*(flow for flow in files if flow.id not in taken), *theirs]
        return Catalog(self.config, registry, templates, applied={self.shop_id: Held(flows)})

    def flows(self) -> list[Flow]:
        """The flows as they load for the shop's real platform. Raises `ConfigError` with every fault."""
        return self.catalog(Registry()).flows(self.shop_id)


def of_shop(config: Config, shop_id: str, name: str = "app.toml") -> Playbook:
    """The shop as `config` has it, with everything a look back does not need taken out."""
    settings = config.shop(shop_id)
    bare = replace(
        settings,
        secrets={},
        email_channel=MEMORY_CHANNEL,
        email_fallbacks=(),
        channels=dict.fromkeys(settings.channels, MEMORY_CHANNEL),
        fetch_before_send=False,
        consenting=replace(settings.consenting, signup=False),  # nobody comes to a page, and one flow may stand alone
        api_url=None,
        endpoint_key="simulated",
    )
    app = replace(config.app, master_key=_KEY, database="sqlite://:memory:", inbox=None)
    small = replace(
        config,
        app=app,
        flows=replace(config.flows, apply="auto"),
        connect=replace(config.connect, enabled=False, passphrase="", apps={}),
        channels={MEMORY_CHANNEL: {"kind": "memory"}},
        shops={shop_id: bare},
        source=Source(_without_secrets(config), {}, generate=False),
        left_out={},
    )
    return Playbook(name=name, config=small, shop_id=shop_id)


def _without_secrets(config: Config) -> dict[str, object]:
    return {"clients": {name: {} for name in config.clients}}


def from_file(path: Path, shop_id: str, environ: Mapping[str, str]) -> Playbook:
    """The shop as another operator's file has it. Raises `ConfigError`."""
    return of_shop(load_config(path, environ, generate=False), shop_id, path.name)


def as_running(config: Config, shop_id: str, flows: Sequence[Flow], name: str = "applied") -> Playbook:
    """The shop with exactly these flows."""
    bodies = tuple(flow.to_json() for flow in flows if flow.enabled)
    return replace(of_shop(config, shop_id, name), bodies=bodies, whole=True)


def _applied(config: Config, shop_id: str, text: str, tx: Tx) -> Playbook:
    state = applied.get(tx, shop_id, int(text)) if text.isdigit() else applied.newest_of(tx, shop_id)
    if state is None and text == APPLIED and not config.flows.by_hand:
        return of_shop(config, shop_id, text)  # no worker has started yet; the first one applies the file
    if state is None:
        raise ConfigError(f"nothing was applied to {shop_id} as '{text}'; see kiitos flows history")
    held = load_applied(tx, [state], Registry().steps)[shop_id]
    limited = replace(config, shops={**config.shops, shop_id: held.limiting(config.shop(shop_id))})
    return as_running(limited, shop_id, held.flows, text)


def chosen(text: str, config: Config, shop_id: str, tx: Tx, environ: Mapping[str, str]) -> Playbook:
    """What a person named: `now` (the file as it stands), `applied` (what runs), the number of a state that was
    applied, another operator's file, a flow's file, or a version's hash.

    A flow's file or version takes the place of the shop's flow of that id. Raises `ConfigError` naming the choices.
    """
    if text in ("now", config.path.name):
        return of_shop(config, shop_id, config.path.name)
    if text == APPLIED or text.isdigit():
        return _applied(config, shop_id, text, tx)
    path = Path(text)
    if path.suffix == ".toml":
        document = _document(path)
        return from_file(path, shop_id, environ) if "clients" in document else _with_file(config, shop_id, path)
    body = past.flow_version(tx, shop_id, text)
    if body is None:
        raise ConfigError(
            f"no version '{text}' of a flow of {shop_id}; name one, a .toml file, 'now' for app.toml, or 'applied'"
        )
    return replace(of_shop(config, shop_id, text), bodies=(body,))


def _document(path: Path) -> Mapping[str, object]:
    try:
        return tomllib.loads(path.read_text(encoding="utf-8"))
    except (OSError, UnicodeDecodeError, tomllib.TOMLDecodeError) as error:
        raise ConfigError(f"cannot be read: {error}", where=path.name) from error


def _with_file(config: Config, shop_id: str, path: Path) -> Playbook:
    """The shop with this file in the place of its flow of the same id; parameters and edits of app.toml stay."""
    book = of_shop(config, shop_id, path.name)
    flow_id = str(_document(path).get("id", ""))
    at = next((at for at, flow in enumerate(book.flows()) if flow.id == flow_id), None)
    enabled = [setting for setting in book.settings.flows if setting.enabled]
    if at is None:
        return replace(with_flows(book, [str(path.resolve())]), shown=frozenset())
    swapped = tuple(replace(each, file=str(path.resolve())) if each is enabled[at] else each for each in enabled)
    settings = replace(book.settings, flows=swapped)
    return replace(book, config=replace(book.config, shops={shop_id: settings}))


def only(playbook: Playbook, names: Sequence[str]) -> Playbook:
    """Tell only of the shop's flows of these ids. Raises `ConfigError` with near matches."""
    known = [flow.id for flow in playbook.flows()]
    for name in names:
        if name.replace("_", "-") not in known:
            raise ConfigError(f"no flow '{name}'{near(name, known)}", where=playbook.name)
    return replace(playbook, shown=frozenset(name.replace("_", "-") for name in names))


def with_flows(playbook: Playbook, names: Sequence[str], *, alone: bool = False) -> Playbook:
    """Tell only of the flows called so: ids of the shop's flows, names of the library, or files beside app.toml.

    One the shop does not have joins its playbook with the parameters of its file. `alone` leaves the others out.
    Raises `ConfigError` with near matches.
    """
    settings = playbook.settings
    chosen = [_setting(playbook, name) for name in names]
    if alone:
        flows = tuple(chosen)
    else:
        taken = {setting.flow_id for setting in chosen}
        flows = (*(each for each in settings.flows if each.flow_id not in taken), *chosen)
    config = replace(playbook.config, shops={playbook.shop_id: replace(settings, flows=flows)})
    joined = replace(playbook, config=config)
    only = replace(joined, config=replace(config, shops={playbook.shop_id: replace(settings, flows=tuple(chosen))}))
    return replace(joined, shown=frozenset(flow.id for flow in only.flows()))


def _setting(playbook: Playbook, name: str) -> FlowSetting:
    settings = playbook.settings
    known = {setting.flow_id: setting for setting in settings.flows}
    files = {setting.file: setting for setting in settings.flows}
    found = known.get(name) or known.get(name.replace("_", "-")) or files.get(name)
    if found is not None:
        return replace(found, enabled=True)
    file = name if name.endswith(".toml") else name.replace("-", "_")
    if not file.endswith(".toml") and file not in library_names():
        raise ConfigError(f"no flow '{name}'{near(name, [*known, *library_names()])}", where=playbook.name)
    return FlowSetting(flow_id=Path(file).stem.replace("_", "-"), file=file, enabled=True, params={})
