"""The Admin API (GraphQL) over `connector.http`, with an API key: the one place of the package that asks the network.

`authOptions.tokenMethod` of the server must hold 'api-key' (Vendure 3.6 and later).
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import requests

from connector.contracts import Access
from connector.errors import AuthExpired, Refused, Transient
from connector.http import Http

_LOST_RIGHTS = frozenset({"FORBIDDEN", "UNAUTHORIZED", "UNAUTHENTICATED"})

ORDER = """
query Order($id: ID!) {
  order(id: $id) {
    id code state createdAt updatedAt orderPlacedAt currencyCode
    subTotalWithTax shippingWithTax totalWithTax couponCodes
    customer { id firstName lastName emailAddress phoneNumber }
    shippingAddress { ...Place }
    billingAddress { ...Place }
    discounts { description amountWithTax }
    lines {
      id quantity orderPlacedQuantity proratedUnitPriceWithTax proratedLinePriceWithTax
      productVariant { id name sku product { id } }
    }
    payments {
      id state amount method createdAt updatedAt
      refunds { id state total reason createdAt updatedAt }
    }
    fulfillments { id state method trackingCode createdAt updatedAt lines { orderLineId quantity } }
  }
}
fragment Place on OrderAddress {
  fullName company streetLine1 streetLine2 city province postalCode countryCode phoneNumber
}
"""


def order(access: Access, order_id: str) -> Any:
    """The order's JSON, `None` when there is no such order. Raises `Transient`, `AuthExpired`, `Refused`."""
    if not (order_id.isascii() and order_id.replace("-", "").isalnum()):
        raise Refused("not the id of a Vendure order", provider_code="BAD_ID")
    return query(access, ORDER, {"id": order_id}).get("order")


def query(access: Access, text: str, variables: Mapping[str, Any]) -> Mapping[str, Any]:
    """Run a reading operation; its `data`. Raises `Transient`, `AuthExpired`, `Refused`."""
    key = access.secrets.get("access_token")
    if not key:
        raise AuthExpired(f"shop {access.shop.id} has no access_token: make an API key in Vendure and write it there")
    home = (access.base_url or access.shop.url or f"https://{access.shop.domain}").rstrip("/")
    http = Http(access.clock, headers={"vendure-api-key": key, "Accept": "application/json"})
    try:
        answer = http.call("POST", f"{home}/admin-api", reads=True, json={"query": text, "variables": dict(variables)})
    finally:
        http.close()
    try:
        found = answer.json()
    except requests.exceptions.JSONDecodeError:
        raise Transient("Vendure: the answer is no JSON") from None
    if not isinstance(found, dict):
        raise Transient("Vendure: the answer is no object")
    if found.get("errors"):
        raise _error(found["errors"])
    data = found.get("data")
    if not isinstance(data, dict):
        raise Transient("Vendure: an answer without data")
    return data


def _error(errors: Any) -> AuthExpired | Refused | Transient:
    """What a GraphQL error means. Its message is not quoted: it may hold a customer's data."""
    first = errors[0] if isinstance(errors, list) and errors else {}
    extensions = first.get("extensions") if isinstance(first, dict) else None
    code = str(extensions.get("code", "")) if isinstance(extensions, dict) else ""
    if code in _LOST_RIGHTS:
        return AuthExpired(f"Vendure: {code}; the API key was deleted, or its role may not read orders")
    if code == "INTERNAL_SERVER_ERROR":
        return Transient("Vendure: INTERNAL_SERVER_ERROR")
    return Refused(f"Vendure refused the query with {code or 'no code'}", provider_code=code)
