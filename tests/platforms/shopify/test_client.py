"""The Admin API client: throttling, tokens and errors, with every answer stubbed."""

from __future__ import annotations

import json
import logging
from dataclasses import replace
from datetime import timedelta
from typing import Any

import pytest
import requests
import responses

from connector.clock import ManualClock
from connector.contracts import Access
from connector.errors import AuthExpired, KiitosError, Refused, Transient
from platforms.shopify import Shopify
from platforms.shopify.client import AdminClient

from .conftest import GRAPHQL, TOKEN_URL

TAGGED = {"data": {"tagsAdd": {"node": {"id": "gid://shopify/Order/1"}, "userErrors": []}}}
UNNOTED = {"data": {"order": {"id": "gid://shopify/Order/1", "note": None}}}


def throttled(requested: float, available: float, rate: float = 100.0) -> dict[str, Any]:
    status = {"maximumAvailable": 2000, "currentlyAvailable": available, "restoreRate": rate}
    return {
        "errors": [{"message": "Throttled", "extensions": {"code": "THROTTLED"}}],
        "extensions": {"cost": {"requestedQueryCost": requested, "throttleStatus": status}},
    }


def test_a_short_throttle_is_waited_for(
    api: responses.RequestsMock, shopify: Shopify, access: Access, clock: ManualClock
) -> None:
    api.post(GRAPHQL, json=throttled(150, 50))
    api.post(GRAPHQL, json=TAGGED)
    before = clock.monotonic()
    shopify.add_tag(access, "1", "kiitos")
    assert clock.monotonic() - before == pytest.approx(1.0)
    assert len(api.calls) == 2


def test_a_long_throttle_goes_back_to_the_queue(
    api: responses.RequestsMock, shopify: Shopify, access: Access, clock: ManualClock
) -> None:
    api.post(GRAPHQL, json=throttled(1000, 0))
    with pytest.raises(Transient) as caught:
        shopify.add_tag(access, "1", "kiitos")
    assert caught.value.retry_after == pytest.approx(10.0)
    assert not caught.value.maybe_done
    assert clock.monotonic() == 0.0


def test_throttling_without_end_gives_up(api: responses.RequestsMock, shopify: Shopify, access: Access) -> None:
    for _ in range(3):
        api.post(GRAPHQL, json={"errors": [{"extensions": {"code": "THROTTLED"}}]})
    with pytest.raises(Transient, match="throttled"):
        shopify.add_tag(access, "1", "kiitos")


def test_429_to_a_write_is_not_repeated(api: responses.RequestsMock, shopify: Shopify, access: Access) -> None:
    api.post(GRAPHQL, status=429, headers={"Retry-After": "2.0"})
    with pytest.raises(Transient) as caught:
        shopify.add_tag(access, "1", "kiitos")
    assert caught.value.retry_after == 2.0
    assert not caught.value.maybe_done


def test_reads_are_repeated_and_writes_are_not(api: responses.RequestsMock, shopify: Shopify, access: Access) -> None:
    api.post(GRAPHQL, status=503)
    api.post(GRAPHQL, json=UNNOTED)
    api.post(GRAPHQL, status=502)
    with pytest.raises(Transient) as caught:
        shopify.add_note(access, "1", "hello", key="k")
    assert caught.value.maybe_done
    assert len(api.calls) == 3


@pytest.mark.parametrize(
    ("status", "kind"),
    [(401, AuthExpired), (403, AuthExpired), (402, AuthExpired), (404, Refused), (430, Transient), (302, Refused)],
)
def test_statuses_say_who_must_act(
    api: responses.RequestsMock, shopify: Shopify, access: Access, status: int, kind: type[KiitosError]
) -> None:
    api.post(GRAPHQL, status=status, headers={"Location": "https://elsewhere.example/"})
    with pytest.raises(kind):
        shopify.add_tag(access, "1", "kiitos")
    assert len(api.calls) == 1


@pytest.mark.parametrize(
    ("answer", "kind", "code"),
    [
        ({"errors": [{"extensions": {"code": "ACCESS_DENIED"}}]}, Refused, "ACCESS_DENIED"),
        ({"errors": [{"extensions": {"code": "SHOP_INACTIVE"}}]}, AuthExpired, ""),
        ({"errors": [{"extensions": {"code": "INTERNAL_SERVER_ERROR"}}]}, Transient, ""),
        ({"errors": [{"message": "Field 'x' doesn't exist"}]}, Refused, ""),
        ({"errors": "[API] Invalid"}, Refused, ""),
        ({"data": None}, Transient, ""),
        ({"data": {"tagsAdd": None}}, Transient, ""),
        ([], Transient, ""),
    ],
)
def test_top_level_errors(
    api: responses.RequestsMock, shopify: Shopify, access: Access, answer: Any, kind: type[KiitosError], code: str
) -> None:
    api.post(GRAPHQL, json=answer)
    with pytest.raises(kind) as caught:
        shopify.add_tag(access, "1", "kiitos")
    assert getattr(caught.value, "provider_code", "") == code


def test_an_answer_that_is_no_json_may_have_been_done(
    api: responses.RequestsMock, shopify: Shopify, access: Access
) -> None:
    api.post(GRAPHQL, body="<html>oops", content_type="text/html")
    with pytest.raises(Transient) as caught:
        shopify.add_tag(access, "1", "kiitos")
    assert caught.value.maybe_done


def test_user_errors_are_refused_with_the_code_and_without_the_text(
    api: responses.RequestsMock, shopify: Shopify, access: Access
) -> None:
    error = {"field": ["id"], "message": "aino@example.test does not exist"}
    api.post(GRAPHQL, json={"data": {"tagsAdd": {"node": None, "userErrors": [error]}}})
    with pytest.raises(Refused) as caught:
        shopify.add_tag(access, "1", "kiitos")
    assert caught.value.provider_code == "USER_ERROR"
    assert "aino" not in str(caught.value)
    assert "at id" in str(caught.value)


def test_a_write_that_times_out_may_have_been_done(
    api: responses.RequestsMock, shopify: Shopify, access: Access
) -> None:
    api.post(GRAPHQL, body=requests.exceptions.ReadTimeout())
    with pytest.raises(Transient) as caught:
        shopify.add_tag(access, "1", "kiitos")
    assert caught.value.maybe_done


def grant(value: str, seconds: int = 86399) -> dict[str, Any]:
    return {"access_token": value, "scope": "read_orders", "expires_in": seconds}


def test_client_credentials_are_granted_once_and_renewed_in_time(
    api: responses.RequestsMock, shopify: Shopify, granted: Access, clock: ManualClock
) -> None:
    api.post(
        TOKEN_URL,
        json=grant("token-1"),
        match=[
            responses.matchers.urlencoded_params_matcher(
                {"grant_type": "client_credentials", "client_id": "id-1", "client_secret": "secret-1"}
            )
        ],
    )
    bearing = responses.matchers.header_matcher
    api.post(GRAPHQL, json=TAGGED, match=[bearing({"X-Shopify-Access-Token": "token-1"})])
    api.post(GRAPHQL, json=TAGGED, match=[bearing({"X-Shopify-Access-Token": "token-1"})])
    shopify.add_tag(granted, "1", "a")
    shopify.add_tag(granted, "1", "b")
    clock.advance(timedelta(hours=23, minutes=57))
    api.post(TOKEN_URL, json=grant("token-2"))
    api.post(GRAPHQL, json=TAGGED, match=[bearing({"X-Shopify-Access-Token": "token-2"})])
    shopify.add_tag(granted, "1", "c")
    assert len(api.calls) == 5


def test_a_granted_token_that_is_refused_is_renewed_once(
    api: responses.RequestsMock, shopify: Shopify, granted: Access
) -> None:
    api.post(TOKEN_URL, json=grant("token-1"))
    api.post(GRAPHQL, status=401)
    api.post(TOKEN_URL, json=grant("token-2"))
    api.post(GRAPHQL, json=TAGGED)
    shopify.add_tag(granted, "1", "a")
    assert len(api.calls) == 4


def test_a_given_token_that_is_refused_is_the_merchants_to_renew(
    api: responses.RequestsMock, shopify: Shopify, access: Access
) -> None:
    api.post(GRAPHQL, status=401)
    with pytest.raises(AuthExpired):
        shopify.add_tag(access, "1", "a")


def test_refused_client_credentials(api: responses.RequestsMock, shopify: Shopify, granted: Access) -> None:
    api.post(TOKEN_URL, status=400, json={"error": "invalid_client"})
    with pytest.raises(AuthExpired, match="connect the shop again"):
        shopify.add_tag(granted, "1", "a")


def test_without_credentials_nothing_is_called(shopify: Shopify, access: Access) -> None:
    with responses.RequestsMock() as nothing:
        with pytest.raises(AuthExpired, match="neither access_token"):
            shopify.add_tag(replace(access, secrets={}), "1", "a")
        assert len(nothing.calls) == 0


@pytest.mark.parametrize(
    "domain", ["tuoksu.example", "a.myshopify.com@evil.example", "evil.example/a.myshopify.com", ""]
)
def test_a_token_goes_to_no_other_host(shopify: Shopify, access: Access, domain: str) -> None:
    with responses.RequestsMock():
        wrong = replace(access, shop=replace(access.shop, domain=domain))
        with pytest.raises(Refused) as caught:
            shopify.add_tag(wrong, "1", "a")
    assert caught.value.provider_code == "SHOP_DOMAIN"


def test_a_base_url_replaces_the_shops_host(shopify: Shopify, access: Access) -> None:
    with responses.RequestsMock() as api:
        api.post("http://127.0.0.1:9999/admin/api/2026-10/graphql.json", json=TAGGED)
        shopify.add_tag(replace(access, base_url="http://127.0.0.1:9999/"), "1", "a")
        assert len(api.calls) == 1


def test_nothing_secret_or_personal_is_logged(
    api: responses.RequestsMock, shopify: Shopify, granted: Access, caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level(logging.DEBUG)
    api.post(TOKEN_URL, json=grant("token-1"))
    api.post(GRAPHQL, json={"data": {"order": {"id": "gid://shopify/Order/1", "note": "aino@example.test"}}})
    api.post(GRAPHQL, status=500, json={"note": "aino@example.test"})
    with pytest.raises(Transient) as caught:
        shopify.add_note(granted, "1", "hello", key="k")
    told = caplog.text + str(caught.value) + repr(granted) + repr(shopify._client._grants)
    assert not [word for word in ("secret-1", "token-1", "aino", "hello") if word in told]


def test_closing_twice_is_fine() -> None:
    client = AdminClient()
    client.close()
    client.close()
    assert client._grants == {}


def test_calls_carry_the_version_and_the_variables(
    api: responses.RequestsMock, shopify: Shopify, access: Access
) -> None:
    api.post(GRAPHQL, json=TAGGED)
    shopify.add_tag(access, "9007199254740993", "kiitos")
    sent = json.loads(api.calls[0].request.body or b"")
    assert sent["variables"] == {"id": "gid://shopify/Order/9007199254740993", "tags": ["kiitos"]}
    assert sent["query"].startswith("mutation TagsAdd")
