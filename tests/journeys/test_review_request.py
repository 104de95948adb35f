"""Review requests: asked once the goods were used, reminded once, thanked with a real code; never after regret."""

from __future__ import annotations

import re
from collections.abc import Callable
from datetime import timedelta

import pytest
import requests

from connector.model import Channel, Consent, ConsentState, Purpose
from connector.store import consents
from connector.testing.demo.mailbox import read_mail
from connector.testing.demo.scenario import (
    JAM,
    KENJI,
    LIISA,
    MONDAY,
    MUG,
    OMAR,
    SOCKS,
    TENT,
    review_by_form,
    unsubscribe,
)
from connector.testing.fakes.people import AINO, Buyer
from connector.testing.fakes.web import Trouble
from connector.testing.world import SHOPIFY, World
from connector.working import carrier
from tests.journeys.conftest import Worlds
from tests.journeys.telling import timeline
from tests.journeys.test_delivery_updates import cancel_parcel

Tells = Callable[[World], str]


def delivered_order(world: World, buyer: Buyer = AINO) -> dict[str, object]:
    """Bought on Monday, sent on Tuesday, there on Thursday: asked ten days later, on the 15th."""
    order = world.shopify.place_order([(MUG, 1)], buyer)
    world.wait(days=1)
    parcel = world.shopify.fulfill(order)
    world.wait(days=2)
    world.shopify.carrier_event(parcel, "delivered")
    world.deliver()
    return order


def woo_order(world: World, buyer: Buyer = LIISA) -> dict[str, object]:
    """Bought on Monday, tracked and completed on Tuesday; nobody reports its arrival: asked 14 days later."""
    order = world.woo.place_order([(JAM, 2), (SOCKS, 1)], buyer)
    world.wait(days=1)
    world.woo.add_tracking(order, "JJFI65300000000000001")
    world.woo.set_status(order, "completed")
    world.deliver()
    return order


def codes(world: World) -> list[str]:
    """The thank-you codes that exist in the shops."""
    found = [row.code for row in world.shopify.discounts.values()] + [
        str(c["code"]) for c in world.woo.coupons.values()
    ]
    return [code for code in found if code.lower().startswith("kiitos-")]


def test_shopify_asked_ten_days_after_delivery_and_thanked(world: World, tells: Tells) -> None:
    delivered_order(world)
    world.until(MONDAY + timedelta(days=14))
    review_by_form(world, AINO, 5, "Hyvä muki.")
    world.wait(days=30)
    told = tells(world)
    assert told.count("review_request ->") == told.count("review_thanks ->") == 1
    assert "review_reminder" not in told
    assert len(codes(world)) == len(world.shopify.metaobjects) == 1


def test_shopify_reminded_once_and_left_in_peace(world: World, tells: Tells) -> None:
    delivered_order(world)
    world.wait(days=60)
    told = tells(world)
    assert told.count("review_request ->") == told.count("review_reminder ->") == 1
    assert codes(world) == []


def test_shopify_two_stars_are_thanked_like_five(world: World, tells: Tells) -> None:
    delivered_order(world)
    world.until(MONDAY + timedelta(days=21))
    review_by_form(world, AINO, 2, "Kahva irtosi.")
    world.wait(days=20)
    assert tells(world).count("review_thanks ->") == 1
    assert len(codes(world)) == 1


def test_shopify_abroad_is_given_three_weeks(world: World, tells: Tells) -> None:
    order = world.shopify.place_order([(MUG, 1)], KENJI)
    world.wait(days=1)
    world.shopify.fulfill(order, tracking=("DHL", "JD1"))
    world.wait(days=30)
    assert "Tue 24 Nov 10:00  SENT      #1001: review_request ->" in tells(world)


def test_shopify_counted_from_the_last_parcel(world: World, tells: Tells) -> None:
    order = world.shopify.place_order([(TENT, 1), (MUG, 2)], AINO)
    world.wait(days=1)
    first = world.shopify.fulfill(order, [(order["line_items"][0], 1)], tracking=("Posti", "JJFI1"))
    world.wait(days=1)
    world.shopify.carrier_event(first, "delivered")
    world.wait(days=12)
    second = world.shopify.fulfill(order, tracking=("Posti", "JJFI2"))
    world.wait(days=2)
    world.shopify.carrier_event(second, "delivered")
    world.wait(days=11)
    assert "Sat 28 Nov 10:00  SENT      #1001: review_request ->" in tells(world)


def test_shopify_timed_anew_after_cancel_and_reship(world: World, tells: Tells) -> None:
    order = world.shopify.place_order([(MUG, 1)], AINO)
    world.wait(days=1)
    lost = world.shopify.fulfill(order, tracking=("Posti", "LOST1"))
    world.wait(days=10)
    cancel_parcel(world, lost)
    world.wait(days=8)
    found = world.shopify.fulfill(order, tracking=("Posti", "FOUND1"))
    world.wait(days=1)
    world.shopify.carrier_event(found, "delivered")
    world.wait(days=12)
    assert "Wed 02 Dec 10:00  SENT      #1001: review_request ->" in tells(world)


def test_shopify_refund_before_the_question(world: World, tells: Tells) -> None:
    order = delivered_order(world)
    world.wait(days=5)
    world.shopify.refund(order, amount="5.00")
    world.wait(days=30)
    told = tells(world)
    assert "stopped   #1001: refund.created  [review-request]" in told
    assert "review_request" not in told


def test_shopify_refund_nobody_told_us_of_is_seen_before_asking(world: World, tells: Tells) -> None:
    """The refund's webhooks are lost. The order is fetched before the question, which is then not asked."""
    order = delivered_order(world)
    world.wait(days=5)
    world.shopify.refund(order, amount="5.00")
    world.shopify.outbox.pending.clear()
    world.wait(days=30)
    assert "review_request ->" not in tells(world)


def test_shopify_cancelled_before_the_question(world: World, tells: Tells) -> None:
    order = delivered_order(world)
    world.wait(days=5)
    world.shopify.cancel(order, refund=False)
    world.wait(days=30)
    assert "review_request" not in tells(world)


def test_shopify_return_requested_before_the_question(world: World, tells: Tells) -> None:
    order = delivered_order(world)
    world.wait(days=5)
    request_return(world, order)
    world.wait(days=30)
    told = tells(world)
    assert "stopped   #1001: return.requested  [review-request]" in told
    assert "review_request" not in told


def test_shopify_without_soft_opt_in_only_those_who_consented(worlds: Worlds, tells: Tells) -> None:
    world = worlds(soft_opt_in=[])
    delivered_order(world, AINO)
    delivered_order(world, OMAR)
    world.wait(days=30)
    told = tells(world)
    assert "review_request not sent: no_consent" in told
    assert "review_request -> omar@example.org" in told
    assert "review_request -> aino@example.test" not in told


def test_shopify_consent_withdrawn_while_waiting(world: World, tells: Tells) -> None:
    delivered_order(world, OMAR)
    world.wait(days=5)
    world.shopify.set_consent(world.shopify.customer_by_email(OMAR.email), "unsubscribed")
    world.wait(days=30)
    told = tells(world)
    assert "consent_withdrawn" in told
    assert "review_request ->" not in told


def test_consent_withdrawn_is_told_apart_from_an_older_yes(world: World) -> None:
    """A yes of last year that arrives after today's no changes nothing."""
    delivered_order(world, OMAR)
    world.shopify.set_consent(world.shopify.customer_by_email(OMAR.email), "unsubscribed")
    world.deliver()
    old = Consent(
        address="omar@example.org",
        channel=Channel.EMAIL,
        purpose=Purpose.MARKETING,
        state=ConsentState.GRANTED,
        raw_state="subscribed",
        at=MONDAY - timedelta(days=400),
        source="import",
    )
    with world.kiitos.store.work.transaction() as tx:
        consents.record(tx, SHOPIFY, old, world.clock.now())
    world.wait(days=30)
    assert sum("review" in str(kept.content) for kept in world.sink.to("omar@example.org")[2:]) == 0


def test_shopify_unsubscribed_between_question_and_reminder(world: World, tells: Tells) -> None:
    delivered_order(world)
    world.until(MONDAY + timedelta(days=14))
    unsubscribe(world, AINO)
    world.wait(days=30)
    told = tells(world)
    assert told.count("review_request ->") == 1
    assert "review_reminder not sent: suppressed" in told
    assert "create_discount not sent: suppressed" in told, "a code that nobody hears of is not made"


def test_shopify_unreachable_on_the_day_asks_when_it_is_back(world: World) -> None:
    delivered_order(world)
    world.until(MONDAY + timedelta(days=12, hours=23))
    world.shopify.trouble(*[Trouble(status=503)] * 200)
    world.wait(hours=6)
    assert world.sink.to("aino@example.test")[3:] == []
    world.shopify.troubles.clear()
    world.wait(days=1)
    assert timeline(world).count("review_request ->") == 1


def test_shopify_the_code_is_made_once_though_its_answer_was_lost(world: World) -> None:
    """Without a golden: when the repetitions come is chance."""
    delivered_order(world)
    world.until(MONDAY + timedelta(days=14))
    world.shopify.trouble(Trouble(drop=True), Trouble(drop=True), Trouble(drop=True))
    review_by_form(world, AINO, 4, "Hyvä muki.")
    world.wait(days=2)
    assert len(codes(world)) == len(world.shopify.metaobjects) == 1
    assert timeline(world).count("review_thanks ->") == 1


def test_woo_no_delivery_is_ever_reported(world: World, tells: Tells) -> None:
    woo_order(world)
    world.until(MONDAY + timedelta(days=16))
    review_by_form(world, LIISA, 3, "Hyvää hilloa.")
    world.wait(days=30)
    told = tells(world)
    assert "Tue 17 Nov 10:00  SENT      #11: review_request ->" in told
    assert told.count("review_thanks ->") == 1
    assert len(codes(world)) == len(world.woo.reviews) == 1


def test_woo_refunded_before_the_question(world: World, tells: Tells) -> None:
    order = woo_order(world)
    world.wait(days=3)
    world.woo.refund(order, reason="Too small")
    world.wait(days=30)
    assert "review_request" not in tells(world)


def test_woo_partly_refunded_between_question_and_reminder(world: World, tells: Tells) -> None:
    order = woo_order(world)
    world.until(MONDAY + timedelta(days=17))
    world.woo.refund(order, "5.00")
    world.wait(days=30)
    told = tells(world)
    assert told.count("review_request ->") == 1
    assert "review_reminder ->" not in told


def test_woo_put_into_the_bin_before_the_question(world: World, tells: Tells) -> None:
    order = woo_order(world)
    world.wait(days=3)
    world.woo.trash(order)
    world.wait(days=30)
    assert "review_request ->" not in tells(world)


def test_the_review_page_takes_one_review_and_thanks_once(world: World, tells: Tells) -> None:
    """Sent twice by an impatient finger, and once more a day later."""
    delivered_order(world)
    world.until(MONDAY + timedelta(days=14))
    mail = read_mail(0, world.sink.to("aino@example.test")[-1])
    link = re.search(r"http://127\.0\.0\.1:\d+/p/review/\w+", mail.text)
    assert link is not None
    product = re.search(r'name="rating-([^"]+)"', requests.get(link[0], timeout=10).text)
    assert product is not None
    for stars, days in ((5, 0), (5, 1), (1, 19)):
        answer = requests.post(link[0], data={f"rating-{product[1]}": str(stars)}, timeout=10)
        assert answer.status_code == 200
        world.wait(days=days)
    assert tells(world).count("review_thanks ->") == 1
    assert len(codes(world)) == len(world.shopify.metaobjects) == 1


def test_a_made_up_review_link_leads_nowhere(world: World) -> None:
    assert requests.get(f"{world.serving.url}/p/review/{'a' * 26}", timeout=10).status_code == 404


def request_return(world: World, order: dict[str, object]) -> None:
    """The customer asks to send the goods back (returns/request)."""
    body = {
        "id": 970000001,
        "admin_graphql_api_id": "gid://shopify/Return/970000001",
        "order": {"id": order["id"], "admin_graphql_api_id": f"gid://shopify/Order/{order['id']}"},
        "status": "requested",
        "name": f"{order['name']}-R1",
        "total_return_line_items": 1,
        "return_line_items": [],
    }
    world.shopify.announce(["returns/request"], body)


def test_shopify_unreachable_for_a_crowd_asks_none_of_them_unseen(
    worlds: Worlds, monkeypatch: pytest.MonkeyPatch
) -> None:
    """More questions fall due than one batch holds; those behind the put-off ones must not slip through unlooked-at."""
    monkeypatch.setattr(carrier, "SEND", 4)
    world = worlds(flows={"review-request": {"file": "review_request"}})
    orders = [world.shopify.place_order([(MUG, 1)], Buyer(email=f"b{n}@example.test")) for n in range(12)]
    world.wait(days=1)
    parcels = [world.shopify.fulfill(order) for order in orders]
    world.wait(days=2)
    for parcel in parcels:
        world.shopify.carrier_event(parcel, "delivered")
    world.until(MONDAY + timedelta(days=12, hours=23))
    world.shopify.trouble(*[Trouble(status=503)] * 3000)
    world.wait(hours=4)
    assert world.sink.messages == []
    world.shopify.troubles.clear()
    world.wait(hours=4)
    assert len(world.sink.messages) == 12
