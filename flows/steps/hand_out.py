"""`hand_out`: a partner's coupon or a seat from an uploaded list; each goes to one person."""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass
from typing import ClassVar

from connector.contracts import Act, Decision, Done, Step, StepContext

NAME = re.compile(r"[a-z0-9][a-z0-9_-]{0,62}")


@dataclass(frozen=True, slots=True, kw_only=True)
class HandOut(Step):
    """Give the customer the next code of the list `perk` (`kiitos loyalty coupons`); the one they have, if they do.

    The outcome `done` carries `code`; `failed` where none is left: guard the message about it with
    `steps.ID.outcome == 'done'`.
    """

    do: ClassVar[str] = "hand_out"
    costly: ClassVar[bool] = True

    perk: str

    def __post_init__(self) -> None:
        if not NAME.fullmatch(self.perk):
            raise ValueError(f"perk: the name of a list, in small letters, digits, - and _; not '{self.perk}'")

    def start(self, ctx: StepContext) -> Decision:
        if not (ctx.get("customer.id") or ctx.get("order.email") or ctx.get("customer.email")):
            return Done("skipped", {"reason": "there is nobody to give it to"})
        return Act("record", {"do": self.do, "perk": self.perk})

    def gives(self) -> Sequence[str]:
        return ("code",)
