"""The built-in steps: what they decide, and what they do through an adapter."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from decimal import Decimal
from typing import Any

import pytest

from connector.clock import ManualClock
from connector.contracts import (
    Access,
    Act,
    Arrived,
    Await,
    CreatesDiscounts,
    DiscountRef,
    DiscountRequest,
    Done,
    EffectFailed,
    EffectSkipped,
    Exit,
    PlatformAdapter,
    PublishesReviews,
    ReviewRequest,
    Sleep,
    Woke,
    WritesOrders,
)
from connector.contracts.step import CODE_LETTERS
from connector.errors import ConfigError, Unsupported
from connector.model import Address, Money
from flows.facts import Progress, ReferralFacts
from flows.steps.create_discount import CreateDiscount
from flows.steps.exit import ExitStep
from flows.steps.note_order import NoteOrder
from flows.steps.publish_review import PublishReview
from flows.steps.send import Send
from flows.steps.tag_order import TagOrder
from flows.steps.wait import Wait
from flows.steps.wait_for import WaitFor
from tests.engine.world import SHOP, START, facts, order

DAY = timedelta(days=1)


class Plain(PlatformAdapter):
    name = "plain"

    def verify(self, inbound: Any, endpoint: Any) -> Any:
        raise AssertionError("not asked here")

    def normalise(self, verified: Any, body: bytes, shop: Any) -> Any:
        raise AssertionError("not asked here")


class Rich(Plain, CreatesDiscounts, WritesOrders, PublishesReviews):
    name = "rich"

    def __init__(self) -> None:
        self.calls: list[Any] = []

    def create_discount(self, access: Access, request: DiscountRequest) -> DiscountRef:
        self.calls.append(request)
        return DiscountRef(code=request.code, platform_id="d1", url="https://metsa.example/discount/x")

    def add_tag(self, access: Access, order_id: str, tag: str) -> None:
        self.calls.append((order_id, tag))

    def add_note(self, access: Access, order_id: str, note: str, *, key: str) -> None:
        self.calls.append((order_id, note, key))

    def publish_review(self, access: Access, request: ReviewRequest) -> str:
        self.calls.append(request)
        return f"p-{request.key}"


ACCESS = Access(shop=SHOP, secrets={}, clock=ManualClock(START))


def request_of(decision: object) -> Mapping[str, Any]:
    assert isinstance(decision, Act)
    return decision.request


# -- waiting -------------------------------------------------------------------------------------------------------


def test_wait_counts_from_now_or_from_a_time() -> None:
    assert Wait(span=DAY).start(facts()) == Sleep(START + DAY)
    delivered = facts(progress=Progress(delivered_at=START - 3 * DAY))
    late = Wait(span=2 * DAY, from_="progress.delivered_at")
    assert late.start(delivered) == Sleep(START - DAY, "progress.delivered_at")
    assert late.start(facts()) == Sleep(START + 2 * DAY, "progress.delivered_at")


def test_wait_reads_the_time_again_when_it_wakes() -> None:
    step = Wait(span=2 * DAY, from_="progress.delivered_at")
    moved = facts(progress=Progress(delivered_at=START))
    assert step.resume(moved, Woke()) == Sleep(START + 2 * DAY, "progress.delivered_at")
    assert step.resume(replace(moved, now=START + 2 * DAY), Woke()) == Done("woke")
    assert step.resume(facts(), Woke()) == Done("woke")


@pytest.mark.parametrize(
    ("now", "zone", "expected"),
    [
        ("2026-11-02T09:00", "Europe/Helsinki", "2026-11-03T08:00"),
        ("2026-11-02T07:59", "Europe/Helsinki", "2026-11-02T08:00"),
        ("2026-11-02T08:00", "Europe/Helsinki", "2026-11-02T08:00"),
        ("2026-07-02T08:00", "Europe/Helsinki", "2026-07-03T07:00"),
        ("2026-11-02T09:00", "UTC", "2026-11-02T10:00"),
        ("2026-11-02T09:00", "No/Where", "2026-11-02T10:00"),
    ],
)
def test_wait_at_an_hour_of_the_shop(now: str, zone: str, expected: str) -> None:
    at = datetime.fromisoformat(now).replace(tzinfo=UTC)
    seen = facts(now=at, shop=replace(SHOP, timezone=zone))
    assert Wait(span=timedelta(), at="10:00").start(seen) == Sleep(datetime.fromisoformat(expected).replace(tzinfo=UTC))


@pytest.mark.parametrize(
    ("now", "expected"),
    [("2026-03-28T20:00", "2026-03-29T01:30"), ("2026-10-24T20:00", "2026-10-25T00:30")],
)
def test_wait_at_an_hour_that_is_skipped_or_comes_twice(now: str, expected: str) -> None:
    at = datetime.fromisoformat(now).replace(tzinfo=UTC)
    seen = facts(now=at, shop=replace(SHOP, timezone="Europe/Berlin"))
    assert Wait(span=timedelta(), at="02:30").start(seen) == Sleep(datetime.fromisoformat(expected).replace(tzinfo=UTC))


def test_wait_for() -> None:
    step = WaitFor(event=("review.submitted",), timeout=7 * DAY, from_="progress.shipped_at")
    assert step.start(facts()) == Await(("review.submitted",), START + 7 * DAY)
    shipped = facts(progress=Progress(shipped_at=START - DAY))
    assert step.start(shipped) == Await(("review.submitted",), START + 6 * DAY)
    assert step.resume(shipped, Woke()) == Done("timeout")
    arrived = step.resume(shipped, Arrived("review.submitted", {"rating": "5"}))
    assert arrived == Done("event", {"kind": "review.submitted", "rating": "5"})


def test_exit() -> None:
    assert ExitStep(reason="enough").start(facts()) == Exit("enough")


# -- sending -------------------------------------------------------------------------------------------------------


def test_send_asks_for_a_message_and_nothing_else() -> None:
    assert request_of(Send(template="review_request").start(facts(order=None, customer=None))) == {
        "template": "review_request", "channel": "email", "to": "customer",
    }  # fmt: skip
    assert request_of(Send(template="t", after_review=True).start(facts()))["after_review"] is True
    step = Send(template="t")
    assert step.templates() == ("t",)
    assert step.resume(facts(), EffectSkipped("no_consent")) == Done("skipped", {"reason": "no_consent"})
    assert step.resume(facts(), EffectFailed("550", "no")) == Done("failed", {"code": "550", "text": "no"})


# -- codes ---------------------------------------------------------------------------------------------------------


def test_create_discount_makes_a_request_that_survives_json() -> None:
    step = CreateDiscount(value="5 EUR", expires=60 * DAY, prefix="KIITOS", minimum=Money.parse("20", "EUR"))
    seen = facts(step_id="code")
    request = request_of(step.start(seen))
    adapter = Rich()
    values = step.perform(adapter, ACCESS, request, "run1:code")
    (made,) = adapter.calls
    assert made == DiscountRequest(
        code=seen.code("KIITOS"),
        title=seen.code("KIITOS"),
        starts_at=START,
        amount=Money.parse("5", "EUR"),
        ends_at=START + 60 * DAY,
        usage_limit=1,
        minimum=Money.parse("20", "EUR"),
        customer_email="aino@example.com",
        customer_id="c-1",
    )
    assert values == {
        "code": made.code,
        "url": "https://metsa.example/discount/x",
        "value": "5.00 EUR",
        "ends_at": "2027-01-01T09:00:00.000000Z",
    }


@pytest.mark.parametrize(
    ("keys", "worth"),
    [
        ({"percent": Decimal(10)}, "10 %"),
        ({"value": "7.5%"}, "7.5 %"),
        ({"value": "100 %"}, "100 %"),
        ({"amount": Money.parse("5.5", "EUR")}, "5.50 EUR"),
        ({"value": "500 JPY"}, "500 JPY"),
    ],
)
def test_what_a_code_is_worth(keys: dict[str, Any], worth: str) -> None:
    step = CreateDiscount(**keys)
    assert step.perform(Rich(), ACCESS, request_of(step.start(facts())), "k")["value"] == worth


def test_a_code_is_bound_to_the_person_named() -> None:
    known = ReferralFacts(state="held", code="F", advocate_email="eero@example.com", advocate_customer_id="c-9")
    step = CreateDiscount(value="5 EUR", to="advocate")
    wanted = request_of(step.start(facts(referral=known)))["discount"]
    assert (wanted["customer_email"], wanted["customer_id"]) == ("eero@example.com", "c-9")
    nobody = step.start(facts())
    assert nobody == Done("skipped", {"reason": "no advocate is known to bind the code to"})
    shared = CreateDiscount(value="5 EUR", bind="none", usage_limit=0)
    wanted = request_of(shared.start(facts()))["discount"]
    assert (wanted["customer_email"], wanted["customer_id"], wanted["usage_limit"]) == (None, None, None)


def test_codes_repeat_for_a_retry_and_for_nothing_else() -> None:
    seen = facts(step_id="code")
    code = seen.code("KIITOS")
    assert code == facts(step_id="code", now=START + DAY).code("KIITOS")
    assert len(code) == len("KIITOS-") + CODE_LETTERS
    assert set(code.removeprefix("KIITOS-")) <= set("0123456789ABCDEFGHJKMNPQRSTVWXYZ")
    others = [
        replace(seen, step_id="other"),
        replace(seen, run_id="run2"),
        replace(seen, salt=b"another"),
        replace(seen, shop=replace(SHOP, id="shop2")),
    ]
    assert len({code, *(other.code("KIITOS") for other in others)}) == 5
    assert seen.code("", 8) != code
    assert "salt" not in repr(seen)
    with pytest.raises(ConfigError, match="secret key"):
        replace(seen, salt=b"").code("KIITOS")


def test_currencies_are_told_before_the_shop_is() -> None:
    assert CreateDiscount(value="5 USD", minimum=Money.parse("1", "EUR")).currencies() == ("USD", "EUR")
    assert CreateDiscount(value="5 %").currencies() == ()


# -- orders and reviews --------------------------------------------------------------------------------------------


def test_tag_and_note() -> None:
    adapter = Rich()
    tag = TagOrder(tag="asked")
    tag.perform(adapter, ACCESS, request_of(tag.start(facts())), "k1")
    note = NoteOrder(note="Sent {steps.code.code} to order {order.number}, {steps.x.y}total {order.total}")
    seen = facts(steps={"code": {"code": "ABC"}})
    note.perform(adapter, ACCESS, request_of(note.start(seen)), "k2")
    assert adapter.calls == [("o1", "asked"), ("o1", "Sent ABC to order 1001, total 40.00 EUR", "k2")]
    assert note.paths() == ("steps.code.code", "order.number", "steps.x.y", "order.total")
    for step in (tag, note, PublishReview()):
        decision = step.start(facts(order=None))
        assert isinstance(decision, Done)
        assert decision.outcome == "skipped"


def test_publish_review_writes_what_the_worker_adds() -> None:
    step = PublishReview()
    request = dict(request_of(step.start(facts())))
    assert request == {"do": "publish_review", "order_id": "o1"}
    review = {
        "key": "r1", "order_id": "o1", "product_id": "p1", "rating": 2, "title": "Cup", "text": "Leaks.",
        "author_name": "A.", "author_email": "aino@example.com", "at": "2026-11-02T09:00:00Z",
    }  # fmt: skip
    adapter = Rich()
    given = step.perform(adapter, ACCESS, {**request, "reviews": [review]}, "k")
    assert given == {"published": "1", "ids": "p-r1", "keys": "r1", "revisions": ""}
    assert adapter.calls[0].rating == 2
    assert step.perform(Plain(), ACCESS, request, "k")["published"] == "0"


@pytest.mark.parametrize("step", [CreateDiscount(value="5 EUR"), TagOrder(tag="x"), NoteOrder(note="x")])
def test_a_platform_that_cannot_is_refused(step: CreateDiscount | TagOrder | NoteOrder) -> None:
    assert step.capabilities
    with pytest.raises(Unsupported):
        step.perform(Plain(), ACCESS, request_of(step.start(facts(order=order()))), "k")


# -- waiting on a wall ---------------------------------------------------------------------------------------------


def utc(text: str) -> datetime:
    return datetime.fromisoformat(text).replace(tzinfo=UTC)


@pytest.mark.parametrize(
    ("step", "expected"),
    [
        (Wait(span=DAY, window="09:00-17:00"), "2026-11-03T09:00"),  # 11:00 in Helsinki: open
        (Wait(span=timedelta(hours=8), window="09:00-17:00"), "2026-11-03T07:00"),
        (Wait(window="09:00-17:00", days=("wed",)), "2026-11-04T07:00"),
        (Wait(at="09:00", days=("fri",)), "2026-11-06T07:00"),
        (Wait(days=("wed", "thu")), "2026-11-03T22:00"),
        (Wait(at="09:00", zone="Asia/Tokyo"), "2026-11-03T00:00"),
        (Wait(at="09:00", zone="recipient"), "2026-11-02T14:00"),
        (Wait(window="09:00-20:00", zone="recipient"), "2026-11-02T14:00"),
    ],
)
def test_wait_on_a_wall(step: Wait, expected: str) -> None:
    boston = Address(country="US", region="MA")
    seen = facts(order=order(shipping_address=boston))
    assert step.start(seen) == Sleep(utc(expected))


def test_wait_before_a_time() -> None:
    seen = facts(progress=Progress(delivered_at=START + 10 * DAY))
    step = Wait(before=3 * DAY, from_="progress.delivered_at")
    assert step.start(seen) == Sleep(START + 7 * DAY, "progress.delivered_at")


@pytest.mark.parametrize(
    ("keys", "fault"),
    [
        ({}, "say how long"),
        ({"span": DAY, "before": DAY, "from_": "order.placed_at"}, "not both"),
        ({"before": DAY}, "say which with 'from'"),
        ({"at": "09:00", "window": "09:00-10:00"}, "not both"),
        ({"at": "25:00"}, "at: expected a time of day"),
        ({"window": "9-17"}, "window: expected"),
        ({"days": ("monday",)}, "days: 'monday' is no weekday"),
        ({"span": DAY, "zone": "Europe/Helsinky"}, "did you mean 'Europe/Helsinki'"),
    ],
)
def test_waits_that_make_no_sense(keys: dict[str, Any], fault: str) -> None:
    with pytest.raises(ValueError, match=fault):
        Wait(**keys)
