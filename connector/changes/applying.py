"""Applying a plan: one transaction a shop, so that whatever dies each shop is wholly as it was or wholly as planned."""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping
from dataclasses import dataclass, replace
from datetime import datetime
from typing import Any

from connector.app import Kiitos
from connector.changes.planning import Choices, FlowChange, ShopPlan, make_plan
from connector.changes.targets import document
from connector.model import Run
from connector.store import applied, connecting, runs
from connector.store import flows as flow_store
from connector.store.applied import AppliedState
from connector.store.db import Tx
from connector.working.intake import again_if_moved
from flows.authoring import moving
from flows.authoring.moving import Lands, Migration, Stops, landing, steps_of, unlike
from flows.definition import Flow
from flows.engine import Transition
from flows.knowing.situation import facts_of, look

_PAGE = 500


@dataclass(frozen=True, slots=True)
class Applied:
    """A shop that was changed; `state` is the new state as it was kept."""

    state: AppliedState


@dataclass(frozen=True, slots=True)
class Refused:
    """A shop that was left exactly as it was, for these reasons. `undecided`: nobody said where people in flight go
    on."""

    shop_id: str
    why: tuple[str, ...]
    undecided: bool = False


def apply_shop(
    kiitos: Kiitos, plan: ShopPlan, choices: Choices, *, who: str, what: str, digest: str = "", note: str = ""
) -> Applied | Refused:
    """Make the shop run what the plan says, and migrate its people in flight, in one transaction.

    The plan is made anew inside: who came to an ambiguous place since it was read makes it refused as well. Refused too
    when somebody else applied something in between. May be called again: what runs already is not applied twice.
    """
    return again_if_moved(lambda: _in_one(kiitos, plan, choices, who, what, digest, note))


def _in_one(
    kiitos: Kiitos, plan: ShopPlan, choices: Choices, who: str, what: str, digest: str, note: str
) -> Applied | Refused:
    target, now = plan.target, kiitos.clock.now()
    with kiitos.store.work.transaction() as tx:
        applied.hold(tx, plan.shop_id)
        running = applied.newest_of(tx, plan.shop_id)
        if (running.state if running else 0) != plan.state:
            return Refused(plan.shop_id, ("something else was applied meanwhile; look at a new plan",))
        (fresh,) = make_plan(tx, [target], {plan.shop_id: running} if running else {}, choices).shops
        if fresh.refusals:
            return Refused(plan.shop_id, fresh.refusals, undecided=not target.faults)
        for entry in target.entries:
            flow_store.save(tx, plan.shop_id, entry.flow_id, entry.version, target.texts[entry.flow_id], now)
        state = AppliedState(
            shop_id=plan.shop_id,
            state=plan.state + 1,
            at=now,
            who=who,
            what=what,
            note=note,
            plan=digest,
            part=plan.part,
            flows=target.entries,
            changes=tuple(_migrate(tx, kiitos, fresh, change, choices, now) for change in fresh.changes),
        )
        applied.append(tx, state)
        connecting.bump(tx, now)
    return Applied(state)


def _migrate(
    tx: Tx, kiitos: Kiitos, plan: ShopPlan, change: FlowChange, choices: Choices, now: datetime
) -> Mapping[str, str]:
    counts: Counter[str] = Counter()
    flow = None
    if change.after is not None and change.positions:
        read = Flow.from_json(plan.target.texts[change.flow_id], kiitos.registry.steps)
        flow = replace(read, version=change.after.version)  # what runs are pinned to, whoever wrote the text
    migration = _Migration(tx, kiitos, plan.shop_id, change, flow, choices.steps_of(change.flow_id), now)
    if migration.leaves_all:
        if change.runs:
            counts["left"] = change.runs  # counted in this transaction: a million need not be read one by one
    elif change.positions:
        version = change.after.version if change.after else ""
        for number, run in enumerate(runs.on_other_versions(tx, plan.shop_id, change.flow_id, version, _PAGE), start=1):
            counts[migration.take(run)] += 1
            if number % _PAGE == 0:
                tx.flush()
                tx.memo.clear()  # a hundred thousand orders that were looked at once need not be remembered
    return {
        "flow": change.flow_id,
        "change": change.change,
        "from": change.before.version if change.before else "",
        "to": change.after.version if change.after else "",
        "how": str(change.how),
        **{word: str(count) for word, count in sorted(counts.items())},
    }


class _Migration:
    """One flow's change met by each of its runs."""

    def __init__(
        self,
        tx: Tx,
        kiitos: Kiitos,
        shop_id: str,
        change: FlowChange,
        flow: Flow | None,
        mapping: Mapping[str, str],
        now: datetime,
    ) -> None:
        self.tx = tx
        self.kiitos = kiitos
        self.shop = kiitos.config.shop(shop_id).shop
        self.change = change
        self.flow = flow
        self.mapping = mapping
        self.now = now
        self._old: dict[str, Mapping[str, Any]] = {}

    @property
    def leaves_all(self) -> bool:
        """Whether everybody stays on the version they are on."""
        return self.change.how is Migration.FINISH or (self.flow is None and self.change.how is not Migration.END)

    def take(self, run: Run) -> str:
        """Migrate one run; `moved`, `left` or `ended`."""
        how = self.change.how
        if how is Migration.END:
            return self._end(run, "the flow was changed")
        if self.leaves_all or self.flow is None:
            return "left"
        before, after = self._text(run.version), self.flow.document
        old, new = steps_of(before), steps_of(after)
        place = unlike(before, after) or landing(old, new, run.step, run.status, self.mapping)
        if isinstance(place, Stops):
            return self._end(run, f"the flow was changed and has no step {place.step_id} any more")
        if not isinstance(place, Lands):
            # On PostgreSQL somebody may have come to an unclear place since this transaction looked: they stay.
            return "left"
        moved = moving.move(old, self.flow, run, place, how, self.now)
        if how is Migration.REEVALUATE:
            moved = self._reevaluated(run, moved)
        self.kiitos.runner.migrate(self.tx, moved, self.now)
        return "ended" if moved.run.status.ended else "moved"

    def _reevaluated(self, run: Run, moved: Transition) -> Transition:
        assert self.flow is not None
        situation = look(self.tx, self.shop, run.order_id, run.customer_id)
        facts = facts_of(situation, self.shop, self.flow.texts, self.now, self.kiitos.salt, run=run)
        return moving.reevaluate(self.flow, moved, facts, self.now)

    def _end(self, run: Run, reason: str) -> str:
        self.kiitos.runner.withdraw(self.tx, run, reason, self.now)
        return "ended"

    def _text(self, version: str) -> Mapping[str, Any]:
        if version not in self._old:
            body = flow_store.get(self.tx, self.shop.id, self.change.flow_id, version)
            self._old[version] = document(body or "{}")
        return self._old[version]
