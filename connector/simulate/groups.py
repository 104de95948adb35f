"""Who must be looked at together: orders of one address or account, and of those who brought one another."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence

from connector.store.buyers import Buyer

CHUNK = 250
"""Orders a process takes at once: enough to read together, few enough to be stopped at any time."""


def groups(buyers: Iterable[Buyer], referrals: Iterable[tuple[str, str]] = ()) -> list[list[str]]:
    """The orders' ids, people by people. Whoever shares an address, an account or a referral is one group."""
    parent: dict[str, str] = {}

    def root(name: str) -> str:
        found = name
        while (above := parent.setdefault(found, found)) != found:
            found = above
        while (above := parent[name]) != found:
            parent[name], name = found, above
        return found

    def join(first: str, second: str) -> None:
        parent[root(first)] = root(second)

    order_ids = []
    for buyer in buyers:
        order_ids.append(buyer.order_id)
        name = f"o{buyer.order_id}"
        parent.setdefault(name, name)
        if buyer.email_key:
            join(name, f"e{buyer.email_key}")
        if buyer.customer_id:
            join(name, f"c{buyer.customer_id}")
    for advocate, friend_order in referrals:
        if f"o{friend_order}" in parent:
            join(f"o{friend_order}", f"e{advocate}")
    found: dict[str, list[str]] = {}
    for order_id in order_ids:
        found.setdefault(root(f"o{order_id}"), []).append(order_id)
    return list(found.values())


def chunks(people: Iterable[Sequence[str]]) -> Iterator[list[Sequence[str]]]:
    """Groups, about `CHUNK` orders at a time; a group is never parted."""
    waiting: list[Sequence[str]] = []
    count = 0
    for group in people:
        waiting.append(group)
        count += len(group)
        if count >= CHUNK:
            yield waiting
            waiting, count = [], 0
    if waiting:
        yield waiting
