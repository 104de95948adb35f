"""`tag_order`: a tag on the order, for the shop's own people and filters."""

from __future__ import annotations

from abc import ABC
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, ClassVar

from connector.contracts import Access, Act, Decision, Done, PlatformAdapter, Step, StepContext, WritesOrders
from connector.errors import Unsupported


@dataclass(frozen=True, slots=True, kw_only=True)
class TagOrder(Step):
    """Put `tag` on the order; a tag that is there already is success."""

    do: ClassVar[str] = "tag_order"
    capabilities: ClassVar[tuple[type[ABC], ...]] = (WritesOrders,)
    instead: ClassVar[tuple[str, ...]] = ("tag_customer", "set_meta")

    tag: str

    def start(self, ctx: StepContext) -> Decision:
        order_id = ctx.get("order.id")
        if not order_id:
            return Done("skipped", {"reason": "there is no order to tag"})
        return Act("platform", {"do": self.do, "order_id": order_id, "tag": self.tag})

    def perform(
        self,
        adapter: PlatformAdapter,
        access: Access,
        request: Mapping[str, Any],
        key: str,  # noqa: ARG002 - a tag is a set member: repeating is harmless
    ) -> Mapping[str, str]:
        if not isinstance(adapter, WritesOrders):
            raise Unsupported(f"platform '{adapter.name}' cannot write to orders")
        adapter.add_tag(access, request["order_id"], request["tag"])
        return {"tag": request["tag"]}
