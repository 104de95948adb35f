"""A look back finds who belongs together by walking the orders once; held against a union of everything at once.

KIITOS_SHOPS=500 invents more shops.
"""

from __future__ import annotations

import os
import random  # noqa: TID251 - seeded shops
from collections import Counter
from dataclasses import dataclass, field, replace
from datetime import datetime

import pytest

from connector.model import Checkout, Customer, Event, EventKind, Order, Ref, email_key
from connector.simulate import gathering
from connector.simulate.gathering import gather
from connector.store import buyers, entities, referrals
from connector.store.past import CART
from connector.store.store import Store
from tests.store.examples import NOW, SHOP, at, event, order, order_event

SHOPS = int(os.environ.get("KIITOS_SHOPS", "40"))
UNTIL = at(1)


@dataclass
class Trade:
    """A shop whose buyers share addresses and accounts more often than real ones do."""

    seed: int
    orders: list[Order] = field(default_factory=list)
    carts: list[Checkout] = field(default_factory=list)
    pairs: list[tuple[str, str]] = field(default_factory=list)

    def __post_init__(self) -> None:
        rng = random.Random(self.seed)
        addresses = [f"person{number}@example.test" for number in range(rng.randint(1, 40))]
        accounts = [str(number) for number in range(rng.randint(1, 40))]

        def who() -> tuple[str | None, Customer | None]:
            address = rng.choice(addresses) if rng.random() < 0.8 else None
            account = Customer(id=rng.choice(accounts)) if rng.random() < 0.4 else None
            return address, account

        for number in rng.sample(range(1000), rng.randint(0, 60)):
            address, account = who()
            found = order(str(number), email=address)
            placed = NOW if rng.random() < 0.9 else at(2)  # the last are of after the look's end
            self.orders.append(replace(found, customer=account, placed_at=placed))
        for number in range(rng.randint(0, 12)):
            address, account = who()
            began = NOW if rng.random() < 0.8 else at(2)
            cart = Checkout(token=f"t{number}", currency="EUR", started_at=began, updated_at=began)
            self.carts.append(replace(cart, email=address, customer=account))
        if rng.random() < 0.6:
            friends = [each.id for each in self.orders] + ["nobody's"]
            advocates = [*addresses, "advocate@example.test"]
            chosen = rng.sample(friends, min(len(friends), rng.randint(1, 8)))
            self.pairs = [(rng.choice(advocates), friend) for friend in chosen]

    def keep(self, store: Store) -> None:
        told = [order_event(each) for each in self.orders]
        told += [_cart_event(each) for each in self.carts]
        with store.work.transaction() as tx:
            entities.apply_many(tx, SHOP, told, NOW)
            for advocate, friend in self.pairs:
                assert referrals.open_one(tx, SHOP, _referral(advocate, friend), NOW)

    def together(self, *, carts: bool) -> set[frozenset[str]]:
        """Everything at once, by repeated merging: slow, and nothing to get wrong."""
        found: list[tuple[set[str], set[str]]] = []  # names, orders
        for each in self.orders:
            if each.placed_at < UNTIL:
                names = _names(each.email, each.customer) | {f"o{each.id}"}
                names |= {f"e{email_key(advocate)}" for advocate, friend in self.pairs if friend == each.id}
                found.append((names, {each.id}))
        found += [
            (_names(cart.email, cart.customer) | {f"o{cart.token}"}, {f"{CART}{cart.token}"})
            for cart in self.carts
            if carts and cart.started_at < UNTIL
        ]
        merged: list[tuple[set[str], set[str]]] = []
        for names, ids in found:
            touching = [each for each in merged if each[0] & names]
            merged = [each for each in merged if not each[0] & names]
            merged.append((names.union(*(n for n, _ in touching)), ids.union(*(i for _, i in touching))))
        return {frozenset(ids) for _, ids in merged}


def _names(address: str | None, account: Customer | None) -> set[str]:
    key = email_key(address)
    return ({f"e{key}"} if key else set()) | ({f"c{account.id}"} if account and account.id else set())


def _cart_event(cart: Checkout) -> Event:
    return event(EventKind.CHECKOUT_STARTED, Ref("checkout", cart.token), happened=cart.updated_at, checkout=cart)


def _referral(advocate: str, friend: str) -> referrals.ReferralRow:
    key = email_key(advocate) or ""
    return referrals.ReferralRow(
        id=referrals.id_of(friend),
        code="CODE",
        advocate_email_key=key,
        friend_email_key=None,
        friend_order_id=friend,
        state="held",
        reason="",
        created_at=NOW,
        updated_at=NOW,
    )


def gathered(store: Store, *, carts: bool = True) -> set[frozenset[str]]:
    """What the walk hands out; nothing may be handed out twice."""
    groups = list(gather(store, SHOP, UNTIL, carts=carts))
    assert not [name for name, count in Counter(each for group in groups for each in group).items() if count > 1]
    return {frozenset(group) for group in groups}


@pytest.mark.parametrize("carts", [True, False])
def test_it_is_the_union_of_everything(store: Store, monkeypatch: pytest.MonkeyPatch, carts: bool) -> None:
    """Whatever the size of a step, so that groups reach over many of them."""
    shop = next(each for each in map(Trade, range(100)) if len(each.orders) > 20 and len(each.pairs) > 3 and each.carts)
    shop.keep(store)
    for page in (1, 2, 7, 250):
        monkeypatch.setattr(gathering, "PAGE", page)
        assert gathered(store, carts=carts) == shop.together(carts=carts)


def test_of_many_shops(monkeypatch: pytest.MonkeyPatch) -> None:
    largest = 0
    for seed in range(SHOPS):
        shop = Trade(seed)
        store = Store.open("sqlite://:memory:")
        try:
            shop.keep(store)
            monkeypatch.setattr(gathering, "PAGE", 1 + seed % 5)
            expected = shop.together(carts=True)
            assert gathered(store) == expected, f"seed {seed}"
        finally:
            store.close()
        largest = max(largest, *(len(group) for group in expected), 0)
    assert largest > 10, "the shops hold no group that reaches over steps"


def _nobody(*_: object) -> list[tuple[str, str]]:
    return []


@pytest.mark.parametrize("fault", ["no referrals", "no accounts", "ahead is forgotten", "carts are nobody's"])
def test_a_planted_fault_is_found(monkeypatch: pytest.MonkeyPatch, fault: str) -> None:
    """Each part of the walk is needed: without it some shop's people are others."""
    of = buyers.of
    if fault == "no referrals":
        monkeypatch.setattr(buyers, "referred", _nobody)
    elif fault == "no accounts":
        monkeypatch.setattr(
            buyers, "of", lambda tx, shop, until, keys, ids, orders: of(tx, shop, until, keys, (), orders)
        )
    elif fault == "ahead is forgotten":
        monkeypatch.setattr(gathering, "_Reach", Forgetful)
    else:
        monkeypatch.setattr(gathering._Carts, "of", lambda self, keys, ids: iter(()))
    monkeypatch.setattr(gathering, "PAGE", 2)
    wrong = 0
    for seed in range(20):
        shop = Trade(seed)
        store = Store.open("sqlite://:memory:")
        try:
            shop.keep(store)
            groups = list(gather(store, SHOP, UNTIL, carts=True))
            wrong += sorted(map(sorted, groups)) != sorted(map(sorted, shop.together(carts=True)))
        finally:
            store.close()
    assert wrong > 3


class Forgetful(gathering._Reach):
    def people(self, tx: object, here: object) -> list[list[str]]:
        self._ahead.clear()
        return super().people(tx, here)  # type: ignore[arg-type]


def test_it_begins_before_it_has_read_the_shop(store: Store) -> None:
    """Its first people cost one step, however many orders there are."""
    with store.work.transaction() as tx:
        told = [order_event(replace(order(f"{n:04d}", email=f"p{n}@example.test"), customer=None)) for n in range(1000)]
        entities.apply_many(tx, SHOP, told, NOW)
    pages: list[str] = []
    page = buyers.page

    def seen(tx: object, shop_id: str, until: datetime, after: str, limit: int) -> list[buyers.Buyer]:
        pages.append(after)
        return page(tx, shop_id, until, after, limit)  # type: ignore[arg-type]

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(buyers, "page", seen)
        walk = gather(store, SHOP, UNTIL)
        assert next(walk) == ["0000"]
        assert pages == [""]
        assert sum(1 for _ in walk) == 999
        assert len(pages) == 5
