"""Customers, addresses, consent and compliance requests."""

from __future__ import annotations

import hashlib
import re
from datetime import datetime

from connector.clock import to_text
from connector.model import Address, Channel, Consent, ConsentState, Customer, Event, EventKind, Purpose, Ref
from platforms.shopify.payloads import common, people
from platforms.shopify.reading import ident, money, required_id, tags, text, texts, time

_CONSENT = {
    "subscribed": (ConsentState.GRANTED, EventKind.CONSENT_GRANTED),
    "unsubscribed": (ConsentState.WITHDRAWN, EventKind.CONSENT_WITHDRAWN),
    "redacted": (ConsentState.WITHDRAWN, EventKind.CONSENT_WITHDRAWN),
    "pending": (ConsentState.PENDING, EventKind.CONSENT_CHANGED),
    "not_subscribed": (ConsentState.UNKNOWN, EventKind.CONSENT_CHANGED),
    "": (ConsentState.UNKNOWN, EventKind.CONSENT_CHANGED),
}

_NOWHERE = Address()
_DATE = re.compile(r"\d{4}-\d{2}-\d{2}")


def read_address(payload: common.MaybeAddress) -> Address | None:
    """The address, `None` where it is null, `[]` or empty."""
    if not isinstance(payload, common.Address):
        return None
    found = Address(
        first_name=text(payload.first_name),
        last_name=text(payload.last_name),
        company=text(payload.company),
        lines=tuple(line for line in (text(payload.address1), text(payload.address2)) if line),
        city=text(payload.city),
        region=text(payload.province_code) or text(payload.province),
        postcode=text(payload.zip),
        country=(text(payload.country_code) or "").upper() or None,
        phone=text(payload.phone),
    )
    return None if found == _NOWHERE else found


def read_customer(payload: common.Customer | None, topic: str, path: str = "customer.") -> Customer | None:
    """The customer, `None` for null, `{}` and one without an id."""
    customer_id = ident(payload.id) if payload else None
    if payload is None or customer_id is None:
        return None
    return Customer(
        id=customer_id,
        email=text(payload.email),
        phone=text(payload.phone),
        first_name=text(payload.first_name),
        last_name=text(payload.last_name),
        locale=text(payload.locale),
        tags=None if payload.tags is None else tags(payload.tags),
        orders_count=payload.orders_count,
        total_spent=money(payload.total_spent, payload.currency, topic, f"{path}total_spent")
        if payload.currency
        else None,
        created_at=time(payload.created_at),
        updated_at=time(payload.updated_at),
        default_address=read_address(payload.default_address),
        birthday=found if (found := text(payload.birthday)) and _DATE.fullmatch(found) else None,
    )


def guest(email: str | None, phone: str | None, address: Address | None, locale: str | None) -> Customer | None:
    """A buyer without an account, known by what they typed; `None` where that is neither e-mail nor phone."""
    if email is None and phone is None:
        return None
    return Customer(
        id=None,
        email=email,
        phone=phone,
        first_name=address.first_name if address else None,
        last_name=address.last_name if address else None,
        locale=locale,
    )


def customer_events(payload: common.Customer, topic: str, otherwise: datetime) -> list[Event]:
    """customers/create, update, enable and disable: the snapshot, and that there is one."""
    customer_id = required_id(payload.id, topic, "id")
    customer = read_customer(payload, topic, "")
    updated_at = time(payload.updated_at) or otherwise
    created_at = time(payload.created_at)
    subject = Ref("customer", customer_id)
    events = [
        Event(
            kind=EventKind.CUSTOMER_UPDATED,
            key=f"customer/{customer_id}/updated/{to_text(updated_at)}",
            subject=subject,
            at=updated_at,
            customer_id=customer_id,
            customer=customer,
            data={"state": state} if (state := text(payload.state)) else {},
        )
    ]
    if created_at:
        events.append(
            Event(
                kind=EventKind.CUSTOMER_CREATED,
                key=f"customer/{customer_id}/created",
                subject=subject,
                at=created_at,
                customer_id=customer_id,
                customer=customer,
            )
        )
    return events


def customer_deleted(payload: common.Customer, topic: str, at: datetime) -> Event:
    """customers/delete carries only the id."""
    customer_id = required_id(payload.id, topic, "id")
    return Event(
        kind=EventKind.CUSTOMER_DELETED,
        key=f"customer/{customer_id}/deleted",
        subject=Ref("customer", customer_id),
        at=at,
        customer_id=customer_id,
        customer=Customer(id=customer_id, updated_at=at, deleted=True),
    )


def customer_merged(payload: people.CustomerMerge, topic: str, at: datetime) -> list[Event]:
    """customers/merge, once it is completed: `data` names who was kept and who is gone."""
    kept = required_id(payload.admin_graphql_api_customer_kept_id, topic, "admin_graphql_api_customer_kept_id")
    gone = required_id(payload.admin_graphql_api_customer_deleted_id, topic, "admin_graphql_api_customer_deleted_id")
    if (payload.status or "completed").lower() != "completed":
        return []
    return [
        Event(
            kind=EventKind.CUSTOMER_MERGED,
            key=f"customer/{gone}/merged",
            subject=Ref("customer", kept),
            at=at,
            customer_id=kept,
            data={"kept": kept, "merged": gone},
        )
    ]


def tag_event(payload: people.TagChange, topic: str, otherwise: datetime) -> Event:
    """customer.tags_added and customer.tags_removed; `data.tags` is comma-separated."""
    customer_id = required_id(payload.customer_id, topic, "customerId")
    added = topic.endswith("added")
    at = time(payload.occurred_at) or otherwise
    changed = ", ".join(texts(payload.tags))
    return Event(
        kind=EventKind.CUSTOMER_TAGGED if added else EventKind.CUSTOMER_UNTAGGED,
        key=f"customer/{customer_id}/{'tagged' if added else 'untagged'}/{to_text(at)}/{digest(changed)}",
        subject=Ref("customer", customer_id),
        at=at,
        customer_id=customer_id,
        data={"tags": changed},
    )


def purchasing_summary(payload: people.PurchasingSummary, topic: str, otherwise: datetime) -> Event:
    """customers/purchasing_summary: totals in `data`. No snapshot: it would wipe the name and e-mail we have."""
    customer_id = required_id(payload.customer_id, topic, "customerId")
    at = time(payload.occurred_at) or otherwise
    spent = payload.amount_spent
    facts = {
        "orders_count": "" if payload.number_of_orders is None else str(payload.number_of_orders),
        "amount_spent": str(spent.amount) if spent and spent.amount is not None else "",
        "currency": (spent.currency_code if spent else None) or "",
        "last_order_id": ident(payload.last_order_id) or "",
    }
    return Event(
        kind=EventKind.CUSTOMER_UPDATED,
        key=f"customer/{customer_id}/purchases/{to_text(at)}",
        subject=Ref("customer", customer_id),
        at=at,
        customer_id=customer_id,
        data={name: value for name, value in facts.items() if value},
    )


def consent_event(
    channel: Channel,
    customer: common.Id,
    address: str | None,
    state: people.ConsentState,
    topic: str,
    otherwise: datetime,
) -> Event:
    """One of the three consent topics. The person decided at `consent_updated_at`; a null state tells nothing."""
    customer_id = required_id(customer, topic, "customer_id")
    raw_state = (state.state or "").lower()
    meaning, kind = _CONSENT.get(raw_state, (ConsentState.OTHER, EventKind.CONSENT_CHANGED))
    decided = time(state.consent_updated_at) or time(state.updated_at)
    level = text(state.opt_in_level)
    collected = text(state.consent_collected_from) or text(state.collected_from)
    consent = Consent(
        channel=channel,
        purpose=Purpose.MARKETING,
        state=meaning,
        raw_state=raw_state,
        at=decided or otherwise,
        source="shopify",
        address=text(address),
        customer_id=customer_id,
        evidence=", ".join(part for part in (level, f"collected by {collected}" if collected else None) if part),
    )
    when = to_text(decided) if decided else "undated"
    return Event(
        kind=kind,
        key=f"consent/{channel}/{customer_id}/{raw_state or 'unknown'}/{when}",
        subject=Ref("customer", customer_id),
        at=consent.at,
        customer_id=customer_id,
        consent=consent,
    )


def compliance_event(payload: people.Compliance, topic: str, at: datetime) -> Event:
    """customers/data_request, customers/redact, shop/redact. `data` holds what the request names; lists by comma.

    A second request for the same person is another event: its time is part of the key.
    """
    shop_id = required_id(payload.shop_id, topic, "shop_id")
    person = payload.customer or people.Person()
    customer_id = ident(person.id)
    orders = ",".join(
        found for item in (payload.orders_requested or payload.orders_to_redact or ()) if (found := ident(item))
    )
    request = ident(payload.data_request.id) if payload.data_request else None
    facts = {
        "shop_id": shop_id,
        "shop_domain": text(payload.shop_domain),
        "customer_id": customer_id,
        "email": text(person.email),
        "phone": text(person.phone),
        "orders": orders,
        "request_id": request,
    }
    kind, who = {
        "customers/data_request": (EventKind.DATA_REQUESTED, Ref("customer", customer_id or "")),
        "customers/redact": (EventKind.CUSTOMER_REDACTED, Ref("customer", customer_id or "")),
        "shop/redact": (EventKind.SHOP_REDACTED, Ref("shop", shop_id)),
    }[topic]
    named = digest("|".join(value or "" for value in facts.values()))
    return Event(
        kind=kind,
        key=f"{kind}/{who}/{named}/{request or to_text(at)}",
        subject=who,
        at=at,
        customer_id=customer_id if who.kind == "customer" else None,
        data={name: value for name, value in facts.items() if value},
    )


def digest(value: str) -> str:
    """A short name for a text, for keys that must not hold it."""
    return hashlib.sha256(value.encode()).hexdigest()[:16]
