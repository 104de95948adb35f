"""What a person lets us send, purpose by purpose, and how a new choice of theirs comes to stand.

Every no that reaches us by a way of our own (one-click, page, STOP, a provider's list) goes through `withdraw`: the
suppression that policy asks, the entry in the consent ledger, the event flows see, and the word to the platform.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, replace
from datetime import datetime
from typing import TYPE_CHECKING

from connector.model import Channel, Consent, ConsentState, Event, EventKind, Purpose, Ref, Shop
from connector.store import consents, entities, suppressions
from connector.store.db import Tx
from connector.store.refused import CONSENT, Refusal
from connector.store.suppressions import SuppressionRow
from flows.knowing.situation import person
from flows.people.consenting import tell_platform
from flows.policy import UNSUBSCRIBE, lets_pass

if TYPE_CHECKING:
    from flows.runner import Runner

EVERYTHING = Purpose.MARKETING.value
"""The scope that stops the whole marketing class (`flows.policy`)."""
CHOICES = (Purpose.REVIEW, Purpose.REFERRAL, Purpose.LOYALTY, Purpose.MARKETING)
"""What can be chosen: every purpose that needs a yes."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Reachable:
    """One address of a person on one channel of one shop. `customer_id` where an account of the shop has it."""

    shop_id: str
    channel: Channel
    address_key: str
    customer_id: str | None = None


@dataclass(frozen=True, slots=True)
class Said:
    """How a decision came about, for the ledger: from where, by which words, and what the person was shown."""

    source: str
    raw_state: str
    evidence: str = ""


@dataclass(frozen=True, slots=True)
class Choice:
    """Whether messages of the purpose may come now. `locked`: not by the person's own word, so not theirs to change
    here (a bounce, a complaint, the merchant's block)."""

    purpose: Purpose
    allowed: bool
    locked: bool


def reachable(tx: Tx, shop_id: str, channel: Channel, address_key: str) -> Reachable:
    """The address with whose account it is."""
    known = entities.customer_by_email(tx, shop_id, address_key) if channel.by_email else None
    customer_id = known.id if known is not None else None
    return Reachable(shop_id=shop_id, channel=channel, address_key=address_key, customer_id=customer_id)


def choices_of(
    tx: Tx, shop: Shop, who: Reachable, soft_opt_in: frozenset[Purpose], salt: bytes, now: datetime
) -> list[Choice]:
    """How each purpose stands, by the rules that policy asks when a message leaves."""
    found = []
    for purpose in CHOICES:
        seen = person(tx, shop, who.address_key, who.customer_id, purpose, soft_opt_in, salt, channel=who.channel)
        by_others = tuple(row for row in seen.suppressions if row[1] != UNSUBSCRIBE)
        yes = replace(seen, consent=ConsentState.GRANTED, suppressions=by_others)
        found.append(Choice(purpose, lets_pass(seen, purpose, now), not lets_pass(yes, purpose, now)))
    return found


def withdraw(
    tx: Tx, runner: Runner, who: Reachable, said: Said, now: datetime, nonce: str, scope: str = EVERYTHING
) -> bool:
    """Stop one purpose, or with `EVERYTHING` the whole marketing class. `False` when the person had done so already.

    `nonce` makes it an event of its own: who stops, undoes and stops again did three things.
    """
    rows = suppressions.find(tx, who.shop_id, who.address_key, who.channel)
    if any(row.reason == UNSUBSCRIBE and row.scope in (scope, EVERYTHING) for row in rows):
        return False
    if not any(row.scope == scope for row in rows):
        suppressions.add(tx, who.shop_id, who.address_key, who.channel, scope, UNSUBSCRIBE, now)
    decide(tx, runner, who, {Purpose.of(scope): False}, said, now, nonce)
    return True


def choose(
    tx: Tx,
    runner: Runner,
    who: Reachable,
    wanted: Mapping[Purpose, bool],
    known: Iterable[Choice],
    said: Said,
    now: datetime,
    nonce: str,
) -> bool:
    """Take a whole list of choices as it was saved. `False` when it changes nothing.

    Each purpose gets a decision of its own: a yes to reviews stands beside a no to offers, and who says no to all is
    stopped as a whole.
    """
    open_ = [choice for choice in known if not choice.locked]
    chosen = {choice.purpose: bool(wanted.get(choice.purpose)) for choice in open_}
    if all(choice.allowed == chosen[choice.purpose] for choice in open_):
        return False
    if not any(chosen.values()) and len(chosen) == len(CHOICES):
        return withdraw(tx, runner, who, said, now, nonce)
    _lift(tx, who, suppressions.find(tx, who.shop_id, who.address_key, who.channel))
    for purpose, yes in chosen.items():
        # Of the class and of marketing alone the scope is one word: a no to marketing alone stands in the ledger.
        if not yes and purpose is not Purpose.MARKETING:
            suppressions.add(tx, who.shop_id, who.address_key, who.channel, purpose, UNSUBSCRIBE, now)
    if Purpose.MARKETING in chosen:
        _note(tx, who, "" if chosen[Purpose.MARKETING] else said.raw_state, now)
    changed = {choice.purpose for choice in open_ if choice.allowed != chosen[choice.purpose]}
    for purpose in chosen.keys() - changed:
        # Said as well, and no news: nobody had enough of anything by leaving a box as it was.
        consents.record(tx, who.shop_id, _entry(who, purpose, chosen[purpose], said, now), now)
    decide(tx, runner, who, {purpose: chosen[purpose] for purpose in changed}, said, now, nonce)
    return True


def _note(tx: Tx, who: Reachable, reason: str, now: datetime) -> None:
    """A no to marketing alone is kept outside the database as those are that suppress something."""
    said = Refusal(
        shop_id=who.shop_id, address_key=who.address_key, channel=who.channel, scope=CONSENT, reason=reason, at=now
    )
    tx.noted.append(said)


def _entry(who: Reachable, purpose: Purpose, yes: bool, said: Said, at: datetime) -> Consent:
    return Consent(
        channel=who.channel,
        purpose=purpose,
        state=ConsentState.GRANTED if yes else ConsentState.WITHDRAWN,
        raw_state=said.raw_state,
        at=at,
        source=said.source,
        address=who.address_key,
        evidence=said.evidence,
    )


def _lift(tx: Tx, who: Reachable, rows: Iterable[SuppressionRow]) -> None:
    for row in rows:
        if row.reason == UNSUBSCRIBE:
            suppressions.remove(tx, who.shop_id, who.address_key, who.channel, row.scope)


def decide(
    tx: Tx,
    runner: Runner,
    who: Reachable,
    chosen: Mapping[Purpose, bool],
    said: Said,
    now: datetime,
    nonce: str,
    at: datetime | None = None,
) -> None:
    """Write decisions into the ledger, let flows see them, and tell the platform what it has a place for. `at` is when
    the person decided, where that was not now."""
    arrived = []
    for purpose, yes in chosen.items():
        consent = _entry(who, purpose, yes, said, at or now)
        event = Event(
            kind=EventKind.CONSENT_GRANTED if yes else EventKind.CONSENT_WITHDRAWN,
            key=f"consent/{who.address_key}/{who.channel}/{purpose}/{consent.state}/{nonce}",
            subject=Ref("person", who.address_key),
            at=consent.at,
            consent=consent,
        )
        arrived.append(event)
    runner.ingest(tx, who.shop_id, arrived, now)
    for event in arrived:
        tell(tx, runner, who.shop_id, event.consent, now)


def tell(tx: Tx, runner: Runner, shop_id: str, consent: Consent | None, now: datetime) -> None:
    """Let the shop know, so that its own newsletter stops too (or may go again)."""
    if consent is not None and runner.catalog.knows(shop_id):
        tell_platform(tx, runner.catalog.adapter(shop_id), shop_id, consent, now)


def state_before(tx: Tx, who: Reachable, purpose: Purpose, but: frozenset[str]) -> ConsentState:
    """What the person had said before, entries of the sources `but` left out: about the purpose, else marketing."""
    history = consents.history(tx, who.shop_id, who.address_key)
    others = [row for row in history if row.channel is who.channel and row.source not in but]
    for wanted in (purpose, Purpose.MARKETING):
        said = [row.state for row in others if row.purpose is wanted]
        if said:
            return said[-1]
    return ConsentState.UNKNOWN
