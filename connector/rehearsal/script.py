"""The `[[tests]]` of a flow's file: what is given and what is expected, read and checked with every fault named."""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from datetime import timedelta
from typing import Any

from connector.config.guides import read_guide
from connector.contracts import parse_span
from connector.errors import ConfigError, near
from connector.model import Guide
from connector.rehearsal.vocabulary import VOCABULARY

_KEYS = (
    "name",
    "given",
    "expect",
    "why",
    "order",
    "customer",
    "params",
    "segments",
    "until",
    "with",
    "guide",
    "answers",
)
_ORDER_KEYS = ("total", "country", "source", "test", "email", "phone", "language", "region", "digital", "lines")
_LINE_KEYS = ("product", "variant", "title", "sku", "quantity", "price", "tags", "kind", "vendor")
_CUSTOMER_KEYS = ("birthday", "tags", "first_name", "guest")
_SPAN = re.compile(r"((?:\d+[smhdw] )*\d+[smhdw]) (.+)")
_UNITS = {"s": 1, "m": 60, "h": 3600, "d": 86400, "w": 604800}
DEFAULT_UNTIL = timedelta(days=400)


@dataclass(frozen=True, slots=True)
class Happening:
    """Something of the outside world, `at` a span after the test begins: a word of `VOCABULARY` and its object."""

    at: timedelta
    word: str
    rest: str
    text: str


@dataclass(frozen=True, slots=True)
class Expected:
    """`what` (a template, or the word of a step that acts on the shop) at a span. The last unit is the grain: `13d`
    is any time of that day, `13d 2h` any minute of that hour."""

    at: timedelta
    grain: timedelta
    what: str
    to: str
    text: str


@dataclass(frozen=True, slots=True, kw_only=True)
class FlowTest:
    """One test. Everything that is sent or done must be expected; `why` must appear in the reason of a silence.

    `segments` are names with the guards that make a member; one the flow names and that is not here has those members
    whom the test says have entered it. `beside` (`with` in the file) are library flows the shop has too; what they send
    is not looked at. `guide` is the one product text the merchant has written, in the form of its file. `answers` are
    what endpoints answer, by the id of the step that calls.
    """

    name: str
    given: tuple[Happening, ...]
    expect: tuple[Expected, ...]
    why: str = ""
    order: Mapping[str, Any] = field(default_factory=dict)
    customer: Mapping[str, Any] = field(default_factory=dict)
    params: Mapping[str, Any] = field(default_factory=dict)
    segments: Mapping[str, Any] = field(default_factory=dict)
    until: timedelta = DEFAULT_UNTIL
    beside: tuple[str, ...] = ()
    guide: Guide | None = None
    answers: Mapping[str, Mapping[str, Any]] = field(default_factory=dict)


def read_tests(document: Mapping[str, Any], where: str) -> list[FlowTest]:
    """The tests of a parsed flow file. Raises one `ConfigError` with every fault."""
    faults: list[str] = []
    tables = document.get("tests", [])
    if not isinstance(tables, list) or not all(isinstance(table, dict) for table in tables):
        raise ConfigError("tests: write each as [[tests]]", where=where)
    found = [_Reader(f"{where}: tests[{number}]", table, faults).read() for number, table in enumerate(tables)]
    if faults:
        raise ConfigError("\n".join(faults))
    return found


def read_happening(text: str) -> Happening:
    """Read `3d delivered`: a span, a word of `VOCABULARY` and its object. Raises `ConfigError` with a near match."""
    match = _SPAN.fullmatch(text.strip())
    if not match:
        raise ConfigError(f"'{text}': write when and what, such as '3d delivered'")
    word = max((word for word in VOCABULARY if f"{match[2]} ".startswith(f"{word} ")), key=len, default="")
    if not word:
        raise ConfigError(f"'{text}': nothing is called '{match[2]}'{near(match[2], VOCABULARY)}")
    return Happening(parse_span(match[1]), word, match[2][len(word) :].strip(), text)


class _Reader:
    def __init__(self, place: str, table: Mapping[str, Any], faults: list[str]) -> None:
        self.place = place
        self.table = table
        self.faults = faults

    def read(self) -> FlowTest:
        for key in self.table:
            if key not in _KEYS:
                self._fault(key, f"unknown key{near(key, _KEYS)}")
        name = self.table.get("name")
        if not isinstance(name, str) or not name:
            self._fault("name", "say in a sentence what is shown")
        given = [happening for text in self._texts("given") if (happening := self._happening(text))]
        if not given:
            self._fault("given", "something has to happen, such as '0d order'")
        order, customer = self._table("order"), self._table("customer")
        self._known("order", order, _ORDER_KEYS)
        self._known("customer", customer, _CUSTOMER_KEYS)
        lines = order.get("lines", [])
        if not isinstance(lines, list) or not all(isinstance(line, dict) for line in lines):
            self._fault("order.lines", "write [{ product = 'p-1', title = 'Birch cup', tags = ['cup'] }]")
            lines = []
        for number, line in enumerate(lines):
            self._known(f"order.lines[{number}]", line, _LINE_KEYS)
        return FlowTest(
            name=str(name),
            given=tuple(sorted(given, key=lambda happening: happening.at)),
            expect=tuple(found for text in self._texts("expect") if (found := self._expected(text))),
            why=str(self.table.get("why", "")),
            order=order,
            customer=customer,
            params=self._table("params"),
            segments=self._segments(),
            until=self._until(),
            beside=tuple(self._texts("with")),
            guide=self._guide(),
            answers=self._answers(),
        )

    def _fault(self, key: str, text: str) -> None:
        self.faults.append(f"{self.place}.{key}: {text}")

    def _known(self, place: str, table: Mapping[str, Any], keys: Sequence[str]) -> None:
        for key in table:
            if key not in keys:
                self._fault(f"{place}.{key}", f"unknown key{near(key, keys)}")

    def _texts(self, key: str) -> Sequence[str]:
        value = self.table.get(key, [])
        if not isinstance(value, list) or not all(isinstance(item, str) for item in value):
            self._fault(key, "should be a list of texts")
            return []
        return value

    def _table(self, key: str) -> Mapping[str, Any]:
        value = self.table.get(key, {})
        if not isinstance(value, dict):
            self._fault(key, "should be a table")
            return {}
        return value

    def _guide(self) -> Guide | None:
        if "guide" not in self.table:
            return None
        return read_guide(self._table("guide"), "guide", f"{self.place}.guide", self.faults)

    def _answers(self) -> Mapping[str, Mapping[str, Any]]:
        found = self._table("answers")
        for step, answer in found.items():
            if not isinstance(answer, dict):
                self._fault(f"answers.{step}", "should be a table, such as { score = 7 }")
        return {step: answer for step, answer in found.items() if isinstance(answer, dict)}

    def _segments(self) -> Mapping[str, Any]:
        found = self._table("segments")
        for name, guards in found.items():
            if not isinstance(guards, list) or not all(isinstance(guard, str) for guard in guards):
                self._fault(f"segments.{name}", 'write the guards, such as ["customer.lifetime.orders >= 5"]')
        return {name: {"when": guards} for name, guards in found.items() if isinstance(guards, list)}

    def _until(self) -> timedelta:
        try:
            return parse_span(str(self.table["until"])) if "until" in self.table else DEFAULT_UNTIL
        except ValueError as error:
            self._fault("until", str(error))
            return DEFAULT_UNTIL

    def _happening(self, text: str) -> Happening | None:
        try:
            return read_happening(text)
        except ConfigError as error:
            self._fault("given", error.message)
            return None

    def _expected(self, text: str) -> Expected | None:
        match = _SPAN.fullmatch(text.strip())
        if not match:
            self._fault("expect", f"'{text}': write when and what, such as '13d review_request'")
            return None
        what, _, to = match[2].partition(" to ")
        grain = timedelta(seconds=_UNITS[match[1][-1]])
        return Expected(parse_span(match[1]), grain, what.strip(), to.strip(), text)
