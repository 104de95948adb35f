"""What is written about orders and customers: tags, meta, notes, the shop's own mails, parcels, consent."""

from __future__ import annotations

import html
import re
from abc import ABC
from collections.abc import Mapping, Sequence
from datetime import datetime, timedelta
from typing import TYPE_CHECKING, Any

from connector.clock import from_text, to_text
from connector.contracts import (
    Access,
    ConsentRequest,
    CreatesFulfillments,
    FulfillmentRequest,
    MetaRequest,
    NotesCustomers,
    ResendsMail,
    TagsCustomers,
    WritesConsent,
    WritesMeta,
    WritesOrders,
)
from connector.errors import Refused, near
from connector.model import Channel
from platforms.woocommerce.calls import (
    NO_ROUTE,
    Calls,
    an_object,
    got,
    marker,
    meta_of,
    numeric,
    objects,
    without_html,
)
from platforms.woocommerce.echo import ECHO_META, OWN_META, state_digest
from platforms.woocommerce.fields import items, line, moment
from platforms.woocommerce.people import TAGS_META

if TYPE_CHECKING:
    from platforms.woocommerce.client import ShopApi

ORDER_DETAILS = "order_details"
CONSENT_META = "_kiitos_{channel}_consent"
_KEY = re.compile(r"[a-z0-9_]{1,60}", re.ASCII)
_SKEW = timedelta(minutes=2)


class OrderRecords(Calls, WritesOrders, WritesMeta, NotesCustomers, ResendsMail, CreatesFulfillments, ABC):
    """Everything below /orders/{id}."""

    def add_tag(self, access: Access, order_id: str, tag: str) -> None:
        """Keep the tag in the order's meta `_kiitos_tags`: WooCommerce orders have no tags."""
        _add_tag(self._api(access), f"orders/{numeric(order_id)}", tag)

    def add_note(self, access: Access, order_id: str, note: str, *, key: str) -> None:
        """Add a private note that carries a marker made of `key`; a note with that marker is success."""
        api = self._api(access)
        path = f"orders/{numeric(order_id)}/notes"
        if any(marker(key) in str(entry.get("note", "")) for entry in objects(api.get(path))):
            return
        # Notes are shown as HTML in the admin: a customer's words in them must stay words.
        shown = html.escape(note.strip(), quote=False)
        api.post(path, {"note": f"{shown} {marker(key)}", "customer_note": False})

    def note_customer(self, access: Access, order_id: str, note: str, *, key: str) -> None:  # noqa: ARG002
        """Add a note that the shop mails to the customer and shows in their account.

        A marker would be read by the customer, so the words are the key: a customer's note that says the same is
        success, whoever wrote it.
        """
        api = self._api(access)
        path = f"orders/{numeric(order_id)}/notes"
        wanted = note.split()
        present = objects(api.get(path, params={"type": "customer"}))
        if any(e.get("customer_note") is True and _words(str(e.get("note", ""))) == wanted for e in present):
            return
        got(api.post(path, {"note": html.escape(note.strip(), quote=False), "customer_note": True}), "id")

    def write_meta(self, access: Access, request: MetaRequest) -> None:
        """Meta `_kiitos_<key>` of an order or an account; nothing is written that is there."""
        if request.owner not in ("order", "customer") or not _KEY.fullmatch(request.key):
            raise Refused(
                f"WooCommerce keeps our values of orders and customers under [a-z0-9_] names, not '{request.key}' of "
                f"a {request.owner}",
                provider_code="invalid_meta",
            )
        path = f"{request.owner}s/{numeric(request.owner_id)}"
        _write_own(self._api(access), path, {OWN_META + request.key: request.value})

    # -- the shop's own mails --------------------------------------------------------------------------------------

    def mail_names(self, access: Access, order_id: str) -> Sequence[str]:
        """GET .../actions/email_templates (WooCommerce 9.8 and later), and `order_details`."""
        return (ORDER_DETAILS, *self._titles(self._api(access), numeric(order_id)))

    def resend_mail(self, access: Access, order_id: str, name: str, *, since: datetime | None) -> None:
        """POST .../actions/send_email or send_order_details; the shop sends to the billing address only.

        The shop leaves a private note for each mail it sends, in its own language but with the mail's title: with
        `since` one of them that is newer than the first attempt is taken for it.
        """
        api, number = self._api(access), numeric(order_id)
        titles = self._titles(api, number)
        title = titles.get("customer_invoice" if name == ORDER_DETAILS else name)
        if title is None and name != ORDER_DETAILS:
            known = [ORDER_DETAILS, *titles]
            raise Refused(
                f"the shop sends no mail '{name}' about this order{near(name, known)} It sends: {', '.join(known)}",
                provider_code="no_such_mail",
            )
        if since is not None and title and self._has_sent(api, number, title, since):
            return
        if name == ORDER_DETAILS:
            api.post(f"orders/{number}/actions/send_order_details", {})
        else:
            api.post(f"orders/{number}/actions/send_email", {"template_id": name})

    def _titles(self, api: ShopApi, number: str) -> dict[str, str]:
        try:
            rows = objects(api.get(f"orders/{number}/actions/email_templates"))
        except Refused as error:
            if error.provider_code != NO_ROUTE:
                raise
            raise Refused(
                "the shop cannot send its mails again on request: that needs WooCommerce 9.8 or later",
                provider_code=NO_ROUTE,
            ) from error
        return {str(row.get("id")): html.unescape(str(row.get("title") or "")) for row in rows}

    def _has_sent(self, api: ShopApi, number: str, title: str, since: datetime) -> bool:
        for entry in objects(api.get(f"orders/{number}/notes", params={"type": "internal"})):
            at = entry.get("date_created_gmt")
            fresh = moment(at, "$.date_created_gmt")
            if fresh is not None and fresh >= since - _SKEW and title in html.unescape(str(entry.get("note", ""))):
                return True
        return False

    # -- parcels ---------------------------------------------------------------------------------------------------

    def create_fulfillment(self, access: Access, request: FulfillmentRequest) -> str:
        """POST /orders/{id}/fulfillments (a feature of 10.1 that the shop switches on), once per tracking number."""
        api = self._api(access)
        path = f"orders/{numeric(request.order_id)}/fulfillments"
        try:
            present = objects(api.get(path))
        except Refused as error:
            if error.provider_code != NO_ROUTE:
                raise
            raise Refused(
                "the shop has no fulfillments: switch on the feature 'Order Fulfillments' (WooCommerce 10.1 and later)",
                provider_code=NO_ROUTE,
            ) from error
        for row in present:
            if line(meta_of(row).get("_tracking_number")) == request.tracking_number.strip():
                return str(got(row, "id"))
        goods = [{"item_id": int(numeric(each)), "qty": count} for each, count in request.lines.items()]
        meta = {
            "_items": goods,
            "_tracking_number": request.tracking_number.strip(),
            "_tracking_url": request.tracking_url,
            "_shipment_provider": request.carrier,
        }
        body = {
            "status": "fulfilled",
            "is_fulfilled": True,
            "notify_customer": request.notify_customer,
            "meta_data": [{"key": name, "value": value} for name, value in meta.items() if value],
        }
        return str(got(api.post(path, body), "id"))


class CustomerRecords(Calls, TagsCustomers, WritesConsent, ABC):
    """Everything below /customers/{id}. Guests have no account and so no place for any of it."""

    def tag_customer(self, access: Access, customer_id: str, tag: str) -> None:
        """Keep the tag in the account's meta `_kiitos_tags`."""
        _add_tag(self._api(access), f"customers/{numeric(customer_id)}", tag)

    def write_consent(self, access: Access, request: ConsentRequest) -> bool:
        """WooCommerce has no place for consent: it is kept in the account's meta `_kiitos_email_consent` (or `_sms_`)
        as `withdrawn 2026-11-22T08:00:00.000000Z`, for the shop's people and other plug-ins to see.

        Accounts are found by their e-mail address; a telephone number finds none, so SMS needs `customer_id`.
        """
        if request.channel not in (Channel.EMAIL, Channel.SMS):
            raise Refused(f"no place for consent to {request.channel}", provider_code="channel")
        api = self._api(access)
        account = self._account(api, request)
        if account is None:
            return False
        name = CONSENT_META.format(channel=request.channel)
        present, _, since = str(meta_of(account).get(name) or "").partition(" ")
        wanted = "granted" if request.granted else "withdrawn"
        if present == wanted:
            return True
        if _later(since, request.at):
            return False
        _write_own(api, f"customers/{numeric(str(account.get('id')))}", {name: f"{wanted} {to_text(request.at)}"})
        return True

    def _account(self, api: ShopApi, request: ConsentRequest) -> Mapping[str, Any] | None:
        if request.channel is Channel.EMAIL:
            address = request.address.strip().lower()
            # Filtered again here: WooCommerce ignores a parameter it does not know and would answer with everybody.
            rows = objects(api.get("customers", params={"email": address, "role": "all"}))
            return next((row for row in rows if str(row.get("email", "")).lower() == address), None)
        return an_object(api.get(f"customers/{numeric(request.customer_id)}")) if request.customer_id else None


def _add_tag(api: ShopApi, path: str, tag: str) -> None:
    owner = an_object(api.get(path))
    tags = [value for value in map(line, items(meta_of(owner).get(TAGS_META))) if value]
    if tag not in tags:
        _put(api, path, owner, {TAGS_META: [*tags, tag]})


def _write_own(api: ShopApi, path: str, values: Mapping[str, object]) -> None:
    """Write meta of ours, unless it is there: each write sends `order.updated` or `customer.updated` back to us."""
    owner = an_object(api.get(path))
    present = meta_of(owner)
    if any(present.get(name) != value for name, value in values.items()):
        _put(api, path, owner, values)


def _put(api: ShopApi, path: str, owner: Mapping[str, Any], values: Mapping[str, object]) -> None:
    told = {**values, ECHO_META: state_digest(owner)}
    api.put(path, {"meta_data": [{"key": name, "value": value} for name, value in told.items()]})


def _later(text: str, than: datetime) -> bool:
    """Whether our own note of a decision is newer; one that somebody else wrote over says nothing."""
    try:
        return bool(text) and from_text(text) > than
    except (ValueError, TypeError):
        return False


def _words(note: str) -> list[str]:
    return html.unescape(without_html(note)).split()
