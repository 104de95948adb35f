"""Discount codes: one of its own, or many under one rule."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from typing import Any

from connector.clock import to_text
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
from platforms.shopify.calls import Calls, gid, in_shop_currency, made_id

BATCH = 250
"""Codes one discountRedeemCodeBulkAdd takes (the schema's own words)."""
_POLLS = 5
_TAKEN = ("TAKEN", "DUPLICATE")


class Discounts(Calls, CreatesDiscounts, CreatesCodes):
    """Codes chosen by us are the key: Shopify has no other (facts/shopify.md section 0.7)."""

    def create_discount(self, access: Access, request: DiscountRequest) -> DiscountRef:
        """discountCodeBasicCreate, for free delivery discountCodeFreeShippingCreate: the code is the key, as neither
        knows another.

        A code that is taken is adopted when its title is ours (an earlier attempt of which the answer was lost),
        else `Refused` with TAKEN. Only a customer's id binds a code to one person: with an e-mail alone, or for
        `new_customers_only`, the use limit has to do.
        """
        if request.free_delivery:
            name, wanted = "discount_code_free_shipping_create", _free_delivery(access, request)
        else:
            name, wanted = "discount_code_basic_create", _discount(access, request)
        try:
            made = self._client.mutate(access, name, {"discount": wanted})
        except Refused as error:
            if error.provider_code not in _TAKEN:
                raise
            return self._adopt(access, request)
        return _reference(request.code, made.get("codeDiscountNode"), adopted=False)

    def _adopt(self, access: Access, request: DiscountRequest) -> DiscountRef:
        data = self._client.query(access, "discount_by_code", {"code": request.code})
        node = data.get("codeDiscountNodeByCode")
        if not node:
            raise Transient("Shopify: a code is taken and yet not found", retry_after=60)
        if (node.get("codeDiscount") or {}).get("title") != request.title:
            raise Refused("the discount code exists already and is not ours", provider_code="TAKEN")
        return _reference(request.code, node, adopted=True)

    def create_codes(self, access: Access, request: CodesRequest) -> CodesRef:
        """One discount, then discountRedeemCodeBulkAdd for the codes it lacks, 250 at a time; each such job is awaited
        for some seconds, then `Transient`: the next call reads what has been added meanwhile and goes on.

        Limits are the rule's: `usage_limit` counts each code by itself, and nobody is bound but by `rule.customer_id`.
        """
        rule = self.create_discount(access, request.rule)
        wanted = dict.fromkeys([request.rule.code, *request.codes])
        have = set(self._codes_of(access, request.rule.code))
        refused: dict[str, None] = {}
        lacking = [code for code in wanted if code.lower() not in have]
        for start in range(0, len(lacking), BATCH):
            for code in self._add(access, rule.platform_id, lacking[start : start + BATCH]):
                refused[code] = None
        return CodesRef(
            platform_id=rule.platform_id,
            codes=tuple(code for code in wanted if code not in refused),
            refused=tuple(refused),
        )

    def _codes_of(self, access: Access, code: str) -> Iterator[str]:
        path = ("codeDiscountNodeByCode", "codeDiscount", "codes")
        for page in self._pages(access, "discount_codes", {"code": code}, *path):
            yield from (str(node.get("code", "")).lower() for node in (page or {}).get("nodes") or ())

    def _add(self, access: Access, discount_id: str, codes: Sequence[str]) -> list[str]:
        """Start the job and wait for it; the codes it refused because another discount has them."""
        node = gid("DiscountCodeNode", discount_id)
        variables = {"id": node, "codes": [{"code": code} for code in codes]}
        job = self._client.mutate(access, "discount_codes_add", variables).get("bulkCreation") or {}
        made_id(job, "discount_codes_add")
        for attempt in range(_POLLS):
            data = self._client.query(access, "discount_codes_added", {"id": job.get("id")})
            state = data.get("discountRedeemCodeBulkCreation") or {}
            if state.get("done"):
                return _refused_codes(state)
            access.clock.sleep(float(1 + attempt))
        raise Transient(f"Shopify is still adding {len(codes)} codes", retry_after=30)


def _refused_codes(job: Mapping[str, Any]) -> list[str]:
    found = []
    for row in (job.get("codes") or {}).get("nodes") or ():
        errors = {str(error.get("code")) for error in row.get("errors") or ()}
        if errors - set(_TAKEN):
            raise Refused(f"Shopify discount_codes_add: {min(errors)}", provider_code=min(errors))
        if errors:
            found.append(str(row.get("code")))
    return found


def _discount(access: Access, request: DiscountRequest) -> dict[str, Any]:
    """DiscountCodeBasicInput. Amounts of discounts are in the shop's currency; another one is `Refused`."""
    if request.amount is not None:
        amount = in_shop_currency(access, request.amount, "discounts")
        value: dict[str, Any] = {"discountAmount": {"amount": amount, "appliesOnEachItem": False}}
    elif request.percent is not None:
        value = {"percentage": float(request.percent / 100)}
    else:
        raise Refused("a discount needs an amount or a percentage", provider_code="BLANK")
    items: dict[str, Any] = {"all": True}
    if request.products:
        items = {"products": {"productsToAdd": [gid("Product", each) for each in request.products]}}
    return {
        **_terms(access, request),
        "customerGets": {"items": items, "value": value},
        "combinesWith": {"orderDiscounts": False, "productDiscounts": False, "shippingDiscounts": True},
    }


def _free_delivery(access: Access, request: DiscountRequest) -> dict[str, Any]:
    """DiscountCodeFreeShippingInput, for any country. It is free delivery and nothing else: more is `Refused`."""
    if request.amount is not None or request.percent is not None or request.products:
        raise Refused("free delivery goes with no other benefit", provider_code="INVALID")
    combines = {"orderDiscounts": True, "productDiscounts": True, "shippingDiscounts": False}
    return {**_terms(access, request), "destination": {"all": True}, "combinesWith": combines}


def _terms(access: Access, request: DiscountRequest) -> dict[str, Any]:
    """What all kinds of codes have: when, how often, for whom, from which sum on."""
    context: dict[str, Any] = {"all": "ALL"}
    if request.customer_id:
        context = {"customers": {"add": [gid("Customer", request.customer_id)]}}
    found: dict[str, Any] = {
        "title": request.title,
        "code": request.code,
        "startsAt": to_text(request.starts_at),
        "endsAt": to_text(request.ends_at) if request.ends_at else None,
        "usageLimit": request.usage_limit,
        "appliesOncePerCustomer": request.once_per_customer,
        "context": context,
    }
    if request.minimum is not None:
        least = in_shop_currency(access, request.minimum, "discounts")
        found["minimumRequirement"] = {"subtotal": {"greaterThanOrEqualToSubtotal": least}}
    return found


def _reference(code: str, node: Mapping[str, Any] | None, *, adopted: bool) -> DiscountRef:
    urls = ((node or {}).get("codeDiscount") or {}).get("shareableUrls") or ()
    return DiscountRef(
        code=code,
        platform_id=made_id(node, "discount_code_basic_create"),
        adopted=adopted,
        url=next((each.get("url") for each in urls if each.get("url")), None),
    )
