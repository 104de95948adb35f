"""Every root field the fake answers, by its name in Python."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import TYPE_CHECKING, Any

from connector.testing.fakes.shopify.codes import CODE_MUTATIONS, CODE_QUERIES
from connector.testing.fakes.shopify.grants import GRANT_MUTATIONS, GRANT_QUERIES
from connector.testing.fakes.shopify.mutations import MUTATIONS
from connector.testing.fakes.shopify.queries import QUERIES, single_objects
from connector.testing.fakes.shopify.returns import RETURN_MUTATIONS, RETURN_QUERIES

if TYPE_CHECKING:
    from connector.testing.fakes.shopify.shop import FakeShopify


def roots(shop: FakeShopify) -> Mapping[str, Callable[..., Any]]:
    return {
        **QUERIES,
        **GRANT_QUERIES,
        **CODE_QUERIES,
        **RETURN_QUERIES,
        **MUTATIONS,
        **GRANT_MUTATIONS,
        **CODE_MUTATIONS,
        **RETURN_MUTATIONS,
        **single_objects(shop),
    }
