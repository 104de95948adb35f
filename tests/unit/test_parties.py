"""Endpoints and people in app.toml: layers, faults told once with their place, and flows that name nobody."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from connector.app import build, load_catalog
from connector.clock import ManualClock
from connector.config import Config, parse_config
from connector.errors import ConfigError
from connector.outside.signing import make_secret
from connector.registry import Registry
from connector.store import sealing
from connector.store.store import Store
from connector.testing.world import SHOPIFY, WOO, document
from connector.working.calling import secrets_of
from tests.journeys.bare import ENVIRON
from tests.journeys.office import START

SECRET = make_secret()
ENV = {**ENVIRON, "CHAT": "https://hooks.slack.com/services/T0/B0/x", "CRM": SECRET, "OLD": make_secret(), "BAD": "x"}


def config(folder: Path = Path(), flow: str = "", **sections: Any) -> Config:
    found = document(flows={})
    client = sections.pop("client", {})
    found |= sections
    found["app"]["base_url"] = "http://localhost"
    found["clients"]["demo"] |= client
    if flow:
        (folder / "f.toml").write_text(f'id = "f"\ntrigger = "order.paid"\npurpose = "review"\n{flow}', "utf-8")
        found["clients"]["demo"]["shops"]["metsa"]["flows"] = {"f": {"file": "./f.toml"}}
    return parse_config(found, folder / "app.toml", ENV)


def test_every_layer_may_name_them() -> None:
    whole = config(
        endpoints={"crm": {"url": "https://hooks.example.com/a"}, "erp": {"url": "https://erp.example.com/"}},
        people={"anna": {"email": "anna@example.com"}},
        client={
            "endpoints": {"crm": {"url": "https://client.example.com/b"}},
            "people": {"anna": {"email": "client@example.com", "name": "Anna"}, "team": {"chat": {"env": "CHAT"}}},
        },
    )
    shop = whole.shop(WOO)
    assert shop.endpoints["crm"].url == "https://client.example.com/b"
    assert {each.owner for each in shop.endpoints.values()} == {"endpoint:clients.demo.crm", "endpoint:erp"}
    assert (shop.people["anna"].email, shop.people["anna"].label) == ("client@example.com", "Anna")
    assert shop.people["team"].chat == ENV["CHAT"]
    assert "hooks.slack.com" not in repr(shop.people["team"])


@pytest.mark.parametrize(
    ("sections", "fault"),
    [
        ({"endpoints": {"crm": {}}}, "endpoints.crm.url: missing"),
        ({"endpoints": {"crm": {"url": "http://hooks.example.com/"}}}, "endpoints.crm.url: is not https"),
        ({"endpoints": {"crm": {"url": "https://10.0.0.1/"}}}, "endpoints.crm.url: is a private address"),
        ({"endpoints": {"crm": {"url": "nonsense"}}}, "endpoints.crm.url: should be an address"),
        ({"endpoints": {"crm": {"ulr": "https://x.example.com"}}}, "unknown key; did you mean 'url'"),
        ({"endpoints": {"CRM": {"url": "https://x.example.com"}}}, "endpoints.CRM: names are lower-case"),
        ({"endpoints": {"crm": {"url": "https://x.example.com", "secret": "whsec_x"}}}, "is a secret: write"),
        (
            {"endpoints": {"crm": {"url": "https://x.example.com", "secret": {"env": "BAD"}}}},
            "endpoints.crm.secret: should begin with whsec_",
        ),
        ({"people": {"anna": {}}}, "people.anna: needs exactly one of"),
        ({"people": {"anna": {"email": "a@x.example", "chat": {"env": "CHAT"}}}}, "needs exactly one of"),
        ({"people": {"anna": {"chat": "https://hooks.slack.com/x"}}}, "people.anna.chat: is a secret"),
        ({"people": {"anna": {"chat": {"env": "NONE"}}}}, "the environment variable NONE is not set"),
        ({"people": {"anna": {"chat": {"env": "CHAT"}, "style": "slak"}}}, "did you mean 'slack'"),
        ({"people": {"anna": {"chat": {"env": "CRM"}}}}, "people.anna.chat: is not https"),
        ({"client": {"people": {"anna": {"name": "A"}}}}, "clients.demo.people.anna: needs exactly one of"),
        ({"people": ["anna"]}, "people: should be a table"),
    ],
)
def test_faults(sections: dict[str, Any], fault: str) -> None:
    with pytest.raises(ConfigError) as told:
        config(**sections)
    assert str(told.value).count(fault) == 1, "what two shops inherit is one fault"
    assert SECRET not in str(told.value)


@pytest.mark.parametrize(
    ("step", "fault"),
    [
        ('do = "notify"\nto = "ana"\ntext = "x"', "has no people.ana; did you mean 'anna'?; write [people.ana]"),
        ('do = "task"\nto = "bob"\nask = "x"\ntimeout = "1d"\notherwise = "refused"', "has no people.bob"),
        ('do = "call"\nendpoint = "cmr"', "has no endpoints.cmr; did you mean 'crm'?; write [endpoints.cmr]"),
        ('do = "send"\ntemplate = "review_request"\nchannels = ["sms", "push"]', "has no channel for sms or push"),
    ],
)
def test_a_flow_names_only_what_there_is(tmp_path: Path, step: str, fault: str) -> None:
    known: dict[str, Any] = {
        "people": {"anna": {"email": "anna@example.com"}},
        "endpoints": {"crm": {"url": "https://x.example.com"}},
    }
    flow = f'[[steps]]\nid = "s"\n{step}\n'
    with pytest.raises(ConfigError) as told:
        load_catalog(config(tmp_path, flow, **known), Registry())
    assert fault in str(told.value)
    assert "steps.s" in str(told.value)
    right = flow.replace("ana", "anna").replace("bob", "anna").replace("cmr", "crm").replace('"push"', '"email"')
    assert load_catalog(config(tmp_path, right, **known), Registry()).flows(WOO)


def test_each_endpoint_has_a_sealed_secret_of_its_own() -> None:
    whole = config(
        endpoints={
            "crm": {"url": "https://x.example.com"},
            "erp": {"url": "https://y.example.com", "secret": {"env": "CRM"}, "secret_previous": {"env": "OLD"}},
        },
        client={"endpoints": {"own": {"url": "https://z.example.com"}}},
    )
    store = Store.open("sqlite://:memory:")
    kiitos = build(whole, clock=ManualClock(START), store=store)
    try:
        with store.work.read() as tx:
            found = {name: secrets_of(tx, kiitos.vault, each) for name, each in whole.shop(SHOPIFY).endpoints.items()}
            sealed = sealing.keys_in_use(tx)[kiitos.vault.current]["credentials"]
        assert found["erp"] == [SECRET, ENV["OLD"]]
        assert len({found["crm"][0], found["own"][0], SECRET}) == 3
        kiitos.sync()
        with store.work.read() as tx:
            again = secrets_of(tx, kiitos.vault, whole.shop(WOO).endpoints["crm"])
            assert sealing.keys_in_use(tx)[kiitos.vault.current]["credentials"] == sealed
        assert again == found["crm"], "both shops share the endpoint of the file, and it keeps its secret"
    finally:
        kiitos.close()
