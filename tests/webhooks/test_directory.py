"""The directory: memory first, the database seldom."""

from __future__ import annotations

from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

import pytest

from connector.clock import SystemClock
from connector.errors import StoreUnavailable
from connector.store import shops
from connector.store.store import Store
from tests.webhooks.composition import APP_KEY, KEY, OLD_SECRET, SECRET, SHOP, registry, seed, vault
from webhooks.directory import Directory
from webhooks.settings import ReceiverSettings


@pytest.fixture
def store(tmp_path: Path) -> Any:
    made = Store.open(f"sqlite:///{tmp_path / 'work.db'}")
    seed(made)
    yield made
    made.close()


class Counting(Directory):
    """Counts how often the database was read; fails while `broken`."""

    reads = 0
    broken = False

    def refresh(self) -> None:
        self.reads += 1
        if self.broken:
            self._began = self._clock.monotonic()
            raise StoreUnavailable("gone")
        super().refresh()


def directory_of(store: Store, **limits: Any) -> Counting:
    return Counting(store, vault(), registry(), SystemClock(), ReceiverSettings(**limits))


def test_secrets_come_newest_first_and_the_shop_with_them(store: Store) -> None:
    directory = directory_of(store)
    directory.refresh()
    entry = directory.entry("acme", KEY)
    assert entry is not None
    assert list(entry.endpoint.secrets) == [SECRET.encode(), OLD_SECRET.encode()]
    assert (entry.endpoint.shop, entry.owner_id) == (SHOP, SHOP.id)
    app = directory.entry("acme", APP_KEY)
    assert app is not None
    assert (app.endpoint.shop, app.owner_id) == (None, "app:acme")
    assert directory.shop("acme", "one.test") == SHOP
    assert directory.shop("other", "one.test") is None
    assert SECRET not in repr(entry) + repr(entry.endpoint)


def test_known_keys_never_read_the_database(store: Store) -> None:
    directory = directory_of(store)
    directory.start()
    for _ in range(1000):
        assert directory.entry("acme", KEY)
    assert directory.reads == 1
    directory.close()


def test_everybody_who_misses_shares_one_read(store: Store) -> None:
    directory = directory_of(store, directory_pause=0.2)
    directory.start()
    with ThreadPoolExecutor(20) as pool:
        assert all(pool.map(lambda _: directory.fresh().result(5), range(100)))
    assert directory.reads <= 12, "a hundred who asked within moments were not a hundred reads"
    directory.close()


def test_a_read_after_the_asking_sees_what_was_written_before_it(store: Store) -> None:
    directory = directory_of(store, directory_pause=0.0)
    directory.start()
    for number in range(20):
        with store.work.transaction() as tx:
            shops.put_endpoint(tx, f"fresh{number}", "acme", SHOP.id, SHOP.id, SystemClock().now())
        assert directory.fresh().result(5)
        assert directory.entry("acme", f"fresh{number}")
    directory.close()


def test_an_unreadable_database_keeps_what_is_known(store: Store) -> None:
    directory = directory_of(store, directory_pause=0.0)
    directory.start()
    directory.broken = True
    assert directory.fresh().result(5) is False
    assert directory.entry("acme", KEY)
    directory.broken = False
    assert directory.fresh().result(5) is True
    directory.close()
    assert directory.fresh().result(5) is False, "after the end nobody waits"


def test_it_is_read_again_without_anybody_asking(store: Store) -> None:
    directory = directory_of(store, directory_interval=0.05, directory_pause=0.0)
    directory.start()
    with store.work.transaction() as tx:
        shops.put_endpoint(tx, "later", "acme", SHOP.id, SHOP.id, SystemClock().now())
    for _ in range(200):
        if directory.entry("acme", "later"):
            break
        SystemClock().sleep(0.02)
    assert directory.entry("acme", "later")
    directory.close()


def test_an_unknown_adapter_closes_its_endpoints_only(store: Store) -> None:
    with store.work.transaction() as tx:
        shops.put_endpoint(tx, "orphan", "vanished", SHOP.id, SHOP.id, SystemClock().now())
    directory = directory_of(store)
    directory.refresh()
    assert directory.entry("acme", KEY)
    with pytest.raises(Exception, match="cannot be read"):
        directory.entry("vanished", "orphan")
