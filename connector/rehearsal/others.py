"""Who else takes part in a rehearsal: people who decide, people who are told, servers that answer."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from datetime import datetime
from typing import Any, TypeVar

from connector.config import EndpointSettings, PersonSettings, ShopSettings
from connector.errors import ConfigError
from connector.model import Effect, Run
from connector.store import perks
from connector.store.db import Tx
from connector.working.calling import Caller, answered
from flows.care.tasks import decide, open_tasks
from flows.runner import Runner
from flows.steps.task import APPROVED, REFUSED

T = TypeVar("T")
CODES = "codes"
"""The word of a test's `given` that fills a list of coupons or seats."""
DECISIONS = {"task approved": APPROVED, "task refused": REFUSED}
"""The words of a test's `given` that decide a task."""


class Everyone(dict[str, T]):
    """Has whoever is asked for: a flow's file names people and servers that only a client's app.toml knows."""

    def __init__(self, make: Callable[[str], T]) -> None:
        super().__init__()
        self._make = make

    def __contains__(self, name: object) -> bool:
        return isinstance(name, str)

    def __missing__(self, name: str) -> T:
        self[name] = found = self._make(name)
        return found

    def get(self, name: str, default: Any = None) -> Any:
        del default
        return self[name]


def anyone() -> dict[str, PersonSettings]:
    return Everyone(lambda name: PersonSettings(name=name, label=name, email=f"{name}@rehearsal.example"))


def anywhere() -> dict[str, EndpointSettings]:
    return Everyone(lambda name: EndpointSettings(name=name, owner=name, url="https://rehearsal.example/"))


class Answering(Caller):
    """Nothing leaves, and the test says what comes back."""

    def __init__(self, answers: Mapping[str, Mapping[str, Any]]) -> None:
        self._answers = answers

    def carry_out(self, effect: Effect, run: Run, settings: ShopSettings) -> Mapping[str, str]:
        """What the test's `answers` say for the step."""
        del run, settings
        wanted = tuple(str(name) for name in effect.request.get("answer", ()))
        return {"status": "200", **answered(self._answers.get(effect.step_id, {}), wanted)}


def fill_list(tx: Tx, shop_id: str, rest: str) -> None:
    """`codes NAME NUMBER`: so many codes are in the list. Raises `ConfigError`."""
    name, _, number = rest.partition(" ")
    if not (name and number.isdecimal()):
        raise ConfigError(f"'codes {rest}' should be 'codes NAME NUMBER', such as 'codes evening 40'")
    perks.add(tx, shop_id, name, [f"{name}-{each:04}" for each in range(1, int(number) + 1)])


def decide_task(tx: Tx, runner: Runner, shop_id: str, word: str, step: str, now: datetime) -> None:
    """`task approved`, `task refused STEP`. Raises `ConfigError` where nobody was asked."""
    waiting = [task for task in open_tasks(tx, runner, shop_id) if step in ("", task.id.partition(":")[2])]
    if not waiting:
        raise ConfigError(f"nobody was asked to decide{f' {step!r}' if step else ''} yet")
    for task in waiting:
        decide(tx, runner, shop_id, task.id, now, answer=DECISIONS[word], by=task.to, via="rehearsal")
