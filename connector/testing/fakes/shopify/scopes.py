"""Which access scope opens what, as the 2026-10 documentation says (`required_access.json` of shared/data).

A test compares these tables with that file. A name means: any one of these scopes; `write_x` includes `read_x`.
"""

from __future__ import annotations

from collections.abc import Collection, Mapping

Scopes = tuple[str, ...]

ROOT_FIELDS: Mapping[str, Scopes] = {
    "discountCodeBasicCreate": ("write_discounts",),
    "discountCodeFreeShippingCreate": ("write_discounts",),
    "discountCodeDeactivate": ("write_discounts",),
    "codeDiscountNodeByCode": ("read_discounts",),
    "customerByIdentifier": ("read_customers",),
    "customerEmailMarketingConsentUpdate": ("write_customers",),
    "fulfillmentEventCreate": ("write_fulfillments",),
    "metaobjectUpsert": ("write_metaobjects",),
    "metaobjectDelete": ("write_metaobjects",),
    "customerSmsMarketingConsentUpdate": ("write_customers",),
    "discountRedeemCodeBulkAdd": ("write_discounts",),
    "discountRedeemCodeBulkCreation": ("read_discounts",),
    "giftCardCreate": ("write_gift_cards",),
    "giftCardDeactivate": ("write_gift_cards",),
    "giftCards": ("read_gift_cards",),
    "storeCreditAccount": ("read_store_credit_accounts",),
    "storeCreditAccountCredit": ("write_store_credit_account_transactions",),
    "storeCreditAccountDebit": ("write_store_credit_account_transactions",),
    "returnApproveRequest": ("write_returns", "write_marketplace_returns"),
    "returnCreate": ("write_returns", "write_marketplace_returns"),
    "returnableFulfillments": ("read_returns", "read_marketplace_returns"),
    "orderUpdate": ("write_orders", "write_marketplace_orders", "write_quick_sale"),
}

TYPES: Mapping[str, Scopes] = {
    "Order": ("read_orders", "read_marketplace_orders", "read_quick_sale"),
    "Customer": ("read_customers",),
    "Fulfillment": (
        "read_orders",
        "read_marketplace_orders",
        "read_assigned_fulfillment_orders",
        "read_merchant_managed_fulfillment_orders",
        "read_third_party_fulfillment_orders",
        "read_marketplace_fulfillment_orders",
    ),
    "Refund": ("read_orders", "read_marketplace_orders"),
    "GiftCard": ("read_gift_cards",),
    "Metaobject": ("read_metaobjects",),
    "StoreCreditAccount": ("read_store_credit_accounts",),
    "StoreCreditAccountTransaction": ("read_store_credit_account_transactions",),
    "Product": ("read_products",),
    "Return": ("read_returns", "read_marketplace_returns"),
}

# tagsAdd and metafieldsSet name no scope of their own: they need what changing the owner needs.
OWNERS: Mapping[str, Scopes] = {
    "Order": ("write_orders",),
    "Customer": ("write_customers",),
    "Product": ("write_products",),
}


def granted(have: Collection[str], needed: Scopes) -> bool:
    """Whether one of the needed scopes is there."""
    return any(scope in have or scope.replace("read_", "write_", 1) in have for scope in needed)


def wording(needed: Scopes) -> str:
    """The sentence of Shopify's error.

    >>> wording(("read_orders", "read_quick_sale"))
    '`read_orders` access scope or `read_quick_sale` access scope.'
    """
    return " or ".join(f"`{scope}` access scope" for scope in needed) + "."
