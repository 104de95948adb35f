"""Value given in the platform: entered in the books when it is issued, matched with its use in orders, voided when it
is reversed. A code is one `reward`; store credit and gift cards are money of their own unit (`credit/EUR`).

A code counts as used by the first paid order it came with, whatever becomes of that order: Shopify does not give a use
back. What orders took of store credit is `flows.value.crediting`'s. What was used is never voided: the reversal then
says so, and the books show it as owed.
"""

from __future__ import annotations

from collections.abc import Mapping
from datetime import datetime
from decimal import Decimal

from connector.clock import from_text, to_text
from connector.contracts import (
    STORE_CREDIT,
    Access,
    PlatformAdapter,
    VoidRequest,
    VoidsCodes,
    VoidsGiftCards,
    VoidsStoreCredit,
)
from connector.model import Effect, Money, Order, Run, by_itself, email_key
from connector.model.value import CREDIT, REWARD, Fact, FactKind
from connector.store import accounts, books, effects, vouchers
from connector.store.accounts import Holder
from connector.store.db import Tx
from connector.store.vouchers import ISSUED, KEPT, USED, VOIDED, VOIDING, Voucher
from flows.authoring.fields import read_money
from flows.value.bookings import post, reverse
from flows.value.crediting import unspent

VOID = "void"
"""The kind of effect that takes something given in the platform back."""


def issued(tx: Tx, run: Run, effect: Effect, values: Mapping[str, str], now: datetime, review_id: str = "") -> None:
    """Enter what a step gave to one person, for a review where it is named; a code anybody may use is nobody's."""
    found = _given(effect, values)
    if found is None:
        return
    kind, key, worth, customer_id, address = found
    owner = (customer_id or (None if address else run.customer_id), address or (None if customer_id else run.email_key))
    if not any(owner):
        return
    holder = accounts.open_for(tx, run.shop_id, owner[0], owner[1], effect.id, now)
    until = values.get("ends_at")
    voucher = Voucher(
        key=key,
        account=holder.account,
        effect_id=effect.id,
        kind=kind,
        worth=worth,
        cause=_cause(run, review_id),
        platform_id=values.get("granted", ""),
        expires_at=from_text(until) if until else None,
    )
    enter(tx, run.shop_id, holder, voucher, f"flow/{run.flow_id}", run.version, now)


def enter(tx: Tx, shop_id: str, holder: Holder, voucher: Voucher, rule: str, version: str, now: datetime) -> bool:
    """Keep what was given and enter it in its owner's books, once; `False` when it is known."""
    if not vouchers.put(tx, shop_id, voucher, now):
        return False
    unit, amount = _value(voucher)
    grant = Fact(
        id=f"voucher/{voucher.key}",
        account="",
        unit=unit,
        kind=FactKind.GRANT,
        amount=amount,
        at=now,
        cause=voucher.cause,
        rule=rule,
        version=version,
        available_at=now,
        expires_at=voucher.expires_at,
    )
    post(tx, shop_id, holder, [grant], now)
    return True


def _given(effect: Effect, values: Mapping[str, str]) -> tuple[str, str, str, str | None, str | None] | None:
    """Kind, key, worth and whose, of an effect that gave something to a person."""
    terms = effect.request.get("discount")
    if terms and values.get("code"):
        named = (terms.get("customer_id"), email_key(terms.get("customer_email")))
        return ("discount", vouchers.key_of(values["code"]), values.get("value", ""), *named) if any(named) else None
    granted, amount = str(effect.request.get("grant", "")), values.get("amount", "")
    if granted == "store_credit" and values.get("granted") and amount:
        return "store_credit", values["granted"], amount, str(effect.request["customer_id"]), None
    if granted == "gift_card" and values.get("code") and amount:
        owner = effect.request.get("owner") or {}
        return "gift_card", vouchers.key_of(values["code"]), amount, owner.get("id"), owner.get("email")
    return None


def _cause(run: Run, review_id: str) -> str:
    referral = run.event.get("referral_id")
    if referral:
        return f"referral/{referral}"
    if review_id:
        return f"review/{review_id}"
    return f"order/{run.order_id}" if run.order_id else f"flow/{run.flow_id}"


def _value(voucher: Voucher) -> tuple[str, Decimal]:
    if voucher.kind == "discount":
        return REWARD, Decimal(1)
    worth = read_money(voucher.worth)
    return f"{CREDIT}{worth.currency}", worth.amount


def used(tx: Tx, shop_id: str, order: Order, now: datetime) -> None:
    """Match the codes an order came with."""
    for discount in order.discounts:
        voucher = vouchers.get(tx, shop_id, discount.code) if discount.code else None
        if voucher is None:
            continue
        at = order.paid_at or order.placed_at
        from_any = (ISSUED, VOIDING, VOIDED)
        if not vouchers.move(tx, shop_id, voucher.key, USED, from_any, order_id=order.id, at=at):
            continue
        unit, amount = _value(voucher)
        holder = accounts.holder_of(tx, shop_id, voucher.account) or Holder(accounts=(voucher.account,))
        spent = Fact(
            id=f"order/{order.id}/code/{voucher.key}",
            account="",
            unit=unit,
            kind=FactKind.SPEND,
            of=f"voucher/{voucher.key}",
            amount=amount,
            at=at,
            cause=f"order/{order.id}",
        )
        post(tx, shop_id, holder, [spent], now)


def void_id(key: str) -> str:
    """The id of the effect that takes a voucher back: there is one at most."""
    return f"void:{key}"


def void(tx: Tx, shop_id: str, voucher: Voucher, reason: str, now: datetime) -> bool:
    """Take something back in the platform: an effect, carried out once. `False` where it was used or is void: it is
    then kept, with the reason."""
    if not vouchers.move(tx, shop_id, voucher.key, VOIDING, (ISSUED,), reason=reason):
        if vouchers.move(tx, shop_id, voucher.key, KEPT, (USED,), order_id=voucher.used_order, reason=reason):
            reverse(tx, shop_id, f"voucher/{voucher.key}", now, reason)
        return False
    left = unspent(tx, shop_id, voucher) if voucher.kind == STORE_CREDIT else None
    request = _request(tx, shop_id, voucher, left)
    return effects.put(tx, by_itself(shop_id, void_id(voucher.key), VOID, request, now))


def void_again(tx: Tx, shop_id: str, key: str, amount: Decimal, cause: str, now: datetime) -> bool:
    """Take back what an order gave back of store credit that was to be taken back and had been used."""
    voucher = vouchers.get(tx, shop_id, key)
    if voucher is None or not vouchers.move(tx, shop_id, key, VOIDING, (KEPT, VOIDED), reason=voucher.reason):
        return False
    left = Money(amount, read_money(voucher.worth).currency)
    return effects.put(tx, by_itself(shop_id, f"void:{key}:{cause}", VOID, _request(tx, shop_id, voucher, left), now))


def _request(tx: Tx, shop_id: str, voucher: Voucher, left: Money | None) -> dict[str, str]:
    holder = accounts.holder_of(tx, shop_id, voucher.account)
    return {
        "do": VOID,
        "kind": voucher.kind,
        "key": voucher.key,
        "platform_id": voucher.platform_id,
        "worth": f"{left.amount:f} {left.currency}" if left is not None else voucher.worth,
        "customer_id": (holder.customer_id or "") if holder else "",
    }


def void_all(tx: Tx, shop_id: str, cause: str, reason: str, now: datetime) -> int:
    """Take back all that was given for one cause; how many were still to be had."""
    return sum(void(tx, shop_id, voucher, reason, now) for voucher in vouchers.because(tx, shop_id, cause))


def void_shared(tx: Tx, shop_id: str, code: str, now: datetime) -> bool:
    """Switch a code off that anybody may use and that nobody owns any more, however often it was used; once."""
    request = {"do": VOID, "kind": "discount", "key": code, "shared": "1"}
    return effects.put(tx, by_itself(shop_id, f"void:shared:{code}", VOID, request, now))


def write_void(adapter: PlatformAdapter, access: Access, effect: Effect) -> dict[str, str]:
    """Carry such an effect out. Raises what the adapter raises."""
    told = effect.request
    worth = read_money(told["worth"]) if told["kind"] != "discount" else None
    request = VoidRequest(
        shared=bool(told.get("shared")),
        key=effect.id,
        code=str(told["key"]),
        platform_id=str(told.get("platform_id", "")),
        customer_id=str(told.get("customer_id", "")),
        amount=worth,
        first_try_at=effect.first_try_at or access.clock.now(),
        again=effect.tainted,
    )
    left: Money | None = None
    if told["kind"] == "discount" and isinstance(adapter, VoidsCodes):
        done = adapter.void_code(access, request)
    elif told["kind"] == "gift_card" and isinstance(adapter, VoidsGiftCards):
        left = adapter.void_gift_card(access, request)
        done = left is not None
    elif told["kind"] == "store_credit" and isinstance(adapter, VoidsStoreCredit):
        left = adapter.debit_store_credit(access, request)
        done = left is not None
    else:
        return {"voided": "0", "reason": f"platform '{adapter.name}' cannot take a {told['kind']} back"}
    values = {"voided": "1" if done else "0"}
    if not done:
        values["reason"] = "it was used, or is not there any more"
    if left is not None:
        values["amount"] = f"{left.amount:f} {left.currency}"
    return values


def voided(tx: Tx, effect: Effect, values: Mapping[str, str], now: datetime) -> None:
    """Enter what came of it: what was taken back, the whole or what was left of it."""
    key = str(effect.request["key"])
    done = values.get("voided") == "1"
    known = vouchers.get(tx, effect.shop_id, key)
    state, reason = (VOIDED, known.reason if known else "") if done else (KEPT, values.get("reason", ""))
    if not vouchers.move(tx, effect.shop_id, key, state, (VOIDING,), reason=reason) or not done:
        return
    grant = books.fact(tx, effect.shop_id, f"voucher/{key}")
    if grant is None:
        return
    told = values.get("amount")
    taken = min(read_money(told).amount if told else grant.amount, grant.amount)
    holder = accounts.holder_of(tx, effect.shop_id, grant.account) or Holder(accounts=(grant.account,))
    back = Fact(
        id=f"voucher/{key}/voided{effect.id.removeprefix(void_id(key))}",
        account=grant.account,
        unit=grant.unit,
        kind=FactKind.TAKE_BACK,
        of=grant.id,
        amount=taken,
        at=now,
        cause=f"void/{to_text(now)}",
    )
    post(tx, effect.shop_id, holder, [back], now)
