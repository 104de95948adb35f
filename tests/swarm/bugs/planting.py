"""What a planted bug is: a name, and how the product is broken while it is in."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, replace
from typing import Any

import pytest

from tests.swarm.house import House

Plant = Callable[[pytest.MonkeyPatch, House], None]


@dataclass(frozen=True, slots=True)
class Bug:
    """`name` says what the broken product does."""

    name: str
    plant: Plant


def wrap(patch: pytest.MonkeyPatch, owner: Any, name: str, around: Callable[..., Any]) -> None:
    """Replace `owner.name` by `around(real, *its arguments)`."""
    real = getattr(owner, name)
    patch.setattr(owner, name, lambda *given, **more: around(real, *given, **more))


def reword(patch: pytest.MonkeyPatch, house: House, query: str, old: str, new: str) -> None:
    """Change the words of a named query."""
    queries = house.store.work.queries
    assert old in queries[query].sql, queries[query].sql
    patch.setitem(queries, query, replace(queries[query], sql=queries[query].sql.replace(old, new)))
    if query in house.store.work._selects:
        patch.setitem(house.store.work._selects, query, queries[query])
