"""The playbook as merchants read it is the playbook that is shipped."""

from __future__ import annotations

import tomllib
from typing import Any

import pytest

from flows.catalog import LIBRARY, library_names
from tests.docs.documents import ROOT, rows

FLOWS: dict[str, dict[str, Any]] = {
    name: tomllib.loads(LIBRARY.joinpath(f"{name}.toml").read_text("utf-8")) for name in library_names()
}
ON = {flow["file"] for flow in tomllib.loads((ROOT / "app.toml").read_text("utf-8"))["defaults"]["flows"].values()}
MOST = 3
"""Kinds of event that are named one by one."""


def trigger_text(trigger: Any, params: dict[str, Any]) -> str:
    """What begins a flow, as the table says it: kinds of event, or the keys of a clock or segment trigger."""
    if isinstance(trigger, dict):
        told = {key: params.get(str(value)[1:], value) if str(value).startswith("$") else value
                for key, value in trigger.items()}  # fmt: skip
        return ", ".join(f"{key} {'yes' if value is True else _listed(value)}" for key, value in told.items())
    return _listed(trigger)


def _listed(value: Any) -> str:
    if isinstance(value, list) and len(value) > MOST:
        return f"{value[0]} and {len(value) - 1} more"
    return " or ".join(value) if isinstance(value, list) else str(value)


def channels(flow: dict[str, Any]) -> str:
    """The channels of its messages, and whether a person of the merchant's is told."""
    found = {channel for step in flow["steps"] if step["do"] == "send"
             for channel in step.get("channels", [step.get("channel", "email")])}  # fmt: skip
    people = {step["do"] for step in flow["steps"]} & {"notify", "task"}
    return ", ".join([*sorted(found), *(["a person of yours"] if people else [])])


def row_of(name: str) -> list[str]:
    """The row the table must have, without its sentence."""
    flow = FLOWS[name]
    return [
        f"`{name}`",
        f"`{trigger_text(flow['trigger'], flow.get('params', {}))}`",
        flow["purpose"],
        channels(flow),
        "on" if name in ON else "off",
    ]


def described() -> dict[str, list[str]]:
    table = rows((ROOT / "docs" / "merchant.md").read_text("utf-8"))
    return {row[0].strip("`"): row for row in table if len(row) == 6 and row[0].startswith("`")}


def test_the_table_has_every_flow_and_no_other() -> None:
    assert set(described()) == set(FLOWS)


@pytest.mark.parametrize("name", FLOWS)
def test_a_flow_is_described_as_it_is(name: str) -> None:
    flow, *_, sentence = row = described()[name]
    assert [flow, *row[1:5]] == row_of(name)
    assert len(sentence) > 20


def test_a_changed_trigger_would_be_found() -> None:
    changed = {**FLOWS["review_request"], "trigger": ["order.paid"]}
    assert trigger_text(changed["trigger"], {}) != row_of("review_request")[1].strip("`")


def test_the_first_page_counts_them() -> None:
    assert f"[{len(FLOWS)} of them](docs/merchant.md)" in (ROOT / "README.md").read_text("utf-8")
