"""From a TOML value to the field of a step, by the field's annotation.

A step author writes a frozen dataclass; the keys of its table are its fields (`from_` is written `from`), and the
annotation says how the value is read:

    str, bool, int          as in TOML
    Decimal                 a number
    timedelta               a span: "10d", "1d 12h"
    Money                   an amount: "5 EUR"
    tuple[str, ...]         a list of texts, or one text
    Mapping[str, Any]       a table

`X | None` is read like `X`, an empty text as none. Metadata adds checks: `{"path": Kind.TIME}` a guard path of that
type, `{"event": True}` event kinds, `{"words": (...)}` a closed vocabulary, `{"guards": True}` guards on an event
(`flows.guards`).
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import MISSING, Field, fields
from datetime import timedelta
from decimal import Decimal
from functools import lru_cache
from math import isfinite
from types import UnionType
from typing import Any, Union, get_args, get_origin, get_type_hints

from connector.contracts import Step, parse_span
from connector.errors import near
from connector.model import Money

# ISO 4217 currencies with exponent 0.
_WITHOUT_CENTS = frozenset(
    ("BIF", "CLP", "DJF", "GNF", "ISK", "JPY", "KMF", "KRW", "PYG", "RWF", "UGX", "VND", "VUV", "XAF", "XOF", "XPF")
)

LONGEST_SPAN = timedelta(days=3653)
"""Ten years: longer is a slip of the keyboard, and near the end of the calendar adding to it would overflow."""


def read_span(value: object) -> timedelta:
    """A span from its text. Raises `ValueError` with one sentence."""
    if not isinstance(value, str):
        raise ValueError(f"expected a span such as 10d, 2h or 90s, not {shown_value(value)}")
    try:
        span = parse_span(value)
    except ValueError:
        raise ValueError(f"'{value}' is not a span such as 10d, 2h or 90s") from None
    except OverflowError:
        span = timedelta.max
    if span > LONGEST_SPAN:
        raise ValueError(f"'{value}' is longer than ten years")
    return span


def read_money(value: object) -> Money:
    """An amount such as `5 EUR`. Raises `ValueError` with one sentence."""
    amount, _, currency = value.partition(" ") if isinstance(value, str) else ("", "", "")
    try:
        return Money.parse(amount, currency)
    except TypeError:
        raise ValueError(f"expected an amount such as 5 EUR, not {shown_value(value)}") from None


def money_text(money: Money) -> str:
    """An amount as plain text, with cents where the currency has them: `5.00 EUR`, `500 JPY`."""
    amount = money.amount
    if money.currency not in _WITHOUT_CENTS and int(amount.as_tuple().exponent) > -2:
        amount = amount.quantize(Decimal("0.01"))
    return f"{amount} {money.currency}"


def read_number(value: object) -> Decimal:
    if isinstance(value, bool) or not isinstance(value, int | float) or not isfinite(value):
        raise ValueError(f"expected a number, not {shown_value(value)}")
    return Decimal(repr(value))


def _read_exactly(kind: type, name: str) -> Callable[[object], object]:
    def read(value: object) -> object:
        if type(value) is not kind:
            raise ValueError(f"expected {name}, not {shown_value(value)}")
        return value

    return read


def _read_texts(value: object) -> tuple[str, ...]:
    items = [value] if isinstance(value, str) else value
    if not isinstance(items, list | tuple) or not all(isinstance(item, str) for item in items):
        raise ValueError(f"expected a text or a list of texts, not {shown_value(value)}")
    return tuple(items)


def _read_table(value: object) -> Mapping[str, Any]:
    if not isinstance(value, dict):
        raise ValueError(f"expected a table such as {{ wait = '7d' }}, not {shown_value(value)}")
    return dict(value)


_READERS: Mapping[object, Callable[[object], object]] = {
    str: _read_exactly(str, "text"),
    bool: _read_exactly(bool, "true or false"),
    int: _read_exactly(int, "a whole number"),
    Decimal: read_number,
    timedelta: read_span,
    Money: read_money,
    tuple[str, ...]: _read_texts,
    Mapping[str, Any]: _read_table,
}


def shown_value(value: object) -> str:
    """A TOML value as an author wrote it."""
    if isinstance(value, bool):
        return "true" if value else "false"
    return f"'{value}'" if isinstance(value, str) else str(value)


def key_of(name: str) -> str:
    """The TOML key of a field: Python's own words carry a trailing underscore in the class only."""
    return name.removesuffix("_")


@lru_cache(maxsize=128)
def step_fields(cls: type[Step]) -> dict[str, tuple[Field[Any], Any]]:
    """TOML key to (field, annotation without None) of a step type."""
    hints = get_type_hints(cls)
    found = {}
    for item in fields(cls):  # type: ignore[arg-type]  # every step type is a dataclass, the ABC above them is not
        hint = hints[item.name]
        if get_origin(hint) in (Union, UnionType):
            hint = next(arg for arg in get_args(hint) if arg is not type(None))
        found[key_of(item.name)] = (item, hint)
    return found


def _check_words(value: object, words: Sequence[str]) -> None:
    for item in value if isinstance(value, tuple) else (value,):
        if words and item not in words:
            raise ValueError(f"no such choice {shown_value(item)}{near(str(item), words)} (one of {', '.join(words)})")


def build_step(cls: type[Step], table: Mapping[str, object], fault: Callable[[str, str], None]) -> Step | None:
    """Make a step from its table, reporting every fault as `fault(key, sentence)`; `None` when there was one."""
    known = step_fields(cls)
    values: dict[str, Any] = {}
    good = True
    for key, value in table.items():
        if key not in known:
            fault(key, f"'{cls.do}' has no such key{near(key, known)}")
            good = False
            continue
        item, hint = known[key]
        if value == "" and hint is not str and item.default is None:
            continue  # a parameter that is left empty: none is meant
        try:
            values[item.name] = _READERS[hint](value)
            _check_words(values[item.name], item.metadata.get("words", ()))
        except ValueError as error:
            fault(key, str(error))
            good = False
    for key, (item, _) in known.items():
        if key not in table and item.default is MISSING and item.default_factory is MISSING:
            fault("", f"'{cls.do}' needs the key '{key}'")
            good = False
    if not good:
        return None
    try:
        return cls(**values)
    except ValueError as error:
        fault("", str(error))
        return None
