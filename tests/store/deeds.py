"""What happens to one person, each thing as a deed that may be done in any order and any number of times."""

from __future__ import annotations

from collections.abc import Callable
from datetime import timedelta
from typing import Any

from connector.contracts.step import EffectFailed
from connector.loyalty import Adjustment, adjustment
from connector.model import EffectStatus, Event
from connector.store import accounts, effects
from flows.value import exchanging
from flows.value.bookings import give_points
from tests.store.loyal import AINO, Loyal
from tests.store.trade import SHOP, START

Deed = Callable[[Loyal], None]

REWARDS: dict[str, Any] = {"three": {"points": 30, "amount": "3 EUR"}}
"""For the programmes of those who exchange."""
_LATE = START + timedelta(days=365)


def taken_in(event: Event) -> Deed:
    return lambda life: life.take_in(event)


def given_by_a_flow(order_id: str, points: int = 100) -> Deed:
    """Points for an order, by a flow's `grant`."""

    def deed(life: Loyal) -> None:
        now, loyalty = life.clock.now(), life.kiitos.runner.loyalty
        with life.store.work.transaction() as tx:
            changes = give_points(
                tx, SHOP, f"run{order_id}:sorry", None, AINO, points, now,
                cause=f"order/{order_id}", rule="flow/late", expires_at=_LATE,
            )  # fmt: skip
            life.kiitos.runner.ingest(tx, SHOP, loyalty.given(tx, SHOP, changes, now), now)

    return deed


def adjusted(name: str, points: int) -> Deed:
    """Points by a person's word."""

    def deed(life: Loyal) -> None:
        adjustment(life.kiitos, SHOP, AINO, Adjustment(points=points, by="maija", name=name))

    return deed


def exchanged(key: str, *, made: bool = True) -> Deed:
    """Points exchanged for a code that the shop makes, or refuses. Somebody sees to it that there are enough of them:
    whether there were would hang on the order of deeds."""

    def deed(life: Loyal) -> None:
        adjusted(f"for-{key}", 30)(life)
        settings = life.kiitos.catalog.settings(SHOP)
        (reward,) = settings.loyalty.rewards
        with life.store.work.transaction() as tx:
            now = life.clock.now()
            holder = accounts.open_for(tx, SHOP, None, AINO, key, now)
            assert exchanging.claim(tx, settings.shop, holder, AINO, reward, key, life.kiitos.salt, now)
            for effect in [each for each in effects.due(tx, now, 10) if each.kind == exchanging.EXCHANGE]:
                if made:
                    values = {"code": str(effect.request["discount"]["code"]), "value": "3.00 EUR"}
                    life.kiitos.runner.performed(tx, None, effect, values, now)
                else:
                    exchanging.settled(tx, effect, EffectFailed("LIMIT", "no more codes in this plan"), now)
                effects.settle(tx, SHOP, effect.id, now, EffectStatus.SENT if made else EffectStatus.FAILED)

    return deed


def held_back(life: Loyal) -> list[str]:
    """Which of the points that flows and people gave cannot be used, or lapse at another time than was said."""
    lots = life.position().lots.items()
    gifts = [(key, lot) for key, lot in lots if lot.grant.rule == "adjustment" or lot.grant.rule.startswith("flow/")]
    return sorted(key for key, lot in gifts if lot.pending or lot.lapses_at != lot.grant.expires_at)
