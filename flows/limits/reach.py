"""Looking up what fairness asks about: who was written to, when, by which flow, and what that flow may still send.

Read in the transaction that freezes the message, for messages of the marketing class only. The person (over all shops
of the client) and the flow are held meanwhile: two workers that looked side by side would both see a free slot.
"""

from __future__ import annotations

import hashlib
from collections.abc import Iterable, Mapping, Sequence
from datetime import datetime, time, timedelta
from functools import partial

from connector.config.limits import Limits
from connector.model import ConsentState, Customer, EventKind, Order, Refund, Return, Shop
from connector.store import entities, pace
from connector.store.db import Tx
from flows.care import surveys
from flows.catalog import Catalog
from flows.knowing.zones import place_of, residence
from flows.limits.closing_days import closing_day
from flows.limits.daytime import instant, zone_of
from flows.limits.verdicts import Fairness, Person, Reached, Rival
from flows.reviews import requests as review_requests
from flows.sending.composing import Case

_SPACE = 1 << 53
RETURNED_WITHIN = timedelta(days=365)
"""What was sent back so recently is not named again."""
_ORDERS = 50


def fairness_of(tx: Tx, catalog: Catalog, case: Case, person: Person, now: datetime) -> Fairness | None:
    """What the rules of fairness look at; `None` while another worker holds the person or the flow."""
    effect, settings, key = case.effect, case.settings, person.address_key or ""
    shops, channel = catalog.shops_beside(effect.shop_id), effect.channel or "email"
    limits = settings.limits
    setting = catalog.setting(effect.shop_id, effect.flow_id)
    daily = limits.daily if setting is None or setting.daily is None else setting.daily
    released = pace.RELEASED in effect.result
    names = [f"reach {settings.shop.client_id} {channel} {key}"]
    if daily and not released:
        names.append(f"pace {effect.shop_id} {effect.flow_id}")
    if effect.request.get(surveys.SURVEY):
        names.append(surveys.lock_of(case))
    if not all(tx.try_hold(name) for name in names):
        return None
    contacts = pace.reached(tx, shops, key, channel, effect.id)
    sign = _sign(person, pace.sign_at(tx, shops, case.recipient.email_key or key))
    waiting = _waiting(tx, case, shops, channel, now)
    home = _home(tx, case, key)
    zone = residence(settings.shop, *home)
    priority = catalog.priority(effect.shop_id, effect.flow_id)
    return Fairness(
        limits=limits,
        channel=limits.of(channel),
        zone=zone.zone,
        zone_source=zone.source,
        closed=partial(closing_day, *place_of(settings.shop, *home)),
        reached=_last(contacts, waiting, now),
        ignored=sum(1 for contact in contacts if sign is None or contact.at > sign),
        sign_at=sign,
        priority=priority,
        rival=_rival(catalog, waiting, priority),
        paused=next((each.reason for each in pace.pauses(tx, effect.shop_id) if each.flow_id == effect.flow_id), ""),
        released=released,
        daily=daily,
        sent_today=_sent_today(tx, case, now) if daily and not released else 0,
        canary=setting.canary if setting is not None else 1.0,
        place=place(effect.flow_id, key),
        unfit=tuple(_unfit(tx, case, limits, now)),
        farewell=case.run.event.get("kind") == EventKind.CUSTOMER_SATURATED,
        asked_until=review_requests.asked_until(tx, case, now),
        inquiry=surveys.about(tx, catalog, case, place("survey", surveys.name_of(case)[0])),
    )


def place(flow_id: str, address_key: str) -> float:
    """The person's place in a flow, from 0 to below 1: the same on every machine and after a restore. Another flow
    shuffles anew, so that not always the same people are the first."""
    digest = hashlib.sha256(f"canary|{flow_id}|{address_key}".encode()).digest()
    return (int.from_bytes(digest[:8]) % _SPACE) / _SPACE


def _sign(person: Person, known: datetime | None) -> datetime | None:
    """The last sign of life; who said yes to such messages showed one."""
    said = person.consent_at if person.consent is ConsentState.GRANTED else None
    return max((at for at in (known, said) if at is not None), default=None)


def _waiting(tx: Tx, case: Case, shops: Sequence[str], channel: str, now: datetime) -> list[pace.Waiting]:
    """What else is due for this person. What a run of theirs has for somebody else is not."""
    key = case.recipient.email_key or case.run.email_key
    if key is None:
        return []
    found = pace.rivals(tx, shops, key, channel, now, case.effect.id)
    return [each for each in found if each.to != "advocate"]


def _last(contacts: Sequence[pace.Contact], waiting: Iterable[pace.Waiting], now: datetime) -> Reached | None:
    found = [
        Reached(now, each.flow_id, each.shop_id, until=each.at)
        if each.sending
        else Reached(each.at, each.flow_id, each.shop_id)
        for each in contacts
    ]
    # Perhaps it has arrived, and in a second the same message is tried again.
    found += [Reached(each.tried_at, each.flow_id, each.shop_id) for each in waiting if each.tried_at is not None]
    return max(found, key=lambda each: each.at, default=None)


def _rival(catalog: Catalog, waiting: Iterable[pace.Waiting], mine: int) -> Rival | None:
    known = (each for each in waiting if each.tried_at is None and catalog.knows(each.shop_id))
    found = [Rival(each.flow_id, each.shop_id, catalog.priority(each.shop_id, each.flow_id)) for each in known]
    best = max(found, key=lambda each: each.priority, default=None)
    return best if best is not None and best.priority > mine else None


def _home(tx: Tx, case: Case, key: str) -> tuple[Order | None, Customer | None]:
    """By what is known of the recipient: an advocate does not live where the friend's parcel goes."""
    if case.effect.request.get("to") != "advocate":
        return case.situation.order, case.situation.customer
    theirs = entities.orders_of(tx, case.effect.shop_id, key, limit=1)
    return (theirs[0], theirs[0].customer) if theirs else (None, None)


def _sent_today(tx: Tx, case: Case, now: datetime) -> int:
    """What the flow has begun to send since midnight of the shop's; what this transaction began counts."""
    shop = case.settings.shop
    zone = zone_of(shop.timezone)
    midnight = instant(now.astimezone(zone).date(), time(0), zone)
    return pace.begun(tx, shop.id, case.effect.flow_id, midnight)


def _unfit(tx: Tx, case: Case, limits: Limits, now: datetime) -> Iterable[tuple[str, str]]:
    """Products the message names that would annoy: bought just now, sent back, sold out."""
    named = case.effect.request.get("products") or ()
    if not named:
        return
    shop = case.settings.shop
    key = case.recipient.email_key
    orders = entities.orders_of(tx, shop.id, key, limit=_ORDERS) if key else []
    bought = _bought(orders, now - limits.just_bought)
    back = _sent_back(tx, shop, orders, now - RETURNED_WITHIN)
    known = entities.products(tx, shop.id, list(named))
    for product in named:
        if product in back:
            yield product, "returned_product"
        elif product in bought:
            yield product, "just_bought"
        elif product in known and (known[product].in_stock is False or known[product].deleted):
            yield product, "out_of_stock"


def _bought(orders: Iterable[Order], since: datetime) -> set[str]:
    recent = (order for order in orders if order.placed_at >= since and order.cancelled_at is None)
    return {line.product_id for order in recent for line in order.lines if line.product_id}


def _sent_back(tx: Tx, shop: Shop, orders: Iterable[Order], since: datetime) -> set[str]:
    found: set[str] = set()
    for order in orders:
        of_line: Mapping[str, str | None] = {line.id: line.product_id for line in order.lines}
        gone: list[Return | Refund] = [
            *entities.returns(tx, shop.id, order.id),
            *entities.refunds(tx, shop.id, order.id),
        ]
        lines = (line for one in gone if one.at >= since for line in one.lines)
        found.update(product for line in lines if (product := of_line.get(line.line_id)))
    return found
