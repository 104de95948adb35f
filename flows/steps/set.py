"""`set`: a field of ours on the customer, which guards and templates read as `customer.fields.<name>`."""

from __future__ import annotations

import dataclasses
import re
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from decimal import Decimal, InvalidOperation
from typing import ClassVar

from connector.clock import to_text
from connector.contracts import Act, Decision, Done, Step, StepContext
from flows.steps.note_order import filled, paths_in

NAME = re.compile(r"[a-z][a-z0-9_]{0,39}")
KINDS = ("text", "number", "time", "bool")
LONGEST = 1000


@dataclass(frozen=True, slots=True, kw_only=True)
class Set(Step):
    """Keep `value` under `field`, as `text`, `number`, `time` or `bool` (`as`). `{path}` in it is replaced by the value
    at that guard path. `clear = true` takes the field away instead.

    A value that is none of its kind, or empty, changes nothing: the outcome is then `skipped`, with the reason.
    """

    do: ClassVar[str] = "set"
    purpose: ClassVar[str] = "transactional"

    field: str
    value: str = ""
    as_: str = dataclasses.field(default="text", metadata={"words": KINDS})
    clear: bool = False

    def __post_init__(self) -> None:
        if not NAME.fullmatch(self.field):
            raise ValueError(f"field: a letter, then letters, digits and _ (40 at most), all small; not '{self.field}'")
        if bool(self.value) == self.clear:
            raise ValueError("give 'value' or 'clear = true'")
        if self.value and not paths_in(self.value):
            as_kind(self.value, self.as_)

    def start(self, ctx: StepContext) -> Decision:
        if not (ctx.get("customer.id") or ctx.get("order.email") or ctx.get("customer.email")):
            return Done("skipped", {"reason": "there is nobody to keep it for"})
        value = None
        if not self.clear:
            written = filled(self.value, ctx).strip()[:LONGEST]
            if not written:
                return Done("skipped", {"reason": "there is nothing to set"})
            try:
                value = as_kind(written, self.as_)
            except ValueError as error:
                return Done("skipped", {"reason": str(error)})
        return Act("record", {"do": self.do, "field": self.field, "kind": self.as_, "value": value})

    def paths(self) -> Sequence[str]:
        return paths_in(self.value)

    def gives(self) -> Sequence[str]:
        return ("value",)


def as_kind(text: str, kind: str) -> str:
    """The text as the store keeps a value of the kind. Raises `ValueError` with one sentence."""
    try:
        match kind:
            case "number":
                number = Decimal(text)
                if not number.is_finite():
                    raise ValueError
                return str(number)
            case "time":
                at = datetime.fromisoformat(text)
                return to_text(at if at.tzinfo else at.replace(tzinfo=UTC))
            case "bool":
                return {"true": "true", "false": "false"}[text.lower()]
    except (ValueError, InvalidOperation, KeyError):
        raise ValueError(f"the value is no {kind}") from None
    return text
