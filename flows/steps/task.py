"""`task`: a person of the merchant's approves before the flow goes on."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from datetime import timedelta
from typing import ClassVar

from connector.clock import to_text
from connector.contracts import Act, Arrived, Await, Decision, Done, Signal, Step, StepContext, Woke
from flows.steps.note_order import filled, paths_in

DECIDED = "task.decided"
"""What the run waits for; only `flows.care.tasks` says it."""
APPROVED, REFUSED = "approved", "refused"
ANSWERS = (APPROVED, REFUSED)


@dataclass(frozen=True, slots=True, kw_only=True)
class Task(Step):
    """Ask the person `to` (`[people.NAME]`) and wait for the answer, at most `timeout`; then it counts as `otherwise`.

    They get a link of their own: opening it shows the question, a button decides. `kiitos tasks` does the same. The
    outcome is `approved` or `refused`, with `by`, `at`, `note`, and `timed_out` where nobody answered.
    """

    do: ClassVar[str] = "task"
    purpose: ClassVar[str] = "transactional"

    to: str
    ask: str
    timeout: timedelta
    otherwise: str = field(metadata={"words": ANSWERS})
    title: str = ""

    def __post_init__(self) -> None:
        if not self.ask.strip():
            raise ValueError("ask: say what is to be decided")
        if self.timeout <= timedelta():
            raise ValueError("timeout: say how long the answer is waited for")

    def start(self, ctx: StepContext) -> Decision:
        until = ctx.now + self.timeout
        request = {
            "do": self.do,
            "to": self.to,
            "title": " ".join(filled(self.title, ctx).split()),
            "text": filled(self.ask, ctx),
            "otherwise": self.otherwise,
            "until": to_text(until),
        }
        return Await((DECIDED,), until, beside=Act("notify", request))

    def resume(self, ctx: StepContext, signal: Signal) -> Decision:
        match signal:
            case Arrived(data=data):
                return Done(data["answer"], {name: value for name, value in data.items() if name != "answer"})
            case Woke():
                return Done(self.otherwise, {"by": "", "at": to_text(ctx.now), "timed_out": "true"})
        return Step.resume(self, ctx, signal)

    def paths(self) -> Sequence[str]:
        return paths_in(self.title + "\n" + self.ask)

    def named(self) -> Mapping[str, Sequence[str]]:
        return {"people": (self.to,)}

    def gives(self) -> Sequence[str]:
        return ("by", "at", "note")
