"""Reusable lists of steps: a step `do = "run"` becomes the steps of its list when the flow is loaded.

    [[steps]]
    id = "unhappy"
    do = "run"
    list = "call_a_person"                  # flows/library/lists, or a .toml file beside app.toml
    with = { who = "support" }              # the list's own parameters
    when = ["steps.answer.rating <= 2"]     # asked before each of its steps

The steps are called `unhappy-...`; what the list says of its own steps (`steps.told.outcome`) is said of those. What
the list holds is therefore part of the flow's version, and clients remove and insert its steps by id like any other.
"""

from __future__ import annotations

import re
import tomllib
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any

from connector.errors import ConfigError, near
from flows.authoring.edits import meaning
from flows.authoring.faults import Faults
from flows.authoring.fields import shown_value
from flows.guards import literal

_KEYS = ("title", "params", "steps")
_RUN_KEYS = ("id", "do", "list", "with", "when")
_NAME = re.compile(r"[a-z][a-z0-9_-]*")
_PARAM = re.compile(r"(?<=\s)\$(\w+)\s*\Z")
_IN_TEXT = re.compile(r"\{params\.(\w+)\}")
_GUARDS = ("when", "where")
DEEPEST = 5
"""Lists in lists in lists: deeper is a mistake nobody could read."""


@dataclass(frozen=True, slots=True)
class ListFile:
    """A list as read: `where` is its name in messages."""

    where: str
    text: str


ReadList = Callable[[str], ListFile]
"""Finds a list by the name or path an author wrote. Raises `ConfigError` with a near match."""


def no_lists(name: str) -> ListFile:
    """Where no lists can be found: a flow read without its folder."""
    raise ConfigError(f"there is no list '{name}' here")


def expand(document: dict[str, Any], read: ReadList, faults: Faults) -> None:
    """Replace every `run` step of the parsed flow, in place, noting faults; one that cannot be replaced is left out."""
    tables = document.get("steps")
    if isinstance(tables, list) and any(_is_run(table) for table in tables):
        document["steps"] = _Expansion(read, faults).steps(tables, "", ())


def _is_run(table: object) -> bool:
    return isinstance(table, dict) and table.get("do") == "run"


class _Expansion:
    def __init__(self, read: ReadList, faults: Faults) -> None:
        self.read = read
        self.faults = faults

    def steps(self, tables: list[Any], where: str, above: tuple[str, ...]) -> list[Any]:
        """The tables with their lists put in. `above` are the lists this one stands in."""
        found: list[Any] = []
        for table in tables:
            found += self._run(table, where, above) if _is_run(table) else [table]
        return found

    def _run(self, table: Mapping[str, Any], where: str, above: tuple[str, ...]) -> list[Any]:
        place = f"steps.{table.get('id', 'run')}"
        for key in table:
            if key not in _RUN_KEYS:
                self.faults.add(f"{place}.{key}", f"'run' has no such key{near(key, _RUN_KEYS)}", where=where)
        prefix, name = table.get("id"), table.get("list")
        if not isinstance(prefix, str) or not _NAME.fullmatch(prefix):
            self.faults.add(place, "every step needs an id in small letters, digits, - and _", where=where)
            return []
        if not isinstance(name, str) or not name:
            self.faults.add(place, "'run' needs the key 'list'", where=where)
            return []
        if name in above or len(above) >= DEEPEST:
            chain = " -> ".join((*above, name))
            self.faults.add(f"{place}.list", f"the lists run one another in a circle: {chain}", where=where)
            return []
        try:
            found = self.read(name)
            inside = tomllib.loads(found.text)
        except ConfigError as error:
            self.faults.add(f"{place}.list", error.message, where=where)
            return []
        except tomllib.TOMLDecodeError as error:
            self.faults.add("", f"this is not TOML: {error}", where=name)
            return []
        return self._steps_of(table, place, where, found.where, inside, (*above, name))

    def _steps_of(
        self,
        run: Mapping[str, Any],
        place: str,
        where: str,
        source: str,
        inside: Mapping[str, Any],
        above: tuple[str, ...],
    ) -> list[Any]:
        for key in inside:
            if key not in _KEYS:
                self.faults.add(key, f"a list has no such key{near(key, _KEYS)}", where=source)
        tables = inside.get("steps")
        if not isinstance(tables, list) or not tables or not all(isinstance(table, dict) for table in tables):
            self.faults.add("steps", "a list needs at least one step, written as [[steps]]", where=source)
            return []
        params = self._params(run, place, where, inside.get("params", {}))
        own = {str(table.get("id")) for table in tables}
        guards = _texts(run.get("when"))
        found = []
        for table in tables:
            named = {key: _named(_filled(value, params, key), own, run["id"]) for key, value in table.items()}
            named["id"] = f"{run['id']}-{table.get('id', '')}"
            if guards or "when" in named:
                named["when"] = [*guards, *_texts(named.get("when"))]
            found.append(named)
        return self.steps(found, source, above)

    def _params(self, run: Mapping[str, Any], place: str, where: str, declared: object) -> dict[str, Any]:
        params = dict(declared) if isinstance(declared, dict) else {}
        given = run.get("with", {})
        if not isinstance(given, dict):
            self.faults.add(f"{place}.with", f"expected a table, not {shown_value(given)}", where=where)
            return params
        for name, value in given.items():
            of_flow = isinstance(value, str) and value.startswith("$")
            if name not in params:
                self.faults.add(
                    f"{place}.with.{name}", f"the list has no such parameter{near(name, params)}", where=where
                )
            elif not of_flow and meaning(value) != meaning(params[name]):
                wanted = meaning(params[name])
                self.faults.add(f"{place}.with.{name}", f"expected {wanted}, not {shown_value(value)}", where=where)
            else:
                params[name] = value
        return params


def _texts(value: object) -> list[Any]:
    return [value] if isinstance(value, str) else list(value) if isinstance(value, list) else []


def _filled(value: Any, params: Mapping[str, Any], key: str) -> Any:
    """A value of the list with its own parameters put in; what the list does not declare is left to the flow."""
    if isinstance(value, list):
        return [_filled(item, params, key) for item in value]
    if isinstance(value, dict):
        return {name: _filled(item, params, name) for name, item in value.items()}
    if not isinstance(value, str):
        return value
    if key in _GUARDS:
        return _PARAM.sub(lambda match: _as_literal(params[match[1]]) if match[1] in params else match[0], value)
    if value.startswith("$"):
        return params.get(value[1:], value)
    return _IN_TEXT.sub(lambda match: _as_text(params[match[1]]) if match[1] in params else match[0], value)


def _as_text(value: Any) -> str:
    """A parameter inside a text; one that is the flow's own is asked for there."""
    of_flow = isinstance(value, str) and value.startswith("$")
    return f"{{params.{value[1:]}}}" if of_flow else str(value).lower() if isinstance(value, bool) else str(value)


def _as_literal(value: Any) -> str:
    return value if isinstance(value, str) and value.startswith("$") else literal(value)


def _named(value: Any, own: set[str], prefix: str) -> Any:
    """A value in which the list's own steps are called as the flow knows them."""
    if isinstance(value, list):
        return [_named(item, own, prefix) for item in value]
    if isinstance(value, dict):
        return {name: _named(item, own, prefix) for name, item in value.items()}
    if not isinstance(value, str) or "steps." not in value:
        return value
    return _STEP.sub(lambda match: f"steps.{prefix}-{match[1]}" if match[1] in own else match[0], value)


_STEP = re.compile(r"(?<![\w.])steps\.([a-z][a-z0-9_-]*)")
