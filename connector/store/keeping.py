"""Removing what is kept no longer, a page at a time: each function looks at one page and says where the next begins.

Pages go by primary keys, so that no table needs an index for it, and each is a transaction of a few milliseconds.
"""

from __future__ import annotations

import hashlib
from collections import Counter
from datetime import datetime
from typing import Any

from connector import codec
from connector.clock import from_text, to_text
from connector.store import applied, referral_visits
from connector.store.contents import unpack_content
from connector.store.db import Tx
from connector.store.sql import id_list
from connector.store.store import Store

PAGE = 500
"""Rows looked at in one transaction."""
IP = "ip"
"""The key of consent evidence that is a keyed hash of the visitor's address."""
STATES = 100
"""States of a shop's flows that stay, however old: a shop changed every week can go back two years."""
_DIGESTED = ("sent", "skipped")
_DROPPED = ("failed", "uncertain")


def webhooks(store: Store, before: datetime, after_id: int) -> int | None:
    """Forget deliveries that came before then and are done with; where the next page begins, `None` after the last.

    What no worker has finished stays, however old: an acknowledged delivery is never lost (promises.md R1).
    """
    with store.inbox.read() as log:
        page = log.all("inbox_heads", after_id=after_id, limit=PAGE)
    old = [row for row in page if from_text(row["received_at"]) < before]
    if not old:
        return None  # ids rise with time
    with store.work.read() as tx:
        ids = codec.encode_text([row["id"] for row in old])
        states = {row["delivery_id"]: row["status"] for row in tx.all("progress_status", ids=ids)}
        cursor = tx.one("cursor_get")
    read_to = cursor["last_id"] if cursor else 0
    unread = read_to if store.dialect == "sqlite" else page[-1]["id"]
    done = [row for row in old if row["id"] <= unread and states.get(row["id"]) not in ("new", "leased")]
    by_shop: dict[str, list[int]] = {}
    for row in done:
        by_shop.setdefault(row["shop_id"], []).append(row["id"])
    # Their progress goes first: a delivery without any was finished, so that the next pass removes it.
    with store.work.transaction() as tx:
        for shop_id, of_shop in sorted(by_shop.items()):
            tx.run("keep_progress_drop", shop_id=shop_id, ids=codec.encode_text(of_shop))
    with store.inbox.transaction() as log:
        log.run("inbox_forget", ids=codec.encode_text([row["id"] for row in done]))
    return int(page[-1]["id"]) if len(page) == PAGE else None


def messages(store: Store, shop_id: str, before: datetime, after_id: str) -> str | None:
    """What was sent before then becomes `sha256 <digest of its bytes>`, enough to prove what a copy is of; what nobody
    will send again goes. What may still be sent stays as it was frozen."""
    with store.work.transaction() as tx:
        page = tx.all("keep_contents_page", shop_id=shop_id, after_id=after_id, limit=PAGE)
        old = [row for row in page if row["at"] is None or from_text(row["at"]) < before]
        ids = id_list(row["effect_id"] for row in old if row["status"] in _DIGESTED)
        for row in tx.all("effect_contents_of", shop_id=shop_id, ids=ids):
            digest = hashlib.sha256(unpack_content(row["encoding"], bytes(row["content"]))).hexdigest()
            content = f"sha256 {digest}".encode()
            tx.run("effect_freeze", shop_id=shop_id, effect_id=row["effect_id"], encoding=0, content=content)
        gone = id_list(row["effect_id"] for row in old if row["status"] in (None, *_DROPPED))
        tx.run("keep_contents_drop", shop_id=shop_id, ids=gone)
    return str(page[-1]["effect_id"]) if len(page) == PAGE else None


def subjects(store: Store, shop_id: str, before: datetime, after_id: str) -> str | None:
    """Blank what stood above messages that were done with before then: it may name a person as their text does."""
    with store.work.transaction() as tx:
        page = tx.all("keep_subjects_page", shop_id=shop_id, after_id=after_id, limit=PAGE)
        old = id_list(row["effect_id"] for row in page if from_text(row["at"]) < before)
        tx.run("keep_subjects_blank", shop_id=shop_id, ids=old)
    return str(page[-1]["effect_id"]) if len(page) == PAGE else None


def review_asks(store: Store, shop_id: str, before: datetime, after_id: str) -> str | None:
    """Forget what somebody was asked to review before then."""
    with store.work.transaction() as tx:
        page = tx.all("keep_review_asks_page", shop_id=shop_id, after_id=after_id, limit=PAGE)
        old = id_list(sorted({row["ask_id"] for row in page if from_text(row["asked_at"]) < before}))
        tx.run("keep_review_asks_drop", shop_id=shop_id, ids=old)
    return str(page[-1]["ask_id"]) if len(page) == PAGE else None


def states(store: Store, shop_id: str, before: datetime, below: int) -> int | None:
    """Forget states of the shop's flows that were applied before then, but for the newest `STATES` and the last one
    with each version that somebody is still under way in."""
    with store.work.transaction() as tx:
        arguments = {"shop_id": shop_id, "before": to_text(before), "below": below, "newest": STATES, "limit": PAGE}
        page = tx.all("keep_applied_page", **arguments)
        if not page:
            return None
        needed = {(row["flow_id"], row["version"]) for row in tx.all("keep_applied_running", shop_id=shop_id)}
        for state in applied.history(tx, shop_id, STATES):
            needed -= {(flow.flow_id, flow.version) for flow in state.flows}
        gone = []
        for row in page:
            named = {(f.flow_id, f.version) for f in codec.decode(row["flows"], tuple[applied.AppliedFlow, ...])}
            if not named & needed:
                gone.append(row["state"])
            needed -= named
        tx.run("keep_applied_drop", shop_id=shop_id, states=codec.encode_text(gone))
    return int(page[-1]["state"]) if len(page) == PAGE else None


def events(store: Store, shop_id: str, before: datetime, after_key: str) -> str | None:
    """Events we heard of before then become counts a day and kind. Those of an order with a run under way stay."""
    with store.work.transaction() as tx:
        page = tx.all("keep_events_page", shop_id=shop_id, after_key=after_key, limit=PAGE)
        old = [row for row in page if not row["needed"] and from_text(row["recorded_at"]) < before]
        counts = Counter((row["at"][:10], row["kind"]) for row in old)
        for (day, kind), total in sorted(counts.items()):
            tx.run("keep_days_add", shop_id=shop_id, day=day, kind=kind, total=total)
        tx.run("keep_events_drop", shop_id=shop_id, keys=id_list(row["event_key"] for row in old))
    return str(page[-1]["event_key"]) if len(page) == PAGE else None


def event_days(tx: Tx, shop_id: str) -> list[tuple[str, str, int]]:
    """(day, kind, how many) of the events that are kept no longer."""
    return [(row["day"], row["kind"], row["total"]) for row in tx.all("keep_days", shop_id=shop_id)]


def addresses(store: Store, shop_id: str, before: datetime, after_seq: int) -> int | None:
    """Take the visitor's hashed address out of consent evidence recorded before then; the decision stays."""
    arguments = {"shop_id": shop_id, "after_seq": after_seq, "before": to_text(before), "limit": PAGE}
    with store.work.read() as tx:  # on SQLite it goes over all shops' entries, which must not hold up who writes
        page = tx.all("keep_consents_page", **arguments)
    rows = []
    for row in page:
        evidence = codec.decode(row["evidence"], dict[str, Any])
        if evidence.pop(IP, None) is not None:
            rows.append({"shop_id": shop_id, "seq": row["seq"], "evidence": codec.encode_text(evidence)})
    if rows:
        with store.work.transaction() as tx:
            tx.many("keep_consent_evidence", rows)
    return int(page[-1]["seq"]) if len(page) == PAGE else None


def audit(store: Store, shop_id: str, before: datetime) -> bool:
    """Forget who looked at gathered data, requests that were done, and reports of jobs; whether there may be more."""
    with store.work.transaction() as tx:
        arguments = {"shop_id": shop_id, "before": to_text(before), "limit": PAGE}
        gone = [
            tx.run("keep_access_drop", **arguments),
            tx.run("keep_requests_drop", **arguments),
            tx.run("keep_reports_drop", **arguments),
        ]
    return max(gone) >= PAGE


def traces(store: Store, shop_id: str, before: datetime) -> bool:
    """Forget to which trace old runs belong; whether there may be more."""
    with store.work.transaction() as tx:
        return tx.run("keep_traces_drop", shop_id=shop_id, before=to_text(before), limit=PAGE) >= PAGE


def case_photos(store: Store, shop_id: str, before: datetime) -> bool:
    """Drop pictures of cases that were settled before then; whether there may be more."""
    with store.work.transaction() as tx:
        return tx.run("keep_case_photos_drop", shop_id=shop_id, before=to_text(before), limit=PAGE) >= PAGE


def visits(store: Store, shop_id: str, places_before: datetime | None, visits_before: datetime) -> bool:
    """Forget where friends' visits came from, and visits that no order can come of; whether there may be more."""
    with store.work.transaction() as tx:
        return referral_visits.forget(tx, shop_id, places_before, visits_before, PAGE)
