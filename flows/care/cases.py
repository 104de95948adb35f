"""Returns and complaints: how a case is opened, what moves it, and what flows hear of it.

A case moves by a person's word (`act`, `answer`: a page, a command) or by news of the platform (`follow`), each in the
caller's one transaction: the state, a line in its story, an event `case.STATE`. While it is open advertising stays away
from the customer (`connector.store.care`).
"""

from __future__ import annotations

import hashlib
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import datetime
from typing import TYPE_CHECKING

from connector.clock import to_text
from connector.config import ShopSettings
from connector.model import Event, EventKind, Order, Ref, email_key
from connector.model.case import ACCEPT, CLOSE, REFUND, REFUSE, RETURN, after
from connector.store import care, case_photos, cases, links
from connector.store.cases import CaseLine, CaseRow
from connector.store.db import Tx
from connector.store.review_photos import Photo
from flows.care.returning import ask_shop
from flows.care.surveys import reach_of
from flows.sending.addressing import derive_token

if TYPE_CHECKING:
    from flows.runner import Runner

LINK, DESK = "case", "desk"
"""Kinds of links: the customer's page of an order, and the merchant's of one case."""
PLATFORM = "the platform"
_LETTERS = str.maketrans("0123456789abcdefghjkmnpqrstvwxyz", "0123456789ABCDEFGHJKMNPQRSTVWXYZ")
_BY_NEWS: Mapping[str, str] = {
    EventKind.REFUND_CREATED: REFUND,
    EventKind.RETURN_APPROVED: ACCEPT,
    EventKind.RETURN_DECLINED: REFUSE,
    EventKind.RETURN_CANCELLED: CLOSE,
}
_KINDS: Mapping[str, EventKind] = {
    "received": EventKind.CASE_RECEIVED,
    "accepted": EventKind.CASE_ACCEPTED,
    "arrived": EventKind.CASE_ARRIVED,
    "refunded": EventKind.CASE_REFUNDED,
    "refused": EventKind.CASE_REFUSED,
    "closed": EventKind.CASE_CLOSED,
    "answered": EventKind.CASE_ANSWERED,
}


@dataclass(frozen=True, slots=True, kw_only=True)
class Request:
    """What a customer asks for about an order."""

    kind: str
    lines: Sequence[CaseLine] = ()
    reason: str = ""
    wish: str = ""
    body: str = ""
    locale: str = ""


def case_link(tx: Tx, salt: bytes, base_url: str, shop_id: str, order_id: str, locale: str, now: datetime) -> str:
    """The address of the page where a customer asks for a return of an order, or complains. It shows of earlier cases
    only how they stand, so whoever has the order's own page may have it."""
    token = derive_token(salt, "link", shop_id, LINK, order_id)
    links.put(tx, shop_id, token, LINK, {"order": order_id, "locale": locale}, now)
    return f"{base_url}/p/{LINK}/{token}"


def desk_link(tx: Tx, salt: bytes, base_url: str, shop_id: str, case_id: str, who: str, now: datetime) -> str:
    """The address where one person of the merchant's sees a case and decides on it."""
    token = derive_token(salt, "link", shop_id, DESK, case_id, who)
    links.put(tx, shop_id, token, DESK, {"case": case_id, "who": who}, now)
    return f"{base_url}/p/{DESK}/{token}"


def open_case(
    tx: Tx,
    runner: Runner,
    salt: bytes,
    settings: ShopSettings,
    order: Order,
    asked: Request,
    now: datetime,
    photos: Sequence[Photo] = (),
) -> tuple[str, bool]:
    """Take a request: the case's id, and whether it is new. The same form and pictures sent twice on one day are one
    case."""
    shop_id = settings.shop.id
    told = (asked.kind, *(f"{line.line_id}*{line.quantity}" for line in asked.lines), asked.reason, asked.body)
    told += tuple(hashlib.sha256(photo.picture).hexdigest() for photo in photos)
    digest = hashlib.sha256("\n".join(told).encode()).hexdigest()
    case_id = derive_token(salt, "case", shop_id, order.id, digest, f"{now:%Y-%m-%d}", length=8).translate(_LETTERS)
    customer = order.customer
    row = CaseRow(
        case_id=case_id,
        shop_id=shop_id,
        order_id=order.id,
        email_key=email_key(order.email or (customer.email if customer else None)) or "",
        customer_id=(customer.id if customer else None) or "",
        kind=asked.kind,
        lines=tuple(asked.lines),
        reason=asked.reason,
        wish=asked.wish,
        body=asked.body,
        locale=asked.locale,
        opened_at=now,
        updated_at=now,
    )
    if not cases.put(tx, row):
        return case_id, False
    cases.note(tx, shop_id, case_id, "received", "", asked.body, now)
    case_photos.add(tx, shop_id, case_id, photos, now)
    until = now + settings.returns.pause
    care.begin(
        tx, shop_id, hold_of(case_id), reach_of(order), reason=care.OPEN_CASE, order_id=order.id, until=until, now=now
    )
    runner.ingest(tx, shop_id, [_event(row, "received", asked.body, now)], now)
    return case_id, True


def hold_of(case_id: str) -> str:
    return f"case/{case_id}"


def act(tx: Tx, runner: Runner, row: CaseRow, action: str, by: str, text: str, now: datetime) -> CaseRow | None:
    """Take a step by a person's word; `None` when it cannot be taken (any more). `text` goes to the customer."""
    moved = _move(tx, row, action, by, text, now, by_person=True)
    if moved is not None:
        runner.ingest(tx, row.shop_id, [_event(moved, moved.state, text, now)], now)
        if action == ACCEPT and runner.catalog.settings(row.shop_id).returns.open_in_shop:
            ask_shop(tx, runner.catalog.adapter(row.shop_id), moved, now)
    return moved


def answer(tx: Tx, runner: Runner, row: CaseRow, by: str, text: str, now: datetime) -> None:
    """Write to the customer without taking a step."""
    cases.move(tx, row, row.state, by_person=True, now=now)
    cases.note(tx, row.shop_id, row.case_id, "answered", by, text, now)
    runner.ingest(tx, row.shop_id, [_event(row, "answered", text, now)], now)


def follow(tx: Tx, shop_id: str, event: Event, now: datetime) -> list[Event]:
    """What news of the platform mean for the order's open returns; twice told, or late, they mean nothing more."""
    action = _BY_NEWS.get(event.kind)
    if event.order_id is None or (action is None and event.kind != EventKind.RETURN_REQUESTED):
        return []
    of_return = event.subject.id if event.subject.kind == "return" else ""
    found: list[Event] = []
    for row in cases.of_order(tx, shop_id, event.order_id):
        if row.kind != RETURN or (of_return and not _concerns(row, event, of_return)):
            continue
        if of_return and row.open and not row.platform_id:
            cases.link(tx, shop_id, row.case_id, of_return)
        moved = _move(tx, row, action, PLATFORM, "", now) if action is not None else None
        if moved is not None:
            found.append(_event(moved, moved.state, "", now))
    return found


def _concerns(row: CaseRow, event: Event, return_id: str) -> bool:
    """Whether a return of the platform's is this case's. Before we know which is whose, by the pieces it names."""
    if row.platform_id:
        return row.platform_id == return_id
    named = {line.line_id for line in event.return_.lines} if event.return_ is not None else set()
    return not named or bool(named & {line.line_id for line in row.lines})


def _move(
    tx: Tx, row: CaseRow, action: str, by: str, text: str, now: datetime, *, by_person: bool = False
) -> CaseRow | None:
    state = after(row.state, action)
    if state is None or (not by_person and not row.open):
        return None
    if not cases.move(tx, row, state, by_person=by_person, now=now):
        return None
    cases.note(tx, row.shop_id, row.case_id, state, by, text, now)
    moved = replace(row, state=state, updated_at=now)
    if row.open and not moved.open:
        care.end(tx, row.shop_id, hold_of(row.case_id), f"{by}, {state}", now)
    return moved


def _event(row: CaseRow, what: str, text: str, now: datetime) -> Event:
    lines = "\n".join(f"{line.quantity} × {line.title}" for line in row.lines)
    return Event(
        kind=_KINDS[what],
        key=f"case/{row.case_id}/{what}" + (f"/{to_text(now)}" if what in ("answered", "accepted", "refused") else ""),
        subject=Ref("order", row.order_id),
        at=now,
        order_id=row.order_id,
        data={
            "case": row.case_id,
            "about": row.kind,
            "state": row.state,
            "reason": row.reason,
            "wish": row.wish,
            "lines": lines,
            "text": text,
        },
    )
