"""Returns and complaints of one order: the merchant's instructions, how earlier requests stand, a form for a new one.

Whoever has the order's link may come here, so nothing a customer wrote is shown again: of an earlier request only its
kind, state and day.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field

from babel.dates import format_date
from flask import redirect, request, url_for
from werkzeug.wrappers import Response as BaseResponse

from connector.config import ShopSettings
from connector.model import Order, Shop
from connector.model.case import KINDS, RETURN
from connector.pages.frame import application, clean, find_link, gone, page, transact, visitor_language
from connector.pages.sent_pictures import as_photos, develop_all, read_files
from connector.store import cases, entities, shops
from connector.store.cases import CaseLine, CaseRow
from connector.store.db import Tx
from flows.care.cases import LINK, Request, open_case
from flows.limits.daytime import zone_of

ORDER = "order"
"""The kind of links to an order's own page (`connector.pages.order`)."""
MAX_TEXT = 4000
MAX_OPEN = 5
"""Open requests of one order; whoever has more writes to the shop."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Place:
    """Where a link leads. `settings.returns` has the instructions and what can be chosen."""

    settings: ShopSettings
    shop: Shop | None
    locale: str | None
    order: Order
    earlier: tuple[CaseRow, ...]

    @property
    def lines(self) -> list[CaseLine]:
        """What can be sent back: what is still the customer's."""
        found = []
        for line in self.order.lines:
            left = line.quantity if line.current_quantity is None else line.current_quantity
            if left > 0 and not line.is_gift_card:
                found.append(CaseLine(line.id, line.title, left))
        return found

    @property
    def full(self) -> bool:
        return sum(row.open for row in self.earlier) >= MAX_OPEN


@dataclass(frozen=True, slots=True, kw_only=True)
class Filled:
    """A form as it was sent. `quantities` are by line id, as text."""

    kind: str = RETURN
    quantities: Mapping[str, int] = field(default_factory=dict)
    reason: str = ""
    wish: str = ""
    text: str = ""
    files: tuple[bytes, ...] = field(default=(), repr=False)


def show(token: str) -> BaseResponse:
    with application().store.work.read() as tx:
        place = _place(tx, token)
    if place is None:
        return gone()
    return _page(place, Filled(), done=request.args.get("done", ""))


def act(token: str) -> BaseResponse:
    # Read before the transaction: a body that arrives slowly must not hold the write lock.
    form, files = request.form.to_dict(), read_files(request.files.getlist("photos"))
    with application().store.work.read() as tx:
        place = _place(tx, token)
    if place is None:
        return gone()
    first = _filled(place, form, files)
    problem = _problem(place, first)
    # Pictures are made anew before the transaction, and only for who may send them.
    made = develop_all(first.files) if not problem else ()
    if problem or isinstance(made, str):
        return _page(place, first, problem=problem or f"review.photo_{made}")
    photos = as_photos(made, application().clock)

    def take(tx: Tx) -> tuple[Place, Filled, str, str] | None:
        place = _place(tx, token)
        if place is None:
            return None
        filled = _filled(place, form, files)
        problem = _problem(place, filled)
        if problem:
            return place, filled, problem, ""
        app = application()
        asked = Request(
            kind=filled.kind,
            lines=[
                CaseLine(line.line_id, line.title, filled.quantities[line.line_id])
                for line in place.lines
                if filled.quantities.get(line.line_id)
            ],
            reason=filled.reason,
            wish=filled.wish,
            body=filled.text,
            locale=visitor_language(place.locale, place.shop),
        )
        now = app.clock.now()
        case_id, _ = open_case(tx, app.runner, app.salt, place.settings, place.order, asked, now, photos)
        return place, filled, "", case_id

    taken = transact(take)
    if taken is None:
        return gone()
    place, filled, problem, case_id = taken
    if problem:
        return _page(place, filled, problem=problem)
    return redirect(url_for("pages.case", token=token, done=case_id), 303)


def _place(tx: Tx, token: str) -> Place | None:
    # The token of the order's own page leads here as well: both show nothing but the order.
    app, link = application(), find_link(tx, token, LINK) or find_link(tx, token, ORDER)
    if link is None or not app.runner.catalog.knows(link.shop_id):
        return None
    settings = app.config.shop(link.shop_id)
    order = entities.order(tx, link.shop_id, link.data["order"])
    if order is None or not settings.returns.enabled:
        return None
    earlier = tuple(cases.of_order(tx, link.shop_id, order.id))
    shop = shops.get(tx, link.shop_id)
    return Place(settings=settings, shop=shop, locale=link.data.get("locale"), order=order, earlier=earlier)


def _filled(place: Place, form: Mapping[str, str], files: tuple[bytes, ...]) -> Filled:
    quantities = {}
    for line in place.lines:
        given = form.get(f"line-{line.line_id}", "0")
        quantities[line.line_id] = int(given) if given in map(str, range(line.quantity + 1)) else 0
    returns = place.settings.returns
    return Filled(
        kind=form.get("kind", ""),
        quantities=quantities,
        reason=form.get("reason", "") if form.get("reason") in returns.reasons else "",
        wish=form.get("wish", "") if form.get("wish") in returns.wishes else "",
        text=clean(form.get("text", ""), MAX_TEXT),
        files=files if returns.photos else (),
    )


def _problem(place: Place, filled: Filled) -> str:
    if place.full:
        return "case.full"
    if filled.kind not in KINDS:
        return "case.kind"
    if filled.kind == RETURN and not any(filled.quantities.values()):
        return "case.lines"
    if filled.kind != RETURN and not filled.text:
        return "case.text"
    return "review.photo_many" if len(filled.files) > place.settings.returns.photos else ""


def _page(place: Place, filled: Filled, *, done: str = "", problem: str = "") -> BaseResponse:
    language = visitor_language(place.locale, place.shop)
    returns, zone = place.settings.returns, zone_of(place.shop.timezone if place.shop else "UTC")
    written = returns.instructions.get(language) or returns.instructions.get("en", "")
    known = [row.case_id for row in place.earlier]
    return page(
        "case.html",
        place.shop,
        place.locale,
        422 if problem else 200,
        number=place.order.number,
        instructions=[part for part in written.split("\n") if part.strip()],
        earlier=[(row, format_date(row.opened_at.astimezone(zone), "long", locale=language)) for row in place.earlier],
        done=done if done in known else "",
        full=place.full,
        kinds=KINDS,
        lines=[(line, filled.quantities.get(line.line_id, 0)) for line in place.lines],
        reasons=returns.reasons,
        wishes=returns.wishes,
        filled=filled,
        problem=problem,
        photos=returns.photos,
        photos_again=bool(problem and filled.files),
        max_text=MAX_TEXT,
    )
