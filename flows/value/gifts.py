"""Points that flows gave for an order (`grant`), beside what the programme's rules gave for it. Pure.

They are a gift of the shop's: usable when the flow says so, whatever becomes of the order. When its address is
corrected they go along, for whoever the order names is whom the flow meant.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import replace
from decimal import Decimal

from connector.model.value import POINTS, Fact, FactKind
from connector.store.accounts import Holder


def moved(told: Iterable[Fact], holder: Holder) -> tuple[list[Fact], dict[str, Decimal], list[Fact]]:
    """What of such gifts is to be told in the hands of whom the order names now, how much of each of theirs is to be
    taken back, and the facts of others. `told` is all that was told because of the order but by the programme."""
    gifts = {fact.id: fact for fact in told if fact.kind is FactKind.GRANT and fact.unit == POINTS}
    strange = [fact for fact in gifts.values() if fact.account not in holder.accounts]
    new: list[Fact] = []
    back: dict[str, Decimal] = {}
    for first in gifts.values() if strange else ():
        if any(first.id.startswith(f"{each}/") for each in gifts):
            continue  # the same gift in other hands
        hands = [fact for key, fact in gifts.items() if key == first.id or key.startswith(f"{first.id}/")]
        mine = [fact for fact in hands if fact.account in holder.accounts]
        if not mine:
            new.append(replace(first, id=f"{first.id}/{holder.account}", account=""))
        # Two accounts that had it and became one have it once.
        back |= {fact.id: fact.amount if number else Decimal(0) for number, fact in enumerate(mine)}
    return new, back, strange
