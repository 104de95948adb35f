"""Frozen dataclasses in a quarter of the time: `quick` makes them, `changed` copies them.

A frozen dataclass fills itself through `object.__setattr__`, one call a field, and `dataclasses.replace` reads every
field by name before it does that again: 2.0 and 5 us for the twenty-two fields of a run, which an order makes
eighteen times. Here an object is of an open sister class while it is filled, by plain attribute stores, and becomes
what it is at the end: 0.5 and 0.8 us (docs/performance-history.md).
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import MISSING, Field, fields
from typing import Any, TypeVar

T = TypeVar("T")

_copiers: dict[type[Any], Callable[[Any], Any]] = {}
_open: dict[type[Any], type[Any]] = {}


def quick(kind: type[T]) -> type[T]:
    """Decorate a frozen dataclass with slots: the same signature, the same defaults, the same `__post_init__`.

    Raises `TypeError` for a class without slots, and for one whose instances can be changed anyway.

    >>> from connector.model import Ref
    >>> Ref("order", "1")
    Ref(kind='order', id='1')
    """
    if not _is_frozen(kind) or "__slots__" not in vars(kind):
        raise TypeError(f"{kind.__name__}: only a frozen dataclass with slots can be made this way")
    found = fields(kind)  # type: ignore[arg-type]
    names = {"_become": object.__setattr__, "_sister": _sister(kind), "_MISSING": MISSING}
    names |= {f"_of_{item.name}": _default(item) for item in found}
    lines = [f"def __init__({_signature(found)}):", " _kind = self.__class__", " _become(self, '__class__', _sister)"]
    lines += [f" self.{item.name} = {_value(item)}" for item in found]
    lines.append(" self.__class__ = _kind")
    if hasattr(kind, "__post_init__"):
        lines.append(" self.__post_init__()")
    made = _compiled("__init__", lines, names)
    made.__annotations__ = kind.__init__.__annotations__
    made.__qualname__ = f"{kind.__qualname__}.__init__"
    kind.__init__ = made  # type: ignore[method-assign]
    return kind


def changed(value: T, **changes: object) -> T:
    """A copy of a frozen dataclass with slots, with some fields changed.

    Raises `TypeError` for a field there is not, and for a class that checks itself when it is made: that would be left
    out here.

    >>> from connector.model import Ref
    >>> changed(Ref("order", "1"), id="2")
    Ref(kind='order', id='2')
    """
    kind = type(value)
    copy = _copiers.get(kind)
    if copy is None:
        copy = _copiers[kind] = _copier(kind)
    new: Any = copy(value)
    try:
        for name, item in changes.items():
            setattr(new, name, item)
    except AttributeError as error:
        raise TypeError(f"{kind.__name__} has no field '{name}'") from error
    new.__class__ = kind
    return new  # type: ignore[no-any-return]


def _copier(kind: type[Any]) -> Callable[[Any], Any]:
    """What copies every field into an open object."""
    if not _is_frozen(kind) or hasattr(kind, "__post_init__") or "__slots__" not in vars(kind):
        raise TypeError(f"{kind.__name__}: use dataclasses.replace")
    lines = ["def copy(value):", " new = make(sister)"]
    lines += [f" new.{item.name} = value.{item.name}" for item in fields(kind)]
    lines.append(" return new")
    return _compiled("copy", lines, {"make": object.__new__, "sister": _sister(kind)})


def _sister(kind: type[Any]) -> type[Any]:
    """The same class with the same slots, open: what is frozen is `__setattr__`, and this one has object's own."""
    found = _open.get(kind)
    if found is None:
        own = {"__slots__": (), "__setattr__": object.__setattr__, "__delattr__": object.__delattr__}
        found = _open[kind] = type(f"Open{kind.__name__}", (kind,), own)
    return found


def _is_frozen(kind: type[Any]) -> bool:
    params = getattr(kind, "__dataclass_params__", None)
    return params is not None and bool(params.frozen)


def _signature(found: tuple[Field[Any], ...]) -> str:
    """As dataclasses writes it: what may come by place before what must come by name. Names of ours begin with a line
    below, so that no field takes their place."""
    placed = [_parameter(item) for item in found if not item.kw_only]
    named = [_parameter(item) for item in found if item.kw_only]
    return ", ".join(["self", *placed, *(["*", *named] if named else [])])


def _parameter(item: Field[Any]) -> str:
    if not item.init:
        raise TypeError(f"{item.name}: a field that is not given cannot be made this way")
    return item.name if _default(item) is MISSING else f"{item.name}=" + _shown(item)


def _shown(item: Field[Any]) -> str:
    return "_MISSING" if item.default is MISSING else f"_of_{item.name}"


def _default(item: Field[Any]) -> Any:
    return item.default if item.default is not MISSING else item.default_factory


def _value(item: Field[Any]) -> str:
    if item.default_factory is MISSING:
        return item.name
    return f"_of_{item.name}() if {item.name} is _MISSING else {item.name}"


def _compiled(name: str, lines: list[str], names: Mapping[str, Any]) -> Callable[..., Any]:
    """As `dataclasses` makes its methods: from text, once a class. The text holds names of fields and nothing else."""
    scope = dict(names)
    exec("\n".join(lines), scope)  # noqa: S102 # nosec B102
    made: Callable[..., Any] = scope[name]
    return made
