"""Why people drop out of a flow, counted: at each step how many came, left, were turned away, and for what reason.

Answered from rows alone, as `connector.explaining.explain` is; each reason names an order to look at with `kiitos
explain`.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import datetime
from typing import Any

from connector import codec
from connector.explaining.explain import effect_flip
from connector.model import EffectStatus, RunStatus
from connector.store import effects, entities, funnel, runs
from connector.store import flows as flow_store
from connector.store.db import Tx
from connector.store.funnel import Fate, Standing, TurnedAway
from connector.store.store import Store
from flows.authoring.flips import guard_flip, rule_flip

NOT_STARTED = "not started"
"""The reason of a row that only keeps why a flow did not start (`flows.runner`)."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Reason:
    """Why so many runs left the way at one place. `what` is one of: not started, passed over, not sent, failed,
    cancelled, ended, waiting, put off, held, uncertain. `example` is an order's number, or a run's id where there is
    no order."""

    what: str
    why: str
    runs: int
    example: str = ""
    flip: str = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class StepCount:
    """One step: how many runs came to it, how many messages or deeds it sent, and the reasons of the others."""

    step_id: str
    reached: int
    sent: int
    reasons: tuple[Reason, ...]


@dataclass(frozen=True, slots=True, kw_only=True)
class Funnel:
    """A flow in one shop since a time. `started` counts runs; `before` are the reasons of those that never began."""

    shop_id: str
    flow_id: str
    since: datetime
    versions: tuple[str, ...]
    started: int
    completed: int
    before: tuple[Reason, ...]
    steps: tuple[StepCount, ...]


def count_funnel(store: Store, shop_id: str, flow_id: str, since: datetime) -> Funnel | None:
    """The flow's funnel over runs created since then; `None` where nobody was ever near it."""
    with store.work.read() as tx:
        standing = funnel.standing(tx, shop_id, flow_id, since)
        if not standing:
            return None
        orders = _orders(tx, shop_id, flow_id, standing)
        away = funnel.turned_away(tx, shop_id, flow_id, since)
        fates = funnel.fates(tx, shop_id, flow_id, since)
        reached = funnel.reached(tx, shop_id, flow_id, since)
        found = _reasons(tx, shop_id, standing, away, fates, orders)
        before = found.pop("", [])
        steps = [name for order in reversed(orders.values()) for name in order]
        began = [each for each in standing if each.reason != NOT_STARTED]
        counted = Funnel(
            shop_id=shop_id,
            flow_id=flow_id,
            since=since,
            versions=tuple(orders),
            started=sum(each.total for each in began),
            completed=sum(each.total for each in began if each.status is RunStatus.COMPLETED),
            before=tuple(before),
            steps=tuple(
                StepCount(
                    step_id=name,
                    reached=reached.get(name, 0),
                    sent=sum(fate.total for fate in fates if fate.step_id == name and fate.status is EffectStatus.SENT),
                    reasons=tuple(found.get(name, ())),
                )
                for name in dict.fromkeys(steps)
            ),
        )
        return _with_examples(tx, counted)


def _orders(tx: Tx, shop_id: str, flow_id: str, standing: Sequence[Standing]) -> dict[str, list[str]]:
    """The step ids of each version, the version most runs follow last (its order is the one shown)."""
    sizes: dict[str, int] = defaultdict(int)
    for each in standing:
        sizes[each.version] += each.total
    found = {}
    for version in sorted(sizes, key=lambda name: (sizes[name], name)):
        body = flow_store.get(tx, shop_id, flow_id, version)
        steps = codec.decode(body, dict[str, Any]).get("steps", []) if body else []
        found[version] = [str(step["id"]) for step in steps]
    return found


def _reasons(
    tx: Tx,
    shop_id: str,
    standing: Sequence[Standing],
    away: Sequence[TurnedAway],
    fates: Sequence[Fate],
    orders: Mapping[str, list[str]],
) -> dict[str, list[Reason]]:
    """Reasons by step id (empty: before the first), the most frequent first; what differs only in the value it saw is
    counted together."""
    met: dict[tuple[str, str, str], Reason] = {}
    every = [*map(_turned_away, away), *(_stood(each, orders) for each in standing)]
    every += [_fate(tx, shop_id, each) for each in fates]
    for step_id, reason in filter(None, every):
        key = (step_id, reason.what, reason.why)
        before = met.get(key)
        met[key] = replace(before, runs=before.runs + reason.runs) if before else reason
    found: dict[str, list[Reason]] = defaultdict(list)
    for (step_id, _, _), reason in sorted(met.items(), key=lambda item: (-item[1].runs, item[0])):
        found[step_id].append(reason)
    return found


def _turned_away(each: TurnedAway) -> tuple[str, Reason]:
    seen = each.detail
    if each.what == "not_started":
        rule = seen.get("rule", "")
        flip = rule_flip(rule, seen.get("saw", ""), "started it", each.at)
        return "", Reason(what="not started", why=rule, runs=each.total, example=each.example, flip=flip)
    path, op, wanted, saw = (seen.get(key, "") for key in ("path", "op", "wanted", "saw"))
    flip = guard_flip(path, op, wanted, saw, "let it go on", each.at)
    why = f"{path} {op} {wanted}"
    return each.step_id, Reason(what="passed over", why=why, runs=each.total, example=each.example, flip=flip)


_ENDS = {
    RunStatus.CANCELLED: "cancelled",
    RunStatus.EXITED: "ended",
    RunStatus.FAILED: "failed",
    RunStatus.SLEEPING: "waiting",
    RunStatus.AWAITING: "waiting",
    RunStatus.READY: "waiting",
}


def _stood(each: Standing, orders: Mapping[str, list[str]]) -> tuple[str, Reason] | None:
    """Runs that ended or wait at a step; those whose message is under way are told of by what becomes of it."""
    what = _ENDS.get(each.status)
    if what is None or each.reason == NOT_STARTED:
        return None
    steps = orders.get(each.version, [])
    step_id = steps[each.step] if each.step < len(steps) else steps[-1] if steps else ""
    why = each.reason or str(each.status)
    flip = f"without {each.reason} it would have gone on" if each.status is RunStatus.CANCELLED else ""
    return step_id, Reason(what=what, why=why, runs=each.total, example=each.example, flip=flip)


_FATES = {
    EffectStatus.SKIPPED: "not sent",
    EffectStatus.FAILED: "failed",
    EffectStatus.UNCERTAIN: "uncertain",
    EffectStatus.PENDING: "put off",
    EffectStatus.HELD: "held",
}


def _fate(tx: Tx, shop_id: str, each: Fate) -> tuple[str, Reason] | None:
    what = _FATES.get(each.status, str(each.status))
    if each.status in (EffectStatus.SENT, EffectStatus.SENDING) or (what == "put off" and not each.reason):
        return None
    effect = effects.get(tx, shop_id, each.effect_id)
    flip = effect_flip(tx, effect) if effect else ""
    code = each.reason.partition(": ")[0]
    why = each.reason if code in ("cancelled", "no_longer_true") else code
    return each.step_id, Reason(what=what, why=why or what, runs=each.total, example=each.example, flip=flip)


def _with_examples(tx: Tx, found: Funnel) -> Funnel:
    """Orders' numbers, which people know, in place of runs' ids."""

    def named(reason: Reason) -> Reason:
        run = runs.get(tx, found.shop_id, reason.example)
        order = entities.order(tx, found.shop_id, run.order_id) if run and run.order_id else None
        return replace(reason, example=order.number if order else reason.example)

    return replace(
        found,
        before=tuple(map(named, found.before)),
        steps=tuple(replace(step, reasons=tuple(map(named, step.reasons))) for step in found.steps),
    )
