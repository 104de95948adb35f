"""Caps, quiet hours, priorities and budgets on the real outbox and store, against oracles that only see what was wanted
and what was sent; and the test of the test: policies with a bug in them are caught."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import replace
from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from connector.model import EffectStatus, Purpose
from connector.store import pace, runs
from connector.store.sql import load_queries
from connector.store.sqlite import SqliteTx
from connector.store.store import Store
from flows import outbox, policy
from flows.catalog import Catalog
from flows.limits import fairness, reach
from flows.limits.verdicts import Case, Defer, Drop, Fairness, Verdict
from tests.engine.fair_world import (
    ORDER_MAIL,
    SHOPS,
    START,
    FairWorld,
    Wanted,
    a_story,
    address,
    broken,
    play,
    without_rendering,
)


@pytest.fixture(autouse=True)
def plain() -> Iterator[None]:
    with without_rendering():
        yield


@pytest.fixture
def tell(tmp_path: Path) -> Callable[..., set[str]]:
    """What a story breaks, in a world of its own."""

    def one(story: list[Wanted]) -> set[str]:
        store = Store.open("sqlite://:memory:")
        try:
            world = FairWorld(tmp_path, store)
            play(world, story)
            return broken(world, story)
        finally:
            store.close()

    return one


@settings(max_examples=15, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(seed=st.integers(0, 10**6))
def test_no_story_breaks_a_promise(tell: Callable[..., set[str]], seed: int) -> None:
    assert tell(a_story(seed)) == set()


# -- bugs planted in policy: each must be caught ----------------------------------------------------------------------


def _only_own_shop(patch: pytest.MonkeyPatch) -> None:
    patch.setattr(Catalog, "shops_beside", lambda self, shop_id: (shop_id,))


def _only_own_flow(patch: pytest.MonkeyPatch) -> None:
    reached = pace.reached

    def of_flow(tx: Any, shops: Any, key: str, channel: str, but: str) -> list[pace.Contact]:
        mine = runs.get(tx, SHOPS[0], but.partition(":")[0]) or runs.get(tx, SHOPS[1], but.partition(":")[0])
        found = reached(tx, shops, key, channel, but)
        return [each for each in found if mine is not None and each.flow_id == mine.flow_id]

    patch.setattr(pace, "reached", of_flow)


def _no_cap(patch: pytest.MonkeyPatch) -> None:
    _rules_without(patch, fairness.distance)


def _shorter_cap(patch: pytest.MonkeyPatch) -> None:
    patch.setattr(fairness, "slot", lambda rule, cap, ignored: cap - timedelta(minutes=1))


def _mail_cap_for_all(patch: pytest.MonkeyPatch) -> None:
    patch.setattr(fairness, "slot", lambda rule, cap, ignored: timedelta(hours=16))


def _no_quiet(patch: pytest.MonkeyPatch) -> None:
    _rules_without(patch, fairness.quiet)


def _cap_into_the_night(patch: pytest.MonkeyPatch) -> None:
    _rules_without(patch, fairness.quiet)
    patch.setattr(fairness, "opening", lambda fair, at: at)


def _shops_zone(patch: pytest.MonkeyPatch) -> None:
    _facts_with(patch, lambda found: replace(found, zone="Europe/Helsinki"))


def _capped_is_dropped(patch: pytest.MonkeyPatch) -> None:
    def drop(case: Case, fair: Fairness, until: Any, code: str, reason: str, detail: Any) -> Verdict:
        return Drop(code, reason, detail)

    patch.setattr(fairness, "_wait", drop)


def _dropped_when_it_would_be_too_late(patch: pytest.MonkeyPatch) -> None:
    wait = fairness._wait

    def early(case: Case, fair: Fairness, until: Any, code: str, reason: str, detail: Any) -> Verdict:
        late = until > case.effect.created_at + fair.limits.patience
        return Drop(code, reason, detail) if late else wait(case, fair, until, code, reason, detail)

    patch.setattr(fairness, "_wait", early)


def _waits_for_ever(patch: pytest.MonkeyPatch) -> None:
    def wait(case: Case, fair: Fairness, until: Any, code: str, reason: str, detail: Any) -> Verdict:
        return Defer(fairness.opening(fair, until), code, reason, detail)

    patch.setattr(fairness, "_wait", wait)
    patch.setattr(policy, "_too_late", lambda case: None)


def _nobody_outranks(patch: pytest.MonkeyPatch) -> None:
    _rules_without(patch, fairness.outranked)
    patch.setattr(outbox.Outbox, "in_order", lambda self, waiting: list(waiting))


def _upside_down(patch: pytest.MonkeyPatch) -> None:
    priority = Catalog.priority
    patch.setattr(Catalog, "priority", lambda self, shop, flow: 100 - priority(self, shop, flow))


def _order_mail_is_capped(patch: pytest.MonkeyPatch) -> None:
    patch.setattr(policy, "limited", lambda effect: effect.kind == "message")


def _marketing_is_not_asked_about(patch: pytest.MonkeyPatch) -> None:
    patch.setattr(policy, "limited", lambda effect: effect.purpose is Purpose.REVIEW)


def _nothing_on_record(patch: pytest.MonkeyPatch) -> None:
    patch.setattr(outbox.Outbox, "_note", lambda *_: None)


def _rules_without(patch: pytest.MonkeyPatch, rule: Any) -> None:
    patch.setattr(policy, "_FAIR", tuple(each for each in policy._FAIR if each is not rule))


def _facts_with(patch: pytest.MonkeyPatch, change: Callable[[Fairness], Fairness]) -> None:
    look = reach.fairness_of

    def changed(*given_: Any) -> Fairness | None:
        found = look(*given_)
        return change(found) if found is not None else None

    patch.setattr(outbox, "fairness_of", changed)


PLANTED = [
    _only_own_shop,
    _only_own_flow,
    _no_cap,
    _shorter_cap,
    _mail_cap_for_all,
    _no_quiet,
    _cap_into_the_night,
    _shops_zone,
    _capped_is_dropped,
    _dropped_when_it_would_be_too_late,
    _waits_for_ever,
    _nobody_outranks,
    _upside_down,
    _order_mail_is_capped,
    _marketing_is_not_asked_about,
    _nothing_on_record,
]


@pytest.mark.parametrize("plant", PLANTED, ids=lambda plant: plant.__name__.strip("_"))
def test_a_planted_bug_is_caught(
    tell: Callable[..., set[str]], monkeypatch: pytest.MonkeyPatch, plant: Callable[[pytest.MonkeyPatch], None]
) -> None:
    plant(monkeypatch)
    assert any(tell(a_story(seed)) for seed in range(40))


# -- one thing after another ------------------------------------------------------------------------------------------


@pytest.fixture
def make(tmp_path: Path) -> Iterator[Callable[..., FairWorld]]:
    """`make(limits, flow={...})`: a world with those limits, and what app.toml says of a flow."""
    stores: list[Store] = []

    def one(limits: dict[str, Any] | None = None, **flows: Any) -> FairWorld:
        stores.append(Store.open("sqlite://:memory:"))
        return FairWorld(tmp_path, stores[-1], limits, **flows)

    yield one
    for store in stores:
        store.close()


def later(**span: float) -> Any:
    return START + timedelta(**span)


def statuses(world: FairWorld) -> list[str]:
    return [str(effect.status) for effect in world.rows()]


def test_two_flows_of_two_shops_want_the_same_slot(make: Callable[..., FairWorld]) -> None:
    world = make()
    low, high = (world.want(Wanted(START, shop, flow, 0)) for shop, flow in zip(SHOPS, ("low", "high"), strict=True))
    world.pass_until(later(minutes=1))
    assert [one.effect.id for one in world.sent] == [high]
    waiting = world.effect(low)
    assert (waiting.status, waiting.reason) == (
        EffectStatus.PENDING,
        "capped: the person has just heard from high of c-south",
    )
    noted = dict(world.journal(low))["deferred"]
    assert (noted["rule"], noted["by"]) == ("capped", "high of c-south")
    world.pass_until(later(hours=17))
    assert [one.effect.id for one in world.sent] == [high, low]
    assert world.sent[1].at - world.sent[0].at >= timedelta(hours=16)


def test_a_message_yields_to_one_that_is_due_and_not_in_its_batch(make: Callable[..., FairWorld]) -> None:
    world = make()
    low, high = world.want(Wanted(START, SHOPS[0], "low", 0)), world.want(Wanted(START, SHOPS[1], "high", 0))
    waiting = world.effect(low)
    with world.store.work.transaction() as tx:
        assert world.kiitos.outbox.prepare(tx, waiting, START) is None
    assert world.effect(low).reason == "outranked: high of c-south goes first"
    world.pass_until(later(minutes=10))
    assert [one.effect.id for one in world.sent] == [high]


def test_another_clients_shop_is_another_sender(make: Callable[..., FairWorld]) -> None:
    world = make()
    world.want(Wanted(START, SHOPS[0], "low", 0))
    world.want(Wanted(START, "other-east", "low", 0))
    world.pass_until(later(minutes=1))
    assert len(world.sent) == 2


def test_order_mail_passes_everything(make: Callable[..., FairWorld]) -> None:
    world = make({"daily": 1, "sms": {"quiet": "08:00-23:00"}}, orders={"canary": "0%"})
    for channel in ("email", "sms", "email", "sms"):
        world.want(Wanted(START, SHOPS[0], ORDER_MAIL, 0, channel))
    world.pass_until(START)
    assert len(world.sent) == 4
    assert [what for effect in world.rows() for what, _ in world.journal(effect.id)] == ["done", "completed"] * 4


def test_order_mail_costs_no_statement_more(make: Callable[..., FairWorld], monkeypatch: pytest.MonkeyPatch) -> None:
    asked: list[str] = []
    every = SqliteTx.all

    def listen(self: Any, query: str, **args: Any) -> Any:
        asked.append(query)
        return every(self, query, **args)

    monkeypatch.setattr(SqliteTx, "all", listen)

    def reads(flow: str) -> set[str]:
        world = make()
        for person in range(3):
            world.want(Wanted(START, SHOPS[0], flow, person))
        asked.clear()
        world.tick()
        assert len(world.sent) == 3
        return set(asked)

    ours = {name for name in load_queries("sqlite") if name.startswith(("pace_", "pause_", "held_", "objection_"))}
    assert reads(ORDER_MAIL) & ours == set()
    assert reads("low") & ours == {"pace_reached", "pace_rivals", "pace_sign", "pace_begun", "pause_of_shop"}


def test_a_budget_holds_what_exceeds_it_and_a_word_lets_it_go(make: Callable[..., FairWorld]) -> None:
    world = make({"daily": 2})
    for person in range(3):
        world.want(Wanted(START, SHOPS[0], "low", person))
    world.want(Wanted(START, SHOPS[0], "high", 3))
    world.pass_until(later(days=4))
    assert statuses(world) == ["sent", "sent", "held", "sent"], "each flow has a budget of its own"
    held = world.rows()[2]
    assert held.reason.startswith("over_budget: the flow has sent its 2 messages of today")
    with world.store.work.read() as tx:
        assert [(one.flow_id, one.total) for one in pace.held_counts(tx, SHOPS[0])] == [("low", 1)]
    world.release(SHOPS[0], "low")
    world.pass_until(world.clock.now())
    assert statuses(world) == ["sent"] * 4, "four days later it is not too late: a person decided"


def test_the_budget_is_of_a_day_where_the_shop_is(make: Callable[..., FairWorld]) -> None:
    world = make({"daily": 1})
    evening, morning = later(hours=12, minutes=59), later(hours=13, minutes=1)  # 23:59 and 00:01 in Helsinki
    world.want(Wanted(evening, SHOPS[0], "low", 0))
    world.want(Wanted(morning, SHOPS[0], "low", 1))
    world.want(Wanted(morning, SHOPS[0], "low", 2))
    world.pass_until(later(days=1))
    assert statuses(world) == ["sent", "sent", "held"]


def test_a_canary_is_always_the_same_people(make: Callable[..., FairWorld]) -> None:
    world = make(low={"canary": "50%"})
    shares = [reach.place("low", address(person)) for person in range(4)]
    assert any(share < 0.5 for share in shares)
    assert any(share >= 0.5 for share in shares)
    for person in range(4):
        world.want(Wanted(START, SHOPS[0], "low", person))
        world.want(Wanted(START, SHOPS[1], "low", person))
    world.pass_until(later(days=4))
    for person, share in enumerate(shares):
        both = {str(world.rows()[2 * person + shop].status) for shop in (0, 1)}
        assert both == ({"sent"} if share < 0.5 else {"held"})


def test_the_share_of_a_canary_is_what_it_says() -> None:
    within = sum(reach.place("win-back", f"person{n}@example.test") < 0.1 for n in range(5000))
    assert 400 < within < 600


def test_a_cancelled_run_takes_what_is_held_with_it(make: Callable[..., FairWorld]) -> None:
    world = make(low={"canary": "0%"})
    held = world.want(Wanted(START, SHOPS[0], "low", 0))
    world.pass_until(START)
    assert world.effect(held).status is EffectStatus.HELD
    with world.store.work.transaction() as tx:
        run = runs.get(tx, SHOPS[0], "run1")
        assert run is not None
        world.kiitos.runner.withdraw(tx, run, "stopped", START)
    assert world.effect(held).status is EffectStatus.SKIPPED
    world.release(SHOPS[0], "low")
    assert world.effect(held).status is EffectStatus.SKIPPED


def test_a_pause_holds_and_a_resumed_flow_goes_on(make: Callable[..., FairWorld]) -> None:
    world = make()
    with world.store.work.transaction() as tx:
        assert pace.pause(tx, SHOPS[0], "low", "by hand", START)
        assert not pace.pause(tx, SHOPS[0], "low", "again", START)
    first = world.want(Wanted(START, SHOPS[0], "low", 0))
    other = world.want(Wanted(START, SHOPS[1], "low", 1))
    world.pass_until(START)
    assert world.effect(first).reason == "flow_paused: the flow is paused: by hand"
    assert world.effect(other).status is EffectStatus.SENT, "the flow of the other shop goes on"
    with world.store.work.transaction() as tx:
        assert pace.resume(tx, SHOPS[0], "low")
    second = world.want(Wanted(START, SHOPS[0], "low", 2))
    world.pass_until(START)
    assert (world.effect(second).status, world.effect(first).status) == (EffectStatus.SENT, EffectStatus.HELD)


def test_a_message_whose_outcome_is_unknown_counts_and_is_not_put_off(make: Callable[..., FairWorld]) -> None:
    """Repeating it inside the provider's window is harmless, hours later it would be a second message."""
    world = make()
    world.repeatable = 3600.0
    first = world.want(Wanted(START, SHOPS[0], "low", 0))
    waiting = world.effect(first)
    with world.store.work.transaction() as tx:
        ready = world.kiitos.outbox.prepare(tx, waiting, START)
        assert ready is not None
        world.kiitos.outbox.unknown(tx, ready.effect, START, "no answer", idempotent_for=3600)
    other = world.want(Wanted(START, SHOPS[1], "high", 0))
    world.pass_until(later(minutes=5))
    assert [one.effect.id for one in world.sent] == [first]
    assert world.effect(other).reason.startswith("capped")
