"""Loading flows: every fault at once, each with its place; edits; versions; pinning."""

from __future__ import annotations

import json
from datetime import timedelta
from decimal import Decimal

import pytest

from connector.contracts import Access, CreatesDiscounts, DiscountRef, DiscountRequest, PlatformAdapter
from connector.model import Event, Purpose, Ref
from flows.definition import Flow, FlowEdits, FlowErrors, entry_key, shop_faults, subject_of
from tests.engine.world import AINO, LIBRARY, SHOP, START, TEMPLATES, event, flow_of, library, order, step_types

GOOD = """
id = "ask"
title = "Ask"
trigger = "order.shipped"
purpose = "review"
when = ["order.is_test == false"]
cancel_on = ["order.cancelled"]
[params]
wait = "10d"
reward = "5 EUR"
[[steps]]
id = "settle"
do = "wait"
span = "$wait"
[[steps]]
id = "ask"
do = "send"
template = "review_request"
[[steps]]
id = "reply"
do = "wait_for"
event = "review.submitted"
timeout = "7d"
[[steps]]
id = "code"
do = "create_discount"
value = "$reward"
when = ["steps.reply.outcome == 'event'"]
"""


def faults_of(text: str, edits: FlowEdits | list[FlowEdits] | None = None) -> tuple[str, ...]:
    with pytest.raises(FlowErrors) as caught:
        flow_of(text, templates=TEMPLATES, edits=edits)
    return caught.value.faults


def test_a_good_flow() -> None:
    flow = flow_of(GOOD, templates=TEMPLATES)
    assert (flow.id, flow.trigger, flow.purpose, flow.subject, flow.reentry) == (
        "ask", ("order.shipped",), Purpose.REVIEW, "order", "once",
    )  # fmt: skip
    assert flow.max_age == timedelta(days=3)
    assert [item.id for item in flow.steps] == ["settle", "ask", "reply", "code"]
    assert flow.index("reply") == 2
    assert flow.index("gone") is None
    assert flow.step("settle").step.span == timedelta(days=10)  # type: ignore[attr-defined]
    assert {"order.shipped", "order.cancelled", "review.submitted"} == flow.event_kinds
    assert len(flow.version) == 12


ELEVEN_FAULTS = """
id = "ask"
titel = "Ask"
trigger = "order.shiped"
purpose = "reveiw"
when = ["order.is_tset == false"]
[params]
wait = "10d"
[[steps]]
id = "settle"
do = "wait"
span = "$wiat"
[[steps]]
id = "ask"
do = "send"
template = "review_reqest"
[[steps]]
id = "ask"
do = "snd"
template = "review_request"
[[steps]]
id = "reply"
do = "wait_for"
event = "review.submited"
timeout = "7 days"
when = ["steps.code.code != ''"]
"""


def test_eleven_faults_are_eleven_lines() -> None:
    faults = faults_of(ELEVEN_FAULTS)
    expected = [
        "f.toml: titel: unknown key; did you mean 'title'?",
        "f.toml: trigger: no event kind 'order.shiped'; did you mean 'order.shipped'?",
        "f.toml: purpose: no such choice 'reveiw'; did you mean 'review'?",
        "f.toml: when: unknown path 'order.is_tset': order has no 'is_tset'; did you mean 'is_test'?",
        "f.toml: steps.settle.span: no parameter 'wiat'; did you mean 'wait'?",
        "f.toml: steps.ask.template: no template 'review_reqest'; did you mean 'review_request'?",
        "f.toml: steps.ask.id: two steps are called 'ask'",
        "f.toml: steps.ask.do: no step type 'snd'; did you mean 'send'?",
        "f.toml: steps.reply.when: unknown path 'steps.code.code': no earlier step 'code'",
        "f.toml: steps.reply.event: no event kind 'review.submited'; did you mean 'review.submitted'?",
        "f.toml: steps.reply.timeout: '7 days' is not a span such as 10d, 2h or 90s",
    ]
    for wanted in expected:
        assert any(fault.startswith(wanted) for fault in faults), wanted
    assert len(faults) == len(expected) == 11


@pytest.mark.parametrize(
    ("old", "new", "fault"),
    [
        ('id = "ask"\ntitle', "title", "f.toml: id: this key is missing"),
        ('id = "ask"\ntitle', 'id = "Ask me"\ntitle', "f.toml: id: write it in small letters"),
        ('trigger = "order.shipped"', "trigger = []", "f.toml: trigger: name at least one kind"),
        ('trigger = "order.shipped"', "trigger = 5", "f.toml: trigger: expected kinds of event or a table"),
        ('trigger = "order.shipped"', 'trigger = "mine"', "(a kind of your own begins with 'custom.')"),
        ('purpose = "review"', "", "f.toml: purpose: this key is missing"),
        ('purpose = "review"', 'purpose = "review"\nreentry = "twice"', "f.toml: reentry: no such choice 'twice'"),
        ('purpose = "review"', 'purpose = "review"\nsubject = "shipment"', "'order.shipped' names no shipment"),
        ('purpose = "review"', 'purpose = "review"\nmax_age = "3"', "f.toml: max_age: '3' is not a span"),
        ('purpose = "review"', 'purpose = "review"\nenabled = "no"', "f.toml: enabled: expected true or false"),
        ('cancel_on = ["order.cancelled"]', 'cancel_on = ["order.canceled"]', "did you mean 'order.cancelled'?"),
        ('wait = "10d"', 'wait = ["10d"]', "f.toml: params.wait: expected a text or a number"),
        ('wait = "10d"', "wait = inf", "f.toml: params.wait: expected a text or a number"),
        ('wait = "10d"', 'wait = "10x"', "f.toml: steps.settle.span: '10x' is not a span"),
        ('wait = "10d"', 'wait = "99999d"', "f.toml: steps.settle.span: '99999d' is longer than ten years"),
        ('wait = "10d"', 'wait = "99999999999999999999d"', "is longer than ten years"),
        ('wait = "10d"', "wait = 10", "f.toml: steps.settle.span: expected a span such as 10d, 2h or 90s, not 10"),
        ('span = "$wait"', "", "f.toml: steps.settle: say how long: 'span', 'from', 'at', 'days' or 'window'"),
        ('span = "$wait"', 'span = "1d"\nspam = 1', "f.toml: steps.settle.spam: 'wait' has no such key; did you mean"),
        ('span = "$wait"', 'span = "1d"\nat = "25:00"', "f.toml: steps.settle: at: expected a time of day"),
        ('span = "$wait"', 'span = "1d"\nfrom = "order.placedat"', "steps.settle.from: unknown path 'order.placedat'"),
        ('span = "$wait"', 'span = "1d"\nfrom = "order.id"', "steps.settle.from: order.id is text, not a time"),
        ('id = "settle"', "", "f.toml: steps[0].id: every step needs an id"),
        ('template = "review_request"', 'template = "review_request"\nto = "frend"', "did you mean 'friend'?"),
        ('template = "review_request"', 'template = "review_request"\nchannel = "mail"', "did you mean 'email'?"),
        ('template = "review_request"', "template = 7", "steps.ask.template: expected text, not 7"),
        ('event = "review.submitted"', 'event = "review.submited"', "steps.reply.event: no event kind"),
        ('event = "review.submitted"', "event = []", "steps.reply: event: name at least one kind"),
        ('reward = "5 EUR"', 'reward = "lots"', "value: expected 10 %, 5 EUR or free delivery, not 'lots'"),
        ('reward = "5 EUR"', 'reward = "120 %"', "steps.code: a percentage lies between 0 and 100, not 120"),
        ('reward = "5 EUR"', 'reward = "0 EUR"', "steps.code: an amount is more than nothing"),
        ('value = "$reward"', "", "steps.code: give exactly one of 'value', 'percent' and 'amount'"),
        ('value = "$reward"', 'value = "$reward"\npercent = 5', "give exactly one of"),
        ('value = "$reward"', "percent = nan", "steps.code.percent: expected a number, not nan"),
        ('value = "$reward"', 'amount = "5"', "steps.code.amount: expected an amount such as 5 EUR, not '5'"),
        ('value = "$reward"', 'value = "$reward"\nprefix = "th-anks"', "steps.code: prefix: up to 12 capital"),
        ('value = "$reward"', 'value = "$reward"\nusage_limit = true', "expected a whole number, not true"),
        ("steps.reply.outcome", "steps.code.outcome", "no earlier step 'code'"),
    ],
)
def test_each_fault_names_its_place(old: str, new: str, fault: str) -> None:
    assert old in GOOD
    faults = faults_of(GOOD.replace(old, new, 1))
    assert any(fault in line for line in faults), faults


def test_a_file_that_is_no_toml_or_has_no_steps() -> None:
    assert "this is not TOML" in faults_of("id = ")[0]
    assert "a flow needs at least one step" in faults_of(GOOD.split("[[steps]]")[0])[-1]


def test_own_event_kinds_are_written_with_their_prefix() -> None:
    flow = flow_of(GOOD.replace("order.shipped", "custom.course_begun"))
    assert flow.trigger == ("custom.course_begun",)


# -- edits ---------------------------------------------------------------------------------------------------------


def test_edits_change_params_remove_and_insert() -> None:
    edits = FlowEdits(
        params={"wait": "14d", "reward": "10 %"},
        remove=("reply", "code"),
        insert=(
            {"after": "ask", "id": "later", "do": "wait", "span": "30d"},
            {"before": "settle", "id": "tag", "do": "tag_order", "tag": "asked"},
        ),
    )
    flow = flow_of(GOOD, edits=edits)
    assert [item.id for item in flow.steps] == ["tag", "settle", "ask", "later"]
    assert flow.step("settle").step.span == timedelta(days=14)  # type: ignore[attr-defined]
    assert flow.params["reward"] == "10 %"


def test_edits_apply_layer_by_layer() -> None:
    agency = FlowEdits(insert=({"after": "code", "id": "more", "do": "wait", "span": "1d"},), enabled=False)
    client = FlowEdits(remove=("more",), params={"wait": "2d"}, enabled=True)
    flow = flow_of(GOOD, edits=[agency, client])
    assert flow.index("more") is None
    assert flow.enabled
    assert not flow_of(GOOD, edits=[agency]).enabled


def test_faulty_edits_point_at_the_operators_file() -> None:
    where = "app.toml:clients.acme.flows.ask"
    edits = FlowEdits(
        params={"wiat": "2d", "wait": "5 EUR", "reward": "much"},
        remove=("repply",),
        insert=(
            {"id": "x", "do": "wait", "span": "1d"},
            {"after": "cod", "id": "y", "do": "wait", "span": "1d"},
        ),
        where=where,
    )
    assert list(faults_of(GOOD, edits)) == [
        f"{where}: params.wiat: the flow has no such parameter; did you mean 'wait'?",
        f"{where}: params.wait: expected a span such as 10d, not '5 EUR'",
        f"{where}: params.reward: expected a reward such as 10 % or 5 EUR, not 'much'",
        f"{where}: remove: no step 'repply'; did you mean 'reply'?",
        f"{where}: insert[0]: needs exactly one of 'after' and 'before'",
        f"{where}: insert[1].after: no step 'cod'; did you mean 'code'?",
    ]


def test_removing_a_step_that_a_guard_reads_is_a_fault() -> None:
    assert "no earlier step 'reply'" in faults_of(GOOD, FlowEdits(remove=("reply",)))[0]


# -- version and pinning -------------------------------------------------------------------------------------------


def test_version_follows_what_the_flow_does() -> None:
    version = flow_of(GOOD).version
    assert flow_of(GOOD.replace('title = "Ask"', 'title = "Ask for a review"')).version == version
    assert flow_of(GOOD, edits=FlowEdits(enabled=False)).version == version
    assert flow_of("# a comment\n" + GOOD).version == version
    assert flow_of(GOOD.replace('wait = "10d"', 'wait = "11d"')).version != version
    assert flow_of(GOOD.replace("order.is_test == false", "order.is_test != true")).version != version
    assert flow_of(GOOD, edits=FlowEdits(remove=("code",))).version != version


def test_a_pinned_flow_is_the_same_flow() -> None:
    flow = flow_of(GOOD)
    again = Flow.from_json(flow.to_json(), step_types())
    assert again == flow
    assert again.version == flow.version
    assert again.to_json() == flow.to_json()
    assert json.loads(flow.to_json())["steps"][0] == {"id": "settle", "do": "wait", "when": [], "span": "10d"}


def test_a_pinned_flow_whose_step_type_is_gone_says_so() -> None:
    types = {name: cls for name, cls in step_types().items() if name != "create_discount"}
    with pytest.raises(FlowErrors, match=r"stored flow ask: steps\.code\.do: no step type 'create_discount'"):
        Flow.from_json(flow_of(GOOD).to_json(), types)


@pytest.mark.parametrize("name", sorted(path.stem for path in LIBRARY.glob("*.toml")))
def test_library_flows_load_and_pin(name: str) -> None:
    flow = library(name)
    assert flow.id == name.replace("_", "-")
    assert flow.title
    assert Flow.from_json(flow.to_json(), step_types()) == flow


def test_the_library_is_the_five_core_flows() -> None:
    assert {path.stem for path in LIBRARY.glob("*.toml")} >= {
        "order_confirmation", "delivery_updates", "review_request", "referral_invite", "referral_reward",
    }  # fmt: skip


# -- shops, subjects, entry keys -----------------------------------------------------------------------------------


class Plain(PlatformAdapter):
    name = "plain"

    def verify(self, inbound: object, endpoint: object) -> object:  # type: ignore[override]
        raise AssertionError

    def normalise(self, verified: object, body: bytes, shop: object) -> list[Event]:
        return []


class Rich(Plain, CreatesDiscounts):
    def create_discount(self, access: Access, request: DiscountRequest) -> DiscountRef:
        return DiscountRef(code=request.code, platform_id="d1")


def test_a_shop_that_cannot_run_a_flow_hears_why() -> None:
    flow = flow_of(GOOD)
    assert shop_faults(flow, SHOP, Rich()) == []
    (fault,) = shop_faults(flow, SHOP, Plain())
    assert fault == (
        "ask: steps.code: flow 'ask' cannot run in shop 'shop1': fake cannot do 'create_discount' "
        "(it lacks CreatesDiscounts)"
    )
    dollars = flow_of(GOOD.replace("5 EUR", "5 USD"))
    assert shop_faults(dollars, SHOP, Rich()) == ["ask: steps.code: the amount is in USD, shop 'shop1' sells in EUR"]


def test_subjects() -> None:
    flows = {
        name: flow_of(GOOD.replace("[params]", f'subject = "{name}"\n[params]', 1)) for name in ("order", "customer")
    }
    parcel_flow = library("delivery_updates")
    shipped = event("order.shipped", order=order())
    assert subject_of(flows["order"], shipped) == Ref("order", "o1")
    assert subject_of(flows["customer"], shipped) == Ref("customer", "c-1")
    guest = event("order.shipped", order=order(customer=None))
    found = subject_of(flows["customer"], guest, "aino@example.com")
    assert found is not None
    assert found.id.startswith("guest-")
    assert "aino" not in found.id
    assert subject_of(flows["customer"], guest) is None
    assert subject_of(parcel_flow, event("shipment.created", subject=Ref("shipment", "s1"))) == Ref("shipment", "s1")
    assert subject_of(parcel_flow, shipped) is None


def test_entry_keys() -> None:
    once, parcels = library("order_confirmation"), library("delivery_updates")
    assert entry_key(once, event("order.created"), Ref("order", "o1")) == "order/o1"
    assert entry_key(once, event("order.paid"), Ref("order", "o1")) == "order/o1"
    assert entry_key(parcels, event("shipment.delayed"), Ref("shipment", "s1")) == "shipment/s1/shipment.delayed"
    invite = library("referral_invite")
    guest = entry_key(invite, event("order.shipped"), Ref("customer", "guest-1"), "aino@example.com")
    registered = entry_key(invite, event("order.shipped"), Ref("customer", AINO.id or ""), "aino@example.com")
    assert guest == registered
    assert "aino" not in guest
    assert entry_key(invite, event("order.shipped"), Ref("customer", "c-1")) == "customer/c-1"


def test_numbers_and_lists_reach_their_fields() -> None:
    text = GOOD.replace('value = "$reward"', "percent = 7.5\nusage_limit = 0").replace(
        'event = "review.submitted"', 'event = ["review.submitted", "custom.answered"]'
    )
    flow = flow_of(text)
    assert flow.step("code").step.percent == Decimal("7.5")  # type: ignore[attr-defined]
    assert flow.step("reply").step.event == ("review.submitted", "custom.answered")  # type: ignore[attr-defined]
    assert START.tzinfo is not None
