"""A platform that can do everything and does nothing: it keeps what it was asked, and answers as if it were done."""

from __future__ import annotations

import inspect
from abc import ABC
from collections.abc import Sequence
from dataclasses import MISSING, dataclass, fields, is_dataclass
from functools import cache
from typing import Any, get_args, get_type_hints

from connector.contracts import ACTING, CAPABILITIES, Access, Endpoint, Inbound, PlatformAdapter, Verified
from connector.errors import WebhookRejected
from connector.model import Event, Shop

NAME = "rehearsal"


@dataclass(frozen=True, slots=True)
class Deed:
    """One call of a capability: its method, and its arguments without the access."""

    method: str
    arguments: tuple[Any, ...]


class Recording(PlatformAdapter):
    """Keeps what it is asked to do in `deeds`."""

    name = NAME

    def __init__(self) -> None:
        self.deeds: list[Deed] = []

    def verify(self, inbound: Inbound, endpoint: Endpoint) -> Verified:  # noqa: ARG002 - no webhook ever comes
        raise WebhookRejected("the rehearsal's platform sends no webhooks")

    def normalise(self, verified: Verified, body: bytes, shop: Shop) -> Sequence[Event]:  # noqa: ARG002
        return ()


def _doing(name: str, declared: Any) -> Any:
    """A method that keeps its arguments and answers with what the declared one promises."""
    promised = get_type_hints(declared).get("return")

    def act(self: Recording, *arguments: Any, **more: Any) -> Any:
        given = tuple(each for each in (*arguments, *more.values()) if not isinstance(each, Access))
        self.deeds.append(Deed(name, given))
        return _answer(promised, given, len(self.deeds))

    return act


def _answer(promised: Any, given: Sequence[Any], number: int) -> Any:
    if isinstance(promised, type) and is_dataclass(promised):
        return promised(
            **{item.name: _value(promised, item, given, number) for item in fields(promised) if _needed(item, given)}
        )
    if promised is str:
        return f"rehearsed-{number}"
    if promised is bool:
        return True
    if promised in (None, type(None)) or type(None) in get_args(promised):
        return None
    return ()


def _needed(item: Any, given: Sequence[Any]) -> bool:
    required = item.default is MISSING and item.default_factory is MISSING
    return required or any(hasattr(each, item.name) for each in given)


def _value(promised: type, item: Any, given: Sequence[Any], number: int) -> Any:
    """What the request says under the same name (a code, an amount), else something of the right kind."""
    for each in given:
        if hasattr(each, item.name):
            return getattr(each, item.name)
    return _answer(_hints(promised)[item.name], given, number)


_hints = cache(get_type_hints)  # a look back over a year asks some ten thousand times


def _able() -> type[Recording]:
    """A class with every capability there is, so that a flow is never refused for what a rehearsal cannot do."""
    bases: list[type[ABC]] = list(dict.fromkeys((*CAPABILITIES, *ACTING)))
    methods = {
        name: _doing(name, declared)
        for base in bases
        for name, declared in inspect.getmembers(base, inspect.isfunction)
        if getattr(declared, "__isabstractmethod__", False)
    }
    return type("Rehearsed", (Recording, *bases), methods)


Rehearsed = _able()
