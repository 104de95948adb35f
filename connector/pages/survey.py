"""The survey: one score from the mail prefills it, POST answers it once, the answer goes to the run that asked."""

from __future__ import annotations

from dataclasses import dataclass

from flask import redirect, request, url_for
from werkzeug.wrappers import Response as BaseResponse

from connector.model import Event, EventKind, Order, Ref, Shop
from connector.pages.frame import application, clean, find_link, gone, page, transact
from connector.store import entities, events, shops
from connector.store.db import Tx

KIND = "survey"
"""The kind of the links that lead here."""
MAX_COMMENT = 1000
_SCORES = ("1", "2", "3", "4", "5")


@dataclass(frozen=True, slots=True, kw_only=True)
class Place:
    """Where a link leads: the order that is asked about, and whether it was answered."""

    shop_id: str
    shop: Shop | None
    locale: str | None
    order: Order
    answered: bool


def show(token: str) -> BaseResponse:
    with application().store.work.read() as tx:
        place = _place(tx, token)
    if place is None:
        return gone()
    if place.answered:
        return _said(place, "thanks" if "done" in request.args else "again")
    return _form(place, _score(request.args.get("score")), "")


def act(token: str) -> BaseResponse:
    # Read before the transaction: a body that arrives slowly must not hold the write lock.
    score, comment = _score(request.form.get("score")), clean(request.form.get("comment", ""), MAX_COMMENT)

    def take(tx: Tx) -> tuple[Place, bool] | None:
        place = _place(tx, token)
        if place is None:
            return None
        if score and not place.answered:
            _answer(tx, place, score, comment)
        return place, place.answered

    taken = transact(take)
    if taken is None:
        return gone()
    place, answered = taken
    if answered:
        return _said(place, "again")
    if not score:
        return _form(place, "", comment, "survey.pick")
    return redirect(url_for("pages.survey", token=token, done=1), 303)


def _place(tx: Tx, token: str) -> Place | None:
    link = find_link(tx, token, KIND)
    order = entities.order(tx, link.shop_id, link.data["order"]) if link is not None else None
    if link is None or order is None:
        return None
    return Place(
        shop_id=link.shop_id,
        shop=shops.get(tx, link.shop_id),
        locale=link.data.get("locale"),
        order=order,
        answered=events.has(tx, link.shop_id, _key(order)),
    )


def _key(order: Order) -> str:
    return f"order/{order.id}/surveyed"


def _answer(tx: Tx, place: Place, score: str, comment: str) -> None:
    app = application()
    now = app.clock.now()
    event = Event(
        kind=EventKind.SURVEY_ANSWERED,
        key=_key(place.order),
        subject=Ref("order", place.order.id),
        at=now,
        order_id=place.order.id,
        data={"score": score, "comment": comment},
    )
    app.runner.ingest(tx, place.shop_id, [event], now)


def _said(place: Place, state: str) -> BaseResponse:
    return page("survey.html", place.shop, place.locale, said=f"survey.{state}")


def _form(place: Place, score: str, comment: str, problem: str = "") -> BaseResponse:
    return page(
        "survey.html",
        place.shop,
        place.locale,
        422 if problem else 200,
        said="",
        number=place.order.number,
        scores=_SCORES,
        score=score,
        comment=comment,
        problem=problem,
        max_comment=MAX_COMMENT,
    )


def _score(text: str | None) -> str:
    return text if text in _SCORES else ""
