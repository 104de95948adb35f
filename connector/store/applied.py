"""What was applied: each shop's states of its flows, in order. The newest one is what runs there."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime

from connector import codec
from connector.clock import from_text, to_text
from connector.config.limits import Limits
from connector.store.db import Row, Tx

KEPT = 1_000
"""The longest history that is read at once; a shop changed every day has three years."""


ROLLBACK = "rollback"
"""What a state is that was gone back to: it stays until somebody applies the files."""


@dataclass(frozen=True, slots=True, kw_only=True)
class AppliedLimits:
    """What limited a flow when it was applied: the shop's limits, and the flow's own of its setting."""

    shop: Limits
    daily: int | None = None
    canary: float = 1.0
    priority: int | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class AppliedFlow:
    """A flow as it was applied; its text is the version's own (`store.flows`).

    `setting` is its name in the operator's file and `file` where it was read. `origin` says which layer each value came
    from (`params.wait`: `presets.slow-goods`). `templates` maps `name/language` to a digest of the text. `limits` is
    missing in states that were kept before limits were.
    """

    flow_id: str
    version: str
    title: str = ""
    enabled: bool = True
    setting: str = ""
    file: str = ""
    origin: Mapping[str, str] = field(default_factory=dict)
    templates: Mapping[str, str] = field(default_factory=dict)
    limits: AppliedLimits | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class AppliedState:
    """One state of a shop. `state` counts from 1; `what` is one of: first start, start, apply, rollback.

    `changes` has an entry a flow: `flow`, `change`, `from`, `to`, `how`, and how many runs were moved, left or ended.
    """

    shop_id: str
    state: int
    at: datetime
    who: str
    what: str
    note: str = ""
    plan: str = ""
    part: str = ""
    flows: tuple[AppliedFlow, ...]
    changes: tuple[Mapping[str, str], ...] = ()

    @property
    def rolled_back(self) -> bool:
        """Whether somebody went back to it: files that apply themselves leave it alone."""
        return self.what == ROLLBACK

    def flow(self, flow_id: str) -> AppliedFlow | None:
        return next((flow for flow in self.flows if flow.flow_id == flow_id), None)


def append(tx: Tx, state: AppliedState) -> None:
    """Keep another state. Whoever else took the number meanwhile makes this transaction fail: hold the shop first."""
    tx.run(
        "applied_put",
        shop_id=state.shop_id,
        state=state.state,
        at=to_text(state.at),
        who=state.who,
        what=state.what,
        note=state.note,
        plan=state.plan,
        part=state.part,
        flows=codec.encode_text(state.flows),
        changes=codec.encode_text([dict(change) for change in state.changes]),
    )


def hold(tx: Tx, shop_id: str) -> None:
    """One transaction at a time changes what runs in a shop."""
    tx.hold([f"flows of {shop_id}"])


def newest(tx: Tx) -> dict[str, AppliedState]:
    """What runs in each shop that ever had something applied."""
    return {row["shop_id"]: _state(row) for row in tx.all("applied_newest")}


def newest_of(tx: Tx, shop_id: str) -> AppliedState | None:
    found = history(tx, shop_id, 1)
    return found[0] if found else None


def history(tx: Tx, shop_id: str, limit: int = KEPT) -> Sequence[AppliedState]:
    """Newest first."""
    return [_state(row) for row in tx.all("applied_of_shop", shop_id=shop_id, limit=limit)]


def get(tx: Tx, shop_id: str, state: int) -> AppliedState | None:
    row = tx.one("applied_get", shop_id=shop_id, state=state)
    return _state(row) if row else None


def _state(row: Row) -> AppliedState:
    return AppliedState(
        shop_id=row["shop_id"],
        state=row["state"],
        at=from_text(row["at"]),
        who=row["who"],
        what=row["what"],
        note=row["note"],
        plan=row["plan"],
        part=row["part"],
        flows=codec.decode(row["flows"], tuple[AppliedFlow, ...]),
        changes=codec.decode(row["changes"], tuple[dict[str, str], ...]),
    )
