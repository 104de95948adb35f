"""A store to connect, and the way to its approval and back."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import UTC, datetime
from urllib.parse import parse_qsl, urlsplit

import pytest
import requests

from connector.clock import ManualClock
from connector.contracts import Connected, ConnectRequest, ConnectReturn, Redirect
from connector.testing.fakes.shopify import FakeShopify, FakeUnavailable
from platforms.shopify import Shopify
from platforms.shopify.install import REQUIRED_SCOPES
from platforms.shopify.tokens import Grant, read_grant

DOMAIN = "aurora-demo.myshopify.com"
OTHER = "other-shop.myshopify.com"
RETURN = "https://kiitos.example/connect/return/shopify"
SECRET = "the-app-secret"
Pairs = list[tuple[str, str]]


@pytest.fixture
def clock() -> ManualClock:
    return ManualClock(datetime(2026, 11, 23, 8, 0, tzinfo=UTC), seed=3)


@pytest.fixture
def store(clock: ManualClock) -> Iterator[FakeShopify]:
    """The store, whose GraphQL is checked against the real schema where that is at hand."""
    made = FakeShopify(clock, DOMAIN, "the-app-id", SECRET, {*REQUIRED_SCOPES}, unchecked=True)
    made.oauth.redirect_urls.append(RETURN)
    try:
        made.start()
    except FakeUnavailable as missing:
        pytest.skip(str(missing))
    yield made
    made.stop()


@pytest.fixture
def platform() -> Iterator[Shopify]:
    made = Shopify()
    yield made
    made.close()


@pytest.fixture
def request_(store: FakeShopify, clock: ManualClock) -> ConnectRequest:
    return ConnectRequest(
        way="approve",
        values={"shop": "aurora-demo"},
        app={"client_id": "the-app-id", "client_secret": SECRET},
        ticket="ticket-of-this-attempt",
        return_url=RETURN,
        callback_url="https://kiitos.example/connect/callback/shopify/x",
        clock=clock,
        api_url=store.url,
    )


def approve(platform: Shopify, request_: ConnectRequest) -> tuple[Redirect, Pairs]:
    """The merchant says yes; what the browser comes back with."""
    begun = platform.begin(request_)
    assert isinstance(begun, Redirect)
    assert "Install" in requests.get(begun.url, timeout=10).text
    answer = requests.post(begun.url, timeout=10, allow_redirects=False)
    assert answer.status_code == 302
    where = urlsplit(answer.headers["Location"])
    assert f"{where.scheme}://{where.netloc}{where.path}" == RETURN
    return begun, parse_qsl(where.query, keep_blank_values=True)


def come_back(request_: ConnectRequest, begun: Redirect, pairs: Pairs) -> ConnectReturn:
    return ConnectReturn(request=request_, query=dict(pairs), pairs=pairs, keep=begun.keep, received={})


def granted(connected: Connected) -> Grant:
    found = read_grant(connected.secrets)
    assert found is not None
    return found
