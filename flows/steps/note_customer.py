"""`note_customer`: a note on the order that the shop mails to its customer, in the shop's own mail."""

from __future__ import annotations

from abc import ABC
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any, ClassVar

from connector.contracts import Access, Act, Decision, Done, NotesCustomers, PlatformAdapter, Step, StepContext
from connector.errors import Unsupported
from flows.steps.note_order import filled, paths_in


@dataclass(frozen=True, slots=True, kw_only=True)
class NoteCustomer(Step):
    """Send `note` through the shop. `{path}` in it is replaced by the value at that guard path.

    Only in flows of purpose `transactional`: the shop's mail has no unsubscribe link, and nobody asks for consent.
    """

    do: ClassVar[str] = "note_customer"
    capabilities: ClassVar[tuple[type[ABC], ...]] = (NotesCustomers,)
    instead: ClassVar[tuple[str, ...]] = ("send",)
    transactional_only: ClassVar[bool] = True

    note: str

    def start(self, ctx: StepContext) -> Decision:
        order_id, note = ctx.get("order.id"), filled(self.note, ctx).strip()
        if not order_id or not note:
            return Done("skipped", {"reason": "there is no order, or nothing to say"})
        return Act("platform", {"do": self.do, "order_id": str(order_id), "note": note})

    def paths(self) -> Sequence[str]:
        return paths_in(self.note)

    def perform(
        self, adapter: PlatformAdapter, access: Access, request: Mapping[str, Any], key: str
    ) -> Mapping[str, str]:
        if not isinstance(adapter, NotesCustomers):
            raise Unsupported(f"platform '{adapter.name}' mails no notes to customers")
        adapter.note_customer(access, request["order_id"], request["note"], key=key)
        return {}
