"""The product as a system under test: all the bench knows of it stands here, in ours.toml and in ours_render.py."""

from __future__ import annotations

import os
import subprocess
import sys
from collections.abc import Callable, Iterable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from string import Template
from typing import ClassVar

from bench import corpus, native, systems

REPOSITORY = native.HERE.parent


class Ours(systems.System):
    """`kiitos serve` is the receiver, `kiitos worker` the worker; both read one app.toml."""

    name = "ours"
    roles: ClassVar[tuple[str, ...]] = ("receiver", "worker")
    kiitos: ClassVar[tuple[str, ...]] = (sys.executable, "-c", "from connector.cli import main; main()")
    receiver_arguments: ClassVar[tuple[str, ...]] = ("serve",)
    worker_arguments: ClassVar[tuple[str, ...]] = ("worker",)
    inbox_keys: ClassVar[str] = "SELECT dedup_key FROM inbox"

    def missing(self) -> str:
        """Asks each command for its help: an import that fails or a command that is not there shows here."""
        for arguments in (self.receiver_arguments, self.worker_arguments):
            command = [*self.kiitos, *arguments, "--help"]
            environ = {**os.environ, "PYTHONPATH": str(REPOSITORY)}
            run = subprocess.run(command, env=environ, cwd=REPOSITORY, capture_output=True, text=True, check=False)
            if run.returncode:
                words = run.stderr.strip().splitlines() or ["no reason given"]
                return f"kiitos {' '.join(arguments)}: {words[-1]}"
        return ""

    def start(self, place: systems.Place) -> systems.Start:
        config = place.where / "app.toml"
        values = {"port": place.port, "sink_port": place.sink_port or 25, "directory": place.where}
        template = Template((native.HERE / "ours.toml").read_text())
        config.write_text(template.substitute(values, shop_domain=corpus.SHOP_DOMAIN))
        kiitos = [*self.kiitos, "--config", str(config)]
        commands = {"receiver": [*kiitos, *self.receiver_arguments], "worker": [*kiitos, *self.worker_arguments]}
        return systems.Start(commands, self.environment())

    def environment(self) -> dict[str, str]:
        """What every command of the product needs to read that app.toml."""
        return {
            "PYTHONPATH": str(REPOSITORY),
            "BENCH_ENDPOINT_KEY": systems.ENDPOINT_KEY,
            "BENCH_SECRET": corpus.SECRET.decode(),
        }

    def keys(self, where: Path) -> set[str]:
        return {str(key) for (key,) in systems.query(where / "inbox.db", self.inbox_keys)}


@dataclass(frozen=True, slots=True)
class Mailer:
    """Reading, rendering, building and sending, apart and whole. Each begins with a delivery's body; what the
    steps before it make of that is made once and kept."""

    read: Callable[[bytes], object]
    render: Callable[[bytes], object]
    build: Callable[[bytes], bytes]
    whole: Callable[[bytes], bytes]
    send: Callable[[Iterable[bytes]], int]


@contextmanager
def mailer(port: int) -> Iterator[Mailer]:
    """The product's own renderer and SMTP channel, over one connection to a server on this machine."""
    from bench import ours_render

    steps = ours_render.steps()
    with ours_render.posting(port) as send:
        yield Mailer(steps["normalise"], steps["parts"], steps["mime"], steps["whole"], send)  # type: ignore[arg-type]


def first_message_ms(body: bytes) -> float:
    """Milliseconds a renderer with empty caches needs for its first message."""
    from bench import ours_render

    return ours_render.first_ms(body)


def render_steps() -> dict[str, Callable[[bytes], object]]:
    """What the render phase times, each from the body of an orders/create delivery: name -> callable.

    "whole" makes the finished MIME bytes. Raises `ImportError` while the product has no renderer.
    """
    from bench import ours_render

    return ours_render.steps()
