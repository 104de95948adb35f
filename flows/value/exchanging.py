"""Points exchanged for a code: spent and put into the outbox in one transaction, made by the worker, given back where
the platform refuses, and exchanged back while the code is unused.

Nothing is kept but the books, the effect and the voucher: the spend's id is the cause of all of them.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime
from decimal import Decimal

from connector import codec
from connector.clock import to_text
from connector.config.rewards import Reward
from connector.contracts import DOUBTFUL, Access, CreatesDiscounts, DiscountRequest, PlatformAdapter
from connector.contracts.step import CODE_LETTERS, EffectFailed, EffectSkipped, Signal
from connector.errors import Refused
from connector.model import Effect, Event, EventKind, Shop, by_itself
from connector.model.value import POINTS, Fact, FactKind
from connector.store import accounts, books, effects, vouchers
from connector.store.accounts import Holder
from connector.store.db import Tx
from connector.store.vouchers import ISSUED, KEPT, USED, VOIDED, Voucher
from flows.sending.addressing import derive_token
from flows.steps.create_discount import worth
from flows.value.bookings import position_of, post, spend
from flows.value.tidings import Who, whole
from flows.value.vouchers import enter, void

EXCHANGE = "exchange"
"""The kind of effect that makes such a code, and what the causes of its facts begin with."""
RETURNED = "exchanged back"
WAITING, READY, GONE, LAPSED, RETURNING, BACK = "waiting", "ready", "used", "lapsed", "returning", "back"
_PREFIX = "POINTS"
_GAVE_UP = "GAVE_UP"


@dataclass(frozen=True, slots=True, kw_only=True)
class Claim:
    """One exchange as its owner sees it. `id` is the spend's; `back_until` is when it can no longer go back."""

    id: str
    reward: str
    points: int
    at: datetime
    state: str
    code: str = ""
    worth: str = ""
    expires_at: datetime | None = None
    back_until: datetime | None = None


def claim(
    tx: Tx, shop: Shop, holder: Holder, address: str, reward: Reward, key: str, salt: bytes, now: datetime
) -> bool:
    """Exchange points, once under a key; `False` when there are not so many. The holder must be held."""
    token = derive_token(salt, EXCHANGE, shop.id, holder.account, reward.name, key)
    spent = f"{EXCHANGE}/{reward.name}/{token}"
    if books.fact(tx, shop.id, spent) is not None:
        return True
    if not spend(tx, shop.id, spent, holder, Decimal(reward.points), now, spent):
        return False
    code = f"{_PREFIX}-{derive_token(salt, 'points code', shop.id, spent, length=CODE_LETTERS).upper()}"
    wanted = DiscountRequest(
        code=code,
        title=f"{reward.title or reward.name} ({reward.points} points)",
        starts_at=now,
        amount=reward.amount,
        percent=reward.percent,
        free_delivery=reward.free_delivery,
        products=reward.products,
        minimum=reward.minimum,
        ends_at=now + reward.valid,
        customer_email=address,
        customer_id=holder.customer_id,
    )
    request = {"do": EXCHANGE, "spent": spent, "account": holder.account, "discount": codec.builtins(wanted)}
    return effects.put(tx, by_itself(shop.id, f"{EXCHANGE}:{token}", EXCHANGE, request, now, recipient=address))


def write_exchange(tx: Tx, adapter: PlatformAdapter, effect: Effect) -> DiscountRequest:
    """What is to be made. Raises `Refused` where the points went back meanwhile, or the platform makes no codes."""
    if not isinstance(adapter, CreatesDiscounts):
        raise Refused(f"platform '{adapter.name}' makes no discount codes", provider_code="no_codes")
    if books.fact(tx, effect.shop_id, _back_id(str(effect.request["spent"]))) is not None:
        raise Refused("the points went back to their owner: nothing is made for them", provider_code="given_back")
    return codec.convert(effect.request["discount"], DiscountRequest)


def make(adapter: PlatformAdapter, access: Access, wanted: DiscountRequest) -> dict[str, str]:
    """Make the code, which is its own key. Raises what the adapter raises."""
    assert isinstance(adapter, CreatesDiscounts)
    made = adapter.create_discount(access, wanted)
    ends = to_text(wanted.ends_at) if wanted.ends_at else ""
    return {"code": made.code, "value": worth(wanted), "granted": made.platform_id, "ends_at": ends}


def made(tx: Tx, effect: Effect, values: Mapping[str, str], now: datetime) -> list[Event]:
    """Enter the code and tell that it is there; nothing the second time."""
    if not values.get("code"):
        return []
    spent, shop_id = str(effect.request["spent"]), effect.shop_id
    account = str(effect.request["account"])
    holder = accounts.holder_of(tx, shop_id, account) or Holder(accounts=(account,))
    wanted = codec.convert(effect.request["discount"], DiscountRequest)
    voucher = Voucher(
        key=vouchers.key_of(values["code"]),
        account=holder.account,
        effect_id=effect.id,
        kind="discount",
        worth=values["value"],
        cause=spent,
        platform_id=values.get("granted", ""),
        expires_at=wanted.ends_at,
    )
    if not enter(tx, shop_id, holder, voucher, spent.rpartition("/")[0], "", now):
        return []
    if not (holder.customer_id or holder.email_key):
        return []  # the person was forgotten meanwhile
    balance = position_of(tx, shop_id, holder, now).available
    data = {key: values[key] for key in ("code", "value", "ends_at") if values.get(key)}
    return [Who.of(holder, None).event(EventKind.POINTS_EXCHANGED, spent, now, {**data, "balance": whole(balance)})]


def settled(tx: Tx, effect: Effect, signal: Signal, now: datetime) -> None:
    """The points come back when it certainly was not made. What nobody can tell is left to a person."""
    if effect.kind != EXCHANGE or not isinstance(signal, EffectFailed | EffectSkipped):
        return
    code = signal.code if isinstance(signal, EffectFailed) else ""
    if code == DOUBTFUL or (code == _GAVE_UP and effect.tainted):
        return
    return_points(tx, effect.shop_id, str(effect.request.get("spent", "")), now, "not made")


def return_points(tx: Tx, shop_id: str, spent: str, now: datetime, cause: str) -> bool:
    """Give what an exchange cost back, once."""
    told = books.fact(tx, shop_id, spent)
    if told is None or told.kind is not FactKind.SPEND:
        return False
    holder = accounts.holder_of(tx, shop_id, told.account) or Holder(accounts=(told.account,))
    back = Fact(
        id=_back_id(spent),
        account=told.account,
        unit=POINTS,
        kind=FactKind.GIVE_BACK,
        of=spent,
        amount=told.amount,
        at=now,
        cause=cause,
    )
    return bool(post(tx, shop_id, holder, [back], now, spent))


def exchange_back(tx: Tx, shop_id: str, found: Claim, now: datetime) -> bool:
    """Have an unused code switched off; its points come back when the platform has done so."""
    voucher = vouchers.get(tx, shop_id, found.code) if found.code else None
    in_time = found.back_until is not None and now < found.back_until
    return found.state == READY and in_time and voucher is not None and void(tx, shop_id, voucher, RETURNED, now)


def after_void(tx: Tx, effect: Effect, now: datetime) -> None:
    """A code that points were exchanged for was switched off, unused: the points come back."""
    voucher = vouchers.get(tx, effect.shop_id, str(effect.request["key"]))
    if voucher is not None and voucher.state == VOIDED and voucher.cause.startswith(f"{EXCHANGE}/"):
        return_points(tx, effect.shop_id, voucher.cause, now, RETURNED)


def claims_of(tx: Tx, shop_id: str, holder: Holder, rewards: Mapping[str, Reward], now: datetime) -> list[Claim]:
    """Somebody's exchanges, the newest first."""
    facts = books.facts_of(tx, shop_id, holder.accounts)
    back = {fact.of for fact in facts if fact.kind is FactKind.GIVE_BACK}
    given = {voucher.cause: voucher for voucher in vouchers.of_accounts(tx, shop_id, holder.accounts)}
    spends = [fact for fact in facts if fact.kind is FactKind.SPEND and fact.id.startswith(f"{EXCHANGE}/")]
    return [
        _claim(fact, given.get(fact.id), rewards, now, returned=fact.id in back)
        for fact in sorted(spends, key=lambda each: (each.at, each.id), reverse=True)
    ]


def _claim(
    fact: Fact, voucher: Voucher | None, rewards: Mapping[str, Reward], now: datetime, *, returned: bool
) -> Claim:
    name = fact.id.split("/")[1]
    state = BACK if returned else WAITING
    if voucher is not None and not returned:
        state = {ISSUED: READY, USED: GONE, KEPT: GONE}.get(voucher.state, RETURNING)
        if state == READY and voucher.expires_at is not None and voucher.expires_at <= now:
            state = LAPSED
    reward = rewards.get(name)
    return Claim(
        id=fact.id,
        reward=name,
        points=int(fact.amount),
        at=fact.at,
        state=state,
        code=voucher.key if voucher is not None else "",
        worth=voucher.worth if voucher is not None else "",
        expires_at=voucher.expires_at if voucher is not None else None,
        back_until=fact.at + reward.back if reward is not None else None,
    )


def _back_id(spent: str) -> str:
    return f"{spent}/back"
