"""What differs between two versions of a flow, as lines a reviewer reads. Pure: two resolved documents in, text out."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from typing import Any

from flows.authoring.fields import shown_value

_LISTS = ("when", "cancel_on")
_APART = frozenset({"id", "params", "steps", "tests", *_LISTS})
_LONGEST = 100


def differences(
    before: Mapping[str, Any], after: Mapping[str, Any], origin: Mapping[str, str] | None = None
) -> list[str]:
    """Lines such as `params.wait: '10d' -> '21d' (presets.slow-goods)` and `step tips: new, after ask`.

    `origin` says which layer a value of the new version comes from, by its path in the operator's file.
    """
    return [
        *_head(before, after),
        *_params(before.get("params", {}), after.get("params", {}), origin or {}),
        *_steps(before.get("steps", ()), after.get("steps", ())),
    ]


def _head(before: Mapping[str, Any], after: Mapping[str, Any]) -> Iterator[str]:
    for key in [*before, *(key for key in after if key not in before)]:
        if key not in _APART and before.get(key) != after.get(key):
            yield _changed(key, before.get(key), after.get(key))
    for key in _LISTS:
        yield from _listed(key, before.get(key, ()), after.get(key, ()))


def _params(before: Mapping[str, Any], after: Mapping[str, Any], origin: Mapping[str, str]) -> Iterator[str]:
    for name in [*before, *(name for name in after if name not in before)]:
        if before.get(name) != after.get(name):
            layer = origin.get(f"params.{name}", "") if name in after else ""
            yield _changed(f"params.{name}", before.get(name), after.get(name)) + (f" ({layer})" if layer else "")


def _steps(before: Sequence[Mapping[str, Any]], after: Sequence[Mapping[str, Any]]) -> Iterator[str]:
    old, new = {str(step["id"]): step for step in before}, {str(step["id"]): step for step in after}
    for name, step in old.items():
        if name not in new:
            yield f"step {name}: removed ({_told(step)})"
    kept = [name for name in old if name in new]
    moved = _moved(kept, [name for name in new if name in old])
    last = ""
    for name, step in new.items():
        place = f"after {last}" if last else "first"
        last = name
        if name not in old:
            yield f"step {name}: new, {place} ({_told(step)})"
            continue
        if name in moved:
            yield f"step {name}: moved, now {place}"
        yield from _step(name, old[name], step)


def _step(name: str, before: Mapping[str, Any], after: Mapping[str, Any]) -> Iterator[str]:
    for key in [*before, *(key for key in after if key not in before)]:
        if key in ("id", "when") or before.get(key) == after.get(key):
            continue
        yield _changed(f"step {name}: {key}", before.get(key), after.get(key))
    yield from _listed(f"step {name}: when", before.get("when", ()), after.get("when", ()))


def _moved(before: Sequence[str], after: Sequence[str]) -> set[str]:
    """The steps that stand elsewhere, as few as explain the new order: all but a longest common run of them."""
    chains: list[list[str]] = []
    places = {name: at for at, name in enumerate(before)}
    for name in after:
        best: list[str] = []
        for chain in chains:
            if places[chain[-1]] < places[name] and len(chain) > len(best):
                best = chain
        chains.append([*best, name])
    longest = max(chains, key=len, default=[])
    return set(after) - set(longest)


def _listed(key: str, before: Sequence[str], after: Sequence[str]) -> Iterator[str]:
    for item in before:
        if item not in after:
            yield f"{key}: no longer {_short(item)}"
    for item in after:
        if item not in before:
            yield f"{key}: also {_short(item)}"


def _told(step: Mapping[str, Any]) -> str:
    rest = [f"{key} {_value(value)}" for key, value in step.items() if key not in ("id", "do", "when")]
    when = step.get("when") or ()
    return ", ".join([str(step.get("do")), *rest, *(f"only if {guard}" for guard in when)])


def _changed(key: str, before: Any, after: Any) -> str:
    if before is None:
        return f"{key}: new, {_value(after)}"
    if after is None:
        return f"{key}: removed, was {_value(before)}"
    return f"{key}: {_value(before)} -> {_value(after)}"


def _value(value: Any) -> str:
    if isinstance(value, Sequence) and not isinstance(value, str):
        return _short(", ".join(str(item) for item in value) or "nothing")
    if isinstance(value, Mapping):
        return _short(", ".join(f"{key} {item}" for key, item in value.items()))
    return _short(shown_value(value))


def _short(text: object) -> str:
    line = " ".join(str(text).split())
    return line if len(line) <= _LONGEST else line[: _LONGEST - 3] + "..."
