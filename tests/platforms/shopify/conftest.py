"""What the Shopify client's tests share: a shop, its access, and a stubbed Admin API."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import replace
from datetime import UTC, datetime

import pytest
import responses

from connector.clock import ManualClock
from connector.contracts import Access
from connector.model import Shop
from connector.testing.fakes.shopify import FakeShopify, FakeUnavailable
from platforms.shopify import Shopify

DOMAIN = "tuoksu-demo.myshopify.com"
GRAPHQL = f"https://{DOMAIN}/admin/api/2026-10/graphql.json"
TOKEN_URL = f"https://{DOMAIN}/admin/oauth/access_token"


@pytest.fixture
def clock() -> ManualClock:
    return ManualClock(datetime(2026, 11, 22, 8, 0, tzinfo=UTC), seed=1)


@pytest.fixture
def shop() -> Shop:
    return Shop(id="shop-1", client_id="client-1", platform="shopify", domain=DOMAIN, name="Tuoksu")


@pytest.fixture
def access(shop: Shop, clock: ManualClock) -> Access:
    return Access(shop=shop, secrets={"access_token": "shpat_invented"}, clock=clock)


@pytest.fixture
def granted(access: Access) -> Access:
    """An app of the merchant's own: client credentials instead of a token."""
    return replace(access, secrets={"client_id": "id-1", "client_secret": "secret-1"})


def serving(clock: ManualClock, scopes: Sequence[str]) -> Iterator[FakeShopify]:
    """A fake of the shop over loopback, for a fixture; what it was asked for and does not have fails the test."""
    fake = FakeShopify(clock, DOMAIN, "id-1", "secret-1", tuple(scopes))
    try:
        fake.start()
    except FakeUnavailable as error:
        pytest.skip(str(error))
    yield fake
    assert fake.gaps == []
    fake.stop()


@pytest.fixture
def shopify() -> Iterator[Shopify]:
    platform = Shopify()
    yield platform
    platform.close()


@pytest.fixture
def api() -> Iterator[responses.RequestsMock]:
    """Answers are given in the order they were added; an unexpected call fails the test."""
    with responses.RequestsMock(registry=responses.registries.OrderedRegistry) as mock:
        yield mock
