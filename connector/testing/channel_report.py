"""What holds of an installed channel, in words: one row a check of the kit."""

from __future__ import annotations

from importlib.metadata import entry_points

from connector.errors import ConfigError, near
from connector.registry import Registry
from connector.testing.channels import (
    STAGES,
    ChannelConformance,
    ChannelStage,
    checks_of,
    run_channel_conformance,
)

HOLDS, FAILS = "holds", "fails"


def kit_for(name: str) -> type[ChannelConformance]:
    """The kit for an installed channel on the stage its package names. Raises `ConfigError`."""
    channel = Registry().channel(name)
    stages = {point.name: point for point in entry_points(group=STAGES)}
    if name not in stages:
        raise ConfigError(f"no stage for the channel '{name}' under {STAGES}{near(name, stages)}")
    try:
        stage = stages[name].load()
    except (ImportError, AttributeError) as error:
        raise ConfigError(f"the stage of '{name}' ({stages[name].value}) cannot be loaded: {error}") from error

    class Kit(ChannelConformance):
        channel_class = channel

        def open_stage(self) -> ChannelStage:
            made: ChannelStage = stage()
            return made

    return Kit


def findings_of(name: str) -> list[tuple[str, str, str]]:
    """(check, state, why) for each check, in the order they are written."""
    kit = kit_for(name)
    rows = []
    for check in checks_of(kit):
        failures = run_channel_conformance(kit, only=[check])
        why = failures[0].partition(": ")[2].removeprefix("AssertionError: ").splitlines()[0] if failures else ""
        rows.append((check.removeprefix("test_").replace("_", " "), FAILS if failures else HOLDS, why))
    return rows
