"""The settings a connecting app reads: general, e-mail, and whether each of the shop's own mails is on."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING

from connector.testing.fakes.web import Request, Response
from connector.testing.fakes.woocommerce.answers import error, ok
from connector.testing.fakes.woocommerce.state import Json

if TYPE_CHECKING:
    from connector.testing.fakes.woocommerce.shop import FakeWoo

Settings = dict[str, dict[str, str]]


def stock(country: str, address: str) -> Settings:
    """As a fresh shop has them: the mails of orders on, the review request off."""
    return {
        "general": {"woocommerce_default_country": country, "woocommerce_currency": "EUR"},
        "email": {"woocommerce_email_from_name": "Kauppa", "woocommerce_email_from_address": address},
        "email_customer_on_hold_order": {"enabled": "yes"},
        "email_customer_processing_order": {"enabled": "yes"},
        "email_customer_completed_order": {"enabled": "yes"},
        "email_customer_review_request": {"enabled": "no"},
    }


def _unknown() -> Response:
    return error(404, "rest_setting_setting_invalid", "Invalid setting.")


def list_group(woo: FakeWoo, request: Request, found: re.Match[str]) -> Response:
    group = woo.settings.get(found[1])
    if group is None:
        return error(404, "rest_setting_setting_group_invalid", "Invalid setting group.")
    return ok([_row(woo, found[1], name) for name in group])


def get_setting(woo: FakeWoo, request: Request, found: re.Match[str]) -> Response:
    if found[2] not in woo.settings.get(found[1], {}):
        return _unknown()
    return ok({**_row(woo, found[1], found[2]), "group_id": found[1]})


def put_setting(woo: FakeWoo, given: Json, found: re.Match[str]) -> Response:
    if found[2] not in woo.settings.get(found[1], {}):
        return _unknown()
    woo.settings[found[1]][found[2]] = str(given.get("value", ""))
    return ok({**_row(woo, found[1], found[2]), "group_id": found[1]})


def _row(woo: FakeWoo, group: str, name: str) -> Json:
    kind = "checkbox" if name == "enabled" else "text"
    return {"id": name, "label": name, "description": "", "type": kind, "value": woo.settings[group][name]}
