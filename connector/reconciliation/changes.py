"""The poll: every quarter of an hour the platform is asked what changed since the watermark, less an overlap.

The watermark is the platform's own time of the newest change we have stored, so our clock and theirs need not agree.
It moves in the transaction of the rows. The overlap is for lists that show a change late (Shopify's search) and for
times a second fine; what it lists again is recognised by its time and not read twice.
"""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime, timedelta

from connector.clock import from_text, to_text
from connector.contracts import ListsChanges, Mark
from connector.errors import Refused
from connector.log import get_log
from connector.reconciliation.assignment import Assignment, Outcome
from connector.reconciliation.taking_in import Tally, chunks, take_in
from connector.store import jobs, recoveries

log = get_log("reconciliation")

INTERVAL = timedelta(minutes=15)
OVERLAP = timedelta(minutes=10)
HOOKS_REST = timedelta(hours=1)
"""How long after a look at the subscriptions a lost webhook leads to another look."""


def poll(work: Assignment) -> Outcome:
    """Ask for every kind the platform can list. A slice that had its time goes on at once, after the others."""
    assert isinstance(work.adapter, ListsChanges)
    tally = Tally()
    refused: dict[str, str] = {}
    finished = all(_tried(work, work.adapter, kind, tally, refused) for kind in work.adapter.change_kinds)
    now = work.clock.now()
    if tally.recovered or tally.faults:
        log.info("recovered", shop_id=work.shop.id, via="poll", **tally.as_report())
    if tally.recovered:
        with work.kiitos.store.work.transaction() as tx:
            # A webhook did not come: perhaps its subscription is gone.
            jobs.wake(tx, work.shop.id, "webhooks", now, now - HOOKS_REST)
    worth_telling = tally.recovered or tally.faults or refused
    report = {**tally.as_report(), "refused": refused} if worth_telling else None
    return Outcome(state=work.state, due_at=now + INTERVAL if finished else now, done=finished, report=report)


def _tried(work: Assignment, adapter: ListsChanges, kind: str, tally: Tally, refused: dict[str, str]) -> bool:
    """A kind the app may not read (a missing scope) must not keep the orders from being asked for."""
    try:
        return _catch_up(work, adapter, kind, tally)
    except Refused as error:
        refused[kind] = error.provider_code or error.code
        log.warning("kind_refused", shop_id=work.shop.id, kind=kind, code=refused[kind])
        return True


def _catch_up(work: Assignment, adapter: ListsChanges, kind: str, tally: Tally) -> bool:
    """Everything of a kind up to now; False when the slice has had its time before that."""
    since = _since(work, kind)
    cursor: str | None = None
    while True:
        page = adapter.list_changes(work.access, kind, since, cursor)
        tally.listed += len(page.marks)
        for chunk in chunks(_unread(work, kind, page.marks)):
            snapshots = adapter.read_changed(work.access, kind, [mark.id for mark in chunk])
            reads = {mark.id: mark.changed_at for mark in chunk}
            take_in(work, kind, snapshots, tally, reads=reads, **_moved(work, kind, chunk[-1].changed_at))
        if page.marks:
            _pass(work, kind, page.marks[-1].changed_at)
        cursor = page.cursor
        if cursor is None:
            return True
        if work.tired:
            return False


def _since(work: Assignment, kind: str) -> datetime:
    """What happened before the shop was connected is history: the back-fill's, and no news for anybody."""
    told = work.state.get(kind)
    watermark = from_text(told) if told else work.live_since
    return max(watermark - OVERLAP, work.live_since)


def _moved(work: Assignment, kind: str, to: datetime) -> dict[str, str]:
    """The watermark after a change of that time; it never moves back."""
    return {kind: max(to_text(to), str(work.state.get(kind) or ""))}


def _pass(work: Assignment, kind: str, to: datetime) -> None:
    """A page is done: everything up to its last change is stored. Reads that no list will show again are forgotten."""
    progress = _moved(work, kind, to)
    with work.kiitos.store.work.transaction() as tx:
        recoveries.prune_reads(tx, work.shop.id, kind, from_text(progress[kind]) - OVERLAP)
        work.keep(tx, **progress)
    work.kept(**progress)


def _unread(work: Assignment, kind: str, marks: Sequence[Mark]) -> list[Mark]:
    """The marks still to be read.

    An order we have a newer snapshot of need not be read, it is listed again under its newer time. One of the very same
    time must be: times are a second fine, and of three webhooks of one second the last may be the lost one.
    """
    ids = [mark.id for mark in marks]
    with work.kiitos.store.work.read() as tx:
        read = recoveries.reads(tx, work.shop.id, kind, ids)
        have = recoveries.versions(tx, work.shop.id, kind, ids)
    found = []
    for mark in marks:
        ours = have.get(mark.id)
        if mark.id in read and read[mark.id] >= mark.changed_at:
            continue
        if ours is not None and ours.updated_at > mark.changed_at:
            continue
        found.append(mark)
    return found
