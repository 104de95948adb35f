"""`kiitos referrals`: what waits, who decided, why an order was or was not a friend's."""

from __future__ import annotations

import json
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from connector.app import load
from connector.model import Address, AppliedDiscount, Customer, EventKind, Order
from connector.store import accounts, referrals
from connector.store.vouchers import Voucher
from flows.value import vouchers
from tests.cli.test_commands import SHOP, app, run
from tests.store.loyal import line, purchase, told

__all__ = ["app"]
TERMS = """
[referrals]
return_window = "14d"
reward = { kind = "points", points = 100 }
[defaults.flows.referral-link]
file = "referral_link"
"""
HOME = Address(first_name="Aino", last_name="Koski", lines=("Tie 1",), postcode="00100", country="FI")
AWAY = Address(first_name="Eero", last_name="Laine", lines=("Katu 2",), postcode="33100", country="FI")


@pytest.fixture
def shop(app: Path) -> Path:
    """Aino has a code; one friend came with it by a throw-away mailbox, somebody else ordered without."""
    app.write_text(app.read_text("utf-8") + TERMS, "utf-8")
    kiitos = load(app, {})
    now = kiitos.clock.now()
    aino = made("1", "aino@koski.example", HOME, kiitos.clock.now())
    friend = made("2", "eero@mailinator.com", AWAY, now, "FRIEND-1")
    stranger = made("3", "ilona@example.test", AWAY, now, "SPRING")
    with kiitos.store.work.transaction() as tx:
        kiitos.runner.ingest(tx, SHOP, [told(aino, EventKind.ORDER_PAID)], now)
        referrals.put_code(tx, SHOP, "FRIEND-1", "aino@koski.example", "c-1", "1", None, now)
        for each in (friend, stranger):
            kiitos.runner.ingest(tx, SHOP, [told(each, EventKind.ORDER_PAID)], now)
    kiitos.store.close()
    return app


def made(order_id: str, email: str, home: Address, at: Any, code: str = "") -> Order:
    bought = purchase(line("a", "60"), order_id=order_id, email=email, at=at)
    return replace(
        bought,
        customer=Customer(id=f"c-{order_id}", email=email),
        billing_address=home,
        discounts=(AppliedDiscount(code=code),) if code else (),
    )


def told_of(config: Path, *words: str) -> Any:
    return json.loads(run(config, "referrals", *words, "--shop", SHOP, "--json").stdout)


def test_what_waits_is_decided_once_by_name(shop: Path) -> None:
    (row,) = told_of(shop, "queue")
    assert (row["id"], row["state"], row["reward"]) == ("order-2", "review", "points 100")
    assert row["because"] == "the friend's mailbox is a throw-away one"
    assert "eero" not in json.dumps(row), "lists name nobody"
    done = run(shop, "referrals", "approve", "order-2", "--shop", SHOP, "--by", "maija", "--note", "known to us")
    assert (done.exit_code, done.output.strip()) == (0, "order-2: approved by maija")
    again = run(shop, "referrals", "refuse", "order-2", "--shop", SHOP)
    assert again.exit_code == 1
    assert "does not wait" in again.output
    shown = told_of(shop, "show", "order-2")
    assert shown["state"].startswith("held")
    assert shown["decided"].startswith("maija, ")
    assert shown["decided"].endswith("known to us")
    assert (shown["advocate"], shown["friend"]) == ("aino@koski.example", "eero@mailinator.com")
    assert told_of(shop, "queue") == []
    assert [each["state"] for each in told_of(shop, "list")] == ["held"]
    assert told_of(shop, "list", "--state", "rewarded") == []


def test_why_an_order_was_or_was_not_one(shop: Path) -> None:
    found = told_of(shop, "explain", "2")
    assert found["way"] == "code: the order came with the code"
    assert found["evidence"] == ["code: FRIEND-1"]
    other = told_of(shop, "explain", "#3")
    assert other["state"] == "no referral"
    assert other["tried"][0] == "code: SPRING (nobody's)"
    assert run(shop, "referrals", "explain", "99", "--shop", SHOP).exit_code == 1
    assert "evidence" in run(shop, "referrals", "explain", "2", "--shop", SHOP).output


def test_what_an_order_was_paid_with_says_what_it_was_given_for(shop: Path) -> None:
    kiitos = load(shop, {})
    now, key = kiitos.clock.now(), "THANKS-1"
    given = Voucher(key=key, account="", effect_id="e-1", kind="discount", worth="10 %", cause="referral/order-2")
    with kiitos.store.work.transaction() as tx:
        holder = accounts.open_for(tx, SHOP, "c-1", "aino@koski.example", "e-1", now)
        assert vouchers.enter(tx, SHOP, holder, replace(given, account=holder.account), "flow/x", "1", now)
        bought = made("4", "aino@koski.example", HOME, now, key)
        kiitos.runner.ingest(tx, SHOP, [told(bought, EventKind.ORDER_PAID)], now)
    kiitos.store.close()
    assert told_of(shop, "explain", "4")["paid_with"] == ["THANKS-1 10 %, given for referral order-2"]
    assert told_of(shop, "explain", "3")["paid_with"] == []


def test_the_pages_have_addresses(shop: Path) -> None:
    queue = run(shop, "referrals", "page", "--shop", SHOP, "--who", "Maija")
    assert "/p/referrals/" in queue.output
    assert run(shop, "referrals", "page", "--shop", SHOP, "--who", "Maija", "--for", "soon").exit_code == 2
    assert "/p/refer/" in run(shop, "referrals", "ask", "--shop", SHOP).output


def test_without_terms_there_is_no_page_to_ask_on(app: Path) -> None:
    assert run(app, "referrals", "ask", "--shop", SHOP).exit_code == 1
