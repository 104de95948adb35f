"""One place where people are: a table, and how it is shown, erased and wiped (`connector.store.places` lists them)."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Place:
    """A table that knows people. `read` shows a person's rows, `erase` removes what is personal in them; both take
    the parameters of `Person.arguments`. `wipe` removes a shop's rows, at most `limit` at a time where it can be many.
    """

    table: str
    read: str | None
    erase: str | None
    wipe: str | None
    personal: tuple[str, ...]
    impersonal: tuple[str, ...] = ()


def words(text: str) -> tuple[str, ...]:
    return tuple(text.split())
