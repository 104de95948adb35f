"""Guards: `path op literal`, all of them true. No eval, no functions, no `or` (a second step says "or").

    order.total.amount >= 50            order.total < 50 EUR         order.source not in ['pos', 'draft']
    order.tags contains 'vip'           progress.delivered_at == null
    order.placed_at within $max_age     steps.reply.outcome == 'timeout'

A missing text is the empty text, so `order.source != 'pos'` holds where the platform names no source and
`steps.code.code != ''` fails where the step never ran. Any other comparison with a missing value fails;
its negations (`!=`, `not in`, `not contains`, `not within`) hold. Amounts in another currency are never equal,
smaller or greater.
"""

from __future__ import annotations

import operator
import re
from collections.abc import Callable, Collection, Mapping
from contextlib import suppress
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from decimal import Decimal, InvalidOperation
from enum import Enum
from typing import Any

from connector.clock import to_text
from connector.contracts import StepContext, parse_span
from connector.errors import ConfigError, near
from connector.model import EventKind, Money
from flows.authoring.paths import Kind, PathType, path_type

_GUARD = re.compile(
    r"\s*([A-Za-z_][\w.-]*?)\s*"
    r"(==|!=|<=|>=|<|>|(?<=\s)(?:not\s+in|in|not\s+contains|contains|not\s+within|within)(?=[\s\['\"$]))"
    r"\s*(.+?)\s*",
    re.DOTALL,
)
_NUMBER = re.compile(r"-?\d+(\.\d+)?")
_MONEY = re.compile(r"-?\d+(?:\.\d+)? [A-Z]{3}")
_QUOTED = re.compile(r"'([^']*)'|\"([^\"]*)\"")
_ITEM = re.compile(r"\s*('[^']*'|\"[^\"]*\"|[^,'\"\[\]]+)\s*(,|\Z)")

_ORDERING: Mapping[str, Callable[[Any, Any], bool]] = {
    "<": operator.lt,
    "<=": operator.le,
    ">": operator.gt,
    ">=": operator.ge,
}
_EQUALITY = ("==", "!=")
_MEMBERSHIP = ("in", "not in")
_CONTAINMENT = ("contains", "not contains")
_AGE = ("within", "not within")

_ALLOWED: Mapping[Kind, tuple[str, ...]] = {
    Kind.TEXT: (*_EQUALITY, *_MEMBERSHIP, *_CONTAINMENT),
    Kind.LOOSE: (*_EQUALITY, *_ORDERING, *_MEMBERSHIP, *_CONTAINMENT),
    Kind.NUMBER: (*_EQUALITY, *_ORDERING, *_MEMBERSHIP),
    Kind.BOOL: _EQUALITY,
    Kind.TIME: (*_EQUALITY, *_ORDERING, *_AGE),
    Kind.MONEY: (*_EQUALITY, *_ORDERING),
    Kind.SPAN: (*_EQUALITY, *_ORDERING),
    Kind.LIST: (*_EQUALITY, *_CONTAINMENT),
    Kind.OBJECT: _EQUALITY,
}

CUSTOM_PREFIX = "custom."
"""A merchant's own event kinds begin so; every other kind must be one of `EventKind`."""
OPENED = "message.opened"
"""What providers tell and nothing may be made of (facts/messaging.md section 5.3)."""


@dataclass(frozen=True, slots=True)
class GuardResult:
    """What a guard found. `wanted` and `saw` are texts for people (`kiitos explain`)."""

    passed: bool
    path: str
    op: str
    wanted: str
    saw: str


@dataclass(frozen=True, slots=True)
class Guard:
    """One checked comparison. Build it with `parse_guard`."""

    text: str
    path: str
    op: str
    literal: Any
    kind: Kind
    _test: Callable[[Any, datetime], bool] = field(init=False, repr=False, compare=False)

    def __post_init__(self) -> None:
        object.__setattr__(self, "_test", _test_of(self.kind, self.op, self.literal))

    def evaluate(self, facts: StepContext) -> GuardResult:
        """Compare what the facts hold now. Never raises for data, whatever it is."""
        value = facts.get(self.path)
        passed = self._test(value, facts.now)
        return GuardResult(passed, self.path, self.op, shown(self.literal), shown(value))

    def holds(self, facts: StepContext) -> bool:
        return self._test(facts.get(self.path), facts.now)

    def failure(self, facts: StepContext) -> GuardResult | None:
        """What it found where it does not pass, else `None`: most pass, and nobody reads the texts of those."""
        value = facts.get(self.path)
        if self._test(value, facts.now):
            return None
        return GuardResult(False, self.path, self.op, shown(self.literal), shown(value))


def parse_guard(
    text: str, *, params: Mapping[str, str | int | float | bool] | None = None, steps: Collection[str] = ()
) -> Guard:
    """Read and type-check a guard. `$name` stands for a parameter; `steps` are the ids that come earlier.

    Raises `ConfigError` (without a place: the caller knows the file and key).
    """
    params = params or {}
    match = _GUARD.fullmatch(text)
    if not match:
        raise ConfigError(f"expected 'path op literal' such as order.source != 'pos', not \"{text}\"")
    path, op, written = match[1], " ".join(match[2].split()), match[3]
    found = path_type(path, params=params, steps=steps)
    if op not in _ALLOWED[found.kind]:
        allowed = ", ".join(_ALLOWED[found.kind])
        raise ConfigError(f"{path} is {found.kind.value} and cannot be compared with '{op}' (use {allowed})")
    literal = _typed(path, op, _read(written, params), found)
    return Guard(text.strip(), path, op, literal, found.kind)


# -- literals ------------------------------------------------------------------------------------------------------


def _read(written: str, params: Mapping[str, Any]) -> Any:
    """The literal as written: text, Decimal, bool, None, Money, timedelta, or a tuple of texts and numbers."""
    quoted = _QUOTED.fullmatch(written)
    if quoted:
        return quoted[1] if quoted[1] is not None else quoted[2]
    if written.startswith("$"):
        return _param(written[1:], params)
    if written in ("true", "false"):
        return written == "true"
    if written == "null":
        return None
    if written.startswith("[") and written.endswith("]"):
        return _read_list(written[1:-1], params)
    if _NUMBER.fullmatch(written):
        return Decimal(written)
    if _MONEY.fullmatch(written):
        return Money.parse(*written.split())
    with suppress(ValueError, OverflowError):
        return parse_span(written)
    raise ConfigError(f"cannot read {written}: write 'text', a number, 5 EUR, 10d, true, false, null, [a, b] or $name")


def _param(name: str, params: Mapping[str, Any]) -> Any:
    if name not in params:
        raise ConfigError(f"no parameter '{name}'{near(name, params)}")
    value = params[name]
    return Decimal(str(value)) if isinstance(value, int | float) and not isinstance(value, bool) else value


def literal(value: str | int | float | bool) -> str:
    """A parameter as a literal of a guard that reads the same."""
    if isinstance(value, bool):
        return "true" if value else "false"
    if not isinstance(value, str):
        return str(value)
    return f"'{value}'" if "'" not in value else f'"{value}"'


def _read_list(inside: str, params: Mapping[str, Any]) -> tuple[Any, ...]:
    items: list[Any] = []
    at = 0
    while at < len(inside):
        match = _ITEM.match(inside, at)
        if not match:
            raise ConfigError(f"cannot read the list [{inside}]: write ['a', 'b'] or [1, 2]")
        items.append(_read(match[1].strip(), params))
        at = match.end()
    return tuple(items)


def _typed(path: str, op: str, literal: Any, found: PathType) -> Any:
    """The literal in the type of the path. Raises `ConfigError` on a mismatch."""
    if literal is None:
        if op not in _EQUALITY:
            raise ConfigError(f"null can only be compared with == and !=, not with '{op}'")
        return None
    if op in _MEMBERSHIP:
        if not isinstance(literal, tuple):
            raise ConfigError(f"'{op}' needs a list such as ['a', 'b']")
        return tuple(_scalar(path, "==", item, found) for item in literal)
    return _scalar(path, op, literal, found)


def _scalar(path: str, op: str, literal: Any, found: PathType) -> Any:
    kind = found.kind
    if op in _AGE:
        return _age(literal)
    if kind in (Kind.LIST, Kind.OBJECT) and op in _EQUALITY:
        raise ConfigError(f"{path} is {kind.value}: compare it with null only")
    if kind is Kind.LOOSE and op in _ORDERING:
        kind = Kind.NUMBER
    reader = _READERS.get(kind)
    value = literal if reader is None else reader(literal)
    wrong_type = value is None or (kind in (Kind.LOOSE, Kind.LIST) and not isinstance(value, str | Decimal | bool))
    if wrong_type:
        raise ConfigError(f"{path} is {kind.value}, but {shown(literal)} is {_name_of(literal)}")
    _check_words(path, op, value, found)
    return value


def _age(literal: Any) -> timedelta:
    span = _span(literal)
    if span is None:
        raise ConfigError(f"'within' needs a span such as 10d, not {shown(literal)}")
    return span


def _check_words(path: str, op: str, value: Any, found: PathType) -> None:
    if op in _CONTAINMENT and found.kind is not Kind.LIST:
        return
    if path == "event.kind":
        check_kind(value)
    elif found.words and value not in found.words:
        raise ConfigError(f"{path} is never '{value}'{near(str(value), found.words)} (one of {', '.join(found.words)})")


def check_kind(kind: str) -> None:
    """Raise `ConfigError` with a near match unless `kind` is an `EventKind` or begins with `custom.`."""
    if kind == OPENED:
        raise ConfigError(f"no flow goes by '{OPENED}': machines open mail too (Apple's for everybody); use a click")
    known = [str(item) for item in EventKind if item is not EventKind.OTHER]
    if kind not in known and not str(kind).startswith(CUSTOM_PREFIX):
        hint = near(str(kind), known) or f" (a kind of your own begins with '{CUSTOM_PREFIX}')"
        raise ConfigError(f"no event kind '{kind}'{hint}")


def _text(literal: Any) -> str | None:
    return literal if isinstance(literal, str) else None


def _number(literal: Any) -> Decimal | None:
    return literal if isinstance(literal, Decimal) else None


def _bool(literal: Any) -> bool | None:
    return literal if isinstance(literal, bool) else None


def _money(literal: Any) -> Money | None:
    if isinstance(literal, str) and _MONEY.fullmatch(literal):
        return Money.parse(*literal.split())
    return literal if isinstance(literal, Money) else None


def _span(literal: Any) -> timedelta | None:
    if isinstance(literal, str):
        with suppress(ValueError, OverflowError):
            literal = parse_span(literal)
    return literal if isinstance(literal, timedelta) else None


def _time(literal: Any) -> datetime | None:
    """An ISO time in quotes; without an offset it is UTC."""
    try:
        at = datetime.fromisoformat(literal)
    except (TypeError, ValueError):
        return None
    return at if at.tzinfo else at.replace(tzinfo=UTC)


_READERS: Mapping[Kind, Callable[[Any], Any]] = {
    Kind.TEXT: _text,
    Kind.NUMBER: _number,
    Kind.BOOL: _bool,
    Kind.MONEY: _money,
    Kind.TIME: _time,
    Kind.SPAN: _span,
}


def _name_of(literal: Any) -> str:
    names = {bool: "true or false", str: "text", Decimal: "a number", Money: "an amount", timedelta: "a span"}
    return names.get(type(literal), "a list")


# -- comparing -----------------------------------------------------------------------------------------------------


def _holds(kind: Kind, op: str, value: Any, wanted: Any, now: datetime) -> bool:
    if op.startswith("not "):
        return not _holds(kind, op[4:], value, wanted, now)
    if op == "!=":
        return not _holds(kind, "==", value, wanted, now)
    if kind in (Kind.TEXT, Kind.LOOSE):
        value = "" if value is None else value
    if wanted is None:
        return value is None or value == "" or value == ()
    if kind is Kind.LOOSE:
        return _loosely(op, value, wanted)
    if value is None:
        return False
    if op == "in":
        return value in wanted
    if op == "contains":
        return wanted in value
    if op == "within":
        return bool(now - value <= wanted)
    if op == "==":
        return bool(value == wanted)
    if kind is Kind.MONEY and value.currency != wanted.currency:
        return False
    return _ORDERING[op](value, wanted)


def _test_of(kind: Kind, op: str, wanted: Any) -> Callable[[Any, datetime], bool]:
    """`_holds` for one guard: what most of them ask is answered without looking at what kind of guard it is."""
    plain = wanted is not None and kind is not Kind.LOOSE
    if plain and kind is not Kind.TEXT and op == "==":
        return lambda value, _: value is not None and bool(value == wanted)
    if plain and kind is Kind.TEXT and op in ("==", "!="):
        same = op == "=="
        return lambda value, _: (("" if value is None else value) == wanted) is same
    if plain and kind is Kind.TEXT and op in ("in", "not in"):
        among, inside = frozenset(wanted), op == "in"
        return lambda value, _: (("" if value is None else value) in among) is inside
    if kind is Kind.LOOSE and isinstance(wanted, str) and op in _EQUALITY:
        alike = op == "=="
        return lambda value, _: (("" if value is None else str(value)) == wanted) is alike
    if wanted is None and op in _EQUALITY:
        missing = op == "=="
        return lambda value, _: (value is None or value == "" or value == ()) is missing
    return lambda value, now: _holds(kind, op, value, wanted, now)


def _loosely(op: str, value: Any, wanted: Any) -> bool:
    """Compare a text that may stand for a number (`steps.reply.rating <= 3`) or for true and false."""
    if op == "in":
        return any(_loosely("==", value, item) for item in wanted)
    if op == "contains":
        return shown(wanted) in str(value)
    if isinstance(wanted, Decimal):
        try:
            number = Decimal(str(value))
        except InvalidOperation:
            return False
        if not number.is_finite():
            return False
        return bool(number == wanted) if op == "==" else _ORDERING[op](number, wanted)
    return str(value) == shown(wanted)


def shown(value: Any) -> str:
    """A value as a person reads it in an explanation."""
    if value is None:
        return "null"
    if isinstance(value, bool):
        return "true" if value else "false"
    if isinstance(value, datetime):
        return to_text(value)
    if isinstance(value, Money):
        return f"{value.amount} {value.currency}"
    if isinstance(value, timedelta):
        return _span_text(value)
    if isinstance(value, Enum):
        return str(value.value)
    if isinstance(value, str | int | Decimal):
        return str(value)
    if isinstance(value, tuple):
        return "[" + ", ".join(shown(item) for item in value) + "]"
    return "present"


def _span_text(span: timedelta) -> str:
    days, seconds = span.days, span.seconds
    parts = [(days, "d"), (seconds // 3600, "h"), (seconds % 3600 // 60, "m"), (seconds % 60, "s")]
    return " ".join(f"{count}{unit}" for count, unit in parts if count) or "0s"
