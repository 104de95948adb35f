"""What was asked of whom and what they answered, a row a question."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from datetime import datetime

from connector.clock import from_text, to_text
from connector.store.db import Row, Tx

PAGE = 500


@dataclass(frozen=True, slots=True, kw_only=True)
class AskRow:
    """A question. `survey` is its stage, `kind` its scale; without an answer `score` is `None` and `band` empty.
    `revisions` counts the times it was answered: 1 for the first."""

    ask_id: str
    survey: str
    kind: str
    flow_id: str
    order_id: str
    email_key: str
    customer_id: str
    asked_at: datetime
    score: int | None = None
    band: str = ""
    comment: str = ""
    answered_at: datetime | None = None
    revised_at: datetime | None = None
    revisions: int = 0


@dataclass(frozen=True, slots=True)
class Asked:
    """The newest question to a person: when, by which flow of which shop, at which stage."""

    at: datetime
    shop_id: str
    flow_id: str
    survey: str


def ask(tx: Tx, shop_id: str, row: AskRow) -> None:
    """Keep that the question is being put; one that is known stays as it is."""
    tx.run(
        "survey_ask",
        shop_id=shop_id,
        ask_id=row.ask_id,
        survey=row.survey,
        kind=row.kind,
        flow_id=row.flow_id,
        order_id=row.order_id,
        email_key=row.email_key,
        customer_id=row.customer_id,
        now=to_text(row.asked_at),
    )


def unask(tx: Tx, shop_id: str, ask_id: str) -> None:
    """The message certainly never left."""
    tx.run("survey_unask", shop_id=shop_id, ask_id=ask_id)


def get(tx: Tx, shop_id: str, ask_id: str) -> AskRow | None:
    row = tx.one("survey_get", shop_id=shop_id, ask_id=ask_id)
    return _row(row) if row is not None else None


def answer(tx: Tx, shop_id: str, ask_id: str, score: int, band: str, comment: str, now: datetime) -> None:
    """The first answer, or a later word in its place."""
    tx.run("survey_answer", shop_id=shop_id, ask_id=ask_id, score=score, band=band, comment=comment, now=to_text(now))


def last(tx: Tx, shops: Iterable[str], email_key: str, customer_id: str, but: str) -> Asked | None:
    """The newest question to a person in any of the shops, `but` the one that is being put. An account counts only in
    the shop it came from, the first."""
    found = (
        Asked(from_text(row["asked_at"]), shop_id, row["flow_id"], row["survey"])
        for number, shop_id in enumerate(shops)
        for row in tx.all(
            "survey_last",
            shop_id=shop_id,
            ask_id=but,
            email_key=email_key,
            customer_id="" if number else customer_id,
        )
    )
    return max(found, key=lambda each: each.at, default=None)


def between(tx: Tx, shop_id: str, since: datetime, until: datetime) -> Iterator[AskRow]:
    """Questions put in [since, until), a page at a time; of the person only the order."""
    after = ""
    while True:
        rows = tx.all(
            "survey_between", shop_id=shop_id, since=to_text(since), until=to_text(until), after=after, limit=PAGE
        )
        for row in rows:
            yield _row({"email_key": "", "customer_id": "", "revised_at": None, "revisions": 0, **row})
        if len(rows) < PAGE:
            return
        after = rows[-1]["ask_id"]


def _row(row: Row) -> AskRow:
    return AskRow(
        ask_id=row["ask_id"],
        survey=row["survey"],
        kind=row["kind"],
        flow_id=row["flow_id"],
        order_id=row["order_id"],
        email_key=row["email_key"],
        customer_id=row["customer_id"],
        asked_at=from_text(row["asked_at"]),
        score=row["score"],
        band=row["band"],
        comment=row["comment"],
        answered_at=from_text(row["answered_at"]) if row["answered_at"] else None,
        revised_at=from_text(row["revised_at"]) if row["revised_at"] else None,
        revisions=row["revisions"],
    )
