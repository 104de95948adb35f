"""What speaks against a referral: what refuses it, and what a person should look at first (promises B1 row 29). Pure.

Each rule finds a sign; the shop's `referrals.rules` say whether that blocks, holds, or is let pass.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass

from connector.config.referrals import BLOCK, HOLD, ReferralTerms
from connector.model import Address, Order, Shop, purchase_of
from flows.referring.likeness import (
    is_disposable,
    names_of,
    same_home,
    similar_email,
    similar_home,
    similar_name,
)
from flows.referring.referral import CodeOwner, home_of, person_key, phones_of

SIGNS = {
    "similar_email": "friend and advocate have nearly the same e-mail address",
    "similar_name": "friend and advocate have nearly the same name",
    "similar_address": "friend and advocate live at nearly the same address",
    "sent_to_advocate": "the friend's parcel goes to the advocate's home",
    "same_place": "more friends than usual came from one network address",
    "same_device": "another friend, or the advocate, used the friend's device",
    "velocity": "the advocate brought unusually many friends in a short time",
    "disposable_mail": "the friend's mailbox is a throw-away one",
    "advocate_refunded": "nothing is left of what the advocate bought",
    "second_referral": "the friend was brought before",
    "over_cap": "the month's limit of rewards is reached",
    "refused_by_person": "somebody of the shop refused it",
    "same_email": "friend and advocate share an e-mail address",
    "same_customer": "friend and advocate are one customer of the shop",
    "same_phone": "friend and advocate share a phone number",
    "same_address": "friend and advocate live at one address",
}
"""Every sign as a sentence; the reasons of `flows.referring.referral.REASONS` besides."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Case:
    """What is known when a friend's order is judged. `earlier` and `all_known` are the friend's orders: those before
    this one, and all; `theirs` are the advocate's. `recent`: friends the advocate brought within the span of the
    velocity rule, this one included; `from_place`: orders that came of visits from one network address, likewise."""

    order: Order
    owner: CodeOwner
    shop: Shop
    earlier: Sequence[Order] = ()
    all_known: int = 1
    theirs: Sequence[Order] = ()
    recent: int = 1
    from_place: int = 1
    same_device: bool = False

    @property
    def email(self) -> str | None:
        return self.order.email or (self.order.customer.email if self.order.customer else None)

    @property
    def customer_id(self) -> str | None:
        return self.order.customer.id if self.order.customer else None


@dataclass(frozen=True, slots=True)
class Judgement:
    """`refused` is a reason, empty where there is none; `signs` are why a person should look first."""

    refused: str = ""
    signs: tuple[str, ...] = ()


def judge(case: Case, terms: ReferralTerms) -> Judgement:
    """Weigh a friend's order. A second order of a friend and the caps are the ledger's to find."""
    reason = _no_referral(case)
    found = [] if reason else [name for name, finds in _RULES.items() if finds(case, terms)]
    blocks = [name for name in found if terms.does(name) == BLOCK]
    reason = reason or next(iter(blocks), "") or _not_wanted(case, terms)
    return Judgement(reason) if reason else Judgement("", tuple(name for name in found if terms.does(name) == HOLD))


def _no_referral(case: Case) -> str:
    if case.order.is_test:
        return "test_order"
    return "friend_unknown" if person_key(case.email) is None and case.customer_id is None else ""


def _not_wanted(case: Case, terms: ReferralTerms) -> str:
    """The shop's own terms: first orders only, and of a size."""
    if terms.first_order and _bought_before(case):
        return "existing_customer"
    if terms.minimum is None:
        return ""
    if case.order.total.currency != terms.minimum.currency:
        return "other_currency"
    return "below_minimum" if case.order.total < terms.minimum else ""


def _bought_before(case: Case) -> bool:
    """An order before this one that was paid; or the platform counts more orders of theirs than we ever heard of.

    What became of it later does not count, or the order in which we hear of things would decide.
    """
    counted = case.order.customer.orders_count if case.order.customer else None
    return any(was_bought(order) for order in case.earlier) or (counted or 0) > case.all_known


def was_bought(order: Order) -> bool:
    return not order.is_test and (order.paid_at is not None or purchase_of(order) is not None)


def _same_email(case: Case, terms: ReferralTerms) -> bool:
    del terms
    mine = person_key(case.email)
    theirs = {person_key(case.owner.email_key), *(person_key(order.email) for order in case.theirs)}
    return mine is not None and mine in theirs


def _same_customer(case: Case, terms: ReferralTerms) -> bool:
    del terms
    known = {case.owner.customer_id, *(order.customer.id for order in case.theirs if order.customer)}
    return case.customer_id is not None and case.customer_id in known


def _same_phone(case: Case, terms: ReferralTerms) -> bool:
    del terms
    return any(phones_of(case.order, case.shop) & phones_of(order, case.shop) for order in case.theirs)


def _same_address(case: Case, terms: ReferralTerms) -> bool:
    del terms
    home = home_of(case.order)
    return home is not None and any(home == home_of(order) for order in case.theirs)


def _similar_email(case: Case, terms: ReferralTerms) -> bool:
    del terms
    return similar_email(case.email, case.owner.email_key)


def _similar_name(case: Case, terms: ReferralTerms) -> bool:
    del terms
    mine = names_of(case.order)
    return any(similar_name(mine, names_of(order)) for order in case.theirs)


def _similar_address(case: Case, terms: ReferralTerms) -> bool:
    del terms
    return any(similar_home(_home(case.order), _home(order)) for order in case.theirs) and not _same_address(case, _ANY)


def _sent_to_advocate(case: Case, terms: ReferralTerms) -> bool:
    del terms
    parcel = case.order.shipping_address
    return any(same_home(parcel, _home(order)) or similar_home(parcel, _home(order)) for order in case.theirs)


def _home(order: Order) -> Address | None:
    return order.billing_address or order.shipping_address


def _same_place(case: Case, terms: ReferralTerms) -> bool:
    return case.from_place > terms.same_place


def _same_device(case: Case, terms: ReferralTerms) -> bool:
    del terms
    return case.same_device


def _velocity(case: Case, terms: ReferralTerms) -> bool:
    return bool(terms.velocity) and case.recent > terms.velocity


def _disposable_mail(case: Case, terms: ReferralTerms) -> bool:
    return is_disposable(case.email, terms.disposable)


def _advocate_refunded(case: Case, terms: ReferralTerms) -> bool:
    del terms
    return bool(case.theirs) and all(purchase_of(order) is None for order in case.theirs)


_ANY = ReferralTerms()
_RULES: Mapping[str, Callable[[Case, ReferralTerms], bool]] = {
    "same_email": _same_email,
    "same_customer": _same_customer,
    "same_phone": _same_phone,
    "same_address": _same_address,
    "similar_email": _similar_email,
    "similar_name": _similar_name,
    "similar_address": _similar_address,
    "sent_to_advocate": _sent_to_advocate,
    "same_place": _same_place,
    "same_device": _same_device,
    "velocity": _velocity,
    "disposable_mail": _disposable_mail,
    "advocate_refunded": _advocate_refunded,
}
