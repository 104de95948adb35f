"""What is given for a review must not depend on its stars: a flow that says otherwise is refused when it is loaded.

16 CFR 465.4 (no compensation conditioned on a review expressing a particular sentiment); the platforms' terms say the
same. A message, a task or a word to staff may depend on them; a present may not, in either direction.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from typing import TYPE_CHECKING

from connector.model import EventKind
from flows.guards import Guard

if TYPE_CHECKING:
    from flows.definition import Flow, FlowStep

GIVES = frozenset({"create_discount", "grant", "issue_store_credit", "issue_gift_card", "hand_out"})
OF_REVIEW = frozenset(str(kind) for kind in EventKind if str(kind).startswith("review."))
_STARS = "rating"


def awaited(step: object) -> Sequence[str]:
    """The kinds of event a step waits for."""
    event = getattr(step, "event", "")
    return (event,) if isinstance(event, str) else tuple(event)


def by_stars(flow: Flow) -> list[str]:
    """`place: sentence` for each present that depends on the stars of a review: by a guard of the flow, of the step, or
    of an `exit` before it."""
    paths = {f"steps.{item.id}.{_STARS}" for item in flow.steps if not OF_REVIEW.isdisjoint(awaited(item.step))}
    if not OF_REVIEW.isdisjoint(flow.trigger):
        paths.add(f"event.{_STARS}")
    found, before = [], list(_looking(flow.when, paths))
    for item in flow.steps:
        mine = _looking(item.when, paths)
        if item.step.do == "exit":
            before += mine
        elif item.step.do in GIVES and (guards := [*before, *mine]):
            found.append(f"steps.{item.id}: {_sentence(item, guards[0])}")
    return found


def _looking(guards: Iterable[Guard], paths: Iterable[str]) -> list[Guard]:
    return [guard for guard in guards if guard.path in paths]


def _sentence(item: FlowStep, guard: Guard) -> str:
    return (
        f"'{item.step.do}' depends on the stars of a review ('{guard.text}'): a reward must be the same for every "
        'review; take the guard away, or leave it to a person with do = "task"'
    )
