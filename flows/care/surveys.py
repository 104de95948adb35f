"""Surveys: one question to a person, how rarely, and what an answer leads to.

A question is put by a `send` step that names a stage of `[surveys]`. It is kept when its message is frozen, so that the
next one, of whatever flow and shop of the client, sees it; policy asks here (`about`) while it holds the person. An
answer is an event; a low one keeps advertising away until a person of the merchant's has looked
(`connector.store.care`, `flows.care.low_scores`).
"""

from __future__ import annotations

from datetime import datetime
from typing import TYPE_CHECKING

from connector.config import ShopSettings
from connector.config.surveys import Stage
from connector.errors import Refused
from connector.model import Customer, Effect, Event, EventKind, Order, Ref, email_key
from connector.model.survey import LOW, SCALES
from connector.store import care, entities, surveys
from connector.store.db import Tx
from connector.store.surveys import AskRow
from flows.care import low_scores
from flows.limits.verdicts import Inquiry

if TYPE_CHECKING:
    from flows.catalog import Catalog
    from flows.runner import Runner
    from flows.sending.composing import Case

SURVEY = "survey"
"""In the request of a `send`: the stage it asks at. And the kind of a link that leads to a question."""


def stage_of(settings: ShopSettings, effect: Effect) -> Stage | None:
    """The stage a message asks at, `None` for a message that asks nothing. Raises `Refused` for one that is gone."""
    name = str(effect.request.get(SURVEY, ""))
    if not name:
        return None
    found = settings.surveys.stages.get(name)
    if found is None:
        raise Refused(
            f"app.toml has no surveys.stages.{name} for shop '{settings.shop.id}' (any more)", provider_code="no_survey"
        )
    return found


def name_of(case: Case) -> tuple[str, str]:
    """The address and the account a question counts for, whichever channel it goes by."""
    customer = case.situation.customer
    return (
        case.recipient.email_key or case.run.email_key or case.recipient.key or "",
        (customer.id if customer is not None else None) or case.run.customer_id or "",
    )


def lock_of(case: Case) -> str:
    """Held while a question is decided on: two flows must not ask the same person side by side."""
    return f"survey {case.settings.shop.client_id} {name_of(case)[0]}"


def about(tx: Tx, catalog: Catalog, case: Case, place: float) -> Inquiry | None:
    """What policy asks of a question: the last one to this person, and whether they are among those asked at all."""
    if not case.effect.request.get(SURVEY):
        return None
    own, settings = case.effect.shop_id, case.settings.surveys
    others = (shop_id for shop_id in catalog.shops_beside(own) if shop_id != own)
    email_key, customer_id = name_of(case)
    before = surveys.last(tx, (own, *others), email_key, customer_id, case.effect.id)
    return Inquiry(
        asked_at=before.at if before else None,
        flow_id=before.flow_id if before else "",
        shop_id=before.shop_id if before else "",
        apart=settings.apart,
        share=settings.share,
        place=place,
    )


def ask(tx: Tx, case: Case, now: datetime) -> None:
    """Keep the question a message is about to put; nothing for a message that asks none. Raises `Refused`."""
    stage = stage_of(case.settings, case.effect)
    if stage is None:
        return
    email_key, customer_id = name_of(case)
    row = AskRow(
        ask_id=case.effect.id,
        survey=stage.name,
        kind=stage.scale.kind,
        flow_id=case.effect.flow_id,
        order_id=case.effect.order_id or "",
        email_key=email_key,
        customer_id=customer_id,
        asked_at=now,
    )
    surveys.ask(tx, case.effect.shop_id, row)


def unask(tx: Tx, effect: Effect) -> None:
    """The message certainly never left, so nobody was asked."""
    if effect.request.get(SURVEY) and not effect.tainted:
        surveys.unask(tx, effect.shop_id, effect.id)


def band_of(settings: ShopSettings, row: AskRow, score: int) -> str:
    """Where a score stands by the stage as it is now, or by its scale where the stage is gone or another kind."""
    stage = settings.surveys.stages.get(row.survey)
    scale = stage.scale if stage is not None and stage.scale.kind == row.kind else SCALES[row.kind]
    return scale.band(score)


def editable(settings: ShopSettings, row: AskRow, now: datetime) -> bool:
    """Whether the answer may be given, or changed, now."""
    return row.answered_at is None or now < row.answered_at + settings.surveys.edit_for


def answer(
    tx: Tx, runner: Runner, settings: ShopSettings, row: AskRow, score: int, comment: str, now: datetime
) -> None:
    """Take an answer, or another in its place: kept, told to flows; a low one holds advertising and is a task.

    The caller has checked that it may be given (`editable`) and that the score is on the scale.
    """
    shop_id = settings.shop.id
    if (row.score, row.comment) == (score, comment):
        return
    band, hold = band_of(settings, row, score), low_scores.hold_of(row.ask_id)
    surveys.answer(tx, shop_id, row.ask_id, score, band, comment, now)
    if band == LOW:
        until = (row.answered_at or now) + settings.surveys.pause
        addresses = _addresses(tx, shop_id, row)
        care.begin(tx, shop_id, hold, addresses, reason=care.LOW_SCORE, order_id=row.order_id, until=until, now=now)
    elif row.band == LOW:
        care.end(tx, shop_id, hold, "a better answer", now)
    runner.ingest(tx, shop_id, [_event(row, score, band, comment, hold, now)], now)
    if band == LOW and row.band != LOW:
        low_scores.heard(tx, runner, shop_id, row, comment, now)


def _event(row: AskRow, score: int, band: str, comment: str, hold: str, now: datetime) -> Event:
    by_order = bool(row.order_id)
    return Event(
        kind=EventKind.SURVEY_ANSWERED,
        key=f"survey/{row.ask_id}/{row.revisions + 1}",
        subject=Ref("order", row.order_id) if by_order else Ref("person", row.email_key),
        at=now,
        order_id=row.order_id or None,
        customer=None if by_order else Customer(id=None, email=row.email_key),
        data={
            "score": str(score),
            "scale": row.kind,
            "survey": row.survey,
            "band": band,
            "comment": comment,
            "revised": "true" if row.answered_at is not None else "false",
            # A person is called once for an answer, however often its words are changed.
            "calls": "true" if band == LOW and row.band != LOW else "false",
            "hold": hold if band == LOW else "",
        },
    )


def _addresses(tx: Tx, shop_id: str, row: AskRow) -> list[str]:
    """Where else advertising reaches the person: the order's own address and number."""
    order = entities.order(tx, shop_id, row.order_id) if row.order_id else None
    known = [row.email_key]
    if order is not None:
        known += reach_of(order)
    return known


def reach_of(order: Order) -> list[str]:
    """The keys by which whoever ordered is known to consent and suppressions: e-mail address, number."""
    customer = order.customer
    emails = (order.email, customer.email if customer else None)
    phones = (order.phone, customer.phone if customer else None)
    return [key for email in emails if (key := email_key(email))] + ["".join(each.split()) for each in phones if each]
