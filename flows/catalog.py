"""The flows each shop has, resolved from library, layers and edits; and every version that runs still follow."""

from __future__ import annotations

from collections.abc import Callable, Collection, Mapping
from dataclasses import dataclass
from datetime import datetime
from functools import partial
from importlib.resources import files
from pathlib import Path
from weakref import WeakKeyDictionary

from connector.config import Config, FlowSetting, ShopSettings
from connector.contracts import PlatformAdapter, Step
from connector.errors import ConfigError, Refused, near
from connector.log import get_log
from connector.model import EventKind
from connector.registry import Registry
from connector.store import flows as flow_store
from connector.store.db import Tx
from flows.applied import Held
from flows.authoring.declared import declared_faults
from flows.authoring.faults import Faults
from flows.authoring.lists import ListFile
from flows.definition import (
    DEFAULT_PRIORITY,
    Flow,
    FlowEdits,
    is_about_people,
    load_flow,
    scope_faults,
    shop_faults,
)
from flows.knowing.beyond import is_counted
from flows.people.segments import Segment, load_segments, unknown_segments
from flows.render.mime import ascii_address, split_sender
from flows.render.sources import sources_of
from flows.sending.media import has_medium, no_medium

log = get_log("catalog")

LIBRARY = files("flows").joinpath("library")
LISTS = LIBRARY.joinpath("lists")


def library_names() -> list[str]:
    """The names a `file =` may use without a path."""
    return sorted(entry.name.removesuffix(".toml") for entry in LIBRARY.iterdir() if entry.name.endswith(".toml"))


def list_names() -> list[str]:
    """The lists of steps that `run` may name without a path."""
    return sorted(entry.name.removesuffix(".toml") for entry in LISTS.iterdir() if entry.name.endswith(".toml"))


def read_list(folder: Path, name: str) -> ListFile:
    """A list of steps: of the library by its name, of the operator's `folder` by its path. Raises `ConfigError`."""
    if "/" in name or name.endswith(".toml"):
        try:
            return ListFile(name, (folder / name).read_text(encoding="utf-8"))
        except (OSError, UnicodeDecodeError) as error:
            raise ConfigError(f"the list '{name}' cannot be read ({type(error).__name__})") from error
    if name not in list_names():
        raise ConfigError(f"no list '{name}'{near(name, list_names())}")
    return ListFile(f"lists/{name}.toml", LISTS.joinpath(f"{name}.toml").read_text(encoding="utf-8"))


@dataclass(frozen=True, slots=True)
class _Source:
    where: str
    text: str


_KNOWN: WeakKeyDictionary[Registry, dict[tuple[_Source, str, frozenset[str], frozenset[str]], Flow]] = (
    WeakKeyDictionary()
)
_MOST_KNOWN = 5_000


class Catalog:
    """Flows by shop, by trigger and by version.

    `templates` is the set of message templates that exist; a flow that names another is refused with a near match.
    Raises `ConfigError` listing every fault of every flow when built. Of a catalog `before`, the flows of shops whose
    settings are the same are taken over: one store that joins five hundred must not load five hundred anew. Shops in
    `applied` run what was applied, whatever the files say.
    """

    def __init__(
        self,
        config: Config,
        registry: Registry,
        templates: frozenset[str],
        before: Catalog | None = None,
        applied: Mapping[str, Held] | None = None,
    ) -> None:
        self._config = config
        self._registry = registry
        self._steps: Mapping[str, type[Step]] = registry.steps
        self._templates = templates
        self._versions: dict[tuple[str, str, str], Flow] = {}
        self._pinned: set[tuple[str, str, str]] = set()
        self._by_trigger: dict[tuple[str, str], list[Flow]] = {}
        self._flows: dict[str, list[Flow]] = {}
        self._scheduled: dict[str, list[Flow]] = {}
        self._of_people: set[tuple[str, str]] = set()
        self._segments: dict[str, tuple[Segment, ...]] = {}
        self.withheld: dict[str, list[str]] = {}
        self._settings_of: dict[str, dict[str, FlowSetting]] = {}
        self._limited: dict[str, ShopSettings] = {}
        self._beside: dict[str, tuple[str, ...]] = {}
        faults: list[str] = []
        for shop_id, settings in config.shops.items():
            if applied is not None and shop_id in applied:
                self._segments[shop_id] = self._load_sound_segments(settings)
                self._flows[shop_id] = applied[shop_id].flows
                self._settings_of[shop_id] = applied[shop_id].settings_of(settings)
                self._limited[shop_id] = applied[shop_id].limiting(settings)
                continue
            if before is not None and before._config.shops.get(shop_id) == settings:
                self._flows[shop_id] = before._flows[shop_id]
                self._settings_of[shop_id] = before._settings_of[shop_id]
                self._limited[shop_id] = before.settings(shop_id)
                self._segments[shop_id] = before._segments[shop_id]
                continue
            faults += _address_faults(settings, config.path.name)
            self._segments[shop_id] = self._load_segments(settings, faults)
            self._flows[shop_id] = self._load_shop(settings, faults)
        if faults:
            raise ConfigError("\n".join(dict.fromkeys(faults)))  # a layer's fault is its shops' too
        for shop_id, flows in self._flows.items():
            for flow in flows:
                self._index(shop_id, flow)

    def _index(self, shop_id: str, flow: Flow) -> None:
        self._versions[shop_id, flow.id, flow.version] = flow
        for kind in flow.trigger:
            self._by_trigger.setdefault((shop_id, kind), []).append(flow)
        if flow.schedule is not None:
            self._scheduled.setdefault(shop_id, []).append(flow)
        if is_about_people(flow):
            self._of_people.update((shop_id, kind) for kind in flow.event_kinds)

    def settings(self, shop_id: str) -> ShopSettings:
        """The shop's settings, with the limits that were applied. Raises `ConfigError` for a shop in no file."""
        return self._limited.get(shop_id) or self._config.shop(shop_id)

    def adapter(self, shop_id: str) -> PlatformAdapter:
        """The adapter of the shop's platform. Raises `ConfigError` when the operator's file does not have the shop."""
        return self._registry.platform(self.settings(shop_id).shop.platform)

    def shops_beside(self, shop_id: str) -> tuple[str, ...]:
        """The shops of the same client, this one included: to their customers they are one sender."""
        if shop_id not in self._beside:
            client = self.settings(shop_id).shop.client_id
            theirs = (other.shop.id for other in self._config.shops.values() if other.shop.client_id == client)
            self._beside[shop_id] = tuple(theirs)
        return self._beside[shop_id]

    def setting(self, shop_id: str, flow_id: str) -> FlowSetting | None:
        """What app.toml says of a flow that the shop has switched on."""
        return self._settings_of.get(shop_id, {}).get(flow_id)

    def priority(self, shop_id: str, flow_id: str) -> int:
        """Which of two flows goes first, as it is now: of runs under an earlier version too."""
        setting = self.setting(shop_id, flow_id)
        if setting is not None and setting.priority is not None:
            return setting.priority
        flow = next((each for each in self.flows(shop_id) if each.id == flow_id), None)
        return flow.priority if flow is not None else DEFAULT_PRIORITY

    def knows(self, shop_id: str) -> bool:
        return shop_id in self._config.shops

    def flows(self, shop_id: str) -> list[Flow]:
        return self._flows.get(shop_id, [])

    def segments(self, shop_id: str) -> tuple[Segment, ...]:
        """The shop's segments by name."""
        return self._segments.get(shop_id, ())

    def counts(self, shop_id: str) -> bool:
        """Whether anything of the shop looks at what is counted over its whole history."""
        return any(segment.counted for segment in self.segments(shop_id)) or any(
            is_counted(path) for flow in self.flows(shop_id) for path in flow.paths
        )

    def withhold(self, shop_id: str, granted: frozenset[str]) -> list[str]:
        """Start no runs of flows that need more than the merchant granted; why, a line a fault. People who are in
        such a flow stay in it: what was granted may be granted again."""
        adapter = self.adapter(shop_id)
        faults: list[str] = []
        for flow in self.flows(shop_id):
            found = scope_faults(flow, self.settings(shop_id).shop, adapter, granted)
            faults += found
            for kind in flow.trigger if found else ():
                self._by_trigger[shop_id, kind].remove(flow)
        self.withheld[shop_id] = faults
        return faults

    def triggered_by(self, shop_id: str, kind: str) -> list[Flow]:
        """The enabled flows of a shop that an event of `kind` may start."""
        return self._by_trigger.get((shop_id, kind), [])

    def scheduled(self, shop_id: str) -> list[Flow]:
        """The flows of a shop that wake-ups start."""
        return self._scheduled.get(shop_id, [])

    @property
    def all_scheduled(self) -> Mapping[str, list[Flow]]:
        """The same by shop; empty where no shop has one."""
        return self._scheduled

    def concerns_people(self, shop_id: str, kind: str) -> bool:
        """Whether an event of `kind` may mean runs that are about a person or cart, whatever order it belongs to."""
        return (shop_id, kind) in self._of_people

    def pin(self, tx: Tx, shop_id: str, flow: Flow, now: datetime) -> None:
        """Keep the flow's text under its version, so that runs can finish on it after it was edited."""
        key = (shop_id, flow.id, flow.version)
        if key not in self._pinned:
            flow_store.save(tx, shop_id, flow.id, flow.version, flow.to_json(), now)
            self._pinned.add(key)

    def version(self, tx: Tx, shop_id: str, flow_id: str, version: str) -> Flow:
        """The flow as a run started with it. Raises `ConfigError` when a step type it needs is gone."""
        key = (shop_id, flow_id, version)
        found = self._versions.get(key)
        if found is None:
            body = flow_store.get(tx, shop_id, flow_id, version)
            if body is None:
                raise ConfigError(f"flow {flow_id} version {version} of shop {shop_id} is not stored")
            found = self._versions[key] = Flow.from_json(body, self._steps)
        return found

    def _load_sound_segments(self, settings: ShopSettings) -> tuple[Segment, ...]:
        """What is wrong with one segment of a shop that runs what was applied to it stops neither shop nor segments."""
        faults: list[str] = []
        found = self._load_segments(settings, faults)
        for fault in faults:
            log.error("segment_left_out", shop_id=settings.shop.id, reason=fault)
        return found

    def _load_segments(self, settings: ShopSettings, faults: list[str]) -> tuple[Segment, ...]:
        found: list[str] = []
        segments = load_segments(settings.segments, "segments", found)
        for fault in found:
            path = fault.partition(": ")[0]
            layer = settings.layered.layer_of(path if path.endswith(".when") else f"{path}.when")
            prefix = "" if layer in ("", "app") else f"{layer}."
            faults.append(f"{self._config.path.name}: {prefix}{fault}")
        return segments

    def _load_shop(self, settings: ShopSettings, faults: list[str]) -> list[Flow]:
        flows = []
        places: dict[str, str] = {}
        known = self._settings_of[settings.shop.id] = {}
        for setting in settings.flows:
            if not setting.enabled:
                continue
            try:
                flow = self._load(settings, setting)
            except ConfigError as error:
                faults.append(str(error))
                continue
            place = _place(settings, f"flows.{setting.flow_id}", "file")
            if flow.id in places:
                # A customer would be in it twice or, as an entry key is a flow's own, by chance in one of them.
                faults.append(
                    f"{self._config.path.name}: {place}: is the flow '{flow.id}' again, like {places[flow.id]}; "
                    f"disable one of them, or copy the file and give the copy another id"
                )
                continue
            places[flow.id] = place
            known[flow.id] = setting
            flows.append(flow)
        if settings.consenting.signup and not any(EventKind.SIGNUP_REQUESTED in flow.trigger for flow in flows):
            faults.append(
                f"{self._config.path.name}: {_place(settings, 'signup')}: needs a flow that asks for confirmation; "
                'write flows.opt-in = { file = "opt_in" }'
            )
        return flows

    def _load(self, settings: ShopSettings, setting: FlowSetting) -> Flow:
        source = self._read(setting)
        edits = _edits(setting, self._config.path.name)
        # An agency's clients mostly share their flows: what was read once with the same edits is the same flow. The key
        # holds everything that `load_flow` is told.
        known = _KNOWN.setdefault(self._registry, {})
        named = frozenset(segment.name for segment in self.segments(settings.shop.id))
        templates = self._templates
        if settings.templates:
            templates |= sources_of(settings.templates).own_names()
        key = (source, repr(edits), templates, named)
        flow = known.get(key)
        if flow is None:
            lists: list[str] = []
            flow = load_flow(
                source.text,
                where=source.where,
                registry_steps=self._steps,
                edits=edits,
                templates=templates,
                lists=partial(self._read_list, lists),
                segments=named,
            )
            if len(known) >= _MOST_KNOWN:
                known.clear()
            if not lists:  # a list may be another by the next time, and the flow with it
                known[key] = flow
        adapter = self._registry.platform(settings.shop.platform)
        faults = shop_faults(flow, settings.shop, adapter, where=source.where, steps=self._steps)
        faults += declared_faults(flow, self._config.events, source.where)
        faults += _named_faults(flow, settings, self.adapter, source.where)
        faults += [f"{source.where}: {fault}" for fault in unknown_segments(flow.guards, named)]
        if faults:
            raise ConfigError("\n".join(faults))
        return flow

    def _read_list(self, noted: list[str], name: str) -> ListFile:
        noted.append(name)
        return read_list(self._config.directory, name)

    def _read(self, setting: FlowSetting) -> _Source:
        if "/" in setting.file or setting.file.endswith(".toml"):
            path = self._config.directory / setting.file
            try:
                return _Source(setting.file, path.read_text(encoding="utf-8"))
            except (OSError, UnicodeDecodeError) as error:
                raise ConfigError(f"cannot be read ({type(error).__name__})", where=str(Path(setting.file))) from error
        if setting.file not in library_names():
            raise ConfigError(
                f"no library flow '{setting.file}'{near(setting.file, library_names())}",
                where=f"flows.{setting.flow_id}.file",
            )
        name = f"{setting.file}.toml"
        return _Source(name, LIBRARY.joinpath(name).read_text(encoding="utf-8"))


def _place(settings: ShopSettings, path: str, leaf: str = "") -> str:
    """A setting with the layer it stands in: `clients.acme.sender`."""
    layer = settings.layered.layer_of(f"{path}.{leaf}" if leaf else path)
    return f"{layer}.{path}" if layer else path


def _named_faults(
    flow: Flow, settings: ShopSettings, adapter: Callable[[str], PlatformAdapter], where: str
) -> list[str]:
    """Channels, endpoints and people that steps name and this shop does not have."""
    faults = Faults(where)
    known: Mapping[str, Collection[str]] = {
        "endpoints": settings.endpoints,
        "people": settings.people,
        "surveys.stages": settings.surveys.stages,
    }
    for item in flow.steps:
        media = item.step.media()
        if media and not any(has_medium(medium, settings, adapter) for medium in media):
            faults.add(f"steps.{item.id}", no_medium(media, settings))
        for section, names in item.step.named().items():
            for name in names:
                if name not in known[section]:
                    told = f"shop '{settings.shop.id}' has no {section}.{name}{near(name, known[section])}"
                    faults.add(f"steps.{item.id}", f"{told}; write [{section}.{name}] in app.toml")
    return faults.lines


def _address_faults(settings: ShopSettings, file: str) -> list[str]:
    """Addresses that would end every message of the shop; checked with what writes the messages."""
    checks = (
        ("sender", settings.sender, split_sender, "Shop name <hello@shop.example>"),
        ("reply_to", settings.reply_to, split_sender, "Shop name <help@shop.example>"),
        ("support_email", settings.shop.support_email, ascii_address, "help@shop.example"),
    )
    faults = []
    for name, value, check, example in checks:
        try:
            if value:
                check(value)
        except Refused:
            faults.append(f'{file}: {_place(settings, name)}: is no address; write {name} = "{example}"')
    return faults


def _edits(setting: FlowSetting, file: str) -> list[FlowEdits]:
    """Removes and inserts layer by layer, the agency's first; parameters once, as the layers merged them."""
    layers = dict.fromkeys([*(layer for layer, _ in setting.removes), *(layer for layer, _ in setting.inserts)])
    removes, inserts = dict(setting.removes), dict(setting.inserts)
    place = f"{file}:flows.{setting.flow_id}"
    edits = [
        FlowEdits(remove=removes.get(layer, ()), insert=inserts.get(layer, ()), where=f"{place} ({layer})")
        for layer in layers
    ]
    return [FlowEdits(params=dict(setting.params), where=place), *edits]
