"""The closed vocabularies of the model. Platforms grow their own values: unknown becomes OTHER, never a crash."""

from __future__ import annotations

from enum import StrEnum
from typing import Self


class OpenEnum(StrEnum):
    """An enum with OTHER: `Class.of(text)` never raises."""

    @classmethod
    def of(cls, text: str | None) -> Self:
        """The member whose value is `text` (any case, spaces and dashes as underscores), else OTHER."""
        known = cls._value2member_map_
        found = known.get(text)  # what we wrote ourselves is found as it stands
        if found is None:
            key = (text or "").strip().lower().replace("-", "_").replace(" ", "_")
            found = known.get(key) or known["other"]
        return found  # type: ignore[return-value]


class OrderStatus(OpenEnum):
    OPEN = "open"
    COMPLETED = "completed"
    CANCELLED = "cancelled"
    FAILED = "failed"
    DRAFT = "draft"
    DELETED = "deleted"
    OTHER = "other"


class FinancialStatus(OpenEnum):
    PENDING = "pending"
    AUTHORIZED = "authorized"
    PARTIALLY_PAID = "partially_paid"
    PAID = "paid"
    PARTIALLY_REFUNDED = "partially_refunded"
    REFUNDED = "refunded"
    VOIDED = "voided"
    EXPIRED = "expired"
    OTHER = "other"


class FulfillmentStatus(OpenEnum):
    UNFULFILLED = "unfulfilled"
    PARTIAL = "partial"
    FULFILLED = "fulfilled"
    NOT_REQUIRED = "not_required"
    RESTOCKED = "restocked"
    OTHER = "other"


class ShipmentStatus(OpenEnum):
    """Where a parcel is. `rank` orders the states of one journey; a late older state never wins."""

    LABEL = "label"
    SHIPPED = "shipped"
    IN_TRANSIT = "in_transit"
    DELAYED = "delayed"
    READY_FOR_PICKUP = "ready_for_pickup"
    OUT_FOR_DELIVERY = "out_for_delivery"
    ATTEMPTED = "attempted"
    DELIVERED = "delivered"
    FAILED = "failed"
    RETURNED = "returned"
    CANCELLED = "cancelled"
    OTHER = "other"

    @property
    def rank(self) -> int:
        """Higher is later in the journey. Equal ranks are decided by time."""
        return _SHIPMENT_RANK[self]

    @property
    def final(self) -> bool:
        return self in {
            ShipmentStatus.DELIVERED,
            ShipmentStatus.RETURNED,
            ShipmentStatus.CANCELLED,
        }


_SHIPMENT_RANK = {
    ShipmentStatus.OTHER: 0,
    ShipmentStatus.LABEL: 1,
    ShipmentStatus.SHIPPED: 2,
    ShipmentStatus.IN_TRANSIT: 3,
    ShipmentStatus.DELAYED: 3,
    ShipmentStatus.OUT_FOR_DELIVERY: 4,
    ShipmentStatus.ATTEMPTED: 4,
    ShipmentStatus.READY_FOR_PICKUP: 4,
    ShipmentStatus.FAILED: 5,
    ShipmentStatus.DELIVERED: 6,
    ShipmentStatus.RETURNED: 7,
    ShipmentStatus.CANCELLED: 8,
}


class ConsentState(OpenEnum):
    GRANTED = "granted"
    WITHDRAWN = "withdrawn"
    PENDING = "pending"
    UNKNOWN = "unknown"
    OTHER = "other"


class Channel(OpenEnum):
    EMAIL = "email"
    SMS = "sms"
    WHATSAPP = "whatsapp"
    PUSH = "push"
    PRINT = "print"
    PLATFORM = "platform"
    OTHER = "other"

    @property
    def by_email(self) -> bool:
        """Whether a person is known by their e-mail address here, though it need not be where the message goes."""
        return self in (Channel.EMAIL, Channel.PUSH, Channel.PRINT, Channel.PLATFORM)


class Purpose(OpenEnum):
    """Why a message is sent. It binds consent, headers, caps and quiet hours (design section 4)."""

    TRANSACTIONAL = "transactional"
    REVIEW = "review"
    REFERRAL = "referral"
    LOYALTY = "loyalty"
    MARKETING = "marketing"
    OTHER = "other"

    @property
    def needs_consent(self) -> bool:
        """Everything but transactional is marketing-class (facts/messaging.md section 5.2 and 5.4)."""
        return self is not Purpose.TRANSACTIONAL


class ShopStatus(OpenEnum):
    """`paused` holds everything, by a person's word; `disconnected` means credentials fail: order messages go on."""

    ACTIVE = "active"
    PAUSED = "paused"
    DISCONNECTED = "disconnected"
    UNINSTALLED = "uninstalled"
    OTHER = "other"


class EventKind(OpenEnum):
    """What can happen. Platform adapters emit the first groups; `order.shipped`, `order.delivered` and the
    programme events are derived by us (`flows.derive`), the reached, silent and abandoned ones by wake-ups
    (`flows.triggers`), those of messages told by the providers of channels (`flows.sending.afterwards`). A merchant's
    own kinds (`custom.NAME`) are plain text and may be used wherever a kind is."""

    ORDER_CREATED = "order.created"
    ORDER_UPDATED = "order.updated"
    ORDER_PAID = "order.paid"
    ORDER_FULFILLED = "order.fulfilled"
    ORDER_EDITED = "order.edited"
    ORDER_CANCELLED = "order.cancelled"
    ORDER_DELETED = "order.deleted"
    ORDER_LINK_REQUESTED = "order.link_requested"
    REFUND_CREATED = "refund.created"
    RETURN_REQUESTED = "return.requested"
    RETURN_APPROVED = "return.approved"
    RETURN_DECLINED = "return.declined"
    RETURN_CANCELLED = "return.cancelled"
    RETURN_CLOSED = "return.closed"
    RETURN_UPDATED = "return.updated"
    SHIPMENT_CREATED = "shipment.created"
    SHIPMENT_UPDATED = "shipment.updated"
    SHIPMENT_IN_TRANSIT = "shipment.in_transit"
    SHIPMENT_DELAYED = "shipment.delayed"
    SHIPMENT_READY_FOR_PICKUP = "shipment.ready_for_pickup"
    SHIPMENT_OUT_FOR_DELIVERY = "shipment.out_for_delivery"
    SHIPMENT_ATTEMPTED = "shipment.attempted"
    SHIPMENT_DELIVERED = "shipment.delivered"
    SHIPMENT_FAILED = "shipment.failed"
    SHIPMENT_RETURNED = "shipment.returned"
    SHIPMENT_CANCELLED = "shipment.cancelled"
    CUSTOMER_CREATED = "customer.created"
    CUSTOMER_UPDATED = "customer.updated"
    CUSTOMER_DELETED = "customer.deleted"
    CUSTOMER_MERGED = "customer.merged"
    CUSTOMER_TAGGED = "customer.tagged"
    CUSTOMER_UNTAGGED = "customer.untagged"
    CONSENT_GRANTED = "consent.granted"
    CONSENT_WITHDRAWN = "consent.withdrawn"
    CONSENT_CHANGED = "consent.changed"
    CHECKOUT_STARTED = "checkout.started"
    CHECKOUT_UPDATED = "checkout.updated"
    CHECKOUT_DELETED = "checkout.deleted"
    PRODUCT_UPDATED = "product.updated"
    PRODUCT_DELETED = "product.deleted"
    DISCOUNT_ADDED = "discount.added"
    DISCOUNT_REMOVED = "discount.removed"
    SHOP_UPDATED = "shop.updated"
    APP_UNINSTALLED = "app.uninstalled"
    APP_SCOPES_UPDATED = "app.scopes_updated"
    DATA_REQUESTED = "compliance.data_requested"
    CUSTOMER_REDACTED = "compliance.customer_redacted"
    SHOP_REDACTED = "compliance.shop_redacted"
    RESOURCE_RECHECK = "resource.recheck"
    ORDER_SHIPPED = "order.shipped"
    ORDER_DELIVERED = "order.delivered"
    REVIEW_SUBMITTED = "review.submitted"
    REVIEW_PUBLISHED = "review.published"
    REVIEW_EDITED = "review.edited"
    REVIEW_HIDDEN = "review.hidden"
    REVIEW_WITHDRAWN = "review.withdrawn"
    REVIEW_ANSWERED = "review.answered"
    SURVEY_ANSWERED = "survey.answered"
    CASE_RECEIVED = "case.received"
    CASE_ANSWERED = "case.answered"
    CASE_ACCEPTED = "case.accepted"
    CASE_ARRIVED = "case.arrived"
    CASE_REFUNDED = "case.refunded"
    CASE_REFUSED = "case.refused"
    CASE_CLOSED = "case.closed"
    REFERRAL_ATTRIBUTED = "referral.attributed"
    REFERRAL_REFUSED = "referral.refused"
    REFERRAL_REVERSED = "referral.reversed"
    REFERRAL_QUEUED = "referral.queued"
    REFERRAL_ASKED = "referral.asked"
    DATE_REACHED = "date.reached"
    CALENDAR_REACHED = "calendar.reached"
    CUSTOMER_SILENT = "customer.silent"
    CUSTOMER_SATURATED = "customer.saturated"
    CHECKOUT_ABANDONED = "checkout.abandoned"
    SEGMENT_ENTERED = "segment.entered"
    SEGMENT_LEFT = "segment.left"
    TIER_CHANGED = "tier.changed"
    TIER_RETAINED = "tier.retained"
    BADGE_EARNED = "badge.earned"
    CHALLENGE_COMPLETED = "challenge.completed"
    POINTS_CHANGED = "points.changed"
    POINTS_EXPIRING = "points.expiring"
    POINTS_EXCHANGED = "points.exchanged"
    PERK_OPENED = "perk.opened"
    PRODUCT_PRICE_CHANGED = "product.price_changed"
    PRODUCT_BACK_IN_STOCK = "product.back_in_stock"
    MESSAGE_DELIVERED = "message.delivered"
    MESSAGE_BOUNCED = "message.bounced"
    MESSAGE_FAILED = "message.failed"
    MESSAGE_COMPLAINED = "message.complained"
    MESSAGE_CLICKED = "message.clicked"
    MESSAGE_REPLIED = "message.replied"
    SIGNUP_REQUESTED = "signup.requested"
    SIGNUP_CONFIRMED = "signup.confirmed"
    OTHER = "other"

    @classmethod
    def of(cls, text: str | None) -> Self:
        return cls._value2member_map_.get((text or "").strip().lower(), cls("other"))  # type: ignore[return-value]
