"""Reviews on their way to the platform and back: shown, changed, hidden, taken away, each as an effect of its own.

What the effect brings there is read when it is carried out, and so is the product's rating: of two effects that meet,
whichever comes last brings what is true. When something changed while it was under way, another follows.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass
from datetime import datetime
from decimal import Decimal

from connector.clock import to_text
from connector.config import ShopSettings
from connector.contracts import (
    Access,
    PlatformAdapter,
    PublishesRatings,
    PublishesReviews,
    RatingRequest,
    ReviewRequest,
    RevisesReviews,
)
from connector.errors import Refused
from connector.model import Effect, Event, EventKind, Ref, by_itself
from connector.store import effects, review_photos, reviews
from connector.store.db import Tx
from connector.store.reviews import FORM, ReviewRow, ReviewState
from flows.catalog import Catalog
from flows.render.locales import choose_locale

REVIEW = "review"
"""The kind of effect that makes the platform show what we show of a review."""
PUBLISH = "publish_review"
"""The step that a flow publishes reviews by; a shop without one publishes nothing."""
NEWEST = 10
"""So many reviews of a product its page in the shop may show."""
_LOOKED_THROUGH = 100
"""Among so many: those that were imported and are not for the platform lie between."""
NEVER = -1
"""`pushed` of a review that is not for the platform: it was imported, and may be there already."""

DISCLOSED: Mapping[str, str] = {
    "ar": "حصل الكاتب على مكافأة مقابل مراجعة صادقة.",
    "de": "Für diese ehrliche Bewertung gab es eine Belohnung.",
    "en": "The author received a reward for an honest review.",
    "fi": "Kirjoittaja sai palkkion rehellisestä arvostelusta.",
    "ja": "この投稿者は、率直なレビューに対して特典を受け取りました。",
    "sv": "Skribenten fick en belöning för ett ärligt omdöme.",
}
"""What must stand with a review that something was given for (directive 2005/29/EC article 6; 16 CFR 255.5)."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Wanted:
    """What the platform should have of one review: `request` is `None` where it should have nothing."""

    request: ReviewRequest | None
    platform_id: str
    revision: int
    rating: RatingRequest


def publishes(catalog: Catalog, shop_id: str) -> bool:
    """Whether the merchant has reviews published in the platform: a flow of theirs has the step."""
    return any(item.step.do == PUBLISH for flow in catalog.flows(shop_id) for item in flow.steps)


def tell(tx: Tx, shop_id: str, row: ReviewRow, now: datetime, *, at: datetime | None = None, again: str = "") -> bool:
    """Have the platform follow what became of a review, now or `at` a later time."""
    if row.is_story:
        return False
    return _put(tx, shop_id, f"{row.id}:{row.revision}{again}", row.id, row.product_id, row.platform_id, at or now, now)


def take_back(tx: Tx, shop_id: str, rows: Iterable[ReviewRow], new_id: Callable[[], str], now: datetime) -> None:
    """The reviews are erased here in this transaction: the platform must not keep them, and ratings follow. What is
    told of them by then names the platform's own number and nothing of the person's."""
    for row in rows:
        if row.platform_id and row.pushed != NEVER:
            name = f"erased/{new_id()}"
            _put(tx, shop_id, name, name, row.product_id, row.platform_id, now, now)


def _put(
    tx: Tx, shop_id: str, name: str, review_id: str, product_id: str, platform_id: str, due_at: datetime, now: datetime
) -> bool:
    request = {"do": REVIEW, "review_id": review_id, "product_id": product_id, "platform_id": platform_id}
    return effects.put(tx, by_itself(shop_id, f"review:{name}", REVIEW, request, now, due_at=due_at))


def wanted(tx: Tx, effect: Effect, settings: ShopSettings, base_url: str, now: datetime) -> Wanted:
    """What the platform should have by now."""
    told = effect.request
    row = reviews.get(tx, effect.shop_id, str(told["review_id"]))
    product = str(told["product_id"])
    rating = rating_of(tx, effect.shop_id, product, now)
    if row is None:
        return Wanted(request=None, platform_id=str(told["platform_id"]), revision=0, rating=rating)
    there = row.shown(now) and row.pushed != NEVER
    request = request_of(tx, effect.shop_id, row, settings, base_url) if there else None
    return Wanted(request=request, platform_id=row.platform_id, revision=row.revision, rating=rating)


def request_of(tx: Tx, shop_id: str, row: ReviewRow, settings: ShopSettings | None, base_url: str) -> ReviewRequest:
    """The review as the platform is told of it."""
    photos = review_photos.of(tx, shop_id, [row.id]).get(row.id, ())
    locale = settings.shop.locale if settings is not None else None
    language = choose_locale(locale, available=tuple(DISCLOSED)).partition("-")[0]
    return ReviewRequest(
        key=row.id,
        order_id=row.order_id,
        product_id=row.product_id,
        rating=row.rating,
        title=row.title,
        text=row.text,
        author_name=row.author,
        author_email=row.email_key or "",
        at=row.at,
        approved=settings is not None and settings.reviews.in_shop == "published",
        disclosure=DISCLOSED[language] if row.rewarded else "",
        answer=row.answer,
        verified=row.verified,
        photos=tuple(f"{base_url}/p/photo/{photo.id}" for photo in photos),
        again=row.revision > 1 and not row.platform_id,
    )


def rating_of(tx: Tx, shop_id: str, product_id: str, now: datetime) -> RatingRequest:
    """The mean of every published review; none is left out for its stars."""
    count, total = reviews.rating_of(tx, shop_id, product_id, now)
    rows = reviews.shown(tx, shop_id, product_id, now, limit=_LOOKED_THROUGH) if count else []
    newest = {row.id: row.platform_id for row in [row for row in rows if row.pushed != NEVER][:NEWEST]}
    return RatingRequest(product_id=product_id, average=Decimal(total) / max(count, 1), count=count, newest=newest)


def write_review(adapter: PlatformAdapter, access: Access, want: Wanted) -> dict[str, str]:
    """Carry such an effect out. Raises what the adapter raises."""
    values = {"revision": str(want.revision), "rated": f"{want.rating.count}/{want.rating.average}"}
    if want.request is not None and want.platform_id and isinstance(adapter, RevisesReviews):
        values["id"] = adapter.revise_review(access, want.platform_id, want.request)
    elif want.request is not None and not want.platform_id and isinstance(adapter, PublishesReviews):
        values["id"] = adapter.publish_review(access, want.request)
    elif want.request is None and want.platform_id and isinstance(adapter, RevisesReviews):
        adapter.remove_review(access, want.platform_id)
        values["id"] = ""
    else:
        values["reason"] = f"there is nothing to change, or platform '{adapter.name}' has no place for it"
    if isinstance(adapter, PublishesRatings):
        told = {want.request.key: values["id"]} if want.request is not None and "id" in values else {}
        rating = want.rating.with_ids(told)
        values["listed"] = ",".join(rating.listed)
        try:
            adapter.publish_rating(access, rating)
        except Refused as refused:  # a scope that is missing, a product that is gone: the review is what was promised
            values["rating_refused"] = refused.provider_code or refused.code
    return values


def written(tx: Tx, effect: Effect, values: Mapping[str, str], now: datetime) -> list[Event]:
    """Keep what the platform has now; when more changed meanwhile, tell it again. The event of a review that came to be
    shown by the passing of its time, once."""
    row = reviews.get(tx, effect.shop_id, str(effect.request["review_id"]))
    if row is None:
        _take_back_late(tx, effect, values, now)
        return []
    revision = int(values.get("revision", "0"))
    if "id" in values:
        reviews.mark_published(tx, effect.shop_id, row.id, values["id"], revision if values["id"] else 0)
    rating = rating_of(tx, effect.shop_id, row.product_id, now)
    rated = f"{rating.count}/{rating.average}"
    listed = ",".join(rating.listed)
    moved = values.get("listed", listed) != listed  # another was published there at the same time
    if row.revision != revision or rated != values.get("rated") or moved:
        fresh = reviews.get(tx, effect.shop_id, row.id) or row
        tell(tx, effect.shop_id, fresh, now, again=f":{to_text(now)}")
    if row.publish_at is not None and row.shown(now) and row.source == FORM:
        return [event_of(row, EventKind.REVIEW_PUBLISHED, now)]
    return []


def _take_back_late(tx: Tx, effect: Effect, values: Mapping[str, str], now: datetime) -> None:
    """The person was forgotten while their review was being published."""
    platform_id = values.get("id", "")
    if platform_id:
        product_id = str(effect.request["product_id"])
        _put(tx, effect.shop_id, f"late/{platform_id}", f"late/{platform_id}", product_id, platform_id, now, now)


def event_of(row: ReviewRow, kind: EventKind, now: datetime, **data: str) -> Event:
    """What happened to a review. Its key is that of the revision: the same thing may happen again later."""
    about = {"review_id": row.id, "product_id": row.product_id, "product": row.product_title, "rating": str(row.rating)}
    revision = "" if row.publish_at is not None and row.state is ReviewState.PUBLISHED else f"/{row.revision}"
    return Event(
        kind=kind,
        key=f"review/{row.id}/{kind}{revision}",
        subject=Ref("order", row.order_id) if row.order_id else Ref("review", row.id),
        at=now,
        order_id=row.order_id or None,
        data={**about, **data},
    )
