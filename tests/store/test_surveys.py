"""Never more than one question a quarter, whatever asks; and what an answer leads to."""

from __future__ import annotations

from dataclasses import replace
from datetime import timedelta
from itertools import pairwise
from types import SimpleNamespace
from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from connector.config.limits import Limits
from connector.config.surveys import QUARTER, Surveys
from connector.model import Purpose
from connector.store import Store, care, preferences, surveys
from connector.store.surveys import AskRow
from flows import policy
from flows.care import surveys as asking
from flows.limits.verdicts import Fairness
from flows.policy import Allow, Defer, Drop, check
from tests.engine.world import START, facts
from tests.unit.test_policy import AINO, effect

SHOPS = ("c-north", "c-south")
LIMITS = Limits()


class Beside:
    def shops_beside(self, shop_id: str) -> tuple[str, ...]:
        assert shop_id in SHOPS
        return SHOPS


def case(shop: str, number: int, person: int, account: str = "", settings_: Surveys | None = None) -> Any:
    asked = effect(
        Purpose.LOYALTY,
        shop_id=shop,
        id=f"run{number}:ask",
        request={"template": "loyalty_survey", "survey": ("order", "delivery", "sixty_days")[number % 3]},
    )
    return SimpleNamespace(
        effect=asked,
        settings=SimpleNamespace(surveys=settings_ or Surveys(), shop=SimpleNamespace(id=shop, client_id="c")),
        situation=SimpleNamespace(customer=None),
        recipient=SimpleNamespace(email_key=f"p{person}@example.com", key=f"p{person}@example.com"),
        run=SimpleNamespace(email_key=None, customer_id=account or None),
    )


def put(store: Store, found: Any, days: float, place: float = 0.0) -> Any:
    """As `Outbox.prepare` does: look, decide, and keep the question, in one transaction."""
    now = START + timedelta(days=days)
    sent = replace(found.effect, created_at=now)
    with store.work.transaction() as tx:
        inquiry = asking.about(tx, Beside(), found, place)  # type: ignore[arg-type]
        fair = Fairness(limits=LIMITS, channel=LIMITS.of("email"), inquiry=inquiry)
        verdict = check(sent, facts(now=now), AINO, now, lambda: fair)
        if isinstance(verdict, Allow):
            asking.ask(tx, found, now)
    return verdict


ATTEMPTS = st.lists(st.tuples(st.integers(0, 500), st.integers(0, 2), st.sampled_from(SHOPS)), min_size=1, max_size=25)


@given(ATTEMPTS)
@settings(max_examples=60, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
def test_never_two_questions_within_a_quarter(store: Store, attempts: list[tuple[int, int, str]]) -> None:
    tag = store_tag()
    asked: dict[int, list[int]] = {}
    for number, (day, person, shop) in enumerate(sorted(attempts)):
        verdict = put(store, case(shop, tag + number, tag + person), day)
        before = [each for each in asked.get(person, []) if timedelta(days=day - each) < QUARTER]
        assert isinstance(verdict, Drop if before else Allow), (day, before)
        if before:
            assert verdict.code == "surveyed_lately"
        else:
            asked.setdefault(person, []).append(day)
    for days in asked.values():
        assert all(later - earlier >= 91 for earlier, later in pairwise(days))


_TAGS = iter(range(0, 1 << 30, 1000))


def store_tag() -> int:
    """People and runs of their own for every example: the store is one."""
    return next(_TAGS)


def test_without_the_rule_the_quarter_would_be_broken(store: Store, monkeypatch: pytest.MonkeyPatch) -> None:
    rules = tuple(rule for rule in policy._FAIR if rule.__name__ != "asked_lately")
    assert len(rules) == len(policy._FAIR) - 1
    monkeypatch.setattr(policy, "_FAIR", rules)
    tag = store_tag()
    assert isinstance(put(store, case(SHOPS[0], tag, tag), 0), Allow)
    assert isinstance(put(store, case(SHOPS[1], tag + 1, tag), 1), Allow)


def test_who_asked_and_when_is_told(store: Store) -> None:
    tag = store_tag()
    assert isinstance(put(store, case(SHOPS[0], tag, tag), 0), Allow)
    found = put(store, case(SHOPS[1], tag + 1, tag), 30)
    assert isinstance(found, Drop)
    assert found.code == "surveyed_lately"
    assert found.reason == "f of c-north has asked the person less than 91 days ago"
    assert found.detail["free"] > found.detail["asked_at"]
    again = put(store, case(SHOPS[0], tag, tag), 1)
    assert isinstance(again, Allow), "the same message tried again is the same question"


def test_an_account_is_the_same_person_under_another_address(store: Store) -> None:
    tag = store_tag()
    assert isinstance(put(store, case(SHOPS[0], tag, tag, "77"), 0), Allow)
    assert isinstance(put(store, case(SHOPS[0], tag + 1, tag + 1, "77"), 30), Drop)
    assert isinstance(put(store, case(SHOPS[1], tag + 2, tag + 2, "77"), 30), Allow), "another shop's 77 is another"


def test_what_never_left_asked_nobody(store: Store) -> None:
    tag = store_tag()
    first = case(SHOPS[0], tag, tag)
    assert isinstance(put(store, first, 0), Allow)
    with store.work.transaction() as tx:
        asking.unask(tx, replace(first.effect, tainted=True))
    assert isinstance(put(store, case(SHOPS[0], tag + 1, tag), 1), Drop), "it may have arrived"
    with store.work.transaction() as tx:
        asking.unask(tx, first.effect)
    assert isinstance(put(store, case(SHOPS[0], tag + 1, tag), 1), Allow)


def test_of_a_sample_the_others_are_not_asked(store: Store) -> None:
    half, tag = Surveys(share=0.5), store_tag()
    assert isinstance(put(store, case(SHOPS[0], tag, tag, settings_=half), 0, place=0.49), Allow)
    found = put(store, case(SHOPS[0], tag + 1, tag + 1, settings_=half), 0, place=0.5)
    assert isinstance(found, Drop)
    assert (found.code, found.detail["share"]) == ("survey_sample", "50.0%")


def test_holds_are_joined_and_the_last_one_frees(store: Store) -> None:
    shop, now = SHOPS[0], START
    for hold, days in (("survey/1", 30), ("case/2", 90)):
        with store.work.transaction() as tx:
            care.begin(
                tx, shop, hold, ["aino@example.com", "", "+358400000000", "aino@example.com"],
                reason=care.LOW_SCORE if hold[0] == "s" else care.OPEN_CASE, order_id="o1",
                until=now + timedelta(days=days), now=now,
            )  # fmt: skip
    with store.work.transaction() as tx:
        preferences.put(tx, shop, "aino@example.com", preferences.Preference(locale="fi"), now)
    with store.work.read() as tx:
        found = preferences.get(tx, shop, "aino@example.com")
        phone = preferences.get(tx, shop, "+358400000000")
    assert (found.locale, found.care_until, found.care_reason) == ("fi", now + timedelta(days=90), "open_case")
    assert phone.care_until == found.care_until
    with store.work.transaction() as tx:
        assert care.end(tx, shop, "case/2", "Kaisa, approved", now)
        assert not care.end(tx, shop, "case/2", "again", now)
    with store.work.read() as tx:
        assert preferences.get(tx, shop, "aino@example.com").care_until == now + timedelta(days=30)
        assert {hold.ended_by for hold in care.of(tx, shop, "case/2")} == {"Kaisa, approved"}
    with store.work.transaction() as tx:
        care.end(tx, shop, "survey/1", "x", now)
    with store.work.read() as tx:
        assert preferences.get(tx, shop, "aino@example.com").care_until is None


def test_a_held_person_gets_order_mail_and_no_advertising() -> None:
    held = replace(AINO, care_until=START + timedelta(days=30), care_reason="low_score")
    assert isinstance(check(effect(), facts(), held, START), Allow)
    found = check(effect(Purpose.REVIEW), facts(), held, START)
    assert isinstance(found, Defer)
    assert (found.code, found.until, found.detail["because"]) == ("in_care", START + timedelta(hours=1), "low_score")
    late = START + timedelta(hours=48)
    dropped = check(effect(Purpose.MARKETING), facts(now=late), held, late)
    assert isinstance(dropped, Drop)
    assert dropped.code == "in_care"
    over = START + timedelta(days=30)
    assert isinstance(check(effect(Purpose.MARKETING, created_at=over), facts(now=over), held, over), Allow)


def test_questions_are_read_page_by_page(store: Store, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(surveys, "PAGE", 3)
    with store.work.transaction() as tx:
        for number in range(8):
            surveys.ask(
                tx,
                "paged",
                AskRow(
                    ask_id=f"a{number}", survey="order", kind="ces", flow_id="f", order_id="", email_key=f"{number}@x",
                    customer_id="", asked_at=START + timedelta(days=number),
                ),
            )  # fmt: skip
        surveys.answer(tx, "paged", "a2", 6, "high", "fine", START + timedelta(days=3))
        surveys.answer(tx, "paged", "a2", 7, "high", "fine", START + timedelta(days=4))
    with store.work.read() as tx:
        found = list(surveys.between(tx, "paged", START + timedelta(days=1), START + timedelta(days=8)))
        kept = surveys.get(tx, "paged", "a2")
    assert [row.ask_id for row in found] == [f"a{number}" for number in range(1, 8)]
    assert kept is not None
    assert (kept.score, kept.revisions, kept.answered_at, kept.revised_at) == (
        7, 2, START + timedelta(days=3), START + timedelta(days=4),
    )  # fmt: skip
