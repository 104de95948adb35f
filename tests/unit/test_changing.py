"""The quick copy gives what `dataclasses.replace` gives, and refuses what it cannot copy."""

from __future__ import annotations

from dataclasses import dataclass, replace
from datetime import UTC, datetime

import pytest

from connector.model import Money, Ref, Run, RunStatus
from connector.model.changing import changed
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
