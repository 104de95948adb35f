"""What all of the platform's actions share: the shop's connection, and ids and answers that can be relied on."""

from __future__ import annotations

import hashlib
from collections.abc import Mapping
from functools import cached_property
from typing import TYPE_CHECKING, Any

from connector.contracts import Access
from connector.errors import Refused, Transient
from platforms.woocommerce.fields import ident, items

if TYPE_CHECKING:
    from platforms.woocommerce.client import Connections, ShopApi

NO_ROUTE = "rest_no_route"


class Calls:
    """The one way to the REST API."""

    @cached_property
    def _connections(self) -> Connections:
        # Reading webhooks needs none of it: requests and the woocommerce package are imported at the first call.
        from platforms.woocommerce.client import Connections

        return Connections()

    def _api(self, access: Access) -> ShopApi:
        return self._connections.to(access)


def numeric(value: str) -> str:
    """An id as the REST routes want it. Raises `Refused`: any other text could reach another route."""
    if not (value.isdecimal() and value.isascii()) or ident(value) is None:
        raise Refused("a WooCommerce id is a number", provider_code="invalid_id")
    return value


def an_object(answer: object) -> Mapping[str, Any]:
    if not isinstance(answer, dict):
        raise Transient("the shop answered something else than an object")
    return answer


def objects(answer: object) -> list[Mapping[str, Any]]:
    return [entry for entry in items(answer) if isinstance(entry, dict)]


def got(answer: object, name: str) -> object:
    """A field an answer to a write must have; without it nobody knows what was made."""
    value = answer.get(name) if isinstance(answer, dict) else None
    if value in (None, "", 0):
        raise Transient(f"the shop's answer to a write has no {name}", maybe_done=True)
    return value


def meta_of(answer: Mapping[str, Any]) -> dict[str, Any]:
    return {str(entry.get("key")): entry.get("value") for entry in objects(answer.get("meta_data"))}


def marker(key: str) -> str:
    """What says in a text that it was written for `key`."""
    return f"[kiitos {hashlib.sha256(key.encode()).hexdigest()[:12]}]"


def without_html(words: str) -> str:
    import nh3  # here and not above: 1 MB that only a doubtful text needs

    return nh3.clean(words, tags=set()).strip()
