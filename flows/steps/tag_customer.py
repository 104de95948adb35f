"""`tag_customer`: a tag on the customer, for the shop's own people, segments and filters."""

from __future__ import annotations

from abc import ABC
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, ClassVar

from connector.contracts import Access, Act, Decision, Done, PlatformAdapter, Step, StepContext, TagsCustomers
from connector.errors import Unsupported
from flows.authoring.paths import Kind


@dataclass(frozen=True, slots=True, kw_only=True)
class TagCustomer(Step):
    """Put `tag` on the customer's account, or what stands under the path `tag_from` (`event.tag`); a tag that is there
    already is success. A guest has no account."""

    do: ClassVar[str] = "tag_customer"
    capabilities: ClassVar[tuple[type[ABC], ...]] = (TagsCustomers,)
    instead: ClassVar[tuple[str, ...]] = ("tag_order",)

    tag: str = ""
    tag_from: str = field(default="", metadata={"path": Kind.LOOSE})

    def __post_init__(self) -> None:
        if bool(self.tag) == bool(self.tag_from):
            raise ValueError("give exactly one of 'tag' and 'tag_from'")

    def start(self, ctx: StepContext) -> Decision:
        customer_id = ctx.get("customer.id")
        if not customer_id:
            return Done("skipped", {"reason": "the customer has no account to tag"})
        tag = self.tag or str(ctx.get(self.tag_from) or "")
        if not tag:
            return Done("skipped", {"reason": f"nothing stands under {self.tag_from}"})
        return Act("platform", {"do": self.do, "customer_id": str(customer_id), "tag": tag})

    def paths(self) -> Sequence[str]:
        return (self.tag_from,) if self.tag_from else ()

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
