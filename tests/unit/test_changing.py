"""What is made and copied the quick way is what `dataclasses` makes and copies, and what it cannot do is refused."""

from __future__ import annotations

import copy
import pickle
from dataclasses import FrozenInstanceError, dataclass, field, replace
from datetime import UTC, datetime
from typing import Any

import pytest

from connector.model import Money, Ref, Run, RunStatus
from connector.model.changing import changed, quick
from flows.facts import Facts
from tests.engine.world import facts

AT = datetime(2026, 11, 22, tzinfo=UTC)
RUN = Run(
    shop_id="s", id="r", flow_id="f", version="v", subject_kind="order", subject_id="o", entry_key="k",
    status=RunStatus.READY, step=0, created_at=AT, updated_at=AT,
)  # fmt: skip


def test_it_is_what_replace_gives() -> None:
    wanted = {"status": RunStatus.SLEEPING, "wake_at": AT, "step": 2}
    assert changed(RUN, **wanted) == replace(RUN, **wanted)  # type: ignore[arg-type]
    known = facts(run_id="r1")
    assert changed(known, step_id="ask") == replace(known, step_id="ask")
    assert changed(known) == known


def test_what_it_was_made_from_stays() -> None:
    before = replace(RUN)
    changed(RUN, step=9)
    assert before == RUN
    assert isinstance(changed(facts(), step_id="x"), Facts)


def test_a_field_there_is_not_is_an_error() -> None:
    with pytest.raises(TypeError, match="has no field 'stepp'"):
        changed(RUN, stepp=1)


@dataclass(frozen=True, slots=True)
class Checked:
    low: int
    high: int

    def __post_init__(self) -> None:
        assert self.low <= self.high


@dataclass
class Open:
    one: int
    two: int


@pytest.mark.parametrize("value", [Checked(1, 2), Open(1, 2)])
def test_what_checks_itself_or_has_no_slots_is_refused(value: object) -> None:
    with pytest.raises(TypeError, match=r"use dataclasses\.replace"):
        changed(value, low=1)


def test_frozen_it_stays() -> None:
    with pytest.raises(AttributeError):
        changed(Ref("order", "1"), id="2").id = "3"  # type: ignore[misc]
    assert Money.parse("1", "EUR")


# -- made the quick way ------------------------------------------------------------------------------------------------


def plain() -> type[Any]:
    """A class anew, with what comes by place and by name, a list of its own, and names that the maker could need."""

    @dataclass(frozen=True, slots=True)
    class Plain:
        kind: str
        value: int = 3
        self_: str = ""
        become: str = field(default="b", kw_only=True)
        sister: list[int] = field(default_factory=list, kw_only=True)
        make: int | None = field(default=None, kw_only=True, repr=False)

    return Plain


CALLS: list[tuple[tuple[Any, ...], dict[str, Any]]] = [
    (("a",), {}),
    (("a", 1, "c"), {"become": "x", "sister": [1], "make": 4}),
    ((), {"kind": "k", "self_": "s"}),
    ((), {}),
    (("a", 1, "c", "too many"), {}),
    (("a",), {"unknown": 1}),
    (("a",), {"kind": "twice"}),
]


@pytest.mark.parametrize(("args", "names"), CALLS)
def test_the_same_call_gives_the_same(args: tuple[Any, ...], names: dict[str, Any]) -> None:
    given: list[str] = []
    for kind in (plain(), quick(plain())):
        try:
            given.append(repr(kind(*args, **names)))
        except TypeError as error:
            given.append(str(error).replace("positional argument:", "required positional argument:"))
    assert given[0] == given[1]


def test_a_default_that_is_made_is_made_each_time() -> None:
    made = quick(plain())
    one, two = made("a"), made("a")
    one.sister.append(1)
    assert two.sister == []


def test_it_is_as_frozen_as_before() -> None:
    run = replace(RUN)
    assert type(run) is Run
    with pytest.raises(FrozenInstanceError):
        run.step = 3  # type: ignore[misc]
    with pytest.raises(FrozenInstanceError):
        del changed(run, step=4).step
    assert (hash(Ref("a", "b")), {Ref("a", "b")}) == (hash(Ref("a", "b")), {Ref("a", "b")})


def test_it_travels() -> None:
    assert pickle.loads(pickle.dumps(RUN)) == RUN == copy.deepcopy(RUN)
    assert type(copy.copy(changed(RUN, step=1))) is Run


def test_what_checks_itself_is_checked() -> None:
    kind: type[Any] = quick(dataclass(frozen=True, slots=True)(type("Again", (), dict(_CHECKED))))
    assert kind(1, 2).high == 2
    with pytest.raises(AssertionError):
        kind(2, 1)


_CHECKED = {"__annotations__": {"low": "int", "high": "int"}, "__post_init__": Checked.__post_init__}


def test_a_class_below_it_is_what_it_says() -> None:
    made = quick(plain())

    class Below(made):  # type: ignore[misc, valid-type]
        __slots__ = ()

    assert type(Below("a")) is Below


@dataclass(slots=True)
class Mutable:
    one: int = 1


@dataclass(frozen=True)
class Slotless:
    one: int = 1


@pytest.mark.parametrize("kind", [Mutable, Slotless, int])
def test_what_cannot_be_made_this_way_is_refused(kind: type[Any]) -> None:
    with pytest.raises(TypeError, match="only a frozen dataclass with slots"):
        quick(kind)
