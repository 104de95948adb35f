"""Whoever must be looked at together, found by walking a shop's orders once, a few people at a time.

Nobody waits until the whole shop has been read, and no more is held than the orders that were met ahead of the walk:
the later orders of those who came back.
"""

from __future__ import annotations

from collections.abc import Collection, Iterable, Iterator
from datetime import datetime
from itertools import islice

from connector.simulate.groups import groups
from connector.store import buyers
from connector.store.buyers import Buyer
from connector.store.db import Tx
from connector.store.past import CART
from connector.store.store import Store

PAGE = 250
"""Orders of one step of the walk: few enough to be read at once, and enough that the reads are shared."""


def gather(store: Store, shop_id: str, until: datetime, *, carts: bool = False) -> Iterator[list[str]]:
    """Ids of orders before `until`, people by people as `groups` parts them; with `carts` also of checkouts begun.

    Reads as it is asked, in transactions of its own that are over when it hands something back. An order that comes in,
    or changes hands, meanwhile is looked at with those it belonged to when the walk was there.
    """
    with store.work.read() as tx:
        begun = _Carts(buyers.carts(tx, shop_id, until) if carts else ())
        reach = _Reach(shop_id, until, begun, referrals=buyers.anybody_referred(tx, shop_id))
    after = ""
    while True:
        with store.work.read() as tx:
            here = buyers.page(tx, shop_id, until, after, PAGE)
            found = reach.people(tx, here)
        if not here:
            break
        yield from found
        after = here[-1].order_id
    while waiting := begun.some(PAGE):
        with store.work.read() as tx:
            found = reach.people(tx, waiting)
        yield from found


class _Carts:
    """Checkouts that nobody has been given yet. They are kept for weeks, not for years: they fit the memory."""

    def __init__(self, found: Iterable[Buyer]) -> None:
        self._waiting = {each.order_id: each for each in found}
        self._of: dict[str, list[str]] = {}
        for each in self._waiting.values():
            for name in _names(each):
                self._of.setdefault(name, []).append(each.order_id)

    def of(self, keys: Collection[str], ids: Collection[str]) -> Iterator[Buyer]:
        names = [f"e{key}" for key in keys] + [f"c{each}" for each in ids]
        for name in names:
            for cart_id in self._of.pop(name, ()):
                if cart_id in self._waiting:
                    yield self._waiting.pop(cart_id)

    def some(self, count: int) -> list[Buyer]:
        first = list(islice(self._waiting, count))
        return [self._waiting.pop(each) for each in first]


class _Reach:
    """From orders to people: whoever shares an address, an account or a referral, and whoever shares one with those."""

    def __init__(self, shop_id: str, until: datetime, carts: _Carts, *, referrals: bool) -> None:
        self._shop_id = shop_id
        self._until = until
        self._carts = carts
        self._referrals = referrals
        self._ahead: set[str] = set()
        """Orders that were handed out before the walk came to them."""

    def people(self, tx: Tx, here: Iterable[Buyer]) -> list[list[str]]:
        """All orders of those who placed the orders of one page and were not met before."""
        page = {each.order_id: each for each in here}
        met = {name: each for name, each in page.items() if name not in self._ahead}
        pairs: set[tuple[str, str]] = set()
        keys, ids, orders = _all_names(met.values())
        asked_keys: set[str] = set()
        asked_ids: set[str] = set()
        while keys or ids or orders:
            brought = buyers.referred(tx, self._shop_id, keys, orders) if self._referrals else []
            pairs.update(brought)
            friends = {friend for _, friend in brought} - met.keys()
            found = [each for each in self._next(tx, keys, ids, friends) if each.order_id not in met]
            new = [each for each in found if each.order_id not in self._ahead]
            met.update((each.order_id, each) for each in new)
            asked_keys |= keys
            asked_ids |= ids
            keys, ids, orders = _all_names(new)
            keys = (keys | {advocate for advocate, _ in brought}) - asked_keys
            ids -= asked_ids
        self._ahead.update(name for name in met.keys() - page.keys() if not name.startswith(CART))
        self._ahead -= page.keys()
        return groups(met.values(), pairs)

    def _next(self, tx: Tx, keys: set[str], ids: set[str], friends: set[str]) -> Iterator[Buyer]:
        if keys or ids or friends:
            yield from buyers.of(tx, self._shop_id, self._until, keys, ids, friends)
        yield from self._carts.of(keys, ids)


def _all_names(found: Iterable[Buyer]) -> tuple[set[str], set[str], set[str]]:
    people = list(found)
    keys = {each.email_key for each in people if each.email_key}
    ids = {each.customer_id for each in people if each.customer_id}
    return keys, ids, {each.order_id for each in people}


def _names(buyer: Buyer) -> list[str]:
    return [f"{kind}{name}" for kind, name in (("e", buyer.email_key), ("c", buyer.customer_id)) if name]
