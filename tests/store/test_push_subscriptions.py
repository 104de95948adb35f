"""Browsers of a person: kept sealed, few, theirs alone; on both databases."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta

from connector.secrets import Vault
from connector.store import Store, people, push_subscriptions, sealing
from connector.store.push_subscriptions import MOST, Subscription

NOW = datetime(2026, 11, 23, 9, 0, tzinfo=UTC)
OLD, NEW = b"\x01" * 32, b"\x02" * 32
AINO, OTHER = "aino@example.test", "other@example.test"


def browser(number: int) -> Subscription:
    return Subscription(endpoint=f"https://push.example.com/{number}", p256dh="BAAA", auth="AAAA")


def keep(store: Store, vault: Vault, number: int, who: str = AINO, shop: str = "shop") -> None:
    with store.work.transaction() as tx:
        push_subscriptions.put(tx, vault, shop, who, browser(number), NOW + timedelta(seconds=number))


def of(store: Store, vault: Vault, who: str = AINO, shop: str = "shop") -> list[str]:
    with store.work.read() as tx:
        found = push_subscriptions.of(tx, vault, shop, who)
        assert push_subscriptions.known(tx, shop, who) == bool(found)
    return [each.endpoint.rpartition("/")[2] for each in found]


def test_the_newest_browsers_are_kept_and_nobody_elses(store: Store) -> None:
    vault = Vault({"a": OLD}, "a")
    for number in range(1, MOST + 3):
        keep(store, vault, number)
    keep(store, vault, 50, OTHER)
    keep(store, vault, 60, shop="another")
    assert of(store, vault) == [str(number) for number in range(MOST + 2, 2, -1)]
    assert of(store, vault, OTHER) == ["50"]
    assert of(store, vault, shop="another") == ["60"]


def test_a_browser_belongs_to_the_last_person_who_used_it(store: Store) -> None:
    vault = Vault({"a": OLD}, "a")
    keep(store, vault, 1)
    keep(store, vault, 1, OTHER)
    assert (of(store, vault), of(store, vault, OTHER)) == ([], ["1"])


def test_what_reaches_a_browser_is_nowhere_in_the_clear(store: Store) -> None:
    vault = Vault({"a": OLD}, "a")
    keep(store, vault, 1)
    with store.work.read() as tx:
        (sealed,) = push_subscriptions.sealed(tx)
        person = people.find(tx, "shop", email=AINO)
        shown = str(people.gather(tx, person)["push_subscriptions"])
    assert sealed.startswith("v1:a:")
    assert "push.example.com" not in sealed + shown
    assert browser(1).id in shown
    assert "example.com" not in repr(browser(1))


def test_a_change_of_keys_seals_it_anew(store: Store) -> None:
    keep(store, Vault({"a": OLD}, "a"), 1)
    both = Vault({"b": NEW, "a": OLD}, "b")
    with store.work.transaction() as tx:
        assert sealing.keys_in_use(tx)["a"]["push subscriptions"] == 1
        assert sealing.reseal(tx, both, NOW) == 1
        assert "a" not in sealing.keys_in_use(tx)
    assert of(store, Vault({"b": NEW}, "b")) == ["1"]


def test_it_goes_when_the_browser_the_person_or_the_shop_does(store: Store) -> None:
    vault = Vault({"a": OLD}, "a")
    for number in (1, 2):
        keep(store, vault, number)
    keep(store, vault, 3, OTHER)
    with store.work.transaction() as tx:
        push_subscriptions.drop(tx, "shop", [browser(1).id, "unknown"])
    assert of(store, vault) == ["2"]
    with store.work.transaction() as tx:
        person = people.find(tx, "shop", email=AINO)
        assert people.erase(tx, person, lambda: "x", [], "r")["push_subscriptions"] == 1
    assert (of(store, vault), of(store, vault, OTHER)) == ([], ["3"])
    with store.work.transaction() as tx:
        assert push_subscriptions.stop(tx, "shop", OTHER)
        assert not push_subscriptions.stop(tx, "shop", OTHER)
    keep(store, vault, 4)
    with store.work.transaction() as tx:
        while people.wipe_shop(tx, "shop", 100):
            pass
    assert of(store, vault) == []
