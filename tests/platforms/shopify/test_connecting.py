"""Connecting a Shopify store: three ways against the fake's own screens, and what a health check tells."""

from __future__ import annotations

import json
from dataclasses import replace
from datetime import timedelta
from urllib.parse import parse_qsl, urlsplit

import pytest

from connector.clock import ManualClock
from connector.contracts import Access, Connected, ConnectRequest, Redirect, Verdict
from connector.errors import AuthExpired, ConnectRefused
from connector.model import Shop
from connector.testing.fakes.shopify import FakeShopify
from platforms.shopify import Shopify
from platforms.shopify.install import OPTIONAL_SCOPES, REQUIRED_SCOPES, missing_scopes, typed_domain
from platforms.shopify.scopes import SCOPES

from .approval import (
    DOMAIN,
    RETURN,
    SECRET,
    approve,
    clock,
    come_back,
    granted,
    platform,
    request_,
    store,
)

__all__ = ["clock", "platform", "request_", "store"]


# --- the three ways ---


def test_an_approval_ends_in_an_expiring_token_that_reads_the_store(
    platform: Shopify, request_: ConnectRequest, store: FakeShopify, clock: ManualClock
) -> None:
    begun, pairs = approve(platform, request_)
    connected = platform.finish(come_back(request_, begun, pairs))
    grant = granted(connected)
    assert grant.until - clock.now() == timedelta(hours=1)
    assert grant.refresh in store.oauth.refresh
    assert (connected.facts.domain, connected.facts.currency, connected.facts.timezone) == (
        DOMAIN,
        "EUR",
        "Europe/Helsinki",
    )
    assert set(connected.granted) == set(REQUIRED_SCOPES)
    assert set(connected.secrets) <= set(platform.credential_names)
    assert SECRET not in repr(connected) + repr(begun) + repr(grant)


def test_an_app_of_the_merchants_own_needs_no_browser(
    platform: Shopify, request_: ConnectRequest, store: FakeShopify
) -> None:
    values = {"shop": f"https://{DOMAIN}/admin", "client_id": "the-app-id", "client_secret": SECRET}
    connected = platform.begin(replace(request_, way="own_app", values=values, app={}))
    assert isinstance(connected, Connected)
    assert store.oauth.granted == ["client_credentials"]
    assert {"client_id", "client_secret", "grant"} == set(connected.secrets)
    assert not granted(connected).refresh


def test_opening_the_app_in_the_admin_connects_by_token_exchange(
    platform: Shopify, request_: ConnectRequest, store: FakeShopify
) -> None:
    pairs = parse_qsl(urlsplit(store.oauth.embedded_load()).query)
    connected = platform.arrive(replace(request_, way="arrive", values={}), pairs)
    assert isinstance(connected, Connected)
    assert store.oauth.granted == ["token_exchange"]
    assert granted(connected).refresh


def test_an_install_without_an_id_token_asks_the_merchant(
    platform: Shopify, request_: ConnectRequest, store: FakeShopify, clock: ManualClock
) -> None:
    pairs = list(store.oauth.signed({"shop": DOMAIN, "timestamp": str(int(clock.now().timestamp()))}).items())
    begun = platform.arrive(request_, pairs)
    assert isinstance(begun, Redirect)
    assert begun.keep == {"shop": DOMAIN}
    asked = dict(parse_qsl(urlsplit(begun.url).query))
    assert asked == {
        "client_id": "the-app-id",
        "scope": ",".join(sorted(REQUIRED_SCOPES)),
        "redirect_uri": RETURN,
        "state": request_.ticket,
    }


def test_what_was_signed_with_the_secret_before_the_rotation_still_counts(
    platform: Shopify, request_: ConnectRequest, store: FakeShopify
) -> None:
    rotated = replace(
        request_, app={"client_id": "the-app-id", "client_secret": "new", "client_secret_previous": SECRET}
    )
    begun, pairs = approve(platform, rotated)
    store.oauth.client_secret = "new"
    assert platform.finish(come_back(rotated, begun, pairs)).facts.domain == DOMAIN


def test_wrong_credentials_of_an_own_app_name_the_field(platform: Shopify, request_: ConnectRequest) -> None:
    values = {"shop": DOMAIN, "client_id": "the-app-id", "client_secret": "wrong"}
    with pytest.raises(ConnectRefused) as caught:
        platform.begin(replace(request_, way="own_app", values=values))
    assert (caught.value.reason, caught.value.field) == ("credentials_refused", "client_secret")


@pytest.mark.parametrize(
    "typed",
    [
        "aurora-demo",
        " Aurora-Demo.myshopify.com ",
        f"https://{DOMAIN}/admin/orders",
        "admin.shopify.com/store/aurora-demo/x",
    ],
)
def test_a_store_is_known_however_it_is_typed(typed: str) -> None:
    assert typed_domain(typed) == DOMAIN


@pytest.mark.parametrize(
    "typed",
    ["", "aurora.example", "evil.myshopify.com.evil.test", f"{DOMAIN}@evil.test", "-x.myshopify.com", "a b", "ä"],
)
def test_what_is_no_store_is_refused_at_its_field(typed: str) -> None:
    with pytest.raises(ConnectRefused) as caught:
        typed_domain(typed)
    assert caught.value.field == "shop"


# --- the health check ---


def access(store: FakeShopify, clock: ManualClock, **changes: str) -> Access:
    given = {"currency": "EUR", "timezone": "Europe/Helsinki", **changes}
    shop = Shop(id="s", client_id="c", platform="shopify", domain=DOMAIN, name="Aurora", **given)
    return Access(shop=shop, secrets={"access_token": store.issue_token()}, clock=clock, base_url=store.url)


def verdicts(platform: Shopify, found: Access) -> dict[str, Verdict]:
    return {finding.code: finding.verdict for finding in platform.check(found)}


def test_a_healthy_store_is_told_what_of_it_doubles_ours(
    platform: Shopify, store: FakeShopify, clock: ManualClock
) -> None:
    found = verdicts(platform, access(store, clock))
    assert not [code for code, verdict in found.items() if verdict is Verdict.FAIL]
    assert {"reached", "version_supported", "scopes_granted", "currency_same", "timezone_same"} <= set(found)
    assert {"double_confirmation", "double_shipping", "double_cart"} <= set(found)


def test_a_store_that_differs_is_told_where(platform: Shopify, store: FakeShopify, clock: ManualClock) -> None:
    found = verdicts(platform, access(store, clock, currency="SEK", timezone="Europe/Stockholm"))
    assert (found["currency_other"], found["timezone_other"]) == (Verdict.FAIL, Verdict.WARN)


def test_missing_permissions_are_named(platform: Shopify, store: FakeShopify, clock: ManualClock) -> None:
    store.scopes.discard("write_discounts")
    (finding,) = [each for each in platform.check(access(store, clock)) if each.code == "scopes_missing"]
    assert (finding.verdict, finding.values) == (Verdict.FAIL, {"scopes": "write_discounts"})


def test_a_refused_token_is_a_finding(platform: Shopify, store: FakeShopify, clock: ManualClock) -> None:
    found = access(store, clock)
    store.revoke_tokens()
    assert verdicts(platform, found) == {"token_refused": Verdict.FAIL}


def test_each_finding_and_error_has_its_sentence_in_both_languages(
    platform: Shopify, store: FakeShopify, clock: ManualClock
) -> None:
    english, finnish = platform.wording("en"), platform.wording("fi")
    assert set(english) == set(finnish)
    assert platform.wording("sv") == english
    for way in platform.ways():
        assert {f"way.{way.name}", f"way.{way.name}.help"} <= set(english)
        assert all({f"field.{one.name}", f"field.{one.name}.help"} <= set(english) for one in way.fields)
    for finding in platform.check(access(store, clock)):
        sentence = english[f"finding.{finding.code}"]
        assert {name for name in finding.values if "{" + name + "}" not in sentence} == set()
        assert not finding.link or (finding.link.startswith("https://") and f"link.{finding.code}" in english)


# --- scopes ---


def test_what_steps_need_can_be_asked_for() -> None:
    known = {*REQUIRED_SCOPES, *OPTIONAL_SCOPES}
    known |= {scope.replace("write_", "read_", 1) for scope in known}
    needed = {scope for groups in SCOPES.values() for group in groups for scope in group}
    assert needed <= known


def test_a_written_scope_holds_the_read_one() -> None:
    asked = [scope.replace("read_", "write_", 1) for scope in REQUIRED_SCOPES]
    assert missing_scopes(asked) == []
    assert missing_scopes([]) == list(REQUIRED_SCOPES)


def test_a_refresh_token_that_is_dead_needs_the_merchant(
    platform: Shopify, request_: ConnectRequest, store: FakeShopify, clock: ManualClock
) -> None:
    begun, pairs = approve(platform, request_)
    connected = platform.finish(come_back(request_, begun, pairs))
    store.oauth.uninstall()
    secrets = {**connected.secrets, "client_id": "the-app-id", "client_secret": SECRET}
    found = replace(access(store, clock), secrets=secrets)
    with pytest.raises(AuthExpired, match="invalid_grant"):
        platform.renew(found)
    assert json.loads(connected.secrets["grant"])["refresh"] not in repr(found)
