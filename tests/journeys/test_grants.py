"""Money goes out once, however the worker dies, and not at all where the purchase was undone."""

from __future__ import annotations

import contextlib
import itertools
from collections.abc import Iterator
from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest

from connector.model import EffectStatus
from connector.store.db import Tx
from connector.testing.fakes.shopify import Trouble
from connector.worker import Worker
from flows.sending import attempts
from platforms.shopify.client import AdminClient
from tests.journeys.acting import GOODWILL, Goodwill, build_goodwill, goodwill
from tests.journeys.test_crashes import Crash, Fuse


@pytest.fixture
def life(tmp_path: Path) -> Iterator[Goodwill]:
    with goodwill(tmp_path) as started:
        yield started
        assert started.shopify.gaps == []


def test_everything_is_given_and_told(life: Goodwill) -> None:
    order = life.order()
    life.until(days=3)
    assert life.given() == (1, 1)
    found = life.effects(order)
    assert {step: effect.status for step, effect in found.items()} == dict.fromkeys(
        ("credit", "card", "tag", "note"), EffectStatus.SENT
    )
    credit, card = found["credit"].result, found["card"].result
    assert (credit["amount"], credit["balance"], credit["adopted"]) == ("5.00 EUR", "5.00 EUR", "0")
    assert credit["ends_at"].startswith("2027-02-23T09:00:00")
    (row,) = life.shopify.gift_cards.values()
    assert (row["code"], row["amount"]["amount"]) == (card["code"].lower(), "10")
    assert "[kiitos " in row["note"]
    assert life.shopify.customer_tags[order["customer"]["id"]] == ["goodwill"]
    assert [field["value"] for field in life.shopify.metafields.values()] == [card["code"]]


# -- a worker that dies --------------------------------------------------------------------------------------------


def moments(life: Goodwill, fuse: Fuse, monkeypatch: pytest.MonkeyPatch) -> None:
    """A moment before and after each mutation of the shop, and before and after each commit that changes something."""
    real_mutate, real_transaction = AdminClient.mutate, life.store.work.transaction

    def mutate(self: AdminClient, *given: Any) -> Any:
        fuse.moment(f"before {given[1]}")
        answer = real_mutate(self, *given)
        fuse.moment(f"after {given[1]}")
        return answer

    @contextlib.contextmanager
    def transaction() -> Iterator[Tx]:
        connection = life.store.work._session().connection  # type: ignore[attr-defined]
        with real_transaction() as tx:
            before = connection.total_changes
            yield tx
            changed = connection.total_changes != before
            if changed:
                fuse.moment("before a commit")
        if changed:
            fuse.moment("after a commit")

    monkeypatch.setattr(AdminClient, "mutate", mutate)
    monkeypatch.setattr(life.store.work, "transaction", transaction)


def lived(tmp_path: Path, at: int, monkeypatch: pytest.MonkeyPatch) -> tuple[Fuse, tuple[int, int], dict[str, str]]:
    folder = tmp_path / str(at)
    folder.mkdir()
    fuse = Fuse(at=at)
    with goodwill(folder) as life, monkeypatch.context() as patch:
        order = life.order()
        moments(life, fuse, patch)
        end = life.clock.now() + timedelta(days=3)
        while life.clock.now() < end:
            try:
                life.until(seconds=(end - life.clock.now()).total_seconds())
            except Crash:
                life.kiitos = build_goodwill(life.clock, life.store, life.shopify, life.folder)
                life.worker = Worker(life.kiitos)
        statuses = {step: str(effect.status) for step, effect in life.effects(order).items()}
        return fuse, life.given(), statuses


def test_no_death_of_a_worker_gives_twice_or_nothing(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    places = []
    for at in itertools.count(1):
        fuse, given, statuses = lived(tmp_path, at, monkeypatch)
        if not fuse.blown:
            break
        places.append(fuse.blown)
        assert given == (1, 1), f"death at moment {at}, {fuse.blown}"
        assert set(statuses.values()) == {"sent"}, f"death at moment {at}, {fuse.blown}: {statuses}"
    assert {"before store_credit", "after store_credit", "before gift_card_create", "after gift_card_create"} <= set(
        places
    )
    assert len(places) >= 15


def test_a_step_that_does_not_look_is_found(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """The planted bug: an attempt after an unknown outcome that takes itself for the first."""
    real = attempts.Attempt
    monkeypatch.setattr("connector.working.performing.Attempt", lambda **told: real(**{**told, "again": False}))
    for at in itertools.count(1):
        fuse, given, _ = lived(tmp_path, at, monkeypatch)
        if given[0] == 2:
            break
        assert fuse.blown, "no death led to a second credit"
    assert fuse.blown == "after store_credit"


def test_an_equal_credit_by_somebody_else_is_left_to_a_person(life: Goodwill) -> None:
    order = life.order()
    life.until(days=1, hours=23)
    life.shopify.trouble(*[Trouble()] * 2, Trouble(drop=True))
    life.until(hours=1, seconds=5)
    account = next(iter(life.shopify.credit_accounts.values()))
    account["transactions"].append({**account["transactions"][0], "id": 7})
    life.until(hours=1)
    effect = life.effects(order)["credit"]
    assert (effect.status, life.given()[0]) == (EffectStatus.UNCERTAIN, 2)
    assert "look at the customer's store credit" in effect.reason
    assert life.given()[1] == 1, "the rest of the flow goes on"


def test_two_orders_of_one_customer_get_two_equal_credits(tmp_path: Path) -> None:
    """What another effect made is never adopted: its transaction is known to be that effect's."""
    forever = GOODWILL.replace('expires = "90d"\n', "")
    with goodwill(tmp_path, forever) as life:
        first, second = life.order(), life.order()
        life.until(days=1, hours=23)
        # The token, one look an order, then the first credit is given and the second one's answer is lost.
        life.shopify.trouble(*[Trouble()] * 4, Trouble(drop=True))
        life.until(days=1)
        assert life.given() == (2, 2)
        found = [life.effects(order)["credit"] for order in (first, second)]
        assert {effect.status for effect in found} == {EffectStatus.SENT}
        assert sorted(effect.result["adopted"] for effect in found) == ["0", "1"]
        assert len({effect.result["granted"] for effect in found}) == 2


# -- the purchase undone, and nobody told us -----------------------------------------------------------------------


@pytest.mark.parametrize("undone", ["refunded", "cancelled"])
def test_an_order_undone_without_a_webhook_gets_no_money(life: Goodwill, undone: str) -> None:
    order = life.order()
    life.until(days=1)
    if undone == "refunded":
        life.shopify.refund(order, [(order["line_items"][0], 1)])
    else:
        life.shopify.cancel(order)
    life.until(days=2)
    assert life.given() == (0, 0)
    assert life.effects(order)["credit"].reason.startswith(f"order_{undone}")


def test_without_a_fresh_look_it_would_be_given(tmp_path: Path) -> None:
    """The negative control."""
    with goodwill(tmp_path, fetch_before_send=False) as life:
        order = life.order()
        life.until(days=1)
        life.shopify.refund(order, [(order["line_items"][0], 1)])
        life.until(days=2)
        assert life.given() == (1, 1)


def test_a_transactional_flow_looks_before_money_too(tmp_path: Path) -> None:
    """Guards are asked again after the look: a flow that gives money says itself what must still hold."""
    text = GOODWILL.replace('purpose = "loyalty"', 'purpose = "transactional"').replace(
        'do = "issue_store_credit"', 'do = "issue_store_credit"\nwhen = ["progress.refunded == false"]'
    )
    with goodwill(tmp_path, text) as life:
        order = life.order()
        life.until(days=1)
        life.shopify.refund(order, [(order["line_items"][0], 1)])
        life.until(days=2)
        assert life.effects(order)["credit"].reason.startswith("no_longer_true")
        assert life.given() == (0, 1)


def test_one_look_serves_what_follows_within_a_minute(life: Goodwill) -> None:
    life.order()
    life.until(days=1, hours=23)
    before = sum(1 for call in life.shopify.calls if call.operation == "Order")
    life.until(days=1)
    assert sum(1 for call in life.shopify.calls if call.operation == "Order") == before + 1


def test_while_the_shop_is_silent_money_waits_and_is_given_later(life: Goodwill) -> None:
    order = life.order()
    life.until(days=1, hours=23)
    life.shopify.trouble(*[Trouble(status=503)] * 40)
    life.until(hours=1, minutes=4)
    assert (life.given(), life.effects(order)["credit"].status) == ((0, 0), EffectStatus.PENDING)
    assert life.effects(order)["credit"].reason == "platform_unreachable"
    life.shopify.troubles.clear()
    life.until(hours=1)
    assert life.given() == (1, 1)


def test_credentials_that_fail_hold_money_back(life: Goodwill, monkeypatch: pytest.MonkeyPatch) -> None:
    life.order()
    life.until(days=1, hours=23)
    monkeypatch.setattr(life.shopify.oauth, "client_secret", "another")
    life.shopify.revoke_tokens()
    life.until(hours=5)
    assert life.given() == (0, 0)
    monkeypatch.undo()
    life.until(hours=5)
    assert life.given() == (1, 1)


def test_the_amounts_are_the_shops_currency(tmp_path: Path) -> None:
    from connector.errors import ConfigError

    with pytest.raises(ConfigError, match="USD"), goodwill(tmp_path, GOODWILL.replace("5 EUR", "5 USD")):
        pass
