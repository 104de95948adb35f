"""Reads gates.toml and judges a run."""

from __future__ import annotations

import tomllib
from collections.abc import Mapping
from dataclasses import dataclass
from enum import StrEnum
from pathlib import Path

from bench.figures import Figure

GATES_FILE = Path(__file__).resolve().parent / "gates.toml"
LEVELS = ("ci", "release")
"""What a run can be failed by."""
TARGET = "target"
"""What is aimed at: judged and shown like the others, and never fails a run."""


class Verdict(StrEnum):
    MET = "met"
    MISSED = "MISSED"
    DOUBTFUL = "not judged"
    ABSENT = "not measured"


@dataclass(frozen=True, slots=True)
class Bound:
    """Inclusive bounds; one of them or both."""

    least: float | None
    most: float | None

    def holds(self, value: float) -> bool:
        return (self.least is None or value >= self.least) and (self.most is None or value <= self.most)

    def text(self) -> str:
        parts = [f">= {self.least:g}"] if self.least is not None else []
        return " and ".join([*parts, f"<= {self.most:g}"] if self.most is not None else parts)


@dataclass(frozen=True, slots=True)
class Gate:
    figure: str
    why: str
    bounds: Mapping[str, Bound]


@dataclass(frozen=True, slots=True)
class Judgement:
    gate: Gate
    bound: Bound
    value: float | None
    verdict: Verdict
    doubt: str = ""


def _bound(where: str, table: object) -> Bound:
    if not isinstance(table, dict) or not table or set(table) - {"min", "max"}:
        raise ValueError(f"gates.toml: {where}: should be {{ min = ... }}, {{ max = ... }} or both")
    if not all(isinstance(value, int | float) for value in table.values()):
        raise ValueError(f"gates.toml: {where}: bounds are numbers")
    return Bound(table.get("min"), table.get("max"))


def parse(text: str) -> list[Gate]:
    """Raises `ValueError` naming the entry and what is wrong with it."""
    gates = []
    for number, table in enumerate(tomllib.loads(text).get("gate", []), start=1):
        where = str(table.get("figure", f"gate {number}"))
        unknown = set(table) - {"figure", "why", TARGET, *LEVELS}
        if unknown or not isinstance(table.get("figure"), str) or not isinstance(table.get("why"), str):
            raise ValueError(f"gates.toml: {where}: needs figure and why; unknown keys: {sorted(unknown) or 'none'}")
        bounds = {level: _bound(f"{where}.{level}", table[level]) for level in (TARGET, *LEVELS) if level in table}
        if not bounds:
            raise ValueError(f"gates.toml: {where}: bounds nothing; give ci, release or target")
        gates.append(Gate(where, table["why"], bounds))
    return gates


def load(path: Path = GATES_FILE) -> list[Gate]:
    return parse(path.read_text())


def judge(gates: list[Gate], figures: Mapping[str, Figure], level: str) -> list[Judgement]:
    """One judgement for each gate of `level`. A missing figure is not a pass: it is `ABSENT`."""
    found = []
    for gate in gates:
        bound, figure = gate.bounds.get(level), figures.get(gate.figure)
        if bound is None:
            continue
        if figure is None or not figure.rounds.values:
            found.append(Judgement(gate, bound, None, Verdict.ABSENT))
        elif figure.doubt:
            found.append(Judgement(gate, bound, figure.value, Verdict.DOUBTFUL, figure.doubt))
        else:
            verdict = Verdict.MET if bound.holds(figure.value) else Verdict.MISSED
            found.append(Judgement(gate, bound, figure.value, verdict))
    return found
