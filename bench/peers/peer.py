"""What all peers share: no table to look acknowledged webhooks up in, mail from whatever role, more time to start."""

from __future__ import annotations

from pathlib import Path
from typing import ClassVar

from bench import native
from bench.systems import System

FOLDER = Path(__file__).resolve().parent


class Peer(System):
    """`most_orders` bounds a burst (a slow peer would take minutes), `differs` says how its job is not quite ours."""

    roles: ClassVar[tuple[str, ...]] = ("receiver",)
    starts_within: ClassVar[float] = 60.0
    most_orders: ClassVar[int] = 2000
    differs: ClassVar[str] = ""

    @property
    def mails(self) -> bool:
        return True

    @property
    def stores(self) -> bool:
        return False

    def keys(self, _where: Path) -> set[str]:
        """Nothing can be looked up: what was lost shows at the sink."""
        return set()


def installed() -> Path:
    """Where peers' packages go: beside the bench's other environments, never into the product's."""
    return native.CACHE.parent / "bench-peers"
