"""What the operator wrote, bound to flows and to the mail it would make: faults before anything runs."""

from __future__ import annotations

import tomllib
from pathlib import Path

import pytest

from connector.config import parse_config
from connector.errors import ConfigError
from connector.registry import Registry
from flows.catalog import Catalog
from flows.render.locales import FALLBACK
from flows.render.sources import Sources

GOOD = """
schema = 1
[app]
master_key = { env = "MASTER" }
[channels.mail]
kind = "memory"
[defaults]
sender = "Agency <post@agency.example>"
flows.order-confirmation = { file = "order_confirmation" }
[clients.acme]
support_email = "help@acme.example"
[clients.acme.shops.main]
platform = "woocommerce"
url = "https://acme.example"
webhook_secret = { env = "HOOK" }
[clients.acme.shops.outlet]
platform = "woocommerce"
url = "https://outlet.example"
webhook_secret = { env = "HOOK" }
"""


def catalog(text: str) -> Catalog:
    config = parse_config(tomllib.loads(text), Path("app.toml"), {"MASTER": "k1=abc", "HOOK": "hush"})
    return Catalog(config, Registry(), frozenset(Sources().names(FALLBACK)))


def faults(text: str) -> list[str]:
    with pytest.raises(ConfigError) as caught:
        catalog(text)
    return str(caught.value).splitlines()


@pytest.mark.parametrize(
    ("was", "now", "place", "example"),
    [
        ("Agency <post@agency.example>", "Agency", "defaults.sender", "hello@shop.example>"),
        ("Agency <post@agency.example>", "Agency <post@>", "defaults.sender", "hello@shop.example>"),
        ("help@acme.example", "help at acme", "clients.acme.support_email", '"help@shop.example"'),
        ("help@acme.example", "Help <help@acme.example>", "clients.acme.support_email", '"help@shop.example"'),
        ('url = "https://acme.example"', 'url = "https://acme.example"\nreply_to = "nobody"',
         "clients.acme.shops.main.reply_to", "<help@shop.example>"),
    ],
)  # fmt: skip
def test_an_address_that_would_end_every_message_is_a_fault_of_its_place(
    was: str, now: str, place: str, example: str
) -> None:
    assert was in GOOD
    (fault,) = faults(GOOD.replace(was, now))
    assert fault.startswith(f"app.toml: {place}: is no address; write ")
    assert example in fault


@pytest.mark.parametrize("sender", ["post@agency.example", "Metsä & Kumppanit <post@metsä.example>"])
def test_an_address_the_renderer_takes_is_none(sender: str) -> None:
    assert catalog(GOOD.replace("Agency <post@agency.example>", sender)).knows("acme-main")


def test_two_entries_that_are_one_flow_are_refused_and_both_named() -> None:
    twice = GOOD + 'flows.order-confirmation-vip = { file = "order_confirmation" }\n'
    (fault,) = faults(twice)
    assert fault.startswith(
        "app.toml: clients.acme.shops.outlet.flows.order-confirmation-vip: is the flow 'order-confirmation' again, "
        "like defaults.flows.order-confirmation;"
    )
    assert (
        len(catalog(twice.replace("}\n[clients.acme]", ", enabled = false }\n[clients.acme]")).flows("acme-outlet"))
        == 1
    )
