"""The query roots: what each field of QueryRoot gives. A missing one is refused loudly (see execution)."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from datetime import datetime
from typing import TYPE_CHECKING, Any

from graphql import GraphQLError

from connector.testing.fakes.shopify import bulk, scopes, search
from connector.testing.fakes.shopify.order_views import FulfillmentView, OrderView, RefundView
from connector.testing.fakes.shopify.schema import API_VERSION
from connector.testing.fakes.shopify.state import Json, gid
from connector.testing.fakes.shopify.views import (
    CustomerView,
    DiscountNodeView,
    MetaobjectView,
    ProductView,
    SubscriptionView,
    View,
    connection,
    topic_enum,
)

if TYPE_CHECKING:
    from connector.testing.fakes.shopify.shop import FakeShopify

SORT_KEYS = {"CREATED_AT": "created_at", "UPDATED_AT": "updated_at", "PROCESSED_AT": "processed_at", "ID": "id"}


def number_of(text: str, kind: str) -> int:
    """The number in a global id of that kind. Raises Shopify's errors for a malformed or foreign id."""
    parts = text.split("/")
    if len(parts) != 5 or not text.startswith("gid://shopify/") or not parts[4].split("?")[0].isdigit():
        raise GraphQLError(f"Invalid global id '{text}'", extensions={"code": "argumentLiteralsIncompatible"})
    if parts[3] != kind:
        raise GraphQLError(f"Invalid id: {text}", extensions={"code": "RESOURCE_NOT_FOUND"})
    return int(parts[4].split("?")[0])


def _one(rows: Mapping[int, Any], view: type[View], kind: str) -> Callable[..., View | None]:
    def query(shop: FakeShopify, id: str) -> View | None:  # noqa: A002
        row = rows.get(number_of(id, kind))
        return view(shop, row) if row is not None else None

    return query


def orders(shop: FakeShopify, query: str | None = None, sort_key: str = "PROCESSED_AT", **args: Any) -> Json:
    """The orders a search finds, by the sort key and then by id."""
    name = SORT_KEYS.get(sort_key or "PROCESSED_AT")
    if name is None:
        raise GraphQLError(f"the fake cannot sort orders by {sort_key}", extensions={"code": "FAKE_GAP"})
    now = shop.clock.now()
    seen = [row for number, row in shop.orders.items() if shop.listed_from.get(number, now) <= now]
    found = [row for row in seen if search.matches(row, query)]
    found.sort(key=lambda row: (row["id"] if name == "id" else datetime.fromisoformat(row[name]), row["id"]))
    return connection([OrderView(shop, row) for row in found], lambda view: view.row["id"], **args)


def customers(shop: FakeShopify, query: str | None = None, sort_key: str | None = None, **args: Any) -> Json:
    wanted = (query or "").removeprefix("email:").strip("'\"").lower()
    found = [row for row in shop.customers.values() if not wanted or (row["email"] or "").lower() == wanted]
    if query and not query.startswith("email:"):
        found = [row for row in shop.customers.values() if search.matches(row, query)]
    found = _by_time(found, sort_key)
    return connection([CustomerView(shop, row) for row in found], lambda view: view.row["id"], **args)


def customer_by_identifier(shop: FakeShopify, identifier: Json) -> CustomerView | None:
    if "id" in identifier:
        row = shop.customers.get(number_of(identifier["id"], "Customer"))
    elif "phoneNumber" in identifier:
        number = identifier["phoneNumber"]
        row = next((one for one in shop.customers.values() if one["phone"] == number), None)
    else:
        row = shop.customer_by_email(identifier.get("emailAddress"))
    return CustomerView(shop, row) if row else None


def products(shop: FakeShopify, query: str | None = None, sort_key: str | None = None, **args: Any) -> Json:
    found = _by_time([row for row in shop.products.values() if search.matches(row, query)], sort_key)
    return connection([ProductView(shop, row) for row in found], lambda view: view.row["id"], **args)


def _by_time(rows: list[Json], sort_key: str | None) -> list[Json]:
    if sort_key != "UPDATED_AT":
        return rows
    return sorted(rows, key=lambda row: (datetime.fromisoformat(row["updated_at"]), row["id"]))


def _count(rows: list[Json]) -> Json:
    return {"count": len(rows), "precision": "EXACT"}


def orders_count(shop: FakeShopify, query: str | None = None, **args: Any) -> Json:
    return _count([row for row in shop.orders.values() if search.matches(row, query)])


def customers_count(shop: FakeShopify, **args: Any) -> Json:
    return _count(list(shop.customers.values()))


def products_count(shop: FakeShopify, **args: Any) -> Json:
    return _count(list(shop.products.values()))


def nodes(shop: FakeShopify, ids: list[str]) -> list[Any]:
    """Several objects at once, in the order asked; null for what is not there. Each kind needs its own scope."""
    for kind in {each.split("/")[3] for each in ids if each.count("/") == 4} & set(scopes.TYPES):
        shop.require_scope(scopes.TYPES[kind], "nodes")
    return [node(shop, each) or None for each in ids]


def code_discount_node_by_code(shop: FakeShopify, code: str) -> DiscountNodeView | None:
    discount = shop.discount_by_code(code)
    return DiscountNodeView(shop, shop.discounts[discount.id]) if discount else None


def code_discount_node(shop: FakeShopify, id: str) -> DiscountNodeView | None:  # noqa: A002
    discount = shop.discounts.get(number_of(id, "DiscountCodeNode"))
    return DiscountNodeView(shop, discount) if discount else None


def metaobject(shop: FakeShopify, id: str) -> MetaobjectView | None:  # noqa: A002
    row = shop.metaobjects.get(number_of(id, "Metaobject"))
    return MetaobjectView(shop, row) if row else None


def metaobject_by_handle(shop: FakeShopify, handle: Json) -> MetaobjectView | None:
    row = shop.metaobject_by_handle(handle["type"], handle["handle"])
    return MetaobjectView(shop, row) if row else None


def webhook_subscriptions(
    shop: FakeShopify, topics: list[str] | None = None, uri: str | None = None, **args: Any
) -> Json:
    found = [
        SubscriptionView(shop, row)
        for row in shop.subscriptions.values()
        if (topics is None or topic_enum(row.topic) in topics) and uri in (None, row.uri)
    ]
    for unused in ("query", "sort_key", "format", "callback_url"):
        args.pop(unused, None)
    return connection(found, lambda view: view.row.id, **args)


def shop_of(shop: FakeShopify) -> Json:
    """The shop itself."""
    home: Json = {"address1": "Keksittykatu 1", "city": "Helsinki", "zip": "00100", "country": "Finland"}
    home.update(dict.fromkeys(("address2", "phone", "province", "province_code")))
    home.update(company=shop.name, country_code_v2=shop.country, formatted=["Keksittykatu 1", "00100 Helsinki"])
    home.update(id=gid("ShopAddress", shop.shop_id))
    return {
        "id": gid("Shop", shop.shop_id),
        "name": shop.name,
        "myshopify_domain": shop.domain,
        "primary_domain": {
            "id": gid("Domain", 1),
            "host": shop.domain,
            "url": f"https://{shop.domain}",
            "ssl_enabled": True,
        },
        "url": f"https://{shop.domain}",
        "email": shop.email,
        "contact_email": shop.email,
        "currency_code": shop.currency,
        "enabled_presentment_currencies": [shop.currency],
        "iana_timezone": shop.timezone.key,
        "plan": {"public_display_name": "Basic", "partner_development": False, "shopify_plus": False},
        "billing_address": home,
        "shop_address": home,
        "shop_owner_name": "Keksi Kauppias",
        "taxes_included": True,
    }


def current_app_installation(shop: FakeShopify) -> Json:
    return {
        "id": gid("AppInstallation", 1),
        "access_scopes": [{"handle": scope, "description": scope} for scope in sorted(shop.scopes)],
    }


def public_api_versions(shop: FakeShopify) -> list[Json]:
    return [{"handle": API_VERSION, "display_name": API_VERSION, "supported": True}]


def node(shop: FakeShopify, id: str) -> Any:  # noqa: A002
    """Any object by its global id, through the field that gives its kind."""
    kind = id.split("/")[3] if id.count("/") == 4 else ""
    singles = single_objects(shop)
    name = {"DiscountCodeNode": "code_discount_node", "Metaobject": "metaobject"}.get(kind, kind[:1].lower() + kind[1:])
    found = singles.get(name) or QUERIES.get(name)
    return found(shop, id=id) if found else number_of(id, kind) and None


def single_objects(shop: FakeShopify) -> Mapping[str, Callable[..., Any]]:
    """The fields that take nothing but an id."""
    return {
        "order": _one(shop.orders, OrderView, "Order"),
        "customer": _one(shop.customers, CustomerView, "Customer"),
        "product": _one(shop.products, ProductView, "Product"),
        "fulfillment": _one(shop.fulfillments, FulfillmentView, "Fulfillment"),
        "refund": _one(shop.refunds, RefundView, "Refund"),
    }


QUERIES: Mapping[str, Callable[..., Any]] = {
    "orders": orders,
    "customers": customers,
    "customer_by_identifier": customer_by_identifier,
    "products": products,
    "code_discount_node_by_code": code_discount_node_by_code,
    "code_discount_node": code_discount_node,
    "metaobject": metaobject,
    "metaobject_by_handle": metaobject_by_handle,
    "webhook_subscriptions": webhook_subscriptions,
    "shop": shop_of,
    "current_app_installation": current_app_installation,
    "public_api_versions": public_api_versions,
    "node": node,
    "nodes": nodes,
    "orders_count": orders_count,
    "customers_count": customers_count,
    "products_count": products_count,
    "bulk_operation": bulk.operation,
}
