"""A look back does what the product does: the same messages at the same times, dropped for the same reasons."""

from __future__ import annotations

from dataclasses import replace
from datetime import timedelta
from pathlib import Path

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from connector.errors import ConfigError
from connector.model import Channel, ConsentState, EventKind
from connector.simulate import twins
from connector.simulate.story import Moment
from connector.testing.histories import Habits, History
from flows import engine, policy
from flows.catalog import library_names
from tests.simulate.product import BEGIN, essence, looked_back, moments, playbook, really, window, without_subject

ODD = Habits(
    days=60, cancelled=0.15, refunded=0.2, returned=0.15, reviewed=0.3, withdrew=0.3, in_parts=0.4, further_orders=2
)


BOOK = playbook()


def past(seed: int, orders: int = 6) -> list[list[Moment]]:
    shop = BOOK.settings.shop
    return [moments(told) for told in History(shop, BEGIN, seed=seed, habits=ODD).people(orders)]


def both(people: list[list[Moment]]) -> tuple[set[tuple[str, ...]], set[tuple[str, ...]]]:
    book, within = BOOK, window(150)
    together = [moment for person in people for moment in person]
    return essence(looked_back(book, people, within).deeds), without_subject(really(book, together, within))


@settings(max_examples=12, deadline=None, suppress_health_check=[HealthCheck.too_slow])
@given(seed=st.integers(0, 10**6))
def test_the_same_messages_at_the_same_times(seed: int) -> None:
    ours, theirs = both(past(seed))
    assert ours == theirs
    assert essence(looked_back(BOOK, past(seed), window(150), exact=True).deeds) == ours
    assert len(ours) > 5


WAITING = {
    "winback.toml": """
id = "winback"
trigger = { silence = "20d", after = "order.created" }
purpose = "referral"
reentry = { every = "30d" }
cancel_on = ["order.created"]
steps = [{ id = "miss", do = "send", template = "referral_invite" }]
""",
    "year.toml": """
id = "anniversary"
trigger = { date = "order.placed_at", offset = "60d", at = "10:00" }
purpose = "review"
steps = [{ id = "greet", do = "send", template = "review_request" }]
""",
    "lines.toml": """
id = "care"
trigger = "order.delivered"
purpose = "review"
subject = "line_item"
steps = [
  { id = "use", do = "wait", span = "3d", at = "09:00" },
  { id = "tip", do = "send", template = "review_request", when = ["line.quantity > 0"] },
]
""",
}


@pytest.mark.parametrize("seed", range(3))
def test_flows_that_wait_for_time_and_lines_too(seed: int, tmp_path: Path) -> None:
    for name, text in WAITING.items():
        (tmp_path / name).write_text(text)
    book = playbook(WAITING, folder=tmp_path)
    people = past(seed)
    ours = essence(looked_back(book, people, window(200)).deeds)
    theirs = without_subject(really(book, [moment for person in people for moment in person], window(200)))
    assert ours == theirs
    assert {each[1] for each in ours} == {"winback", "anniversary", "care"}


@pytest.mark.parametrize("query", ["effect_defer", "effect_settle", "run_save"])
def test_a_query_without_its_twin_costs_time_and_nothing_else(
    query: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """SQLite then changes rows that twins made before and change again."""
    for name, text in WAITING.items():
        (tmp_path / name).write_text(text)
    book, people = playbook(WAITING, folder=tmp_path), past(1)
    ours = essence(looked_back(book, people, window(200)).deeds)
    monkeypatch.delitem(twins.WRITES, query)
    assert essence(looked_back(book, people, window(200)).deeds) == ours


def test_flows_wait_for_one_another_as_they_do_there(tmp_path: Path) -> None:
    """The caps between flows are part of what is compared: without them more would be sent at other times."""
    for name in ("first.toml", "second.toml"):
        text = (
            f'id = "{name.removesuffix(".toml")}"\ntrigger = "order.delivered"\npurpose = "review"\n'
            'steps = [{ id = "ask", do = "send", template = "review_request" }]\n'
        )
        (tmp_path / name).write_text(text)
    people = past(2, orders=12)
    together = [moment for person in people for moment in person]
    capped, free = (playbook(("first.toml", "second.toml"), tmp_path, **more) for more in ({}, NO_CAP))
    with_cap, without = (essence(looked_back(book, people, window(150)).deeds) for book in (capped, free))
    assert with_cap == without_subject(really(capped, together, window(150)))
    assert without == without_subject(really(free, together, window(150)))
    assert len({each[0] for each in with_cap}) > len({each[0] for each in without})


PARCELS = """
id = "parcels"
trigger = "order.paid"
purpose = "transactional"
cancel_on = ["order.cancelled"]
steps = [
  { id = "rest", do = "wait", span = "4d" },
  { id = "away", do = "send", template = "order_confirmation", when = ["progress.parcels > 0"] },
  { id = "here", do = "send", template = "shipment_delivered", when = ["progress.delivered_at != null"] },
]
"""


SILENT = """
id = "silent"
trigger = { silence = "9d", after = "order.created" }
purpose = "transactional"
reentry = "ignore"
cancel_on = ["order.created"]
steps = [
  { id = "one", do = "send", template = "order_confirmation", when = ["customer.lifetime.orders >= 1"] },
  { id = "rest", do = "wait", span = "6d" },
  { id = "two", do = "send", template = "order_confirmation", when = ["customer.lifetime.orders >= 1"] },
]
"""


@pytest.mark.parametrize("flows", [("order_confirmation",), ("parcels.toml",), ("silent.toml",)])
def test_news_that_no_flow_listens_to_is_known_in_time(flows: tuple[str, ...], tmp_path: Path) -> None:
    (tmp_path / "parcels.toml").write_text(PARCELS)
    (tmp_path / "silent.toml").write_text(SILENT)
    book = playbook(flows, tmp_path)
    people = past(4, orders=12)
    ours = essence(looked_back(book, people, window(150)).deeds)
    assert ours == without_subject(really(book, [moment for person in people for moment in person], window(150)))
    steps = {"parcels": {"away", "here"}, "order-confirmation": {"confirm"}, "silent": {"one", "two"}}
    wanted = steps[next(iter(ours))[1]]
    assert {each[2] for each in ours} == wanted


def loads(name: str) -> bool:
    """Whether a flow of the library needs nothing that this shop's file does not have (a segment, an address)."""
    try:
        return bool(playbook([name]).flows())
    except ConfigError:
        return False


def test_the_whole_library_does_the_same() -> None:
    names = [name for name in library_names() if loads(name)]
    assert len(names) > 15
    book = playbook(names)
    people = past(2, orders=8)
    ours = essence(looked_back(book, people, window(400)).deeds)
    assert ours == without_subject(really(book, [moment for person in people for moment in person], window(400)))
    assert len({each[1] for each in ours}) > 5


NO_CAP = {"limits": {"email": {"cap": "0s"}}}


def test_every_kind_of_end_is_among_them() -> None:
    """The comparison would say little if nobody ever refused, returned or wrote a review."""
    told = [moment.events[0] for seed in range(6) for person in past(seed) for moment in person]
    kinds = {event.kind for event in told}
    wanted = {EventKind.ORDER_CANCELLED, EventKind.REFUND_CREATED, EventKind.RETURN_REQUESTED}
    assert wanted | {EventKind.REVIEW_SUBMITTED, EventKind.CONSENT_WITHDRAWN, EventKind.SHIPMENT_DELIVERED} <= kinds
    ours, _ = both(past(1, orders=12))
    assert {each[3] for each in ours} == {"sent", "skipped"}


@pytest.mark.parametrize("planted", ["consent", "cancel", "late"])
def test_a_planted_difference_is_found(planted: str, monkeypatch: pytest.MonkeyPatch) -> None:
    """The negative control: a policy that forgets a rule, an engine deaf to cancellations, a clock that lags."""
    people = past(1, orders=12)
    book, within = BOOK, window(150)
    theirs = without_subject(really(book, [moment for person in people for moment in person], within))
    if planted == "late":
        people = [[replace(moment, at=moment.at + timedelta(minutes=2)) for moment in person] for person in people]
    elif planted == "cancel":
        monkeypatch.setattr(engine, "cancel", lambda flow, run, kind, now: engine.Transition(run))
    else:
        rules = tuple(rule for rule in policy._LAWFUL if rule.__name__ != "_consent")
        monkeypatch.setattr(policy, "_LAWFUL", rules)
    assert essence(looked_back(book, people, within).deeds) != theirs
    assert essence(looked_back(book, people, within, exact=True).deeds) != theirs


def test_consent_counts_as_it_was() -> None:
    """Who said no in May had not said it in April."""
    for seed in range(40):
        for person in past(seed):
            told = [event for moment in person for event in moment.events if event.consent is not None]
            no = [event for event in told if event.consent and event.consent.state is ConsentState.WITHDRAWN]
            if not no:
                continue
            assert no[0].consent is not None
            assert no[0].consent.channel is Channel.EMAIL
            deeds = looked_back(BOOK, [person], window(150)).deeds
            marketing = [deed for deed in deeds if deed.purpose != "transactional"]
            written = [deed for deed in marketing if deed.kind == "message" and deed.state == "sent"]
            assert all(deed.at < no[0].at for deed in written)
            if written and any(deed.why for deed in marketing):
                return
    pytest.fail("no history has a message before a no and something kept back after it")


def test_what_was_before_the_window_starts_nothing() -> None:
    person = past(3)[0]
    within = replace(window(150), since=person[-1].at + timedelta(seconds=1))
    lived = looked_back(BOOK, [person], within)
    assert not lived.deeds
    assert looked_back(BOOK, [person], window(150)).deeds
