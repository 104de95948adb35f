"""Customers, their consent, and the compliance requests about them."""

from __future__ import annotations

import msgspec

from platforms.shopify.payloads.common import Amount, Count, Id


class ConsentState(msgspec.Struct):
    """E-mail and SMS say `consent_updated_at` and `consent_collected_from`, WhatsApp `updated_at`, `collected_from`."""

    state: str | None = None
    opt_in_level: str | None = None
    consent_updated_at: str | None = None
    updated_at: str | None = None
    consent_collected_from: str | None = None
    collected_from: str | None = None


class EmailConsent(msgspec.Struct):
    customer_id: Id
    email_marketing_consent: ConsentState
    email_address: str | None = None


class SmsConsent(msgspec.Struct):
    id: Id
    sms_marketing_consent: ConsentState
    phone: str | None = None


class WhatsAppConsent(msgspec.Struct):
    customer_id: Id
    whats_app_marketing_consent: ConsentState
    phone_number: str | None = None


class TagChange(msgspec.Struct, rename="camel"):
    customer_id: Id
    tags: list[str]
    occurred_at: str | None = None


class AmountSpent(msgspec.Struct, rename="camel"):
    amount: Amount | None = None
    currency_code: str | None = None


class PurchasingSummary(msgspec.Struct, rename="camel"):
    customer_id: Id
    number_of_orders: Count | str | None = None
    amount_spent: AmountSpent | None = None
    last_order_id: Id | None = None
    occurred_at: str | None = None


class CustomerMerge(msgspec.Struct):
    admin_graphql_api_customer_kept_id: Id
    admin_graphql_api_customer_deleted_id: Id
    status: str | None = None


class Person(msgspec.Struct):
    id: Id | None = None
    email: str | None = None
    phone: str | None = None


class DataRequest(msgspec.Struct):
    id: Id


class Compliance(msgspec.Struct):
    """customers/data_request, customers/redact and shop/redact."""

    shop_id: Id
    shop_domain: str | None = None
    customer: Person | None = None
    orders_requested: list[Id] | None = None
    orders_to_redact: list[Id] | None = None
    data_request: DataRequest | None = None
