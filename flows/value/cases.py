"""One look at one person's programme: whose it is, what was told of them, and what they bought and did."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import datetime
from decimal import Decimal

from connector.config.loyalty import Programme
from connector.model import Purchase, Shop
from connector.model.value import Fact, FactKind
from connector.store import accounts, books, purchases
from connector.store.accounts import Holder
from connector.store.db import Tx
from flows.knowing.situation import look
from flows.value.bookings import Change, post
from flows.value.earning import reopenings
from flows.value.settling import taking_back
from flows.value.standing import Deeds


@dataclass(frozen=True, slots=True, kw_only=True)
class Case:
    """Whose programme it is, who it is about, and what led to it."""

    tx: Tx
    shop: Shop
    programme: Programme
    holder: Holder
    cause: str
    now: datetime

    def post(self, facts: Sequence[Fact]) -> list[Change]:
        return post(self.tx, self.shop.id, self.holder, facts, self.now, self.cause)

    def facts(self) -> list[Fact]:
        return books.facts_of(self.tx, self.shop.id, self.holder.accounts)

    def bought(self) -> tuple[Purchase, ...]:
        """What was bought under any name that leads to these accounts."""
        named = accounts.names_of(self.tx, self.shop.id, self.holder.accounts)
        return purchases.of_names(self.tx, self.shop.id, [name for each in named.values() for name in each])

    def deeds(self) -> Deeds:
        return Deeds(purchases=self.bought(), facts=self.facts(), currency=self.shop.currency, zone=self.shop.timezone)

    def state(self) -> Mapping[str, object]:
        """How somebody stood when last looked at; of accounts that became one, the one in the higher tier."""
        tiers = [tier.name for tier in self.programme.tiers]
        kept = [accounts.member(self.tx, self.shop.id, account).state for account in self.holder.accounts]
        return max(kept, key=lambda state: tiers.index(str(state["tier"])) if state.get("tier") in tiers else -1)

    def own(self, strange: Sequence[Fact], given: Sequence[Fact]) -> list[Fact]:
        """Grants under names of their own where the order was another's before: that one's keep theirs, taken back, and
        a fact is told only once under its name."""
        taken = {fact.id for fact in strange}
        return [replace(fact, id=f"{fact.id}/{self.holder.account}") if fact.id in taken else fact for fact in given]

    def reopened(self, told: Sequence[Fact]) -> list[Fact]:
        """When what orders earned opens, by what is known of their delivery now: the bonus of a first order may move to
        one that arrived long ago."""
        found: list[Fact] = []
        for cause in dict.fromkeys(fact.cause for fact in told):
            seen = look(self.tx, self.shop, cause.removeprefix("order/"))
            if seen.order is not None:
                mine = [fact for fact in told if fact.cause == cause]
                found += reopenings(self.programme, seen.order, mine, seen.progress.delivered_at)
        return found

    def settled(self, new: Sequence[Fact], back: Mapping[str, Decimal], known: Sequence[Fact]) -> list[Fact]:
        """New grants, and of all of them what brings what is taken back to where it should be."""
        grants = {fact.id: fact for fact in [*known, *new] if fact.kind is FactKind.GRANT}
        told = (
            taking_back(grants[key], known, target, self.now, self.cause)
            for key, target in back.items()
            if key in grants
        )
        return [*new, *(fact for fact in told if fact is not None)]
