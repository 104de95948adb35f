"""The normalised model: frozen dataclasses, aware UTC times, Decimal money, text ids."""

from connector.model.brand import Brand, Palette
from connector.model.enclosure import Enclosure
from connector.model.enums import (
    Channel,
    ConsentState,
    EventKind,
    FinancialStatus,
    FulfillmentStatus,
    OpenEnum,
    OrderStatus,
    Purpose,
    ShipmentStatus,
    ShopStatus,
)
from connector.model.events import Event, Ref
from connector.model.guide import Guide, GuideText, Tip
from connector.model.money import Money
from connector.model.order import (
    AppliedDiscount,
    Checkout,
    LineItem,
    Order,
    Product,
    Refund,
    Return,
    Shipment,
    ShipmentEvent,
    ShippedLine,
    TaxLine,
)
from connector.model.party import GUEST_PREFIX, Address, Consent, Customer, Shop, email_key, guest_id
from connector.model.purchase import Buyer, Purchase, buyer_of, purchase_of
from connector.model.run import Effect, EffectStatus, Run, RunStatus, by_itself

__all__ = [
    "GUEST_PREFIX",
    "Address",
    "AppliedDiscount",
    "Brand",
    "Buyer",
    "Channel",
    "Checkout",
    "Consent",
    "ConsentState",
    "Customer",
    "Effect",
    "EffectStatus",
    "Enclosure",
    "Event",
    "EventKind",
    "FinancialStatus",
    "FulfillmentStatus",
    "Guide",
    "GuideText",
    "LineItem",
    "Money",
    "OpenEnum",
    "Order",
    "OrderStatus",
    "Palette",
    "Product",
    "Purchase",
    "Purpose",
    "Ref",
    "Refund",
    "Return",
    "Run",
    "RunStatus",
    "Shipment",
    "ShipmentEvent",
    "ShipmentStatus",
    "ShippedLine",
    "Shop",
    "ShopStatus",
    "TaxLine",
    "Tip",
    "buyer_of",
    "email_key",
    "guest_id",
    "purchase_of",
    "by_itself",
]
