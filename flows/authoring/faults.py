"""Collecting faults: an author sees all of them at once, each with its place."""

from __future__ import annotations

from collections.abc import Sequence

from connector.errors import ConfigError


class FlowErrors(ConfigError):
    """The author of a flow must act. `faults` are lines `file: key.path: sentence`, in the order of the file."""

    def __init__(self, faults: Sequence[str]) -> None:
        super().__init__("\n".join(faults))
        self.faults = tuple(faults)


class Faults:
    """Notes faults of one file. `where` is its name."""

    def __init__(self, where: str) -> None:
        self.where = where
        self.lines: list[str] = []

    def add(self, place: str, sentence: str, *, where: str = "") -> None:
        """Note one fault. `place` is the key path, `where` another file than the flow's own (an overlay)."""
        self.lines.append(": ".join(part for part in (where or self.where, place, sentence) if part))
