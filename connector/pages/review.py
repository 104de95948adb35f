"""The review form: stars from the mail prefill it, POST submits it, each product's review is stored once.

The same link shows what its owner wrote: they edit it, withdraw it, and take back what they allowed. A story about the
shop needs no stars.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from datetime import datetime

from flask import redirect, request, url_for
from werkzeug.wrappers import Response as BaseResponse

from connector.clock import to_text
from connector.config import ShopSettings
from connector.model import Event, EventKind, Order, Ref, Shop, email_key
from connector.pages.frame import application, clean, find_link, gone, let_pictures, page, transact
from connector.pages.review_form import (
    MAX_AUTHOR,
    MAX_TEXT,
    MAX_TITLE,
    Part,
    filled,
    problem_of,
    stars,
    with_pictures,
)
from connector.pages.sent_pictures import as_photos
from connector.store import entities, review_asks, review_photos, reviews, shops
from connector.store.db import Tx
from connector.store.review_photos import Photo
from connector.store.reviews import ReviewRow, ReviewState
from flows.reviews.incentives import rewards
from flows.reviews.publication import event_of
from flows.reviews.reviewing import edit, submit, withdraw

MAX_PRODUCTS = 8
EDIT, WITHDRAW, REVOKE = "edit", "withdraw", "revoke"


@dataclass(frozen=True, slots=True, kw_only=True)
class Place:
    """Where a link leads: the order, what was said of it, and which products are reviewed with whichever order."""

    shop_id: str
    shop: Shop | None
    settings: ShopSettings
    locale: str | None
    order: Order
    mine: tuple[ReviewRow, ...]
    photos: dict[str, list[Photo]]
    reviewed: frozenset[str]

    @property
    def open(self) -> list[Part]:
        """The products that wait for a review: each has its own, and keeps the others open."""
        return [Part(product_id=key, title=title) for key, title in products_of(self.order) if key not in self.reviewed]

    @property
    def story(self) -> list[Part]:
        """A story about the shop, once an order, where there is anything to review."""
        told = any(row.is_story for row in self.mine)
        return [Part(product_id="")] if self.settings.reviews.stories and not told and products_of(self.order) else []

    @property
    def closed(self) -> bool:
        return bool(self.reviewed) and not self.open

    def own(self, review_id: str | None) -> ReviewRow | None:
        """One of theirs that they have not withdrawn."""
        live = (row for row in self.mine if row.state is not ReviewState.WITHDRAWN)
        return next((row for row in live if row.id == review_id), None)


def show(token: str) -> BaseResponse:
    with application().store.work.read() as tx:
        place = _place(tx, token)
    if place is None:
        return gone()
    if (row := place.own(request.args.get(EDIT))) is not None:
        return _form(place, [_part_of(place, row)], row.author, editing=row, token=token)
    if (row := place.own(request.args.get(WITHDRAW))) is not None:
        return _said(place, token, "", asked=row)
    if place.mine and "done" in request.args:
        return _said(place, token, "thanks")
    products = place.open
    if "story" in request.args and place.story:
        return _form(place, place.story, short_name(place.order), token=token)
    if place.closed or not products:
        return _said(place, token, "again" if place.reviewed else "none")
    wanted = request.args.get("product") or products[0].product_id
    rating = stars(request.args.get("rating"))
    # What somebody follows the stars of comes first: it is there, however much they bought.
    products.sort(key=lambda part: part.product_id != wanted)
    parts = [replace(part, rating=rating if part.product_id == wanted else 0) for part in products[:MAX_PRODUCTS]]
    return _form(place, parts, short_name(place.order), token=token)


def act(token: str) -> BaseResponse:
    """`do` says what else than a new review is meant, `review` which of theirs."""
    what, named = request.form.get("do", ""), request.form.get("review")
    with application().store.work.read() as tx:
        place = _place(tx, token)
    if place is None:
        return gone()
    row = place.own(named)
    if what in (EDIT, WITHDRAW, REVOKE) and row is None:
        return _said(place, token, "again")
    if what == EDIT and row is not None:
        return _edit(token, place, row)
    if what in (WITHDRAW, REVOKE) and row is not None:
        return _take_back(token, row, what)
    return _write(token, place)


def _write(token: str, place: Place) -> BaseResponse:
    """Pictures are made anew before the transaction: neither they nor a slow body may hold the write lock."""
    parts = [filled(part, request.form, request.files, place.settings.reviews) for part in _sent(place)]
    problem = problem_of(parts)
    if not (place.closed and problem == "review.pick") and not problem:
        parts = with_pictures(parts)
        problem = problem_of(parts)
    author, reuse = clean(request.form.get("author", ""), MAX_AUTHOR), "reuse" in request.form

    def take(tx: Tx) -> tuple[Place, bool] | None:
        now_there = _place(tx, token)
        if now_there is None:
            return None
        left = {part.product_id for part in [*now_there.open, *now_there.story]}
        new = [part for part in parts if part.wanted and part.product_id in left]
        if not problem and new:
            _save(tx, now_there, new, author, reuse=reuse)
        return now_there, bool(new)

    taken = transact(take)
    if taken is None:
        return gone()
    place, anything = taken
    if place.closed and not anything:
        return _said(place, token, "again")
    if problem:
        told = [part for part in parts if part.is_story and part.said] or [part for part in parts if not part.is_story]
        return _form(place, told, author, problem, reuse=reuse, token=token)
    return redirect(url_for("pages.review", token=token, done=1), 303)


def _sent(place: Place) -> list[Part]:
    """The parts that were on the page: of a large order not every product is."""
    names = {name.partition("-")[2] for name in request.form}
    sent = [part for part in place.open if part.name in names] or place.open
    return [*sent[:MAX_PRODUCTS], *place.story]


def _edit(token: str, place: Place, row: ReviewRow) -> BaseResponse:
    part = filled(_part_of(place, row), request.form, request.files, place.settings.reviews)
    problem = problem_of([part])
    if not problem:
        (part,) = with_pictures([part])
        problem = problem_of([part])
    author, reuse = clean(request.form.get("author", ""), MAX_AUTHOR), "reuse" in request.form
    if problem:
        return _form(place, [part], author, problem, editing=row, reuse=reuse, token=token)
    app = application()
    now = app.clock.now()
    photos = _photos(part)
    said = replace(
        row,
        rating=part.rating,
        title=part.heading,
        text=part.text,
        video=part.video,
        author=_name(author, place.order),
        reuse_at=(row.reuse_at or now) if reuse else None,
    )
    done = transact(lambda tx: edit(tx, app.runner, said, photos, part.dropped, place.settings, now))
    if not done:
        with app.store.work.read() as tx:
            place = _place(tx, token) or place
        return _form(place, [part], author, "review.changed", editing=place.own(row.id) or row, token=token)
    return redirect(url_for("pages.review", token=token, done=1), 303)


def _take_back(token: str, row: ReviewRow, what: str) -> BaseResponse:
    app = application()

    def take(tx: Tx) -> Place | None:
        place, now = _place(tx, token), app.clock.now()
        if place is None:
            return None
        if what == WITHDRAW:
            withdraw(tx, app.runner, place.shop_id, row, now)
        elif row.reuse_at is not None:
            reviews.allow_reuse(tx, place.shop_id, row.id, None)
            reviews.note(tx, place.shop_id, row, "reuse_revoked", now)
        return _place(tx, token)

    place = transact(take)
    if place is None:
        return gone()
    return _said(place, token, "withdrawn" if what == WITHDRAW else "revoked")


def _place(tx: Tx, token: str) -> Place | None:
    link = find_link(tx, token, "review")
    order = entities.order(tx, link.shop_id, link.data["order"]) if link is not None else None
    if link is None or order is None or not application().runner.catalog.knows(link.shop_id):
        return None
    mine = tuple(reviews.of_order(tx, link.shop_id, order.id))
    names = review_asks.names_of(tx, link.shop_id, _address(order), order.customer.id if order.customer else None)
    before = reviews.reviewed_by(tx, link.shop_id, names)
    return Place(
        shop_id=link.shop_id,
        shop=shops.get(tx, link.shop_id),
        settings=application().runner.catalog.settings(link.shop_id),
        locale=link.data.get("locale"),
        order=order,
        mine=mine,
        photos=review_photos.of(tx, link.shop_id, [row.id for row in mine]),
        reviewed=frozenset(row.product_id for row in mine if row.product_id) | before,
    )


def _part_of(place: Place, row: ReviewRow) -> Part:
    """A review of theirs, as the form shows it to be edited."""
    return Part(
        product_id=row.product_id,
        title=row.product_title,
        rating=row.rating,
        heading=row.title,
        text=row.text,
        video=row.video,
        photos=place.photos.get(row.id, ()),
    )


def _said(place: Place, token: str, state: str, asked: ReviewRow | None = None) -> BaseResponse:
    """What was done, and what there is of theirs; `asked` is to be withdrawn, once they say so again."""
    let_pictures()
    now = application().clock.now()
    return page(
        "review.html",
        place.shop,
        place.locale,
        said=f"review.{state}" if state else "",
        asked=asked,
        mine=[row for row in place.mine if row.state is not ReviewState.WITHDRAWN],
        waiting={row.id for row in place.mine if not row.shown(now)},
        photos=place.photos,
        token=token,
        more=bool(place.open) and bool(place.reviewed),
        story=bool(place.story),
    )


def _form(
    place: Place,
    parts: Sequence[Part],
    author: str,
    problem: str = "",
    *,
    editing: ReviewRow | None = None,
    reuse: bool | None = None,
    token: str,
) -> BaseResponse:
    let_pictures()
    settings = place.settings.reviews
    allowed = bool(editing.reuse_at) if editing is not None and reuse is None else bool(reuse)
    return page(
        "review.html",
        place.shop,
        place.locale,
        422 if problem else 200,
        said="",
        asked=None,
        number=place.order.number,
        parts=parts,
        several=sum(not part.is_story for part in parts) > 1,
        author=author,
        problem=problem,
        missing=[part.title or place.settings.shop.name for part in parts if part.incomplete],
        again=problem and any(part.files for part in parts),
        editing=editing,
        story=bool(place.story) and editing is None and not any(part.is_story for part in parts),
        reuse=allowed,
        rewarded=rewards(application().runner.catalog, place.shop_id, application().clock.now()),
        token=token,
        rules=settings,
        hosts=", ".join(settings.video_hosts),
        max_text=MAX_TEXT,
        max_title=MAX_TITLE,
        max_author=MAX_AUTHOR,
    )


def _save(tx: Tx, place: Place, parts: Sequence[Part], author: str, *, reuse: bool) -> None:
    app = application()
    now, order = app.clock.now(), place.order
    kept = [row for part in parts if (row := _keep(tx, place, part, author, now, reuse=reuse)) is not None]
    rated = [row for row in kept if not row.is_story]
    if not rated:
        return
    lowest = min(rated, key=lambda row: row.rating)
    further = "/" + "+".join(row.product_id for row in rated) if any(not row.is_story for row in place.mine) else ""
    event = Event(
        kind=EventKind.REVIEW_SUBMITTED,
        key=f"order/{order.id}/reviewed{further}",
        subject=Ref("order", order.id),
        at=now,
        order_id=order.id,
        data={
            "rating": str(lowest.rating),
            "products": str(len(rated)),
            "review_id": lowest.id,
            "product": lowest.product_title,
        },
    )
    shown = [event_of(row, EventKind.REVIEW_PUBLISHED, now) for row in rated if row.shown(now)]
    app.runner.ingest(tx, place.shop_id, [event, *shown], now)


def _keep(tx: Tx, place: Place, part: Part, author: str, now: datetime, *, reuse: bool) -> ReviewRow | None:
    order = place.order
    line = next((line for line in order.lines if line.product_id == part.product_id), None)
    proof = {"order": order.number or order.id, "line": line.id, "placed_at": to_text(order.placed_at)} if line else {}
    row = ReviewRow(
        id=reviews.review_id(order.id, part.product_id),
        order_id=order.id,
        product_id=part.product_id,
        product_title=part.title,
        rating=part.rating,
        title=part.heading,
        text=part.text,
        video=part.video,
        author=_name(author, order),
        email_key=_address(order),
        at=now,
        proof=proof,
        locale=place.locale or "",
        reuse_at=now if reuse else None,
    )
    return submit(tx, application().runner, row, _photos(part), place.settings, now)


def _photos(part: Part) -> list[Photo]:
    return as_photos(part.made, application().clock)


def products_of(order: Order) -> list[tuple[str, str]]:
    """Id and title of what can be reviewed. A line without a product (a tip, an engraving, a deleted product) cannot:
    its own id, taken for a product's, would put the review on somebody else's goods."""
    found: dict[str, str] = {}
    for line in order.lines:
        if line.product_id and not line.is_gift_card:
            found.setdefault(line.product_id, line.title)
    return list(found.items())


def _address(order: Order) -> str | None:
    return email_key(order.email or (order.customer.email if order.customer else None))


def _name(author: str, order: Order) -> str:
    """What is shown; a person who empties the field is called by their first name."""
    return " ".join(author.split()) or _names(order)[0]


def short_name(order: Order) -> str:
    """First name and initial: what the form proposes to show."""
    first, last = _names(order)
    return f"{first} {last[:1]}." if first and last else first


def _names(order: Order) -> tuple[str, str]:
    address = order.shipping_address or order.billing_address
    customer = order.customer
    first = (customer and customer.first_name) or (address and address.first_name) or ""
    last = (customer and customer.last_name) or (address and address.last_name) or ""
    return first.strip(), last.strip()
