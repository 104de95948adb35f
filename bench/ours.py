"""The product as a system under test. Everything the bench knows about the product stands in this file and ours.toml."""

from __future__ import annotations

import sys
from collections.abc import Callable, Mapping, Sequence
from importlib.util import find_spec
from pathlib import Path
from string import Template
from typing import ClassVar

from bench import corpus, native, systems

REPOSITORY = native.HERE.parent


class Ours(systems.System):
    """`kiitos serve` is the receiver, `kiitos work` the worker; both read one app.toml."""

    name = "ours"
    roles: ClassVar[tuple[str, ...]] = ("receiver", "worker")
    kiitos: ClassVar[tuple[str, ...]] = (sys.executable, "-m", "connector.cli")
    receiver_arguments: ClassVar[tuple[str, ...]] = ("serve",)
    worker_arguments: ClassVar[tuple[str, ...]] = ("work",)
    inbox_keys: ClassVar[str] = "SELECT dedup_key FROM inbox"

    def missing(self) -> str:
        wanted = ("connector.cli.__main__", "connector.serve", "connector.worker")
        absent = [name for name in wanted if not _importable(name)]
        return f"{', '.join(absent)} is not there yet" if absent else ""

    def commands(self, where: Path, port: int, sink_port: int) -> Mapping[str, Sequence[str]]:
        config = where / "app.toml"
        text = Template((native.HERE / "ours.toml").read_text())
        config.write_text(
            text.substitute(port=port, sink_port=sink_port or 25, directory=where, shop_domain=corpus.SHOP_DOMAIN)
        )
        given = ("--config", str(config))
        return {
            "receiver": [*self.kiitos, *self.receiver_arguments, *given],
            "worker": [*self.kiitos, *self.worker_arguments, *given],
        }

    def environment(self, where: Path) -> Mapping[str, str]:
        return {
            "PYTHONPATH": str(REPOSITORY),
            "BENCH_ENDPOINT_KEY": systems.ENDPOINT_KEY,
            "BENCH_SECRET": corpus.SECRET.decode(),
        }

    def keys(self, where: Path) -> set[str]:
        return {str(key) for (key,) in systems.query(where / "inbox.db", self.inbox_keys)}


def _importable(name: str) -> bool:
    try:
        return find_spec(name) is not None
    except ModuleNotFoundError:
        return False


def render_steps() -> dict[str, Callable[[bytes], object]]:
    """What the render phase times, each from the body of an orders/create delivery: name -> callable.

    "whole" makes the finished MIME bytes. Raises `ImportError` while the product has no renderer.
    """
    from bench import ours_render

    return ours_render.steps()
