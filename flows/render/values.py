"""What compiled templates (`flows.render.compiled`) do with values: python-liquid's answer for the plain types that are
usual in a message's context, `Slow` for any other."""

from __future__ import annotations

import re
from collections.abc import Callable
from decimal import Decimal
from typing import Any

from markupsafe import Markup, escape

MAX_LOOP = 1000
_SPECIAL = re.compile("[&<>\"']").search  # most texts have none, and looking is cheaper than escaping


class Slow(Exception):
    """The compiled function met something it does not know."""


def _out(value: object) -> str:
    if value.__class__ is str:
        return value
    if value is None:
        return ""
    if value is True or value is False:
        return "true" if value else "false"
    if isinstance(value, (int, Decimal, str)):
        return str(value)
    raise Slow


def _out_html(value: Any) -> str:
    kind = value.__class__
    if kind is Markup:
        return value  # type: ignore[no-any-return]
    text: str = value if kind is str else _out(value)
    return escape(text) if _SPECIAL(text) else text


def _soft(value: Any, *keys: str) -> Any:
    """A path in a condition: `None` where python-liquid would find an undefined, falsy value."""
    for key in keys:
        if value is None:
            return None
        if value.__class__ is not dict:
            raise Slow
        value = value.get(key)
    return value


def _count(value: Any) -> int:
    if isinstance(value, (list, str)):
        return len(value)
    raise Slow


def _equal(left: Any, right: Any) -> bool:
    if isinstance(left, bool) or isinstance(right, bool):
        return isinstance(left, bool) and isinstance(right, bool) and left == right
    return bool(left == right)


def _less(left: Any, right: Any) -> bool:
    if left is None or right is None:
        return False
    if left.__class__ is bool or right.__class__ is bool or isinstance(left, str) is not isinstance(right, str):
        raise Slow
    return bool(left < right)


def _blank(value: Any) -> bool:
    if value is None:
        return False
    if isinstance(value, str):
        return not value or value.isspace()
    return isinstance(value, (list, dict)) and not value


def _empty(value: Any) -> bool:
    return isinstance(value, (str, list, dict)) and not value


def _items(value: Any, loops: list[int]) -> list[Any]:
    if value.__class__ is not list:
        raise Slow
    loops[0] += len(value)
    if loops[0] > MAX_LOOP:
        raise Slow
    return value


def _map(value: Any, key: Any) -> list[Any]:
    if value.__class__ is not list or not isinstance(key, str):
        raise Slow
    return [item[key] for item in value]


def _compact(value: Any) -> list[Any]:
    if value.__class__ is not list:
        raise Slow
    return [item for item in value if item is not None]


RUNTIME = {
    "_out": _out, "_out_html": _out_html, "_soft": _soft, "_count": _count, "_equal": _equal, "_less": _less,
    "_blank": _blank, "_empty": _empty, "_items": _items, "Slow": Slow,
}  # fmt: skip
# Liquid's own, which look at every kind of value first, for the one kind that is usual here.
QUICK: dict[tuple[str, int], Callable[..., Any]] = {("map", 1): _map, ("compact", 0): _compact, ("size", 0): _count}
