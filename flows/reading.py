"""Checking a parsed flow file: keys, words, parameters, guards, steps. Notes every fault, raises none."""

from __future__ import annotations

import re
from collections.abc import Callable, Collection, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import timedelta
from math import isfinite
from typing import Any

from connector.contracts import Step
from connector.errors import ConfigError, near
from connector.model import Purpose
from flows.authoring.faults import Faults
from flows.authoring.fields import build_step, key_of, read_span, shown_value, step_fields
from flows.authoring.paths import Kind, path_type
from flows.guards import CUSTOM_PREFIX, Guard, check_kind, literal, parse_guard
from flows.knowing.subjects import REENTRY, SUBJECTS
from flows.triggers.forms import DateTrigger, Trigger, read_trigger

PURPOSES = tuple(str(purpose) for purpose in Purpose if purpose is not Purpose.OTHER)
DEFAULT_MAX_AGE = "3d"
"""Brief, defaults: an event older than three days starts no flow."""
DEFAULT_PRIORITY = 50

_KEYS = ("id", "title", "trigger", "purpose", "subject", "reentry", "when", "cancel_on", "params", "steps")
# The tests are read by whoever runs them (connector.rehearsal); they make no other version of the flow.
_ALL_KEYS = (*_KEYS, "max_age", "enabled", "priority", "tests")
_ID = re.compile(r"[a-z][a-z0-9_-]*")
_PARAM = re.compile(r"(?<=\s)\$(\w+)\s*\Z")
# Which events can name the thing a flow is about.
_TELLS_OF: Mapping[str, tuple[str, ...]] = {
    "shipment": ("shipment",),
    "order": ("order", "shipment", "refund", "return", "review", "survey", "case", "referral", "discount", "message"),
    "line_item": ("order", "shipment", "refund", "return", "review", "survey", "case", "discount", "message"),
    "checkout": ("checkout",),
    "customer": (
        *("order", "shipment", "refund", "return", "review", "survey", "referral", "customer", "consent", "checkout"),
        *("segment", "points", "tier", "badge", "challenge", "perk", "product", "message", "signup", "case"),
    ),
}
_ANCHORED: Mapping[str, tuple[str, ...]] = {
    "order": ("order", "customer"),
    "line_item": ("line_item",),
    "customer": ("customer",),
    "checkout": ("checkout",),
}
"""What a wake-up is kept for, and which subjects a flow may have that it starts."""


@dataclass(slots=True)
class ReadStep:
    """A step of the file; `step` is `None` where it could not be built (a fault was noted)."""

    id: str
    step: Step | None
    when: tuple[Guard, ...]


@dataclass(slots=True)
class FlowParts:
    """What reading gave. `document` is the file with defaults filled in and parameters substituted."""

    document: dict[str, Any]
    trigger: Trigger
    reentry: str = "once"
    every: timedelta | None = None
    when: tuple[Guard, ...] = ()
    steps: list[ReadStep] = field(default_factory=list)
    max_age: timedelta = timedelta()


def read_flow(
    source: Mapping[str, Any],
    step_types: Mapping[str, type[Step]],
    templates: Collection[str] | None,
    faults: Faults,
    segments: Collection[str] | None = None,
) -> FlowParts:
    """Check `source` and note every fault. The parts are whole only when none was noted."""
    for key in source:
        if key not in _ALL_KEYS:
            faults.add(key, f"unknown key{near(key, _ALL_KEYS)}")
    head = _Head(source, faults)
    params = head.params()
    trigger = head.trigger(params, segments)
    reentry, every = head.reentry(trigger.reentry)
    parts = FlowParts(
        {
            "id": head.id(),
            "title": head.text("title", ""),
            "trigger": trigger.document,
            "purpose": head.word("purpose", PURPOSES, None),
            "subject": head.word("subject", SUBJECTS, trigger.subject),
            "reentry": source.get("reentry") if reentry == "every" else reentry,
            "when": head.texts("when"),
            "cancel_on": head.kinds("cancel_on"),
            "params": params,
            "max_age": head.text("max_age", DEFAULT_MAX_AGE),
            "enabled": head.enabled(),
        },
        trigger,
        reentry,
        every,
    )
    if "priority" in source:
        parts.document["priority"] = head.priority()
    _check_subject(parts, faults)
    try:
        parts.max_age = read_span(parts.document["max_age"])
    except ValueError as error:
        faults.add("max_age", str(error))
    parts.when = _guards(parts.document["when"], "when", params, (), faults)
    _Steps(params, step_types, templates, faults).read(source.get("steps"), parts)
    return parts


class _Head:
    """The keys above the steps."""

    def __init__(self, source: Mapping[str, Any], faults: Faults) -> None:
        self.source = source
        self.faults = faults

    def id(self) -> str:
        value = self.text("id", None)
        if value and not _ID.fullmatch(value):
            self.faults.add("id", f"write it in small letters, digits, - and _, not '{value}'")
        return value

    def text(self, key: str, default: str | None) -> str:
        value = self.source.get(key, default)
        if value is None:
            self.faults.add(key, "this key is missing")
        elif not isinstance(value, str):
            self.faults.add(key, f"expected text, not {shown_value(value)}")
        return value if isinstance(value, str) else ""

    def word(self, key: str, words: Sequence[str], default: str | None) -> str:
        value = self.text(key, default)
        if value and value not in words:
            self.faults.add(key, f"no such choice '{value}'{near(value, words)} (one of {', '.join(words)})")
        return value

    def texts(self, key: str) -> list[str]:
        value = self.source.get(key, [])
        items = [value] if isinstance(value, str) else value
        if not isinstance(items, list) or not all(isinstance(item, str) for item in items):
            self.faults.add(key, f"expected a list of texts, not {shown_value(value)}")
            return []
        return list(items)

    def kinds(self, key: str) -> list[str]:
        kinds = self.texts(key)
        _check_kinds(kinds, key, self.faults)
        return kinds

    def trigger(self, params: Mapping[str, Any], segments: Collection[str] | None) -> Trigger:
        def fault(key: str, sentence: str) -> None:
            self.faults.add(f"trigger.{key}" if key else "trigger", sentence)

        return read_trigger(self.source.get("trigger"), params, segments, fault, self.source.get("subject"))

    def reentry(self, default: str) -> tuple[str, timedelta | None]:
        """The word, and the span of `{ every = "30d" }`."""
        value = self.source.get("reentry", default)
        if not isinstance(value, Mapping):
            return self.word("reentry", REENTRY, default), None
        for key in value:
            if key != "every":
                self.faults.add(f"reentry.{key}", f"unknown key{near(key, ['every'])}; write {{ every = '30d' }}")
        try:
            every = read_span(value.get("every"))
        except ValueError as error:
            self.faults.add("reentry.every", str(error))
            return "every", None
        if not every:
            self.faults.add("reentry.every", "should be longer than nothing; 'always' starts a run for each event")
        return "every", every

    def enabled(self) -> bool:
        value = self.source.get("enabled", True)
        if not isinstance(value, bool):
            self.faults.add("enabled", f"expected true or false, not {shown_value(value)}")
        return bool(value)

    def priority(self) -> int:
        value = self.source["priority"]
        if not isinstance(value, int) or isinstance(value, bool) or not 0 <= value <= 100:
            self.faults.add("priority", f"expected a whole number from 0 to 100, not {shown_value(value)}")
            return DEFAULT_PRIORITY
        return value

    def params(self) -> dict[str, str | int | float | bool]:
        value = self.source.get("params", {})
        if not isinstance(value, dict):
            self.faults.add("params", f"expected a table, not {shown_value(value)}")
            return {}
        for name, item in value.items():
            if not isinstance(item, str | int | float | bool) or (isinstance(item, float) and not isfinite(item)):
                self.faults.add(f"params.{name}", f"expected a text or a number, not {shown_value(item)}")
        return dict(value)


def _check_kinds(kinds: Sequence[str], place: str, faults: Faults) -> None:
    for kind in kinds:
        try:
            check_kind(kind)
        except ConfigError as error:
            faults.add(place, error.message)


def _check_subject(parts: FlowParts, faults: Faults) -> None:
    subject, schedule = parts.document["subject"], parts.trigger.schedule
    if schedule is not None:
        fitting = _ANCHORED[schedule.anchor]
        if subject and subject not in fitting:
            about = schedule.path if isinstance(schedule, DateTrigger) else schedule.kind
            faults.add("subject", f"'{about}' is about {' or '.join(fitting)}, not about a {subject}")
        return
    families = _TELLS_OF.get(subject, ())
    for kind in parts.trigger.kinds:
        if families and not kind.startswith(CUSTOM_PREFIX) and kind.partition(".")[0] not in families:
            faults.add("subject", f"the trigger '{kind}' names no {subject}")


def _guards(
    texts: Sequence[str], place: str, params: Mapping[str, Any], earlier: Collection[str], faults: Faults
) -> tuple[Guard, ...]:
    found = []
    for text in texts:
        try:
            found.append(parse_guard(text, params=params, steps=earlier))
        except ConfigError as error:
            faults.add(place, error.message)
    return tuple(found)


class _Steps:
    """The list of steps."""

    def __init__(
        self,
        params: Mapping[str, Any],
        types: Mapping[str, type[Step]],
        templates: Collection[str] | None,
        faults: Faults,
    ) -> None:
        self.params = params
        self.types = types
        self.templates = templates
        self.faults = faults

    def read(self, tables: object, parts: FlowParts) -> None:
        if not isinstance(tables, list) or not tables:
            self.faults.add("steps", "a flow needs at least one step, written as [[steps]]")
            return
        resolved: list[dict[str, Any]] = []
        seen: list[str] = []
        for number, table in enumerate(tables):
            if not isinstance(table, dict):
                self.faults.add(f"steps[{number}]", f"expected a table, not {shown_value(table)}")
                continue
            step_id = self._id(table, number, seen)
            place = f"steps.{step_id}" if step_id else f"steps[{number}]"
            parts.steps.append(self._step(step_id, place, table, seen, resolved))
            seen.append(step_id)
        parts.document["steps"] = resolved

    def _id(self, table: Mapping[str, Any], number: int, seen: Sequence[str]) -> str:
        value = table.get("id")
        if not isinstance(value, str) or not _ID.fullmatch(value):
            self.faults.add(f"steps[{number}].id", "every step needs an id in small letters, digits, - and _")
            return ""
        if value in seen:
            self.faults.add(f"steps.{value}.id", f"two steps are called '{value}'")
        return value

    def _step(
        self, step_id: str, place: str, table: Mapping[str, Any], seen: list[str], resolved: list[dict[str, Any]]
    ) -> ReadStep:
        when = _Head(table, _Under(self.faults, place)).texts("when")
        guards = _guards(when, f"{place}.when", self.params, seen, self.faults)
        own = {key: value for key, value in table.items() if key not in ("id", "do", "when")}
        unknown_param = len(self.faults.lines)
        own = {key: self._substitute(value, f"{place}.{key}") for key, value in own.items()}
        unknown_param = len(self.faults.lines) - unknown_param
        do = table.get("do")
        resolved.append({"id": step_id, "do": do, "when": when, **own})
        if not isinstance(do, str) or do not in self.types:
            self.faults.add(f"{place}.do", f"no step type '{do}'{near(str(do), self.types)}")
            return ReadStep(step_id, None, guards)
        if unknown_param:
            return ReadStep(step_id, None, guards)
        self._check_events(self.types[do], own, place)
        step = build_step(self.types[do], self._with_guards(self.types[do], own, place), self._at(place))
        if step is not None:
            self._check(step, place, seen)
        return ReadStep(step_id, step, guards)

    def _at(self, place: str) -> Callable[[str, str], None]:
        return lambda key, sentence: self.faults.add(f"{place}.{key}" if key else place, sentence)

    def _substitute(self, value: object, place: str) -> object:
        """`$name` becomes the parameter; also inside a list and a table."""
        if isinstance(value, list):
            return [self._substitute(item, place) for item in value]
        if isinstance(value, dict):
            return {name: self._substitute(item, f"{place}.{name}") for name, item in value.items()}
        if not isinstance(value, str) or not value.startswith("$"):
            return value
        name = value[1:]
        if name not in self.params:
            self.faults.add(place, f"no parameter '{name}'{near(name, self.params)}")
        return self.params.get(name)

    def _with_guards(self, cls: type[Step], table: Mapping[str, object], place: str) -> dict[str, object]:
        """The table with parameters put into guards on events: a step sees no parameters while it waits."""
        ready = dict(table)
        for key, (item, _) in step_fields(cls).items():
            value = table.get(key)
            texts = [value] if isinstance(value, str) else value
            if not item.metadata.get("guards") or not isinstance(texts, list):
                continue
            before = len(self.faults.lines)
            _guards([text for text in texts if isinstance(text, str)], f"{place}.{key}", self.params, (), self.faults)
            if len(self.faults.lines) > before:
                del ready[key]  # told already: the step itself would say the same once more
            else:
                ready[key] = [self._with_params(text) if isinstance(text, str) else text for text in texts]
        return ready

    def _with_params(self, guard: str) -> str:
        written = {name: literal(value) for name, value in self.params.items()}
        return _PARAM.sub(lambda match: written.get(match[1], match[0]), guard)

    def _check_events(self, cls: type[Step], table: Mapping[str, object], place: str) -> None:
        """Event kinds are looked at before the step is built, so that they are named beside its other faults."""
        for key, (item, _) in step_fields(cls).items():
            value = table.get(key)
            kinds = [value] if isinstance(value, str) else value
            if item.metadata.get("event") and isinstance(kinds, list):
                _check_kinds([kind for kind in kinds if isinstance(kind, str)], f"{place}.{key}", self.faults)

    def _check(self, step: Step, place: str, seen: Sequence[str]) -> None:
        """What only the flow knows: templates that exist, paths that lead somewhere."""
        checked: set[str] = set()
        for key, (item, _) in step_fields(type(step)).items():
            value = getattr(step, item.name)
            if value and "path" in item.metadata:
                checked.add(value)
                self._check_path(value, f"{place}.{key}", seen, item.metadata["path"])
        for path in step.paths():
            if path not in checked:
                self._check_path(path, _place_of(step, path, place), seen, None)
        if self.templates is None:
            return
        for name in step.templates():
            if name not in self.templates:
                self.faults.add(_place_of(step, name, place), f"no template '{name}'{near(name, self.templates)}")

    def _check_path(self, path: str, place: str, seen: Sequence[str], kind: Kind | None) -> None:
        try:
            found = path_type(path, params=self.params, steps=seen)
        except ConfigError as error:
            self.faults.add(place, error.message)
            return
        if kind is not None and found.kind is not kind:
            self.faults.add(place, f"{path} is {found.kind.value}, not {kind.value}")


def _place_of(step: Step, text: str, place: str) -> str:
    """The key that holds `text`, so that a message points at the line to change."""
    for key, (item, _) in step_fields(type(step)).items():
        value = getattr(step, item.name)
        if value == text or (isinstance(value, str) and text in value):
            return f"{place}.{key_of(key)}"
    return place


class _Under(Faults):
    """Faults of a table inside the file."""

    def __init__(self, outer: Faults, place: str) -> None:
        super().__init__(outer.where)
        self.outer = outer
        self.place = place

    def add(self, place: str, sentence: str, *, where: str = "") -> None:
        self.outer.add(f"{self.place}.{place}", sentence, where=where)
