"""Pages for the sweep of `test_sweep.py`: a module here is found by itself, so that two people can add two pages.

A module has any of: `SETTINGS` (keys of `[defaults]` of the site's app.toml; tables are put together), `FLOWS` (name to
a flow's TOML), `prepare(world)` (before 25 days pass, with Nora's and Aino's orders just delivered) and
`pages(world) -> dict` of name to path. A name that ends in `-Aino` is shown in Finnish, one in `-ar` in Arabic.
A route of a GET that no page here leads to fails `test_every_page_is_swept`.
"""

from __future__ import annotations

import importlib
import pkgutil
from collections.abc import Iterator
from pathlib import Path
from types import ModuleType
from typing import Any

from connector.testing.world import FLOWS, World


def modules() -> Iterator[ModuleType]:
    for found in sorted(pkgutil.iter_modules(__path__), key=lambda each: each.name):
        yield importlib.import_module(f"{__name__}.{found.name}")


def settings(folder: Path) -> dict[str, Any]:
    """What the site's shops are told: the demo's flows, and what each module asks for."""
    found: dict[str, Any] = {"flows": {name: {"file": name.replace("-", "_")} for name in FLOWS}}
    for module in modules():
        for name, text in getattr(module, "FLOWS", {}).items():
            (folder / f"{name}.toml").write_text(text, "utf-8")
            found["flows"][name] = {"file": str(folder / f"{name}.toml")}
        _put_in(found, getattr(module, "SETTINGS", {}))
    return found


def prepare(world: World) -> None:
    for module in modules():
        getattr(module, "prepare", lambda _: None)(world)


def pages(world: World) -> dict[str, str]:
    found: dict[str, str] = {}
    for module in modules():
        given = module.pages(world)
        assert not found.keys() & given.keys(), f"{module.__name__}: names that others have"
        found |= given
    return {name: path if path.startswith("http") else world.serving.url + path for name, path in found.items()}


def _put_in(found: dict[str, Any], more: dict[str, Any]) -> None:
    for key, value in more.items():
        if isinstance(value, dict) and isinstance(found.get(key), dict):
            _put_in(found[key], value)
        elif isinstance(value, list) and isinstance(found.get(key), list):
            found[key] = [*found[key], *(each for each in value if each not in found[key])]
        else:
            found[key] = value
