"""Flows against declared events: a slip in a kind or field is found when the flow loads."""

from __future__ import annotations

import pytest

from flows.authoring.declared import declared_faults
from tests.engine.world import flow_of

SCHEMAS = {"custom.fitting": {"size": "number", "shop": "text"}}
FLOW = """
id = "f"
purpose = "transactional"
trigger = "{kind}"
subject = "customer"
when = ["event.{field} != ''"]
[[steps]]
id = "wait"
do = "wait_for"
event = "{awaited}"
timeout = "1d"
when = ["event.key != ''"]
"""


@pytest.mark.parametrize(
    ("kind", "field", "awaited", "fault"),
    [
        ("custom.fitting", "size", "custom.fitting", ""),
        (
            "custom.fitting",
            "sise",
            "order.paid",
            "f.toml: when: custom.fitting has no field 'sise'; did you mean 'size'",
        ),
        ("custom.fiting", "size", "order.paid", "f.toml: trigger: no event 'custom.fiting' is declared; did you mean"),
        ("custom.fitting", "at", "custom.fittng", "f.toml: steps: no event 'custom.fittng' is declared"),
        ("custom.something", "anything", "order.paid", ""),
        ("customer.updated", "anything", "order.paid", ""),
    ],
)
def test_slips_are_found(kind: str, field: str, awaited: str, fault: str) -> None:
    flow = flow_of(FLOW.format(kind=kind, field=field, awaited=awaited))
    faults = declared_faults(flow, SCHEMAS, "f.toml")
    assert bool(faults) == bool(fault), faults
    assert not fault or fault in faults[0]
