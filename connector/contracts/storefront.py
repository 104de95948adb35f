"""Where a customer meets the shop: links that carry a code or a cart, and pages of ours inside the shop's own site."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime

from connector.contracts.platform import Access, Endpoint
from connector.model import Shop


@dataclass(frozen=True, slots=True, kw_only=True)
class ProxyVisit:
    """A request the platform passed on to us with its signature. `customer_id` is who is logged in, if anybody."""

    shop_domain: str
    customer_id: str | None
    path_prefix: str
    at: datetime


class VerifiesProxy(ABC):
    @abstractmethod
    def verify_proxy(self, query: Sequence[tuple[str, str]], endpoint: Endpoint, now: datetime) -> ProxyVisit:
        """Check the signed query of a page of ours shown inside the shop. `query` is decoded, in order, repeats kept.

        Pure and total: raises only `WebhookRejected` (`signature`, `shape`, `shop`, or `stale` for an old request).
        """


class LinksToShop(ABC):
    """Pure: no call is made. Codes and paths are encoded; a path that leads out of the shop is `Refused`."""

    @abstractmethod
    def discount_link(self, shop: Shop, code: str, to: str = "/") -> str | None:
        """The address that puts the code into the visitor's cart and goes to `to`; `None` where there is none."""

    @abstractmethod
    def checkout_link(self, shop: Shop, lines: Mapping[str, int], code: str = "") -> str:
        """The address that opens a cart with these lines (what the platform sells by: variant or product id, and
        quantity), with the code applied where given."""


class LinksToPayment(ABC):
    @abstractmethod
    def payment_link(self, access: Access, order_id: str) -> str | None:
        """Where the customer pays an order that is not paid; `None` when there is nothing to pay."""


STOREFRONT: tuple[type[ABC], ...] = (VerifiesProxy, LinksToShop, LinksToPayment)
