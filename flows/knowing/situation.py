"""What is known of a run right now, read from the store: the facts guards see, the person policy asks about."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, replace
from datetime import datetime

from connector.model import (
    Channel,
    Checkout,
    Customer,
    Guide,
    Order,
    Purpose,
    Ref,
    Run,
    Shipment,
    Shop,
    email_key,
)
from connector.model.changing import quick
from connector.store import consents, entities, preferences, privacy, referrals, suppressions
from connector.store.db import Tx
from flows.derive import derive
from flows.facts import Facts, Progress, ReferralFacts
from flows.knowing.about import CheckoutFacts, LineFacts, checkout_facts, line_facts
from flows.knowing.acquaintance import acquaintance
from flows.knowing.background import BLANK
from flows.limits.verdicts import Person
from flows.policy import REDACTED
from flows.referring.finding import refers


@quick
@dataclass(frozen=True, slots=True, kw_only=True)
class Situation:
    """An order with everything that followed it, or as much of that as has arrived."""

    order: Order | None
    customer: Customer | None
    shipments: tuple[Shipment, ...]
    progress: Progress
    referral: ReferralFacts | None = None
    line: LineFacts | None = None
    checkout: CheckoutFacts | None = None

    def shipment(self, shipment_id: str) -> Shipment | None:
        return next((parcel for parcel in self.shipments if parcel.id == shipment_id), None)


NOTHING = Situation(order=None, customer=None, shipments=(), progress=Progress())
"""Nothing known, or nothing that may be told."""


def look(
    tx: Tx,
    shop: Shop,
    order_id: str | None,
    customer_id: str | None = None,
    subject: Ref | None = None,
    email: str | None = None,
) -> Situation:
    """Read the order, its parcels, refunds, returns and review as they stand in this transaction.

    `subject` adds the line item or checkout a run is about. Without an order it is about a person: the account, or
    whoever `email` (in the form of joins) belongs to.
    """
    if order_id is None:
        return _of_person(tx, shop, customer_id, subject, email)
    found = _of_order(tx, shop, order_id, customer_id)
    return with_line(tx, shop, found, subject) if subject is not None and subject.kind == "line_item" else found


def look_at_run(tx: Tx, shop: Shop, run: Run) -> Situation:
    """`look` for what a run is about."""
    found = look(tx, shop, run.order_id, run.customer_id, Ref(run.subject_kind, run.subject_id), run.email_key)
    return with_referral(tx, shop, found) if run.event.get("referral_id") else found


def with_line(tx: Tx, shop: Shop, situation: Situation, subject: Ref) -> Situation:
    """The situation of an order, seen from one of its lines (`ORDER/LINE`)."""
    order = situation.order
    line_id = subject.id.removeprefix(f"{order.id}/") if order else ""
    line = next((line for line in order.lines if line.id == line_id), None) if order else None
    if line is None:
        return situation
    known = entities.products(tx, shop.id, [line.product_id]) if line.product_id else {}
    return replace(situation, line=line_facts(line, known.get(line.product_id or "")))


def _of_person(tx: Tx, shop: Shop, customer_id: str | None, subject: Ref | None, email: str | None) -> Situation:
    cart = entities.checkout(tx, shop.id, subject.id) if subject is not None and subject.kind == "checkout" else None
    cart = None if cart is not None and cart.deleted else cart
    customer = entities.customer(tx, shop.id, customer_id) if customer_id else None
    key = email or email_key(cart.email if cart else None)
    if key is not None and (customer is None or customer.email_key is None):
        customer = _named(tx, shop, customer, key)
    if cart is None:
        return replace(NOTHING, customer=customer)
    return replace(
        NOTHING, customer=_of_cart(cart, customer), checkout=checkout_facts(cart, _ordered_at(tx, shop, key))
    )


def _named(tx: Tx, shop: Shop, account: Customer | None, key: str) -> Customer:
    """Whom an address belongs to: the account, or the guest as they last ordered."""
    found = entities.customer_by_email(tx, shop.id, key) if account is None else replace(account, email=key)
    if found is not None:
        return found
    last = next(iter(entities.orders_of(tx, shop.id, key, limit=1)), None)
    if last is None:
        return Customer(id=None, email=key)
    home = last.shipping_address or last.billing_address
    buyer = last.customer or Customer(id=None, first_name=home.first_name if home else None)
    return replace(
        buyer,
        email=last.email or key,
        phone=buyer.phone or last.phone,
        locale=last.locale or buyer.locale,
        default_address=buyer.default_address or home,
    )


def _of_cart(cart: Checkout, customer: Customer | None) -> Customer:
    """The cart's own address comes before the account's, as an order's does."""
    known = customer if customer is not None and customer.id else cart.customer or customer
    buyer = known or Customer(id=None)
    return replace(buyer, email=cart.email or buyer.email, locale=cart.locale or buyer.locale)


def _ordered_at(tx: Tx, shop: Shop, key: str | None) -> datetime | None:
    last = next(iter(entities.orders_of(tx, shop.id, key, limit=1)), None) if key else None
    return last.placed_at if last else None


def _of_order(tx: Tx, shop: Shop, order_id: str, customer_id: str | None) -> Situation:
    # A batch asks for an order when it is told of, when its runs wake and when their messages leave.
    known: dict[tuple[str, str, str | None], Situation] = tx.recall("situation")
    key = (shop.id, order_id, customer_id)
    if key not in known:
        known[key] = _read_order(tx, shop, order_id, customer_id)
    return known[key]


def _read_order(tx: Tx, shop: Shop, order_id: str, customer_id: str | None) -> Situation:
    order = entities.order(tx, shop.id, order_id)
    customer = order.customer if order is not None else None
    if customer is None and customer_id:
        customer = entities.customer(tx, shop.id, customer_id)
    if order is None:
        # A parcel can be known before its order: its own news waits in the outbox until the order has come.
        return replace(NOTHING, customer=customer, shipments=tuple(entities.shipments(tx, shop.id, order_id)))
    since = entities.followers(tx, shop.id, order_id)
    account = entities.customer(tx, shop.id, customer.id) if customer is not None and customer.id else None
    if customer is not None and account is not None and not account.deleted:
        customer = entities.completed(customer, account)
    shipments = tuple(entities.shipments(tx, shop.id, order_id)) if since.shipments else ()
    progress = derive(
        order,
        shipments,
        entities.shipment_times(tx, shop.id, order_id) if shipments else {},
        entities.refunds(tx, shop.id, order_id) if since.refunds else (),
        entities.returns(tx, shop.id, order_id) if since.returns else (),
        since.reviewed_at,
        shop,
    )
    return Situation(
        order=order,
        customer=customer,
        shipments=shipments,
        progress=progress,
        referral=referral_of(tx, shop, order) if refers(order) else None,
    )


def with_referral(tx: Tx, shop: Shop, situation: Situation) -> Situation:
    """The same with its referral, where that is known by the event or the run alone: nothing of the order shows a
    friend who came by an earlier visit."""
    if situation.referral is not None or situation.order is None:
        return situation
    return replace(situation, referral=referral_of(tx, shop, situation.order))


def referral_of(tx: Tx, shop: Shop, order: Order) -> ReferralFacts | None:
    row = referrals.by_order(tx, shop.id, order.id)
    if row is None:
        return None
    code = referrals.code(tx, shop.id, row.code)
    return ReferralFacts(
        state=row.state,
        code=row.code,
        advocate_email=row.advocate_email_key or None,
        advocate_customer_id=code.advocate_customer_id if code else None,
        id=row.id,
        opens_at=row.opens_at,
        reward_kind=row.reward.get("kind"),
        reward=row.reward.get("worth"),
        reward_valid=_span(row.reward.get("valid")),
        friend_kind=row.reward.get("friend_kind"),
        friend_reward=row.reward.get("friend_worth"),
        friend_valid=_span(row.reward.get("friend_valid")),
    )


def _span(seconds: str | None) -> str | None:
    return f"{seconds}s" if seconds else None


def facts_of(
    situation: Situation,
    shop: Shop,
    params: Mapping[str, str],
    now: datetime,
    salt: bytes,
    *,
    run: Run | None = None,
    event: Mapping[str, str] | None = None,
    guides: tuple[Guide, ...] = (),
    tx: Tx | None = None,
    leaving: bool = False,
) -> Facts:
    """The facts guards and steps see: of a run, or of an event that may start one. `params` are `Flow.texts`.

    What they do not carry is read from `tx` when it is asked for; without one nothing more is known. `leaving`: of a
    message that is about to leave.
    """
    follows_parcel = run is not None and run.subject_kind == "shipment"
    return Facts(
        now=now,
        shop=shop,
        order=situation.order,
        customer=situation.customer,
        shipment=situation.shipment(run.subject_id) if run is not None and follows_parcel else None,
        progress=situation.progress,
        referral=situation.referral,
        line=situation.line,
        checkout=situation.checkout,
        event=run.event if run is not None else (event or {}),
        params=params,
        steps=run.outcomes if run is not None else {},
        run_id=run.id if run is not None else "",
        step_id="",
        salt=salt,
        guides=guides,
        product_tags=_tags(tx, shop, situation.order) if any(guide.tags for guide in guides) else {},
        background=acquaintance(tx, shop, situation.order, situation.customer, now, leaving=leaving)
        if tx is not None
        else BLANK,
    )


def _tags(tx: Tx | None, shop: Shop, order: Order | None) -> dict[str, tuple[str, ...]]:
    """The tags of what was ordered, by product id: only shops whose guides go by tags pay for the look."""
    wanted = [line.product_id for line in order.lines if line.product_id] if order else []
    known = entities.products(tx, shop.id, wanted) if tx is not None and wanted else {}
    return {product_id: product.tags for product_id, product in known.items()}


def person(
    tx: Tx,
    shop: Shop,
    address: str | None,
    customer_id: str | None,
    purpose: Purpose,
    soft_opt_in: frozenset[Purpose],
    salt: bytes = b"",
    *,
    channel: Channel = Channel.EMAIL,
) -> Person:
    """Who a message would reach, and what they said: consent, suppressions, the merchant's soft opt-in.

    Somebody who was forgotten is known by the keyed hash of their address (`salt`): their objection goes on.
    """
    kind, key = ("email", email_key(address)) if channel.by_email else ("phone", address)
    if key is None:
        return Person(shop_status=shop.status)
    stopped = suppressions.find(tx, shop.id, key, channel)
    rows = tuple((row.scope, row.reason, row.at) for row in stopped)
    forgotten = privacy.erased_at(tx, shop.id, (privacy.key_of(salt, shop.id, kind, each) for each in (key,)))
    if forgotten is not None:
        hashed = suppressions.find(tx, shop.id, privacy.sealed_key(salt, shop.id, kind, key), channel)
        rows += (("all", REDACTED, forgotten), *((row.scope, row.reason, row.at) for row in hashed))
    if not purpose.needs_consent:
        return Person(address_key=key, suppressions=rows, shop_status=shop.status)
    state, row = consents.state(tx, shop.id, key, channel, purpose, customer_id)
    chosen = preferences.get(tx, shop.id, key)
    return Person(
        address_key=key,
        consent=state,
        consent_source=row.source if row else "",
        consent_at=row.at if row else None,
        suppressions=rows,
        soft_opt_in=purpose in soft_opt_in,
        paused_until=chosen.paused_until,
        care_until=chosen.care_until,
        care_reason=chosen.care_reason,
        shop_status=shop.status,
    )
