"""`split`: part the people, the same person always to the same side."""

from __future__ import annotations

import hashlib
import re
from dataclasses import dataclass
from typing import ClassVar

from connector.contracts import Decision, Done, Step, StepContext

_VARIANT = re.compile(r"([a-z0-9][a-z0-9_-]*) ([1-9]\d{0,3})")
_SPACE = 1 << 53


@dataclass(frozen=True, slots=True, kw_only=True)
class Split(Step):
    """Choose one of `variants` (`["short 45", "long 45", "holdout 10"]`: a name and its weight).

    The choice follows from `experiment` and the person (their address, else their account, else the run), so that it
    is the same in every run, on every machine and after a restore; it does not follow from chance. The outcome is the
    variant's name: guard the steps that belong to it with `steps.<id>.outcome == 'short'`, and let the others `exit`
    to hold people out. Another `experiment` parts the same people anew.
    """

    do: ClassVar[str] = "split"

    variants: tuple[str, ...]
    experiment: str = ""

    def __post_init__(self) -> None:
        for text in self.variants:
            if not _VARIANT.fullmatch(text):
                raise ValueError(f"variants: write a name and a weight, such as 'short 50', not '{text}'")
        names = [name for name, _ in self._weights()]
        if len(names) < 2:
            raise ValueError("variants: name at least two")
        if len(set(names)) < len(names):
            raise ValueError("variants: each name once")

    def start(self, ctx: StepContext) -> Decision:
        person = next((str(found) for path in _PERSON if (found := ctx.get(path))), ctx.run_id)
        name = self.choose(f"{self.experiment or ctx.step_id}|{person.strip().lower()}")
        return Done(name, {"variant": name, "experiment": self.experiment or ctx.step_id})

    def choose(self, key: str) -> str:
        """The variant of a key. Weights are shares of the whole, so that a changed weight moves as few as can be."""
        weights = self._weights()
        number = int.from_bytes(hashlib.sha256(key.encode()).digest()[:8]) % _SPACE
        total, passed = sum(weight for _, weight in weights), 0
        for name, weight in weights:
            passed += weight
            if number * total < passed * _SPACE:
                return name
        return weights[-1][0]

    def _weights(self) -> list[tuple[str, int]]:
        return [(name, int(weight)) for name, weight in (text.split(" ") for text in self.variants)]


_PERSON = ("order.email", "customer.email", "customer.id", "order.customer.id")
