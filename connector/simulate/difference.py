"""What an edit changes in behaviour: the same people, the same past, two playbooks, message by message."""

from __future__ import annotations

from collections import Counter, defaultdict
from collections.abc import Iterable
from dataclasses import dataclass, field
from datetime import timedelta
from heapq import nsmallest

from connector.simulate.outcome import SENT, Deed, Lived
from connector.simulate.tally import EXAMPLES

SAME = timedelta(minutes=1)
"""A message that leaves within a minute of where it left is the same one."""

ADDED, REMOVED, SHIFTED = "added", "removed", "shifted"


@dataclass(frozen=True, slots=True)
class Change:
    """One message or act that is new, gone, or at another time. `by` is how much later (shifted only)."""

    what: str
    deed: Deed
    by: timedelta = timedelta()


@dataclass(slots=True)
class Difference:
    """Counts by (flow, template or act); `spans` counts shifted ones by whole days later; `people` who are met."""

    same: int = 0
    added: Counter[tuple[str, str]] = field(default_factory=Counter)
    removed: Counter[tuple[str, str]] = field(default_factory=Counter)
    shifted: Counter[tuple[str, str]] = field(default_factory=Counter)
    spans: Counter[tuple[str, str, int]] = field(default_factory=Counter)
    people: int = 0
    examples: dict[tuple[str, str, str], list[Change]] = field(default_factory=dict)

    def compare(self, old: Lived, new: Lived) -> None:
        """Add the changes of one life."""
        changes = list(_changes(old, new))
        kept = sum(deed.state == SENT for deed in old.deeds)
        self.same += kept - sum(change.what != ADDED for change in changes)
        self.people += len({change.deed.who for change in changes})
        for change in changes:
            key = (change.deed.flow, change.deed.what)
            getattr(self, change.what)[key] += 1
            if change.what == SHIFTED:
                self.spans[(*key, round(change.by / timedelta(days=1)))] += 1
            self._exemplify((change.what, *key), [change])

    def add(self, other: Difference) -> None:
        """Add what another process compared."""
        self.same += other.same
        self.people += other.people
        for name in ("added", "removed", "shifted", "spans"):
            getattr(self, name).update(getattr(other, name))
        for key, changes in other.examples.items():
            self._exemplify(key, changes)

    def __bool__(self) -> bool:
        return bool(self.added or self.removed or self.shifted)

    def _exemplify(self, key: tuple[str, str, str], changes: Iterable[Change]) -> None:
        known = self.examples.get(key, [])
        self.examples[key] = nsmallest(EXAMPLES, [*known, *changes], key=lambda each: (each.deed.at, each.deed.who))


def _changes(old: Lived, new: Lived) -> Iterable[Change]:
    before, after = _by_place(old), _by_place(new)
    for place in before.keys() | after.keys():
        left, right = before.get(place, []), after.get(place, [])
        for was, now in zip(left, right, strict=False):
            if abs(now.at - was.at) > SAME:
                yield Change(SHIFTED, now, now.at - was.at)
        for deed in left[len(right) :]:
            yield Change(REMOVED, deed)
        for deed in right[len(left) :]:
            yield Change(ADDED, deed)


def _by_place(lived: Lived) -> dict[tuple[str, ...], list[Deed]]:
    found: dict[tuple[str, ...], list[Deed]] = defaultdict(list)
    for deed in sorted(lived.deeds, key=lambda deed: deed.at):
        if deed.state == SENT:
            found[deed.place].append(deed)
    return found
