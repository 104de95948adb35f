"""What all of the platform's actions share: one client, global ids, a digest that marks what is ours."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from datetime import datetime
from functools import cached_property
from hashlib import sha256
from typing import TYPE_CHECKING, Any

from connector.clock import from_text
from connector.contracts import Access
from connector.errors import Refused, Transient
from connector.model import Money
from platforms.shopify.reading import ident

if TYPE_CHECKING:
    from platforms.shopify.client import AdminClient

MOST_PAGES = 40


class Calls:
    """The one way to the Admin API. `client` replaces it in tests."""

    def __init__(self, client: AdminClient | None = None) -> None:
        if client is not None:
            self._client = client

    @cached_property
    def _client(self) -> AdminClient:
        # Reading webhooks needs none of it: requests and the shopify package are imported at the first call.
        from platforms.shopify.client import AdminClient

        return AdminClient()

    def close(self) -> None:
        """Give back connections. Idempotent."""
        if "_client" in vars(self):
            self._client.close()

    def _pages(
        self, access: Access, name: str, variables: Mapping[str, Any], *path: str
    ) -> Iterator[Mapping[str, Any] | None]:
        """The connection at `path` of each page's data, until the last; `None` where something on the way is null."""
        after: str | None = None
        for _ in range(MOST_PAGES):
            found: Any = self._client.query(access, name, {**variables, "after": after})
            for part in path:
                found = (found or {}).get(part)
            yield found
            info = (found or {}).get("pageInfo") or {}
            after = info.get("endCursor")
            if not info.get("hasNextPage") or not after:
                return


def gid(kind: str, thing: str) -> str:
    """`gid://shopify/Order/5123` for ("Order", "5123"). Raises `Refused` for an id that is none of Shopify's."""
    if not (thing.isascii() and thing.isdecimal()):
        raise Refused(f"not the id of a Shopify {kind}", provider_code="BAD_ID")
    return f"gid://shopify/{kind}/{thing}"


def made_id(node: Mapping[str, Any] | None, name: str) -> str:
    """The id of what was made. Without one nobody can say whether it was."""
    found = ident((node or {}).get("id"))
    if found is None:
        raise Transient(f"Shopify {name}: an answer without an id", maybe_done=True)
    return found


def digest(key: str) -> str:
    """16 hexadecimal digits that mark a thing as made for `key`."""
    return sha256(key.encode()).hexdigest()[:16]


def told_at(value: object, name: str) -> datetime:
    """A time of an answer. Raises `Transient` where it is none: later it may tell."""
    try:
        return from_text(str(value))
    except (ValueError, TypeError):
        raise Transient(f"Shopify {name}: an answer without a time") from None


def told_money(value: object, name: str) -> Money:
    """A MoneyV2 of an answer. Raises `Transient` where it is none."""
    try:
        return Money.parse(value["amount"], value["currencyCode"])  # type: ignore[index]
    except (KeyError, TypeError, AttributeError):
        raise Transient(f"Shopify {name}: an answer without an amount") from None


def in_shop_currency(access: Access, amount: Money, what: str) -> str:
    """The amount as text. Raises `Refused` for another currency than the shop's."""
    if amount.currency != access.shop.currency:
        raise Refused(
            f"{what} of shop {access.shop.id} are in {access.shop.currency}, not {amount.currency}",
            provider_code="CURRENCY",
        )
    return str(amount.amount)
