"""The operator's files read so that one client's fault does not hide the others."""

from __future__ import annotations

import os
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any

from connector.app import load_catalog
from connector.config import Config, ConnectedShop, load_config, parse_config, read_document, with_connected
from connector.errors import ConfigError
from connector.registry import Registry
from flows.definition import Flow


@dataclass(frozen=True, slots=True)
class Fault:
    """Why a shop's part of the files cannot be used."""

    client_id: str
    lines: tuple[str, ...]


@dataclass(frozen=True, slots=True, kw_only=True)
class Files:
    """What the files say. `config` and `flows` hold the shops that can be used, `faults` the others, by shop id; a
    client whose part names no shops is there as `client-*`."""

    config: Config
    flows: Mapping[str, Sequence[Flow]]
    faults: Mapping[str, Fault] = field(default_factory=dict)


def read_files(
    path: Path,
    registry: Registry,
    connected: Callable[[Config], Sequence[ConnectedShop]],
    *,
    environ: Mapping[str, str] | None = None,
    generate: bool = False,
) -> Files:
    """Read everything that can be read, with the stores that `connected` finds for the configuration.

    Raises `ConfigError` only for what concerns every client.
    """
    faults: dict[str, Fault] = {}
    config = _config(path, dict(os.environ if environ is None else environ), generate, faults)
    rows = connected(config)
    if rows:
        config = with_connected(config, rows)
        client_of = {row.shop_id: row.client_id for row in rows}
        for shop_id, reason in config.left_out.items():
            faults.setdefault(shop_id, Fault(client_of[shop_id], (reason,)))
    return with_flows(config, registry, faults)


def with_flows(config: Config, registry: Registry, faults: Mapping[str, Fault] | None = None) -> Files:
    """The flows of every shop of a configuration that was read, those that do not load left out with their faults."""
    told = dict(faults or {})
    flows: dict[str, Sequence[Flow]] = {}
    try:
        catalog = load_catalog(config, registry)
        flows = {shop_id: catalog.flows(shop_id) for shop_id in config.shops}
    except ConfigError:
        for shop_id, settings in config.shops.items():
            try:
                flows[shop_id] = load_catalog(replace(config, shops={shop_id: settings}), registry).flows(shop_id)
            except ConfigError as error:
                told[shop_id] = Fault(settings.shop.client_id, tuple(error.message.splitlines()))
    if set(flows) == set(config.shops):
        return Files(config=config, flows=flows, faults=told)
    kept = {shop_id: config.shops[shop_id] for shop_id in flows}
    source = replace(config.source, document=_without(config.source.document, set(config.shops) - set(flows)))
    return Files(config=replace(config, shops=kept, source=source), flows=flows, faults=told)


def _without(document: Mapping[str, Any], shop_ids: set[str]) -> dict[str, Any]:
    """The document without these shops, so that whoever reads it again meets none of their faults."""
    clients = {
        client_id: {
            **client,
            "shops": {
                name: table for name, table in client.get("shops", {}).items() if f"{client_id}-{name}" not in shop_ids
            },
        }
        for client_id, client in document.get("clients", {}).items()
    }
    return {**document, "clients": clients}


def _config(path: Path, environ: dict[str, str], generate: bool, faults: dict[str, Fault]) -> Config:
    try:
        return load_config(path, environ, generate=generate)
    except ConfigError:
        document = read_document(path)
    clients = document.get("clients")
    if not isinstance(clients, dict):
        return parse_config(document, path, environ, generate=generate)  # raises, with every fault
    good: dict[str, Any] = {}
    for client_id, table in clients.items():
        try:
            parse_config(_only(document, {client_id: table}), path, environ, generate=False)
            good[client_id] = table
        except ConfigError as error:
            lines = tuple(line.strip() for line in error.message.splitlines()[1:]) or (error.message,)
            faults |= {f"{client_id}-{name}": Fault(client_id, lines) for name in _shop_names(table)}
    if not good:
        return parse_config(document, path, environ, generate=generate)  # what is wrong concerns everybody
    return parse_config(_only(document, good), path, environ, generate=generate)


def _shop_names(client: Any) -> list[str]:
    shops = client.get("shops") if isinstance(client, Mapping) else None
    return list(shops) if isinstance(shops, Mapping) and shops else ["*"]


def _only(document: Mapping[str, Any], clients: Mapping[str, Any]) -> dict[str, Any]:
    """The document with these clients; new stores join one of them, or none is named."""
    found = {**document, "clients": dict(clients)}
    connect = document.get("connect")
    if isinstance(connect, Mapping) and connect.get("client") not in clients:
        found["connect"] = {key: value for key, value in connect.items() if key != "client"}
    return found
