"""By which channel a message reaches the person: the first of those its author prefers that is open to it.

Open means: the shop has such a channel, an address for it is known, and nothing the person said or did objects. That
is asked when the message leaves. Quiet hours and caps do not send anybody to another channel: the message waits.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import datetime

from connector.config import ShopSettings
from connector.contracts import NotesCustomers, PlatformAdapter
from connector.model import Address, Channel, Effect, Shop
from connector.store import entities, push_subscriptions
from connector.store.db import Tx
from flows.facts import Facts
from flows.knowing.situation import Situation, person
from flows.limits.verdicts import Drop, Person
from flows.parcels.postal import can_be_written_to
from flows.policy import check
from flows.sending.addressing import Recipient, recipient_of

PLATFORM = str(Channel.PLATFORM)
"""The shop's own mail: no channel of app.toml, but an ability of its platform."""
NO_CHANNEL = "no_channel"
NO_TEMPLATE = "no_template"
_PERSONAL = frozenset({"no_address", "suppressed", "consent_withdrawn", "no_consent"})
"""Rules about the person on this channel: another channel may be open."""
_BY_PHONE = frozenset({"sms", "whatsapp"})
_SOFT = frozenset({"email", "sms", "print"})
"""Media that buyers may be written to unasked where the merchant says so (ePrivacy Art. 13(2), and by post); WhatsApp's
own rules and a browser's permission ask for a yes (facts/messaging.md section 3)."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Way:
    """How the effect would go: its channel filled in, whom it reaches there. `passed` are channels before it, and why
    they were not open."""

    effect: Effect
    recipient: Recipient
    person: Person
    passed: Mapping[str, str]


def way_of(
    tx: Tx,
    effect: Effect,
    facts: Facts,
    settings: ShopSettings,
    shop: Shop,
    situation: Situation,
    salt: bytes,
    now: datetime,
    adapter: Callable[[str], PlatformAdapter],
) -> Way:
    """The first open way, else the last one that there is: policy then says why it is closed too. `adapter` is that of
    a shop's platform."""
    known = recipient_of(tx, shop, str(effect.request.get("to", "customer")), situation)
    passed: dict[str, str] = {}
    media = _media_of(effect)
    for medium in media:
        there = _on(tx, medium, known, situation, shop)
        if effect.tainted and effect.recipient:
            # What may have been sent once is repeated to the same address, or not at all: so that one is asked about.
            there = replace(there, address=effect.recipient)
        lacking = not has_medium(medium, settings, adapter)
        if lacking:
            there = replace(there, address=None)
        opted = settings.soft_opt_in if medium in _SOFT else frozenset()
        # The shop's mail goes to the e-mail address: what is known of that holds.
        known_as = Channel.EMAIL if medium == PLATFORM else Channel.of(medium)
        who = person(tx, shop, there.address, there.customer_id, effect.purpose, opted, salt, channel=known_as)
        way = Way(effect=_through(effect, medium), recipient=there, person=who, passed=passed)
        if len(media) == 1:
            break
        closed = NO_CHANNEL if lacking else _closed(way, facts, settings, now)
        if not closed:
            break
        passed = {**passed, medium: closed}
    return way


def has_medium(medium: str, settings: ShopSettings, adapter: Callable[[str], PlatformAdapter]) -> bool:
    """Whether the shop has a channel of this kind."""
    if medium == PLATFORM:
        return isinstance(adapter(settings.shop.id), NotesCustomers)
    return medium == "email" or medium in settings.channels


def no_medium(media: Sequence[str], settings: ShopSettings) -> str:
    """Why a step of these kinds of channel can send nothing in the shop."""
    shop, named = settings.shop, [medium for medium in media if medium != PLATFORM]
    if not named:
        return (
            f"channel \"platform\": shop '{shop.id}' cannot mail our words itself: {shop.platform} has no note to "
            f'customers (it lacks NotesCustomers); write channel = "email", or channels = ["platform", "email"]'
        )
    return f"shop '{shop.id}' has no channel for {' or '.join(media)}; name one of [channels] with {named[0]} = \"...\""


def sender_of(settings: ShopSettings, medium: str) -> str:
    """Whom a message comes from; empty where the channel itself says it."""
    return {"email": settings.sender, "sms": settings.sms_sender}.get(medium, "")


def _media_of(effect: Effect) -> tuple[str, ...]:
    if effect.tainted:
        return (effect.channel or "email",)
    return tuple(str(medium) for medium in effect.request.get("channels", ())) or (effect.channel or "email",)


def _through(effect: Effect, medium: str) -> Effect:
    return effect if (effect.channel or "email") == medium else replace(effect, channel=medium)


def _closed(way: Way, facts: Facts, settings: ShopSettings, now: datetime) -> str:
    if way.effect.channel == "whatsapp" and not _is_approved(way.effect, settings):
        return NO_TEMPLATE
    verdict = check(way.effect, facts, way.person, now)
    return verdict.code if isinstance(verdict, Drop) and verdict.code in _PERSONAL else ""


def _is_approved(effect: Effect, settings: ShopSettings) -> bool:
    """Whether Meta approved a template for this message."""
    template = str(effect.request.get("short") or effect.request.get("template", ""))
    return template in (settings.layered.get("whatsapp_templates") or {})


def _on(tx: Tx, medium: str, known: Recipient, situation: Situation, shop: Shop) -> Recipient:
    """The recipient with the address of the medium. A browser's is secret: there the person's own stands for it."""
    if medium == "email":
        return known
    if medium == "push":
        key = known.email_key
        reached = key is not None and push_subscriptions.known(tx, shop.id, key)
        return replace(known, address=key if reached else None, medium=medium)
    if medium == "print":
        place = _postal(tx, known, situation, shop)
        return replace(known, address=known.email_key if place else None, medium=medium, postal=place)
    if medium == PLATFORM:
        return replace(known, address=known.address if known.of_order and situation.order else None, medium=medium)
    phone = phone_of(situation, shop) if medium in _BY_PHONE and known.of_order else None
    return replace(known, address=phone, medium=medium)


def _postal(tx: Tx, known: Recipient, situation: Situation, shop: Shop) -> Address | None:
    """Where a letter reaches the person: the order's buyer, who need not be where the parcel went; else the buyer of
    their last order in the shop."""
    key = known.email_key
    if key is None or not known.of_order:
        return None
    orders = [situation.order] if situation.order is not None else entities.orders_of(tx, shop.id, key, limit=1)
    places = (place for order in orders for place in (order.billing_address, order.shipping_address))
    return next((place for place in places if can_be_written_to(place)), None)


def phone_of(situation: Situation, shop: Shop) -> str | None:
    """The person's number in E.164, the order's own first; a local one is read as their country writes it."""
    order, customer = situation.order, situation.customer
    place = (order.shipping_address or order.billing_address) if order is not None else None
    written = (
        order.phone if order is not None else None,
        customer.phone if customer is not None else None,
        place.phone if place is not None else None,
    )
    country = (place.country if place is not None else None) or shop.country
    return next((found for number in written if number and (found := _e164(number, country))), None)


def _e164(number: str, country: str | None) -> str | None:
    # Here and not above: only messages to phones need its tables.
    import phonenumbers

    try:
        parsed = phonenumbers.parse(number, country)
    except phonenumbers.NumberParseException:
        return None
    if not phonenumbers.is_possible_number(parsed):
        return None
    return str(phonenumbers.format_number(parsed, phonenumbers.PhoneNumberFormat.E164))
