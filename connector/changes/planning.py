"""What applying would do, without doing it: changes by shop and flow, and where the people in flight go."""

from __future__ import annotations

import hashlib
import json
from collections import defaultdict
from collections.abc import Collection, Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from connector import codec
from connector.changes.limiting import changed_limits
from connector.changes.targets import Target, document
from connector.errors import ConfigError, near
from connector.model import RunStatus, ShopStatus
from connector.store import census, shops
from connector.store import flows as flow_store
from connector.store.applied import AppliedFlow, AppliedState
from connector.store.db import Tx
from flows.authoring.difference import differences
from flows.authoring.moving import Lands, Migration, Stays, Stops, Unclear, landing, passed_over, steps_of, unlike

ADDED, CHANGED, REMOVED = "added", "changed", "removed"
_MOVING = (Migration.MOVE, Migration.REEVALUATE)


@dataclass(frozen=True, slots=True)
class Choices:
    """How people in flight are migrated: by flow id, else what the file declares, else `default`.

    `mapping` is old step to new step (or `-`); a key `flow:step` is meant for that flow only.
    """

    default: Migration = Migration.FINISH
    by_flow: Mapping[str, Migration] = field(default_factory=dict)
    mapping: Mapping[str, str] = field(default_factory=dict)
    overriding: bool = False

    def migration(self, flow_id: str, declared: str = "") -> Migration:
        """`overriding` is set where the command line gave the default: it then goes before the file's word."""
        if flow_id in self.by_flow:
            return self.by_flow[flow_id]
        return self.default if self.overriding or not declared else Migration(declared)

    def steps_of(self, flow_id: str) -> dict[str, str]:
        own = {key.partition(":")[2]: step for key, step in self.mapping.items() if key.startswith(f"{flow_id}:")}
        return {key: step for key, step in self.mapping.items() if ":" not in key} | own


def read_choices(migrate: Iterable[str], mapped: Iterable[str], default: str) -> Choices:
    """`move` or `review-request=move`, and `old=new` or `review-request:old=new`. Raises `ConfigError`."""
    by_flow: dict[str, Migration] = {}
    chosen, overriding = _migration(default, "flows.migrate"), False
    for text in migrate:
        flow_id, equals, word = text.rpartition("=")
        if equals:
            by_flow[flow_id] = _migration(word, "--migrate")
        else:
            chosen, overriding = _migration(word, "--migrate"), True
    mapping = {}
    for text in mapped:
        old, equals, new = text.partition("=")
        if not (old and equals and new):
            raise ConfigError(f"--map: write old=new, flow:old=new or old=-, not '{text}'")
        mapping[old] = new
    return Choices(chosen, by_flow, mapping, overriding)


def _migration(word: str, where: str) -> Migration:
    words = [str(each) for each in Migration]
    if word not in words:
        raise ConfigError(f"no migration '{word}'{near(word, words)} (one of {', '.join(words)})", where=where)
    return Migration(word)


@dataclass(frozen=True, slots=True, kw_only=True)
class Position:
    """People in flight at one step of an old version, and what becomes of them: a sentence in `lands`."""

    step_id: str
    version: str
    status: RunStatus
    runs: int
    people: int
    lands: str
    refused: bool = False


@dataclass(frozen=True, slots=True, kw_only=True)
class FlowChange:
    """One flow of one shop that would change. `lines` is the readable difference, empty for added and removed ones."""

    flow_id: str
    change: str
    before: AppliedFlow | None
    after: AppliedFlow | None
    how: Migration
    lines: tuple[str, ...] = ()
    positions: tuple[Position, ...] = ()

    @property
    def runs(self) -> int:
        return sum(each.runs for each in self.positions)

    @property
    def people(self) -> int:
        """Of each step; who is twice in a flow is counted at each."""
        return sum(each.people for each in self.positions)

    @property
    def refusals(self) -> tuple[str, ...]:
        """Why this cannot be applied as it is, each with the fix."""
        return tuple(dict.fromkeys(each.lands for each in self.positions if each.refused))


@dataclass(frozen=True, slots=True, kw_only=True)
class ShopPlan:
    """What would happen in one shop. `state` is the number of what runs there now, 0 before the first."""

    target: Target
    state: int
    changes: tuple[FlowChange, ...] = ()
    mapping: Mapping[str, str] = field(default_factory=dict)

    @property
    def shop_id(self) -> str:
        return self.target.shop_id

    @property
    def refusals(self) -> tuple[str, ...]:
        """Why this shop cannot be applied."""
        found = [f"{change.flow_id}: {line}" for change in self.changes for line in change.refusals]
        return (*self.target.faults, *found)

    @property
    def part(self) -> str:
        """A digest of what was decided for this shop. How many people it meets is not in it: they come and go."""
        told = [
            [change.flow_id, change.change, _version(change.before), _version(change.after), str(change.how)]
            for change in self.changes
        ]
        entries = [
            [entry.flow_id, entry.version, entry.title, entry.enabled, codec.encode_text(entry.limits)]
            for entry in self.target.entries
        ]
        text = json.dumps([self.shop_id, self.state, told, entries, sorted(self.mapping.items())], sort_keys=True)
        return hashlib.sha256(text.encode()).hexdigest()[:16]


@dataclass(frozen=True, slots=True, kw_only=True)
class Orphan:
    """A shop that runs flows and stands in no file: nobody goes on there until it is put back. `runs` are waiting."""

    shop_id: str
    flows: tuple[str, ...]
    runs: int
    people: int

    @property
    def line(self) -> str:
        """What it means, and the two ways out."""
        waiting = f"{self.people} people in flight wait" if self.runs else "nobody is in flight"
        return (
            f"{self.shop_id} is in no file: its {len(self.flows)} flows rest and {waiting}; "
            f"put its table back, or end it with: kiitos shops remove {self.shop_id}"
        )


@dataclass(frozen=True, slots=True)
class Plan:
    """What would happen, shop by shop. `orphans` are shops that no file names any more; nothing is done to them."""

    shops: tuple[ShopPlan, ...]
    orphans: tuple[Orphan, ...] = ()

    @property
    def changed(self) -> tuple[ShopPlan, ...]:
        """Shops in which something would change and nothing is refused."""
        return tuple(shop for shop in self.shops if shop.changes and not shop.refusals)

    @property
    def refused(self) -> tuple[ShopPlan, ...]:
        return tuple(shop for shop in self.shops if shop.refusals)

    def digest(self, done: Mapping[str, str] | None = None) -> str:
        """What `apply` is told, so that what was reviewed is what is applied. `done` are the parts of shops that were
        applied already under this very digest."""
        parts = dict(done or {}) | {shop.shop_id: shop.part for shop in self.changed}
        text = "\n".join(f"{shop_id} {part}" for shop_id, part in sorted(parts.items()))
        return hashlib.sha256(text.encode()).hexdigest()[:12]


def make_plan(
    tx: Tx, targets: Sequence[Target], states: Mapping[str, AppliedState], choices: Choices, *, people: bool = True
) -> Plan:
    """Compare what runs with what is to run. Reads only.

    Without `people` nobody in flight is counted, so none is refused either: for who has it applied at once, which
    counts them (a second for each million).
    """
    return Plan(tuple(_shop(tx, target, states.get(target.shop_id), choices, people) for target in targets))


def find_orphans(tx: Tx, states: Mapping[str, AppliedState], known: Collection[str]) -> tuple[Orphan, ...]:
    """Shops with applied flows that are not `known`, but for those whose merchant removed the app."""
    found = []
    for shop_id in sorted(set(states) - set(known)):
        shop = shops.get(tx, shop_id)
        flows = tuple(flow.flow_id for flow in states[shop_id].flows if flow.enabled)
        if not flows or shop is None or shop.status is ShopStatus.UNINSTALLED:
            continue
        standing = census.positions(tx, shop_id)
        counts = (sum(each.runs for each in standing), sum(each.people for each in standing))
        found.append(Orphan(shop_id=shop_id, flows=flows, runs=counts[0], people=counts[1]))
    return tuple(found)


def _version(entry: AppliedFlow | None) -> str:
    return entry.version if entry else ""


def _shop(tx: Tx, target: Target, state: AppliedState | None, choices: Choices, people: bool) -> ShopPlan:
    number = state.state if state else 0
    if target.faults:
        return ShopPlan(target=target, state=number, mapping=choices.mapping)
    before = {entry.flow_id: entry for entry in state.flows} if state else {}
    after = {entry.flow_id: entry for entry in target.entries}
    wanted = [
        flow_id
        for flow_id in dict.fromkeys([*before, *after])
        if flow_id not in before or flow_id not in after or not _alike(before[flow_id], after[flow_id])
    ]
    standing: dict[str, list[census.Standing]] = defaultdict(list)
    if wanted and people:
        settled = [entry.version for entry in target.entries]
        for each in census.positions(tx, target.shop_id, settled):
            standing[each.flow_id].append(each)
    changes = tuple(
        _change(tx, target, before.get(flow_id), after.get(flow_id), standing[flow_id], choices) for flow_id in wanted
    )
    return ShopPlan(target=target, state=number, changes=changes, mapping=choices.mapping)


def _alike(before: AppliedFlow, after: AppliedFlow) -> bool:
    """Where a value came from and where the file lies may change without anybody noticing."""
    same = (before.version, before.title, before.enabled) == (after.version, after.title, after.enabled)
    return same and before.templates == after.templates and not changed_limits(before.limits, after.limits)


def _change(
    tx: Tx,
    target: Target,
    before: AppliedFlow | None,
    after: AppliedFlow | None,
    standing: Sequence[census.Standing],
    choices: Choices,
) -> FlowChange:
    entry = after or before
    assert entry is not None
    flow_id = entry.flow_id
    how = choices.migration(flow_id, target.migrations.get(flow_id, ""))
    if after is None and how in _MOVING:
        how = Migration.FINISH  # there is nowhere to move to
    texts: dict[str, str] = {}
    positions = []
    for each in standing:
        if after is not None and each.version == after.version:
            continue  # they follow what is to run already
        if each.version not in texts:
            texts[each.version] = flow_store.get(tx, target.shop_id, flow_id, each.version) or "{}"
        old = document(texts[each.version])
        new = document(target.texts[flow_id]) if after is not None else {}
        positions.append(_position(each, old, new, how, choices.steps_of(flow_id)))
    return FlowChange(
        flow_id=flow_id,
        change=ADDED if before is None else REMOVED if after is None else CHANGED,
        before=before,
        after=after,
        how=how,
        lines=_lines(tx, target, before, after),
        positions=tuple(positions),
    )


def _lines(tx: Tx, target: Target, before: AppliedFlow | None, after: AppliedFlow | None) -> tuple[str, ...]:
    if before is None or after is None:
        return ()
    old = document(flow_store.get(tx, target.shop_id, before.flow_id, before.version) or "{}")
    new = document(target.texts[after.flow_id])
    # The stored text may have another's title: neither title nor `enabled` is part of the version.
    old = {**old, "title": before.title, "enabled": before.enabled}
    found = differences(old, {**new, "title": after.title, "enabled": after.enabled}, after.origin)
    found += [
        f"{key}: by {after.origin.get(key) or 'nobody'}, was by {before.origin.get(key) or 'nobody'}"
        for key in ("remove", "insert")
        if before.origin.get(key) != after.origin.get(key)
    ]
    texts = (before.templates, after.templates)
    changed = sorted(name for name in {*texts[0], *texts[1]} if texts[0].get(name) != texts[1].get(name))
    found += [f"template {name}: {_text_change(name, before, after)}" for name in changed]
    found += changed_limits(before.limits, after.limits)
    return tuple(found) or ("written in another way by this program; nothing it does differs",)


def _text_change(name: str, before: AppliedFlow, after: AppliedFlow) -> str:
    if name not in before.templates:
        return "new"
    return "another text" if name in after.templates else "no longer sent"


def _position(
    each: census.Standing,
    before: Mapping[str, Any],
    after: Mapping[str, Any],
    how: Migration,
    mapping: Mapping[str, str],
) -> Position:
    old, new = steps_of(before), steps_of(after)
    step_id = old[each.step].id if each.step < len(old) else "(end)"
    refused = False
    if how is Migration.END:
        lands = "ends here"
    elif how is Migration.FINISH:
        lands = f"finishes on {each.version}"
    else:
        found = unlike(before, after) or landing(old, new, each.step, each.status, mapping)
        refused = isinstance(found, Unclear)
        match found:
            case Lands(index=index, begun=begun):
                missed = passed_over(old, new, each.step, index)
                lands = f"goes on at {new[index].id}" if begun else f"begins {new[index].id}"
                lands += f"; never meets {', '.join(missed)}" if missed else ""
            case Stays(why=why):
                lands = f"finishes on {each.version}: {why}"
            case Stops():
                lands = "ends here"
            case Unclear(why=why):
                lands = why
    return Position(
        step_id=step_id,
        version=each.version,
        status=each.status,
        runs=each.runs,
        people=each.people,
        lands=lands,
        refused=refused,
    )
