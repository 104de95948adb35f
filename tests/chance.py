"""Chance that is the same each time, for tests that generate shops: `random` is banned in favour of the clock."""

from __future__ import annotations

import hashlib
import math
from collections.abc import Sequence


class Chance:
    """Numbers that follow from a seed, on every machine."""

    def __init__(self, seed: int) -> None:
        self._seed = seed
        self._count = 0

    def share(self) -> float:
        """0 to 1, without 1."""
        self._count += 1
        digest = hashlib.blake2b(f"{self._seed} {self._count}".encode(), digest_size=8).digest()
        return int.from_bytes(digest) / 2**64

    def whole(self, least: int, most: int) -> int:
        return least + int(self.share() * (most - least + 1))

    def pick(self, among: Sequence[str]) -> str:
        return among[int(self.share() * len(among))]

    def normal(self) -> float:
        """Box and Muller's."""
        return math.sqrt(-2 * math.log(1 - self.share())) * math.cos(2 * math.pi * self.share())
