"""Which access scopes each capability needs, as the 2026-10 documentation says (facts/shopify.md section 3.1).

A test compares this table with `required_access.json` where that is at hand. Of each group one scope is enough.
"""

from __future__ import annotations

from abc import ABC
from collections.abc import Mapping, Sequence

from connector.contracts import (
    Access,
    CreatesCodes,
    CreatesDiscounts,
    FetchesOrders,
    GrantsStoreCredit,
    IssuesGiftCards,
    OpensReturns,
    PublishesRatings,
    PublishesReviews,
    RevisesReviews,
    TagsCustomers,
    TellsCreditUse,
    TellsScopes,
    VoidsCodes,
    VoidsGiftCards,
    VoidsStoreCredit,
    WritesConsent,
    WritesMeta,
    WritesOrders,
    WritesShipmentEvents,
)
from platforms.shopify.calls import Calls

SCOPES: Mapping[type[ABC], Sequence[Sequence[str]]] = {
    CreatesDiscounts: (("write_discounts",),),
    CreatesCodes: (("write_discounts",),),
    WritesOrders: (("write_orders",),),
    WritesMeta: (("write_orders", "write_customers", "write_products"),),
    FetchesOrders: (("read_orders",),),
    PublishesReviews: (("write_metaobjects",),),
    PublishesRatings: (("write_products",),),
    RevisesReviews: (("write_metaobjects",),),
    TagsCustomers: (("write_customers",),),
    WritesConsent: (("write_customers",),),
    WritesShipmentEvents: (("write_fulfillments",),),
    GrantsStoreCredit: (
        ("write_store_credit_account_transactions",),
        ("read_store_credit_account_transactions", "write_store_credit_account_transactions"),
        ("read_store_credit_accounts",),
    ),
    TellsCreditUse: (
        ("read_store_credit_account_transactions", "write_store_credit_account_transactions"),
        ("read_store_credit_accounts",),
        ("read_orders",),
    ),
    IssuesGiftCards: (("write_gift_cards",),),
    OpensReturns: (("write_returns",), ("read_orders",)),
    VoidsCodes: (("write_discounts",),),
    VoidsGiftCards: (("write_gift_cards",),),
    VoidsStoreCredit: (("write_store_credit_account_transactions",), ("read_store_credit_accounts",)),
}


class Scopes(Calls, TellsScopes):
    """What the app may do in a shop."""

    def granted_scopes(self, access: Access) -> Sequence[str]:
        """currentAppInstallation.accessScopes. A scope `write_x` holds `read_x`, which is added."""
        data = self._client.query(access, "granted_scopes", {})
        rows = (data.get("currentAppInstallation") or {}).get("accessScopes") or ()
        handles = {str(row.get("handle")) for row in rows}
        return tuple(sorted(handles | {handle.replace("write_", "read_", 1) for handle in handles}))

    def scopes_for(self, capability: type[ABC]) -> Sequence[Sequence[str]]:
        return SCOPES.get(capability, ())
