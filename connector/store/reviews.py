"""What customers said about products and the shop, what was decided about it, and what the shop answered.

Kept even where the platform has no place for reviews. A row never goes by itself: it is withdrawn, or erased with its
person.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any

from connector import codec
from connector.clock import from_text, to_text
from connector.model.enums import OpenEnum
from connector.store.db import Row, Tx
from connector.store.review_asks import Names
from connector.store.sql import id_list

STARS = (1, 2, 3, 4, 5)
FORM = "form"
"""Where a review came from: our own form. Others are `import/NAME`."""
_PAGE = 200


class ReviewState(OpenEnum):
    """`published` may be read by everybody once its time has come; `held` waits for a person; `hidden` by a person;
    `withdrawn` by the customer, for good."""

    PUBLISHED = "published"
    HELD = "held"
    HIDDEN = "hidden"
    WITHDRAWN = "withdrawn"
    OTHER = "other"


@dataclass(frozen=True, slots=True, kw_only=True)
class ReviewRow:
    """A review. `rating` counts from 1 to 5; a story has none, and no product.

    `platform_id` is empty while the platform has nothing of it, `pushed` the revision it has. `proof` says what shows
    that they bought it (empty: nothing does), `reasons` why it is held or hidden, `rewarded` that something was given
    for writing it, `reuse_at` since when its words and pictures may be shown elsewhere.
    """

    id: str
    order_id: str = ""
    product_id: str
    rating: int
    title: str = ""
    text: str = ""
    author: str = ""
    email_key: str | None = None
    at: datetime
    platform_id: str = ""
    state: ReviewState = ReviewState.PUBLISHED
    publish_at: datetime | None = None
    reasons: tuple[str, ...] = ()
    source: str = FORM
    proof: Mapping[str, str] = field(default_factory=dict)
    rewarded: bool = False
    revision: int = 1
    pushed: int = 0
    updated_at: datetime | None = None
    locale: str = ""
    video: str = ""
    reuse_at: datetime | None = None
    answer: str = ""
    answered_by: str = ""
    answered_at: datetime | None = None
    product_title: str = ""

    @property
    def is_story(self) -> bool:
        return not self.product_id

    @property
    def verified(self) -> bool:
        """Whether an order shows that whoever wrote it bought the product."""
        return bool(self.proof)

    def shown(self, now: datetime) -> bool:
        """Whether everybody may read it."""
        return self.state is ReviewState.PUBLISHED and (self.publish_at is None or self.publish_at <= now)


@dataclass(frozen=True, slots=True, kw_only=True)
class Past:
    """What was done to a review and when, with what it had said until then."""

    at: datetime
    what: str
    by: str
    note: str
    rating: int
    title: str
    text: str
    author: str


def review_id(order_id: str, product_id: str) -> str:
    """One review per order and product; a story has the order alone."""
    return f"{order_id}-{product_id or 'story'}"


def save(tx: Tx, shop_id: str, row: ReviewRow, now: datetime) -> bool:
    """Keep a new review; `False` when one of its id is there, which stays as it is."""
    added = tx.run(
        "review_save",
        **_words(row),
        shop_id=shop_id,
        order_id=row.order_id,
        product_id=row.product_id,
        product_title=row.product_title,
        email_key=row.email_key,
        created_at=to_text(row.at),
        platform_id=row.platform_id,
        source=row.source,
        proof=codec.encode_text(dict(row.proof)) if row.proof else "",
        rewarded=int(row.rewarded),
        pushed=row.pushed,
        locale=row.locale,
        answer=row.answer,
        answered_by=row.answered_by,
        answered_at=_time(row.answered_at),
        now=to_text(now),
    )
    return added > 0


def edit(tx: Tx, shop_id: str, row: ReviewRow, now: datetime) -> bool:
    """Keep what the customer says now, with what they said before; `False` when somebody else changed it meanwhile."""
    before = get(tx, shop_id, row.id)
    changed = tx.run("review_edit", **_words(row), shop_id=shop_id, revision=row.revision, now=to_text(now)) > 0
    if changed and before is not None:
        note(tx, shop_id, before, "edited", now)
    return changed


def move(
    tx: Tx,
    shop_id: str,
    row: ReviewRow,
    state: ReviewState,
    now: datetime,
    *,
    by: str = "",
    note_text: str = "",
    reasons: Sequence[str] = (),
) -> bool:
    """Decide about it; `False` where that is so already, or it was withdrawn. Who and why stay in its history."""
    arguments = {"shop_id": shop_id, "review_id": row.id, "state": str(state), "publish_at": ""}
    if tx.run("review_move", **arguments, reasons=" ".join(reasons), now=to_text(now)) < 1:
        return False
    note(tx, shop_id, row, str(state), now, by=by, note_text=note_text)
    return True


def answer(tx: Tx, shop_id: str, row: ReviewRow, text: str, by: str, now: datetime) -> bool:
    """Keep what the shop says to it; `False` where it says so already, or the review was withdrawn."""
    arguments = {"shop_id": shop_id, "review_id": row.id, "answer": text, "answered_by": by}
    if tx.run("review_answer", **arguments, now=to_text(now)) < 1:
        return False
    note(tx, shop_id, row, "answered", now, by=by, note_text=text)
    return True


def allow_reuse(tx: Tx, shop_id: str, review_id: str, at: datetime | None) -> None:
    """Give the permission to show its words and pictures elsewhere, or take it back (`None`)."""
    tx.run("review_reuse", shop_id=shop_id, review_id=review_id, reuse_at=_time(at))


def note(tx: Tx, shop_id: str, row: ReviewRow, what: str, now: datetime, *, by: str = "", note_text: str = "") -> None:
    """Add to its history what was done, with what it said until then."""
    tx.run(
        "review_note",
        shop_id=shop_id,
        review_id=row.id,
        now=to_text(now),
        what=what,
        by_whom=by,
        note=note_text,
        rating=row.rating,
        title=row.title,
        body=row.text,
        author=row.author,
    )


def get(tx: Tx, shop_id: str, review_id: str) -> ReviewRow | None:
    row = tx.one("review_get", shop_id=shop_id, review_id=review_id)
    return _row(row) if row is not None else None


def of_order(tx: Tx, shop_id: str, order_id: str) -> list[ReviewRow]:
    """Oldest first, whatever became of them."""
    return [_row(row) for row in tx.all("review_of_order", shop_id=shop_id, order_id=order_id)]


def reviewed_by(tx: Tx, shop_id: str, names: Names) -> frozenset[str]:
    """The products a person reviewed under any of their names, with whichever order, here or before us."""
    emails, customers = id_list(sorted(names.emails)), id_list(sorted(names.customers))
    rows = tx.all("review_of_person", shop_id=shop_id, emails=emails, customers=customers)
    return frozenset(row["product_id"] for row in rows)


def of_person(tx: Tx, person: Mapping[str, Any]) -> list[ReviewRow]:
    """What a person said (`connector.store.people.Person.arguments`)."""
    return [_row(row) for row in tx.all("person_reviews", **person)]


def in_state(tx: Tx, shop_id: str, state: ReviewState, limit: int = _PAGE, product_id: str = "") -> list[ReviewRow]:
    """The oldest of a state, of one product where it is named."""
    wanted = {"shop_id": shop_id, "state": str(state), "product_id": product_id}
    rows = tx.all("review_queue", **wanted, after_at="", after_id="", limit=limit)
    return [_row(row) for row in rows]


def newest(tx: Tx, shop_id: str, limit: int) -> list[ReviewRow]:
    """Published ones, those that changed last first."""
    return [_row(row) for row in tx.all("review_newest", shop_id=shop_id, limit=limit)]


def every(tx: Tx, shop_id: str) -> Iterator[ReviewRow]:
    """All of a shop, read a page at a time."""
    after = ""
    while rows := tx.all("review_all", shop_id=shop_id, after_id=after, limit=_PAGE):
        yield from map(_row, rows)
        after = rows[-1]["review_id"]


def reusable(tx: Tx, shop_id: str, now: datetime) -> Iterator[ReviewRow]:
    """Published ones whose words and pictures may be shown elsewhere."""
    after = ""
    while rows := tx.all("review_reusable", shop_id=shop_id, now=to_text(now), after_id=after, limit=_PAGE):
        yield from map(_row, rows)
        after = rows[-1]["review_id"]


def shown(
    tx: Tx, shop_id: str, product_id: str, now: datetime, *, sort: str = "newest", limit: int = 10, skip: int = 0
) -> list[ReviewRow]:
    """What everybody may read about a product; `sort` is newest, best or worst."""
    arguments = {"shop_id": shop_id, "product_id": product_id, "now": to_text(now)}
    return [_row(row) for row in tx.all("review_shown", **arguments, sort=sort, limit=limit, skip=skip)]


def stars_of(tx: Tx, shop_id: str, product_id: str, now: datetime) -> dict[int, int]:
    """How many published reviews of the product have how many stars, the best first."""
    rows = tx.all("review_stars", shop_id=shop_id, product_id=product_id, now=to_text(now))
    found = {int(row["rating"]): int(row["reviews"]) for row in rows}
    return {stars: found.get(stars, 0) for stars in reversed(STARS)}


def rating_of(tx: Tx, shop_id: str, product_id: str, now: datetime) -> tuple[int, int]:
    """How many published reviews of the product there are, and their stars in all; none is left out for its stars."""
    stars = stars_of(tx, shop_id, product_id, now)
    return sum(stars.values()), sum(each * count for each, count in stars.items())


def said_by_others(tx: Tx, shop_id: str, row: ReviewRow) -> bool:
    """Whether somebody else wrote the very same words."""
    arguments = {"shop_id": shop_id, "review_id": row.id, "body": row.text, "email_key": row.email_key or ""}
    return tx.one("review_said", **arguments) is not None


def counts(tx: Tx, shop_id: str) -> dict[str, int]:
    """How many are in which state."""
    return {row["state"]: int(row["reviews"]) for row in tx.all("review_counts", shop_id=shop_id)}


def history(tx: Tx, shop_id: str, review_id: str) -> list[Past]:
    """Oldest first."""
    return [
        Past(
            at=from_text(row["at"]),
            what=row["what"],
            by=row["by_whom"],
            note=row["note"],
            rating=row["rating"],
            title=row["title"],
            text=row["body"],
            author=row["author"],
        )
        for row in tx.all("review_history", shop_id=shop_id, review_id=review_id)
    ]


def mark_published(tx: Tx, shop_id: str, review_id: str, platform_id: str, pushed: int = 1) -> None:
    """The platform has this revision of it under `platform_id`; nothing of it any more with an empty one."""
    tx.run("review_pushed", shop_id=shop_id, review_id=review_id, platform_id=platform_id, pushed=pushed)


# -- rows --------------------------------------------------------------------------------------------------------------


def _words(row: ReviewRow) -> dict[str, object]:
    return {
        "review_id": row.id,
        "rating": row.rating,
        "title": row.title,
        "body": row.text,
        "author": row.author,
        "video": row.video,
        "reuse_at": _time(row.reuse_at),
        "state": str(row.state),
        "publish_at": _time(row.publish_at),
        "reasons": " ".join(row.reasons),
    }


def _time(at: datetime | None) -> str:
    return to_text(at) if at is not None else ""


def _moment(text: str) -> datetime | None:
    return from_text(text) if text else None


def _row(row: Row) -> ReviewRow:
    return ReviewRow(
        id=row["review_id"],
        order_id=row["order_id"],
        product_id=row["product_id"],
        rating=row["rating"],
        title=row["title"],
        text=row["body"],
        author=row["author"],
        email_key=row["email_key"],
        at=from_text(row["created_at"]),
        platform_id=row["platform_id"],
        state=ReviewState.of(row["state"]),
        publish_at=_moment(row["publish_at"]),
        reasons=tuple(row["reasons"].split()),
        source=row["source"],
        proof=codec.decode(row["proof"], dict[str, str]) if row["proof"] else {},
        rewarded=bool(row["rewarded"]),
        revision=row["revision"],
        pushed=row["pushed"],
        updated_at=_moment(row["updated_at"]),
        locale=row["locale"],
        video=row["video"],
        reuse_at=_moment(row["reuse_at"]),
        answer=row["answer"],
        answered_by=row["answered_by"],
        answered_at=_moment(row["answered_at"]),
        product_title=row["product_title"],
    )
