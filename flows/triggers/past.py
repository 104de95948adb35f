"""Wake-ups for what was known before a flow was switched on or changed, in bounded slices; and their removal.

Each slice is one transaction that stores its own progress, so a worker that dies loses nothing and repeats nothing.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import replace
from datetime import datetime

from connector.model import Ref
from connector.store import wakeups
from connector.store.db import Tx
from connector.store.wakeups import Arming
from flows.catalog import Catalog
from flows.definition import Flow
from flows.knowing.sight import Sight
from flows.triggers.arming import arm
from flows.triggers.forms import DateTrigger, SilenceTrigger
from flows.triggers.waiting import Waiter, of_order, of_person, trigger_key

SLICE = 200
"""Orders, accounts or events looked at in one transaction."""


def begin(tx: Tx, catalog: Catalog, shop_ids: Iterable[str], now: datetime) -> int:
    """Plan the making of wake-ups for flows that are new or were changed, and the removing for those switched off.
    How many were planned."""
    known = {(row.shop_id, row.flow_id): row for row in wakeups.armings(tx)}
    wanted = {(shop_id, flow.id): flow for shop_id in shop_ids for flow in catalog.scheduled(shop_id)}
    planned = 0
    for (shop_id, flow_id), flow in wanted.items():
        before, key = known.get((shop_id, flow_id)), trigger_key(flow)
        if before is None or before.trigger_key != key or before.state == wakeups.REMOVING:
            wakeups.keep_arming(tx, Arming(shop_id, flow_id, key, wakeups.ARMING, _source(flow), ""), now)
            planned += 1
    for place, row in known.items():
        if place not in wanted and row.shop_id in shop_ids and row.state != wakeups.REMOVING:
            wakeups.keep_arming(tx, replace(row, state=wakeups.REMOVING, after_id=""), now)
            planned += 1
    return planned


def is_planned(known: Sequence[Arming], catalog: Catalog, shop_ids: Iterable[str]) -> bool:
    """Whether `begin` would find nothing to do."""
    rows = {(row.shop_id, row.flow_id): row.trigger_key for row in known if row.state != wakeups.REMOVING}
    shops = set(shop_ids)
    here = {place: key for place, key in rows.items() if place[0] in shops}
    return here == {(shop, flow.id): trigger_key(flow) for shop in shops for flow in catalog.scheduled(shop)}


def _source(flow: Flow) -> str:
    """Where those who were known before stand, one place after the other."""
    match flow.schedule:
        case DateTrigger(path="customer.birthday"):
            return "customers"
        case DateTrigger(anchor="customer"):
            return "customers orders"  # a guest is known by what they ordered
        case DateTrigger(anchor="checkout"):
            return "checkouts"
        case SilenceTrigger(anchor="customer"):
            return "events"
        case SilenceTrigger():
            return ""  # a cart of before is long cold
    return "orders"


def make_slice(tx: Tx, catalog: Catalog, arming: Arming, now: datetime) -> None:
    """One bounded piece of the making or removing; its progress is stored in the same transaction."""
    shop_id, flow_id = arming.shop_id, arming.flow_id
    flow = next((each for each in catalog.scheduled(shop_id) if each.id == flow_id), None)
    if arming.state == wakeups.REMOVING or flow is None:
        if wakeups.drop_flow(tx, shop_id, flow_id, SLICE) < SLICE:
            wakeups.drop_arming(tx, shop_id, flow_id)
        else:
            wakeups.keep_arming(tx, arming, now)
        return
    if arming.source:
        following = _make(tx, catalog, flow, arming, now)
        source = arming.source if following is not None else arming.source.partition(" ")[2]
        wakeups.keep_arming(tx, replace(arming, source=source, after_id=following or ""), now)
        return
    left = wakeups.drop_stale(tx, shop_id, flow_id, arming.trigger_key, SLICE) == SLICE
    wakeups.keep_arming(tx, arming if left else replace(arming, state=wakeups.DONE), now)


def _make(tx: Tx, catalog: Catalog, flow: Flow, arming: Arming, now: datetime) -> str | None:
    """Look at the next page; where the one after it begins, `None` at the end."""
    shop, source = catalog.settings(arming.shop_id).shop, arming.source.partition(" ")[0]
    sight = Sight(tx, shop)
    if source == "events":
        assert isinstance(flow.schedule, SilenceTrigger)
        told, following = wakeups.past_events(tx, shop.id, arming.after_id, SLICE, flow.schedule.after)
        for each in told:
            found = of_person(sight, each.order_id, each.customer_id, None)
            if found is not None:
                arm(tx, shop, flow, found, now, now, each.at)
        return following
    ids = wakeups.page(tx, source, shop.id, arming.after_id, SLICE)
    for each_id in ids:
        for waiter in _SOURCES[source](flow, each_id, sight):
            arm(tx, shop, flow, waiter, now, now, now)
    return ids[-1] if len(ids) == SLICE else None


def _from_order(flow: Flow, order_id: str, sight: Sight) -> Iterator[Waiter]:
    assert flow.schedule is not None
    if flow.schedule.anchor == "customer":
        found = of_person(sight, order_id, None, None)
        if found is not None:
            yield found
    else:
        yield from of_order(flow.schedule.anchor, order_id, sight)


def _from_account(flow: Flow, customer_id: str, sight: Sight) -> Iterator[Waiter]:
    del flow
    found = of_person(sight, None, customer_id, None)
    if found is not None:
        yield found


def _from_cart(flow: Flow, token: str, sight: Sight) -> Iterator[Waiter]:
    del flow
    subject = Ref("checkout", token)
    situation = sight.of_cart(subject, None, None)
    customer = situation.customer
    yield Waiter(
        subject=subject,
        situation=situation,
        customer_id=customer.id if customer else None,
        email=customer.email_key if customer else None,
    )


_SOURCES: Mapping[str, Callable[[Flow, str, Sight], Iterator[Waiter]]] = {
    "orders": _from_order,
    "customers": _from_account,
    "checkouts": _from_cart,
}
