"""Sixty forged, tampered and replayed returns and ID tokens: none of them opens a store."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, replace
from datetime import timedelta
from urllib.parse import parse_qsl, urlsplit

import pytest

from connector.clock import ManualClock
from connector.contracts import ConnectRequest, Redirect
from connector.errors import ConnectRefused
from connector.testing.fakes.shopify import FakeShopify
from connector.testing.fakes.shopify.oauth import sign_query
from platforms.shopify import Shopify

from .approval import (
    DOMAIN,
    OTHER,
    SECRET,
    Pairs,
    approve,
    clock,
    come_back,
    platform,
    request_,
    store,
)

__all__ = ["clock", "platform", "request_", "store"]


# --- forged returns ---


@dataclass
class Forger:
    """Changes what comes back. `sign` signs as Shopify does: the secret of one app signs for all its shops."""

    store: FakeShopify
    clock: ManualClock

    def sign(self, pairs: Pairs, secret: str = SECRET) -> Pairs:
        bare = [(key, value) for key, value in pairs if key != "hmac"]
        return [*bare, ("hmac", sign_query(bare, secret))]

    def changed(self, pairs: Pairs, **changes: str | None) -> Pairs:
        kept = [(key, changes.get(key, value)) for key, value in pairs]
        kept += [(key, value) for key, value in changes.items() if key not in dict(pairs)]
        return [(key, value) for key, value in kept if value is not None]

    def stamp(self, **span: float) -> str:
        return str(int((self.clock.now() + timedelta(**span)).timestamp()))


Forgery = Callable[[Forger, Pairs], Pairs]
RETURNS: dict[str, tuple[str, Forgery]] = {
    "no signature": ("hmac", lambda f, p: f.changed(p, hmac=None)),
    "an empty signature": ("hmac", lambda f, p: f.changed(p, hmac="")),
    "a wrong signature": ("hmac", lambda f, p: f.changed(p, hmac="0" * 64)),
    "a signature in capitals": ("hmac", lambda f, p: f.changed(p, hmac=dict(p)["hmac"].upper())),
    "half a signature": ("hmac", lambda f, p: f.changed(p, hmac=dict(p)["hmac"][:32])),
    "a signature that is no ASCII": ("hmac", lambda f, p: f.changed(p, hmac="é" * 64)),
    "the secret of another app": ("hmac", lambda f, p: f.sign(p, "another-secret")),
    "an empty secret": ("hmac", lambda f, p: f.sign(p, "")),
    "another code": ("hmac", lambda f, p: f.changed(p, code="stolen")),
    "another shop, not signed": ("hmac", lambda f, p: f.changed(p, shop=OTHER)),
    "a parameter more": ("hmac", lambda f, p: f.changed(p, admin="1")),
    "a parameter less": ("hmac", lambda f, p: f.changed(p, host=None)),
    "another shop of the same app": ("other_shop", lambda f, p: f.sign(f.changed(p, shop=OTHER))),
    "a shop that only begins well": ("shop", lambda f, p: f.sign(f.changed(p, shop="evil.myshopify.com.evil.test"))),
    "a shop behind an at sign": ("shop", lambda f, p: f.sign(f.changed(p, shop=f"{DOMAIN}@evil.test"))),
    "a shop with a line break": ("shop", lambda f, p: f.sign(f.changed(p, shop=f"{DOMAIN}\n"))),
    "no shop": ("shop", lambda f, p: f.sign(f.changed(p, shop=None))),
    "another state": ("state", lambda f, p: f.sign(f.changed(p, state="ticket-of-another"))),
    "no state": ("state", lambda f, p: f.sign(f.changed(p, state=None))),
    "an empty state": ("state", lambda f, p: f.sign(f.changed(p, state=""))),
    "an old one": ("stale", lambda f, p: f.sign(f.changed(p, timestamp=f.stamp(minutes=-6)))),
    "one from the future": ("stale", lambda f, p: f.sign(f.changed(p, timestamp=f.stamp(minutes=6)))),
    "no time": ("stale", lambda f, p: f.sign(f.changed(p, timestamp=None))),
    "a time that is none": ("stale", lambda f, p: f.sign(f.changed(p, timestamp="abc"))),
    "a time without end": ("stale", lambda f, p: f.sign(f.changed(p, timestamp="9" * 40))),
    "two shops": ("repeated", lambda f, p: [*p, ("shop", OTHER)]),
    "two states": ("repeated", lambda f, p: [("state", "x"), *p]),
    "no code": ("code", lambda f, p: f.sign(f.changed(p, code=None))),
    "a code that is an address": ("code", lambda f, p: f.sign(f.changed(p, code="https://evil.test/"))),
    "a code nobody gave": ("code_refused", lambda f, p: f.sign(f.changed(p, code="made-up"))),
    "nothing": ("hmac", lambda f, p: []),
}


@pytest.mark.parametrize("name", RETURNS)
def test_a_forged_return_opens_nothing(
    name: str, platform: Shopify, request_: ConnectRequest, store: FakeShopify, clock: ManualClock
) -> None:
    reason, forge = RETURNS[name]
    begun, pairs = approve(platform, request_)
    with pytest.raises(ConnectRefused) as caught:
        platform.finish(come_back(request_, begun, forge(Forger(store, clock), pairs)))
    assert caught.value.reason == reason
    assert store.oauth.granted == []
    assert f"error.{reason}" in platform.wording("en")
    assert not [secret for secret in (SECRET, dict(pairs)["code"]) if secret in str(caught.value)]


def test_a_return_counts_once(platform: Shopify, request_: ConnectRequest, store: FakeShopify) -> None:
    begun, pairs = approve(platform, request_)
    platform.finish(come_back(request_, begun, pairs))
    with pytest.raises(ConnectRefused) as caught:
        platform.finish(come_back(request_, begun, pairs))
    assert (caught.value.reason, store.oauth.granted) == ("code_refused", ["authorization_code"])


def test_a_return_of_another_attempt_counts_for_nothing(
    platform: Shopify, request_: ConnectRequest, store: FakeShopify
) -> None:
    _, pairs = approve(platform, request_)
    mine = replace(request_, ticket="ticket-of-my-own")
    with pytest.raises(ConnectRefused) as caught:
        platform.finish(come_back(mine, Redirect(url="", keep={"shop": DOMAIN}), pairs))
    assert (caught.value.reason, store.oauth.granted) == ("state", [])


def test_a_store_that_grants_less_is_not_connected(
    platform: Shopify, request_: ConnectRequest, store: FakeShopify
) -> None:
    store.scopes = {"read_orders", "read_products"}
    begun, pairs = approve(platform, request_)
    with pytest.raises(ConnectRefused) as caught:
        platform.finish(come_back(request_, begun, pairs))
    assert caught.value.reason == "scopes_missing"
    assert "read_customers" in caught.value.values["scopes"]


def test_a_token_that_opens_another_store_is_not_kept(
    platform: Shopify, request_: ConnectRequest, store: FakeShopify
) -> None:
    begun, pairs = approve(platform, request_)
    store.domain = OTHER
    with pytest.raises(ConnectRefused) as caught:
        platform.finish(come_back(request_, begun, pairs))
    assert caught.value.reason == "other_shop"


def test_without_the_operators_app_nobody_is_believed(
    platform: Shopify, request_: ConnectRequest, store: FakeShopify
) -> None:
    begun, pairs = approve(platform, request_)
    for app in ({}, {"client_id": "the-app-id"}, {"client_id": "the-app-id", "client_secret": ""}):
        with pytest.raises(ConnectRefused) as caught:
            platform.finish(come_back(replace(request_, app=app), begun, pairs))
        assert caught.value.reason == "no_app"
    assert store.oauth.granted == []


# --- forged ID tokens ---

Tampering = Callable[[FakeShopify, ManualClock], str]


def at(clock: ManualClock, seconds: float) -> int:
    return int(clock.now().timestamp() + seconds)


ID_TOKENS: dict[str, tuple[str, Tampering]] = {
    "no algorithm": ("algorithm", lambda s, c: s.oauth.id_token(alg="none") + "AA"),
    "no algorithm and no signature": ("shape", lambda s, c: s.oauth.id_token(alg="none")),
    "another algorithm": ("algorithm", lambda s, c: s.oauth.id_token(alg="HS512") + "AA"),
    "another secret": ("signature", lambda s, c: s.oauth.id_token(secret="another")),
    "an empty secret": ("signature", lambda s, c: s.oauth.id_token(secret="")),
    "a claim changed": ("signature", lambda s, c: _swap(s.oauth.id_token(), s.oauth.id_token(sub="1"))),
    "another app": ("audience", lambda s, c: s.oauth.id_token(aud="another-app")),
    "several apps": ("audience", lambda s, c: s.oauth.id_token(aud=["the-app-id"])),
    "no app": ("audience", lambda s, c: s.oauth.id_token(aud=None)),
    "expired": ("expired", lambda s, c: s.oauth.id_token(exp=at(c, -11))),
    "without an end": ("shape", lambda s, c: s.oauth.id_token(exp=None)),
    "an end that is a text": ("shape", lambda s, c: s.oauth.id_token(exp=str(at(c, 60)))),
    "an end beyond all time": ("shape", lambda s, c: s.oauth.id_token(exp=10**20)),
    "not yet": ("early", lambda s, c: s.oauth.id_token(nbf=at(c, 30))),
    "without a beginning": ("shape", lambda s, c: s.oauth.id_token(nbf=None)),
    "an issuer elsewhere": ("shop", lambda s, c: s.oauth.id_token(iss=f"https://{OTHER}/admin")),
    "another shop": (
        "other_shop",
        lambda s, c: s.oauth.id_token(iss=f"https://{OTHER}/admin", dest=f"https://{OTHER}"),
    ),
    "a host that only begins well": (
        "shop",
        lambda s, c: s.oauth.id_token(iss=f"https://{DOMAIN}.evil.test/admin", dest=f"https://{DOMAIN}.evil.test"),
    ),
    "over http": ("shop", lambda s, c: s.oauth.id_token(iss=f"http://{DOMAIN}", dest=f"http://{DOMAIN}")),
    "with a user in the host": (
        "shop",
        lambda s, c: s.oauth.id_token(iss=f"https://{DOMAIN}@evil.test", dest=f"https://{DOMAIN}@evil.test"),
    ),
    "no token": ("shape", lambda s, c: "x"),
    "four parts": ("shape", lambda s, c: s.oauth.id_token() + ".x"),
    "not base64": ("shape", lambda s, c: "é.é.é"),
    "an endless one": ("shape", lambda s, c: "a" * 9000 + ".b.c"),
    "a list": ("shape", lambda s, c: "W10.W10.W10"),
}


def _swap(one: str, other: str) -> str:
    """The claims of one token under the signature of another."""
    return ".".join([*other.split(".")[:2], one.split(".")[2]])


@pytest.mark.parametrize("name", ID_TOKENS)
def test_a_forged_id_token_opens_nothing(
    name: str, platform: Shopify, request_: ConnectRequest, store: FakeShopify, clock: ManualClock
) -> None:
    reason, forge = ID_TOKENS[name]
    query = dict(parse_qsl(urlsplit(store.oauth.embedded_load()).query))
    signed = store.oauth.signed({**{k: v for k, v in query.items() if k != "hmac"}, "id_token": forge(store, clock)})
    with pytest.raises(ConnectRefused) as caught:
        platform.arrive(request_, list(signed.items()))
    assert caught.value.reason == reason
    assert store.oauth.granted == []
    assert f"error.{reason}" in platform.wording("fi")


def test_an_id_token_in_a_query_nobody_signed_opens_nothing(
    platform: Shopify, request_: ConnectRequest, store: FakeShopify
) -> None:
    pairs = [(k, v) for k, v in parse_qsl(urlsplit(store.oauth.embedded_load()).query) if k != "hmac"]
    with pytest.raises(ConnectRefused):
        platform.arrive(request_, pairs)
    assert store.oauth.granted == []


def test_a_load_replayed_later_opens_nothing(
    platform: Shopify, request_: ConnectRequest, store: FakeShopify, clock: ManualClock
) -> None:
    pairs = parse_qsl(urlsplit(store.oauth.embedded_load()).query)
    clock.advance(timedelta(seconds=90))
    with pytest.raises(ConnectRefused) as caught:
        platform.arrive(request_, pairs)
    assert (caught.value.reason, store.oauth.granted) == ("expired", [])
