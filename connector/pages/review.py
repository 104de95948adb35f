"""The review form: stars from the mail prefill it, POST submits it, each product's review is stored once."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

from flask import redirect, request, url_for
from werkzeug.wrappers import Response as BaseResponse

from connector.model import Event, EventKind, Order, Ref, Shop, email_key
from connector.pages.frame import application, clean, find_link, gone, page, transact
from connector.store import entities, reviews, shops
from connector.store.db import Tx

MAX_TEXT = 4000
MAX_AUTHOR = 80
MAX_PRODUCTS = 8


@dataclass(frozen=True, slots=True, kw_only=True)
class Place:
    """Where a link leads: the order, and which of its products have been reviewed."""

    shop_id: str
    shop: Shop | None
    locale: str | None
    order: Order
    reviewed: frozenset[str]

    @property
    def open(self) -> list[tuple[str, str]]:
        """Id and title of the products that wait for a review: each has its own, and keeps the others open."""
        return [(key, title) for key, title in _products(self.order) if key not in self.reviewed]

    @property
    def closed(self) -> bool:
        return bool(self.reviewed) and not self.open


@dataclass(frozen=True, slots=True, kw_only=True)
class ProductField:
    """One product's part of the form. `rating` counts from 1 to 5, 0 is none."""

    product_id: str
    title: str
    rating: int = 0
    text: str = ""

    @property
    def incomplete(self) -> bool:
        """Words without stars: nothing that was written may vanish in silence."""
        return bool(self.text) and not self.rating


def show(token: str) -> BaseResponse:
    with application().store.work.read() as tx:
        place = _place(tx, token)
    if place is None:
        return gone()
    if place.reviewed and "done" in request.args:
        return _said(place, "thanks")
    if place.closed:
        return _said(place, "again")
    products = place.open
    wanted = request.args.get("product") or (products[0][0] if products else "")
    rating = _stars(request.args.get("rating"))
    fields = [
        ProductField(product_id=key, title=title, rating=rating if key == wanted else 0) for key, title in products
    ]
    return _form(place, fields, _first_name(place.order)) if fields else _said(place, "none")


def act(token: str) -> BaseResponse:
    # Read before the transaction: a body that arrives slowly must not hold the write lock.
    form = request.form.to_dict()

    def take(tx: Tx) -> tuple[Place, list[ProductField], str] | None:
        place = _place(tx, token)
        if place is None:
            return None
        fields = _filled(place, form)
        problem = _problem(fields)
        if not place.closed and not problem:
            _save(tx, place, [field for field in fields if field.rating], form.get("author", ""))
        return place, fields, problem

    taken = transact(take)
    if taken is None:
        return gone()
    place, fields, problem = taken
    if place.closed:
        return _said(place, "again")
    if problem:
        return _form(place, fields, clean(form.get("author", ""), MAX_AUTHOR), problem)
    return redirect(url_for("pages.review", token=token, done=1), 303)


def _place(tx: Tx, token: str) -> Place | None:
    link = find_link(tx, token, "review")
    order = entities.order(tx, link.shop_id, link.data["order"]) if link is not None else None
    if link is None or order is None:
        return None
    return Place(
        shop_id=link.shop_id,
        shop=shops.get(tx, link.shop_id),
        locale=link.data.get("locale"),
        order=order,
        reviewed=frozenset(row.product_id for row in reviews.of_order(tx, link.shop_id, order.id)),
    )


def _said(place: Place, state: str) -> BaseResponse:
    return page("review.html", place.shop, place.locale, said=f"review.{state}")


def _form(place: Place, fields: list[ProductField], author: str, problem: str = "") -> BaseResponse:
    return page(
        "review.html",
        place.shop,
        place.locale,
        422 if problem else 200,
        said="",
        number=place.order.number,
        products=fields,
        author=author,
        problem=problem,
        missing=[field.title for field in fields if field.incomplete],
        max_text=MAX_TEXT,
        max_author=MAX_AUTHOR,
    )


def _problem(fields: list[ProductField]) -> str:
    if any(field.incomplete for field in fields):
        return "review.missing"
    return "" if any(field.rating for field in fields) else "review.pick"


def _save(tx: Tx, place: Place, fields: list[ProductField], author: str) -> None:
    app = application()
    now, order = app.clock.now(), place.order
    name = " ".join(clean(author, MAX_AUTHOR).split()) or _first_name(order)
    address = email_key(order.email or (order.customer.email if order.customer else None))
    for field in fields:
        reviews.save(tx, place.shop_id, order.id, field.product_id, field.rating, "", field.text, name, address, now)
    further = "/" + "+".join(field.product_id for field in fields) if place.reviewed else ""
    event = Event(
        kind=EventKind.REVIEW_SUBMITTED,
        key=f"order/{order.id}/reviewed{further}",
        subject=Ref("order", order.id),
        at=now,
        order_id=order.id,
        data={"rating": str(min(field.rating for field in fields)), "products": str(len(fields))},
    )
    app.runner.ingest(tx, place.shop_id, [event], now)


def _products(order: Order) -> list[tuple[str, str]]:
    """Id and title of what can be reviewed. A line without a product (a tip, an engraving, a deleted product) cannot:
    its own id, taken for a product's, would put the review on somebody else's goods."""
    found: dict[str, str] = {}
    for line in order.lines:
        if line.product_id and not line.is_gift_card:
            found.setdefault(line.product_id, line.title)
    return list(found.items())[:MAX_PRODUCTS]


def _filled(place: Place, form: Mapping[str, str]) -> list[ProductField]:
    return [
        ProductField(
            product_id=key,
            title=title,
            rating=_stars(form.get(f"rating-{key}")),
            text=clean(form.get(f"text-{key}", ""), MAX_TEXT),
        )
        for key, title in place.open
    ]


def _stars(text: str | None) -> int:
    return int(text) if text in ("1", "2", "3", "4", "5") else 0


def _first_name(order: Order) -> str:
    address = order.shipping_address or order.billing_address
    return (order.customer and order.customer.first_name) or (address and address.first_name) or ""
