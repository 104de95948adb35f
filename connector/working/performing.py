"""Acting on a platform for one prepared effect, outside any transaction. Nothing here decides, records or repeats."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime, timedelta

from connector.app import Kiitos
from connector.contracts import Access, FetchesOrders, NotesCustomers, PlatformAdapter
from connector.errors import Refused
from connector.model import Effect, Event
from connector.store import effects
from connector.store.db import Tx
from flows.care.returning import OPEN_RETURN, write_return
from flows.obeying import FETCH
from flows.people.consenting import CONSENT, write_consent
from flows.reviews.attached import with_reviews
from flows.reviews.publication import REVIEW, wanted, write_review
from flows.sending.aside import CALL
from flows.sending.attempts import Attempt, with_attempt
from flows.sending.outcomes import Prepared
from flows.value.crediting import CREDIT_USE, read_use
from flows.value.exchanging import EXCHANGE, make, write_exchange
from flows.value.vouchers import VOID, write_void

_BEFORE = timedelta(hours=1)
BY_ADAPTER = {CONSENT: write_consent, VOID: write_void, CREDIT_USE: read_use, OPEN_RETURN: write_return}
"""Kinds of effects that need nothing but the platform."""


@dataclass(frozen=True, slots=True)
class Performed:
    """What came of it: events to take in, values later steps see."""

    events: Sequence[Event] = ()
    values: Mapping[str, str] = field(default_factory=dict)


def perform(kiitos: Kiitos, item: Prepared, adapter: PlatformAdapter, access: Access) -> Performed:
    """Do it. Raises the errors of `connector.errors`."""
    effect = item.effect
    if effect.kind == CALL:
        return call(kiitos, item)
    if effect.kind == FETCH:
        if not isinstance(adapter, FetchesOrders):
            raise Refused(f"{adapter.name} cannot be asked for an order")
        return Performed(events=adapter.fetch_order(access, str(effect.request["id"])))
    if item.message is not None:
        if not isinstance(adapter, NotesCustomers):
            raise Refused(f"{adapter.name} mails no notes to customers", provider_code="no_shop_mail")
        words = item.message.content.decode()
        adapter.note_customer(access, effect.order_id or "", words, key=item.key)
        return Performed()
    if effect.kind in BY_ADAPTER:
        return Performed(values=BY_ADAPTER[effect.kind](adapter, access, effect))
    if effect.kind == REVIEW:
        with kiitos.store.work.read() as tx:
            want = wanted(tx, effect, kiitos.catalog.settings(effect.shop_id), *_here(kiitos))
        return Performed(values=write_review(adapter, access, want))
    if effect.kind == EXCHANGE:
        with kiitos.store.work.read() as tx:
            code = write_exchange(tx, adapter, effect)
        return Performed(values=make(adapter, access, code))
    assert item.run is not None
    with kiitos.store.work.read() as tx:
        flow = kiitos.runner.flow_of(tx, item.run)
        base_url, now = _here(kiitos)
        told = with_reviews(tx, effect, now, kiitos.catalog.settings(effect.shop_id), base_url)
        request = with_attempt(told, _attempt(kiitos, tx, effect))
    step = flow.step(effect.step_id).step
    return Performed(values=dict(step.perform(adapter, access, request, effect.id)))


def _here(kiitos: Kiitos) -> tuple[str, datetime]:
    return kiitos.config.app.base_url.rstrip("/"), kiitos.clock.now()


def call(kiitos: Kiitos, item: Prepared) -> Performed:
    """Call an endpoint of the merchant's, for which no platform is asked. Raises `Transient`, `Refused`."""
    assert item.run is not None
    settings = kiitos.catalog.settings(item.effect.shop_id)
    return Performed(values=kiitos.caller.carry_out(item.effect, item.run, settings))


def _attempt(kiitos: Kiitos, tx: Tx, effect: Effect) -> Attempt:
    """What is known of earlier attempts. `claimed` matters only when one's outcome is unknown."""
    first = effect.first_try_at or kiitos.clock.now()
    if not effect.tainted:
        return Attempt(first_try_at=first)
    claimed = effects.granted_since(tx, effect.shop_id, first - _BEFORE)
    return Attempt(first_try_at=first, again=True, claimed=claimed)
