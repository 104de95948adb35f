"""The fake Shopify's API: the real schema decides, scopes and cost are enforced, tokens lapse."""

from __future__ import annotations

import json
import re
from collections.abc import Iterator
from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest
import requests

from connector.clock import ManualClock
from connector.testing.fakes.people import AINO, BEANS, EERO, MUG
from connector.testing.fakes.shopify import CheckoutRefused, FakeShopify, FakeUnavailable, Trouble, find_schema
from connector.testing.fakes.shopify import scopes as scope_rules
from connector.testing.fakes.shopify.order_views import sent_line_id
from connector.testing.fakes.shopify.returns import ask_in_shop

Json = dict[str, Any]
ALL = (
    "write_orders",
    "write_customers",
    "read_products",
    "write_discounts",
    "write_metaobjects",
    "write_returns",
    "write_fulfillments",
    "read_fulfillments",
    "write_products",
    "write_gift_cards",
    "write_store_credit_account_transactions",
    "read_store_credit_accounts",
)
OPERATIONS = Path(__file__).resolve().parents[2] / "platforms" / "shopify" / "operations"


@pytest.fixture
def shop(clock: ManualClock) -> Iterator[FakeShopify]:
    running = FakeShopify(clock, "keksi.myshopify.com", "client", "hush", ALL)
    try:
        running.start()
    except FakeUnavailable as missing:
        pytest.skip(str(missing))
    yield running
    running.stop()


class Admin:
    """A client of the simplest kind."""

    def __init__(self, shop: FakeShopify) -> None:
        self.shop = shop
        self.token = shop.issue_token()

    def post(self, query: str, **variables: Any) -> requests.Response:
        return self.send(query, variables)

    def send(self, query: str, variables: Json) -> requests.Response:
        return requests.post(
            f"{self.shop.url}/admin/api/2026-10/graphql.json",
            json={"query": query, "variables": variables},
            headers={"X-Shopify-Access-Token": self.token},
            timeout=10,
        )

    def __call__(self, query: str, **variables: Any) -> Json:
        response = self.post(query, **variables)
        assert response.status_code == 200
        answer: Json = response.json()
        return answer


@pytest.fixture
def admin(shop: FakeShopify) -> Admin:
    return Admin(shop)


CREATE = """mutation ($d: DiscountCodeBasicInput!) { discountCodeBasicCreate(basicCodeDiscount: $d) {
  codeDiscountNode { id codeDiscount { ... on DiscountCodeBasic { title status usageLimit
    codes(first: 1) { nodes { code } }
    customerGets { value { __typename ... on DiscountPercentage { percentage } } } } } }
  userErrors { field code message } } }"""


def basic(**changes: Any) -> Json:
    value = {"percentage": 0.1}
    gets = {"value": value, "items": {"all": True}}
    base: Json = {"code": "KIITOS-1", "title": "Kiitos", "startsAt": "2026-11-23T00:00:00Z", "usageLimit": 1}
    return {**base, "customerGets": gets, "context": {"all": "ALL"}, **changes}


def create(admin: Admin, **changes: Any) -> Json:
    answer: Json = admin(CREATE, d=basic(**changes))["data"]["discountCodeBasicCreate"]
    return answer


def codes(payload: Json) -> list[str]:
    return [error["code"] for error in payload["userErrors"]]


# --- tokens ---


def test_client_credentials_give_a_token_of_a_day(shop: FakeShopify, clock: ManualClock) -> None:
    form = {"grant_type": "client_credentials", "client_id": "client", "client_secret": "hush"}
    answer = requests.post(f"{shop.url}/admin/oauth/access_token", data=form, timeout=10).json()
    assert answer["expires_in"] == 86399
    assert set(answer["scope"].split(",")) == set(ALL)
    client = Admin(shop)
    client.token = answer["access_token"]
    assert client("{ shop { name } }")["data"] == {"shop": {"name": "Keksitty kauppa"}}
    clock.advance(timedelta(hours=24))
    assert client.post("{ shop { name } }").status_code == 401


def test_wrong_secret_and_wrong_token(shop: FakeShopify) -> None:
    form = {"grant_type": "client_credentials", "client_id": "client", "client_secret": "guess"}
    assert requests.post(f"{shop.url}/admin/oauth/access_token", data=form, timeout=10).status_code == 401
    client = Admin(shop)
    shop.revoke_tokens()
    refused = client.post("{ shop { name } }")
    assert refused.status_code == 401
    assert "Invalid API key or access token" in refused.json()["errors"]


# --- the schema decides ---


def test_unknown_field_is_refused_in_shopifys_words(admin: Admin) -> None:
    answer = admin("{ shop { name nickname } }")
    assert "data" not in answer
    assert answer["errors"][0]["message"] == "Field 'nickname' doesn't exist on type 'Shop'"
    assert answer["errors"][0]["extensions"]["code"] == "undefinedField"


def test_bad_variable_and_bad_syntax_and_bad_body(admin: Admin) -> None:
    wrong = admin(CREATE, d={**basic(), "kood": "x"})
    assert wrong["errors"][0]["extensions"]["code"] == "INVALID_VARIABLE"
    assert admin("{ shop {")["errors"]
    url = f"{admin.shop.url}/admin/api/2026-10/graphql.json"
    assert (
        requests.post(url, data=b"[]", headers={"X-Shopify-Access-Token": admin.token}, timeout=10).status_code == 400
    )
    assert requests.post(url.replace("2026-10", "2020-01"), json={}, timeout=10).status_code == 404


def without(given: Json, key: str) -> Json:
    return {name: value for name, value in given.items() if name != key}


def test_our_operations_run_without_a_gap(admin: Admin) -> None:
    """Every operation the adapter ships is valid and answered by the fake."""
    shop = admin.shop
    order = shop.place_order([(MUG, 2), (BEANS, 1)], AINO, attributes={"ref": "x"})
    shop.carrier_event(shop.fulfill(order), "delivered")
    shop.refund(order, [(order["line_items"][0], 1)])
    create(admin)
    gid = order["admin_graphql_api_id"]
    customer = order["customer"]["admin_graphql_api_id"]
    parcel = next(iter(shop.fulfillments.values()))["admin_graphql_api_id"]
    rule = f"gid://shopify/DiscountCodeNode/{next(iter(shop.discounts))}"
    money = {"amount": "5.00", "currencyCode": "EUR"}
    values = {
        "id": gid,
        "code": "KIITOS-1",
        "key": "tier",
        "tags": ["kiitos"],
        "discount": basic(code="KIITOS-2"),
        "input": {"id": gid, "note": "hei"},
        "handle": {"type": "$app:review", "handle": "r1"},
        "review": {"fields": [{"key": "rating", "value": "5"}]},
        "query": "updated_at:>='2026-01-01T00:00:00Z'",
        "orders": "created_at:>='2026-01-01T00:00:00Z'",
        "sort": "UPDATED_AT",
        "ids": [customer],
        "topic": "ORDERS_CREATE",
        "webhook": {"uri": "https://a.example/hooks/shopify/k", "format": "JSON"},
        "identifier": {"emailAddress": AINO.email},
        "credit": {"creditAmount": money},
        "card": {"initialAmount": money, "code": "KIITOS1234"},
        "codes": [{"code": "KIITOS-1-B"}],
        "metafields": [{"ownerId": gid, "key": "tier", "value": "gold", "type": "single_line_text_field"}],
        "event": {"fulfillmentId": parcel, "status": "IN_TRANSIT"},
    }
    consent = {"marketingState": "UNSUBSCRIBED"}
    waiting = ask_in_shop(shop, order, [(order["line_items"][0], 1)])
    beans = sent_line_id(next(iter(shop.fulfillments.values())), 1)
    inside = (OPERATIONS / "bulk_orders.graphql").read_text("utf-8")
    own: dict[str, Json] = {
        "bulk_run": {"query": inside.replace("SINCE", "2026-01-01").replace("UNTIL", "2027-01-01")},
        "bulk_poll": {"id": "gid://shopify/BulkOperation/1"},
        "customer_tags": {"id": customer},
        "discount_codes_add": {"id": rule},
        "discount_code_free_shipping_create": {
            "discount": {**without(basic(code="KIITOS-3"), "customerGets"), "destination": {"all": True}}
        },
        "discount_deactivate": {"id": rule},
        "discount_codes_added": {"id": "gid://shopify/DiscountRedeemCodeBulkCreation/1"},
        "email_consent_update": {"input": {"customerId": customer, "emailMarketingConsent": consent}},
        "rating": {"id": f"gid://shopify/Product/{next(iter(shop.products))}"},
        "return_approve": {"input": {"id": f"gid://shopify/Return/{waiting['id']}"}},
        "return_create": {
            "return": {"orderId": gid, "returnLineItems": [{"fulfillmentLineItemId": beans, "quantity": 1}]}
        },
        "shipment_events": {"id": parcel},
        "sms_consent_update": {"input": {"customerId": customer, "smsMarketingConsent": consent}},
        "store_credit": {"id": customer},
        "store_credit_accounts": {"id": customer},
        "store_credit_debit": {"id": customer, "debit": {"debitAmount": money}},
        "store_credit_transactions": {"id": "gid://shopify/StoreCreditAccount/1"},
        "store_credit_use": {"id": "gid://shopify/StoreCreditAccount/1"},
    }
    files = sorted(
        OPERATIONS.glob("*.graphql"), key=lambda path: (path.stem in ("webhook_delete", "review_delete"), path)
    )
    assert files
    for path in files:
        if path.stem in ("bulk_orders", "bulk_customers", "bulk_products"):
            continue  # the insides of bulk operations, which bulk_run sends
        if path.stem in ("webhook_update", "webhook_delete"):
            own[path.stem] = {"id": f"gid://shopify/WebhookSubscription/{next(iter(shop.subscriptions))}"}
        if path.stem == "review_delete":
            own[path.stem] = {"id": f"gid://shopify/Metaobject/{next(iter(shop.metaobjects), '1')}"}
        if path.stem == "gift_card_deactivate":
            own[path.stem] = {"id": f"gid://shopify/GiftCard/{next(iter(shop.gift_cards))}"}
        given = {**values, **own.get(path.stem, {})}
        answer = admin.send(path.read_text("utf-8"), {n: given[n] for n in _variables(path) if n in given}).json()
        assert "errors" not in answer, (path.name, answer["errors"])
        for payload in answer["data"].values():
            assert not (isinstance(payload, dict) and payload.get("userErrors")), (path.name, payload)
    assert shop.gaps == []


def _variables(path: Path) -> list[str]:
    return re.findall(r"\$(\w+):", path.read_text("utf-8"))


def test_a_field_the_fake_does_not_know_is_an_error_not_a_null(admin: Admin) -> None:
    answer = admin("{ shop { currencyFormats { moneyFormat } } }")
    assert answer["errors"][0]["extensions"]["code"] == "FAKE_GAP"
    assert admin.shop.gaps == ["the fake Shopify has no answer for Shop.currencyFormats"]


def test_order_as_graphql_shows_it(admin: Admin) -> None:
    order = admin.shop.place_order([(MUG, 2), (BEANS, 1)], AINO)
    parcel = admin.shop.fulfill(order, [(order["line_items"][0], 2)])
    admin.shop.carrier_event(parcel, "delivered")
    query = """query ($id: ID!) { order(id: $id) { name displayFinancialStatus displayFulfillmentStatus createdAt
      totalPriceSet { shopMoney { amount currencyCode } }
      customer { id defaultEmailAddress { emailAddress marketingState } }
      lineItems(first: 1) { nodes { title quantity } pageInfo { hasNextPage endCursor } }
      fulfillments(first: 5) { displayStatus deliveredAt trackingInfo(first: 5) { number } } } }"""
    found = admin(query, id=order["admin_graphql_api_id"])["data"]["order"]
    assert found["displayFulfillmentStatus"] == "PARTIALLY_FULFILLED"
    assert found["createdAt"] == "2026-11-23T08:00:00Z"
    assert found["totalPriceSet"]["shopMoney"] == {"amount": "37.23", "currencyCode": "EUR"}
    assert found["customer"]["defaultEmailAddress"]["marketingState"] == "NOT_SUBSCRIBED"
    assert found["lineItems"]["pageInfo"]["hasNextPage"] is True
    assert found["fulfillments"][0] == {
        "displayStatus": "DELIVERED",
        "deliveredAt": "2026-11-23T08:00:00Z",
        "trackingInfo": [{"number": "JJFI66100000000000001"}],
    }


def test_pages_follow_one_another_and_search_filters(admin: Admin, clock: ManualClock) -> None:
    for _ in range(3):
        admin.shop.place_order([(BEANS, 1)], AINO)
        clock.advance(timedelta(minutes=1))
    query = """query ($q: String, $after: String) { orders(first: 2, after: $after, query: $q, sortKey: UPDATED_AT) {
      nodes { name } pageInfo { hasNextPage endCursor } } }"""
    first = admin(query)["data"]["orders"]
    second = admin(query, after=first["pageInfo"]["endCursor"])["data"]["orders"]
    assert [n["name"] for n in first["nodes"] + second["nodes"]] == ["#1001", "#1002", "#1003"]
    assert (first["pageInfo"]["hasNextPage"], second["pageInfo"]["hasNextPage"]) == (True, False)
    late = admin(query, q="updated_at:>'2026-11-23T08:01:00Z' status:any")["data"]["orders"]["nodes"]
    assert [n["name"] for n in late] == ["#1003"]
    assert admin("{ orders { nodes { name } } }")["errors"][0]["message"] == "you must provide one of first or last"


def test_malformed_foreign_and_unknown_ids(admin: Admin) -> None:
    query = "query ($id: ID!) { order(id: $id) { name } }"
    assert "Invalid global id" in admin(query, id="7")["errors"][0]["message"]
    assert admin(query, id="gid://shopify/Customer/7")["errors"][0]["extensions"]["code"] == "RESOURCE_NOT_FOUND"
    assert admin(query, id="gid://shopify/Order/7")["data"] == {"order": None}


# --- discounts ---


def test_a_code_is_made_looked_up_used_and_taken(admin: Admin) -> None:
    made = create(admin)
    assert made["userErrors"] == []
    assert made["codeDiscountNode"]["codeDiscount"]["codes"]["nodes"] == [{"code": "KIITOS-1"}]
    again = create(admin, code="kiitos-1")
    assert (again["codeDiscountNode"], codes(again)) == (None, ["TAKEN"])
    found = admin('{ codeDiscountNodeByCode(code: "kIItos-1") { id } }')["data"]["codeDiscountNodeByCode"]
    assert found["id"] == made["codeDiscountNode"]["id"]
    order = admin.shop.place_order([(MUG, 1)], AINO, discount_code="KIITOS-1")
    assert order["discount_codes"][0]["code"] == "KIITOS-1"
    with pytest.raises(CheckoutRefused):
        admin.shop.place_order([(MUG, 1)], EERO, discount_code="KIITOS-1")


@pytest.mark.parametrize(
    ("changes", "code"),
    [
        ({"title": " "}, "BLANK"),
        ({"title": None}, "BLANK"),
        ({"title": "x" * 256}, "TOO_LONG"),
        ({"code": ""}, "BLANK"),
        ({"startsAt": None}, "BLANK"),
        ({"endsAt": "2026-11-22T00:00:00Z"}, "END_DATE_BEFORE_START_DATE"),
        ({"usageLimit": 0}, "GREATER_THAN"),
        ({"customerGets": {"value": {"percentage": 10}, "items": {"all": True}}}, "VALUE_OUTSIDE_RANGE"),
        ({"customerGets": {"value": {"percentage": 0.0}, "items": {"all": True}}}, "VALUE_OUTSIDE_RANGE"),
        ({"customerGets": {"value": {"discountAmount": {"amount": "0"}}, "items": {"all": True}}}, "GREATER_THAN"),
        ({"customerGets": {"value": {}, "items": {"all": True}}}, "BLANK"),
        ({"context": None}, "BLANK"),
        ({"context": {"customers": {"add": ["gid://shopify/Customer/5"]}}}, "INVALID"),
    ],
)
def test_a_bad_discount_is_refused_and_not_made(admin: Admin, changes: Json, code: str) -> None:
    refused = create(admin, **changes)
    assert codes(refused) == [code]
    assert refused["codeDiscountNode"] is None
    assert admin.shop.discounts == {}


def test_deactivate_ends_it(admin: Admin) -> None:
    made = create(admin)["codeDiscountNode"]["id"]
    mutation = "mutation ($id: ID!) { discountCodeDeactivate(id: $id) { codeDiscountNode { id } userErrors { code } } }"
    assert admin(mutation, id=made)["data"]["discountCodeDeactivate"]["userErrors"] == []
    with pytest.raises(CheckoutRefused):
        admin.shop.place_order([(MUG, 1)], AINO, discount_code="KIITOS-1")


# --- other mutations ---


def test_tags_stay_once_and_notes_replace(admin: Admin) -> None:
    order = admin.shop.place_order([(MUG, 1)], AINO, tags=["vanha"])
    gid = order["admin_graphql_api_id"]
    tags = "mutation ($id: ID!, $t: [String!]!) { tagsAdd(id: $id, tags: $t) { node { id } userErrors { message } } }"
    for _ in range(2):
        assert admin(tags, id=gid, t=["kiitos"])["data"]["tagsAdd"]["userErrors"] == []
    assert order["tags"] == "vanha, kiitos"
    assert admin(tags, id="gid://shopify/Order/1", t=["x"])["data"]["tagsAdd"]["userErrors"]
    assert admin(tags, id=gid, t=["x" * 41])["data"]["tagsAdd"]["userErrors"]
    note = "mutation ($i: OrderInput!) { orderUpdate(input: $i) { order { note tags } userErrors { message } } }"
    changed = admin(note, i={"id": gid, "note": "uusi", "tags": ["a"]})["data"]["orderUpdate"]["order"]
    assert changed == {"note": "uusi", "tags": ["a"]}


def test_metaobject_upsert_makes_one_and_names_the_app(admin: Admin) -> None:
    mutation = """mutation ($h: MetaobjectHandleInput!, $m: MetaobjectUpsertInput!) {
      metaobjectUpsert(handle: $h, metaobject: $m) { metaobject { id type rating: field(key: "rating") { value } }
      userErrors { code elementKey } } }"""
    handle = {"type": "$app:review", "handle": "r-1"}
    first = admin(mutation, h=handle, m={"fields": [{"key": "rating", "value": "4"}]})["data"]["metaobjectUpsert"]
    second = admin(mutation, h=handle, m={"fields": [{"key": "rating", "value": "5"}]})["data"]["metaobjectUpsert"]
    assert first["metaobject"]["id"] == second["metaobject"]["id"]
    assert second["metaobject"]["rating"] == {"value": "5"}
    assert second["metaobject"]["type"] == "app--77001--review"
    foreign = admin(mutation, h=handle, m={"fields": [{"key": "stars", "value": "5"}]})["data"]["metaobjectUpsert"]
    assert foreign["userErrors"] == [{"code": "UNDEFINED_OBJECT_FIELD", "elementKey": "stars"}]
    other = admin(mutation, h={"type": "$app:nope", "handle": "x"}, m={"fields": []})["data"]["metaobjectUpsert"]
    assert [e["code"] for e in other["userErrors"]] == ["UNDEFINED_OBJECT_TYPE"]


def test_subscriptions_are_made_delivered_to_and_lost(admin: Admin, receiver: Any, clock: ManualClock) -> None:
    mutation = """mutation ($t: WebhookSubscriptionTopic!, $s: WebhookSubscriptionInput!) {
      webhookSubscriptionCreate(topic: $t, webhookSubscription: $s) { webhookSubscription { id topic uri }
      userErrors { message } } }"""
    made = admin(mutation, t="ORDERS_PAID", s={"uri": receiver.url})["data"]["webhookSubscriptionCreate"]
    assert made["webhookSubscription"]["topic"] == "ORDERS_PAID"
    assert admin(mutation, t="ORDERS_PAID", s={"uri": receiver.url})["data"]["webhookSubscriptionCreate"]["userErrors"]
    assert admin(mutation, t="ORDERS_PAID", s={"uri": "http://x.test"})["data"]["webhookSubscriptionCreate"][
        "userErrors"
    ]
    receiver.always = 500
    admin.shop.place_order([(MUG, 1)], AINO)
    for _ in range(9):
        admin.shop.deliver()
        clock.advance(timedelta(hours=3))
    assert set(receiver.header("x-shopify-topic")) == {"orders/paid"}
    assert len(receiver.requests) == 9
    fresh = Admin(admin.shop)
    assert fresh("{ webhookSubscriptions(first: 5) { nodes { id } } }")["data"]["webhookSubscriptions"]["nodes"] == []


# --- scopes, cost, throttling ---


def test_a_missing_scope_is_access_denied_at_http_200(admin: Admin) -> None:
    order = admin.shop.place_order([(MUG, 1)], AINO)
    admin.shop.scopes -= {"write_orders", "write_discounts"}
    denied = admin("query ($id: ID!) { order(id: $id) { name } }", id=order["admin_graphql_api_id"])
    assert denied["data"] == {"order": None}
    assert denied["errors"][0]["extensions"]["code"] == "ACCESS_DENIED"
    assert "read_orders" in denied["errors"][0]["extensions"]["requiredAccess"]
    refused = admin(CREATE, d=basic())
    assert refused["errors"][0]["extensions"]["code"] == "ACCESS_DENIED"
    assert admin.shop.discounts == {}


def test_reading_does_not_allow_writing(admin: Admin) -> None:
    order = admin.shop.place_order([(MUG, 1)], AINO)
    admin.shop.scopes -= {"write_orders"}
    admin.shop.scopes |= {"read_orders"}
    gid = order["admin_graphql_api_id"]
    assert admin("query ($id: ID!) { order(id: $id) { name } }", id=gid)["data"]["order"] == {"name": "#1001"}
    tag = admin('mutation ($id: ID!) { tagsAdd(id: $id, tags: ["x"]) { node { id } } }', id=gid)
    assert tag["errors"][0]["extensions"]["code"] == "ACCESS_DENIED"


def test_scope_tables_agree_with_the_documentation(shared: Path) -> None:
    told = json.loads((shared / "shopify" / "required_access.json").read_text())
    fields = {**told["mutations"], **told["queries"]}
    for ours, theirs in ((scope_rules.ROOT_FIELDS, fields), (scope_rules.TYPES, told["types"])):
        for name, needed in ours.items():
            if name not in theirs:
                continue
            sentence = (theirs[name]["required_access"] or "").split("Also:")[0]
            assert set(needed) == set(re.findall(r"`(\w+)`", sentence)), name


def test_cost_is_told_before_and_after(admin: Admin) -> None:
    admin.shop.place_order([(MUG, 1)], AINO)
    answer = admin("{ orders(first: 50) { nodes { name customer { id } } } }")
    cost = answer["extensions"]["cost"]
    assert (cost["requestedQueryCost"], cost["actualQueryCost"]) == (2 + 50 * 2, 2 + 2)
    assert cost["throttleStatus"] == {"maximumAvailable": 2000.0, "currentlyAvailable": 1996, "restoreRate": 100.0}
    edges = admin("{ orders(first: 5) { edges { node { name } } } }")["extensions"]["cost"]
    assert (edges["requestedQueryCost"], edges["actualQueryCost"]) == (7, 3)
    assert admin(CREATE, d=basic())["extensions"]["cost"]["requestedQueryCost"] == 10


def test_too_dear_a_query_is_refused(admin: Admin) -> None:
    answer = admin("{ orders(first: 250) { nodes { lineItems(first: 250) { nodes { id } } } } }")
    assert answer["errors"][0]["extensions"]["code"] == "MAX_COST_EXCEEDED"


def test_an_empty_bucket_throttles_until_it_refills(admin: Admin, clock: ManualClock) -> None:
    admin.shop.bucket.spend(1995)
    throttled = admin(CREATE, d=basic())
    assert throttled["errors"][0]["extensions"]["code"] == "THROTTLED"
    assert "data" not in throttled
    status = throttled["extensions"]["cost"]["throttleStatus"]
    clock.advance(timedelta(seconds=(10 - status["currentlyAvailable"]) / status["restoreRate"]))
    assert codes(admin(CREATE, d=basic())["data"]["discountCodeBasicCreate"]) == []


# --- troubles ---


def test_troubles_on_demand(admin: Admin) -> None:
    admin.shop.trouble(Trouble(status=503, retry_after="2"), Trouble(drop=True))
    busy = admin.post("{ shop { name } }")
    assert (busy.status_code, busy.headers["Retry-After"]) == (503, "2")
    with pytest.raises(requests.ConnectionError):
        admin.post(CREATE, d=basic())
    assert [d.code for d in admin.shop.discounts.values()] == ["KIITOS-1"]
    assert codes(create(admin)) == ["TAKEN"]


def test_without_a_schema_the_reason_is_one_line(clock: ManualClock, tmp_path: Path) -> None:
    shop = FakeShopify(clock, "keksi.myshopify.com", "client", "hush", ALL, schema_path=tmp_path / "none")
    with pytest.raises(FakeUnavailable) as missing:
        shop.start()
    assert "scripts/shopify_schema.py" in str(missing.value)
    assert "\n" not in str(missing.value)


def test_without_graphql_webhooks_work_and_the_api_says_so(clock: ManualClock) -> None:
    with FakeShopify(clock, "keksi.myshopify.com", "client", "hush", ALL, graphql=False) as shop:
        shop.place_order([(MUG, 1)], AINO)
        assert shop.outbox.pending
        assert Admin(shop).post("{ shop { name } }").status_code == 501


def test_the_schema_found_is_a_file() -> None:
    found = find_schema()
    assert found is None or found.is_file()
