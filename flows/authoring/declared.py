"""Flows against the events that app.toml declares: a kind or field that comes near to a declared one is a slip."""

from __future__ import annotations

from collections.abc import Mapping

from connector.errors import near
from flows.authoring.faults import Faults
from flows.definition import Flow
from flows.guards import CUSTOM_PREFIX, Guard

_ALWAYS = ("kind", "at", "key")


def declared_faults(flow: Flow, schemas: Mapping[str, Mapping[str, str]], where: str) -> list[str]:
    """Kinds of its own that nothing declares although something near to it is declared, and fields that no event that
    can start the flow has. Undeclared kinds with nothing near are let be: a plug-in may tell them."""
    faults = Faults(where)
    names = [name.removeprefix(CUSTOM_PREFIX) for name in schemas]  # the common prefix would make everything near
    for kind in sorted(flow.event_kinds):
        own = kind.startswith(CUSTOM_PREFIX) and kind not in schemas
        hint = near(kind.removeprefix(CUSTOM_PREFIX), names) if own else ""
        if hint:
            said = hint.replace("'", f"'{CUSTOM_PREFIX}", 1)
            faults.add("trigger" if kind in flow.trigger else "steps", f"no event '{kind}' is declared{said}")
    if flow.trigger and all(kind in schemas for kind in flow.trigger):
        known = {field for kind in flow.trigger for field in schemas[kind]}
        for place, guard in _guards(flow):
            field = guard.path.removeprefix("event.")
            if field != guard.path and field not in known and field not in _ALWAYS:
                faults.add(place, f"{' and '.join(flow.trigger)} has no field '{field}'{near(field, known)}")
    return faults.lines


def _guards(flow: Flow) -> list[tuple[str, Guard]]:
    own = [("when", guard) for guard in flow.when]
    return own + [(f"steps.{item.id}.when", guard) for item in flow.steps for guard in item.when]
