"""The survey: a score from the mail prefills it, POST answers, and the answer may be changed for a while."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime

from babel.dates import format_date
from flask import redirect, request, url_for
from werkzeug.wrappers import Response as BaseResponse

from connector.config import ShopSettings
from connector.config.surveys import SHIPPED, Stage
from connector.model import Shop
from connector.model.survey import SCALES, Scale
from connector.pages.frame import application, clean, find_link, gone, page, strings, transact, visitor_language
from connector.store import entities, shops, surveys
from connector.store.db import Tx
from connector.store.surveys import AskRow
from flows.care.surveys import SURVEY, answer, band_of, editable
from flows.limits.daytime import zone_of

MAX_COMMENT = 1000


@dataclass(frozen=True, slots=True, kw_only=True)
class Place:
    """Where a link leads: the question, the order it is about (its number), and how it stands."""

    settings: ShopSettings
    shop: Shop | None
    locale: str | None
    ask: AskRow
    number: str
    editable: bool

    @property
    def scale(self) -> Scale:
        return SCALES[self.ask.kind]

    @property
    def stage(self) -> Stage | None:
        found = self.settings.surveys.stages.get(self.ask.survey)
        return found if found is not None and found.scale.kind == self.ask.kind else None

    @property
    def changeable_until(self) -> datetime | None:
        return self.ask.answered_at + self.settings.surveys.edit_for if self.ask.answered_at else None


def show(token: str) -> BaseResponse:
    with application().store.work.read() as tx:
        place = _place(tx, token)
    if place is None:
        return gone()
    if not place.editable:
        return _page(place, said="closed")
    if "done" in request.args and place.ask.score is not None:
        return _page(place, said="thanks")
    score = _score(place, request.args.get("score"))
    return _page(place, score=place.ask.score if score is None else score, comment=place.ask.comment)


def act(token: str) -> BaseResponse:
    # Read before the transaction: a body that arrives slowly must not hold the write lock.
    given, comment = request.form.get("score"), clean(request.form.get("comment", ""), MAX_COMMENT)

    def take(tx: Tx) -> tuple[Place, bool] | None:
        place = _place(tx, token)
        if place is None:
            return None
        score = _score(place, given)
        if score is None or not place.editable:
            return place, False
        app = application()
        # One word at a time: an answer sent twice side by side is one answer.
        tx.hold([f"survey answer {place.ask.ask_id}"])
        fresh = surveys.get(tx, place.settings.shop.id, place.ask.ask_id) or place.ask
        answer(tx, app.runner, place.settings, fresh, score, comment, app.clock.now())
        return place, True

    taken = transact(take)
    if taken is None:
        return gone()
    place, answered = taken
    if answered:
        return redirect(url_for("pages.survey", token=token, done=1), 303)
    if not place.editable:
        return _page(place, said="closed")
    return _page(place, comment=comment, problem="survey.pick")


def _place(tx: Tx, token: str) -> Place | None:
    link = find_link(tx, token, SURVEY)
    app = application()
    if link is None or not app.runner.catalog.knows(link.shop_id):
        return None
    ask = surveys.get(tx, link.shop_id, link.data.get("ask", ""))
    if ask is None:
        return None
    settings = app.config.shop(link.shop_id)
    order = entities.order(tx, link.shop_id, ask.order_id) if ask.order_id else None
    return Place(
        settings=settings,
        shop=shops.get(tx, link.shop_id),
        locale=link.data.get("locale"),
        ask=ask,
        number=order.number if order is not None else "",
        editable=editable(settings, ask, app.clock.now()),
    )


def _score(place: Place, text: str | None) -> int | None:
    return next((score for score in place.scale.scores if str(score) == text), None)


def _page(
    place: Place, *, said: str = "", score: int | None = None, comment: str = "", problem: str = ""
) -> BaseResponse:
    language = visitor_language(place.locale, place.shop)
    band = "none" if score is None else band_of(place.settings, place.ask, score)
    until, zone = place.changeable_until, zone_of(place.shop.timezone if place.shop else "UTC")
    return page(
        "survey.html",
        place.shop,
        place.locale,
        422 if problem else 200,
        said=said,
        number=place.number,
        question=_question(place, language),
        scale=place.scale,
        score=score,
        given=place.ask.score,
        comment=comment,
        more=_more(place, band, language),
        # What the answer was is asked about once more, where nothing was written with it.
        further=_more(place, place.ask.band, language) if place.ask.band and not place.ask.comment else "",
        until=format_date(until.astimezone(zone), "long", locale=language) if until else "",
        problem=problem,
        max_comment=MAX_COMMENT,
    )


def _question(place: Place, language: str) -> str:
    """As the mail puts it (`flows.render.questions`): the merchant's words, the stage's, the scale's."""
    stage, kind, known = place.stage, place.ask.kind, strings(language)
    fits = SHIPPED.get(place.ask.survey) == kind
    written = stage.question.get(language) if stage is not None else None
    text = written or known[f"survey.asks.{place.ask.survey if fits else kind}"]
    return text.replace("{shop}", _name(place))


def _more(place: Place, band: str, language: str) -> str:
    """The question after the score, by how good it is."""
    by_band: Mapping[str, Mapping[str, str]] = place.stage.follow_ups if place.stage is not None else {}
    text = by_band.get(band, {}).get(language) or strings(language)[f"survey.more.{band}"]
    return text.replace("{shop}", _name(place))


def _name(place: Place) -> str:
    return place.shop.name if place.shop is not None else place.settings.shop.name
