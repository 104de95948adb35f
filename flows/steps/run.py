"""`run`: the steps of a reusable list, in this place."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any, ClassVar

from connector.contracts import Decision, Done, Step, StepContext


@dataclass(frozen=True, slots=True, kw_only=True)
class Run(Step):
    """The steps of `list` stand here under ids that begin with this one's, `with` its parameters
    (`flows.authoring.lists`).

    A loaded flow holds those steps and never this one.
    """

    do: ClassVar[str] = "run"

    list: str
    with_: Mapping[str, Any] = field(default_factory=dict)

    def start(self, ctx: StepContext) -> Decision:  # noqa: ARG002 - the list's steps decide
        return Done("expanded")
