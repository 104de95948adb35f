"""`note_order`: a note on the order that only the shop's people see."""

from __future__ import annotations

import re
from abc import ABC
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any, ClassVar

from connector.contracts import Access, Act, Decision, Done, PlatformAdapter, Step, StepContext, WritesOrders
from connector.errors import Unsupported
from flows.guards import shown

_PATH = re.compile(r"\{([a-z_][\w.-]*)\}")


def filled(text: str, ctx: StepContext) -> str:
    """The text with each `{path}` replaced by the value there; nothing where it is missing."""
    return _PATH.sub(lambda match: "" if ctx.get(match[1]) is None else shown(ctx.get(match[1])), text)


def paths_in(text: str) -> tuple[str, ...]:
    """The guard paths a text names in braces."""
    return tuple(_PATH.findall(text))


@dataclass(frozen=True, slots=True, kw_only=True)
class NoteOrder(Step):
    """Write `note`. `{path}` in it is replaced by the value at that guard path (`{steps.code.code}`)."""

    do: ClassVar[str] = "note_order"
    capabilities: ClassVar[tuple[type[ABC], ...]] = (WritesOrders,)
    instead: ClassVar[tuple[str, ...]] = ("set_meta",)

    note: str

    def start(self, ctx: StepContext) -> Decision:
        order_id = ctx.get("order.id")
        if not order_id:
            return Done("skipped", {"reason": "there is no order to write to"})
        return Act("platform", {"do": self.do, "order_id": order_id, "note": filled(self.note, ctx)})

    def paths(self) -> Sequence[str]:
        return paths_in(self.note)

    def perform(
        self, adapter: PlatformAdapter, access: Access, request: Mapping[str, Any], key: str
    ) -> Mapping[str, str]:
        if not isinstance(adapter, WritesOrders):
            raise Unsupported(f"platform '{adapter.name}' cannot write to orders")
        adapter.add_note(access, request["order_id"], request["note"], key=key)
        return {}
