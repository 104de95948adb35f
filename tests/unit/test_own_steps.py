"""Steps that speak to others than the customer, keep something of ours, or give: what they decide and refuse."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import datetime, timedelta
from decimal import Decimal
from typing import Any

import pytest

from connector.contracts import (
    Act,
    Arrived,
    Await,
    Done,
    EffectSkipped,
    GrantsStoreCredit,
    IssuesGiftCards,
    NotesCustomers,
    Sleep,
    Step,
    TagsCustomers,
    Woke,
    WritesOrders,
)
from connector.errors import Unsupported
from connector.model import Customer, Money
from connector.registry import Registry
from flows.definition import Flow, FlowErrors, load_flow
from flows.steps.call import Call
from flows.steps.grant import Grant
from flows.steps.note import Note
from flows.steps.notify import Notify
from flows.steps.send import Send
from flows.steps.set import Set
from flows.steps.tag import Tag
from flows.steps.task import DECIDED, Task
from flows.steps.wait import Wait
from flows.steps.wait_for import WaitFor
from tests.engine.world import START, facts, order
from tests.unit.test_steps import ACCESS, Plain

DAY = timedelta(days=1)
SEEN = facts(order=order(), run_id="r1", step_id="s1")
NOBODY = facts(order=order(email=None, customer=None), customer=None)


def request_of(decision: object, kind: str) -> Mapping[str, Any]:
    assert isinstance(decision, Act)
    assert decision.kind == kind
    return decision.request


# -- call ----------------------------------------------------------------------------------------------------------


def test_a_call_takes_its_fields_along_and_nothing_else() -> None:
    step = Call(endpoint="crm", fields=("order.number", "order.total", "order.placed_at", "order.tags", "order.note"))
    request = request_of(step.start(SEEN), "call")
    assert (request["to"], request["type"], request["answer"]) == ("crm", "flow.call", [])
    told = request["fields"]
    assert set(told) == set(step.fields)
    assert told["order.total"] == {"amount": str(order().total.amount), "currency": "EUR"}
    assert told["order.placed_at"].startswith("20")
    assert told["order.note"] is None
    assert "aino" not in str(request).lower(), "nothing of the person that nobody asked for"
    assert request["until"] == "2026-11-05T09:00:00.000000Z"


def test_what_a_call_names_is_known_when_the_flow_loads() -> None:
    step = Call(endpoint="crm", fields=("order.number",), answer=("score", "segment"))
    assert step.named() == {"endpoints": ("crm",)}
    assert step.paths() == ("order.number",)
    assert step.gives() == ("status", "score", "segment")


@pytest.mark.parametrize(
    ("keys", "fault"),
    [
        ({"answer": ("Score",)}, "answer: 'Score' is no name"),
        ({"answer": ("outcome",)}, "answer: 'outcome' is no name of a value, or one that every call has"),
        ({"answer": ("a.b",)}, "answer: 'a.b'"),
        ({"type": "Order Paid"}, "type: small letters"),
        ({"patience": timedelta()}, "patience"),
    ],
)
def test_calls_that_make_no_sense(keys: dict[str, Any], fault: str) -> None:
    with pytest.raises(ValueError, match=fault):
        Call(endpoint="crm", **keys)


# -- people --------------------------------------------------------------------------------------------------------


def test_a_notification_is_filled_in() -> None:
    step = Notify(to="anna", title="Order\n{order.number}", text="Look at {order.number}: {order.note}.")
    number = order().number
    request = request_of(step.start(SEEN), "notify")
    assert (request["title"], request["text"]) == (f"Order {number}", f"Look at {number}: .")
    assert (request["to"], step.named()) == ("anna", {"people": ("anna",)})
    assert step.paths() == ("order.number", "order.number", "order.note")


def test_a_task_asks_and_waits() -> None:
    step = Task(to="anna", ask="May {order.number} have 50 EUR?", timeout=2 * DAY, otherwise="refused")
    decision = step.start(SEEN)
    assert isinstance(decision, Await)
    assert (decision.kinds, decision.until) == ((DECIDED,), START + 2 * DAY)
    request = request_of(decision.beside, "notify")
    assert request["text"] == f"May {order().number} have 50 EUR?"
    assert (request["otherwise"], request["until"]) == ("refused", "2026-11-04T09:00:00.000000Z")


@pytest.mark.parametrize("answer", ["approved", "refused"])
def test_what_was_decided_is_the_outcome(answer: str) -> None:
    step = Task(to="anna", ask="?", timeout=DAY, otherwise="approved")
    said = {"answer": answer, "by": "anna", "via": "link", "at": "2026-11-02T10:00:00.000000Z"}
    assert step.resume(SEEN, Arrived(DECIDED, said)) == Done(answer, {k: v for k, v in said.items() if k != "answer"})
    late = step.resume(SEEN, Woke())
    assert isinstance(late, Done)
    assert (late.outcome, late.values["timed_out"], late.values["by"]) == ("approved", "true", "")


def test_a_task_says_what_silence_means() -> None:
    with pytest.raises(FlowErrors, match="'task' needs the key 'otherwise'"):
        loaded('do = "task"\nto = "anna"\nask = "?"\ntimeout = "2d"')
    with pytest.raises(FlowErrors, match="did you mean 'approved'"):
        loaded('do = "task"\nto = "anna"\nask = "?"\ntimeout = "2d"\notherwise = "aproved"')


# -- fields of ours ------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("step", "value"),
    [
        (Set(field="size", value="XL"), "XL"),
        (Set(field="size", value=" {order.number} "), order().number),
        (Set(field="orders", value="12.50", as_="number"), "12.50"),
        (Set(field="sunset", value="True", as_="bool"), "true"),
        (Set(field="seen", value="2026-11-02", as_="time"), "2026-11-02T00:00:00.000000Z"),
        (Set(field="seen", value="{order.placed_at}", as_="time"), None),
        (Set(field="size", clear=True), None),
    ],
)
def test_set_decides_what_is_kept(step: Set, value: str | None) -> None:
    request = request_of(step.start(SEEN), "record")
    assert request["field"] == step.field
    if value is not None or step.clear:
        assert request["value"] == value
    else:
        assert datetime.fromisoformat(request["value"]) == order().placed_at


@pytest.mark.parametrize(
    ("step", "reason"),
    [
        (Set(field="x", value="{order.note}"), "there is nothing to set"),
        (Set(field="x", value="{order.number}", as_="bool"), "the value is no bool"),
        (Set(field="x", value="{order.number}", as_="time"), "the value is no time"),
        (Set(field="x", value="{order.currency}", as_="number"), "the value is no number"),
    ],
)
def test_what_is_none_of_its_kind_changes_nothing(step: Set, reason: str) -> None:
    assert step.start(SEEN) == Done("skipped", {"reason": reason})


def test_a_field_needs_somebody() -> None:
    assert Set(field="x", value="1").start(NOBODY) == Done("skipped", {"reason": "there is nobody to keep it for"})


@pytest.mark.parametrize(
    ("keys", "fault"),
    [
        ({"field": "Size", "value": "x"}, "field: a letter"),
        ({"field": "size"}, "give 'value' or 'clear = true'"),
        ({"field": "size", "value": "x", "clear": True}, "give 'value' or 'clear = true'"),
        ({"field": "size", "value": "many", "as_": "number"}, "the value is no number"),
        ({"field": "size", "value": "Infinity", "as_": "number"}, "the value is no number"),
    ],
)
def test_fields_that_make_no_sense(keys: dict[str, Any], fault: str) -> None:
    with pytest.raises(ValueError, match=fault):
        Set(**keys)


# -- giving --------------------------------------------------------------------------------------------------------


def test_points_are_a_row_of_ours() -> None:
    step = Grant(what="points", points=100, expires=30 * DAY, reason="a review")
    request = request_of(step.start(SEEN), "record")
    assert request == {
        "do": "grant",
        "points": 100,
        "reason": "a review",
        "expires_at": "2026-12-02T09:00:00.000000Z",
    }
    assert (step.needs(), step.currencies()) == ((), ())
    assert Grant(what="points", points=1).start(NOBODY) == Done(
        "skipped", {"reason": "there is nobody to give them to"}
    )
    with pytest.raises(Unsupported):
        step.perform(Plain(), ACCESS, request, "k")


def test_money_is_given_by_the_step_that_can() -> None:
    credit = Grant(what="store_credit", amount=Money.parse("5", "EUR"))
    known = facts(order=order(), customer=Customer(id="c-1", email="aino@example.com"))
    request = request_of(credit.start(known), "platform")
    assert (request["do"], request["customer_id"], request["grant"]) == ("grant", "c-1", "store_credit")
    assert (credit.needs(), credit.currencies(), credit.costly) == ((GrantsStoreCredit,), ("EUR",), True)
    card = Grant(what="gift_card", amount=Money.parse("5", "EUR"))
    assert card.needs() == (IssuesGiftCards,)
    with pytest.raises(Unsupported):
        credit.perform(Plain(), ACCESS, request, "k")


@pytest.mark.parametrize(
    ("keys", "fault"),
    [
        ({"what": "points"}, "points: give 1 to"),
        ({"what": "points", "points": 5, "amount": Money.parse("5", "EUR")}, "no 'amount'"),
        ({"what": "points", "points": 5, "to": "advocate"}, "points are for the customer"),
        ({"what": "gift_card"}, "needs an 'amount'"),
        ({"what": "store_credit", "amount": Money.parse("5", "EUR"), "points": 1}, "no 'points'"),
        ({"what": "gift_card", "amount": Money.parse("0", "EUR")}, "more than nothing"),
    ],
)
def test_grants_that_make_no_sense(keys: dict[str, Any], fault: str) -> None:
    with pytest.raises(ValueError, match=fault):
        Grant(**keys)


@pytest.mark.parametrize(
    ("step", "needs"),
    [
        (Tag(tag="x"), WritesOrders),
        (Tag(tag="x", on="customer"), TagsCustomers),
        (Note(note="x"), WritesOrders),
        (Note(note="x", to="customer"), NotesCustomers),
    ],
)
def test_tag_and_note_need_what_they_do(step: Tag | Note, needs: type[Any]) -> None:
    assert step.needs() == (needs,)
    decision = step.start(facts(order=order(), customer=Customer(id="c-1")))
    assert request_of(decision, "platform")["do"] == step.do
    with pytest.raises(Unsupported):
        step.perform(Plain(), ACCESS, request_of(decision, "platform"), "k")


def test_a_note_to_the_customer_is_for_order_messages_only() -> None:
    step = 'do = "note"\nnote = "x"\nto = "customer"'
    assert loaded(step, purpose="transactional").steps[0].step.leaves_out_consent()
    with pytest.raises(FlowErrors, match="only for flows of purpose transactional"):
        loaded(step)
    assert not loaded('do = "note"\nnote = "x"').steps[0].step.leaves_out_consent()


# -- waiting -------------------------------------------------------------------------------------------------------


def loaded(step: str, *, purpose: str = "review", params: str = "") -> Flow:
    text = f'id = "f"\ntrigger = "order.paid"\npurpose = "{purpose}"\n[params]\n{params}\n[[steps]]\nid = "s"\n{step}\n'
    return load_flow(text, where="f.toml", registry_steps=Registry().steps)


def waiting(where: str, params: str = "") -> Step:
    return (
        loaded(f'do = "wait_for"\nevent = "review.submitted"\ntimeout = "7d"\nwhere = {where}', params=params)
        .steps[0]
        .step
    )


@pytest.mark.parametrize(
    ("where", "rating", "wanted"),
    [
        ("[]", "5", True),
        ('["event.rating <= 2"]', "2", True),
        ('["event.rating <= 2"]', "3", False),
        ('["event.rating <= 2", "event.kind == \'review.submitted\'"]', "1", True),
        ('["event.rating <= 2", "event.products > 1"]', "1", False),
        ('"event.rating >= $least"', "4", True),
        ('"event.rating >= $least"', "3", False),
        ('["event.word == $word"]', "5", False),
        ("[\"order.source != 'pos'\"]", "5", True),
    ],
)
def test_wait_for_an_event_that_meets_its_guards(where: str, rating: str, wanted: bool) -> None:
    step = waiting(where, 'least = 4\nword = "it\'s"')
    assert step.awaits(SEEN, Arrived("review.submitted", {"rating": rating})) is wanted


@pytest.mark.parametrize(
    ("where", "fault"),
    [
        ('["event.rating"]', "expected 'path op literal'"),
        ('["event.rating >= $leest"]', "no parameter 'leest'; did you mean 'least'?"),
        ('["ordr.total > 3"]', "did you mean 'order'"),
        ("[\"steps.s.outcome == 'x'\"]", "no earlier step"),
        ("[3]", "expected a text or a list of texts"),
    ],
)
def test_guards_on_the_event_are_checked_when_the_flow_loads(where: str, fault: str) -> None:
    with pytest.raises(FlowErrors, match=fault) as told:
        waiting(where, "least = 4")
    assert len(told.value.faults) == 1, "each fault once"


def test_a_stored_wait_for_is_the_same() -> None:
    step = 'do = "wait_for"\nevent = "review.submitted"\ntimeout = "7d"\nwhere = "event.rating >= $least"'
    flow = loaded(step, params="least = 4")
    assert Flow.from_json(flow.to_json(), Registry().steps) == flow
    assert isinstance(flow.steps[0].step, WaitFor)
    assert flow.steps[0].step.where == ("event.rating >= 4",)


@pytest.mark.parametrize(
    ("value", "days"),
    [("30d", 30), (timedelta(days=12), 12), (Decimal(9), 9), (7, 7), (None, 5), ("soon", 5), (-3, 5), (True, 5)],
)
def test_wait_for_as_long_as_a_path_says(value: object, days: int) -> None:
    step = Wait(span=5 * DAY, span_from="event.gap")
    seen = facts(event={"gap": value})  # type: ignore[dict-item]  # paths of other kinds give other types
    assert step.start(seen) == Sleep(START + days * DAY)
    assert step.paths() == ("event.gap",)
    with pytest.raises(ValueError, match="needs 'span' too"):
        Wait(span_from="event.gap", at="09:00")


# -- sending -------------------------------------------------------------------------------------------------------


def test_preferred_channels() -> None:
    step = Send(template="t", channels=("sms", "email"))
    assert step.start(SEEN) == Act(
        "message", {"template": "t", "channel": "sms", "to": "customer", "channels": ["sms", "email"]}
    )
    assert step.media() == ("sms", "email")
    assert Send(template="t").start(SEEN) == Act("message", {"template": "t", "channel": "email", "to": "customer"})
    with pytest.raises(ValueError, match="each once"):
        Send(template="t", channels=("sms", "sms"))
    with pytest.raises(FlowErrors, match="no such choice 'fax'"):
        loaded('do = "send"\ntemplate = "t"\nchannels = ["sms", "fax"]')


@pytest.mark.parametrize("name", ["call", "notify", "task", "set"])
def test_none_of_them_is_marketing(name: str) -> None:
    """They go on after a refund: nobody's consent bears on them (`flows.sending.aside`)."""
    assert Registry().steps[name].purpose == "transactional"  # type: ignore[attr-defined]


def test_a_step_that_was_not_carried_out_says_so() -> None:
    assert Call(endpoint="crm").resume(SEEN, EffectSkipped("shop_paused")) == Done("skipped", {"reason": "shop_paused"})
