"""What of a flow's limits an apply would change, in words."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import fields, is_dataclass
from typing import Any

from connector.store.applied import AppliedLimits
from flows.guards import shown


def changed_limits(before: AppliedLimits | None, after: AppliedLimits | None) -> list[str]:
    """A line a limit that differs; none where it was not kept what limited the flow before.

    >>> from connector.config.limits import Limits
    >>> changed_limits(AppliedLimits(shop=Limits()), AppliedLimits(shop=Limits(), daily=5))
    ['daily: null -> 5']
    """
    if before is None or after is None or before == after:
        return []
    old, new = dict(_leaves(before)), dict(_leaves(after))
    places = [place for place in {**old, **new} if old.get(place) != new.get(place)]
    return [f"{place}: {old.get(place, 'null')} -> {new.get(place, 'null')}" for place in places]


def _leaves(value: Any, place: str = "") -> Iterator[tuple[str, str]]:
    if is_dataclass(value):
        for item in fields(value):
            name = {"shop": "limits", "channels": ""}.get(item.name, item.name)
            yield from _leaves(getattr(value, item.name), ".".join(filter(None, (place, name))))
    elif isinstance(value, Mapping):
        for name, each in sorted(value.items()):
            yield from _leaves(each, f"{place}.{name}")
    elif isinstance(value, frozenset):
        yield place, " ".join(sorted(map(str, value)))
    else:
        yield place, str(value) if isinstance(value, float) else shown(value)
