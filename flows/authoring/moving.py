"""What a change of a flow means for a run that is in it. Pure.

| migration | what becomes of a run of the old version |
| --- | --- |
| finish | it stays on the version it began with, to the end |
| move | it goes on at the step of the same id; a wait that has begun ends when it was going to |
| re-evaluate | it moves, the guards of flow and step are asked anew, a wait is counted anew from its beginning |
| end | it ends here, with the reason kept |

A step that somebody stands at and that the new version lacks (or in which it does something else) makes `move` and
`re-evaluate` ambiguous: somebody must say where its people go. A run whose message or platform effect is under way at
such a step finishes on the old version: what was decided once is neither dropped nor decided again.

Effects are known by run and step, so a step that was done is not done again by a moved run, wherever it stands in the
new version (`flows.engine`); what a run therefore never meets is written into its journal.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import datetime
from enum import StrEnum
from typing import Any

from connector.contracts import Await, Sleep
from connector.errors import near
from connector.model import Run, RunStatus
from flows import engine
from flows.definition import Flow
from flows.engine import JournalEntry, Transition
from flows.facts import Facts, Standing

ENDS = "-"
"""In a mapping, instead of a step: who stands there has come to the end."""


class Migration(StrEnum):
    """What becomes of people in flight when their flow changes; see the table above."""

    FINISH = "finish"
    MOVE = "move"
    REEVALUATE = "re-evaluate"
    END = "end"


@dataclass(frozen=True, slots=True)
class StepRef:
    """A step by what matters for moving: its id and what it does."""

    id: str
    do: str


def steps_of(document: Mapping[str, Any]) -> tuple[StepRef, ...]:
    """The steps of a resolved flow, in order."""
    return tuple(StepRef(str(step["id"]), str(step["do"])) for step in document.get("steps", ()))


@dataclass(frozen=True, slots=True)
class Lands:
    """The run goes on at step `index` of the new version; `begun` is false where that step begins anew."""

    index: int
    begun: bool = True


@dataclass(frozen=True, slots=True)
class Stays:
    """The run finishes on its version, for `why`."""

    why: str


@dataclass(frozen=True, slots=True)
class Stops:
    """The run ends: the mapping says that its step was the last for it."""

    step_id: str


@dataclass(frozen=True, slots=True)
class Unclear:
    """Nobody said where people who stand at this step go. `why` is a sentence with the fix."""

    step_id: str
    why: str


Landing = Lands | Stays | Stops | Unclear


def landing(
    old: Sequence[StepRef], new: Sequence[StepRef], at: int, status: RunStatus, mapping: Mapping[str, str]
) -> Landing:
    """Where a run that stands at step `at` of `old`, in `status`, goes on in `new`. `mapping` is step id to step id."""
    if at >= len(old):
        return Stays("it is past its last step")
    here = old[at]
    places = {step.id: index for index, step in enumerate(new)}
    same = here.id in places and new[places[here.id]].do == here.do
    if same and here.id not in mapping:
        return Lands(places[here.id])
    if status is RunStatus.ACTING:
        return Stays(f"what step '{here.id}' decided is under way")
    wanted = mapping.get(here.id)
    if wanted == ENDS:
        return Stops(here.id)
    if wanted in places:
        return Lands(places[wanted], begun=False)
    if wanted is not None:
        return Unclear(here.id, f"the new version has no step '{wanted}'{near(wanted, places)}")
    if here.id in places:
        did, does = here.do, new[places[here.id]].do
        fault = f"step '{here.id}' was '{did}' and is '{does}' now: say with --map {here.id}=STEP where they go on"
        return Unclear(here.id, f"{fault} (--map {here.id}={here.id} begins it anew, {here.id}={ENDS} ends them)")
    hint = f"step '{here.id}' is gone: say with --map {here.id}=STEP where they go on, or {here.id}={ENDS} to end them"
    return Unclear(here.id, hint)


def unlike(old: Mapping[str, Any], new: Mapping[str, Any]) -> Unclear | None:
    """Why nobody of the old version can be moved, whatever step they stand at: the flow is about another thing now."""
    was, now = (str(each.get("subject", "order")) for each in (old, new))
    if was == now:
        return None
    return Unclear("", f"the flow was about a {was} and is about a {now} now: its people can only finish or end")


def passed_over(old: Sequence[StepRef], new: Sequence[StepRef], at: int, index: int) -> list[str]:
    """The steps of the new version that a run landing at `index` will never meet: they stand before it, and did not
    stand before where it was."""
    behind = {step.id for step in old[:at]}
    mine = old[at].id if at < len(old) else ""
    return [step.id for step in new[:index] if step.id not in behind and step.id != mine]


def move(old: Sequence[StepRef], new: Flow, run: Run, place: Lands, how: Migration, now: datetime) -> Transition:
    """The run on the new version. Who begins a step anew does so at the worker's next look."""
    moved = replace(run, version=new.version, step=place.index)
    if not place.begun:
        moved = replace(moved, status=RunStatus.READY, wake_at=now, awaiting=(), updated_at=now)
    item = new.steps[place.index]
    detail = {"from": run.version, "to": new.version, "how": str(how)}
    missed = passed_over(old, steps_of(new.document), run.step, place.index)
    undone = [name for name in missed if name not in run.outcomes]
    if undone:
        detail["passed"] = ", ".join(undone)
    if not place.begun and run.step < len(old):
        detail["was_at"] = old[run.step].id
    return Transition(moved, journal=(JournalEntry(item.id, "moved", detail),))


def reevaluate(new: Flow, moved: Transition, facts: Facts, now: datetime) -> Transition:
    """`moved` with the guards asked anew and its wait counted anew; `facts` are those of this moment.

    A run whose effect is under way is left as it is: the step's guards are asked again before anything leaves.
    """
    run = moved.run
    if run.status is RunStatus.ACTING:
        return moved
    seen = engine.view(new, run, facts)
    refusal = next((found for guard in new.when if not (found := guard.evaluate(seen)).passed), None)
    if refusal is not None:
        rule = f"{refusal.path} {refusal.op} {refusal.wanted}"
        ended = replace(
            run, status=RunStatus.EXITED, reason=f"re-evaluated: {rule}", wake_at=None, awaiting=(), updated_at=now
        )
        told = {"path": refusal.path, "op": refusal.op, "wanted": refusal.wanted, "saw": refusal.saw}
        entry = JournalEntry("", "exited", {"reason": "re-evaluated", **told})
        return Transition(ended, journal=(*moved.journal, entry))
    if run.status is RunStatus.READY:
        return moved
    return replace(moved, run=_recounted(new, run, seen, now))


def _recounted(new: Flow, run: Run, seen: Standing, now: datetime) -> Run:
    item = new.steps[run.step]
    again = replace(run, status=RunStatus.READY, wake_at=now, awaiting=(), updated_at=now)
    if not all(guard.holds(seen) for guard in item.when):
        return again  # the worker finds the guard failing too, and keeps it in the journal
    decision = item.step.start(seen.at(run.updated_at))
    match decision:
        case Sleep(until=until):
            return replace(run, status=RunStatus.SLEEPING, wake_at=until, awaiting=())
        case Await(kinds=kinds, until=until):
            return replace(run, status=RunStatus.AWAITING, wake_at=until, awaiting=kinds)
        case _:
            return again
