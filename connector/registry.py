"""Plug-ins by entry point: platforms, channels, steps. Ours come in through the same door as anyone's.

Adding one edits no shared file: an outside package declares, say,

    [project.entry-points."kiitos.platforms"]
    acme = "kiitos_acme:Acme"
"""

from __future__ import annotations

from collections.abc import Callable
from functools import cached_property
from importlib.metadata import EntryPoint, entry_points
from typing import Any

from connector.contracts import Channel, PlatformAdapter, Step
from connector.contracts.channel_events import ChannelEvents
from connector.contracts.dispatcher import Dispatcher
from connector.errors import ConfigError, near
from connector.telling import Merchant

PLATFORMS = "kiitos.platforms"
CHANNELS = "kiitos.channels"
CHANNEL_EVENTS = "kiitos.channel_events"
STEPS = "kiitos.steps"
DISPATCHERS = "kiitos.dispatchers"
_EXTRAS = frozenset({"procrastinate", "celery"})
"""Dispatchers that come with us and whose packages do not."""


class Registry:
    """Finds a class by group and name, imports it on first use, and checks that it is what it says.

    `extra` adds classes without packaging, for tests: `Registry(extra={("kiitos.platforms", "acme"): Acme})`.
    """

    def __init__(
        self,
        *,
        extra: dict[tuple[str, str], type[Any]] | None = None,
        source: Callable[[str], Any] | None = None,
    ) -> None:
        self._extra = dict(extra or {})
        self._source = source or (lambda group: entry_points(group=group))
        self._adapters: dict[str, PlatformAdapter] = {}
        self._events: dict[str, ChannelEvents] = {}
        self._points: dict[str, list[EntryPoint]] = {}

    def _group(self, group: str) -> list[EntryPoint]:
        # Asked once a group: it reads the metadata of every installed package.
        if group not in self._points:
            self._points[group] = list(self._source(group))
        return self._points[group]

    def names(self, group: str) -> list[str]:
        """All names of a group, sorted."""
        found = {point.name for point in self._group(group)}
        found.update(name for extra_group, name in self._extra if extra_group == group)
        return sorted(found)

    def _load(self, group: str, name: str, base: type[Any]) -> type[Any]:
        if (group, name) in self._extra:
            cls = self._extra[group, name]
        else:
            points: list[EntryPoint] = [p for p in self._group(group) if p.name == name]
            if not points:
                kind = group.rpartition(".")[2].removesuffix("s")
                raise ConfigError(f"no {kind} '{name}' is installed{near(name, self.names(group))}")
            try:
                cls = points[0].load()
            except (ImportError, AttributeError) as error:
                raise ConfigError(f"plug-in '{name}' ({points[0].value}) cannot be loaded: {error}") from error
        if not (isinstance(cls, type) and issubclass(cls, base)):
            raise ConfigError(f"plug-in '{name}' of {group} is no {base.__name__}")
        return cls

    def platform(self, name: str) -> PlatformAdapter:
        """The adapter of a platform; one instance a registry. Raises `ConfigError` with a near match."""
        if name not in self._adapters:
            # The merchant's own voice is no platform to connect: it is in no list and has no conformance kit.
            found = Merchant if name == Merchant.name else self._load(PLATFORMS, name, PlatformAdapter)
            self._adapters[name] = found()
        return self._adapters[name]

    def channel(self, name: str) -> type[Channel]:
        """The class of a channel. Raises `ConfigError` with a near match."""
        return self._load(CHANNELS, name, Channel)

    def channel_events(self, name: str) -> ChannelEvents:
        """What reads a provider's events; one instance a registry. Raises `ConfigError` with a near match."""
        if name not in self._events:
            self._events[name] = self._load(CHANNEL_EVENTS, name, ChannelEvents)()
        return self._events[name]

    def step(self, name: str) -> type[Step]:
        """The class of a step type. Raises `ConfigError` with a near match."""
        try:
            return self.steps[name]
        except KeyError:
            return self._load(STEPS, name, Step)

    def dispatcher(self, name: str) -> type[Dispatcher]:
        """The class of a dispatcher. Raises `ConfigError` with a near match, or naming the extra to install."""
        try:
            return self._load(DISPATCHERS, name, Dispatcher)
        except ConfigError as error:
            if name in _EXTRAS and isinstance(error.__cause__, ImportError):
                raise ConfigError(f"{error.message}; install kiitos[{name}]", where="app.dispatcher.kind") from error
            raise ConfigError(error.message, where="app.dispatcher.kind") from error

    @cached_property
    def steps(self) -> dict[str, type[Step]]:
        """All step types by the word authors write after `do =`."""
        return {name: self._load(STEPS, name, Step) for name in self.names(STEPS)}
