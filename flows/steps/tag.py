"""`tag`: a tag on the order or the customer: `tag_order` and `tag_customer` under one name."""

from __future__ import annotations

from abc import ABC
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, ClassVar

from connector.contracts import Access, Act, Decision, PlatformAdapter, Step, StepContext
from flows.steps.tag_customer import TagCustomer
from flows.steps.tag_order import TagOrder


@dataclass(frozen=True, slots=True, kw_only=True)
class Tag(Step):
    """Put `tag` on the `order` or the `customer` (`on`); a tag that is there already is success."""

    do: ClassVar[str] = "tag"

    tag: str
    on: str = field(default="order", metadata={"words": ("order", "customer")})

    def start(self, ctx: StepContext) -> Decision:
        decision = self._one().start(ctx)
        return Act(decision.kind, {**decision.request, "do": self.do}) if isinstance(decision, Act) else decision

    def perform(
        self, adapter: PlatformAdapter, access: Access, request: Mapping[str, Any], key: str
    ) -> Mapping[str, str]:
        return self._one().perform(adapter, access, request, key)

    def needs(self) -> Sequence[type[ABC]]:
        return self._one().capabilities

    def _one(self) -> TagOrder | TagCustomer:
        return TagOrder(tag=self.tag) if self.on == "order" else TagCustomer(tag=self.tag)
