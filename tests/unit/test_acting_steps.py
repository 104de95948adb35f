"""Steps that act on the store: what they ask for, and why a flow that asks for too much does not load."""

from __future__ import annotations

import base64
from abc import ABC
from collections.abc import Sequence
from pathlib import Path
from typing import Any, ClassVar

import pytest

from connector.app import build
from connector.clock import ManualClock
from connector.config import parse_config
from connector.contracts import (
    Access,
    Act,
    CreatesDiscounts,
    Done,
    GrantsStoreCredit,
    PlatformAdapter,
    TagsCustomers,
    TellsScopes,
)
from connector.contracts.step import CODE_LETTERS
from connector.errors import ConfigError, Unsupported
from connector.model import Event, EventKind, Ref, Shop
from connector.registry import Registry
from connector.store import scopes
from connector.store.store import Store
from connector.testing.world import SHOPIFY, document
from flows.definition import Flow, FlowErrors, load_flow, scope_faults, shop_faults
from tests.journeys.acting import START
from tests.journeys.bare import ENVIRON

STEPS = Registry().steps
SHOP = Shop(id="demo-x", client_id="demo", platform="plain", domain="x.test", name="X")
HEAD = """
id = "{id}"
title = "T"
trigger = "order.created"
purpose = "{purpose}"
subject = "order"
reentry = "once"

[[steps]]
id = "act"
do = "{do}"
{keys}
"""
KEYS = {
    "issue_store_credit": 'amount = "5 EUR"',
    "issue_gift_card": 'amount = "5 EUR"',
    "tag_customer": 'tag = "gold"',
    "set_meta": 'key = "nps"\nvalue = "{order.id}"',
    "note_customer": 'note = "Kiitos {order.number}"',
    "resend_shop_mail": "",
}


def flow_of(do: str, keys: str | None = None, purpose: str = "transactional") -> Flow:
    text = HEAD.replace("{id}", "f").replace("{purpose}", purpose).replace("{do}", do)
    return load_flow(text.replace("{keys}", KEYS[do] if keys is None else keys), where="f.toml", registry_steps=STEPS)


class Context:
    """A step's view with only these values."""

    now = START
    run_id, step_id = "r", "act"

    def __init__(self, **values: Any) -> None:
        self.values = {name.replace("__", "."): value for name, value in values.items()}

    def get(self, path: str) -> Any:
        return self.values.get(path)

    def code(self, prefix: str, length: int = CODE_LETTERS) -> str:
        return prefix + "7" * length


class Plain(PlatformAdapter):
    name: ClassVar[str] = "plain"

    def verify(self, inbound: Any, endpoint: Any) -> Any:
        raise AssertionError

    def normalise(self, verified: Any, body: bytes, shop: Shop) -> Sequence[Event]:
        return ()


class Codes(Plain, CreatesDiscounts):
    def create_discount(self, access: Access, request: Any) -> Any:
        raise AssertionError


class Scoped(Plain, TagsCustomers, TellsScopes):
    def tag_customer(self, access: Access, customer_id: str, tag: str) -> None:
        raise AssertionError

    def granted_scopes(self, access: Access) -> Sequence[str]:
        raise AssertionError

    def scopes_for(self, capability: type[ABC]) -> Sequence[Sequence[str]]:
        return (("write_people", "write_all"),) if capability is TagsCustomers else ()


# -- decisions -----------------------------------------------------------------------------------------------------


def test_what_the_steps_ask_for() -> None:
    known = {"order__id": "1", "order__number": "#7", "customer__id": "9"}
    asked = {}
    for do in KEYS:
        decision = flow_of(do).steps[0].step.start(Context(**known))
        assert isinstance(decision, Act), do
        asked[do] = {name: value for name, value in decision.request.items() if name not in ("do", "grant", "card")}
        assert decision.request["do"] == do
    assert asked == {
        "issue_store_credit": {"customer_id": "9", "amount": {"amount": "5", "currency": "EUR"}, "notify": False},
        "issue_gift_card": {},
        "tag_customer": {"customer_id": "9", "tag": "gold"},
        "set_meta": {"owner": "order", "owner_id": "1", "key": "nps", "value": "1"},
        "note_customer": {"order_id": "1", "note": "Kiitos #7"},
        "resend_shop_mail": {"order_id": "1", "mail": "order_details"},
    }


@pytest.mark.parametrize("do", [do for do in KEYS if do != "issue_gift_card"])
def test_without_anybody_to_act_for_they_are_skipped(do: str) -> None:
    decision = flow_of(do).steps[0].step.start(Context())
    assert isinstance(decision, Done)
    assert (decision.outcome, bool(decision.values["reason"])) == ("skipped", True)


def test_a_gift_card_has_a_code_that_shops_take() -> None:
    decision = flow_of("issue_gift_card").steps[0].step.start(Context(customer__id="9"))
    assert isinstance(decision, Act)
    card = decision.request["card"]
    assert (card["code"], card.get("customer_id")) == ("7" * CODE_LETTERS, None)
    assert 8 <= CODE_LETTERS <= 20, "what Shopify takes"


@pytest.mark.parametrize("do", list(KEYS))
def test_a_platform_that_cannot_is_told_apart_even_then(do: str) -> None:
    clock = ManualClock(START)
    access = Access(shop=SHOP, secrets={}, clock=clock)
    request = {"customer_id": "9", "order_id": "1", "amount": {"amount": "5", "currency": "EUR"}, "card": {}}
    with pytest.raises(Unsupported):
        flow_of(do).steps[0].step.perform(Plain(), access, request, "k")


# -- loading -------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("do", "keys", "sentence"),
    [
        ("issue_store_credit", 'amount = "0 EUR"', "more than nothing"),
        ("issue_gift_card", 'amount = "-1 EUR"', "more than nothing"),
        ("set_meta", 'key = "NPS!"\nvalue = "1"', "key:"),
        ("set_meta", 'key = "nps"\nvalue = "{order.nonsense}"', "order.nonsense"),
        ("issue_store_credit", 'amount = "5 EUR"\nto = "friend"', "friend"),
    ],
)
def test_a_wrong_key_is_named(do: str, keys: str, sentence: str) -> None:
    with pytest.raises(FlowErrors, match=sentence):
        flow_of(do, keys)


@pytest.mark.parametrize("do", ["note_customer", "resend_shop_mail"])
def test_what_asks_nobody_s_consent_is_for_order_messages_only(do: str) -> None:
    with pytest.raises(FlowErrors, match="only for flows of purpose transactional"):
        flow_of(do, purpose="marketing")


def test_a_platform_that_lacks_it_is_named_with_what_comes_near() -> None:
    flow = flow_of("issue_store_credit")
    (fault,) = shop_faults(flow, SHOP, Codes(), where="f.toml", steps=STEPS)
    assert fault == (
        "f.toml: steps.act: flow 'f' cannot run in shop 'demo-x': plain cannot do 'issue_store_credit' "
        "(it lacks GrantsStoreCredit); 'create_discount' comes near and works there"
    )
    (fault,) = shop_faults(flow, SHOP, Plain(), where="f.toml", steps=STEPS)
    assert fault.endswith("(it lacks GrantsStoreCredit)"), "nothing comes near there"
    (fault,) = shop_faults(flow_of("resend_shop_mail"), SHOP, Plain(), steps=STEPS)
    assert fault.endswith("'send' comes near and works there")


def test_every_near_alternative_exists_and_is_another_step() -> None:
    named = {(do, other) for do, step in STEPS.items() for other in step.instead}
    assert len(named) >= 10
    assert all(other in STEPS and other != do for do, other in named)


def test_a_scope_that_was_not_granted_is_named() -> None:
    flow = flow_of("tag_customer")
    (fault,) = scope_faults(flow, SHOP, Scoped(), frozenset({"read_people"}))
    assert "shop 'demo-x' has not granted write_people or write_all, which 'tag_customer' needs on plain" in fault
    assert scope_faults(flow, SHOP, Scoped(), frozenset({"write_all"})) == []
    assert scope_faults(flow, SHOP, Codes(), frozenset()) == [], "a platform that does not tell is not asked"


# -- the whole application -----------------------------------------------------------------------------------------


def app(
    tmp_path: Path, do: str, shop: str = "metsa", store: Store | None = None, purpose: str = "transactional"
) -> Any:
    text = (
        HEAD.replace("{id}", "f").replace("{purpose}", "transactional").replace("{do}", do).replace("{keys}", KEYS[do])
    )
    (tmp_path / "f.toml").write_text(text)
    found = document(flows={})
    found["app"]["base_url"] = "http://localhost"
    found["clients"]["demo"]["shops"][shop]["flows"] = {"f": {"file": "f.toml"}}
    environ = {**ENVIRON, "KIITOS_MASTER_KEY": "k1=" + base64.b64encode(b"x" * 32).decode()}
    config = parse_config(found, tmp_path / "app.toml", environ)
    return build(config, clock=ManualClock(START), store=store or Store.open("sqlite://:memory:"))


@pytest.mark.parametrize(
    ("do", "shop", "near"),
    [
        ("issue_store_credit", "metsa", "create_discount"),
        ("issue_gift_card", "metsa", "create_discount"),
        ("note_customer", "aurora", "send"),
        ("resend_shop_mail", "aurora", "send"),
    ],
)
def test_the_application_does_not_start_with_a_flow_its_shop_cannot_run(
    tmp_path: Path, do: str, shop: str, near: str
) -> None:
    with pytest.raises(ConfigError) as refused:
        app(tmp_path, do, shop)
    for word in ("f.toml", "steps.act", "flow 'f'", f"shop 'demo-{shop}'", f"'{do}'", f"'{near}' comes near"):
        assert word in refused.value.message, word


@pytest.mark.parametrize("do", ["tag_customer", "set_meta"])
@pytest.mark.parametrize("shop", ["metsa", "aurora"])
def test_both_shops_can_do_these(tmp_path: Path, do: str, shop: str) -> None:
    kiitos = app(tmp_path, do, shop)
    assert [flow.id for flow in kiitos.catalog.flows(f"demo-{shop}")] == ["f"]
    kiitos.close()


def test_a_flow_starts_nothing_while_its_scope_is_missing(tmp_path: Path) -> None:
    store = Store.open("sqlite://:memory:")
    kiitos = app(tmp_path, "issue_gift_card", "aurora", store)
    assert kiitos.catalog.triggered_by(SHOPIFY, "order.created"), "nobody told what was granted"
    told = Event(
        kind=EventKind.APP_SCOPES_UPDATED,
        key="scopes/1",
        subject=Ref("shop", "1"),
        at=START,
        data={"previous": "", "current": "read_orders,write_discounts"},
    )
    with store.work.transaction() as tx:
        kiitos.runner.ingest(tx, SHOPIFY, [told], START)
    assert kiitos.refresh()
    assert kiitos.catalog.triggered_by(SHOPIFY, "order.created") == []
    assert "write_gift_cards" in kiitos.catalog.withheld[SHOPIFY][0]
    assert [flow.id for flow in kiitos.catalog.flows(SHOPIFY)] == ["f"], "it is there, and says why it rests"
    with store.work.transaction() as tx:
        assert scopes.put(tx, SHOPIFY, ["write_gift_cards"], START)
        assert not scopes.put(tx, SHOPIFY, ["write_gift_cards"], START)
    assert kiitos.refresh()
    assert kiitos.catalog.triggered_by(SHOPIFY, "order.created")
    kiitos.close()


def test_the_contract_names_no_capability_twice() -> None:
    from connector.contracts import ACTING, CAPABILITIES

    every = [*CAPABILITIES, *ACTING]
    assert len(set(every)) == len(every)
    assert GrantsStoreCredit in every
