"""`exit`: end the run here."""

from __future__ import annotations

from dataclasses import dataclass
from typing import ClassVar

from connector.contracts import Decision, Exit, Step, StepContext


@dataclass(frozen=True, slots=True, kw_only=True)
class ExitStep(Step):
    """End the run for `reason`; with a guard this is how a flow says "otherwise stop"."""

    do: ClassVar[str] = "exit"

    reason: str = "the flow says so"

    def start(self, ctx: StepContext) -> Decision:  # noqa: ARG002 - the guard has decided
        return Exit(self.reason)
