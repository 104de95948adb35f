"""What runs about a line item or a checkout see of it: the roots `line` and `checkout` of guard paths."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime

from connector.model import Checkout, LineItem, Money, Product
from connector.model.changing import quick


@quick
@dataclass(frozen=True, slots=True, kw_only=True)
class LineFacts:
    """One line of an order with what is known of its product. `kind` is the shop's own product type."""

    id: str
    title: str
    quantity: int
    price: Money
    product_id: str | None = None
    variant_id: str | None = None
    sku: str | None = None
    tags: tuple[str, ...] = ()
    kind: str | None = None
    vendor: str | None = None
    url: str | None = None
    image_url: str | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class CheckoutFacts:
    """A cart that may be abandoned. `recovered` once it was completed, or its person ordered after it began."""

    token: str
    started_at: datetime
    updated_at: datetime
    recovered: bool = False
    url: str | None = None
    total: Money | None = None
    email: str | None = None
    lines: tuple[LineItem, ...] = ()


def line_facts(line: LineItem, product: Product | None) -> LineFacts:
    """The line as flows see it. What the platform never told of the product is empty."""
    return LineFacts(
        id=line.id,
        title=line.title,
        quantity=line.quantity if line.current_quantity is None else line.current_quantity,
        price=line.unit_price,
        product_id=line.product_id,
        variant_id=line.variant_id,
        sku=line.sku,
        tags=product.tags if product else (),
        kind=product.product_type if product else None,
        vendor=product.vendor if product else None,
        url=line.product_url or (product.url if product else None),
        image_url=line.image_url or (product.image_url if product else None),
    )


def checkout_facts(checkout: Checkout, ordered_at: datetime | None) -> CheckoutFacts:
    """The cart as flows see it. `ordered_at` is when its person last ordered."""
    return CheckoutFacts(
        token=checkout.token,
        started_at=checkout.started_at,
        updated_at=checkout.updated_at,
        recovered=checkout.completed_at is not None or bool(ordered_at and ordered_at >= checkout.started_at),
        url=checkout.recovery_url,
        total=checkout.total,
        email=checkout.email,
        lines=checkout.lines,
    )
