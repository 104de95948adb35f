"""What flows give in the platform for reviews: a code, a card, store credit. It goes with the reviews it was given for.

Given when they are written, whatever their stars and whether or not somebody still has to look at them; taken back,
unless used, when none of those written at once is left: withdrawn by the customer, or hidden by a person. As long as
one stands, it stays, so that no stars decide which one counts.
"""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime
from typing import TYPE_CHECKING

from connector.model import Effect, EffectStatus, Event, EventKind, Run
from connector.store import effects, reviews, runs
from connector.store.db import Tx
from connector.store.reviews import FORM, ReviewRow, ReviewState
from flows.reviews.incentives import gives
from flows.value.vouchers import void_all

if TYPE_CHECKING:
    from flows.runner import Runner

_GONE = (ReviewState.HIDDEN, ReviewState.WITHDRAWN)
_TAKES_BACK = frozenset({str(EventKind.REVIEW_HIDDEN), str(EventKind.REVIEW_WITHDRAWN)})
_ID = "review_id"


def review_of(tx: Tx, runner: Runner, run: Run) -> str:
    """The review that a run gives something for: the one it began with or waited for. One that came between two of its
    waits is known by the order alone."""
    if not run.order_id or not gives(runner.flow_of(tx, run)):
        return ""
    named = _named(run)
    if named:
        return named
    return next((row.id for row in _written(tx, run.shop_id, run.order_id) if row.state not in _GONE), "")


def take_back(tx: Tx, runner: Runner, shop_id: str, event: Event, now: datetime) -> None:
    """A review was withdrawn or hidden: what was given for it goes back, what was still to be given is not."""
    if event.kind not in _TAKES_BACK or not event.order_id:
        return
    gone = _gone(_written(tx, shop_id, event.order_id))
    for review_id in gone:
        void_all(tx, shop_id, f"review/{review_id}", str(event.kind), now)
    for run in runs.of_order(tx, shop_id, event.order_id):
        if not run.status.ended and _named(run) in gone and gives(runner.flow_of(tx, run)):
            _end(tx, runner, run, str(event.kind), now)


def take_back_late(tx: Tx, runner: Runner, run: Run, review_id: str, now: datetime) -> None:
    """What was on its way to the platform when its review went is taken back as soon as it is there, and nobody is
    thanked with it. The order is held: of two who come at once, one sees the other."""
    rows = _written(tx, run.shop_id, run.order_id or "")
    if review_id not in _gone(rows):
        return
    state = next(row.state for row in rows if row.id == review_id)
    kind = EventKind.REVIEW_HIDDEN if state is ReviewState.HIDDEN else EventKind.REVIEW_WITHDRAWN
    void_all(tx, run.shop_id, f"review/{review_id}", str(kind), now)
    known = runs.get(tx, run.shop_id, run.id)
    if known is not None and not known.status.ended:
        runner.withdraw(tx, known, str(kind), now)


def _end(tx: Tx, runner: Runner, run: Run, kind: str, now: datetime) -> None:
    """End a run, unless what it gives may be there already: what comes of that is `take_back_late`'s."""
    if not any(_on_its_way(effect) for effect in effects.of_run(tx, run.shop_id, run.id)):
        runner.withdraw(tx, run, kind, now)


def _on_its_way(effect: Effect) -> bool:
    gift = effect.request.get("discount") or effect.request.get("grant")
    tried = effect.status is EffectStatus.SENDING or (effect.status is EffectStatus.PENDING and effect.tainted)
    return bool(gift) and tried


def _named(run: Run) -> str:
    """The review of the event that began a run, or that one of its steps waited for."""
    told = (run.event, *run.outcomes.values())
    return next((each[_ID] for each in told if each.get(_ID)), "")


def _written(tx: Tx, shop_id: str, order_id: str) -> list[ReviewRow]:
    """The reviews of an order that came by our form, without stories."""
    return [row for row in reviews.of_order(tx, shop_id, order_id) if not row.is_story and row.source == FORM]


def _gone(rows: Sequence[ReviewRow]) -> set[str]:
    """Those of which nothing is left: neither they nor any that was written at the same time."""
    left = {row.at for row in rows if row.state not in _GONE}
    return {row.id for row in rows if row.at not in left}
