"""Flows as they were applied: from the store's versions back to what the engine runs."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field, replace

from connector.config import FlowSetting, ShopSettings
from connector.contracts import Step
from connector.errors import ConfigError
from connector.store import flows as flow_store
from connector.store.applied import AppliedFlow, AppliedLimits, AppliedState
from connector.store.db import Tx
from flows.definition import Flow


@dataclass(frozen=True, slots=True)
class Held:
    """What runs in a shop as it was applied. `settings` is each flow's name in the operator's file, by flow id, where
    it is another; `limits` what limited each when it was applied."""

    flows: list[Flow]
    settings: Mapping[str, str] = field(default_factory=dict)
    limits: Mapping[str, AppliedLimits] = field(default_factory=dict)

    def settings_of(self, shop: ShopSettings) -> dict[str, FlowSetting]:
        """What limits each flow, by its id: as it was applied, or as the file has it where that was not kept."""
        written = {setting.flow_id: setting for setting in shop.flows}
        found = {}
        for flow in self.flows:
            name = self.settings.get(flow.id, flow.id)
            setting, kept = written.get(name), self.limits.get(flow.id)
            if kept is not None:
                setting = setting or FlowSetting(flow_id=name, file="", enabled=True, params={})
                setting = replace(setting, daily=kept.daily, canary=kept.canary, priority=kept.priority)
            if setting is not None:
                found[flow.id] = setting
        return found

    def limiting(self, shop: ShopSettings) -> ShopSettings:
        """The shop with the limits that were applied."""
        kept = next(iter(self.limits.values()), None)
        return shop if kept is None else replace(shop, limits=kept.shop)


def load_applied(tx: Tx, states: Iterable[AppliedState], registry_steps: Mapping[str, type[Step]]) -> dict[str, Held]:
    """The flows of each state's shop. Raises `ConfigError` naming every flow that this program cannot run any more.

    A version is the hash of its text, so shops that share one share the flow.
    """
    known: dict[tuple[str, str], Flow] = {}
    faults: list[str] = []
    found: dict[str, Held] = {}
    for state in states:
        flows: list[Flow] = []
        names = {entry.flow_id: entry.setting or entry.flow_id for entry in state.flows}
        limits = {entry.flow_id: entry.limits for entry in state.flows if entry.limits is not None}
        found[state.shop_id] = Held(flows, names, limits)
        for entry in state.flows:
            try:
                flows.append(_load(tx, state.shop_id, entry, known, registry_steps))
            except ConfigError as error:
                faults += [f"{state.shop_id}, as applied: {line}" for line in error.message.splitlines()]
    if faults:
        raise ConfigError("\n".join(faults))
    return found


def _load(
    tx: Tx,
    shop_id: str,
    entry: AppliedFlow,
    known: dict[tuple[str, str], Flow],
    registry_steps: Mapping[str, type[Step]],
) -> Flow:
    key = (entry.flow_id, entry.version)
    if key not in known:
        body = flow_store.get(tx, shop_id, entry.flow_id, entry.version)
        if body is None:
            raise ConfigError(f"flow {entry.flow_id} version {entry.version} is not stored; restore a backup")
        known[key] = Flow.from_json(body, registry_steps)
    flow = known[key]
    # Neither is part of the version, so the stored text may have been another's.
    # The version is what runs are pinned to, also when this program writes the same text in another way.
    return replace(flow, title=entry.title, enabled=entry.enabled, version=entry.version)
