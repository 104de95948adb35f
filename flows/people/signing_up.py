"""Signing up for news: who asks, who must confirm, and when a yes has been said.

A sign-up is anybody's word about an address. It is kept as a link that waits, and never as a consent: a stranger must
not be able to change what the address's owner said, neither a yes nor a no, nor what buyers were told at checkout.
"""

from __future__ import annotations

import hashlib
from collections.abc import Iterable
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import TYPE_CHECKING

from connector.clock import from_text, to_text
from connector.model import Channel, ConsentState, Customer, Event, EventKind, Purpose, Ref
from connector.store import consents, links, suppressions
from connector.store.db import Tx
from connector.store.links import LinkRow
from flows.people.choices import CHOICES, EVERYTHING, Reachable, Said, decide, reachable
from flows.policy import UNSUBSCRIBE
from flows.sending.addressing import derive_token
from flows.sending.composing import CONFIRM

if TYPE_CHECKING:
    from flows.definition import Flow
    from flows.runner import Runner

SOURCE, CONFIRMED = "sign-up page", "sign-up page, confirmed"
"""Sources in the ledger: said once, and said again by who opened the mail (double opt-in)."""
PATIENCE = timedelta(days=14)
"""How long a confirmation is waited for."""


@dataclass(frozen=True, slots=True, kw_only=True)
class SignUp:
    """`evidence` is what the visitor saw, `locale` the language it was in."""

    shop_id: str
    address: str
    address_key: str
    locale: str
    evidence: str


def signup_token(salt: bytes, shop_id: str) -> str:
    """What stands in the address of a shop's sign-up page."""
    return derive_token(salt, "signup", shop_id)


def sign_up(tx: Tx, runner: Runner, salt: bytes, asked: SignUp, *, confirm: bool, now: datetime, nonce: str) -> None:
    """Take a sign-up. The caller answers every visitor alike: what the address already said is its owner's business.

    Who once said no is asked to confirm even where others are not: the visitor may be anybody.
    """
    who = reachable(tx, asked.shop_id, Channel.EMAIL, asked.address_key)
    state, _ = consents.state(tx, who.shop_id, who.address_key, who.channel, Purpose.MARKETING, who.customer_id)
    stopped = suppressions.find(tx, who.shop_id, who.address_key, who.channel)
    if state is ConsentState.GRANTED and not stopped:
        return
    if confirm or stopped or state is ConsentState.WITHDRAWN:
        _ask(tx, runner, salt, asked, now)
        return
    decide(tx, runner, who, {Purpose.MARKETING: True}, Said(SOURCE, "subscribed", asked.evidence), now, nonce)
    _welcome(tx, runner, asked.shop_id, asked.address, asked.address_key, asked.locale, now)


def _welcome(tx: Tx, runner: Runner, shop_id: str, address: str, address_key: str, locale: str, now: datetime) -> None:
    """Let flows know that somebody signed up, once a day and address."""
    whose = hashlib.sha256(address_key.encode()).hexdigest()[:20]
    event = Event(
        kind=EventKind.SIGNUP_CONFIRMED,
        key=f"signup/{whose}/{now:%Y-%m-%d}/confirmed",
        subject=Ref("person", address_key),
        at=now,
        customer=Customer(id=None, email=address, locale=locale),
    )
    runner.ingest(tx, shop_id, [event], now)


def _ask(tx: Tx, runner: Runner, salt: bytes, asked: SignUp, now: datetime) -> None:
    """One mail a day and address, however often its name is typed."""
    whose = hashlib.sha256(asked.address_key.encode()).hexdigest()[:20]
    token = derive_token(salt, "link", asked.shop_id, CONFIRM, asked.address_key, to_text(now))
    event = Event(
        kind=EventKind.SIGNUP_REQUESTED,
        key=f"signup/{whose}/{now:%Y-%m-%d}",
        subject=Ref("person", asked.address_key),
        at=now,
        customer=Customer(id=None, email=asked.address, locale=asked.locale),
        data={CONFIRM: token},
    )
    if runner.ingest(tx, asked.shop_id, [event], now):
        data = {
            "address": asked.address_key,
            "typed": asked.address,
            "locale": asked.locale,
            "evidence": asked.evidence,
            "asked_at": to_text(now),
        }
        links.put(tx, asked.shop_id, token, CONFIRM, data, now)


def waits(link: LinkRow, now: datetime) -> bool:
    """Whether the link may still be confirmed."""
    return now - from_text(link.data["asked_at"]) <= PATIENCE


def confirmed(tx: Tx, link: LinkRow) -> bool:
    """Whether this very sign-up was confirmed."""
    return any(row.source == CONFIRMED and row.at >= from_text(link.data["asked_at"]) for row in _since(tx, link))


def confirm(tx: Tx, runner: Runner, link: LinkRow, now: datetime, nonce: str) -> bool:
    """The owner of the address says yes. `False` where they have decided something since they were asked: an old link
    takes back no later no."""
    if _since(tx, link):
        return False
    who = reachable(tx, link.shop_id, Channel.EMAIL, link.data["address"])
    _narrow(tx, who, now)
    said = Said(CONFIRMED, "confirmed", link.data["evidence"])
    decide(tx, runner, who, {Purpose.MARKETING: True}, said, now, nonce)
    address = link.data.get("typed", link.data["address"])
    _welcome(tx, runner, link.shop_id, address, link.data["address"], link.data["locale"], now)
    return True


def benefit(flows: Iterable[Flow]) -> str:
    """What a shop's flows give to who signs up and never bought (`10 %`, `5 EUR`); empty where they give nothing."""
    giving = (flow for flow in flows if EventKind.SIGNUP_CONFIRMED in flow.trigger)
    return next((str(flow.params["reward"]) for flow in giving if flow.params.get("reward")), "")


def _since(tx: Tx, link: LinkRow) -> list[consents.ConsentRow]:
    asked_at = from_text(link.data["asked_at"])
    return [
        row
        for row in consents.history(tx, link.shop_id, link.data["address"])
        if row.channel is Channel.EMAIL and row.purpose is Purpose.MARKETING and row.at >= asked_at
    ]


def _narrow(tx: Tx, who: Reachable, now: datetime) -> None:
    """An earlier no to everything remains for what the new yes is not about."""
    for row in suppressions.find(tx, who.shop_id, who.address_key, who.channel):
        if row.reason == UNSUBSCRIBE and row.scope == EVERYTHING:
            suppressions.remove(tx, who.shop_id, who.address_key, who.channel, row.scope)
            for purpose in CHOICES:
                if purpose is not Purpose.MARKETING:
                    suppressions.add(tx, who.shop_id, who.address_key, who.channel, purpose, UNSUBSCRIBE, now)
