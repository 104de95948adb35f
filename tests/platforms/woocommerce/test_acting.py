"""What we do to a WooCommerce shop beyond coupons and reviews, against a shop that answers as the captured one did."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace
from datetime import timedelta
from decimal import Decimal
from typing import Any

import pytest

from connector.clock import ManualClock
from connector.contracts import (
    Access,
    CodesRequest,
    ConsentRequest,
    DiscountRequest,
    FulfillmentRequest,
    MetaRequest,
    Verified,
    VoidRequest,
)
from connector.errors import Refused, Transient
from connector.model import Channel, Event, EventKind
from connector.testing.fakes.checkout import CheckoutRefused
from connector.testing.fakes.people import AINO, EERO, MUG
from connector.testing.fakes.web import Trouble
from connector.testing.fakes.woocommerce import FakeWoo
from connector.testing.fakes.woocommerce.state import php_json
from platforms.woocommerce import WooCommerce
from platforms.woocommerce.echo import ECHO_META, state_digest
from tests.platforms.woocommerce.bodies import SHOP
from tests.platforms.woocommerce.test_platform import NOW

HOOKS = "http://127.0.0.1:9/hook"


@pytest.fixture
def clock() -> ManualClock:
    return ManualClock(NOW)


@pytest.fixture
def fake(clock: ManualClock) -> Iterator[FakeWoo]:
    with FakeWoo(clock, str(SHOP.url), "ck_1", "cs_1") as running:
        yield running
        assert running.gaps == []


@pytest.fixture
def access(fake: FakeWoo, clock: ManualClock) -> Access:
    secrets = {"consumer_key": "ck_1", "consumer_secret": "cs_1"}
    return Access(shop=SHOP, secrets=secrets, clock=clock, base_url=fake.url)


@pytest.fixture
def woo() -> WooCommerce:
    return WooCommerce()


@pytest.fixture
def order(fake: FakeWoo) -> dict[str, Any]:
    return fake.place_order([(MUG, 1)], AINO, account=True)


def writes(fake: FakeWoo) -> list[str]:
    return [f"{call.method} {call.path.rpartition('v3/')[2]}" for call in fake.calls if call.method != "GET"]


def heard(fake: FakeWoo, resource: str, number: int) -> list[Event]:
    """The events of the webhook the shop would send of it now."""
    body = php_json(fake.body_of(resource, number))
    return list(WooCommerce().normalise(Verified(topic=f"{resource}.updated", dedup_key="d"), body, SHOP))


def kinds(events: list[Event]) -> set[str]:
    return {str(event.kind) for event in events}


# -- many codes ----------------------------------------------------------------------------------------------------


@pytest.fixture
def campaign() -> CodesRequest:
    rule = DiscountRequest(
        code="VIP-0",
        title="VIP",
        starts_at=NOW,
        percent=Decimal(15),
        customer_email="aino@example.com",
        ends_at=NOW + timedelta(days=9),
    )
    return CodesRequest(rule=rule, codes=[f"VIP-{number}" for number in range(120)])


def test_many_codes_are_made_a_hundred_at_a_time(
    fake: FakeWoo, woo: WooCommerce, access: Access, campaign: CodesRequest
) -> None:
    made = woo.create_codes(access, campaign)
    assert (len(made.codes), made.refused, len(fake.coupons)) == (120, (), 120)
    assert writes(fake) == ["POST coupons/batch", "POST coupons/batch"]
    row = fake.coupon_by_code("vip-119")
    assert row is not None
    assert (row["usage_limit"], row["email_restrictions"]) == (1, ["aino@example.com"])
    assert (row["date_expires"], row["date_expires_gmt"]) == ("2026-12-01T10:00:00", "2026-12-01T08:00:00")


def test_codes_asked_for_again_are_adopted_and_strangers_told(
    fake: FakeWoo, woo: WooCommerce, access: Access, campaign: CodesRequest
) -> None:
    few = replace(campaign, codes=campaign.codes[:3])
    first = woo.create_codes(access, few)
    assert woo.create_codes(access, few) == first
    assert len(fake.coupons) == 3
    woo.create_discount(access, replace(campaign.rule, code="VIP-9", title="Other"))
    stranger = fake.coupon_by_code("vip-9")
    assert stranger is not None
    stranger["meta_data"].clear()
    assert woo.create_codes(access, replace(few, codes=["VIP-9"])).refused == ("vip-9",)


def test_a_lost_answer_to_a_batch_makes_no_second_coupon(
    fake: FakeWoo, woo: WooCommerce, access: Access, campaign: CodesRequest
) -> None:
    few = replace(campaign, codes=campaign.codes[:3])
    fake.trouble(Trouble(drop=True))
    with pytest.raises(Transient) as lost:
        woo.create_codes(access, few)
    assert lost.value.maybe_done
    assert len(woo.create_codes(access, few).codes) == len(fake.coupons) == 3


def test_a_coupon_is_bound_limited_and_ends_in_local_time(
    fake: FakeWoo, woo: WooCommerce, access: Access, clock: ManualClock, campaign: CodesRequest
) -> None:
    woo.create_discount(access, campaign.rule)
    with pytest.raises(CheckoutRefused):
        fake.place_order([(MUG, 1)], EERO, coupon="vip-0")
    fake.place_order([(MUG, 1)], replace(AINO, email="Aino@Example.com"), coupon="VIP-0")
    with pytest.raises(CheckoutRefused):
        fake.place_order([(MUG, 1)], replace(AINO, email="aino@example.com"), coupon="vip-0")
    woo.create_discount(access, replace(campaign.rule, code="VIP-1"))
    clock.advance(timedelta(days=9, minutes=1))
    with pytest.raises(CheckoutRefused):
        fake.place_order([(MUG, 1)], replace(AINO, email="aino@example.com"), coupon="vip-1")


# -- notes and mails -----------------------------------------------------------------------------------------------


def test_a_note_to_the_customer_is_mailed_once(
    fake: FakeWoo, woo: WooCommerce, access: Access, order: dict[str, Any]
) -> None:
    text = "Kiitos! <script>x</script> 5 < 6 & https://kauppa.example/?a=1&b=2"
    for _ in range(2):
        woo.note_customer(access, str(order["id"]), text, key="run/note")
    notes = [note for note in fake.notes[order["id"]] if note["customer_note"]]
    assert len(notes) == 1
    assert "<script" not in notes[0]["note"]
    assert "5 &lt; 6 &amp; https" in notes[0]["note"]
    woo.note_customer(access, str(order["id"]), "Another one", key="run/other")
    assert len(writes(fake)) == 2


def test_a_note_whose_answer_was_lost_is_not_mailed_again(
    fake: FakeWoo, woo: WooCommerce, access: Access, order: dict[str, Any]
) -> None:
    fake.trouble(Trouble(), Trouble(drop=True))
    with pytest.raises(Transient) as lost:
        woo.note_customer(access, str(order["id"]), "Hei", key="k")
    assert lost.value.maybe_done
    woo.note_customer(access, str(order["id"]), "Hei", key="k")
    assert sum(note["customer_note"] for note in fake.notes[order["id"]]) == 1


def test_the_shop_sends_its_own_mails_again(
    fake: FakeWoo, woo: WooCommerce, access: Access, order: dict[str, Any]
) -> None:
    number = str(order["id"])
    assert woo.mail_names(access, number) == (
        "order_details",
        "customer_completed_order",
        "customer_invoice",
        "customer_refunded_order",
    )
    woo.resend_mail(access, number, "order_details", since=None)
    woo.resend_mail(access, number, "customer_completed_order", since=None)
    address = order["billing"]["email"]
    assert fake.mails == [(order["id"], "Order details", address), (order["id"], "Completed order", address)]


@pytest.mark.parametrize("arrived", [True, False])
def test_a_mail_of_unknown_outcome_is_looked_for(
    fake: FakeWoo, woo: WooCommerce, access: Access, clock: ManualClock, order: dict[str, Any], *, arrived: bool
) -> None:
    number, first_try = str(order["id"]), clock.now()
    fake.trouble(Trouble(), Trouble(drop=True) if arrived else Trouble(status=502))
    with pytest.raises(Transient) as lost:
        woo.resend_mail(access, number, "order_details", since=None)
    assert lost.value.maybe_done
    clock.advance(timedelta(minutes=1))
    woo.resend_mail(access, number, "order_details", since=first_try)
    assert len(fake.mails) == 1


def test_an_earlier_mail_of_that_name_is_not_taken_for_it(
    fake: FakeWoo, woo: WooCommerce, access: Access, clock: ManualClock, order: dict[str, Any]
) -> None:
    woo.resend_mail(access, str(order["id"]), "order_details", since=None)
    clock.advance(timedelta(hours=1))
    woo.resend_mail(access, str(order["id"]), "order_details", since=clock.now())
    assert len(fake.mails) == 2


def test_a_mail_the_shop_does_not_have_is_named_with_what_it_has(
    fake: FakeWoo, woo: WooCommerce, access: Access, order: dict[str, Any]
) -> None:
    with pytest.raises(Refused, match="customer_completed_order"):
        woo.resend_mail(access, str(order["id"]), "customer_complete_order", since=None)
    fake.order_actions = False
    with pytest.raises(Refused, match=r"9\.8"):
        woo.resend_mail(access, str(order["id"]), "order_details", since=None)
    assert fake.mails == []


# -- meta without an echo ------------------------------------------------------------------------------------------


def test_our_own_write_starts_nothing(fake: FakeWoo, woo: WooCommerce, access: Access, order: dict[str, Any]) -> None:
    fake.create_webhooks(HOOKS, "s", ["order.updated"])
    fake.queue.pending.clear()
    woo.write_meta(access, MetaRequest(owner="order", owner_id=str(order["id"]), key="nps", value="9"))
    assert len(fake.queue.pending) == 1, "the shop does tell us: otherwise this test shows nothing"
    events = heard(fake, "order", order["id"])
    assert EventKind.ORDER_UPDATED not in kinds(events)
    assert {EventKind.ORDER_CREATED, EventKind.ORDER_PAID} <= kinds(events), "and the snapshot is still taken in"


def test_what_others_change_after_our_write_is_news(
    fake: FakeWoo, woo: WooCommerce, access: Access, order: dict[str, Any], clock: ManualClock
) -> None:
    woo.add_tag(access, str(order["id"]), "vip")
    clock.advance(timedelta(hours=1))
    for change in (
        lambda: fake.set_status(order, "on-hold"),
        lambda: order["billing"].update(city="Oulu"),
        lambda: fake.write_meta(order, [{"key": "_tracking", "value": "X1"}]),
        lambda: order["line_items"][0].update(quantity=2),
    ):
        assert EventKind.ORDER_UPDATED not in kinds(heard(fake, "order", order["id"]))
        change()
        assert EventKind.ORDER_UPDATED in kinds(heard(fake, "order", order["id"]))
        woo.add_tag(access, str(order["id"]), f"tag {clock.now()}")
        clock.advance(timedelta(hours=1))


def test_without_the_mark_our_write_would_be_news(
    fake: FakeWoo, woo: WooCommerce, access: Access, order: dict[str, Any]
) -> None:
    """The negative control."""
    woo.add_tag(access, str(order["id"]), "vip")
    order["meta_data"] = [entry for entry in order["meta_data"] if entry["key"] != ECHO_META]
    assert EventKind.ORDER_UPDATED in kinds(heard(fake, "order", order["id"]))


def test_meta_is_written_once_and_only_where_there_is_a_place(
    fake: FakeWoo, woo: WooCommerce, access: Access, order: dict[str, Any]
) -> None:
    request = MetaRequest(owner="customer", owner_id=str(order["customer_id"]), key="tier", value="gold")
    woo.write_meta(access, request)
    woo.write_meta(access, request)
    assert writes(fake) == [f"PUT customers/{order['customer_id']}"]
    assert EventKind.CUSTOMER_UPDATED not in kinds(heard(fake, "customer", order["customer_id"]))
    for wrong in (replace(request, owner="product"), replace(request, key="../x"), replace(request, owner_id="1/../2")):
        with pytest.raises(Refused):
            woo.write_meta(access, wrong)


def test_a_customer_s_tags_are_kept_and_read_back(
    fake: FakeWoo, woo: WooCommerce, access: Access, order: dict[str, Any], clock: ManualClock
) -> None:
    for tag in ("gold", "gold", "early"):
        woo.tag_customer(access, str(order["customer_id"]), tag)
    assert len(writes(fake)) == 2
    clock.advance(timedelta(minutes=1))
    fake.update_customer(fake.customers[order["customer_id"]], first_name="Aino-Maija")
    customer = heard(fake, "customer", order["customer_id"])[-1].customer
    assert customer is not None
    assert customer.tags == ("gold", "early")


def test_the_digest_ignores_odd_bodies() -> None:
    for odd in ({}, {"meta_data": 7}, {"meta_data": ["x", None, {"key": 3}]}, {"billing": float("nan")}):
        assert len(state_digest(odd)) == 16


# -- consent -------------------------------------------------------------------------------------------------------


def test_a_withdrawal_is_noted_in_the_account(
    fake: FakeWoo, woo: WooCommerce, access: Access, order: dict[str, Any], clock: ManualClock
) -> None:
    address = str(AINO.email).upper()
    no = ConsentRequest(channel=Channel.EMAIL, granted=False, at=clock.now(), address=address)
    assert woo.write_consent(access, no)
    assert woo.write_consent(access, no)
    account = fake.customers[order["customer_id"]]
    noted = {entry["key"]: entry["value"] for entry in account["meta_data"]}
    assert noted["_kiitos_email_consent"] == "withdrawn 2026-11-22T08:00:00.000000Z"
    assert len(writes(fake)) == 1
    yes_before = replace(no, granted=True, at=clock.now() - timedelta(days=1))
    assert not woo.write_consent(access, yes_before), "an older yes does not undo a newer no"
    assert EventKind.CUSTOMER_UPDATED not in kinds(heard(fake, "customer", order["customer_id"]))


def test_a_guest_has_no_place_for_consent(fake: FakeWoo, woo: WooCommerce, access: Access, clock: ManualClock) -> None:
    fake.place_order([(MUG, 1)], EERO)
    no = ConsentRequest(channel=Channel.EMAIL, granted=False, at=clock.now(), address="guest@example.test")
    assert not woo.write_consent(access, no)
    assert not woo.write_consent(access, replace(no, channel=Channel.SMS, address="+358401234567"))
    assert writes(fake) == []


# -- parcels and links ---------------------------------------------------------------------------------------------


def test_a_fulfillment_is_told_once(fake: FakeWoo, woo: WooCommerce, access: Access, order: dict[str, Any]) -> None:
    request = FulfillmentRequest(
        order_id=str(order["id"]),
        lines={str(order["line_items"][0]["id"]): 1},
        tracking_number=" JJFI66100000000000001 ",
        carrier="itella-posti",
    )
    with pytest.raises(Refused, match="Fulfillments"):
        woo.create_fulfillment(access, request)
    fake.features.append("fulfillments")
    first = woo.create_fulfillment(access, request)
    assert woo.create_fulfillment(access, request) == first
    assert len(fake.fulfillments[order["id"]]) == 1
    with pytest.raises(Refused):
        woo.create_fulfillment(access, replace(request, tracking_number="X2", lines={}))


def test_links_into_the_shop(fake: FakeWoo, woo: WooCommerce, access: Access, order: dict[str, Any]) -> None:
    assert woo.checkout_link(SHOP, {"12": 1, "19": 2}, "KIITOS &5") == (
        "https://kauppa.example.test/checkout-link/?products=12:1,19:2&coupon=KIITOS+%265"
    )
    assert woo.discount_link(SHOP, "A") is None
    for wrong in ({}, {"12": 0}, {"12&x": 1}):
        with pytest.raises(Refused):
            woo.checkout_link(SHOP, wrong)
    assert woo.payment_link(access, str(order["id"])) is None
    unpaid = fake.place_order([(MUG, 1)], AINO, status="pending")
    link = woo.payment_link(access, str(unpaid["id"]))
    assert link is not None
    assert "/checkout/order-pay/" in link


# -- taking back ---------------------------------------------------------------------------------------------------


def test_a_coupon_that_nobody_used_expires_and_one_that_was_used_stays(
    fake: FakeWoo, woo: WooCommerce, access: Access, clock: ManualClock
) -> None:
    for code in ("THANKS-1", "THANKS-2"):
        woo.create_discount(access, DiscountRequest(code=code, title="x", starts_at=clock.now(), percent=Decimal(10)))
    used = fake.coupon_by_code("thanks-2")
    assert used is not None
    used["usage_count"] = 1
    asked = VoidRequest(key="v", code="THANKS-1", first_try_at=clock.now())
    assert woo.void_code(access, asked)
    assert woo.void_code(access, asked), "once more is no fault"
    assert not woo.void_code(access, replace(asked, code="THANKS-2"))
    assert not woo.void_code(access, replace(asked, code="NEVER"))
    over = fake.coupon_by_code("thanks-1")
    assert over is not None
    assert over["date_expires"] < clock.now().isoformat()
    assert used["date_expires"] is None
