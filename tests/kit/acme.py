"""A small platform that conforms, and what it needs to be tested: the measure for adapters broken on purpose.

Its deliveries, refunds and orders: `{"id": 7, "at": "...", "changed": "...", "email": "...", "total": "9.90"}`, signed
as Shopify's. Its API: `POST /codes`, `GET /codes/CODE`, `GET /orders/ID?page=1` with the number of the `next` page.
"""

from __future__ import annotations

import base64
import hmac
import json
from collections.abc import Mapping, Sequence
from datetime import datetime
from pathlib import Path
from typing import Any, ClassVar

import msgspec
import requests

from connector.clock import from_text
from connector.contracts import (
    Access,
    CreatesDiscounts,
    DiscountRef,
    DiscountRequest,
    Endpoint,
    FetchesOrders,
    Handshake,
    Inbound,
    PlatformAdapter,
    Verified,
)
from connector.errors import MalformedPayload, Refused, Transient, WebhookRejected
from connector.http import Http
from connector.model import (
    Customer,
    Event,
    FinancialStatus,
    FulfillmentStatus,
    Money,
    Order,
    OrderStatus,
    Ref,
    Refund,
    Shop,
)
from connector.testing import PlatformConformance, golden

SHOP = Shop(id="s", client_id="c", platform="acme", domain="acme.test", name="Acme")


class Body(msgspec.Struct):
    id: int
    at: str
    changed: str = ""
    email: str | None = None
    total: str | None = None


class Acme(PlatformAdapter, CreatesDiscounts, FetchesOrders):
    name: ClassVar[str] = "acme"

    def verify(self, inbound: Inbound, endpoint: Endpoint) -> Verified | Handshake:
        self.check(inbound, endpoint)
        topic, shop = inbound.one("x-acme-topic"), inbound.one("x-acme-shop")
        if not topic or not shop:
            raise WebhookRejected("shape")
        if endpoint.shop and shop != endpoint.shop.domain:
            raise WebhookRejected("shop")
        return Verified(topic=topic, dedup_key=inbound.one("x-acme-delivery") or "none", shop_domain=shop)

    def check(self, inbound: Inbound, endpoint: Endpoint) -> None:
        try:
            given = base64.b64decode((inbound.one("x-acme-signature") or "").encode("ascii"), validate=True)
        except ValueError:
            raise WebhookRejected("signature") from None
        if not any(hmac.compare_digest(hmac.digest(s, inbound.body, "sha256"), given) for s in endpoint.secrets if s):
            raise WebhookRejected("signature")

    def normalise(self, verified: Verified, body: bytes, shop: Shop) -> Sequence[Event]:
        if verified.topic not in ("refund", "order"):
            return ()
        payload = self.read(body)
        if verified.topic == "order":
            return (self.order_event(payload),)
        at = self.time(payload.at)
        refund_id = self.refund_id(payload, verified)
        return (
            Event(
                kind="refund.created",
                key=self.key(payload, verified),
                subject=Ref("refund", refund_id),
                at=at,
                refund=Refund(id=refund_id, order_id="1", at=at, amount=self.amount(payload)),
                customer=Customer(id=None, email=payload.email),
            ),
        )

    def read(self, body: bytes) -> Body:
        try:
            return msgspec.json.decode(body, type=Body)
        except (msgspec.DecodeError, RecursionError) as error:
            raise MalformedPayload(str(error)) from None

    def time(self, value: str) -> datetime:
        try:
            return from_text(value)
        except (ValueError, TypeError, OverflowError):
            raise MalformedPayload("not a time", path="at") from None

    def amount(self, payload: Body) -> Money | None:
        try:
            return Money.parse(payload.total, "EUR") if payload.total else None
        except TypeError:
            raise MalformedPayload("not an amount", path="total") from None

    def refund_id(self, payload: Body, verified: Verified) -> str:
        return str(payload.id)

    def key(self, payload: Body, verified: Verified) -> str:
        return f"refund/{payload.id}"

    def order_event(self, payload: Body) -> Event:
        at, total = self.time(payload.at), self.amount(payload)
        if total is None:
            raise MalformedPayload("an order without a total", path="total")
        order = Order(
            id=str(payload.id),
            number=str(payload.id),
            status=OrderStatus.OPEN,
            raw_status="open",
            financial=FinancialStatus.PAID,
            fulfillment=FulfillmentStatus.UNFULFILLED,
            placed_at=at,
            updated_at=self.changed(payload),
            currency="EUR",
            total=total,
            email=payload.email,
        )
        subject = Ref("order", order.id)
        return Event(kind="order.created", key=self.order_key(payload), subject=subject, at=at, order=order)

    def changed(self, payload: Body) -> datetime:
        return self.time(payload.changed or payload.at)

    def order_key(self, payload: Body) -> str:
        return f"order/{payload.id}/created"

    # -- the API ---------------------------------------------------------------------------------------------------

    def ask(self, access: Access, method: str, path: str, **options: Any) -> Any:
        """One request; the answer's JSON. The errors are those of `connector.http`."""
        http = Http(access.clock, headers={"X-Acme-Token": access.secrets["token"]})
        try:
            answer = http.call(method, f"{access.base_url}{path}", classify=conflict, **options)
        finally:
            http.close()
        return self.parsed(answer, wrote=method != "GET")

    def parsed(self, answer: requests.Response, *, wrote: bool) -> Any:
        try:
            found = answer.json()
        except requests.JSONDecodeError:
            found = None
        if not isinstance(found, dict):
            raise Transient("Acme: the answer is no object", maybe_done=wrote)
        return found

    def create_discount(self, access: Access, request: DiscountRequest) -> DiscountRef:
        try:
            made = self.make(access, request)
        except Refused as error:
            if error.provider_code != "409":
                raise
            return self.adopt(access, request)
        return DiscountRef(code=request.code, platform_id=self.made_id(made))

    def make(self, access: Access, request: DiscountRequest) -> Any:
        return self.ask(access, "POST", "/codes", json={"code": request.code, "title": request.title})

    def adopt(self, access: Access, request: DiscountRequest) -> DiscountRef:
        found = self.ask(access, "GET", f"/codes/{request.code}")
        if found.get("title") != request.title:
            raise Refused("the code is another's", provider_code="TAKEN")
        return DiscountRef(code=request.code, platform_id=self.made_id(found), adopted=True)

    def made_id(self, answer: Mapping[str, Any]) -> str:
        if not isinstance(answer.get("id"), int) or isinstance(answer["id"], bool):
            raise Transient("Acme: an answer without an id", maybe_done=True)
        return str(answer["id"])

    def fetch_order(self, access: Access, order_id: str) -> Sequence[Event]:
        page, found = 1, {}
        while True:
            answer = self.ask(access, "GET", f"/orders/{order_id}", params={"page": page})
            found = found or answer
            following = answer.get("next")
            if not self.goes_on(page, following):
                break
            page = following
        return (self.order_event(self.converted(found)),)

    def goes_on(self, page: int, following: object) -> bool:
        """Whether there is a page after this one. A next page that is not further on would go round in a circle."""
        return isinstance(following, int) and page < following <= 20

    def converted(self, found: Any) -> Body:
        try:
            return msgspec.convert(found, Body)
        except msgspec.ValidationError as error:
            raise MalformedPayload(str(error)) from None


def conflict(answer: requests.Response) -> Refused | None:
    """Acme says 409 for a code that is there: a fact, not a matter of time."""
    return Refused("Acme: taken", provider_code="409") if answer.status_code == 409 else None


AINO = {"email": "aino@example.test"}
TIMES = {"at": "2026-11-22T08:00:00+02:00", "changed": "2026-11-22T09:30:00+02:00"}
DISCOUNT = {"code": "KIITOS-7F3A", "title": "run 42", "starts_at": "2026-11-22T08:00:00Z", "percent": "10"}
ASKED = {"method": "POST", "path": "/codes", "json": {"code": "KIITOS-7F3A", "title": "run 42"}}
REF = {"code": "KIITOS-7F3A", "platform_id": "5", "adopted": False, "url": None}
PAGES = [{"id": 9, **TIMES, **AINO, "total": "24.90", "next": 2}, {"id": 9, **TIMES, "next": None}]


def write_recordings(root: Path) -> None:
    """Three refunds, one of them without an e-mail, and an order."""
    for topic, case, body in (
        ("refund", "plain", {"id": 7, "total": "9.90", **TIMES, **AINO}),
        ("refund", "second", {"id": 8, "total": "9.90", **TIMES, **AINO}),
        ("refund", "no_email", {"id": 7, "total": "9.90", **TIMES, "email": None}),
        ("order", "plain", {"id": 9, "total": "24.90", **TIMES, **AINO}),
    ):
        folder = root / topic / case
        folder.mkdir(parents=True)
        headers = {"X-Acme-Topic": topic, "X-Acme-Shop": SHOP.domain, "X-Acme-Delivery": f"d-{case}"}
        (folder / "request.json").write_text(json.dumps({"topic": topic, "headers": headers}))
        (folder / "body.json").write_text(json.dumps(body))


def write_tapes(root: Path) -> None:
    """A code made, made again, and taken by another; an order of two pages."""
    taken = {"request": ASKED, "writes": True, "response": {"status": 409, "json": {"error": "taken"}}}
    look = {"method": "GET", "path": "/codes/KIITOS-7F3A"}
    ours = {"request": look, "response": {"status": 200, "json": {"id": 5, "title": "run 42"}}}
    other = {"request": look, "response": {"status": 200, "json": {"id": 5, "title": "Sale"}}}
    made = {"request": ASKED, "writes": True, "response": {"status": 201, "json": {"id": 5}}}
    pages = [
        {
            "request": {"method": "GET", "path": "/orders/9", "query": {"page": str(number)}},
            "response": {"status": 200, "json": page},
        }
        for number, page in enumerate(PAGES, start=1)
    ]
    order = json.loads(golden([Acme().order_event(msgspec.convert(PAGES[0], Body))]))
    for name, tape in {
        "create_discount/made": {"exchanges": [made], "returns": REF},
        "create_discount/made_again": {
            "exchanges": [taken, ours],
            "again": "made",
            "returns": {**REF, "adopted": True},
        },
        "create_discount/taken": {
            "exchanges": [taken, other],
            "raises": {"error": "Refused", "provider_code": "TAKEN"},
        },
        "fetch_order/two_pages": {"exchanges": pages, "returns": order},
    }.items():
        arguments = {"order_id": "9"} if name.startswith("fetch_order") else {"request": DISCOUNT}
        file = root / f"{name}.json"
        file.parent.mkdir(parents=True, exist_ok=True)
        file.write_text(json.dumps({"arguments": arguments, **tape}))


def kit_for(adapter: type[PlatformAdapter], root: Path) -> type[PlatformConformance]:
    """The kit as an outsider would subclass it, for one adapter and what is below `root`."""

    class AcmeConformance(PlatformConformance):
        recordings = root / "recordings"
        exchanges = root / "exchanges"
        credentials: ClassVar = {"token": "kit-token-value"}
        shop = SHOP
        signature_header = "x-acme-signature"
        topic_header = "x-acme-topic"
        shop_header = "x-acme-shop"
        delivery_header = "x-acme-delivery"
        repeat_refused = ("x-acme-topic", "x-acme-shop")
        unknown_topic = "unheard_of"
        max_examples = 60

        def make_adapter(self) -> PlatformAdapter:
            return adapter()

    return AcmeConformance
