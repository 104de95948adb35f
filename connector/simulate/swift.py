"""The short way through a life: the product's engine, guards, facts and policy over objects, without a database.

A look back lives a hundred thousand orders, and most of what the product does for one of them is to keep it: rows,
leases, diaries, batches. None of that outlives a life that is looked at. What decides (engine, guards, derived facts,
policy, fairness) is the product's own code here too; what moves it along (`walks`, `leaving`) says what the runner and
the outbox say, and `tests/simulate/test_swift.py` holds the two against each other.

What it does not cover it does not guess: a playbook or a life with anything else in it goes the long way (`Scene`).
"""

from __future__ import annotations

import hashlib
from collections.abc import Callable, Collection, Mapping, Sequence
from datetime import datetime
from functools import lru_cache
from typing import Any

from connector.config.loyalty import Programme
from connector.contracts import Access, PlatformAdapter
from connector.model import EffectStatus, Event, EventKind, Run, RunStatus, ShopStatus
from connector.simulate.acts import Act, Uncovered
from connector.simulate.knowing import Knowing
from connector.simulate.leaving import Leaving
from connector.simulate.outcome import DROPPED, HELD, SENT, WAITING, Deed, Lived, worth_of
from connector.simulate.story import Moment
from connector.simulate.walks import COVERED, Walks
from connector.store.runs import NEVER
from flows.catalog import Catalog
from flows.definition import Flow, is_about_people
from flows.knowing.history import RECENT, never_begun
from flows.steps.send import Send

ROUNDS = 10_000
_PLACED_BEFORE = "placed after the shop was connected"
_STATES = {
    EffectStatus.SENT: SENT,
    EffectStatus.SKIPPED: DROPPED,
    EffectStatus.FAILED: DROPPED,
    EffectStatus.UNCERTAIN: DROPPED,
    EffectStatus.HELD: HELD,
}
_OVER = frozenset({RunStatus.CANCELLED, RunStatus.EXITED, RunStatus.FAILED})
_STEPS = frozenset(
    {
        *("wait", "wait_for", "send", "exit", "split", "create_discount", "give_reward", "publish_review"),
        *("tag", "tag_order", "tag_customer", "note", "note_order"),
    }
)
"""Steps whose effects are messages by e-mail or acts on the platform, and nothing else."""
_OF_LOYALTY = frozenset({"points", "tier", "badge", "challenge"})


def why_not(catalog: Catalog, shop_id: str) -> str:
    """What of a playbook the short way does not cover, as a few words; empty where it covers all of it."""
    settings = catalog.settings(shop_id)
    if settings.shop.status is not ShopStatus.ACTIVE:
        return "a shop that is paused"
    if catalog.segments(shop_id):
        return "segments"
    if len(catalog.shops_beside(shop_id)) > 1:
        return "several shops of one client"
    found = (_why_not(flow) for flow in catalog.flows(shop_id) if not _never_begins(flow, settings.loyalty))
    return next(filter(None, found), "")


def _never_begins(flow: Flow, loyalty: Programme) -> bool:
    """Whether a flow begins with nothing that a covered life holds. What a shop tells of its goods, visitors and
    sign-ups makes the whole life `Uncovered`, and so does the message that would bring a goodbye; points and tiers
    are told by a programme that is switched on."""
    if flow.schedule is not None or flow.segment is not None:
        return False
    kinds = {kind.partition(".")[0] for kind in flow.trigger}
    return kinds.isdisjoint(COVERED) and (not loyalty or kinds.isdisjoint(_OF_LOYALTY))


def _why_not(flow: Flow) -> str:
    if flow.schedule is not None or flow.segment is not None:
        return f"{flow.id}: it waits for time or segments"
    if flow.subject == "checkout" or is_about_people(flow):
        return f"{flow.id}: it is about people or carts, and no order"
    for item in flow.steps:
        step = item.step
        if step.do not in _STEPS:
            return f"{flow.id}: step '{step.do}'"
        if isinstance(step, Send) and (tuple(step.media()) != ("email",) or step.products):
            return f"{flow.id}: other channels than e-mail, or products that may not fit"
        if isinstance(step, Send) and step.survey:
            return f"{flow.id}: a survey, of which nobody gets more than one a quarter"
    return ""


class Swift:
    """One playbook's. `live` may be called for any number of people, one after the other."""

    def __init__(
        self,
        knowing: Knowing,
        catalog: Catalog,
        adapter: PlatformAdapter,
        access: Access,
        shown: Collection[str],
        at: Callable[[datetime], None],
    ) -> None:
        shop_id = knowing.shop.id
        self._walks = Walks(knowing, catalog.flows(shop_id))
        self._leaving = Leaving(self._walks, catalog, adapter, access, at)
        self._greeting = [flow for flow in catalog.flows(shop_id) if flow.subject == "order" and flow.reentry == "once"]
        self._shop_id = shop_id
        self._shown = shown

    def live(
        self, moments: Sequence[Moment], since: datetime, until: datetime, note: Callable[[Moment], None]
    ) -> Lived:
        """As `Scene.live`; raises `Uncovered` where the product itself must be asked. `note` keeps what is no event."""
        walks, at, count = self._walks, 0, len(moments)
        walks.clear()
        while at < count and moments[at].at < since:
            self._remember(moments[at], since, note)
            at += 1
        while True:
            coming = moments[at].at if at < count and moments[at].at < until else None
            due = walks.next_due()
            if due is not None and due < until and (coming is None or due <= coming):
                self._work(max(due, since))
            elif coming is not None:
                self._happen(moments[at], coming, note)
                at += 1
            else:
                break
        return self._told()

    def _happen(self, moment: Moment, now: datetime, note: Callable[[Moment], None]) -> None:
        if moment.events:
            self._walks.ingest(moment.events, now)
        else:
            self._note(moment, note)

    def _note(self, moment: Moment, note: Callable[[Moment], None]) -> None:
        note(moment)
        if moment.code is not None:
            self._walks.codes.add(moment.code.code_key)
        if moment.suppressed is not None:
            self._walks.knowing.suppress()

    def _work(self, now: datetime) -> None:
        walks = self._walks
        for _ in range(ROUNDS):
            walks.wake(now)
            self._leaving.act(now)
            due = walks.next_due()
            if due is None or due > now:
                return
        raise Uncovered("it does not come to rest")

    # -- before the window -------------------------------------------------------------------------------------------

    def _remember(self, moment: Moment, since: datetime, note: Callable[[Moment], None]) -> None:
        """As `flows.knowing.history.remember`."""
        walks = self._walks
        walks.now = since
        if not moment.events:
            self._note(moment, note)
            return
        fresh = walks.take_in(moment.events)
        for event in fresh:
            if event.consent is not None:
                walks.folders.record(event.consent, since)
        for event in fresh:
            if event.kind == EventKind.ORDER_CREATED and since - event.at < RECENT:
                self._spend(event, since)
        for order_id in dict.fromkeys(event.order_id for event in moment.events if event.order_id):
            for event in walks.derived(order_id):
                if event.at < since:
                    walks.learn(event)

    def _spend(self, event: Event, since: datetime) -> None:
        for flow in self._greeting:
            if event.kind not in flow.trigger or event.order_id is None:
                continue
            run = never_begun(self._shop_id, flow, event, event.order_id, since)
            self._walks.spend(run, _PLACED_BEFORE)

    # -- what came of it ---------------------------------------------------------------------------------------------

    def _told(self) -> Lived:
        """As `outcome.lived`."""
        walks, shown, found = self._walks, self._shown, Lived()
        for (flow_id, rule), count in walks.refused.items():
            if not shown or flow_id in shown:
                found.refused[flow_id, rule] += count
        for run in walks.runs.values():
            if run.reason == NEVER or (shown and run.flow_id not in shown):
                continue
            found.started[run.flow_id] += 1
            if run.status in _OVER:
                found.ended[run.flow_id, run.reason or str(run.status)] += 1
        for act in walks.acts.values():
            if not shown or act.effect.flow_id in shown:
                found.deeds.append(self._deed(act, walks.runs[act.effect.run_id]))
        return found

    def _deed(self, act: Act, run: Run) -> Deed:
        effect = act.effect
        request: Mapping[str, Any] = effect.request
        person = act.recipient_key or run.email_key or run.customer_id or run.subject_id
        return Deed(
            at=act.done_at or act.due_at,
            flow=effect.flow_id,
            version=effect.version,
            step=effect.step_id,
            what=str(request.get("template") or request.get("do") or effect.kind),
            kind=effect.kind,
            channel=effect.channel,
            purpose=effect.purpose.value,
            to=str(request.get("to", "")),
            order_id=run.order_id or "",
            who=_who(self._shop_id, person),
            state=_STATES.get(act.status, WAITING),
            why=act.reason.partition(":")[0],
            worth=worth_of(request) if effect.kind != "message" else "",
        )


@lru_cache(maxsize=64)
def _who(shop_id: str, person: str) -> str:
    return hashlib.sha256(f"{shop_id}|{person}".encode()).hexdigest()[:12]
