"""A flow as loaded: checked in every part, with a client's edits applied and its version computed.

Every fault of a file is found in one pass and named `file: steps.ask.template: sentence; did you mean ...?`.
"""

from __future__ import annotations

import hashlib
import json
import tomllib
from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import timedelta
from typing import Any

from connector.contracts import PlatformAdapter, Step, TellsScopes
from connector.model import Channel, Event, Purpose, Shop
from flows.authoring.edits import FlowEdits, apply_edits
from flows.authoring.faults import Faults, FlowErrors
from flows.authoring.lists import ReadList, expand, no_lists
from flows.authoring.stars import by_stars
from flows.guards import Guard, shown
from flows.knowing.subjects import entry_key, require_subject, subject_of
from flows.reading import DEFAULT_PRIORITY, FlowParts, read_flow
from flows.triggers.forms import Schedule, SegmentTrigger

__all__ = [
    "DEFAULT_PRIORITY",
    "Flow",
    "FlowEdits",
    "FlowErrors",
    "FlowStep",
    "entry_key",
    "is_about_people",
    "load_flow",
    "require_subject",
    "scope_faults",
    "shop_faults",
    "subject_of",
]


@dataclass(frozen=True, slots=True)
class FlowStep:
    """One step with the id guards and effects know it by."""

    id: str
    step: Step
    when: tuple[Guard, ...] = ()


@dataclass(frozen=True, slots=True, kw_only=True)
class Flow:
    """One version of a flow. `document` is the resolved file as plain data: what is hashed, pinned and compared.

    `trigger` are the kinds of event that start it; where those come from wake-ups, `schedule` says when, and `segment`
    which segment's events are meant.

    `reentry` is `once` (one run per subject for ever), `per_event` (one run per subject and event kind), `restart`
    (an active run that has done nothing yet is replaced by a fresh one; one that acted or ended stays), `ignore` (none
    while another is under way), `every` (the same, and none until the span `every` has passed since the last began)
    or `always` (one run per event).

    Of two flows that want to write to one person at once, the one of the higher `priority` (0 to 100) does.
    """

    id: str
    title: str
    trigger: tuple[str, ...]
    purpose: Purpose
    subject: str
    reentry: str
    when: tuple[Guard, ...]
    cancel_on: tuple[str, ...]
    params: Mapping[str, str | int | float | bool]
    steps: tuple[FlowStep, ...]
    max_age: timedelta
    version: str
    enabled: bool = True
    schedule: Schedule | None = None
    segment: SegmentTrigger | None = None
    every: timedelta | None = None
    priority: int = DEFAULT_PRIORITY
    document: Mapping[str, Any] = field(repr=False, compare=False)
    texts: Mapping[str, str] = field(init=False, repr=False, compare=False)
    """The parameters as guards and steps see them."""

    def __post_init__(self) -> None:
        texts = {name: shown(value) if isinstance(value, bool) else str(value) for name, value in self.params.items()}
        object.__setattr__(self, "texts", texts)

    def meant_by(self, event: Event) -> bool:
        """Whether an event of a kind in `trigger` is this flow's: a wake-up is one flow's, a segment has a name."""
        if self.schedule is not None:
            return event.data.get("flow") == self.id
        return self.segment is None or event.data.get("segment") == self.segment.name

    def step(self, step_id: str) -> FlowStep:
        """The step of that id. Raises `KeyError`."""
        for item in self.steps:
            if item.id == step_id:
                return item
        raise KeyError(step_id)

    def index(self, step_id: str) -> int | None:
        """The position of a step, `None` when this version has none of that id."""
        return next((at for at, item in enumerate(self.steps) if item.id == step_id), None)

    @property
    def event_kinds(self) -> frozenset[str]:
        """Every kind that can start, cancel or resume a run of this flow."""
        awaited = {kind for item in self.steps for kind in getattr(item.step, "event", ())}
        return frozenset({*self.trigger, *self.cancel_on, *awaited})

    @property
    def guards(self) -> tuple[Guard, ...]:
        """Every guard, of the start and of each step."""
        return (*self.when, *(guard for item in self.steps for guard in item.when))

    @property
    def paths(self) -> frozenset[str]:
        """Every path a guard or a step looks at."""
        return frozenset(
            {*(guard.path for guard in self.guards), *(path for item in self.steps for path in item.step.paths())}
        )

    def to_json(self) -> str:
        """The resolved flow as canonical JSON: what runs are pinned to in the store."""
        return canonical(self.document)

    @classmethod
    def from_json(cls, text: str, registry_steps: Mapping[str, type[Step]]) -> Flow:
        """The inverse of `to_json`. Raises `FlowErrors` when a step type is no longer installed or has changed."""
        document = json.loads(text)
        return _build(document, where=f"stored flow {document.get('id', '?')}", registry_steps=registry_steps)


def load_flow(
    text: str,
    *,
    where: str,
    registry_steps: Mapping[str, type[Step]],
    edits: FlowEdits | Sequence[FlowEdits] | None = None,
    templates: Collection[str] | None = None,
    segments: Collection[str] | None = None,
    lists: ReadList = no_lists,
) -> Flow:
    """Read a flow file, apply the edits in order (agency's first), and check everything.

    `where` is the name of the file in messages. `templates` and `segments` are the names that exist; `None` leaves
    them unchecked. `lists` finds the lists of steps that `run` names.
    Raises `FlowErrors` naming every fault.
    """
    faults = Faults(where)
    try:
        document = tomllib.loads(text)
    except tomllib.TOMLDecodeError as error:
        faults.add("", f"this is not TOML: {error}")
        raise FlowErrors(faults.lines) from error
    layers = [edits] if isinstance(edits, FlowEdits) else list(edits or ())
    expand(document, lists, faults)  # before the edits, which may name steps of a list, and after, which may bring one
    apply_edits(document, layers, faults)
    expand(document, lists, faults)
    flow = _build(
        document, where=where, registry_steps=registry_steps, templates=templates, segments=segments, faults=faults
    )
    # Not of versions that are pinned: whoever is under way in one from before this was asked goes on.
    if unfair := by_stars(flow):
        raise FlowErrors([f"{where}: {line}" for line in unfair])
    return flow


def canonical(document: Mapping[str, Any]) -> str:
    """Compact JSON with sorted keys: equal flows give equal text."""
    return json.dumps(document, ensure_ascii=False, sort_keys=True, separators=(",", ":"))


def _build(
    document: Mapping[str, Any],
    *,
    where: str,
    registry_steps: Mapping[str, type[Step]],
    templates: Collection[str] | None = None,
    segments: Collection[str] | None = None,
    faults: Faults | None = None,
) -> Flow:
    faults = faults or Faults(where)
    parts = read_flow(document, registry_steps, templates, faults, segments)
    for item in parts.steps:
        if item.step is not None and item.step.leaves_out_consent() and parts.document["purpose"] != "transactional":
            faults.add(
                f"steps.{item.id}",
                f"'{item.step.do}' sends without asking for consent: only for flows of purpose transactional",
            )
        purpose = getattr(item.step, "purpose", "") or parts.document["purpose"]
        if getattr(item.step, "survey", "") and purpose == "transactional":
            faults.add(
                f"steps.{item.id}",
                "a survey needs the person's yes and is asked once a quarter: its purpose cannot be transactional; "
                'write purpose = "loyalty"',
            )
        if item.step is not None and Channel.PLATFORM in item.step.media() and purpose != "transactional":
            faults.add(
                f"steps.{item.id}",
                f'channel "platform" is the shop\'s own mail, which has no unsubscribe link: only for messages of '
                f'purpose transactional, this one is {purpose}; write channel = "email"',
            )
    if faults.lines:
        raise FlowErrors(faults.lines)
    return _flow(parts)


def _flow(parts: FlowParts) -> Flow:
    document = parts.document
    # The title is for people, `enabled` decides only whether new runs start and `priority` which message goes first:
    # none makes another version.
    hashed = {key: value for key, value in document.items() if key not in ("title", "enabled", "priority")}
    return Flow(
        id=document["id"],
        title=document["title"],
        trigger=parts.trigger.kinds,
        purpose=Purpose.of(document["purpose"]),
        subject=document["subject"],
        reentry=parts.reentry,
        when=parts.when,
        cancel_on=tuple(document["cancel_on"]),
        params=document["params"],
        steps=tuple(FlowStep(item.id, item.step, item.when) for item in parts.steps if item.step is not None),
        max_age=parts.max_age,
        version=hashlib.sha256(canonical(hashed).encode()).hexdigest()[:12],
        enabled=document["enabled"],
        priority=document.get("priority", DEFAULT_PRIORITY),
        schedule=parts.trigger.schedule,
        segment=parts.trigger.segment,
        every=parts.every,
        document=document,
    )


_OF_ORDERS = ("order", "shipment", "refund", "return", "review", "survey", "case", "referral", "discount", "message")


def is_about_people(flow: Flow) -> bool:
    """Whether its runs belong to a person or cart and to no order: any order of theirs then counts for them."""
    if flow.subject not in ("customer", "checkout"):
        return False
    if flow.schedule is not None:
        return flow.schedule.anchor in ("customer", "checkout")
    return any(kind.partition(".")[0] not in _OF_ORDERS for kind in flow.trigger)


def shop_faults(
    flow: Flow,
    shop: Shop,
    adapter: PlatformAdapter,
    *,
    where: str = "",
    steps: Mapping[str, type[Step]] | None = None,
) -> list[str]:
    """Why this flow cannot run for this shop: a capability its platform lacks, a reward in a foreign currency.

    Empty when it can. Asked when flows are bound to shops, never at three in the morning. `steps` are all step types,
    so that one that comes near and that the platform can do is named.
    """
    faults = Faults(where or flow.id)
    for item in flow.steps:
        for capability in item.step.needs():
            if not isinstance(adapter, capability):
                faults.add(
                    f"steps.{item.id}",
                    f"flow '{flow.id}' cannot run in shop '{shop.id}': {shop.platform} cannot do '{item.step.do}' "
                    f"(it lacks {capability.__name__}){_instead(item.step, adapter, steps or {})}",
                )
        for currency in item.step.currencies():
            if currency != shop.currency:
                faults.add(
                    f"steps.{item.id}", f"the amount is in {currency}, shop '{shop.id}' sells in {shop.currency}"
                )
    return faults.lines


def _instead(step: Step, adapter: PlatformAdapter, steps: Mapping[str, type[Step]]) -> str:
    """`; use 'x' instead`, for the first step type that comes near and that the platform can do."""
    for name in step.instead:
        found = steps.get(name)
        if found is not None and all(isinstance(adapter, each) for each in found.capabilities):
            return f"; '{name}' comes near and works there"
    return ""


def scope_faults(flow: Flow, shop: Shop, adapter: PlatformAdapter, granted: frozenset[str]) -> list[str]:
    """Why this flow cannot run with what the merchant granted: each missing permission with the step that needs it."""
    if not isinstance(adapter, TellsScopes):
        return []
    faults = Faults(flow.id)
    for item in flow.steps:
        for capability in item.step.needs():
            for group in adapter.scopes_for(capability):
                if not granted.intersection(group):
                    faults.add(
                        f"steps.{item.id}",
                        f"shop '{shop.id}' has not granted {' or '.join(group)}, which '{item.step.do}' needs on "
                        f"{shop.platform}: add the scope to the app and let the merchant approve it, or remove the "
                        f"step",
                    )
    return faults.lines
