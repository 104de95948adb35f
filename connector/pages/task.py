"""A task's page: GET shows what is to be decided, POST decides. The link is one person's, for one task alone."""

from __future__ import annotations

from dataclasses import dataclass

from flask import request
from werkzeug.wrappers import Response as BaseResponse

from connector.clock import from_text
from connector.model import Shop
from connector.pages.frame import application, clean, find_link, gone, page, transact
from connector.store import runs, shops
from connector.store.db import Tx
from flows.care.tasks import LONGEST_NOTE, Decided, OpenTask, decide, find, outcome_of
from flows.limits.daytime import zone_of
from flows.sending.telling import LINK
from flows.steps.task import ANSWERS


@dataclass(frozen=True, slots=True, kw_only=True)
class Sight:
    """What a link leads to: an open task, or what became of it."""

    shop: Shop | None
    who: str
    task_id: str
    shop_id: str
    open: OpenTask | None
    decided: Decided


def show(token: str) -> BaseResponse:
    with application().store.work.read() as tx:
        sight = _sight(tx, token)
    return gone() if sight is None else _page(sight)


def act(token: str) -> BaseResponse:
    # Read before the transaction: a body that arrives slowly must not hold the write lock.
    answer, note = request.form.get("answer", ""), clean(request.form.get("note", ""), LONGEST_NOTE)

    def take(tx: Tx) -> Sight | None:
        sight = _sight(tx, token)
        if sight is None or sight.open is None or answer not in ANSWERS:
            return sight
        app = application()
        now = app.clock.now()
        decide(tx, app.runner, sight.shop_id, sight.task_id, now, answer=answer, by=sight.who, via="link", note=note)
        return _sight(tx, token)

    sight = transact(take)
    if sight is None:
        return gone()
    return _page(sight, 422 if sight.open is not None else 200)


def _sight(tx: Tx, token: str) -> Sight | None:
    link = find_link(tx, token, LINK)
    run = runs.get(tx, link.shop_id, link.data["run"]) if link is not None else None
    runner = application().runner
    if link is None or run is None or not runner.catalog.knows(link.shop_id):
        return None
    step = link.data["step"]
    return Sight(
        shop=shops.get(tx, link.shop_id),
        who=link.data["who"],
        task_id=f"{run.id}:{step}",
        shop_id=link.shop_id,
        open=find(tx, runner, run, step),
        decided=outcome_of(run, step),
    )


def _page(sight: Sight, status: int = 200) -> BaseResponse:
    zone = zone_of(sight.shop.timezone if sight.shop is not None else "UTC")
    decided_at = sight.decided.values.get("at", "")
    return page(
        "task.html",
        sight.shop,
        None,
        status,
        task=sight.open,
        paragraphs=[line for line in sight.open.text.split("\n") if line.strip()] if sight.open else [],
        due=f"{sight.open.due.astimezone(zone):%Y-%m-%d %H:%M}" if sight.open else "",
        outcome=sight.decided.outcome,
        by=sight.decided.values.get("by", ""),
        at=f"{from_text(decided_at).astimezone(zone):%Y-%m-%d %H:%M}" if decided_at else "",
        max_note=LONGEST_NOTE,
    )
