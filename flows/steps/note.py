"""`note`: a note for the shop's people on the order, or for its customer: `note_order` and `note_customer`."""

from __future__ import annotations

from abc import ABC
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, ClassVar

from connector.contracts import Access, Act, Decision, PlatformAdapter, Step, StepContext
from flows.steps.note_customer import NoteCustomer
from flows.steps.note_order import NoteOrder, paths_in


@dataclass(frozen=True, slots=True, kw_only=True)
class Note(Step):
    """Write `note` on the order, for the shop's own people (`to = "shop"`) or sent on to the customer by the shop
    (`to = "customer"`, in flows of purpose `transactional` only). `{path}` in it is replaced by the value there."""

    do: ClassVar[str] = "note"

    note: str
    to: str = field(default="shop", metadata={"words": ("shop", "customer")})

    def leaves_out_consent(self) -> bool:
        return self._one().transactional_only

    def start(self, ctx: StepContext) -> Decision:
        decision = self._one().start(ctx)
        return Act(decision.kind, {**decision.request, "do": self.do}) if isinstance(decision, Act) else decision

    def perform(
        self, adapter: PlatformAdapter, access: Access, request: Mapping[str, Any], key: str
    ) -> Mapping[str, str]:
        return self._one().perform(adapter, access, request, key)

    def paths(self) -> Sequence[str]:
        return paths_in(self.note)

    def needs(self) -> Sequence[type[ABC]]:
        return self._one().capabilities

    def _one(self) -> NoteOrder | NoteCustomer:
        return NoteOrder(note=self.note) if self.to == "shop" else NoteCustomer(note=self.note)
