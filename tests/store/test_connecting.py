"""Connected stores, invites and attempts: hashed, sealed, once, and only in time."""

from __future__ import annotations

from collections.abc import Callable
from datetime import timedelta

import pytest

from connector.errors import ConfigError
from connector.secrets import Vault
from connector.store import Store, connecting
from connector.store.connecting import Attempt, ConnectedRow
from tests.store.examples import NOW

VAULT = Vault({"k1": b"k" * 32}, "k1")
LATER = NOW + timedelta(minutes=15)
TOKENS = ("browser-token", "ticket-token", "callback-token")


def begin(store: Store, tokens: tuple[str, str, str] = TOKENS) -> None:
    with store.work.transaction() as tx:
        opened = connecting.find_invite(tx, "invite-token", NOW)
        if opened is None:
            connecting.invite(tx, "invite-token", "acme", NOW, NOW + timedelta(days=1), locale="fi")
            opened = connecting.find_invite(tx, "invite-token", NOW)
        assert opened is not None
        connecting.begin(
            tx, VAULT, tokens, opened, ("woocommerce", "approve"), {"url": "https://a.example"}, NOW, LATER
        )


def attempt(store: Store, browser: str = "browser-token") -> Attempt:
    with store.work.read() as tx:
        found = connecting.attempt_of(tx, VAULT, browser, NOW)
    assert found is not None
    return found


def test_tokens_are_kept_as_hashes_and_values_sealed(store: Store) -> None:
    begin(store)
    with store.work.transaction() as tx:
        assert connecting.receive(tx, VAULT, attempt_in(tx), {"consumer_secret": "cs_hush"}, NOW)
        rows = tx.all("attempt_of", browser_hash=connecting.digest("browser-token"), now="2000")
    kept = repr(rows)
    assert not any(word in kept for word in (*TOKENS, "a.example", "cs_hush"))
    assert attempt(store).received == {"consumer_secret": "cs_hush"}
    assert attempt(store).entered == {"url": "https://a.example"}


def attempt_in(tx) -> Attempt:
    found = connecting.attempt_of(tx, VAULT, "browser-token", NOW)
    assert found is not None
    return found


def test_the_return_is_taken_once_and_only_with_its_ticket(store: Store) -> None:
    begin(store)
    one = attempt(store)
    with store.work.transaction() as tx:
        assert not connecting.take(tx, one, "another-ticket", NOW)
        assert not connecting.take(tx, one, "ticket-token", LATER)
        assert connecting.take(tx, one, "ticket-token", NOW)
        assert not connecting.take(tx, one, "ticket-token", NOW)
        connecting.release(tx, one)
        assert connecting.take(tx, one, "ticket-token", NOW)
        connecting.end(tx, one, connecting.DONE, LATER, "acme-a")
        assert not connecting.take(tx, one, "ticket-token", NOW)
    over = attempt(store)
    assert (over.status, over.shop_id, over.entered, over.received) == ("done", "acme-a", {}, {})


def test_the_callback_is_heard_once_and_only_while_it_is_awaited(store: Store) -> None:
    begin(store)
    with store.work.transaction() as tx:
        assert connecting.attempt_called(tx, VAULT, "ticket-token", NOW) is None
        assert connecting.attempt_called(tx, VAULT, "callback-token", LATER) is None
        called = connecting.attempt_called(tx, VAULT, "callback-token", NOW)
        assert called is not None
        assert connecting.receive(tx, VAULT, called, {"consumer_key": "first"}, NOW)
        assert not connecting.receive(tx, VAULT, called, {"consumer_key": "second"}, NOW)
    assert attempt(store).received == {"consumer_key": "first"}


def test_an_attempt_that_ran_out_is_swept_with_its_keys(store: Store) -> None:
    begin(store)
    with store.work.transaction() as tx:
        connecting.sweep(tx, LATER)
        assert connecting.attempt_of(tx, VAULT, "browser-token", NOW) is None
        assert connecting.find_invite(tx, "invite-token", NOW) is not None


def test_what_one_attempt_keeps_does_not_open_in_another(store: Store) -> None:
    begin(store)
    begin(store, ("other-browser", "other-ticket", "other-callback"))
    first = connecting.digest("browser-token")
    with store.work.transaction() as tx:
        tx.script(
            "UPDATE connect_attempts SET sealed = (SELECT sealed FROM connect_attempts"
            f" WHERE browser_hash = '{first}') WHERE browser_hash <> '{first}'"
        )
        with pytest.raises(ConfigError):
            connecting.attempt_of(tx, VAULT, "other-browser", NOW)


def test_an_invite_serves_one_store(store: Store) -> None:
    begin(store)
    with store.work.transaction() as tx:
        opened = connecting.find_invite(tx, "invite-token", NOW)
        assert opened is not None
        assert (opened.client_id, opened.locale) == ("acme", "fi")
        assert connecting.use_invite(tx, opened.invite_hash, NOW)
        assert not connecting.use_invite(tx, opened.invite_hash, NOW)
        assert connecting.find_invite(tx, "invite-token", NOW) is None


def test_every_change_of_a_connected_store_is_announced(open_store: Callable[[], Store]) -> None:
    here, elsewhere = open_store(), open_store()
    row = ConnectedRow(
        shop_id="acme-a", client_id="acme", settings={"platform": "woocommerce"}, granted=("read_write",)
    )
    seen = []
    for change in (
        lambda tx: connecting.put(tx, row, NOW),
        lambda tx: connecting.put(tx, row, NOW),
        lambda tx: connecting.delete(tx, "acme-a", NOW),
        lambda tx: connecting.delete(tx, "acme-a", NOW),
    ):
        with here.work.transaction() as tx:
            change(tx)
        with elsewhere.work.read() as tx:
            seen.append((connecting.generation(tx), len(connecting.all(tx))))
    assert seen == [(1, 1), (2, 1), (3, 0), (3, 0)]
