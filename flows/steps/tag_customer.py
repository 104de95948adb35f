"""`tag_customer`: a tag on the customer, for the shop's own people, segments and filters."""

from __future__ import annotations

from abc import ABC
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, ClassVar

from connector.contracts import Access, Act, Decision, Done, PlatformAdapter, Step, StepContext, TagsCustomers
from connector.errors import Unsupported


@dataclass(frozen=True, slots=True, kw_only=True)
class TagCustomer(Step):
    """Put `tag` on the customer's account; a tag that is there already is success. A guest has no account."""

    do: ClassVar[str] = "tag_customer"
    capabilities: ClassVar[tuple[type[ABC], ...]] = (TagsCustomers,)
    instead: ClassVar[tuple[str, ...]] = ("tag_order",)

    tag: str

    def start(self, ctx: StepContext) -> Decision:
        customer_id = ctx.get("customer.id")
        if not customer_id:
            return Done("skipped", {"reason": "the customer has no account to tag"})
        return Act("platform", {"do": self.do, "customer_id": str(customer_id), "tag": self.tag})

    def perform(
        self,
        adapter: PlatformAdapter,
        access: Access,
        request: Mapping[str, Any],
        key: str,  # noqa: ARG002 - a tag is a set member: repeating is harmless
    ) -> Mapping[str, str]:
        if not isinstance(adapter, TagsCustomers):
            raise Unsupported(f"platform '{adapter.name}' cannot tag customers")
        adapter.tag_customer(access, request["customer_id"], request["tag"])
        return {"tag": request["tag"]}
