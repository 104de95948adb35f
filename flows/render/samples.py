"""Invented orders every template is tried with before it may be used: the odd ones are the point.

Policy (facts/messaging.md section 1.2): a template that cannot render one of these is refused when it is saved.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from decimal import Decimal
from functools import lru_cache

from connector.clock import to_text
from connector.config.surveys import Surveys
from connector.model import (
    Address,
    AppliedDiscount,
    Brand,
    Customer,
    FinancialStatus,
    FulfillmentStatus,
    Guide,
    GuideText,
    LineItem,
    Money,
    Order,
    OrderStatus,
    Product,
    Purpose,
    Shipment,
    ShipmentStatus,
    ShippedLine,
    Shop,
    TaxLine,
    Tip,
)
from flows.knowing.about import CheckoutFacts
from flows.render.context import MessageView

_AT = datetime(2026, 11, 20, 9, 30, tzinfo=UTC)
_SITE = "https://aamu.example.com"


def _eur(amount: str, currency: str = "EUR") -> Money:
    return Money(Decimal(amount), currency)


def _shop() -> Shop:
    return Shop(
        id="demo", client_id="demo", platform="shopify", domain="aamu.example.com", name="Aamu & Ilta",
        timezone="Europe/Helsinki", locale="fi", country="FI", url=_SITE,
        support_email="asiakaspalvelu@aamu.example.com", support_phone="+358 40 000 0000",
        address_lines=("Aamu & Ilta Oy", "Esimerkkikatu 1", "00100 Helsinki", "FI00000000"),
    )  # fmt: skip


def _line(number: int, title: str, price: str, quantity: int = 1, currency: str = "EUR", **more: object) -> LineItem:
    unit = _eur(price, currency)
    base = LineItem(
        id=f"l{number}", title=title, quantity=quantity, unit_price=unit, total=unit * quantity,
        product_id=f"p{number}", sku=f"AI-{number:04}",
    )  # fmt: skip
    return replace(base, **more)  # type: ignore[arg-type]


def _order(*lines: LineItem, currency: str = "EUR", **more: object) -> Order:
    subtotal = sum((line.total for line in lines), Money.zero(currency))
    shipping = _eur("4.90", currency)
    home = Address(
        first_name="Aino", last_name="Mäkinen", lines=("Koivukuja 5 B 12",), postcode="33100", city="Tampere",
        country="FI", phone="+358400000001",
    )  # fmt: skip
    base = Order(
        id="5001", number="#1042", status=OrderStatus.OPEN, raw_status="open", financial=FinancialStatus.PAID,
        fulfillment=FulfillmentStatus.UNFULFILLED, placed_at=_AT, updated_at=_AT, currency=currency,
        total=subtotal + shipping, subtotal=subtotal, shipping=shipping, tax=_eur("19.61", currency),
        taxes_included=True, tax_lines=(TaxLine(title="ALV", amount=_eur("19.61", currency), rate="0.255"),),
        email="aino@example.com", locale="fi-FI", lines=lines, shipping_address=home, billing_address=home,
        payment_methods=("Visa •••• 1111",), status_url=f"{_SITE}/orders/abc",
        customer=Customer(id="c1", email="aino@example.com", first_name="Aino", last_name="Mäkinen"),
    )  # fmt: skip
    return replace(base, **more)  # type: ignore[arg-type]


def _shipment(order: Order, **more: object) -> Shipment:
    base = Shipment(
        id="s1", order_id=order.id, status=ShipmentStatus.SHIPPED, raw_status="success", created_at=_AT,
        updated_at=_AT, carrier="Posti", tracking_numbers=("JJFI00000000000001",),
        tracking_urls=("https://tracking.example.com/JJFI00000000000001",),
        lines=tuple(ShippedLine(line_id=line.id, quantity=line.quantity) for line in order.lines),
        estimated_delivery_at=_AT + timedelta(days=3),
    )  # fmt: skip
    return replace(base, **more)  # type: ignore[arg-type]


def _view(order: Order, shipment: Shipment | None = None, **more: object) -> MessageView:
    base = MessageView(
        shop=_shop(), locale="fi-FI", timezone="Europe/Helsinki", order=order, customer=order.customer,
        shipment=shipment or _shipment(order), purpose=Purpose.TRANSACTIONAL, recipient_name="Aino Mäkinen",
        params={"amount": "10", "percent": "10", "incentive": "10 %",
                "return_page": f"{_SITE}/palautus", "friend_name": "Olli", "friend_reward": "10 €", "reward": "10 €"},
        steps={"code": {"code": "KIITOS-7F3K9", "url": f"{_SITE}/discount/KIITOS-7F3K9", "amount": "10"}},
        links={name: f"https://mail.example.com/{name}/t0ken" for name in
               ("unsubscribe", "preferences", "review", "survey", "referral", "share", "order_status", "order_page",
                "case", "points")},
        products={"p1": Product(id="p1", title="Muki", url=f"{_SITE}/products/muki",
                                image_url="https://cdn.shopify.com/s/files/1/0000/muki.jpg?v=1")},
        progress={"parcels": 1, "delivered_parcels": 0},
        event={"kind": "order.created", "tier": "Kulta & kumppanit", "points": "120", "missing": "30",
               "next_tier": "Platina", "expires_at": to_text(_AT), "opens": to_text(_AT), "product_id": "p2",
               "old_price": "29,90 €", "new_price": "19,90 €", "case": "7K3M9P2Q", "about": "return",
               "state": "received", "lines": "1 × Muki <iso> & lasi", "text": "Rikki <b>tullessa</b> & myöhässä."},
        survey=Surveys().stages["delivery"],
        accepted={"fi": "Lähetä paketti osoitteeseen <Koivukuja 5> & pyydä kuitti.", "en": "Send the parcel to us."},
        rewarded=True, line=order.lines[0], checkout=_checkout(order), product=_towel(),
        guides=(_guide(order.lines[0].title),),
        recommendations=(_towel(), Product(id="p9", title=order.lines[0].title)),
    )  # fmt: skip
    return replace(base, **more)  # type: ignore[arg-type]


def _brand() -> Brand:
    return Brand(
        name="aamu", key="sample", logo_url=f"{_SITE}/logo.png", accent="#ffd60a", signature={"": "Aamun väki\n& Ilta"},
        note={"": "Kuulumme <Suomen> verkkokauppaan & sen ystäviin."}, legal=("Aamu & Ilta Oy", "FI00000000"),
        social=(("Instagram", "https://social.example.com/aamu"), ("Evil", "javascript:alert(1)")),
    )  # fmt: skip


def _towel() -> Product:
    return Product(id="p2", title="Pellavapyyhe", url=f"{_SITE}/products/pyyhe",
                   image_url="https://cdn.shopify.com/s/files/1/0000/pyyhe.jpg?v=2")  # fmt: skip


def _checkout(order: Order) -> CheckoutFacts:
    return CheckoutFacts(token=order.id, started_at=_AT, updated_at=_AT, lines=order.lines, total=order.total,
                         url=f"{_SITE}/checkouts/1")  # fmt: skip


def _guide(title: str) -> Guide:
    """A guide that speaks of a product by the title given, in one language only."""
    tip = Tip(title=title, text="Ennen ensimmäistä käyttöä.", url=f"{_SITE}/vinkit")
    text = GuideText(language="fi", name=title, facts=(title, "Poltettu kahdesti."), steps=("Huuhtele.", title),
                     tips=(tip, tip, tip), care=("Pese käsin.",), url=f"{_SITE}/ohjeet")  # fmt: skip
    return Guide(id="g1", texts=(text,), products=("p1",))


def five_lines() -> MessageView:
    """The ordinary order: five lines, a discount, a picture. Also the one the speed figures are made with."""
    lines = (
        _line(1, "Muki, savenvärinen", "24.90", 2, variant_title="3 dl"),
        _line(2, "Pellavapyyhe", "19.00", image_url="https://cdn.shopify.com/s/files/1/0000/pyyhe.jpg?v=2"),
        _line(3, "Mehiläisvahakynttilä", "12.50", 3),
        _line(4, "Lahjakortti", "50.00", is_gift_card=True),
        _line(5, "Villasukat <pehmeät> & \"lämpimät\"", "29.95", variant_title="38–40",
              properties=(("Kaiverrus", "A & O"), ("_id", "1"))),
    )  # fmt: skip
    discount = AppliedDiscount(code="SYKSY10", amount=_eur("10.00"), title="Syysale")
    return _view(_order(*lines, discount=_eur("10.00"), discounts=(discount,)))


def _guest() -> MessageView:
    order = _order(_line(1, "Muki", "24.90"), customer=None, shipping_address=None, billing_address=None, phone=None,
                   status_url=None, payment_methods=(), tax=None, tax_lines=(), subtotal=None,
                   shipping=None)  # fmt: skip
    shipment = _shipment(order, carrier=None, tracking_numbers=(), tracking_urls=(), lines=(),
                         estimated_delivery_at=None)  # fmt: skip
    shop = replace(_shop(), url=None, support_email=None, support_phone=None, address_lines=())
    return _view(order, shipment, customer=None, recipient_name="", products={}, progress=None, shop=shop,
                 event={"kind": "order.created", "case": "", "state": "", "text": "", "lines": ""},
                 line=None, checkout=None, product=None, guides=(), recommendations=(),
                 links={"unsubscribe": "https://mail.example.com/u/1", "review": "https://mail.example.com/r/1",
                        "survey": "https://mail.example.com/s/1",
                        "referral": "https://mail.example.com/f/1",
                        "share": "https://mail.example.com/a/1"})  # fmt: skip


def _nameless() -> MessageView:
    """An account and addresses without a name."""
    view = five_lines()
    person = Customer(id="c5", email="x@example.com")
    place = Address(lines=("Koivukuja 5",), city="Tampere", country="FI")
    assert view.order is not None
    order = replace(view.order, customer=person, shipping_address=place, billing_address=place)
    return replace(view, order=order, customer=person, recipient_name="")


def _refunded() -> MessageView:
    order = _order(_line(1, "Muki", "24.90", 2, current_quantity=0), financial=FinancialStatus.REFUNDED,
                   refunded=_eur("54.70"))  # fmt: skip
    return _view(order)


def _japanese() -> MessageView:
    address = Address(first_name="花子", last_name="山田", lines=("千代田1-1",), postcode="100-0001", city="千代田区",
                      region="東京都", country="JP")  # fmt: skip
    customer = Customer(id="c2", first_name="花子", last_name="山田")
    order = _order(_line(1, "湯呑み", "2490", 2, "JPY"), currency="JPY", customer=customer, locale="ja",
                   shipping=Money(Decimal(490), "JPY"), tax=Money(Decimal(498), "JPY"), tax_lines=(),
                   shipping_address=address, billing_address=address)  # fmt: skip
    return _view(order, locale="ja", recipient_name="山田 花子", timezone="Asia/Tokyo")


def _arabic() -> MessageView:
    address = Address(first_name="ليلى", last_name="حداد", lines=("شارع المثال ١",), city="دبي", country="AE")
    customer = Customer(id="c3", first_name="ليلى", last_name="حداد")
    order = _order(_line(1, "كوب من الطين (3 dl)", "99.50", 1, "AED"), currency="AED", customer=customer,
                   locale="ar", shipping_address=address, billing_address=address, tax=None, tax_lines=())  # fmt: skip
    return _view(order, locale="ar-AE", recipient_name="ليلى حداد", timezone="Asia/Dubai")


def _two_parcels() -> MessageView:
    view = five_lines()
    order = view.order
    assert order is not None
    shipment = _shipment(
        order,
        lines=(ShippedLine(line_id="l1", quantity=1),),
        tracking_numbers=("JJFI1", "JJFI2"),
        tracking_urls=("https://tracking.example.com/1",),
    )
    return replace(view, shipment=shipment, progress={"parcels": 2, "delivered_parcels": 1})


def _hostile() -> MessageView:
    evil = "<script>alert(1)</script>{{ shop.name }}{% if %}\"' onload=x\r\nBcc: evil@example.com\u202e"
    person = Customer(id="c4", first_name=evil, last_name=evil)
    place = Address(first_name=evil, company=evil, lines=(evil,), city=evil, country="XX")
    line = _line(1, evil, "1.00", image_url="javascript:alert(1)", product_url="data:text/html,x",
                 variant_title=evil, properties=((evil, evil),))  # fmt: skip
    order = _order(line, customer=person, shipping_address=place, billing_address=place, note=evil, number=evil,
                   status_url="javascript:alert(1)")  # fmt: skip
    shop = replace(_shop(), logo_url="javascript:alert(1)", accent_color="red;}</style>", name="Aamu <b> & Ilta")
    return _view(order, recipient_name=evil, shop=shop)


@lru_cache(maxsize=1)
def samples() -> Mapping[str, MessageView]:
    """Name and view. All have the links of their class; the purpose is set by who uses them."""
    ordinary = five_lines()
    free = _order(_line(1, "Näyte", "0.00"), total=Money.zero("EUR"), shipping=Money.zero("EUR"),
                  tax=Money.zero("EUR"), tax_lines=())  # fmt: skip
    digital = _order(_line(1, "Lahjakortti", "50.00", requires_shipping=False), shipping=None, shipping_address=None)
    return {
        "five_lines": ordinary,
        "english": replace(ordinary, locale="en-GB", timezone="Europe/London"),
        "with_logo": replace(ordinary, shop=replace(ordinary.shop, logo_url=f"{_SITE}/logo.png")),
        "branded": replace(ordinary, brand=_brand()),
        "guest": _guest(),
        "nameless": _nameless(),
        "no_tracking": _view(_order(_line(1, "Muki", "24.90")),
                             _shipment(_order(), tracking_numbers=(), tracking_urls=(), carrier=None)),
        "free": _view(free),
        "digital": _view(digital),
        "refunded": _refunded(),
        "fifty_lines": _view(_order(*(_line(n, f"Tuote numero {n}, pitkähkö nimi", "9.90", n) for n in range(1, 51)))),
        "japanese": _japanese(),
        "arabic": _arabic(),
        "two_parcels": _two_parcels(),
        "hostile": _hostile(),
    }  # fmt: skip
