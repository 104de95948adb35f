"""The answers of a shop in a time, grouped as somebody wants to see them, and the words that came with them."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from datetime import datetime

from connector.model import Shop
from connector.store import entities, surveys
from connector.store.db import Tx
from connector.store.surveys import AskRow
from flows.care.scoring import Result, summarise
from flows.limits.daytime import zone_of

STAGE, FLOW, MONTH, PRODUCT = "stage", "flow", "month", "product"
GROUPS = (STAGE, FLOW, MONTH, PRODUCT)
COMMENTS = 50
LINK = "survey_results"
"""The kind of a link to a shop's page of results."""


@dataclass(frozen=True, slots=True)
class Comment:
    """What somebody wrote, with the score it came with. `order` is the order's number, empty without one."""

    at: datetime
    survey: str
    kind: str
    score: int
    band: str
    order: str
    text: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Report:
    """`comments` are the newest, at most `COMMENTS`; `written` is how many there are."""

    results: list[Result]
    comments: list[Comment]
    written: int


def report(tx: Tx, shop: Shop, by: str, since: datetime, until: datetime) -> Report:
    """What was asked in [since, until). By month: of the question, on the shop's calendar; by product: an answer about
    an order counts for each product in it, by its title as ordered."""
    rows = list(surveys.between(tx, shop.id, since, until))
    answered = [row for row in rows if row.comment and row.score is not None and row.answered_at is not None]
    newest = sorted(answered, key=lambda row: (row.answered_at, row.ask_id), reverse=True)[:COMMENTS]
    numbers = {row.order_id: _number(tx, shop.id, row.order_id) for row in newest}
    return Report(
        results=summarise(rows, lambda row: _groups(tx, shop, by, row)),
        comments=[
            Comment(row.answered_at, row.survey, row.kind, row.score, row.band, numbers[row.order_id], row.comment)
            for row in newest
            if row.answered_at is not None and row.score is not None
        ],
        written=len(answered),
    )


def _groups(tx: Tx, shop: Shop, by: str, row: AskRow) -> Iterable[str]:
    if by == FLOW:
        return (row.flow_id,)
    if by == MONTH:
        return (f"{row.asked_at.astimezone(zone_of(shop.timezone)):%Y-%m}",)
    if by == STAGE:
        return (row.survey,)
    order = entities.order(tx, shop.id, row.order_id) if row.order_id else None
    return [line.title for line in order.lines if line.product_id] if order is not None else ()


def _number(tx: Tx, shop_id: str, order_id: str) -> str:
    order = entities.order(tx, shop_id, order_id) if order_id else None
    return order.number if order is not None else ""
