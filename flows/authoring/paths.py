"""The types of guard paths, read from the model itself, so that a misspelt path is found when a flow loads."""

from __future__ import annotations

import types
from collections.abc import Collection, Mapping
from dataclasses import dataclass, fields, is_dataclass
from datetime import datetime, timedelta
from decimal import Decimal
from enum import StrEnum
from functools import lru_cache
from typing import Any, Union, get_args, get_origin, get_type_hints

from connector.errors import ConfigError, near
from connector.model import Customer, Money, Order, Shipment, Shop
from flows.facts import ROOTS, Progress, RecipientFacts, ReferralFacts
from flows.goods.guides import GuideFacts
from flows.knowing.about import CheckoutFacts, LineFacts
from flows.knowing.background import ConsentFacts
from flows.knowing.beyond import BEYOND

_CLASSES: dict[str, type[Any]] = {
    "order": Order,
    "line": LineFacts,
    "checkout": CheckoutFacts,
    "customer": Customer,
    "consent": ConsentFacts,
    "shipment": Shipment,
    "progress": Progress,
    "referral": ReferralFacts,
    "recipient": RecipientFacts,
    "guide": GuideFacts,
    "shop": Shop,
}


class Kind(StrEnum):
    """What a path gives. `LOOSE` is text of unknown meaning (events, step outcomes), compared as number where asked."""

    TEXT = "text"
    NUMBER = "a number"
    BOOL = "true or false"
    TIME = "a time"
    MONEY = "an amount of money"
    SPAN = "a span"
    LIST = "a list"
    LOOSE = "free text"
    OBJECT = "a group of values"


@dataclass(frozen=True, slots=True)
class PathType:
    """`words` is the closed vocabulary of a text, empty when it is open."""

    kind: Kind
    words: tuple[str, ...] = ()


def path_type(path: str, *, params: Collection[str] = (), steps: Collection[str] = ()) -> PathType:
    """The type of a guard path. `params` and `steps` are the names that exist at this place of the flow.

    Raises `ConfigError` with a near match.
    """
    root, *rest = path.split(".")
    if root not in ROOTS:
        raise ConfigError(f"unknown path '{path}': it begins with none of {', '.join(ROOTS)}{near(root, ROOTS)}")
    if root in ("params", "steps"):
        return _named(path, root, rest, params if root == "params" else steps)
    if root == "event":
        if len(rest) != 1:
            raise ConfigError(f"unknown path '{path}': an event has one level, such as event.kind")
        return PathType(Kind.LOOSE)
    if root == "now":
        return _end(path, rest, PathType(Kind.TIME))
    return _walk(path, _CLASSES[root], rest)


def _named(path: str, root: str, rest: list[str], known: Collection[str]) -> PathType:
    depth = 1 if root == "params" else 2
    example = "params.wait" if root == "params" else "steps.ask.outcome"
    if len(rest) != depth:
        raise ConfigError(f"unknown path '{path}': write it like {example}")
    if rest[0] not in known:
        word = "parameter" if root == "params" else "earlier step"
        raise ConfigError(f"unknown path '{path}': no {word} '{rest[0]}'{near(rest[0], known)}")
    return PathType(Kind.LOOSE)


def _walk(path: str, cls: type[Any], names: list[str]) -> PathType:
    hint: Any = cls
    inside_list = False
    for at, name in enumerate(names):
        hint = _plain(hint)
        if get_origin(hint) is tuple:
            item = get_args(hint)[0]
            if name == "count":
                hint = int
                continue
            if get_origin(item) is tuple:
                return _end(path, names[at + 1 :], PathType(Kind.TEXT))
            inside_list = True
            hint = item
        if get_origin(hint) is Mapping:
            return _end(path, names[at + 1 :], PathType(Kind.LOOSE))
        members = _members(hint) if isinstance(hint, type) and is_dataclass(hint) else {}
        if at == 0:
            members = {**members, **BEYOND.get(path.partition(".")[0], {})}
        if name not in members:
            place = ".".join([path.split(".")[0], *names[:at]])
            raise ConfigError(f"unknown path '{path}': {place} has no '{name}'{near(name, members)}")
        hint = members[name]
    found = _leaf(_plain(hint))
    return PathType(Kind.LIST, found.words) if inside_list else found


def _end(path: str, left: list[str], found: PathType) -> PathType:
    if left:
        raise ConfigError(f"unknown path '{path}': nothing lies below what comes before '.{left[0]}'")
    return found


@lru_cache(maxsize=64)
def _members(cls: type[Any]) -> dict[str, Any]:
    hints = get_type_hints(cls)
    members = {item.name: hints[item.name] for item in fields(cls)}
    for name, value in vars(cls).items():
        if isinstance(value, property) and value.fget is not None:
            members[name] = get_type_hints(value.fget)["return"]
    return members


def _plain(hint: Any) -> Any:
    """The hint without `None`."""
    if get_origin(hint) in (Union, types.UnionType):
        rest = [arg for arg in get_args(hint) if arg is not type(None)]
        return rest[0] if len(rest) == 1 else hint
    return hint


def _leaf(hint: Any) -> PathType:
    if get_origin(hint) is tuple:
        return PathType(Kind.LIST)
    if isinstance(hint, type):
        if issubclass(hint, StrEnum):
            return PathType(Kind.TEXT, tuple(hint))
        for known, kind in _LEAVES:
            if issubclass(hint, known):
                return PathType(kind)
    return PathType(Kind.OBJECT)


# bool before int: a bool is an int to Python.
_LEAVES: tuple[tuple[type[Any], Kind], ...] = (
    (bool, Kind.BOOL),
    (str, Kind.TEXT),
    (int, Kind.NUMBER),
    (Decimal, Kind.NUMBER),
    (datetime, Kind.TIME),
    (Money, Kind.MONEY),
    (timedelta, Kind.SPAN),
)
