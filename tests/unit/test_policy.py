"""Policy: each rule, its code, what it saw, and the order of rules."""

from __future__ import annotations

from dataclasses import replace
from datetime import datetime, timedelta
from typing import Any

import pytest

from connector.model import ConsentState, Effect, EffectStatus, Purpose, ShopStatus
from flows.facts import Progress
from flows.policy import Allow, Defer, Drop, Person, check
from tests.engine.world import START, facts, order

MARKETING = [purpose for purpose in Purpose if purpose not in (Purpose.TRANSACTIONAL, Purpose.OTHER)]


def effect(purpose: Purpose = Purpose.TRANSACTIONAL, **more: Any) -> Effect:
    given: dict[str, Any] = {
        "shop_id": "shop1", "id": "run1:ask", "run_id": "run1", "flow_id": "f", "version": "v", "step_id": "ask",
        "kind": "message", "purpose": purpose, "request": {"template": "t", "channel": "email", "to": "customer"},
        "status": EffectStatus.PENDING, "due_at": START, "created_at": START, "order_id": "o1", "channel": "email",
    }  # fmt: skip
    return Effect(**{**given, **more})


AINO = Person(address_key="aino@example.com", consent=ConsentState.GRANTED, consent_source="checkout", consent_at=START)
STRANGER = Person(address_key="aino@example.com")


def stopped(scope: str, reason: str) -> Person:
    return replace(AINO, suppressions=((scope, reason, START),))


@pytest.mark.parametrize("purpose", [Purpose.TRANSACTIONAL, *MARKETING])
def test_nothing_objects(purpose: Purpose) -> None:
    found = check(effect(purpose), facts(), AINO, START)
    assert isinstance(found, Allow)
    assert found.code == "allowed"
    assert ("consent" in found.detail) is (purpose is not Purpose.TRANSACTIONAL)
    assert "aino" not in repr(found)


def test_a_paused_shop_waits_an_uninstalled_one_is_over() -> None:
    paused = check(effect(), facts(), replace(AINO, shop_status=ShopStatus.PAUSED), START)
    assert isinstance(paused, Defer)
    assert (paused.code, paused.until) == ("shop_paused", START + timedelta(minutes=15))
    gone = check(effect(), facts(), replace(AINO, shop_status=ShopStatus.UNINSTALLED), START)
    assert isinstance(gone, Drop)
    assert gone.code == "shop_uninstalled"


def test_an_order_that_has_not_come_is_waited_for_a_day() -> None:
    unknown = facts(order=None)
    early = check(effect(), unknown, AINO, START)
    assert early == Defer(early.until, "order_unknown", early.reason, early.detail)  # type: ignore[union-attr]
    assert isinstance(early, Defer)
    assert early.until == START + timedelta(minutes=15)
    last = check(effect(), unknown, AINO, START + timedelta(hours=23, minutes=50))
    assert isinstance(last, Defer)
    assert last.until == START + timedelta(hours=24)
    over = check(effect(), unknown, AINO, START + timedelta(hours=24))
    assert isinstance(over, Drop)
    assert over.code == "order_unknown"
    assert isinstance(check(effect(order_id=None), unknown, AINO, START), Allow)


def test_no_address() -> None:
    found = check(effect(), facts(), replace(AINO, address_key=None), START)
    assert isinstance(found, Drop)
    assert (found.code, found.detail["to"]) == ("no_address", "customer")


@pytest.mark.parametrize(
    ("scope", "reason", "transactional", "review"),
    [
        ("all", "unsubscribe", True, False),
        ("marketing", "unsubscribe", True, False),
        ("review", "unsubscribe", True, False),
        ("referral", "unsubscribe", True, True),
        ("all", "hard_bounce", False, False),
        ("all", "complaint", False, False),
        ("marketing", "complaint", False, False),
        ("all", "manual", False, False),
        ("marketing", "manual", True, False),
        ("review", "manual", True, False),
    ],
)
def test_suppressions(scope: str, reason: str, transactional: bool, review: bool) -> None:
    for purpose, allowed in ((Purpose.TRANSACTIONAL, transactional), (Purpose.REVIEW, review)):
        found = check(effect(purpose), facts(), stopped(scope, reason), START)
        assert isinstance(found, Allow if allowed else Drop), purpose
        if isinstance(found, Drop):
            assert found.code == "suppressed"
            assert found.detail["reason"] == reason


@pytest.mark.parametrize(
    ("seen", "code"),
    [
        (facts(order=order(is_test=True)), "test_order"),
        (facts(progress=Progress(cancelled=True)), "order_cancelled"),
        (facts(progress=Progress(refunded=True)), "order_refunded"),
        (facts(progress=Progress(returned=True)), "order_returned"),
    ],
)
@pytest.mark.parametrize("purpose", MARKETING)
def test_an_undone_purchase_stops_all_but_transactional(seen: Any, code: str, purpose: Purpose) -> None:
    found = check(effect(purpose), seen, AINO, START)
    assert isinstance(found, Drop)
    assert found.code == code
    assert isinstance(check(effect(), seen, AINO, START), Allow)
    reward = effect(purpose, kind="platform", request={"do": "create_discount"})
    assert isinstance(check(reward, seen, AINO, START), Drop)


def test_nobody_is_asked_for_a_review_twice_but_everyone_is_thanked() -> None:
    seen = facts(progress=Progress(reviewed_at=START))
    found = check(effect(Purpose.REVIEW), seen, AINO, START)
    assert isinstance(found, Drop)
    assert found.code == "already_reviewed"
    thanks = effect(Purpose.REVIEW, request={"template": "t", "to": "customer", "after_review": True})
    assert isinstance(check(thanks, seen, AINO, START), Allow)
    publish = effect(Purpose.REVIEW, kind="platform", request={"do": "publish_review"})
    assert isinstance(check(publish, seen, AINO, START), Allow)
    assert isinstance(check(effect(Purpose.REFERRAL), seen, AINO, START), Allow)


@pytest.mark.parametrize(
    ("state", "soft", "code"),
    [
        (ConsentState.GRANTED, False, ""),
        (ConsentState.UNKNOWN, False, "no_consent"),
        (ConsentState.PENDING, False, "no_consent"),
        (ConsentState.OTHER, False, "no_consent"),
        (ConsentState.WITHDRAWN, False, "consent_withdrawn"),
        (ConsentState.UNKNOWN, True, ""),
        (ConsentState.PENDING, True, "no_consent"),
        (ConsentState.OTHER, True, "no_consent"),
        (ConsentState.WITHDRAWN, True, "consent_withdrawn"),
    ],
)
@pytest.mark.parametrize("purpose", MARKETING)
def test_consent(state: ConsentState, soft: bool, code: str, purpose: Purpose) -> None:
    person = replace(STRANGER, consent=state, soft_opt_in=soft)
    found = check(effect(purpose), facts(), person, START)
    if code:
        assert isinstance(found, Drop)
        assert (found.code, found.detail["consent"]) == (code, str(state))
    else:
        assert isinstance(found, Allow)
        assert found.detail["soft_opt_in"] == ("true" if soft else "false")
    assert isinstance(check(effect(), facts(), person, START), Allow)


@pytest.mark.parametrize(
    ("purpose", "limit"), [(Purpose.TRANSACTIONAL, timedelta(days=7)), (Purpose.REVIEW, timedelta(hours=48))]
)
def test_too_late(purpose: Purpose, limit: timedelta) -> None:
    assert isinstance(check(effect(purpose), facts(), AINO, START + limit), Allow)
    found = check(effect(purpose), facts(), AINO, START + limit + timedelta(seconds=1))
    assert isinstance(found, Drop)
    assert found.code == "too_late"


def test_platform_effects_need_no_person_and_are_never_too_late() -> None:
    code = effect(Purpose.REVIEW, kind="platform", request={"do": "create_discount"})
    nobody = Person(suppressions=(("all", "hard_bounce", START),))
    assert isinstance(check(code, facts(), nobody, START + timedelta(days=30)), Allow)


def test_the_first_rule_decides() -> None:
    worst = replace(
        stopped("all", "complaint"), shop_status=ShopStatus.PAUSED, consent=ConsentState.WITHDRAWN, address_key=None
    )
    late: datetime = START + timedelta(days=30)
    seen = facts(progress=Progress(cancelled=True, reviewed_at=START))
    found = check(effect(Purpose.REVIEW), seen, worst, late)
    assert isinstance(found, Defer)
    codes = []
    for person in (
        replace(worst, shop_status=ShopStatus.ACTIVE),
        replace(worst, shop_status=ShopStatus.ACTIVE, address_key="a@example.com"),
        replace(worst, shop_status=ShopStatus.ACTIVE, address_key="a@example.com", suppressions=()),
    ):
        verdict = check(effect(Purpose.REVIEW), seen, person, late)
        assert isinstance(verdict, Drop)
        codes.append(verdict.code)
        assert verdict.reason
    assert codes == ["no_address", "suppressed", "order_cancelled"]
