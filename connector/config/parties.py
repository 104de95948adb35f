"""`[endpoints.*]` and `[people.*]`: who besides customers hears from flows. Any layer may name them.

An endpoint's secret in the vault belongs to the layer that says its address: two clients that give one name to two
servers never share a key.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any

from connector.config.layering import Layered
from connector.config.settings import EndpointSettings, PersonSettings
from connector.errors import Refused, near
from connector.outside.signing import read_secret

APP = "app"
"""The layer of what stands at the top of the file, below the defaults."""
SECTIONS = ("endpoints", "people", "segments", "loyalty", "surveys", "returns", "referrals", "reviews")
STYLES = ("slack", "teams", "discord")

LookUp = Callable[[str, Any], str]
"""Finds a secret by its place and what the file says of it, noting a fault when it is missing."""


def top_layer(document: Mapping[str, Any]) -> tuple[str, Mapping[str, Any]]:
    """The sections at the top of the file as a layer of its own."""
    return APP, {section: document[section] for section in SECTIONS if section in document}


def read_endpoints(layered: Layered, secret: LookUp, faults: list[str]) -> dict[str, EndpointSettings]:
    """The endpoints a shop has, by name."""
    found = {}
    for name, table in layered.get("endpoints", {}).items():
        layer = layered.layer_of(f"endpoints.{name}.url") or layered.layer_of(f"endpoints.{name}")
        place = _place(layer, f"endpoints.{name}")
        address = str(table.get("url", ""))
        private = bool(table.get("private_addresses", False))
        if not address:
            _note(faults, f'{place}.url: missing; write url = "https://hooks.example.com/kiitos"')
        elif not private:
            _check_public(f"{place}.url", address, faults)
        secrets = [secret(f"{place}.{key}", table[key]) for key in ("secret", "secret_previous") if key in table]
        for value in filter(None, secrets):
            _check_signing(place, value, faults)
        owner = f"endpoint:{name}" if layer == APP else f"endpoint:{layer}.{name}"
        found[name] = EndpointSettings(
            name=name, owner=owner, url=address, secrets=tuple(filter(None, secrets)), private_addresses=private
        )
    return found


def read_people(layered: Layered, secret: LookUp, faults: list[str]) -> dict[str, PersonSettings]:
    """The merchant's people a shop's flows may write to, by name."""
    found = {}
    for name, table in layered.get("people", {}).items():
        place = _place(layered.layer_of(f"people.{name}"), f"people.{name}")
        if ("email" in table) == ("chat" in table):
            _note(faults, f'{place}: needs exactly one of email = "..." and chat = {{ env = "..." }}')
        chat = secret(f"{place}.chat", table["chat"]) if "chat" in table else ""
        style, private = str(table.get("style", "")), bool(table.get("private_addresses", False))
        if style and style not in STYLES:
            _note(faults, f"{place}.style: no style '{style}'{near(style, STYLES)} (one of {', '.join(STYLES)})")
        if chat and not private:
            _check_public(f"{place}.chat", chat, faults)
        found[name] = PersonSettings(
            name=name,
            label=str(table.get("name", name)),
            email=str(table.get("email", "")),
            chat=chat,
            style=style,
            private_addresses=private,
        )
    return found


def _place(layer: str, path: str) -> str:
    return path if layer in (APP, "") else f"{layer}.{path}"


def _note(faults: list[str], text: str) -> None:
    """A layer's fault is all its shops' too, and is told once."""
    if text not in faults:
        faults.append(text)


def _check_public(place: str, address: str, faults: list[str]) -> None:
    # Here and not above: it brings requests, and few files name anybody.
    from connector.outside.destinations import check_url

    try:
        check_url(address)
    except Refused as refused:
        why = refused.message.partition(";")[0].removeprefix("the address ")
        _note(faults, f"{place}: {why}; in your own network, say private_addresses = true")


def _check_signing(place: str, value: str, faults: list[str]) -> None:
    try:
        read_secret(value)
    except ValueError as error:
        _note(faults, f"{place}.secret: {error}; make one with: kiitos endpoints rotate")
