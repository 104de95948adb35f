"""What a message that asks for reviews asks about. Pure."""

from __future__ import annotations

from connector.model import Effect, Purpose
from flows.facts import Facts


def asks_for_review(effect: Effect) -> bool:
    """Whether a message asks its reader for a review."""
    asks = effect.kind == "message" and effect.purpose is Purpose.REVIEW
    return asks and not effect.request.get("after_review") and not effect.request.get("survey")


def wanted_products(facts: Facts) -> tuple[str, ...]:
    """The products a review is wanted of, each once whatever its variants: those of the order, or of the line a run is
    about. Gift cards and lines without a product are nothing to review."""
    if facts.order is None:
        return ()
    lines = [line for line in facts.order.lines if facts.line is None or line.id == facts.line.id]
    return tuple(dict.fromkeys(line.product_id for line in lines if line.product_id and not line.is_gift_card))
