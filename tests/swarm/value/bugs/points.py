"""Ledgers that are broken on purpose: points, tiers, mergers and codes."""

from __future__ import annotations

import json
from dataclasses import replace
from datetime import timedelta
from decimal import Decimal
from fractions import Fraction
from itertools import count
from typing import Any

import pytest

from connector.model import Buyer
from connector.model.value import Fact, FactKind
from connector.store import accounts, books, people, purchases
from flows.referring import programmes
from flows.value import asides, bookings, cases, earning, loyalty, settling, standing
from tests.swarm.bugs.planting import Bug, wrap
from tests.swarm.house import House


def counts_again(patch: pytest.MonkeyPatch, house: House) -> None:
    """Points are entered under a number of their own, so that what is repeated counts again."""

    def post(real: Any, tx: Any, shop_id: str, holder: Any, facts: Any, *more: Any, **rest: Any) -> Any:
        number = len(books.facts_of(tx, shop_id, holder.accounts))
        return real(tx, shop_id, holder, [replace(fact, id=f"{fact.id}~{number}") for fact in facts], *more, **rest)

    wrap(patch, cases, "post", post)


def takes_nothing_back(patch: pytest.MonkeyPatch, house: House) -> None:
    patch.setattr(earning, "targets", lambda *_: {})


def takes_back_again(patch: pytest.MonkeyPatch, house: House) -> None:
    """Each time it hears of a refund."""
    numbers = count()

    def taking_back(grant: Fact, facts: Any, target: Decimal, now: Any, cause: str) -> Fact | None:
        if not target:
            return None
        key = f"{grant.id}/taken/{next(numbers)}"
        return replace(
            grant, id=key, kind=FactKind.TAKE_BACK, of=grant.id, amount=target, at=now, cause=cause, parts={}
        )

    patch.setattr(cases, "taking_back", taking_back)


def rounds_up(patch: pytest.MonkeyPatch, house: House) -> None:
    wrap(patch, earning, "points_for", lambda real, rule, weight: real(rule, weight + Fraction(1, 3)))


def money_without_pieces_is_forgotten(patch: pytest.MonkeyPatch, house: House) -> None:
    patch.setattr(earning, "_loose_money", lambda *_: Fraction(0))


def used_twice(patch: pytest.MonkeyPatch, house: House) -> None:
    """What is asked for again is used again."""
    numbers = count()
    wrap(
        patch,
        bookings,
        "spend",
        lambda real, tx, shop_id, key, *given: real(tx, shop_id, f"{key}~{next(numbers)}", *given),
    )


def more_than_there_is(patch: pytest.MonkeyPatch, house: House) -> None:
    """A spend looks at what was earned and not at what is left."""

    def spend(real: Any, tx: Any, shop_id: str, key: str, holder: Any, amount: Decimal, now: Any, cause: str) -> bool:
        fact = Fact(id=key, account="", unit=bookings.POINTS, kind=FactKind.SPEND, amount=amount, at=now, cause=cause)
        return bool(bookings.post(tx, shop_id, holder, [fact], now))

    wrap(patch, bookings, "spend", spend)


def merged_are_two(patch: pytest.MonkeyPatch, house: House) -> None:
    patch.setattr(accounts, "join", lambda *_: None)


def late_under_the_old_name(patch: pytest.MonkeyPatch, house: House) -> None:
    """What comes late under the name that is gone is nobody's (found by this search)."""

    def join(tx: Any, shop_id: str, kept: str, merged: str, now: Any) -> None:
        for row in tx.all("value_accounts_of", shop_id=shop_id, owners=json.dumps([f"customer/{merged}"])):
            accounts._name(tx, shop_id, f"customer/{kept}", row["account"], now)

    patch.setattr(accounts, "join", join)


def corrected_address_loses(patch: pytest.MonkeyPatch, house: House) -> None:
    """Whoever corrects their address has nothing (found by this search)."""
    patch.setattr(cases.Case, "own", lambda case, strange, given: list(given))


def corrected_address_has_both(patch: pytest.MonkeyPatch, house: House) -> None:
    """What the order earned stays with the address that was mistyped."""
    wrap(
        patch,
        loyalty.Loyalty,
        "_undo",
        lambda real, self, tx, shop, programme, told, event, now: (
            [] if str(event.kind).startswith("order.") else real(self, tx, shop, programme, told, event, now)
        ),
    )


def one_address_a_person(patch: pytest.MonkeyPatch, house: House) -> None:
    """Tiers and badges count what was bought under one address (found by this search)."""
    patch.setattr(
        cases.Case,
        "bought",
        lambda case: purchases.of_buyer(case.tx, case.shop.id, Buyer(case.holder.email_key, case.holder.customer_id)),
    )


def bonus_stays(patch: pytest.MonkeyPatch, house: House) -> None:
    """The bonus of a first order stays with one that was undone."""
    wrap(patch, earning, "first_order", lambda real, *given: (real(*given)[0], {}))


def reversed_friend_counts(patch: pytest.MonkeyPatch, house: House) -> None:
    wrap(
        patch,
        loyalty.Loyalty,
        "_of_referral",
        lambda real, self, tx, shop, programme, event, *more: (
            [] if str(event.kind) == "referral.reversed" else real(self, tx, shop, programme, event, *more)
        ),
    )


def good_for_ever(patch: pytest.MonkeyPatch, house: House) -> None:
    """A code is not switched off when its cause is gone."""
    patch.setattr(programmes, "void_all", lambda *_: 0)


def switched_off_and_not_written(patch: pytest.MonkeyPatch, house: House) -> None:
    patch.setattr(asides, "voided", lambda *_: None)


def use_is_not_matched(patch: pytest.MonkeyPatch, house: House) -> None:
    patch.setattr(programmes, "used", lambda *_: None)


def codes_are_not_entered(patch: pytest.MonkeyPatch, house: House) -> None:
    patch.setattr(programmes, "issued", lambda *_: None)


def nobody_wakes(patch: pytest.MonkeyPatch, house: House) -> None:
    """What opens or lapses is not looked at in time."""
    patch.setattr(settling.Position, "next_change", lambda *_: None)


def delivery_does_not_count(patch: pytest.MonkeyPatch, house: House) -> None:
    wrap(patch, earning, "opens_at", lambda real, programme, order, at: real(programme, order, None))


def lapses_a_month_late(patch: pytest.MonkeyPatch, house: House) -> None:
    real = settling.Lot.lapses_at.fget  # type: ignore[attr-defined]
    patch.setattr(
        settling.Lot, "lapses_at", property(lambda self: at + timedelta(days=30) if (at := real(self)) else None)
    )


def lasts_for_ever(patch: pytest.MonkeyPatch, house: House) -> None:
    patch.setattr(settling.Lot, "lapses_at", property(lambda self: None))


def tiers_never_fall(patch: pytest.MonkeyPatch, house: House) -> None:
    def stand(real: Any, programme: Any, was: Any, deeds: Any, now: Any) -> Any:
        found, moved = real(programme, was, deeds, now)
        return (was, None) if moved is not None and moved.direction == "down" else (found, moved)

    wrap(patch, loyalty, "stand", stand)


def refunds_count_for_tiers(patch: pytest.MonkeyPatch, house: House) -> None:
    """What was refunded is still spent."""
    wrap(
        patch,
        standing.Deeds,
        "of",
        lambda real, self, deed, begins, ends: real(self, deed, begins, ends) + (7 if deed == "spent" else 0),
    )


def forgotten_are_known(patch: pytest.MonkeyPatch, house: House) -> None:
    """Names that lead to an account stay when a person is erased."""
    patch.setattr(people, "PLACES", tuple(place for place in people.PLACES if place.table != "value_names"))


BUGS = (
    Bug("what is told again counts again", counts_again),
    Bug("a refund takes nothing back", takes_nothing_back),
    Bug("a refund takes back each time it is told", takes_back_again),
    Bug("points are rounded up", rounds_up),
    Bug("money for no piece is forgotten", money_without_pieces_is_forgotten),
    Bug("what is asked again is used again", used_twice),
    Bug("more is used than there is", more_than_there_is),
    Bug("accounts that became one are two", merged_are_two),
    Bug("late under the old name is nobody's", late_under_the_old_name),
    Bug("a corrected address loses all", corrected_address_loses),
    Bug("a mistyped address keeps all", corrected_address_has_both),
    Bug("one address a person", one_address_a_person),
    Bug("the first order's bonus stays", bonus_stays),
    Bug("a reversed friend counts", reversed_friend_counts),
    Bug("a code is good for ever", good_for_ever),
    Bug("switched off and not written", switched_off_and_not_written),
    Bug("a use is not matched", use_is_not_matched),
    Bug("codes are not entered", codes_are_not_entered),
    Bug("nobody wakes when points open", nobody_wakes),
    Bug("the delivery does not count", delivery_does_not_count),
    Bug("points lapse a month late", lapses_a_month_late),
    Bug("points never lapse", lasts_for_ever),
    Bug("tiers never fall", tiers_never_fall),
    Bug("seven euros too many count for tiers", refunds_count_for_tiers),
    Bug("the forgotten are known", forgotten_are_known),
)
