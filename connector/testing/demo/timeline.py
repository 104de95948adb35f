"""The story told as it happens: what came in, what was decided, what was sent, what was not and why."""

from __future__ import annotations

import os
import sys
from datetime import datetime
from zoneinfo import ZoneInfo

import click

from connector.explaining.explain import Line, Story, explain
from connector.testing.world import SHOPIFY, World

HELSINKI = ZoneInfo("Europe/Helsinki")
_MARKS = {
    "event": ("came in ", "cyan"),
    "effect.sent": ("SENT    ", "green"),
    "effect.skipped": ("not sent", "yellow"),
    "effect.failed": ("FAILED  ", "red"),
    "effect.uncertain": ("unknown ", "red"),
    "not_started": ("not sent", "yellow"),
    "taken_back": ("back    ", "yellow"),
    "cancelled": ("stopped ", "yellow"),
    "exited": ("ended   ", "yellow"),
    "deferred": ("waits   ", "blue"),
    "sleeping": ("waits   ", "blue"),
}
_QUIET = ("order.paid", "order.fulfilled", "order.edited", "shipment.in_transit")
_BRIEF = ("settle",)


class Timeline:
    """Prints each line once, oldest first. `people` are (shop id, e-mail address or order number)."""

    def __init__(self, world: World, people: list[tuple[str, str]]) -> None:
        self._world = world
        self.people = people
        self._seen: set[tuple[str, str, datetime, str]] = set()
        self._colour = sys.stdout.isatty() and "NO_COLOR" not in os.environ

    def act(self, who: str, what: str) -> None:
        """What the outside world is about to do; first, all that has happened since."""
        self.news()
        self._print("")
        self._print(f"{self._time(self._world.clock.now())}  {who}: {what}", "white", bold=True)

    def news(self) -> None:
        """All lines not yet printed."""
        fresh: list[tuple[datetime, str, Line]] = []
        for story in self.stories():
            for line in story.lines:
                key = (story.shop_id, story.subject, line.at, f"{line.what}{line.text}{line.flow}")
                if key not in self._seen:
                    self._seen.add(key)
                    fresh.append((line.at, story.subject, line))
        for at, subject, line in sorted(fresh, key=lambda item: item[0]):
            if self._worth_telling(line):
                mark, colour = _MARKS[line.what]
                self._print(f"{self._time(at)}  {mark}  {subject:<26.26}  {line.text}", colour)

    def stories(self) -> list[Story]:
        found = (explain(self._world.kiitos.store, shop_id, who) for shop_id, who in self.people)
        return [story for story in found if story is not None]

    def follow(self, number: str) -> None:
        """Tell of an order nobody's address leads to."""
        self.people.append((SHOPIFY, number))

    @staticmethod
    def _worth_telling(line: Line) -> bool:
        if line.what not in _MARKS or line.step in _BRIEF:
            return False
        return not (line.what == "event" and line.text.startswith(_QUIET))

    @staticmethod
    def _time(at: datetime) -> str:
        return f"{at.astimezone(HELSINKI):%a %d %b %H:%M}"

    def _print(self, text: str, colour: str = "white", *, bold: bool = False) -> None:
        click.echo(click.style(text, fg=colour, bold=bold) if self._colour else text)
