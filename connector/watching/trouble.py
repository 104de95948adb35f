"""What can be wrong, in words: a check finds troubles, and says why they matter and which command mends them."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from enum import StrEnum
from typing import Generic, TypeVar


class Level(StrEnum):
    """`fail`: something is lost, late or about to be. `warn`: somebody should know."""

    FAIL = "fail"
    WARN = "warn"


@dataclass(frozen=True, slots=True)
class Trouble:
    """One thing that is wrong. `subject` is what it is about (a shop, a file, a channel), empty for the installation;
    together with the check's name it is the same trouble the next time. Nothing in it tells who anybody is."""

    check: str
    level: Level
    subject: str
    what: str
    why: str
    mend: str


Subject = TypeVar("Subject", contravariant=True)
Found = tuple[Level, str, str]
"""Level, subject, what is wrong."""


@dataclass(frozen=True, slots=True)
class Check(Generic[Subject]):
    """A look at one thing. `mend` is a command; `SUBJECT` in it stands for the trouble's subject. One that is `slow`
    (it asks somebody else, or reads large tables) is left to `kiitos doctor` and not asked for alerts."""

    name: str
    why: str
    mend: str
    look: Callable[[Subject], Iterator[Found]]
    slow: bool = False

    def troubles(self, patient: Subject) -> Iterator[Trouble]:
        for level, subject, what in self.look(patient):
            yield Trouble(self.name, level, subject, what, self.why, self.mend.replace("SUBJECT", subject))


def fail(what: str, subject: str = "") -> Found:
    return Level.FAIL, subject, what


def warn(what: str, subject: str = "") -> Found:
    return Level.WARN, subject, what


def span_text(seconds: float) -> str:
    """A length of time for people: `3 minutes`, `5 hours`, `12 days`."""
    for length, name in ((86400.0, "day"), (3600.0, "hour"), (60.0, "minute")):
        if seconds >= 1.5 * length or seconds >= length:
            number = round(seconds / length)
            return f"{number} {name}{'s' * (number != 1)}"
    return f"{round(seconds)} seconds"
