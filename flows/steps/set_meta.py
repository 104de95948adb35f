"""`set_meta`: a value of ours on the order or the customer, where the shop's people and other apps can read it."""

from __future__ import annotations

import re
from abc import ABC
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, ClassVar

from connector.contracts import (
    Access,
    Act,
    Decision,
    Done,
    MetaRequest,
    PlatformAdapter,
    Step,
    StepContext,
    WritesMeta,
)
from connector.errors import Unsupported
from flows.steps.note_order import filled, paths_in

_KEY = re.compile(r"[a-z][a-z0-9_]{1,39}")
_OWNERS = {"order": "order.id", "customer": "customer.id"}


@dataclass(frozen=True, slots=True, kw_only=True)
class SetMeta(Step):
    """Write `value` under `key`. `{path}` in it is replaced by the value at that guard path. An empty value writes
    nothing. On Shopify it is a metafield of the app's own (`$app`), on WooCommerce the meta field `_kiitos_<key>`."""

    do: ClassVar[str] = "set_meta"
    capabilities: ClassVar[tuple[type[ABC], ...]] = (WritesMeta,)
    instead: ClassVar[tuple[str, ...]] = ("tag_order", "note_order")

    key: str
    value: str
    on: str = field(default="order", metadata={"words": tuple(_OWNERS)})

    def __post_init__(self) -> None:
        if not _KEY.fullmatch(self.key):
            raise ValueError(f"key: a letter, then letters, digits and _ (40 at most), all small; not '{self.key}'")

    def start(self, ctx: StepContext) -> Decision:
        owner_id, value = ctx.get(_OWNERS[self.on]), filled(self.value, ctx)
        if not owner_id or not value:
            what = f"there is no {self.on} to write to" if not owner_id else "there is nothing to write"
            return Done("skipped", {"reason": what})
        request = {"owner": self.on, "owner_id": str(owner_id), "key": self.key, "value": value}
        return Act("platform", {"do": self.do, **request})

    def paths(self) -> Sequence[str]:
        return paths_in(self.value)

    def perform(
        self,
        adapter: PlatformAdapter,
        access: Access,
        request: Mapping[str, Any],
        key: str,  # noqa: ARG002 - the same value is written once
    ) -> Mapping[str, str]:
        if not isinstance(adapter, WritesMeta):
            raise Unsupported(f"platform '{adapter.name}' keeps no values of ours")
        wanted = {name: str(request[name]) for name in ("owner", "owner_id", "key", "value")}
        adapter.write_meta(access, MetaRequest(**wanted))
        return {"value": wanted["value"]}
