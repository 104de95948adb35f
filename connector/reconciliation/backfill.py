"""The history of a shop, read once: a page, a transaction, a page, until there is no more.

Its cursor is stored after the rows it stands for, so it may be stopped and gone on with at any time, by any worker or
command: at worst a page is read twice. What it brings is remembered (`flows.knowing.history`) and never starts a flow.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from datetime import datetime, timedelta
from typing import Any

from connector.clock import from_text, to_text
from connector.contracts import Backfills, Snapshot
from connector.errors import StoreUnavailable
from connector.log import get_log
from connector.reconciliation.assignment import Assignment, LeaseLost, Outcome
from connector.reconciliation.taking_in import chunks
from connector.working.intake import again_if_moved
from flows.knowing.history import remember

log = get_log("reconciliation")

YEARS = 1
"""How far back the back-fill at install reads."""
_YEAR = timedelta(days=365)
_CHUNK = 100


def plan(years: float, live_since: datetime) -> dict[str, Any]:
    """The state of a back-fill that has not begun: history is what was before the shop was connected."""
    return {"since": to_text(live_since - years * _YEAR), "until": to_text(live_since), "years": years}


def is_over(state: Mapping[str, Any], kinds: Sequence[str]) -> bool:
    """Whether all of it was read."""
    return "totals" in state and _current(state, kinds) is None


def go_on(work: Assignment) -> Outcome:
    """Read pages until the slice has had its time; the next slice goes on where this one stopped."""
    adapter = work.adapter
    assert isinstance(adapter, Backfills)
    if "since" not in work.state:
        work.advance(**plan(YEARS, work.live_since))
    if "totals" not in work.state:
        work.advance(totals=_count(work, adapter), counts={}, faults=0, begun=to_text(work.clock.now()))
    while (kind := _current(work.state, adapter.history_kinds)) is not None:
        wait = _read_page(work, adapter, kind)
        if wait > 0 or work.tired:
            return Outcome(state=work.state, due_at=work.clock.now() + timedelta(seconds=wait), done=False)
    report = {name: work.state.get(name) for name in ("since", "until", "counts", "faults", "begun")}
    log.info("backfilled", shop_id=work.shop.id, **dict(work.state.get("counts") or {}))
    return Outcome(state=work.state, due_at=None, report=report)


def _current(state: Mapping[str, Any], kinds: Sequence[str]) -> str | None:
    finished = state.get("finished") or ()
    return next((kind for kind in kinds if kind not in finished), None)


def window(state: Mapping[str, Any]) -> tuple[datetime, datetime]:
    return from_text(str(state["since"])), from_text(str(state["until"]))


def _count(work: Assignment, adapter: Backfills) -> dict[str, int | None]:
    since, until = window(work.state)
    return {kind: adapter.count_history(work.access, kind, since, until) for kind in adapter.history_kinds}


def _read_page(work: Assignment, adapter: Backfills, kind: str) -> float:
    """One page, stored; the seconds to wait before the next."""
    since, until = window(work.state)
    page = adapter.read_history(work.access, kind, since, until, work.state.get("cursor"))
    for chunk in chunks(page.snapshots, _CHUNK):
        _remember(work, chunk)
    counts, finished = dict(work.state.get("counts") or {}), list(work.state.get("finished") or ())
    counts[kind] = counts.get(kind, 0) + len(page.snapshots)
    faults = int(work.state.get("faults") or 0) + sum(bool(one.fault) for one in page.snapshots)
    if page.cursor is None:
        finished.append(kind)
    # After the rows, in a transaction of its own: a page read twice changes nothing, one never stored would be lost.
    work.advance(counts=counts, faults=faults, cursor=page.cursor, finished=finished)
    return page.wait


def _remember(work: Assignment, snapshots: Sequence[Snapshot]) -> None:
    try:
        again_if_moved(lambda: _store(work, snapshots))
    except (StoreUnavailable, LeaseLost):
        raise
    except Exception as error:
        if len(snapshots) > 1:
            for snapshot in snapshots:
                _remember(work, [snapshot])
            return
        # One odd order of years ago must not keep the other thousands out.
        log.exception("history_not_stored", error, shop_id=work.shop.id, object_id=snapshots[0].id)


def _store(work: Assignment, snapshots: Sequence[Snapshot]) -> None:
    now = work.clock.now()
    with work.kiitos.store.work.transaction() as tx:
        for snapshot in snapshots:
            remember(tx, work.kiitos.catalog, work.shop, snapshot.events, work.live_since, now)
        work.keep(tx)
