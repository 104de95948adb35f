"""What a shop offers beyond its messages: an order's page, a benefit for signing up, recommendations, audiences."""

from __future__ import annotations

from dataclasses import dataclass

from connector.config.layering import Layered


@dataclass(frozen=True, slots=True, kw_only=True)
class GrowthSettings:
    """`order_page`: mails about an order lead to a page of it. `best_sellers`: where the shop's history puts too little
    beside what somebody bought, what sells most of the same kind is recommended too."""

    order_page: bool = True
    best_sellers: bool = False


def read_growth(layered: Layered) -> GrowthSettings:
    return GrowthSettings(
        order_page=layered.get("order_page", True),
        best_sellers=layered.get("recommend_best_sellers", False),
    )
