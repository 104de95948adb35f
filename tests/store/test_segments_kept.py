"""Segments in the whole product, on both databases: who enters and leaves, when, and what is told of it."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from contextlib import ExitStack
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from decimal import Decimal
from pathlib import Path
from typing import Any
from unittest.mock import patch

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from connector.errors import ConfigError
from connector.model import (
    Channel,
    Consent,
    ConsentState,
    Customer,
    Event,
    EventKind,
    FinancialStatus,
    LineItem,
    Money,
    Order,
    OrderStatus,
    Purpose,
    Ref,
    RunStatus,
)
from connector.store import Store, figures, people, runs
from connector.store.sqlite import SqliteTx
from connector.worker import Worker
from connector.working import clockwatch
from flows.knowing import history
from flows.people import membership
from tests.store.examples import order
from tests.store.trade import SHOP, START, Trade, told

VIP = {"when": ["customer.lifetime.orders >= 3", "customer.lifetime.spent >= 60 EUR"]}
FADING = {"when": ["customer.lifetime.recency_days >= 60"]}


@pytest.fixture
def trade(store: Store, tmp_path: Path) -> Callable[..., Trade]:
    return lambda **segments: Trade(store, tmp_path, segments)


def test_an_order_makes_a_member_and_a_refund_ends_it(trade: Callable[..., Trade]) -> None:
    shop = trade(vip=VIP)
    shop.live(timedelta())
    for day in (0, 10, 20):
        shop.live(timedelta(days=day))
        last = shop.order()
    shop.live(timedelta(days=21))
    assert shop.said() == ["20d segment.entered vip"]
    assert shop.members("vip") == ["aino@example.test"]
    shop.tell(last, financial=FinancialStatus.REFUNDED)
    shop.live(timedelta(days=22))
    assert shop.said() == ["20d segment.entered vip", "21d segment.left vip"]
    assert shop.members("vip") == []


def test_what_is_told_again_is_no_news(trade: Callable[..., Trade]) -> None:
    shop = trade(vip=VIP)
    shop.live(timedelta())
    orders = [shop.order() for _ in range(3)]
    shop.live(timedelta(days=1))
    for one in reversed(orders):
        shop.take_in(told(one, EventKind.ORDER_CREATED), told(one, EventKind.ORDER_UPDATED))
    shop.live(timedelta(days=2))
    assert shop.said() == ["0d segment.entered vip"]


def test_time_alone_moves_somebody_at_the_moment_it_is_due(trade: Callable[..., Trade]) -> None:
    shop = trade(fading=FADING)
    shop.live(timedelta())
    shop.order()
    shop.worker.drain()
    assert shop.worker.next_due() == START + timedelta(days=60), "one row that is due, and nobody else is looked at"
    shop.live(timedelta(days=59, hours=23))
    assert shop.said() == []
    shop.live(timedelta(days=61))
    assert shop.said() == ["60d segment.entered fading"]
    shop.order()
    shop.live(timedelta(days=62))
    assert shop.said() == ["60d segment.entered fading", "61d segment.left fading"]


def test_who_is_in_when_a_segment_is_made_has_not_entered_it(trade: Callable[..., Trade]) -> None:
    shop = trade(fading=FADING)
    shop.live(timedelta())
    for _ in range(3):
        shop.order()
    shop.order("olli@example.test")
    shop.live(timedelta(days=1))
    shop.configure({"fading": FADING, "vip": VIP})
    shop.live(timedelta(days=2))
    assert shop.members("vip") == ["aino@example.test"]
    assert shop.said() == []
    shop.order("olli@example.test")
    shop.order("olli@example.test")
    shop.live(timedelta(days=3))
    assert shop.said() == ["2d segment.entered vip"]


def test_a_segment_that_is_taken_away_is_forgotten_and_begins_anew(trade: Callable[..., Trade]) -> None:
    shop = trade(vip=VIP)
    shop.live(timedelta())
    for _ in range(3):
        shop.order()
    shop.live(timedelta(days=1))
    shop.configure({})
    shop.live(timedelta(days=2))
    shop.configure({"vip": VIP})
    shop.live(timedelta(days=3))
    assert shop.members("vip") == ["aino@example.test"]
    assert shop.said() == ["0d segment.entered vip"]


def test_the_past_makes_members_and_starts_nothing(trade: Callable[..., Trade]) -> None:
    shop = trade(vip=VIP)
    shop.live(timedelta())
    placed = START - timedelta(days=30)
    past = [
        replace(order(f"old{number}", email="aino@example.test", updated_at=placed), customer=None, placed_at=placed)
        for number in range(3)
    ]
    with shop.store.work.transaction() as tx:
        for one in past:
            history.remember(
                tx, shop.kiitos.catalog, shop.kiitos.config.shop(SHOP).shop, [told(one, EventKind.ORDER_CREATED)],
                START, START,
            )  # fmt: skip
    shop.live(timedelta(days=1))
    assert shop.members("vip") == ["aino@example.test"]
    assert shop.said() == []


def test_loud_news_that_comes_with_the_past_stays_loud(trade: Callable[..., Trade]) -> None:
    shop = trade(vip=VIP)
    shop.live(timedelta())
    two = [shop.order() for _ in range(3)]
    with shop.store.work.transaction() as tx:
        membership.note(tx, SHOP, [told(two[0], EventKind.ORDER_CREATED)], shop.clock.now(), quiet=True)
    shop.live(timedelta(days=1))
    assert shop.said() == ["0d segment.entered vip"]


def test_a_decision_and_an_account_s_tags_count(trade: Callable[..., Trade]) -> None:
    shop = trade(
        told={"when": ["consent.email.state == 'granted'"]}, friends={"when": ["customer.tags contains 'friend'"]}
    )
    shop.live(timedelta())
    aino = Customer(id="71", email="aino@example.test", tags=("friend",), updated_at=START)
    event = {"subject": Ref("customer", "71"), "at": START, "customer_id": "71"}
    shop.take_in(Event(kind=EventKind.CUSTOMER_CREATED, key="c/71", customer=aino, **event))
    said = Consent(
        channel=Channel.EMAIL, purpose=Purpose.MARKETING, state=ConsentState.GRANTED, raw_state="subscribed", at=START,
        source="shop", customer_id="71",
    )  # fmt: skip
    shop.take_in(Event(kind=EventKind.CONSENT_GRANTED, key="k/71", consent=said, **event))
    shop.live(timedelta(days=1))
    assert shop.said() == ["0d segment.entered friends", "0d segment.entered told"]
    assert shop.members("friends") == shop.members("told") == ["aino@example.test"], "one person under one name"


def test_an_order_that_turns_out_to_be_another_s_is_taken_from_the_first(trade: Callable[..., Trade]) -> None:
    shop = trade(bought={"when": ["customer.lifetime.orders >= 1"]})
    shop.live(timedelta())
    one = shop.order("ain@example.test")
    shop.live(timedelta(days=1))
    shop.tell(one, email="aino@example.test")
    shop.live(timedelta(days=2))
    assert shop.members("bought") == ["aino@example.test"]
    assert shop.said() == ["0d segment.entered bought", "1d segment.entered bought", "1d segment.left bought"]


def test_who_is_forgotten_is_in_nothing(trade: Callable[..., Trade]) -> None:
    shop = trade(bought={"when": ["customer.lifetime.orders >= 1"]}, fading=FADING)
    shop.live(timedelta())
    shop.order()
    shop.order("olli@example.test")
    shop.live(timedelta(days=1))
    with shop.store.work.transaction() as tx:
        gathered = people.gather(tx, people.find(tx, SHOP, email="aino@example.test"))
        people.erase(tx, people.find(tx, SHOP, email="aino@example.test"), lambda: "chance", [], "request")
    assert [row["segment"] for row in gathered["segment_members"]] == ["bought"]
    assert len(gathered["standings"]) == 1
    shop.live(timedelta(days=100))
    assert shop.members("bought") == ["olli@example.test"]
    assert shop.members("fading") == ["olli@example.test"]


def test_an_error_about_one_person_does_not_keep_the_others(trade: Callable[..., Trade]) -> None:
    shop = trade(bought={"when": ["customer.lifetime.orders >= 1"]})
    shop.live(timedelta())
    for name in ("aino", "olli", "ulla"):
        shop.order(f"{name}@example.test")
    real = membership.look

    def look(tx: Any, a_shop: Any, segments: Any, loud: Any, standing: Any, *rest: Any) -> list[Event]:
        if standing.buyer.name == "aino@example.test":
            raise RuntimeError("planted")
        return real(tx, a_shop, segments, loud, standing, *rest)

    with patch("connector.working.bookkeeping.membership.look", look):
        shop.live(timedelta(hours=1))
    assert shop.members("bought") == ["olli@example.test", "ulla@example.test"]
    shop.live(timedelta(days=2))
    assert len(shop.members("bought")) == 3, "and hers is looked at again a day later"


def test_a_shop_without_segments_pays_nothing(trade: Callable[..., Trade]) -> None:
    shop = trade()
    with patch("connector.store.standings.touch", side_effect=AssertionError("touched")):
        shop.order()
        shop.live(timedelta(days=1))
    with shop.store.work.read() as tx:
        assert figures.of_shop(tx, SHOP) is None
        assert tx.all("standing_due", now="9999", limit=1) == []
    assert shop.worker.next_due() is None


OURS = ("standing_", "member_", "figures_", "purchase_", "people_page")
LOYAL = """
id = "thanks"
trigger = "order.paid"
purpose = "transactional"
subject = "order"
when = ["customer.lifetime.orders >= 2"]
[[steps]]
id = "say"
do = "send"
template = "order_confirmation"
"""


def asked(shop: Trade, orders: int) -> set[str]:
    """The queries of ours that were run while so many orders came in and messages went out."""
    names: list[str] = []
    real = {each: getattr(SqliteTx, each) for each in ("all", "run", "many")}

    def spied(each: str) -> Any:
        def call(tx: Any, query: str, *more: Any, **args: Any) -> Any:
            names.append(query)
            return real[each](tx, query, *more, **args)

        return call

    with ExitStack() as stack:
        for each in real:
            stack.enter_context(patch.object(SqliteTx, each, spied(each)))
        for number in range(orders):
            one = shop.order(f"c{number % 2}@example.test", paid_at=shop.clock.now())
            shop.take_in(told(one, EventKind.ORDER_PAID))
        shop.worker.drain()
    return {name for name in names if name.startswith(OURS)}


def test_flows_that_ask_for_nothing_pay_nothing(tmp_path: Path) -> None:
    store = Store.open("sqlite://:memory:")
    shop = Trade(store, tmp_path, {}, {"confirm": {"file": "order_confirmation"}, "review": {"file": "review_request"}})
    assert asked(shop, 6) == set()
    (tmp_path / "thanks.toml").write_text(LOYAL, "utf-8")
    asking = Trade(Store.open("sqlite://:memory:"), tmp_path, {}, {"thanks": {"file": "thanks.toml"}})
    assert asked(asking, 6) == {"purchase_of_buyer", "figures_of_shop"}, "the spy sees who asks"
    with asking.store.work.read() as tx:
        ended = [run.status for run in runs.all_of_shop(tx, SHOP) if run.reason != "not started"]
    assert ended == [RunStatus.COMPLETED] * 4, "of two people's six orders, each second and third"


# -- counted figures ---------------------------------------------------------------------------------------------------


def line(product: str) -> LineItem:
    price = Money(Decimal(10), "EUR")
    return LineItem(id=product, title=product, quantity=1, unit_price=price, total=price, product_id=product)


def test_classes_are_the_shop_s_own_and_counted_at_night(trade: Callable[..., Trade]) -> None:
    shop = trade(best={"when": ["customer.lifetime.rfm == 'champion'"]})
    shop.live(timedelta())
    for number in range(25):
        shop.live(timedelta(days=2 * (number // 5)))
        for _ in range(1 + number // 5):
            shop.order(f"c{number:02}@example.test", total=10 + number, lines=(line("bags"),))
        if number == 19:
            assert shop.members("best") == [], "too few to be parted into fifths last night"
    shop.live(timedelta(days=8, hours=17))
    assert shop.members("best") == [f"c{number:02}@example.test" for number in range(15, 25)]
    assert "8d segment.entered best" in shop.said()
    with shop.store.work.read() as tx:
        row = figures.of_shop(tx, SHOP)
        assert row is not None
        assert row.due_at == datetime(2026, 3, 12, 1, 0, tzinfo=UTC), "at three in the shop's own night"
        assert set(figures.of_products(tx, SHOP, ["bags", "cup"])) == {"bags"}


def test_a_count_that_a_crash_cut_off_is_made_again(trade: Callable[..., Trade]) -> None:
    shop = trade(best={"when": ["customer.lifetime.rfm == 'champion'"]})
    for number in range(25):
        shop.order(f"c{number:02}@example.test")
    with patch("connector.working.bookkeeping.PAGE", 4):
        for _ in range(4):
            shop.worker.tick()
        with shop.store.work.read() as tx:
            row = figures.of_shop(tx, SHOP)
        assert row is not None
        assert row.counted_at is None, "it was under way"
        shop.worker = Worker(shop.kiitos)
        shop.live(timedelta(minutes=9))
        shop.live(timedelta(minutes=30))
    with shop.store.work.read() as tx:
        row = figures.of_shop(tx, SHOP)
    assert row is not None
    assert row.counted_at is not None
    assert '"buyers":25' in row.figures


def test_a_segment_s_slip_is_told_with_its_place(store: Store, tmp_path: Path) -> None:
    with pytest.raises(ConfigError) as fault:
        Trade(store, tmp_path, {"vip": {"when": ["customer.lifetime.order >= 3"]}})
    assert "app.toml: segments.vip.when: unknown path" in fault.value.message
    assert "did you mean 'orders'" in fault.value.message
    with pytest.raises(ConfigError) as fault:
        Trade(store, tmp_path, {"vip": {"whem": []}})
    assert "segments.vip.whem: unknown key; did you mean 'when'?" in fault.value.message


# -- against somebody who looks at everybody ---------------------------------------------------------------------------

SEGMENTS = {
    "vip": VIP,
    "fading": FADING,
    "new": {"when": ["customer.lifetime.orders == 1", "customer.lifetime.recency_days < 7"]},
}
HAPPENINGS = st.lists(
    st.one_of(
        st.tuples(st.just("order"), st.integers(0, 2), st.integers(10, 40)),
        st.tuples(st.sampled_from(["refund", "cancel", "again"]), st.integers(0, 9), st.just(0)),
        st.tuples(st.just("pass"), st.integers(1, 70), st.just(0)),
    ),
    max_size=14,
)


def by_hand(orders: Sequence[Order], now: datetime) -> set[tuple[str, str]]:
    """Who is in what: every person looked at, without a figure of ours."""
    found = set()
    for email in {one.email for one in orders}:
        theirs = [one for one in orders if one.email == email]
        kept = [one for one in theirs if one.financial == "paid" and one.status == "open"]
        days = (now - max((one.placed_at for one in kept), default=now)).days
        if len(kept) >= 3 and sum(one.total.amount for one in kept) >= 60:
            found.add(("vip", str(email)))
        if kept and days >= 60:
            found.add(("fading", str(email)))
        if len(kept) == 1 and days < 7:
            found.add(("new", str(email)))
    return found


@settings(max_examples=10, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(happenings=HAPPENINGS)
def test_members_are_those_somebody_finds_who_looks_at_everybody(
    happenings: list[tuple[str, int, int]], store: Store, tmp_path: Path
) -> None:
    with store.work.transaction() as tx:
        while people.wipe_shop(tx, SHOP, 10_000):
            pass
        clockwatch.confirm(tx, START)  # every history begins at the same moment, on one database
    shop = Trade(store, tmp_path, SEGMENTS)
    shop.live(timedelta())
    orders: list[Order] = []
    for word, number, more in happenings:
        if word == "pass":
            shop.live(shop.clock.now() - START + timedelta(days=number))
        elif word == "order":
            orders.append(shop.order(f"c{number}@example.test", more))
        elif orders:
            at = number % len(orders)
            changes = {"refund": {"financial": FinancialStatus.REFUNDED}, "cancel": {"status": OrderStatus.CANCELLED}}
            orders[at] = shop.tell(orders[at], **changes.get(word, {}))
        shop.worker.drain()
        inside = {(name, who) for name in SEGMENTS for who in shop.members(name)}
        assert inside == by_hand(orders, shop.clock.now()), f"after {word}"
    changes_told = [said.partition(" ")[2] for said in shop.said()]
    for name in SEGMENTS:
        entered, left = (sum(f"{word} {name}" in told for told in changes_told) for word in ("entered", "left"))
        assert entered - left == len(shop.members(name)), "every change was told, and none twice"


@pytest.fixture(autouse=True)
def _close(store: Store) -> Iterator[None]:
    yield
    store.close()
