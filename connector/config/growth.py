"""What a shop offers beyond its messages: an order's page, a benefit for signing up, recommendations, audiences."""

from __future__ import annotations

from dataclasses import dataclass

from connector.config.layering import Layered


@dataclass(frozen=True, slots=True, kw_only=True)
class GrowthSettings:
    """`order_page`: mails about an order lead to a page of it."""

    order_page: bool = True


def read_growth(layered: Layered) -> GrowthSettings:
    return GrowthSettings(order_page=layered.get("order_page", True))
