"""Provider accounts, breakers and ways on both databases: what two workers may not both do."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta

import pytest

from connector.store import providers
from connector.store.providers import Account, Breaker, EffectWay
from connector.store.store import Store

AT = datetime(2026, 11, 23, 9, 0, tzinfo=UTC)
SECOND = timedelta(seconds=1)


def test_a_share_is_taken_once_and_known_at_once(store: Store) -> None:
    with store.work.transaction() as tx:
        assert providers.accounts(tx) == {}
        assert providers.take(tx, "acme", AT + SECOND)
        assert providers.accounts(tx)["acme"].full_until == AT + SECOND
        assert providers.take(tx, "acme", AT + 2 * SECOND)
    with store.work.read() as tx:
        assert providers.accounts(tx) == {"acme": Account(name="acme", full_until=AT + 2 * SECOND)}


def test_of_two_workers_that_saw_the_same_only_one_takes_it(store: Store) -> None:
    with store.work.transaction() as tx:
        assert providers.take(tx, "acme", AT)
    with store.work.transaction() as tx:
        stale = dict(providers.accounts(tx))
        assert providers.take(tx, "acme", AT + SECOND)
        tx.recall("provider_accounts_all")["all"] = stale  # what the other one had read before
        assert not providers.take(tx, "acme", AT + SECOND)
        assert providers.accounts(tx)["acme"].full_until == AT + SECOND, "it reads anew"


def test_slots_and_the_longer_wish_to_wait_are_kept(store: Store) -> None:
    with store.work.transaction() as tx:
        providers.give_slot(tx, "acme", (None, AT + SECOND))
        providers.block(tx, "acme", AT + 60 * SECOND, "429")
        providers.block(tx, "acme", AT + 30 * SECOND, "429 again")
    with store.work.read() as tx:
        found = providers.accounts(tx)["acme"]
    assert (found.slots, found.blocked_until, found.reason) == ((None, AT + SECOND), AT + 60 * SECOND, "429")


def test_a_breaker_opens_lets_one_try_and_closes(store: Store) -> None:
    broken = Breaker(shop_id="s", provider="acme", failures=3, open_until=AT, reason="no answer")
    with store.work.transaction() as tx:
        providers.fail(tx, broken)
        assert providers.try_once(tx, broken, AT + SECOND)
    with store.work.transaction() as tx:
        assert not providers.try_once(tx, broken, AT + SECOND), "another worker's message is at it"
        (trying,) = providers.breakers(tx).values()
        assert trying.trying_until == AT + SECOND
        providers.fail(tx, Breaker(shop_id="s", provider="acme", failures=4, open_until=AT + SECOND))
        assert providers.breakers(tx)["s", "acme"].trying_until is None
        providers.close(tx, "s", "acme")
        assert providers.breakers(tx) == {}
    with store.work.read() as tx:
        assert providers.breakers(tx) == {}


@pytest.mark.parametrize("first", ["go", "doubt"])
def test_by_which_provider_an_effect_went_and_how_often_in_doubt(store: Store, first: str) -> None:
    with store.work.transaction() as tx:
        assert providers.way_of(tx, "s", "e") == EffectWay()
        if first == "go":
            providers.go_by(tx, "s", "e", "acme")
        providers.doubt(tx, "s", "e", "acme")
        providers.doubt(tx, "s", "e", "other")
        assert providers.way_of(tx, "s", "e") == EffectWay("acme", 2)
        providers.go_by(tx, "s", "e", "backup")
        assert providers.way_of(tx, "s", "e") == EffectWay("backup", 2)
        assert providers.way_of(tx, "other", "e") == EffectWay()
