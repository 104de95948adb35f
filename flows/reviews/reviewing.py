"""What customers and the merchant's people do with reviews: write, edit, withdraw; approve, hide, show, answer.

Each is one change in the caller's transaction: the row, its history, the event that flows and the loyalty programme
hear, and the effect by which the platform follows. Nothing here looks at the stars to decide.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from datetime import datetime

from connector.config import ShopSettings
from connector.model import EventKind
from connector.store import review_photos, reviews
from connector.store.db import Tx
from connector.store.review_photos import Photo
from connector.store.reviews import ReviewRow, ReviewState
from flows.reviews.incentives import rewards
from flows.reviews.moderation import Words, reasons_to_hold
from flows.reviews.publication import event_of, publishes, tell
from flows.runner import Runner

LONGEST_ANSWER = 2000
HIDDEN_BEFORE = "hidden_before"
"""Why a review waits that a person hid and its writer changed."""


def judge(tx: Tx, settings: ShopSettings, row: ReviewRow, now: datetime) -> ReviewRow:
    """The review as it is kept: shown, now or when the shop's waiting time is over, or held with the reasons."""
    rules = settings.reviews
    words = Words(
        title=row.title,
        text=row.text,
        author=row.author,
        language=row.locale or settings.shop.locale or "",
        repeated=bool(row.text) and reviews.said_by_others(tx, settings.shop.id, row),
    )
    reasons = reasons_to_hold(words, rules)
    if reasons:
        return replace(row, state=ReviewState.HELD, reasons=reasons, publish_at=None)
    later = now + rules.publish_after if rules.publish_after else None
    return replace(row, state=ReviewState.PUBLISHED, reasons=(), publish_at=later)


def submit(
    tx: Tx, runner: Runner, row: ReviewRow, photos: Sequence[Photo], settings: ShopSettings, now: datetime
) -> ReviewRow | None:
    """Keep a new review with its pictures; `None` when there is one. Telling flows of it is the caller's (one event an
    order), and the flow's own step publishes what is shown at once."""
    shop_id = settings.shop.id
    judged = judge(tx, settings, replace(row, rewarded=rewards(runner.catalog, shop_id, now) and not row.is_story), now)
    if not reviews.save(tx, shop_id, judged, now):
        return None
    for position, photo in enumerate(photos):
        review_photos.add(tx, shop_id, judged.id, position, photo, now)
    if judged.state is ReviewState.HELD:
        reviews.note(tx, shop_id, judged, "held", now, note_text=" ".join(judged.reasons))
    if judged.publish_at is not None and publishes(runner.catalog, shop_id):
        tell(tx, shop_id, judged, now, at=judged.publish_at)
    return judged


def edit(
    tx: Tx,
    runner: Runner,
    row: ReviewRow,
    photos: Sequence[Photo],
    dropped: Sequence[str],
    settings: ShopSettings,
    now: datetime,
) -> bool:
    """Keep what the customer says now. It is looked through anew; one that a person hid stays hidden until they look.
    `False` when it changed meanwhile or was withdrawn."""
    shop_id = settings.shop.id
    known = reviews.get(tx, shop_id, row.id)
    judged = judge(tx, settings, row, now)
    if known is not None and _was_hidden(known):
        judged = replace(judged, state=ReviewState.HELD, reasons=(HIDDEN_BEFORE, *judged.reasons), publish_at=None)
    if known is not None and known.shown(now) and judged.state is ReviewState.PUBLISHED:
        judged = replace(judged, publish_at=known.publish_at)  # it was to be read already
    if not reviews.edit(tx, shop_id, judged, now):
        return False
    for photo_id in dropped:
        review_photos.drop(tx, shop_id, row.id, photo_id)
    for position, photo in enumerate(photos, start=100):
        review_photos.add(tx, shop_id, row.id, position, photo, now)
    _follow(tx, runner, shop_id, row.id, EventKind.REVIEW_EDITED, now)
    return True


def _was_hidden(row: ReviewRow) -> bool:
    """Whether a person hid it and none looked since: a second edit must not show what the first one could not."""
    waits = row.state is ReviewState.HELD and HIDDEN_BEFORE in row.reasons
    return row.state is ReviewState.HIDDEN or waits


def withdraw(tx: Tx, runner: Runner, shop_id: str, row: ReviewRow, now: datetime) -> bool:
    """The customer takes it back, for good: nobody sees it or its pictures any more, here or in the shop."""
    if not reviews.move(tx, shop_id, row, ReviewState.WITHDRAWN, now):
        return False
    review_photos.drop_all(tx, shop_id, row.id)
    reviews.allow_reuse(tx, shop_id, row.id, None)
    _follow(tx, runner, shop_id, row.id, EventKind.REVIEW_WITHDRAWN, now)
    return True


def show(tx: Tx, runner: Runner, shop_id: str, row: ReviewRow, by: str, now: datetime, note: str = "") -> bool:
    """A person approves it, or shows again what was hidden. One that only waits for its time is shown at once."""
    waits = row.state is ReviewState.PUBLISHED and row.publish_at is not None and row.publish_at > now
    if waits:
        reviews.move(tx, shop_id, row, ReviewState.HELD, now, by=by, note_text=note)
    if not reviews.move(tx, shop_id, row, ReviewState.PUBLISHED, now, by=by, note_text=note):
        return False
    _follow(tx, runner, shop_id, row.id, EventKind.REVIEW_PUBLISHED, now)
    return True


def hide(tx: Tx, runner: Runner, shop_id: str, row: ReviewRow, by: str, reason: str, now: datetime) -> bool:
    """A person hides it, and says why; who and why stay. Raises `ValueError` without a reason."""
    if not reason.strip():
        raise ValueError("say why it is hidden: the reason is kept with it")
    if not reviews.move(tx, shop_id, row, ReviewState.HIDDEN, now, by=by, note_text=reason, reasons=("person",)):
        return False
    _follow(tx, runner, shop_id, row.id, EventKind.REVIEW_HIDDEN, now)
    return True


def answer(tx: Tx, runner: Runner, shop_id: str, row: ReviewRow, text: str, by: str, now: datetime) -> bool:
    """The shop answers, or takes its answer back (empty). A flow mails it to the customer (`review-answer`)."""
    if not reviews.answer(tx, shop_id, row, text[:LONGEST_ANSWER].strip(), by, now):
        return False
    told = {"answer": text[:LONGEST_ANSWER].strip(), "title": row.title, "by": by}
    _follow(tx, runner, shop_id, row.id, EventKind.REVIEW_ANSWERED, now, **told)
    return True


def _follow(tx: Tx, runner: Runner, shop_id: str, review_id: str, kind: EventKind, now: datetime, **data: str) -> None:
    """Tell the platform and the flows of a change that is kept."""
    row = reviews.get(tx, shop_id, review_id)
    assert row is not None
    if publishes(runner.catalog, shop_id):
        tell(tx, shop_id, row, now, at=row.publish_at)
    event = event_of(row, kind, now, **data)
    if row.order_id and (data.get("answer") or kind is not EventKind.REVIEW_ANSWERED):
        runner.ingest(tx, shop_id, [event], now)
