"""Whether a parcel's news was told already: one mail a template and parcel, unless something happened in between.

A failed attempt and the failure a day later are the same words to the customer ("could not be delivered"); sent out
again in between, it is news once more. Trackers tell on a change of state, once
(https://help.aftership.com/hc/en-us/articles/360033817613-Trigger-notifications-).
"""

from __future__ import annotations

from connector.clock import from_text
from connector.model import Effect, EventKind, Run
from connector.store import effects, events
from connector.store.db import Tx

NO_STATE = frozenset({EventKind.SHIPMENT_UPDATED, EventKind.SHIPMENT_CREATED})


def told_already(tx: Tx, run: Run, effect: Effect) -> str | None:
    """The kind of event this parcel's same mail was sent for before; `None` when the mail is news."""
    template = effect.request.get("template")
    if run.subject_kind != "shipment" or not template:
        return None
    for trigger, told in effects.told_of_subject(tx, run):
        if told.get("template") == template:
            return None if _moved_between(tx, run, trigger) else trigger["kind"]
    return None


def _moved_between(tx: Tx, run: Run, trigger: dict[str, str]) -> bool:
    """Whether the parcel was in another state between the news that was told and this run's."""
    if run.order_id is None:
        return False
    same = NO_STATE | {trigger["kind"], run.event["kind"]}
    first, last = from_text(trigger["at"]), from_text(run.event["at"])
    return any(
        row.kind.startswith("shipment.") and row.kind not in same and first < row.at < last
        for row in events.for_order(tx, run.shop_id, run.order_id)
        if row.subject_id == run.subject_id
    )
