"""What a shop is, from its settings."""

from __future__ import annotations

import re

from connector.config.layering import Layered
from connector.model import Shop


def read_shop(client_id: str, shop_id: str, layered: Layered) -> Shop:
    """The shop as its layers have it; `domain` or `url` is known to be there."""
    get = layered.get
    domain = get("domain") or re.sub(r"^https?://", "", get("url")).strip("/")
    return Shop(
        id=shop_id,
        client_id=client_id,
        platform=get("platform"),
        domain=domain.lower(),
        name=get("name") or domain,
        currency=get("currency", "EUR"),
        timezone=get("timezone", "UTC"),
        locale=get("locale", "en"),
        country=get("country"),
        url=get("url") or f"https://{domain}",
        support_email=get("support_email"),
        support_phone=get("support_phone"),
        address_lines=tuple(get("address", ())),
        logo_url=get("logo_url"),
        accent_color=get("accent_color", "#1f5c4d"),
        platform_shop_id=get("platform_shop_id"),
    )
