"""Who was asked to review what: one person under several names, each message by itself, forgotten when they are."""

from __future__ import annotations

from dataclasses import replace
from datetime import timedelta

import pytest

from connector.model import Customer, Ref
from connector.store import Store, entities, merging, people, review_asks, reviews
from connector.store.review_asks import AskRow, Names
from connector.store.reviews import ReviewRow
from tests.store.examples import NOW, SHOP, at, event, order, order_event

AINO, WORK, MIKKO = "aino@example.test", "work@example.test", "mikko@example.test"
LONG_AGO = NOW - timedelta(days=365)


def ask(ask_id: str, order_id: str, email: str, customer: str, *products: str, hours: float = 0) -> AskRow:
    return AskRow(
        ask_id=ask_id, order_id=order_id, email_key=email, customer_id=customer, products=products, asked_at=at(hours)
    )


def asked(store: Store, email: str, customer: str = "", but: str = "") -> set[str]:
    with store.work.read() as tx:
        names = review_asks.names_of(tx, SHOP, email, customer)
        return set(review_asks.asked(tx, SHOP, names, but, LONG_AGO))


@pytest.fixture
def asking(store: Store) -> Store:
    """Aino's account, with an order under another address of hers, was asked about three products; Mikko about one."""
    with store.work.transaction() as tx:
        bought = replace(order("501", email=WORK), customer=Customer(id="71", email=AINO))
        entities.apply(tx, SHOP, order_event(bought), NOW)
        account = Customer(id="71", email=AINO)
        entities.apply(tx, SHOP, event("customer.updated", Ref("customer", "71"), customer=account), NOW)
        review_asks.ask(tx, SHOP, ask("r1:ask", "501", WORK, "71", "p1", "p2"))
        review_asks.ask(tx, SHOP, ask("r1:reminder", "501", WORK, "71", "p1", "p2", hours=168))
        review_asks.ask(tx, SHOP, ask("r2:ask", "502", AINO, "", "p3"))
        review_asks.ask(tx, SHOP, ask("r3:ask", "503", MIKKO, "72", "p9"))
    return store


@pytest.mark.parametrize(
    ("email", "customer", "found"),
    [
        (WORK, "", {"p1", "p2"}),
        (AINO, "", {"p1", "p2", "p3"}),
        (AINO, "71", {"p1", "p2", "p3"}),
        ("", "71", {"p1", "p2", "p3"}),
        ("new@example.test", "71", {"p1", "p2", "p3"}),
        (MIKKO, "", {"p9"}),
        ("", "", set()),
    ],
)
def test_somebody_with_several_names_is_one_person(asking: Store, email: str, customer: str, found: set[str]) -> None:
    assert asked(asking, email, customer) == found


def test_the_same_order_and_what_is_long_past_do_not_count(asking: Store) -> None:
    assert asked(asking, WORK, "71", but="501") == {"p3"}
    with asking.work.read() as tx:
        names = Names(frozenset({WORK}), frozenset({"71"}))
        assert review_asks.asked(tx, SHOP, names, "", at(1)) == {"p1": at(168), "p2": at(168)}
        assert review_asks.asked(tx, SHOP, names, "", at(168)) == {}
        assert review_asks.asked(tx, "another-shop", names, "", LONG_AGO) == {}


def test_a_message_that_never_left_asked_nothing(asking: Store) -> None:
    with asking.work.transaction() as tx:
        review_asks.unask(tx, SHOP, "r1:reminder")
    assert asked(asking, WORK) == {"p1", "p2"}, "the first one did leave"
    with asking.work.transaction() as tx:
        review_asks.ask(tx, SHOP, ask("r1:ask", "501", WORK, "71", "p2"))
    assert asked(asking, WORK) == {"p2"}, "made anew, it asks what it says now"


def test_two_accounts_that_became_one(asking: Store) -> None:
    assert asked(asking, "", "80") == set()
    with asking.work.transaction() as tx:
        merging.merge(tx, SHOP, "80", "72")
    assert asked(asking, "", "80") == {"p9"}


def test_the_forgotten_are_asked_anew_and_others_stay(asking: Store) -> None:
    with asking.work.transaction() as tx:
        person = people.find(tx, SHOP, email=AINO)
        shown = people.gather(tx, person)["review_asks"]
        assert {row["product_id"] for row in shown} == {"p1", "p2", "p3"}
        people.erase(tx, person, lambda: "x1", [], "r")
    assert asked(asking, WORK, "71") == set()
    assert asked(asking, MIKKO) == {"p9"}
    with asking.work.transaction() as tx:
        assert people.wipe_shop(tx, SHOP, 100) > 0
    assert asked(asking, MIKKO) == set()


def test_what_was_reviewed_under_another_name_was_reviewed(asking: Store) -> None:
    with asking.work.transaction() as tx:
        row = ReviewRow(id="501-p1", order_id="501", product_id="p1", rating=4, email_key=WORK, at=NOW)
        assert reviews.save(tx, SHOP, row, NOW)
        by = {who: review_asks.names_of(tx, SHOP, *who) for who in ((AINO, None), (None, "71"), (MIKKO, "72"))}
        found = {who: reviews.reviewed_by(tx, SHOP, names) for who, names in by.items()}
        assert found == {(AINO, None): {"p1"}, (None, "71"): {"p1"}, (MIKKO, "72"): set()}
