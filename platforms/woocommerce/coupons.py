"""Coupons: one of its own, or many alike. A coupon's code, lower-case in the shop, is the key."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING, cast

from connector.contracts import (
    Access,
    CodesRef,
    CodesRequest,
    CreatesCodes,
    CreatesDiscounts,
    DiscountRef,
    DiscountRequest,
)
from connector.errors import Refused, Transient
from connector.model import Money
from platforms.woocommerce.calls import Calls, an_object, got, meta_of, numeric, objects
from platforms.woocommerce.fields import label, line, local_text

if TYPE_CHECKING:
    from platforms.woocommerce.client import ShopApi

DUPLICATE_COUPON = "woocommerce_rest_coupon_code_already_exists"
COUPON_META = "_kiitos_key"
BATCH = 100
"""Coupons one batch may hold: 413 beyond (facts/woocommerce.md section 3)."""


class Coupons(Calls, CreatesDiscounts, CreatesCodes):
    """WooCommerce knows no rule over several codes: each code is a coupon with the same terms."""

    def create_discount(self, access: Access, request: DiscountRequest) -> DiscountRef:
        """POST /coupons. A code that is there already is adopted only if an earlier attempt of ours made it.

        WooCommerce knows no start date and no limit to new customers: `starts_at` and `new_customers_only` are not
        enforced by the shop (see `quirks`). Amounts are in the shop's own currency.
        Raises `Transient`, `AuthExpired`, `Refused`.
        """
        api = self._api(access)
        try:
            made = api.post("coupons", coupon_body(access, request, _bound_email(api, request)))
        except Refused as error:
            if error.provider_code != DUPLICATE_COUPON:
                raise
            return _adopt(api, request)
        return DiscountRef(code=str(got(made, "code")), platform_id=str(got(made, "id")))

    def create_codes(self, access: Access, request: CodesRequest) -> CodesRef:
        """POST /coupons/batch, 100 at a time; of codes that exist ours are adopted and others told as refused."""
        api = self._api(access)
        email = _bound_email(api, request.rule)
        codes = list(dict.fromkeys(code.lower() for code in (request.rule.code, *request.codes)))
        made: dict[str, str] = {}
        refused: list[str] = []
        for start in range(0, len(codes), BATCH):
            batch = codes[start : start + BATCH]
            for code, row in zip(batch, self._batch(api, access, request, batch, email), strict=True):
                found = _reference(api, row, code, request.rule)
                if found is None:
                    refused.append(code)
                else:
                    made[code] = found
        if not made:
            raise Refused("each of the codes exists and is not ours", provider_code=DUPLICATE_COUPON)
        return CodesRef(platform_id=next(iter(made.values())), codes=tuple(made), refused=tuple(refused))

    def _batch(
        self, api: ShopApi, access: Access, request: CodesRequest, codes: Sequence[str], email: str | None
    ) -> list[dict[str, object]]:
        bodies = [{**coupon_body(access, request.rule, email), "code": code} for code in codes]
        for body, code in zip(bodies, codes, strict=True):
            body["meta_data"] = [{"key": COUPON_META, "value": code}]
        answer = an_object(api.post("coupons/batch", {"create": bodies}))
        rows = [dict(row) for row in objects(answer.get("create"))]
        if len(rows) != len(codes):
            raise Transient("the shop's answer to a batch has not a row a code", maybe_done=True)
        return rows


def _reference(api: ShopApi, row: dict[str, object], code: str, rule: DiscountRequest) -> str | None:
    """The id of one coupon of a batch; `None` when somebody else has the code. The batch itself is a 200 always."""
    fault = row.get("error")
    if not isinstance(fault, dict):
        return str(got(row, "id"))
    problem = str(fault.get("code", ""))
    if problem != DUPLICATE_COUPON:
        raise Refused(f"POST coupons/batch: {problem}", provider_code=problem)
    try:
        return _adopt(api, rule, code).platform_id
    except Refused as error:
        if error.provider_code != DUPLICATE_COUPON:
            raise
        return None


def coupon_body(access: Access, request: DiscountRequest, email: str | None) -> dict[str, object]:
    """The coupon as WooCommerce wants it: amounts as text, the expiry in the site's own time (`date_expires_gmt` is
    silently ignored, and the coupon never expires). Raises `Refused` for what a coupon cannot be."""
    body: dict[str, object] = {
        "code": request.code,
        "description": request.title,
        "individual_use": False,
        "meta_data": [{"key": COUPON_META, "value": request.code.lower()}],
        **_worth(access, request),
    }
    if request.ends_at is not None:
        body["date_expires"] = local_text(request.ends_at, access.shop.timezone)
    if request.usage_limit is not None:
        body["usage_limit"] = request.usage_limit
    if request.once_per_customer:
        body["usage_limit_per_user"] = 1
    if email:
        body["email_restrictions"] = [email]
    if request.minimum is not None:
        body["minimum_amount"] = _in_shop_currency(access, request.minimum)
    return body


def _worth(access: Access, request: DiscountRequest) -> dict[str, object]:
    """Type and amount. Free delivery needs a zone whose free shipping asks for a coupon: the shop's own setting."""
    if [request.percent is not None, request.amount is not None, request.free_delivery].count(True) != 1:
        raise Refused("a discount needs exactly one of amount, percent, free delivery", provider_code="discount_shape")
    if request.free_delivery and not request.products:
        return {"discount_type": "fixed_cart", "amount": "0", "free_shipping": True}
    if request.free_delivery:
        raise Refused("free delivery goes with no other benefit", provider_code="discount_shape")
    if request.products:
        return _worth_of_products(access, request)
    if request.percent is not None:
        if not 0 < request.percent <= 100:
            raise Refused("a percentage must be above 0 and at most 100", provider_code="discount_shape")
        return {"discount_type": "percent", "amount": request.percent}
    return {"discount_type": "fixed_cart", "amount": _in_shop_currency(access, cast(Money, request.amount))}


def _worth_of_products(access: Access, request: DiscountRequest) -> dict[str, object]:
    """Off these products; an amount goes off one piece, as WooCommerce would take it off each."""
    ids = {"product_ids": [int(numeric(each)) for each in request.products]}
    if request.percent is not None:
        return {**ids, "discount_type": "percent", "amount": request.percent}
    amount = _in_shop_currency(access, cast(Money, request.amount))
    return {**ids, "discount_type": "fixed_product", "amount": amount, "limit_usage_to_x_items": 1}


def _in_shop_currency(access: Access, money: Money) -> str:
    if money.currency != access.shop.currency:
        raise Refused(
            f"the shop's coupons are in {access.shop.currency}, not {money.currency}", provider_code="currency"
        )
    if money.amount <= 0:
        raise Refused("a coupon's amount must be above 0", provider_code="discount_shape")
    return format(money.amount, "f")


def _bound_email(api: ShopApi, request: DiscountRequest) -> str | None:
    """Coupons are bound to an e-mail address; an account's is looked up when only its id is known."""
    if request.customer_email or not request.customer_id:
        return request.customer_email
    customer = an_object(api.get(f"customers/{numeric(request.customer_id)}"))
    return line(customer.get("email"))


def _adopt(api: ShopApi, request: DiscountRequest, code: str = "") -> DiscountRef:
    code = (code or request.code).lower()
    # Filtered again here: WooCommerce ignores a parameter it does not know and would answer with every coupon.
    same = [entry for entry in objects(api.get("coupons", params={"code": code})) if str(entry.get("code")) == code]
    for coupon in same:
        ours = meta_of(coupon).get(COUPON_META) == code or label(coupon.get("description")) == line(request.title)
        if ours:
            return DiscountRef(code=code, platform_id=str(got(coupon, "id")), adopted=True)
    raise Refused("a coupon with this code exists and is not ours: choose another code", provider_code=DUPLICATE_COUPON)
