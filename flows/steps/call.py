"""`call`: a signed request to an endpoint of the merchant's, whose answer later guards may read."""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import timedelta
from typing import ClassVar

from connector import codec
from connector.clock import to_text
from connector.contracts import Act, Decision, Step, StepContext

_NAME = re.compile(r"[a-z_][a-zA-Z0-9_]{0,39}")
_TYPE = re.compile(r"[a-z0-9_]+(\.[a-z0-9_]+)*")
_TAKEN = frozenset({"outcome", "status", "reason", "code", "text"})
"""What the outcome says by itself."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Call(Step):
    """POST to `endpoint` (`[endpoints.NAME]` in app.toml), signed after Standard Webhooks
    (`connector.outside.signing`).

    The body names shop, flow, step, run and subject, and nothing of the person; `fields` are the guard paths whose
    values go along, as they are when the run gets here, the same at each attempt. `type` is the event's type there.

    Whatever is not answered with 2xx is tried again until `patience` is over, under the same `webhook-id`: the receiver
    can tell a repetition. `answer` are the keys of the JSON object it answers that later steps may read
    (`steps.<id>.score`); the outcome is `done` (with `status`), or `failed`.
    """

    do: ClassVar[str] = "call"
    purpose: ClassVar[str] = "transactional"

    endpoint: str
    fields: tuple[str, ...] = ()
    answer: tuple[str, ...] = ()
    type: str = "flow.call"
    patience: timedelta = timedelta(days=3)

    def __post_init__(self) -> None:
        for name in self.answer:
            if not _NAME.fullmatch(name) or name in _TAKEN:
                raise ValueError(f"answer: '{name}' is no name of a value, or one that every call has")
        if not _TYPE.fullmatch(self.type):
            raise ValueError(f"type: small letters, digits and _ with full stops between, not '{self.type}'")
        if self.patience <= timedelta():
            raise ValueError("patience: say how long it is tried")

    def start(self, ctx: StepContext) -> Decision:
        request: dict[str, object] = {
            "do": self.do,
            "to": self.endpoint,
            "type": self.type,
            "fields": {path: codec.builtins(ctx.get(path)) for path in self.fields},
            "answer": list(self.answer),
            "until": to_text(ctx.now + self.patience),
        }
        return Act("call", request)

    def paths(self) -> Sequence[str]:
        return self.fields

    def named(self) -> Mapping[str, Sequence[str]]:
        return {"endpoints": (self.endpoint,)}

    def gives(self) -> Sequence[str]:
        return ("status", *self.answer)
