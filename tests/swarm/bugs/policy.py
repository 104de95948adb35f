"""Rules that are not asked, or understood wrongly."""

from __future__ import annotations

from typing import Any

import pytest

from connector.store import consents
from connector.working import clockwatch
from flows import outbox, policy
from flows.knowing import situation
from tests.swarm.bugs.planting import Bug, Plant, reword, wrap
from tests.swarm.house import House


def without(rule: str) -> Plant:
    """The rule of that name is not asked."""

    def plant(patch: pytest.MonkeyPatch, house: House) -> None:
        rules = "_LAWFUL" if rule.startswith("_") else "_FAIR"
        known = getattr(policy, rules)
        kept = tuple(each for each in known if each.__name__ != rule)
        assert len(kept) == len(known) - 1
        patch.setattr(policy, rules, kept)

    return plant


def nothing_is_too_late(patch: pytest.MonkeyPatch, house: House) -> None:
    patch.setattr(policy, "_too_late", lambda case: None)


def cap_of_one_shop(patch: pytest.MonkeyPatch, house: House) -> None:
    """The other shop of the same client counts for nothing."""
    patch.setattr(house.kiitos.catalog, "shops_beside", lambda shop_id: (shop_id,))


def doubtful_counts_for_nothing(patch: pytest.MonkeyPatch, house: House) -> None:
    """The cap forgets what is being sent and what may have arrived."""
    reword(patch, house, "pace_reached", "'sending', 'sent', 'uncertain'", "'sent'")


def asked_when_decided(patch: pytest.MonkeyPatch, house: House) -> None:
    """Consent is asked for the first attempt and believed at every later one."""
    real = outbox.check

    def check(effect: Any, *given: Any) -> Any:
        return policy.Allow() if effect.attempts or effect.reason else real(effect, *given)

    patch.setattr(outbox, "check", check)


def oldest_consent_wins(patch: pytest.MonkeyPatch, house: House) -> None:
    def weight(row: Any, purpose: Any) -> Any:
        return row["purpose"] == purpose.value, -row["seq"]

    patch.setattr(consents, "_weight", weight)


def opt_out_stops_receipts(patch: pytest.MonkeyPatch, house: House) -> None:
    patch.setattr(policy, "_blocks", lambda *_: True)


def any_clock_is_believed(patch: pytest.MonkeyPatch, house: House) -> None:
    patch.setattr(clockwatch.ClockWatch, "trusted", lambda self: True)


def addresses_as_typed(patch: pytest.MonkeyPatch, house: House) -> None:
    """An address is looked for in the form it was typed, a capital letter at its head."""
    wrap(
        patch,
        situation.suppressions,
        "find",
        lambda real, tx, shop_id, key, channel: real(tx, shop_id, key.capitalize(), channel),
    )


BUGS = (
    Bug("consent is not asked", without("_consent")),
    Bug("suppressions are not asked", without("_suppressed")),
    Bug("an undone purchase is not asked about", without("_undone")),
    Bug("nothing is too late", nothing_is_too_late),
    Bug("no distance is kept", without("distance")),
    Bug("the cap is a shop's", cap_of_one_shop),
    Bug("what may have arrived does not count", doubtful_counts_for_nothing),
    Bug("asked only once", asked_when_decided),
    Bug("the oldest consent wins", oldest_consent_wins),
    Bug("an opt-out stops receipts", opt_out_stops_receipts),
    Bug("any clock is believed", any_clock_is_believed),
    Bug("addresses are compared as typed", addresses_as_typed),
)
