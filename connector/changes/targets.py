"""What a shop is to run: as the files say now, or as an earlier state says."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from functools import lru_cache
from typing import Any

from connector.config import ShopSettings
from connector.errors import ConfigError, TemplateError
from connector.store import flows as flow_store
from connector.store.applied import AppliedFlow, AppliedLimits, AppliedState
from connector.store.db import Tx
from flows.definition import Flow
from flows.render.sources import Sources, sources_of


@dataclass(frozen=True, slots=True, kw_only=True)
class Target:
    """What one shop is to run. `texts` are the flows' resolved texts (canonical JSON) by flow id.

    `faults` are the reasons why nothing can be said of it: the shop's part of the file is wrong. `migrations` is what
    the file declares for people in flight, by flow id.
    """

    client_id: str
    shop_id: str
    entries: tuple[AppliedFlow, ...] = ()
    texts: Mapping[str, str] = field(default_factory=dict, repr=False)
    faults: tuple[str, ...] = ()
    migrations: Mapping[str, str] = field(default_factory=dict)


def target_of_files(settings: ShopSettings, flows: Sequence[Flow], sources: Sources) -> Target:
    """The shop as the operator's file has it; `flows` are those of the catalog, in the file's order."""
    sources = sources_of(settings.templates) if settings.templates else sources
    used = [setting for setting in settings.flows if setting.enabled]
    entries, migrations = [], {}
    for setting, flow in zip(used, flows, strict=True):
        entries.append(
            AppliedFlow(
                flow_id=flow.id,
                version=flow.version,
                title=flow.title,
                enabled=flow.enabled,
                setting=setting.flow_id,
                file=setting.file,
                origin=_origin(settings, setting.flow_id),
                templates=_templates(flow, sources),
                limits=AppliedLimits(
                    shop=settings.limits,
                    daily=setting.daily,
                    canary=setting.canary,
                    priority=flow.priority if setting.priority is None else setting.priority,
                ),
            )
        )
        if setting.migrate:
            migrations[flow.id] = setting.migrate
    return Target(
        client_id=settings.shop.client_id,
        shop_id=settings.shop.id,
        entries=tuple(entries),
        texts={flow.id: flow.to_json() for flow in flows},
        migrations=migrations,
    )


def target_of_state(tx: Tx, client_id: str, state: AppliedState) -> Target:
    """An earlier state, to go back to. Raises `ConfigError` when a version it needs is not stored any more."""
    texts = {}
    for entry in state.flows:
        body = flow_store.get(tx, state.shop_id, entry.flow_id, entry.version)
        if body is None:
            raise ConfigError(f"{state.shop_id}: version {entry.version} of flow {entry.flow_id} is not stored")
        texts[entry.flow_id] = body
    return Target(client_id=client_id, shop_id=state.shop_id, entries=state.flows, texts=texts)


def document(text: str) -> Mapping[str, Any]:
    found: Mapping[str, Any] = json.loads(text)
    return found


def _origin(settings: ShopSettings, name: str) -> dict[str, str]:
    """Where each value of the flow's table came from, without the names of the flows before it."""
    prefix = f"flows.{name}."
    layered = settings.layered
    found = {path.removeprefix(prefix): layer for path, layer in layered.origin.items() if path.startswith(prefix)}
    for path, edits in layered.edits.items():
        if path.startswith(prefix):
            found[path.removeprefix(prefix)] = ", ".join(dict.fromkeys(layer for layer, _ in edits))
    return dict(sorted(found.items()))


def _templates(flow: Flow, sources: Sources) -> dict[str, str]:
    names = dict.fromkeys(name for item in flow.steps for name in item.step.templates())
    found = {}
    for name in names:
        for language in _languages(sources):
            digest = _digest(sources, name, language)
            if digest:
                found[f"{name}/{language}"] = digest
    return found


@lru_cache(maxsize=4)
def _languages(sources: Sources) -> tuple[str, ...]:
    return tuple(sources.languages())


@lru_cache(maxsize=4096)
def _digest(sources: Sources, name: str, language: str) -> str:
    if not sources.has(name, language):
        return ""
    try:
        source = sources.load(name, language)
    except TemplateError:
        return "faulty"
    parts = (source.subject.text, source.preheader.text, source.html.text, source.text.text if source.text else "")
    return hashlib.sha256("\0".join(parts).encode()).hexdigest()[:8]
