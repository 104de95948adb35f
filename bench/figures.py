"""What a run found, by name, with every round kept."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

from bench.stats import Rounds


@dataclass(frozen=True, slots=True)
class Figure:
    """One quantity. `doubt` says why it must not be gated (unstable floors, a generator at its limit, a stand-in)."""

    rounds: Rounds
    unit: str
    doubt: str = ""

    @property
    def value(self) -> float:
        return self.rounds.median


@dataclass(slots=True)
class Results:
    """Figures and remarks of a whole run."""

    figures: dict[str, Figure] = field(default_factory=dict)
    remarks: list[str] = field(default_factory=list)

    def put(self, name: str, values: list[float] | float, unit: str, doubt: str = "") -> Figure:
        rounds = Rounds(tuple(values) if isinstance(values, list) else (values,))
        figure = self.figures[name] = Figure(rounds, unit, doubt)
        return figure

    def value(self, name: str) -> float | None:
        return self.figures[name].value if name in self.figures else None

    def remark(self, text: str) -> None:
        """Prints at once and keeps for the JSON: a silent omission would look like a pass."""
        print(f"bench: {text}")
        self.remarks.append(text)

    def as_json(self) -> Mapping[str, Any]:
        return {
            "figures": {
                name: {"median": f.value, "rounds": list(f.rounds.values), "unit": f.unit, "doubt": f.doubt}
                for name, f in self.figures.items()
            },
            "remarks": self.remarks,
        }
