"""Taking a coupon back: it expires now. WooCommerce has no store credit and no gift cards."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import timedelta
from typing import Any

from connector.contracts import Access, VoidRequest, VoidsCodes
from connector.errors import Transient
from platforms.woocommerce.calls import Calls, got, objects
from platforms.woocommerce.fields import local_text


class Voids(Calls, VoidsCodes):
    """A coupon that was taken back stays in the shop, so that the merchant sees what became of it."""

    def void_code(self, access: Access, request: VoidRequest) -> bool:
        """PUT /coupons/<id> with yesterday as `date_expires`: WooCommerce lets a coupon live to the end of the day it
        is stored with where a theme shows days only. One that was used (`usage_count`) is left, unless it is shared."""
        api, code = self._api(access), request.code.lower()
        # Filtered again here: WooCommerce ignores a parameter it does not know and would answer with every coupon.
        found = [row for row in objects(api.get("coupons", params={"code": code})) if str(row.get("code")) == code]
        if not found or (not request.shared and _uses(found[0])):
            return False
        ended = local_text(access.clock.now() - timedelta(days=1), access.shop.timezone)
        api.put(f"coupons/{got(found[0], 'id')}", {"date_expires": ended})
        return True


def _uses(coupon: Mapping[str, Any]) -> int:
    """How often a coupon was used. Raises `Transient` where the shop does not say: a used coupon must be left."""
    found = str(coupon.get("usage_count"))
    if not found.isdecimal():
        raise Transient("the shop's answer says no usage_count of the coupon")
    return int(found)
