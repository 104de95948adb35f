"""The review form: stars from the mail prefill it, POST submits it, each product's review is stored once."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

from flask import Blueprint, current_app, redirect, request, url_for
from werkzeug.wrappers import Response as BaseResponse

from connector.model import Event, EventKind, Order, Ref
from connector.pages.frame import page
from connector.store import entities, links, reviews, shops
from connector.store.db import Tx

MAX_TEXT = 4000
MAX_PRODUCTS = 8


@dataclass(frozen=True, slots=True)
class ProductField:
    product_id: str
    title: str
    rating: int
    text: str


def routes(blueprint: Blueprint) -> None:
    blueprint.add_url_rule("/review/<token>", "review", show, methods=["GET"])
    blueprint.add_url_rule("/review/<token>", "review_post", submit, methods=["POST"])


def show(token: str) -> BaseResponse:
    app = current_app.extensions["kiitos"]
    with app.store.work.read() as tx:
        link = links.get(tx, token)
        order = entities.order(tx, link.shop_id, link.data["order"]) if link and link.kind == "review" else None
        if link is None or order is None:
            return page("gone.html", None, request.accept_languages.best_match(["en", "fi"]), 404)
        shop = shops.get(tx, link.shop_id)
        known = reviews.of_order(tx, link.shop_id, order.id)
    if known:
        state = "thanks" if "done" in request.args else "again"
        return page("review.html", shop, link.data.get("locale"), state=state)
    prefill = _stars(request.args.get("rating"))
    wanted = request.args.get("product")
    fields = [
        ProductField(f.product_id, f.title, prefill if f.product_id == wanted or (not wanted and i == 0) else 0, "")
        for i, f in enumerate(_products(order, {}))
    ]
    return page(
        "review.html",
        shop,
        link.data.get("locale"),
        state="ask",
        number=order.number,
        products=fields,
        author=_first_name(order),
        problem=False,
    )


def submit(token: str) -> BaseResponse:
    app = current_app.extensions["kiitos"]
    with app.store.work.transaction() as tx:
        link = links.get(tx, token)
        order = entities.order(tx, link.shop_id, link.data["order"]) if link and link.kind == "review" else None
        if link is None or order is None:
            return page("gone.html", None, request.accept_languages.best_match(["en", "fi"]), 404)
        shop = shops.get(tx, link.shop_id)
        if reviews.of_order(tx, link.shop_id, order.id):
            return page("review.html", shop, link.data.get("locale"), state="again")
        fields = _products(order, request.form)
        if not any(field.rating for field in fields):
            return page(
                "review.html",
                shop,
                link.data.get("locale"),
                422,
                state="ask",
                number=order.number,
                products=fields,
                author=request.form.get("author", ""),
                problem=True,
            )
        _save(tx, link.shop_id, order, [field for field in fields if field.rating])
    return redirect(url_for("pages.review", token=token, done=1), 303)


def _save(tx: Tx, shop_id: str, order: Order, fields: list[ProductField]) -> None:
    app = current_app.extensions["kiitos"]
    now = app.clock.now()
    author = (request.form.get("author", "").strip() or _first_name(order))[:80]
    address = order.email or (order.customer.email if order.customer else None)
    for field in fields:
        reviews.save(tx, shop_id, order.id, field.product_id, field.rating, "", field.text, author, address, now)
    event = Event(
        kind=EventKind.REVIEW_SUBMITTED,
        key=f"order/{order.id}/reviewed",
        subject=Ref("order", order.id),
        at=now,
        order_id=order.id,
        data={"rating": str(min(field.rating for field in fields)), "products": str(len(fields))},
    )
    app.runner.ingest(tx, shop_id, [event], now)


def _products(order: Order, form: Mapping[str, str]) -> list[ProductField]:
    """One field a product of the order, gift cards left out; ratings and texts as far as the form has them."""
    seen: dict[str, ProductField] = {}
    for line in order.lines:
        key = line.product_id or line.id
        if key not in seen and not line.is_gift_card:
            text = form.get(f"text-{key}", "").strip()[:MAX_TEXT]
            seen[key] = ProductField(key, line.title, _stars(form.get(f"rating-{key}")), text)
    return list(seen.values())[:MAX_PRODUCTS]


def _stars(text: str | None) -> int:
    return int(text) if text in ("1", "2", "3", "4", "5") else 0


def _first_name(order: Order) -> str:
    address = order.shipping_address or order.billing_address
    return (order.customer and order.customer.first_name) or (address and address.first_name) or ""
