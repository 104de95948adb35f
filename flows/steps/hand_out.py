"""`hand_out`: a partner's coupon or a seat from an uploaded list; each goes to one person."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import ClassVar

from connector.config.perks import NAME
from connector.contracts import Act, Decision, Done, Step, StepContext
from flows.authoring.paths import Kind


@dataclass(frozen=True, slots=True, kw_only=True)
class HandOut(Step):
    """Give the customer the next code of the list `perk`, or of the one whose name stands under the path `perk_from`
    (`event.list`), as filled by `kiitos loyalty coupons`; the one they have, if they do.

    The outcome `done` carries `code`; `failed` where none is left: guard the message about it with
    `steps.ID.outcome == 'done'`.
    """

    do: ClassVar[str] = "hand_out"
    costly: ClassVar[bool] = True

    perk: str = ""
    perk_from: str = field(default="", metadata={"path": Kind.LOOSE})

    def __post_init__(self) -> None:
        if bool(self.perk) == bool(self.perk_from):
            raise ValueError("give exactly one of 'perk' and 'perk_from'")
        if self.perk and not NAME.fullmatch(self.perk):
            raise ValueError(f"perk: the name of a list, in small letters, digits, - and _; not '{self.perk}'")

    def start(self, ctx: StepContext) -> Decision:
        if not (ctx.get("customer.id") or ctx.get("order.email") or ctx.get("customer.email")):
            return Done("skipped", {"reason": "there is nobody to give it to"})
        perk = self.perk or str(ctx.get(self.perk_from) or "")
        if not NAME.fullmatch(perk):
            return Done("skipped", {"reason": f"no name of a list stands under {self.perk_from}"})
        return Act("record", {"do": self.do, "perk": perk})

    def paths(self) -> Sequence[str]:
        return (self.perk_from,) if self.perk_from else ()

    def gives(self) -> Sequence[str]:
        return ("code",)
