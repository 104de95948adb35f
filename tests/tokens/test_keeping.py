"""The kernel's keeping of tokens, case by case, on both databases. The search is tests/tokens/test_search.py."""

from __future__ import annotations

import threading
from datetime import timedelta
from typing import Any

import pytest

from connector.app import Kiitos
from connector.cli.shops import _note
from connector.contracts import Access
from connector.errors import AuthExpired, Transient
from connector.model import EffectStatus, ShopStatus
from connector.store import effects, notices, renewals, shops
from connector.testing.fakes.web import Trouble
from connector.testing.world import SHOPIFY
from connector.worker import Worker
from platforms.shopify.tokens import read_grant
from tests.tokens.conftest import House


def stored(app: Kiitos) -> dict[str, str]:
    with app.store.work.read() as tx:
        return shops.secrets(tx, app.vault, SHOPIFY)


def status(app: Kiitos) -> ShopStatus:
    with app.store.work.read() as tx:
        found = shops.get(tx, SHOPIFY)
    assert found is not None
    return found.status


def test_a_token_is_renewed_five_minutes_early_and_not_before(house: House) -> None:
    app = house.app()
    first = house.connect(app)
    house.clock.advance(timedelta(minutes=54))
    house.ask(app)
    assert house.refreshes() == 0
    house.clock.advance(timedelta(minutes=1))
    house.ask(app)
    house.ask(app)
    assert house.refreshes() == 1
    now = read_grant(stored(app))
    assert now is not None
    assert (now.previous, now.refresh != first.refresh) == (first.refresh, True)
    assert now.until == house.clock.now() + timedelta(hours=1)


def test_a_refused_call_is_made_once_more_with_a_new_token(house: House) -> None:
    app = house.app()
    house.connect(app)
    house.shopify.oauth.revoke()
    house.ask(app)
    assert [call.status for call in house.shopify.calls] == [401, 200, 200]


def test_a_call_that_is_refused_twice_is_the_merchants_matter(house: House, monkeypatch: pytest.MonkeyPatch) -> None:
    app = house.app()
    house.connect(app)
    monkeypatch.setattr(house.shopify.oauth, "accepts", lambda _token: False)
    with pytest.raises(AuthExpired):
        house.ask(app)
    assert [call.status for call in house.shopify.calls] == [401, 200, 401]


def test_client_credentials_are_asked_for_once_a_day_by_all_processes_together(house: House) -> None:
    one, two = house.app(), house.app()
    for app in (one, two, one):
        house.ask(app)
    house.clock.advance(timedelta(hours=23, minutes=56))
    house.ask(two)
    house.ask(one)
    assert house.shopify.oauth.granted == ["client_credentials"] * 2


def test_the_operators_own_token_is_left_alone(house: House) -> None:
    token = house.shopify.issue_token()
    app = house.app()
    with app.store.work.transaction() as tx:
        shops.put_secret(tx, app.vault, SHOPIFY, "access_token", token, house.clock.now())
    house.clock.advance(timedelta(hours=20))
    house.ask(app)
    assert house.shopify.oauth.granted == []


@pytest.mark.parametrize("trouble", [Trouble(drop=True), Trouble(status=503), Trouble(status=429, retry_after="1")])
def test_a_lost_or_refused_answer_is_asked_for_again(house: House, trouble: Trouble) -> None:
    app = house.app()
    house.connect(app)
    house.clock.advance(timedelta(minutes=57))
    house.shopify.trouble(trouble)
    house.ask(app)
    house.clock.advance(timedelta(hours=2))
    house.ask(app)
    assert status(app) is ShopStatus.ACTIVE


def test_while_shopify_cannot_renew_the_present_token_serves_until_it_lapses(house: House) -> None:
    app = house.app()
    house.connect(app)
    house.clock.advance(timedelta(minutes=57))
    house.shopify.trouble(*[Trouble(status=503)] * 3)
    house.ask(app)
    assert house.refreshes() == 0
    house.clock.advance(timedelta(minutes=4))
    house.shopify.trouble(*[Trouble(status=503)] * 3)
    with pytest.raises(Transient):
        app.access(house.settings(app))
    house.ask(app)
    assert house.refreshes() == 1


def test_two_processes_renew_once(house: House, monkeypatch: pytest.MonkeyPatch) -> None:
    """Two threads that both find the token due: the second is held until the first is at Shopify."""
    one, two = house.app(), house.app()
    house.connect(one)
    house.clock.advance(timedelta(minutes=57))
    at_shopify, go_on = threading.Event(), threading.Event()
    real = house.shopify.oauth.answer

    def slowly(*given: Any) -> Any:
        at_shopify.set()
        assert go_on.wait(20)
        return real(*given)

    monkeypatch.setattr(house.shopify.oauth, "answer", slowly)
    first: list[Access] = []
    thread = threading.Thread(target=lambda: first.append(one.access(house.settings(one))))
    thread.start()
    assert at_shopify.wait(20)
    second = two.access(house.settings(two))  # does not wait: the present token still works
    go_on.set()
    thread.join(20)
    assert house.refreshes() == 1
    assert read_grant(second.secrets) != read_grant(first[0].secrets)
    assert two.access(house.settings(two)).secrets == first[0].secrets


def test_who_needs_a_token_that_another_is_renewing_comes_back(house: House) -> None:
    one, two = house.app(), house.app()
    house.connect(one)
    house.clock.advance(timedelta(hours=2))
    with one.store.work.transaction() as tx:
        assert renewals.lease(tx, SHOPIFY, "somebody", house.clock.now(), house.clock.now() + timedelta(minutes=3))
    with pytest.raises(Transient, match="being renewed") as caught:
        two.access(house.settings(two))
    assert caught.value.retry_after == 5.0
    assert house.refreshes() == 0
    house.clock.advance(timedelta(minutes=3))
    house.ask(two)  # the lease of who died has ended
    assert house.refreshes() == 1


def test_a_crash_between_refresh_and_store_disconnects_nobody(house: House, monkeypatch: pytest.MonkeyPatch) -> None:
    class Crash(BaseException):
        pass

    def die(*_given: Any) -> Any:
        raise Crash

    one, two = house.app(), house.app()
    first = house.connect(one)
    house.clock.advance(timedelta(hours=2))
    monkeypatch.setattr(one.tokens, "_keep", die)
    with pytest.raises(Crash):
        one.access(house.settings(one))
    assert (house.refreshes(), read_grant(stored(two))) == (1, first)
    house.clock.advance(timedelta(minutes=3))
    house.ask(two)
    house.clock.advance(timedelta(hours=1))
    house.ask(two)
    assert house.refreshes() == 3


def test_what_a_dead_worker_left_is_settled_when_its_lease_ends(house: House) -> None:
    """Not in a week: Shopify counts thirty days from the first use of a refresh token whose answer got lost."""
    one, two = house.app(), house.app()
    house.connect(one)
    house.clock.advance(timedelta(hours=2))
    with one.store.work.transaction() as tx:
        renewals.lease(tx, SHOPIFY, "somebody", house.clock.now(), house.clock.now() + timedelta(minutes=3))
    house.until(Worker(two), minutes=4)
    assert house.refreshes() == 1
    with two.store.work.read() as tx:
        assert renewals.due(tx, house.clock.now(), 5) == []


def test_an_answer_after_the_lease_does_not_replace_what_was_stored_meanwhile(
    house: House, monkeypatch: pytest.MonkeyPatch
) -> None:
    one, two = house.app(), house.app()
    house.connect(one)
    house.clock.advance(timedelta(hours=2))
    keep = one.tokens._keep

    def late(*given: Any) -> Any:
        house.clock.advance(timedelta(minutes=4))
        house.ask(two)
        return keep(*given)

    monkeypatch.setattr(one.tokens, "_keep", late)
    got = one.access(house.settings(one))
    assert read_grant(got.secrets) == read_grant(stored(two))
    house.clock.advance(timedelta(hours=1))
    house.ask(two)
    assert status(two) is ShopStatus.ACTIVE


def test_an_idle_shop_is_kept_alive_every_week(house: House) -> None:
    app = house.app()
    house.connect(app)
    house.until(Worker(app), days=200)
    assert house.refreshes() == 28
    house.ask(app)


def test_a_shop_whose_credentials_others_stored_is_kept_alive_too(house: House) -> None:
    app = house.app()
    house.connect(app)
    with app.store.work.transaction() as tx:
        renewals.delete(tx, SHOPIFY)
    house.until(Worker(app), days=100)
    assert house.refreshes() == 14


def test_nobody_keeps_alive_what_was_removed(house: House) -> None:
    app = house.app()
    house.connect(app)
    with app.store.work.transaction() as tx:
        shops.set_status(tx, SHOPIFY, ShopStatus.UNINSTALLED, house.clock.now())
    house.until(Worker(app), days=30)
    assert house.refreshes() == 0


def effect_of(app: Kiitos, order_id: str = "o1") -> Any:
    with app.store.work.read() as tx:
        (found,) = effects.of_order(tx, SHOPIFY, order_id)
    return found


def test_a_refused_renewal_holds_the_work_and_tells_the_merchant_once(house: House) -> None:
    app = house.app()
    worker = Worker(app)
    house.connect(app)
    house.until(worker, hours=2)
    house.shopify.oauth.uninstall()
    house.place_order(app)
    house.until(worker, days=3)
    assert status(app) is ShopStatus.DISCONNECTED
    held = effect_of(app)
    assert (held.status, held.reason.partition(":")[0]) == (EffectStatus.PENDING, "credentials_refused")
    (told,) = house.channel.messages
    assert told.recipient == "help@aurora.example"
    text = told.content.decode()
    assert "connect the store" in text.replace("_", " ")
    assert not [word for word in ("demo-client-secret", "shprt_", "shpat_") if word in text]


def test_what_was_held_goes_on_at_once_when_the_shop_is_connected_again(house: House) -> None:
    app = house.app()
    worker = Worker(app)
    house.connect(app)
    house.until(worker, hours=2)
    house.shopify.oauth.uninstall()
    house.place_order(app)
    house.until(worker, hours=30, minutes=20)
    house.shopify.oauth.installed = True
    house.connect(app)
    worker.drain()
    assert effect_of(app).status is EffectStatus.SENT
    assert status(app) is ShopStatus.ACTIVE
    assert len(house.shopify.discounts) == 1


def test_a_refusal_is_not_asked_about_again_for_a_while(house: House) -> None:
    app = house.app()
    house.connect(app)
    house.clock.advance(timedelta(hours=2))
    house.shopify.oauth.uninstall()
    for _ in range(3):
        with pytest.raises(AuthExpired):
            app.access(house.settings(app))
    assert len(house.shopify.calls) == 1
    house.clock.advance(timedelta(minutes=51))
    with pytest.raises(AuthExpired):
        app.access(house.settings(app))
    assert len(house.shopify.calls) == 2


def test_other_credentials_are_tried_at_once(house: House) -> None:
    app = house.app()
    house.connect(app)
    house.clock.advance(timedelta(hours=2))
    house.shopify.oauth.uninstall()
    with pytest.raises(AuthExpired):
        app.access(house.settings(app))
    house.shopify.oauth.installed = True
    with app.store.work.transaction() as tx:  # as an operator's import would, without a word to the kernel
        shops.delete_secret(tx, SHOPIFY, "grant")
    house.ask(app)
    assert house.shopify.oauth.granted == ["client_credentials"]


def test_a_refusal_of_what_somebody_has_replaced_meanwhile_counts_for_nothing(
    house: House, monkeypatch: pytest.MonkeyPatch
) -> None:
    app = house.app()
    house.connect(app)
    house.clock.advance(timedelta(hours=2))
    platform: Any = app.registry.platform("shopify")

    def refuse(_access: Access) -> Any:
        house.connect(app)
        raise AuthExpired("too late")

    monkeypatch.setattr(platform, "renew", refuse)
    house.ask(app)
    assert status(app) is ShopStatus.ACTIVE


def test_no_call_is_made_inside_a_transaction(house: House, monkeypatch: pytest.MonkeyPatch) -> None:
    app = house.app()
    house.connect(app)
    house.clock.advance(timedelta(hours=2))
    platform: Any = app.registry.platform("shopify")
    real, seen = platform.renew, []

    def watched(access: Access) -> Any:
        seen.append(app.store.work._session().open)
        return real(access)

    monkeypatch.setattr(platform, "renew", watched)
    house.ask(app)
    assert seen == [False]
    with app.store.work.transaction(), pytest.raises(RuntimeError, match="already open"):
        app.access(house.settings(app))


def test_an_adapter_that_breaks_gives_the_lease_back(house: House, monkeypatch: pytest.MonkeyPatch) -> None:
    app = house.app()
    house.connect(app)
    house.clock.advance(timedelta(hours=2))
    platform: Any = app.registry.platform("shopify")

    def broken(_access: Access) -> Any:
        raise ZeroDivisionError

    with monkeypatch.context() as patch:
        patch.setattr(platform, "renew", broken)
        with pytest.raises(ZeroDivisionError):
            app.access(house.settings(app))
    house.ask(app)
    assert house.refreshes() == 1


def test_the_list_of_shops_says_who_must_act(house: House) -> None:
    app = house.app()
    worker = Worker(app)
    house.connect(app)
    house.until(worker, hours=2)
    house.shopify.oauth.uninstall()
    house.place_order(app)
    house.until(worker, hours=2)
    with app.store.work.read() as tx:
        state = renewals.get(tx, SHOPIFY)
        told = notices.of_shop(tx, SHOPIFY)
    note = _note(str(status(app)), state, told)
    assert note.startswith("connect it again: credentials refused since 20")
    assert note.endswith("; the merchant was told")
    assert _note("active", state, told) == ""


def test_after_a_discarded_answer_a_third_settles_which_token_lives(
    house: House, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Two answers to one refresh token, and Shopify believes in the later one, which was thrown away: what is stored
    would be found dead only when it is needed, perhaps after the thirty days within which the one before it helps."""
    one, two = house.app(), house.app()
    house.connect(one)
    house.clock.advance(timedelta(hours=2))
    platform: Any = one.registry.platform("shopify")
    real = platform.renew

    def overtaken(access: Access) -> Any:
        if house.refreshes() == 0:
            house.clock.advance(timedelta(minutes=4))
            house.ask(two)
        return real(access)

    monkeypatch.setattr(platform, "renew", overtaken)
    one.access(house.settings(one))
    found = read_grant(stored(one))
    assert found is not None
    assert not house.shopify.oauth.refresh[found.refresh].dead
    house.clock.advance(timedelta(days=40))
    house.ask(two)
    assert status(two) is ShopStatus.ACTIVE
