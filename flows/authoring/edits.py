"""A client's edits of a flow: parameters, steps removed, steps inserted. By step id, never by position."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass, field
from typing import Any

from connector.contracts import FREE_DELIVERY
from connector.errors import near
from flows.authoring.faults import Faults
from flows.authoring.fields import read_money, read_span, shown_value


@dataclass(frozen=True, slots=True, kw_only=True)
class FlowEdits:
    """One layer's edits. `insert` holds step tables with `after` or `before` naming a step.

    `where` is the place in the operator's file that messages point to.
    """

    params: Mapping[str, Any] = field(default_factory=dict)
    remove: tuple[str, ...] = ()
    insert: tuple[Mapping[str, Any], ...] = ()
    enabled: bool | None = None
    where: str = ""


def apply_edits(document: dict[str, Any], layers: Sequence[FlowEdits], faults: Faults) -> None:
    """Change the parsed file in place, layer by layer."""
    for edits in layers:
        _set_params(document, edits, faults)
        _remove(document, edits, faults)
        _insert(document, edits, faults)
        if edits.enabled is not None:
            document["enabled"] = edits.enabled


def _set_params(document: dict[str, Any], edits: FlowEdits, faults: Faults) -> None:
    params = document.get("params")
    if not isinstance(params, dict):
        params = document["params"] = {}
    for name, value in edits.params.items():
        if name not in params:
            faults.add(f"params.{name}", f"the flow has no such parameter{near(name, params)}", where=edits.where)
        elif params[name] == "" and isinstance(value, str):
            params[name] = value  # nothing is meant unless a layer says what: an amount, a span, words
        elif meaning(value) != meaning(params[name]):
            wanted = meaning(params[name])
            faults.add(f"params.{name}", f"expected {wanted}, not {shown_value(value)}", where=edits.where)
        else:
            params[name] = value


def meaning(value: object) -> str:
    """What kind of parameter a value is: an edit must keep it. `10 %` and `5 EUR` are both rewards."""
    if isinstance(value, bool):
        return "true or false"
    if isinstance(value, int | float):
        return "a number"
    if not isinstance(value, str):
        return "a text or a number"
    with suppress(ValueError):
        read_span(value)
        return "a span such as 10d"
    with suppress(ValueError):
        read_money(value)
        return "a reward such as 10 % or 5 EUR"
    if value == FREE_DELIVERY or (value.rstrip().endswith("%") and value.rstrip(" %").replace(".", "", 1).isdigit()):
        return "a reward such as 10 % or 5 EUR"
    return "a text"


def _tables(document: dict[str, Any]) -> list[dict[str, Any]]:
    steps = document.get("steps")
    return [table for table in steps if isinstance(table, dict)] if isinstance(steps, list) else []


def _ids(document: dict[str, Any]) -> list[str]:
    return [str(table.get("id", "")) for table in _tables(document)]


def _remove(document: dict[str, Any], edits: FlowEdits, faults: Faults) -> None:
    for step_id in edits.remove:
        ids = _ids(document)
        if step_id not in ids:
            faults.add("remove", f"no step '{step_id}'{near(step_id, ids)}", where=edits.where)
            continue
        document["steps"] = [table for table in _tables(document) if table.get("id") != step_id]


def _insert(document: dict[str, Any], edits: FlowEdits, faults: Faults) -> None:
    for number, new in enumerate(edits.insert):
        table = {key: value for key, value in new.items() if key not in ("after", "before")}
        anchors = [(key, new[key]) for key in ("after", "before") if key in new]
        place = f"insert[{number}]"
        if len(anchors) != 1:
            faults.add(place, "needs exactly one of 'after' and 'before'", where=edits.where)
            continue
        side, anchor = anchors[0]
        ids = _ids(document)
        if anchor not in ids:
            faults.add(f"{place}.{side}", f"no step '{anchor}'{near(str(anchor), ids)}", where=edits.where)
            continue
        steps = _tables(document)
        steps.insert(ids.index(anchor) + (side == "after"), table)
        document["steps"] = steps
