"""Entry points and import contracts name what there is; what we bring loads through the door outsiders use."""

from __future__ import annotations

import tomllib
from importlib.metadata import entry_points
from importlib.util import find_spec
from typing import Any

import click
import pytest

from connector.cli import PLUGINS, cli
from connector.contracts import Channel, PlatformAdapter, Step
from connector.contracts.channel_events import ChannelEvents
from connector.contracts.dispatcher import Dispatcher
from connector.errors import ConfigError
from connector.registry import CHANNEL_EVENTS, CHANNELS, DISPATCHERS, PLATFORMS, STEPS, Registry
from connector.testing.channels import STAGES, ChannelStage
from tests.docs.documents import ROOT

PROJECT: dict[str, Any] = tomllib.loads((ROOT / "pyproject.toml").read_text("utf-8"))
GROUPS: dict[str, dict[str, str]] = PROJECT["project"]["entry-points"]
POINTS = [(group, name) for group, points in GROUPS.items() for name in points if group != PLUGINS]


def load(registry: Registry, group: str, name: str) -> type[Any]:
    if group == PLATFORMS:
        return type(registry.platform(name))
    if group == CHANNEL_EVENTS:
        return type(registry.channel_events(name))
    if group == DISPATCHERS:
        return registry.dispatcher(name)
    if group == STAGES:
        return next(each for each in entry_points(group=STAGES) if each.name == name).load()  # type: ignore[no-any-return]
    return registry.channel(name) if group == CHANNELS else registry.step(name)


def test_groups_are_the_ones_the_registry_reads() -> None:
    assert set(GROUPS) == {PLATFORMS, CHANNELS, CHANNEL_EVENTS, STEPS, PLUGINS, STAGES, DISPATCHERS}


@pytest.mark.parametrize(("group", "name"), POINTS)
def test_each_plug_in_loads(group: str, name: str) -> None:
    found = load(Registry(), group, name)
    kinds: dict[str, type[Any]] = {
        PLATFORMS: PlatformAdapter,
        CHANNELS: Channel,
        CHANNEL_EVENTS: ChannelEvents,
        STEPS: Step,
        STAGES: ChannelStage,
        DISPATCHERS: Dispatcher,
    }
    assert issubclass(found, kinds[group])
    assert f"{found.__module__}:{found.__qualname__}".startswith(GROUPS[group][name].partition(":")[0])


@pytest.mark.parametrize("group", list(GROUPS))
def test_what_is_installed_is_what_the_file_says(group: str) -> None:
    installed = [point for point in entry_points(group=group) if point.dist and point.dist.name == "kiitos"]
    assert {point.name: point.value for point in installed} == GROUPS[group], (
        "pyproject.toml changed: run `make setup` again"
    )


@pytest.mark.parametrize("name", GROUPS[PLUGINS])
def test_each_command_is_found(name: str) -> None:
    assert name in cli.list_commands(click.Context(cli))
    found = cli.get_command(click.Context(cli), name)
    assert found is not None
    assert found.callback is not None
    assert found.callback.__module__ == GROUPS[PLUGINS][name].partition(":")[0]


@pytest.mark.parametrize("group", [PLATFORMS, CHANNELS, CHANNEL_EVENTS, STEPS])
def test_an_unknown_name_is_refused(group: str) -> None:
    with pytest.raises(ConfigError, match="is installed"):
        load(Registry(), group, "no-such-thing")


@pytest.mark.parametrize("step", sorted(GROUPS[STEPS]))
def test_a_step_is_called_what_authors_write(step: str) -> None:
    assert Registry().step(step).do == step


def contract_modules() -> set[str]:
    """Every module of ours that an import contract names; layers write optional ones in brackets."""
    found: set[str] = set()
    settings = PROJECT["tool"]["importlinter"]
    for contract in settings["contracts"]:
        names = [name for key in ("modules", "source_modules", "forbidden_modules") for name in contract.get(key, ())]
        for layer in contract.get("layers", ()):
            names += [part for part in layer.replace("|", " ").replace(":", " ").split() if not part.startswith("(")]
        found.update(name for name in names if name.partition(".")[0] in settings["root_packages"])
    return found


def test_import_contracts_name_modules_that_exist() -> None:
    modules = contract_modules()
    assert len(modules) > 20
    assert [name for name in sorted(modules) if find_spec(name) is None] == []
