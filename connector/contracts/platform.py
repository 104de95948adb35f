"""What a platform adapter is.

`verify` and `normalise` are pure: no network, no clock, no store. A capability is a class an adapter also
inherits, so that `isinstance(adapter, CreatesDiscounts)` cannot lie. Methods that talk to the platform get an
`Access` (credentials come in as arguments; adapters never see the store).
"""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from decimal import Decimal
from typing import ClassVar

from connector.clock import Clock
from connector.model import Event, Money, Shop


@dataclass(frozen=True, slots=True)
class Inbound:
    """A request as it arrived: header names lower-cased, repeated headers as a list in order, body untouched.

    `query` is what stood behind the `?`, undecoded: a channel's provider signs it (Twilio) or asks with it (`method`
    GET, Meta's handshake). Platforms send neither.
    """

    headers: Mapping[str, Sequence[str]]
    body: bytes
    query: str = ""
    method: str = "POST"

    def one(self, name: str) -> str | None:
        """The value of a header that is present exactly once; `None` when it is absent.

        A repeated header returns `None` too: two shop domains are as bad as none (promises B1 row 4).
        """
        values = self.headers.get(name, ())
        return values[0] if len(values) == 1 else None


@dataclass(frozen=True, slots=True, kw_only=True)
class Verified:
    """A delivery whose signature held. Topic, shop and ids are unsigned headers: hints, checked against the body.

    `dedup_key` identifies the delivery within (shop, topic): for Shopify the webhook id, for WooCommerce
    resource id + sha256 of the body (and the delivery id where the body only names an id). `quarantine` is a reason
    to keep the delivery but never act on it (a staging clone); empty otherwise.
    """

    topic: str
    dedup_key: str
    shop_domain: str | None = None
    resource_id: str | None = None
    api_version: str | None = None
    event_id: str | None = None
    triggered_at: datetime | None = None
    is_test: bool = False
    quarantine: str = ""


@dataclass(frozen=True, slots=True)
class Handshake:
    """Not a delivery: answered 200 and forgotten (WooCommerce's unsigned ping)."""

    body: bytes = b"ok"


@dataclass(frozen=True, slots=True, kw_only=True)
class Endpoint:
    """What the random path key of a hook URL stands for.

    `shop` is `None` for an app-wide URL (one Shopify app, many shops): then the delivery's shop domain decides.
    `secrets` are tried in turn, newest first (rotation).
    """

    key: str
    platform: str
    secrets: Sequence[bytes] = field(repr=False)
    shop: Shop | None = None


class PlatformAdapter(ABC):
    """Translates one platform's deliveries. Registered under the entry point group `kiitos.platforms`."""

    name: ClassVar[str]

    @abstractmethod
    def verify(self, inbound: Inbound, endpoint: Endpoint) -> Verified | Handshake:
        """Check the signature against each secret of the endpoint.

        Total: no bytes and no header can make it raise anything but `WebhookRejected`.
        """

    @abstractmethod
    def normalise(self, verified: Verified, body: bytes, shop: Shop) -> Sequence[Event]:
        """Turn one delivery into events; `()` if it means nothing to us.

        Pure. Raises only `MalformedPayload`. Emits every event the snapshot proves (keys make repeats harmless).
        A body that is no fact (a signed error body, the id of another resource) becomes `resource.recheck`:
        look at the object again. Its key alone may hold `verified.dedup_key`: each delivery asks anew.
        """

    def quirks(self) -> Mapping[str, str]:
        """Name and one-sentence explanation of what merchants should know of this platform."""
        return {}


@dataclass(frozen=True, slots=True, kw_only=True)
class Access:
    """What a client needs to act for one shop: where, and with which credentials (names as the platform calls them).

    `base_url` replaces the public address in tests and the demo. `secrets` values never appear in logs. `public_only`:
    the address was entered by a merchant, so it must never lead into the operator's own network (`connector.http`).

    `patience`: seconds a reading call may take, without a second try; `None` leaves it to the client.

    `renew` turns an access the platform has refused (401) into one with renewed credentials; raises `AuthExpired` or
    `Transient`. A client calls it once a call and repeats the call. `None` where nothing can be renewed.
    """

    shop: Shop
    secrets: Mapping[str, str] = field(repr=False)
    clock: Clock = field(repr=False)
    base_url: str | None = None
    public_only: bool = False
    patience: float | None = None
    renew: Callable[[Access], Access] | None = field(default=None, repr=False, compare=False)


FREE_DELIVERY = "free delivery"
"""How settings, steps and messages name a benefit that is neither a percentage nor an amount."""


@dataclass(frozen=True, slots=True, kw_only=True)
class DiscountRequest:
    """A code to exist exactly once. The caller derives `code` from the run, so a retry meets it and adopts it.

    Exactly one of `amount`, `percent` (0 < percent <= 100) and `free_delivery` is set; `products` (the platform's ids)
    are the only ones an amount or a percentage goes off. `usage_limit` counts all customers.
    `customer_email` / `customer_id` bind the code to one person where the platform can.
    """

    code: str
    title: str
    starts_at: datetime
    amount: Money | None = None
    percent: Decimal | None = None
    ends_at: datetime | None = None
    usage_limit: int | None = 1
    once_per_customer: bool = True
    minimum: Money | None = None
    customer_email: str | None = None
    customer_id: str | None = None
    new_customers_only: bool = False
    free_delivery: bool = False
    products: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True, kw_only=True)
class DiscountRef:
    """The code as it exists on the platform. `adopted` when an earlier attempt of ours had made it."""

    code: str
    platform_id: str
    adopted: bool = False
    url: str | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class ReviewRequest:
    """A customer's review of one product, to be written where the platform has a place for it.

    `approved`: a person or the shop's rules let it be shown; else it is kept for the merchant to approve there.
    `disclosure` is a sentence to stand with it (something was given for writing it), `answer` what the shop says to it.
    `verified`: an order shows that the author bought the product. `photos` are public addresses. `again`: an earlier
    revision may have arrived, so look for it first.
    """

    key: str
    order_id: str
    product_id: str
    rating: int
    title: str
    text: str
    author_name: str
    author_email: str
    at: datetime
    approved: bool = False
    disclosure: str = ""
    answer: str = ""
    verified: bool = False
    photos: Sequence[str] = ()
    again: bool = False


class CreatesDiscounts(ABC):
    @abstractmethod
    def create_discount(self, access: Access, request: DiscountRequest) -> DiscountRef:
        """Make the code, or adopt it when it already exists.

        Raises `Transient` (with `maybe_done` when no answer came), `AuthExpired`, `Refused`.
        """


class WritesOrders(ABC):
    @abstractmethod
    def add_tag(self, access: Access, order_id: str, tag: str) -> None:
        """Add a tag to the order; a tag that is there already is success."""

    @abstractmethod
    def add_note(self, access: Access, order_id: str, note: str, *, key: str) -> None:
        """Add a staff-only note, once per `key`: look before repeating, platforms have no idempotency here."""


class PublishesReviews(ABC):
    @abstractmethod
    def publish_review(self, access: Access, request: ReviewRequest) -> str:
        """Write the review, held for moderation where the platform can; return the platform's id. Once per key."""


class FetchesOrders(ABC):
    @abstractmethod
    def fetch_order(self, access: Access, order_id: str) -> Sequence[Event]:
        """The order as it is now, as the events its snapshot proves; `order.deleted` when it is gone."""


class FetchesProducts(ABC):
    """`most_products` is how many may be asked for at once."""

    most_products: ClassVar[int] = 100

    @abstractmethod
    def fetch_products(self, access: Access, product_ids: Sequence[str]) -> Sequence[Event]:
        """`product.updated` for each that is there, with its picture; `product.deleted` for each that is gone.

        Raises `Transient`, `AuthExpired`, `Refused`.
        """


CAPABILITIES: tuple[type[ABC], ...] = (
    CreatesDiscounts,
    WritesOrders,
    PublishesReviews,
    FetchesOrders,
    FetchesProducts,
)
