"""The short way through a life comes to the same as the product's own runner and outbox, deed for deed."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import replace
from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from connector.errors import ConfigError
from connector.model import AppliedDiscount, Channel, Event, EventKind, Ref
from connector.registry import Registry
from connector.simulate import folders, leaving, walks
from connector.simulate.acts import Uncovered
from connector.simulate.outcome import Lived
from connector.simulate.playbook import Playbook
from connector.simulate.scene import Scene, Window
from connector.simulate.story import Moment
from connector.simulate.swift import why_not
from connector.store.past import KnownCode, Suppressed
from flows import derive, engine
from flows.catalog import library_names
from tests.simulate.product import BEGIN, CORE, SHOP, playbook, window
from tests.simulate.test_equality import past

COVERED = {
    *("cancelled_refunded", "counter_thanks", "cross_sell", "delivery_updates", "good_decision", "loyal_thanks"),
    *(
        "maintenance",
        "order_confirmation",
        "order_link",
        "partial_shipment",
        "review_answer",
        "payment_reminder",
        "product_guide",
        "referral_invite",
    ),
    *("referral_reward", "returns_help", "review_answer", "review_request", "order_link", "thank_you", "welcome"),
}
"""Flows of the library that need nothing the short way does not do."""
ELSEWHERE = {
    *("back_in_stock", "browse_reminder", "opt_in", "points_expiring", "price_news", "reward_ready", "signup_benefit"),
    *("perk_given", "perk_opened", "referral_link", "sunset", "survey_case", "tier_near", "tier_reached"),
}
"""Flows that begin with what makes a life go the long way."""


@contextmanager
def scene(book: Playbook, within: Window) -> Iterator[Scene]:
    found = Scene(book, within)
    try:
        yield found
    finally:
        found.close()


def all_of(lived: Lived) -> tuple[Any, ...]:
    return sorted(lived.deeds, key=str), lived.started, lived.refused, lived.ended


def differences(book: Playbook, people: list[list[Moment]], within: Window) -> tuple[int, int, int]:
    """How many people were told of otherwise, how many went the short way, and how many deeds there were."""
    differing = short = deeds = 0
    with scene(book, within) as found:
        assert not found.long_way
        for person in people:
            swiftly, exactly = found.live(person), found.live_exactly(person)
            differing += all_of(swiftly) != all_of(exactly)
            short += not swiftly.long_way
            deeds += len(exactly.deeds)
    return differing, short, deeds


def test_what_is_covered_of_the_library() -> None:
    """A flow that leaves this list makes every look back at it three times as slow."""
    covered = set()
    for name in library_names():
        try:
            why = why_not(playbook([name]).catalog(Registry()), SHOP)
        except ConfigError:
            continue  # it needs what this shop's file does not have
        assert not why or name.replace("_", "-") in why
        covered |= set() if why else {name}
    assert covered == COVERED | ELSEWHERE


@pytest.mark.parametrize("name", sorted(COVERED))
def test_each_flow_by_itself(name: str) -> None:
    people = past(11, orders=8)
    differing, short, _ = differences(playbook([name]), people, window(300))
    assert (differing, short) == (0, len(people))


def test_all_of_them_together() -> None:
    people = [person for seed in (5, 6) for person in past(seed, orders=10)]
    differing, short, deeds = differences(playbook(sorted(COVERED)), people, window(300))
    assert differing == 0
    assert short > 0.8 * len(people)
    assert deeds > 100


@pytest.mark.parametrize("limits", [{}, {"limits": {"saturation": {"after": 1, "slowest": 8, "goodbye": 3}}}])
def test_flows_that_begin_elsewhere_stand_beside(limits: dict[str, Any]) -> None:
    """Whom a goodbye would be said to goes the long way, and nobody else does because of it."""
    people = [*past(7, orders=10), *past(8, orders=10)]
    book = playbook(["review_request", "thank_you", "order_confirmation", *sorted(ELSEWHERE)], **limits)
    differing, short, deeds = differences(book, people, window(300))
    assert differing == 0
    assert deeds > 40
    assert (short == len(people)) is not bool(limits)


def test_a_programme_that_tells_of_points_goes_the_long_way() -> None:
    loyalty = {"loyalty": {"return_window": "14d", "rules": {"spend": {"kind": "spend", "points": 1, "per": "1 EUR"}}}}
    assert "tier-reached" in why_not(playbook(["tier_reached"], **loyalty).catalog(Registry()), SHOP)
    assert not why_not(playbook(["order_confirmation"], **loyalty).catalog(Registry()), SHOP)


LIMITS: list[dict[str, Any]] = [
    {},
    {"limits": {"email": {"cap": "0s"}}},
    {"limits": {"email": {"cap": "20d"}, "patience": "3d"}},
    {"limits": {"email": {"quiet": "18:00-10:00", "holidays": True}}},
    {"limits": {"daily": 1}},
    {"limits": {"saturation": {"after": 1, "slowest": 8, "goodbye": 3}}},
    {"soft_opt_in": []},
    {"canary": 0.4},
]


@settings(max_examples=16, deadline=None, suppress_health_check=[HealthCheck.too_slow])
@given(seed=st.integers(0, 10**6), limits=st.sampled_from(LIMITS), begins=st.integers(-40, 60))
def test_any_past_under_any_limits(seed: int, limits: dict[str, Any], begins: int) -> None:
    within = Window(BEGIN + timedelta(days=begins), BEGIN + timedelta(days=150))
    canary = limits if "canary" in limits else {}
    book = playbook(**({} if canary else limits))
    ranked = tuple(replace(each, **canary, priority=40 + at) for at, each in enumerate(book.settings.flows))
    book = replace(book, config=replace(book.config, shops={SHOP: replace(book.settings, flows=ranked)}))
    differing, _, _ = differences(book, past(seed), within)
    assert differing == 0


WAITING = {
    "lines.toml": """
id = "care"
trigger = "order.delivered"
purpose = "review"
subject = "line_item"
steps = [
  { id = "use", do = "wait", span = "3d", at = "09:00", zone = "recipient" },
  { id = "part", do = "split", variants = ["a 1", "b 1"] },
  { id = "tip", do = "send", template = "review_request", when = ["line.quantity > 0", "steps.part.outcome == 'a'"] },
]
""",
    "loyal.toml": """
id = "loyal"
trigger = ["order.paid", "order.delivered"]
purpose = "loyalty"
subject = "customer"
reentry = { every = "20d" }
cancel_on = ["consent.withdrawn", "refund.created"]
when = ["customer.lifetime.orders >= 1", "consent.email.state != 'withdrawn'", "order.total.amount > $least"]
params = { least = 10, kind = true }
steps = [
  { id = "rest", do = "wait", span = "2d", window = "09:00-12:00" },
  { id = "word", do = "wait_for", event = "review.submitted", timeout = "9d", where = ["event.rating >= 3"] },
  { id = "code", do = "create_discount", percent = 10, when = ["params.kind == true"] },
  { id = "thanks", do = "send", template = "review_thanks", after_review = true, when = ["steps.code.code != ''"] },
  { id = "tag", do = "tag", tag = "thanked" },
]
""",
}


@pytest.mark.parametrize("seed", range(3))
def test_a_shops_own_flows(seed: int, tmp_path: Path) -> None:
    for name, text in WAITING.items():
        (tmp_path / name).write_text(text)
    people = past(seed, orders=8)
    differing, short, deeds = differences(playbook([*WAITING, "review_request"], tmp_path), people, window(200))
    assert (differing, short) == (0, len(people))
    assert deeds > 10


def aside(person: list[Moment], **more: Any) -> list[Moment]:
    """The person's past with something beside the events in the middle of it."""
    middle = len(person) // 2
    return [*person[:middle], Moment(person[middle].at, **more), *person[middle:]]


def test_suppressed_addresses_and_codes_count_as_they_do_there() -> None:
    people = past(3, orders=8)
    shut = [
        aside(
            person, suppressed=Suppressed(str(mail), Channel.EMAIL, "all", "hard_bounce", person[len(person) // 2].at)
        )
        for person in people
        if (mail := next(e.order.email for m in person for e in m.events if e.order is not None))
    ]
    differing, short, _ = differences(playbook(), shut, window(150))
    assert (differing, short) == (0, len(people))
    book, within = playbook(), window(150)
    with scene(book, within) as found:
        assert any(deed.why == "suppressed" for person in shut for deed in found.live(person).deeds)
        person = next(each for each in people if len(each) > 6)
        code = KnownCode("FRIEND-1", "advocate@example.test", None, None, person[0].at)
        used = [replace(moment, events=tuple(map(_with_code, moment.events))) for moment in aside(person, code=code)]
        assert found.live([Moment(used[0].at, code=code), *used]).long_way == "a friend's order"


def _with_code(event: Event) -> Event:
    if event.order is None:
        return event
    return replace(event, order=replace(event.order, discounts=(AppliedDiscount(code="friend-1"),)))


def test_what_it_does_not_cover_goes_the_long_way() -> None:
    person = past(3)[0]
    gone = Event(kind=EventKind.APP_UNINSTALLED, key="gone", subject=Ref("shop", "s"), at=person[0].at)
    with scene(playbook(), window(150)) as found:
        lived = found.live([Moment(gone.at, (gone,)), *person])
        assert lived.long_way == "app.uninstalled"
        assert all_of(lived) == all_of(found.live_exactly([Moment(gone.at, (gone,)), *person]))
        assert {deed.why for deed in lived.deeds} == {"shop_uninstalled"}


PLANTED: dict[str, tuple[Any, str, Callable[..., Any]]] = {
    "consents are not kept": (folders.Folders, "record", lambda *_: None),
    "nobody was written to before": (leaving.Leaving, "_contacts", lambda *_: []),
    "a parcel's status goes back": (
        folders.Parcel,
        "hear",
        lambda self, status, raw, at: setattr(self, "status", status),
    ),
    "returns are not seen": (folders.Folders, "returns", staticmethod(lambda _: ())),
    "a review is never late": (walks.Walks, "_publish_late", lambda *_: None),
    "what was refused is not counted": (walks.Walks, "refuse", lambda *_: None),
    "no run is cancelled": (walks.Walks, "_end", lambda *_: None),
    "nothing follows from parcels": (walks.Walks, "derived", lambda *_: []),
    "an event is new each time": (walks.Walks, "_entry", lambda *_: None),
}


@pytest.mark.parametrize("planted", PLANTED)
def test_a_planted_difference_is_found(planted: str, monkeypatch: pytest.MonkeyPatch) -> None:
    where, name, instead = PLANTED[planted]
    monkeypatch.setattr(where, name, instead)
    people = [person for seed in range(3) for person in past(seed, orders=10)]
    book = playbook([*CORE, "counter_thanks"], soft_opt_in=["review"], limits={"email": {"cap": "9d"}})
    assert differences(book, people, window(150))[0] > 0


def test_it_asks_the_products_own_engine(monkeypatch: pytest.MonkeyPatch) -> None:
    """A mistake planted in what both share is in both: nothing that decides is written twice."""
    people = past(1, orders=8)
    with scene(playbook(), window(150)) as found:
        before = [all_of(found.live(person)) for person in people]
        monkeypatch.setattr(engine, "cancel", lambda flow, run, kind, now: engine.Transition(run))
        monkeypatch.setattr(derive, "_returned", lambda *_: False)
        after = [all_of(found.live(person)) for person in people]
        assert after != before
        assert after == [all_of(found.live_exactly(person)) for person in people]
    assert issubclass(Uncovered, Exception)


def alike(person: list[Moment]) -> list[Moment]:
    """The same life of somebody who buys one and the same thing, in whatever variant."""

    def of(event: Event) -> Event:
        if event.order is None:
            return event
        return replace(
            event, order=replace(event.order, lines=tuple(replace(line, product_id="p1") for line in event.order.lines))
        )

    return [replace(moment, events=tuple(map(of, moment.events))) for moment in person]


@pytest.mark.parametrize("knows", [True, False])
def test_nobody_is_asked_again_about_the_same_product(knows: bool, monkeypatch: pytest.MonkeyPatch) -> None:
    """The control forgets what it asked, and asks where the product does not."""
    if not knows:
        monkeypatch.setattr(leaving.Leaving, "_asked_until", lambda *_: {})
    people = [alike(person) for seed in (5, 6) for person in past(seed, orders=10)]
    with scene(playbook(["review_request"]), window(300)) as found:
        exactly = [found.live_exactly(person) for person in people]
        swiftly = [found.live(person) for person in people]
    spared = sum(deed.why.startswith("asked_before") for lived in exactly for deed in lived.deeds)
    assert spared > 2
    assert (list(map(all_of, swiftly)) == list(map(all_of, exactly))) is knows


def test_a_high_score_brings_the_invitation_forward_the_short_way_too() -> None:
    def with_answer(person: list[Moment]) -> list[Moment]:
        found = []
        for moment in person:
            found.append(moment)
            for event in moment.events:
                if event.kind == EventKind.ORDER_CREATED and event.order_id:
                    at = moment.at + timedelta(days=12)
                    data = {"band": "high" if len(found) % 2 else "middle", "score": "9", "scale": "nps"}
                    told = Event(
                        kind=EventKind.SURVEY_ANSWERED,
                        key=f"survey/{event.key}",
                        subject=Ref("order", event.order_id),
                        at=at,
                        order_id=event.order_id,
                        data=data,
                    )
                    found.append(Moment(at=at, events=(told,)))
        return sorted(found, key=lambda moment: moment.at)

    before, within = past(13, orders=12), window(300)
    after = [with_answer(person) for person in before]
    assert sum(map(len, after)) > sum(map(len, before)) + 5, "somebody answered"
    book = playbook(["referral_invite"])
    differing, short, deeds = differences(book, after, within)
    assert (differing, short) == (0, len(after))
    assert deeds
    with scene(book, within) as found:
        times = [[deed for person in people for deed in found.live(person).deeds] for people in (before, after)]
    assert sorted(map(str, times[0])) != sorted(map(str, times[1])), "it was brought forward for somebody"
