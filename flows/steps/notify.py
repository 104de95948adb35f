"""`notify`: tell a person of the merchant's, by mail or in a chat."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import timedelta
from typing import ClassVar

from connector.clock import to_text
from connector.contracts import Act, Decision, Step, StepContext
from flows.steps.note_order import filled, paths_in


@dataclass(frozen=True, slots=True, kw_only=True)
class Notify(Step):
    """Write `text` to the person `to` (`[people.NAME]` in app.toml). `{path}` in it and in `title` is replaced by the
    value at that guard path.

    It goes to the merchant's own people: the customer's consent, caps and quiet hours do not bear on it. What may have
    arrived is told again, until `patience` is over.
    """

    do: ClassVar[str] = "notify"
    purpose: ClassVar[str] = "transactional"

    to: str
    text: str
    title: str = ""
    patience: timedelta = timedelta(days=3)

    def __post_init__(self) -> None:
        if not self.text.strip():
            raise ValueError("text: say something")
        if self.patience <= timedelta():
            raise ValueError("patience: say how long it is tried")

    def start(self, ctx: StepContext) -> Decision:
        request = {
            "do": self.do,
            "to": self.to,
            "title": " ".join(filled(self.title, ctx).split()),
            "text": filled(self.text, ctx),
            "until": to_text(ctx.now + self.patience),
        }
        return Act("notify", request)

    def paths(self) -> Sequence[str]:
        return paths_in(self.title + "\n" + self.text)

    def named(self) -> Mapping[str, Sequence[str]]:
        return {"people": (self.to,)}
