"""Fairness: each rule alone, its code, what it saw; and quiet hours against a brute-force oracle."""

from __future__ import annotations

from dataclasses import replace
from datetime import UTC, date, datetime, time, timedelta
from typing import Any
from zoneinfo import ZoneInfo, available_timezones

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from connector.config.limits import ChannelLimits, Limits, Saturation
from connector.model import Effect, Purpose
from flows.limits.fairness import opening
from flows.limits.verdicts import Allow, Defer, Drop, Fairness, Hold, Reached, Rival, Verdict
from flows.policy import AT_WORK, check
from tests.engine.world import START, facts
from tests.unit.test_policy import AINO, MARKETING, effect

CAP = timedelta(hours=16)
LIMITS = Limits()
EMAIL, SMS = LIMITS.of("email"), LIMITS.of("sms")
NIGHT = START.replace(hour=22)


def fair(**more: Any) -> Fairness:
    given_: dict[str, Any] = {"limits": LIMITS, "channel": EMAIL, "zone": "Europe/Helsinki", "zone_source": "address"}
    return Fairness(**{**given_, **more})


def ask(found: Fairness | None, now: datetime = START, asked: Effect | None = None) -> Verdict:
    return check(asked or effect(Purpose.MARKETING), facts(now=now), AINO, now, lambda: found)


def reached(hours: float, **more: Any) -> Reached:
    return Reached(START - timedelta(hours=hours), "winback", "shop1", **more)


# -- distance ----------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("purpose", MARKETING)
def test_messages_keep_their_distance_and_say_to_what(purpose: Purpose) -> None:
    found = ask(fair(reached=reached(6)), asked=effect(purpose))
    assert isinstance(found, Defer)
    assert (found.code, found.until) == ("capped", START + timedelta(hours=10))
    assert (found.detail["by"], found.detail["cap"]) == ("winback", "16.0 h")
    assert isinstance(ask(fair(reached=reached(16)), asked=effect(purpose)), Allow)


def test_the_winner_of_another_shop_is_named_with_its_shop() -> None:
    found = ask(fair(reached=replace(reached(6), shop_id="shop2")))
    assert "winback of shop2" in found.reason


def test_order_mail_and_answers_meet_no_limit_at_all() -> None:
    everything = fair(reached=reached(0), paused="too many complaints", canary=0.0, daily=1, sent_today=1)
    thanks = effect(Purpose.REVIEW, request={"template": "t", "to": "customer", "after_review": True})
    for free in (effect(), thanks, effect(Purpose.MARKETING, tainted=True)):
        assert isinstance(ask(everything, asked=free), Allow)
    assert isinstance(ask(everything), Hold), "the control"


def test_without_a_cap_there_is_no_distance() -> None:
    assert isinstance(ask(fair(reached=reached(0), channel=ChannelLimits())), Allow)


def test_what_is_being_sent_is_asked_about_when_that_is_known() -> None:
    lease = START + timedelta(minutes=5)
    found = ask(fair(reached=Reached(lease, "winback", "shop1", until=lease)))
    assert isinstance(found, Defer)
    assert (found.code, found.until) == ("capped", lease)


@pytest.mark.parametrize("age", [0, 47.9])
def test_nothing_is_dropped_before_its_patience_is_over(age: float) -> None:
    waiting = effect(Purpose.MARKETING, created_at=START - timedelta(hours=age))
    found = ask(fair(reached=reached(0)), asked=waiting)
    assert isinstance(found, Defer)
    assert found.until <= waiting.created_at + LIMITS.patience


def test_after_the_patience_it_is_dropped_with_the_reason() -> None:
    waiting = effect(Purpose.MARKETING, created_at=START - timedelta(hours=48))
    found = ask(fair(reached=reached(0)), asked=waiting)
    assert isinstance(found, Drop)
    assert (found.code, found.detail["by"]) == ("capped", "winback")
    assert "48.0 h later is too late" in found.reason
    assert isinstance(ask(fair(), asked=waiting), Allow), "just in time"


# -- quiet hours -------------------------------------------------------------------------------------------------------


def test_nobody_is_rung_at_night_where_they_live() -> None:
    found = ask(fair(channel=SMS), now=NIGHT)
    assert isinstance(found, Defer)
    assert (found.code, found.detail["zone"], found.detail["zone_source"]) == (
        "quiet_hours",
        "Europe/Helsinki",
        "address",
    )
    assert found.until == datetime(2026, 11, 3, 7, 0, tzinfo=UTC)
    assert isinstance(ask(fair(channel=SMS, zone="America/New_York"), now=NIGHT), Allow)
    assert isinstance(ask(fair(channel=EMAIL), now=NIGHT), Allow), "mail waits in the letter box by itself"


def test_what_the_cap_puts_off_does_not_come_at_night() -> None:
    late = Reached(START - timedelta(hours=13), "winback", "shop1")  # the cap ends at 22:00 in Helsinki
    found = ask(fair(channel=SMS, reached=late))
    assert isinstance(found, Defer)
    assert found.code == "capped"
    assert found.until == datetime(2026, 11, 3, 7, 0, tzinfo=UTC)


def test_holidays_and_sundays_where_the_shop_wants_them() -> None:
    sunday = datetime(2026, 11, 8, 10, 0, tzinfo=UTC)
    closed = replace(SMS, quiet_days=frozenset({"sun"}))
    found = ask(fair(channel=closed), now=sunday, asked=effect(Purpose.MARKETING, created_at=sunday))
    assert isinstance(found, Defer)
    assert (found.code, found.until) == ("quiet_day", datetime(2026, 11, 9, 7, 0, tzinfo=UTC))

    def independence(day: date) -> str:
        return "Independence Day" if (day.month, day.day) == (11, 2) else ""

    found = ask(fair(channel=replace(SMS, holidays=True), closed=independence))
    assert isinstance(found, Defer)
    assert "Independence Day" in found.reason
    assert isinstance(ask(fair(channel=SMS, closed=independence)), Allow), "only where the shop asks for it"


ZONES = sorted(zone for zone in available_timezones() if "/" in zone and not zone.startswith(("Etc/", "posix/")))[::8]
WINDOWS = [("20:00-09:00", 20, 9), ("22:30-07:00", 22.5, 7), ("00:00-06:00", 0, 6), ("12:00-13:00", 12, 13)]


def is_quiet(at: datetime, zone: ZoneInfo, start: float, end: float) -> bool:
    """The oracle knows nothing of windows: it reads the clock on the wall."""
    wall = at.astimezone(zone).time()
    hour = wall.hour + wall.minute / 60 + wall.second / 3600
    return start <= hour < end if start < end else hour >= start or hour < end


@settings(max_examples=200, deadline=None)
@given(
    zone=st.sampled_from(ZONES),
    window=st.sampled_from(WINDOWS),
    minutes=st.integers(0, 20 * 366 * 24 * 12),
)
def test_quiet_hours_are_never_broken_and_never_longer_than_they_are(
    zone: str, window: tuple[str, float, float], minutes: int
) -> None:
    text, start, end = window
    place, now = ZoneInfo(zone), datetime(2016, 1, 1, tzinfo=UTC) + timedelta(minutes=5 * minutes)
    found = opening(fair(channel=ChannelLimits(quiet=text), zone=zone), now)
    assert found >= now
    step = timedelta(minutes=5)
    first = now
    while is_quiet(first, place, start, end):
        first += step
        assert first - now < timedelta(hours=26)
    # Where the clocks go back over an edge the wall says "quiet" twice: we may be a little late, never early.
    assert not is_quiet(found, place, start, end)
    assert first - step < found <= first + timedelta(hours=2)


def test_there_are_sixty_zones() -> None:
    assert len(ZONES) >= 60
    shifted = fair(channel=SMS, zone="UTC")
    assert is_quiet(opening(shifted, NIGHT), ZoneInfo("Pacific/Auckland"), 20, 9) or not is_quiet(
        NIGHT, ZoneInfo("UTC"), 20, 9
    ), "the oracle tells zones apart"


# -- who goes first ----------------------------------------------------------------------------------------------------


def test_the_flow_of_higher_priority_goes_first_and_is_named() -> None:
    found = ask(fair(rival=Rival("birthday", "shop1", 80)))
    assert isinstance(found, Defer)
    assert (found.code, found.detail["winner"], found.detail["winners_priority"]) == ("outranked", "birthday", "80")
    assert found.until - START == timedelta(minutes=5)
    assert isinstance(ask(fair(rival=Rival("birthday", "shop1", 50))), Allow), "equals go as they come"


def test_who_may_not_be_written_to_now_anyway_needs_no_arbitration() -> None:
    assert isinstance(ask(fair(rival=Rival("birthday", "shop1", 80), channel=ChannelLimits())), Allow)
    found = ask(fair(rival=Rival("birthday", "shop1", 80), channel=SMS), now=NIGHT)
    assert isinstance(found, Defer)
    assert found.code == "quiet_hours"


# -- saturation --------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(("ignored", "hours"), [(3, 16), (4, 32), (8, 64), (11, 64)])
def test_silence_stretches_the_distance(ignored: int, hours: int) -> None:
    before = fair(reached=reached(hours - 0.5), ignored=ignored)
    found = ask(before)
    assert isinstance(found, Defer)
    assert found.code == ("capped" if hours == 16 else "slowed")
    assert isinstance(ask(replace(before, reached=reached(hours))), Allow)


def test_after_the_goodbye_there_is_peace() -> None:
    found = ask(fair(ignored=12))
    assert isinstance(found, Drop)
    assert (found.code, found.detail["ignored"]) == ("saturated", "12")
    assert isinstance(ask(fair(ignored=12, farewell=True)), Allow), "the goodbye itself"
    assert isinstance(ask(fair(ignored=12, limits=Limits(saturation=Saturation(goodbye=0)))), Allow)


def test_the_slowest_is_slow_enough() -> None:
    slow = Limits(saturation=Saturation(after=1, slowest=2, goodbye=0))
    assert isinstance(ask(fair(reached=reached(32), ignored=100, limits=slow)), Allow)
    assert isinstance(ask(fair(reached=reached(31), ignored=100, limits=slow)), Defer)


# -- held --------------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("more", "code"),
    [
        ({"paused": "2 complaints after 900 messages"}, "flow_paused"),
        ({"canary": 0.1, "place": 0.1}, "canary"),
        ({"daily": 3, "sent_today": 3}, "over_budget"),
    ],
)
def test_what_exceeds_a_share_is_held_until_it_is_released(more: dict[str, Any], code: str) -> None:
    found = ask(fair(**more))
    assert isinstance(found, Hold)
    assert found.code == code
    assert isinstance(ask(fair(**more, released=True)), Allow)


def test_within_the_share_nothing_is_held() -> None:
    assert isinstance(ask(fair(canary=0.1, place=0.0999, daily=3, sent_today=2)), Allow)
    assert isinstance(ask(fair(daily=0, sent_today=10**6)), Allow), "0 is no limit"
    tried = effect(Purpose.MARKETING, attempts=1)
    assert isinstance(ask(fair(daily=3, sent_today=3), asked=tried), Allow), "counted on the day of its first attempt"


def test_released_too_late_for_the_person_is_still_asked_about() -> None:
    found = ask(fair(released=True, paused="by hand", reached=reached(1)))
    assert isinstance(found, Defer)


# -- products ----------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("rule", ["just_bought", "returned_product", "out_of_stock"])
def test_a_product_that_would_annoy_is_not_named(rule: str) -> None:
    found = ask(fair(unfit=(("p1", rule),)))
    assert isinstance(found, Drop)
    assert (found.code, found.detail["product"]) == (rule, "p1")


# -- the whole ---------------------------------------------------------------------------------------------------------


def test_the_law_comes_first_and_costs_no_look() -> None:
    asked: list[int] = []

    def look() -> Fairness:
        asked.append(1)
        return fair()

    nobody = replace(AINO, address_key=None)
    assert check(effect(Purpose.MARKETING), facts(), nobody, START, look).code == "no_address"
    assert check(effect(), facts(), AINO, START, look).code == "allowed"
    assert asked == []
    assert check(effect(Purpose.MARKETING), facts(), AINO, START, look).code == "allowed"
    assert asked == [1]


def test_another_worker_has_the_person_in_hand() -> None:
    found = ask(None)
    assert isinstance(found, Defer)
    assert (found.code, found.until - START) == (AT_WORK, timedelta(seconds=1))


def test_what_was_fair_is_on_record() -> None:
    found = ask(fair(channel=SMS, reached=reached(40)), now=datetime.combine(START.date(), time(10), UTC))
    assert isinstance(found, Allow)
    assert found.detail["zone_source"] == "address"
    assert found.detail["cap"] == "24.0 h"
    assert found.detail["consent"] == "granted"
