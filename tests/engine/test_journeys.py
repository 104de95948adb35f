"""The library's flows under a manual clock: what a customer gets, and on which day."""

from __future__ import annotations

from datetime import timedelta

import pytest

from connector.contracts import EffectDone
from connector.model import Address, Effect, FulfillmentStatus, OrderStatus, Ref, RunStatus, ShipmentStatus, ShippedLine
from flows.definition import FlowEdits
from flows.facts import ReferralFacts
from tests.engine.world import START, World, event, fail, library, line, order, refuse

DAY = timedelta(days=1)


# -- order confirmation --------------------------------------------------------------------------------------------


def test_an_order_is_confirmed_once_and_at_once() -> None:
    world = World(library("order_confirmation"))
    for kind in ("order.updated", "order.created", "order.paid", "order.updated"):
        world.happens(kind)
    world.passes("2d")
    world.happens("order.updated", key="later")
    assert world.sent == ["order_confirmation"]
    assert world.sent_on("order_confirmation") == timedelta()
    assert world.run.status is RunStatus.COMPLETED


def test_an_unpaid_order_is_confirmed_when_it_is_paid() -> None:
    world = World(library("order_confirmation"), the_order=order(raw_status="pending"))
    world.happens("order.created")
    assert world.sent == []
    world.passes("3h")
    world.order = order(raw_status="processing")
    world.happens("order.paid")
    assert world.sent == ["order_confirmation"]


@pytest.mark.parametrize(
    "more",
    [
        {"source": "pos"},
        {"status": OrderStatus.DRAFT},
        {"status": OrderStatus.CANCELLED},
        {"placed_at": START - 4 * DAY},
    ],
)
def test_orders_that_are_not_confirmed(more: dict[str, object]) -> None:
    world = World(library("order_confirmation"), the_order=order(**more))
    world.happens("order.created")
    world.happens("order.updated")
    assert world.runs == {}


def test_an_old_event_starts_nothing() -> None:
    world = World(library("order_confirmation"))
    world.happens(event("order.created", at=START - 3 * DAY - timedelta(seconds=1)))
    assert world.runs == {}
    world.happens(event("order.paid", at=START - 3 * DAY))
    assert world.sent == ["order_confirmation"]


# -- delivery updates ----------------------------------------------------------------------------------------------


def parcel_news(world: World, status: ShipmentStatus, kind: str, parcel_id: str = "s1") -> None:
    world.ship(parcel_id, status)
    world.happens(kind, key=f"{parcel_id}/{kind}", subject=Ref("shipment", parcel_id))


def test_a_parcel_is_followed_to_the_door() -> None:
    world = World(library("delivery_updates"))
    for status, kind in (
        (ShipmentStatus.SHIPPED, "shipment.created"),
        (ShipmentStatus.IN_TRANSIT, "shipment.in_transit"),
        (ShipmentStatus.DELAYED, "shipment.delayed"),
        (ShipmentStatus.OUT_FOR_DELIVERY, "shipment.out_for_delivery"),
        (ShipmentStatus.ATTEMPTED, "shipment.attempted"),
        (ShipmentStatus.READY_FOR_PICKUP, "shipment.ready_for_pickup"),
        (ShipmentStatus.DELIVERED, "shipment.delivered"),
    ):
        parcel_news(world, status, kind)
        world.passes("1d")
    assert world.sent == [
        "shipment_shipped", "shipment_delayed", "shipment_out_for_delivery", "shipment_failed",
        "shipment_ready_for_pickup", "shipment_delivered",
    ]  # fmt: skip


def test_states_at_one_moment_give_the_newest_only() -> None:
    world = World(library("delivery_updates"))
    parcel_news(world, ShipmentStatus.SHIPPED, "shipment.created")
    parcel_news(world, ShipmentStatus.OUT_FOR_DELIVERY, "shipment.out_for_delivery")
    parcel_news(world, ShipmentStatus.DELIVERED, "shipment.delivered")
    world.passes("1h")
    assert world.sent == ["shipment_delivered"]
    skipped = [entry.detail for entry in world.journal if entry.step_id == "shipped" and entry.what == "skipped"]
    assert {"path": "shipment.status", "saw": "delivered"}.items() <= skipped[0].items()


def test_old_news_that_comes_late_is_not_told() -> None:
    world = World(library("delivery_updates"))
    parcel_news(world, ShipmentStatus.DELIVERED, "shipment.delivered")
    world.passes("1h")
    world.happens("shipment.out_for_delivery", subject=Ref("shipment", "s1"))
    world.passes("1h")
    assert world.sent == ["shipment_delivered"]


def test_each_parcel_and_state_once() -> None:
    world = World(library("delivery_updates"))
    parcel_news(world, ShipmentStatus.SHIPPED, "shipment.created", "s1")
    parcel_news(world, ShipmentStatus.SHIPPED, "shipment.created", "s2")
    world.happens("shipment.created", key="again", subject=Ref("shipment", "s1"))
    world.passes("1h")
    assert world.sent == ["shipment_shipped", "shipment_shipped"]


def test_a_cancelled_order_tells_nothing_more() -> None:
    world = World(library("delivery_updates"))
    parcel_news(world, ShipmentStatus.SHIPPED, "shipment.created")
    world.happens("order.cancelled")
    world.passes("1d")
    assert world.sent == []
    assert world.run.reason == "order.cancelled"


@pytest.mark.parametrize("more", [{"source": "pos"}, {"lines": (line(requires_shipping=False),)}])
def test_nothing_to_follow(more: dict[str, object]) -> None:
    world = World(library("delivery_updates"), the_order=order(**more))
    parcel_news(world, ShipmentStatus.SHIPPED, "shipment.created")
    assert world.runs == {}


# -- review request ------------------------------------------------------------------------------------------------


def shipped_and_delivered(world: World, after: str = "3d") -> None:
    world.ship()
    world.passes(after)
    world.ship(status=ShipmentStatus.DELIVERED)


def test_asked_reminded_and_left_in_peace() -> None:
    world = World(library("review_request"))
    shipped_and_delivered(world)
    world.passes("60d")
    assert world.sent == ["review_request", "review_reminder"]
    assert world.sent_on("review_request") == 13 * DAY
    assert world.sent_on("review_reminder") == 20 * DAY
    assert (world.run.status, world.run.reason) == (RunStatus.EXITED, "no review was written")


@pytest.mark.parametrize("rating", ["1", "5"])
@pytest.mark.parametrize(
    ("days", "sent"), [("15d", ["review_request"]), ("22d", ["review_request", "review_reminder"])]
)
def test_every_review_is_published_and_thanked(rating: str, days: str, sent: list[str]) -> None:
    world = World(library("review_request"))
    shipped_and_delivered(world, "0s")
    world.passes(days)
    world.review(rating=rating)
    world.passes("60d")
    assert world.done == [*sent, "publish_review", "create_discount", "review_thanks"]
    assert world.run.status is RunStatus.COMPLETED
    assert world.run.outcomes["reward"]["code"].startswith("KIITOS-")


def test_a_review_before_the_question_is_thanked_without_asking() -> None:
    world = World(library("review_request"))
    shipped_and_delivered(world)
    world.review()
    world.passes("60d")
    assert world.done == ["publish_review", "create_discount", "review_thanks"]


@pytest.mark.parametrize(("country", "days"), [("FI", 14), ("SE", 21)])
def test_without_a_word_from_the_carrier(country: str, days: int) -> None:
    world = World(library("review_request"), the_order=order(shipping_address=Address(country=country)))
    world.ship()
    world.passes("40d")
    assert world.sent_on("review_request") == days * DAY


def test_delivery_that_is_told_late_counts_from_the_delivery() -> None:
    world = World(library("review_request"))
    world.ship()
    world.passes("13d")
    world.times["s1"]["delivered"] = START + 2 * DAY
    world.ship(status=ShipmentStatus.DELIVERED)
    world.passes("1h")
    assert world.sent_on("review_request") == 13 * DAY


def test_delivered_already_when_it_ships() -> None:
    world = World(library("review_request"))
    world.ship(status=ShipmentStatus.DELIVERED)
    assert world.run.status is RunStatus.SLEEPING
    world.passes("10d")
    assert world.sent == ["review_request"]


def test_the_last_parcel_counts() -> None:
    two = order(lines=(line("l1"), line("l2")))
    world = World(library("review_request"), the_order=two)
    for parcel_id, line_id in (("s1", "l1"), ("s2", "l2")):
        world.ship(parcel_id, lines=(ShippedLine(line_id=line_id, quantity=1),))
    world.passes("1d")
    world.ship("s1", ShipmentStatus.DELIVERED, lines=(ShippedLine(line_id="l1", quantity=1),))
    world.passes("4d")
    world.ship("s2", ShipmentStatus.DELIVERED, lines=(ShippedLine(line_id="l2", quantity=1),))
    world.passes("20d")
    assert world.sent_on("review_request") == 15 * DAY


def test_cancel_and_ship_again_times_everything_anew() -> None:
    world = World(library("review_request"))
    shipped_and_delivered(world, "1d")
    world.passes("4d")
    world.ship("s1", ShipmentStatus.CANCELLED)
    world.ship("s2")
    assert [entry.what for entry in world.journal].count("restarted") == 1
    world.passes("2d")
    world.ship("s2", ShipmentStatus.DELIVERED)
    world.passes("8d")
    assert world.sent == []
    world.passes("10d")
    assert world.sent_on("review_request") == 17 * DAY
    assert len(world.runs) == 1


def test_a_parcel_called_off_and_never_sent_asks_nothing() -> None:
    world = World(library("review_request"))
    shipped_and_delivered(world, "1d")
    world.ship("s1", ShipmentStatus.CANCELLED)
    world.passes("60d")
    assert world.sent == []


def test_a_second_parcel_after_the_question_changes_nothing() -> None:
    world = World(library("review_request"))
    shipped_and_delivered(world, "0s")
    world.passes("11d")
    world.ship("s2", tracking_numbers=("JJFI2",))
    world.passes("30d")
    assert world.sent == ["review_request", "review_reminder"]


@pytest.mark.parametrize("when", ["1d", "9d", "12d"])
@pytest.mark.parametrize(
    "kind", ["order.cancelled", "refund.created", "return.requested", "shipment.returned", "customer.deleted"]
)
def test_nobody_is_asked_after_things_went_wrong(kind: str, when: str) -> None:
    world = World(library("review_request"))
    shipped_and_delivered(world, "0s")
    world.passes(when)
    before = list(world.sent)
    world.happens(kind)
    world.passes("60d")
    assert world.sent == before
    assert (world.run.status, world.run.reason) == (RunStatus.CANCELLED, kind)


def test_a_refunded_order_that_ships_starts_nothing() -> None:
    world = World(library("review_request"))
    world.refund()
    world.ship()
    assert world.runs == {}


def test_no_consent_means_no_reminder_either() -> None:
    world = World(library("review_request"))
    world.answer = refuse("no_consent")
    shipped_and_delivered(world)
    world.passes("60d")
    assert world.sent == ["review_request"]
    assert world.run.status is RunStatus.EXITED
    assert world.run.outcomes["ask"] == {"outcome": "skipped", "reason": "no_consent"}


def test_a_failed_code_is_not_announced() -> None:
    world = World(library("review_request"))
    world.answer = lambda effect: fail(effect) if effect.kind == "platform" else EffectDone({})
    shipped_and_delivered(world, "0s")
    world.passes("11d")
    world.review()
    assert world.done == ["review_request", "publish_review", "create_discount"]


def test_a_counter_purchase_is_asked_ten_days_later() -> None:
    counter = order(source="pos", fulfillment=FulfillmentStatus.FULFILLED)
    world = World(library("review_request"), the_order=counter)
    world.happens("order.shipped")
    world.passes("30d")
    assert world.sent_on("review_request") == 10 * DAY


def test_a_client_without_reminders_and_rewards() -> None:
    flow = library("review_request", FlowEdits(params={"wait": "14d"}, remove=("reminder", "reward", "thanks")))
    world = World(flow)
    shipped_and_delivered(world, "0s")
    world.passes("15d")
    world.review()
    world.passes("30d")
    assert world.done == ["review_request", "publish_review"]
    assert world.sent_on("review_request") == 14 * DAY


# -- referrals -----------------------------------------------------------------------------------------------------


def test_a_customer_is_invited_once_for_ever() -> None:
    world = World(library("referral_invite"))
    shipped_and_delivered(world)
    world.passes("30d")
    world.order = order(id="o2", placed_at=world.clock.now())
    world.parcels, world.times = {}, {}
    world.happens("order.shipped", key="order/o2/shipped/x", order_id="o2", subject=Ref("order", "o2"))
    world.passes("60d")
    assert world.done == ["create_discount", "referral_invite"]
    assert world.sent_on("referral_invite") == 22 * DAY
    wanted = world.effects[0][1].request["discount"]
    assert (wanted["usage_limit"], wanted["new_customers_only"], wanted["customer_email"]) == (None, True, None)


def test_an_invitation_where_nobody_reports_the_arrival() -> None:
    world = World(library("referral_invite"))
    world.ship()
    world.passes("60d")
    assert world.sent_on("referral_invite") == 23 * DAY


ADVOCATE = ReferralFacts(state="held", code="FRIEND-1", advocate_email="eero@example.com")


def test_the_advocate_is_rewarded_after_the_hold() -> None:
    world = World(library("referral_reward"), referral=ADVOCATE)
    world.happens("referral.attributed")
    world.passes("29d")
    assert world.done == []
    world.passes("2d")
    assert world.done == ["create_discount", "referral_reward"]
    code, message = (effect for _, effect in world.effects)
    assert code.request["discount"]["customer_email"] == "eero@example.com"
    assert message.request["to"] == "advocate"


@pytest.mark.parametrize("kind", ["referral.reversed", "order.cancelled", "refund.created", "order.deleted"])
def test_no_reward_for_a_purchase_that_was_undone(kind: str) -> None:
    world = World(library("referral_reward"), referral=ADVOCATE)
    world.happens("referral.attributed")
    world.passes("20d")
    world.happens(kind)
    world.passes("60d")
    assert world.done == []


def test_no_reward_where_no_advocate_is_known() -> None:
    world = World(library("referral_reward"))
    world.happens("referral.attributed")
    world.passes("40d")
    assert world.done == []
    assert world.run.outcomes["code"]["outcome"] == "skipped"


def test_the_same_run_gives_the_same_code_whatever_the_attempt() -> None:
    codes: list[str] = []

    def remember(effect: Effect) -> EffectDone:
        codes.append(effect.request.get("discount", {}).get("code", ""))
        return EffectDone({"code": codes[-1]})

    for _ in range(2):
        world = World(library("referral_reward"), referral=ADVOCATE)
        world.answer = remember
        world.happens("referral.attributed")
        world.passes("31d")
    assert codes[0] == codes[2] != ""
