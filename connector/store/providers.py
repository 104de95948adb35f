"""Provider accounts as all workers use them, providers that fail for a shop, and by which one an effect went."""

from __future__ import annotations

from dataclasses import dataclass, replace
from datetime import datetime

from connector.clock import from_text, to_text
from connector.store.db import Row, Tx

_ACCOUNTS, _BREAKERS = "provider_accounts_all", "provider_breakers_of"


@dataclass(frozen=True, slots=True, kw_only=True)
class Account:
    """`full_until`: its rate is used up to there. `slots`: the last moment given to order mail, and to the rest.
    `blocked_until`: the provider asked everybody to wait, for `reason`."""

    name: str
    full_until: datetime | None = None
    slots: tuple[datetime | None, datetime | None] = (None, None)
    blocked_until: datetime | None = None
    reason: str = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class Breaker:
    """A provider that failed `failures` times in a row for a shop. Set `open_until`: nothing goes there before.
    `trying_until`: a message is finding out whether it answers again."""

    shop_id: str
    provider: str
    failures: int
    open_until: datetime | None = None
    trying_until: datetime | None = None
    reason: str = ""


@dataclass(frozen=True, slots=True)
class EffectWay:
    """By which provider an effect went or will go, '' for the shop's first; `doubts`: attempts of unknown outcome."""

    provider: str = ""
    doubts: int = 0


def accounts(tx: Tx) -> dict[str, Account]:
    """All accounts that have a row, asked once a transaction."""
    known = tx.recall(_ACCOUNTS)
    if "all" not in known:
        known["all"] = {row["account"]: _account(row) for row in tx.all(_ACCOUNTS)}
    found: dict[str, Account] = known["all"]
    return found


def take(tx: Tx, account: str, full_until: datetime) -> bool:
    """Use the account's rate up to a moment; False when another worker was first: ask again a little later."""
    known = accounts(tx)
    if account not in known:
        tx.run("provider_account_ensure", account=account)
    before = known.get(account, Account(name=account))
    seen, until = _text(before.full_until), to_text(full_until)
    if tx.run("provider_account_take", account=account, full_until=until, seen=seen) != 1:
        tx.forget(_ACCOUNTS)
        return False
    known[account] = replace(before, full_until=full_until)
    return True


def give_slot(tx: Tx, account: str, slots: tuple[datetime | None, datetime | None]) -> None:
    """Note the last moments given to those that wait. A slot given twice does no harm: one of the two waits again."""
    known = accounts(tx)
    if account not in known:
        tx.run("provider_account_ensure", account=account)
    tx.run("provider_account_slot", account=account, first_slot=_text(slots[0]), later_slot=_text(slots[1]))
    known[account] = replace(known.get(account, Account(name=account)), slots=slots)


def block(tx: Tx, account: str, until: datetime, reason: str) -> None:
    """Nothing through this account before `until`."""
    tx.run("provider_account_ensure", account=account)
    tx.run("provider_account_block", account=account, until=to_text(until), reason=reason)
    tx.forget(_ACCOUNTS)


def breakers(tx: Tx) -> dict[tuple[str, str], Breaker]:
    """What fails just now in all shops, by shop and provider: for an operator."""
    return {(row["shop_id"], row["provider"]): _breaker(row) for row in tx.all("provider_breakers_all")}


def breakers_of(tx: Tx, shop_id: str) -> dict[str, Breaker]:
    """What fails just now for a shop, by provider; asked once a transaction."""
    known = tx.recall(_BREAKERS)
    if shop_id not in known:
        known[shop_id] = {row["provider"]: _breaker(row) for row in tx.all(_BREAKERS, shop_id=shop_id)}
    found: dict[str, Breaker] = known[shop_id]
    return found


def fail(tx: Tx, breaker: Breaker) -> None:
    """Store a failure more; whoever was trying has found out."""
    tx.run(
        "provider_breaker_put",
        shop_id=breaker.shop_id,
        provider=breaker.provider,
        failures=breaker.failures,
        open_until=_text(breaker.open_until),
        reason=breaker.reason,
    )
    breakers_of(tx, breaker.shop_id)[breaker.provider] = replace(breaker, trying_until=None)


def try_once(tx: Tx, breaker: Breaker, until: datetime) -> bool:
    """Let one message find out; False when another's is at it."""
    seen = _text(breaker.trying_until)
    args = {"shop_id": breaker.shop_id, "provider": breaker.provider, "until": to_text(until), "seen": seen}
    if tx.run("provider_breaker_try", **args) != 1:
        tx.forget(_BREAKERS)
        return False
    breakers_of(tx, breaker.shop_id)[breaker.provider] = replace(breaker, trying_until=until)
    return True


def close(tx: Tx, shop_id: str, provider: str) -> None:
    """It answers again."""
    tx.run("provider_breaker_close", shop_id=shop_id, provider=provider)
    breakers_of(tx, shop_id).pop(provider, None)


def way_of(tx: Tx, shop_id: str, effect_id: str) -> EffectWay:
    row = tx.one("effect_way_get", shop_id=shop_id, effect_id=effect_id)
    return EffectWay(row["provider"], row["doubts"]) if row else EffectWay()


def go_by(tx: Tx, shop_id: str, effect_id: str, provider: str) -> None:
    """By this provider from now on."""
    tx.later("effect_way_put", shop_id=shop_id, effect_id=effect_id, provider=provider)


def doubt(tx: Tx, shop_id: str, effect_id: str, provider: str) -> None:
    """An attempt ended without anybody knowing how; `provider` where none was noted before."""
    tx.run("effect_way_doubt", shop_id=shop_id, effect_id=effect_id, provider=provider)


def _account(row: Row) -> Account:
    return Account(
        name=row["account"],
        full_until=_time(row["full_until"]),
        slots=(_time(row["first_slot"]), _time(row["later_slot"])),
        blocked_until=_time(row["blocked_until"]),
        reason=row["reason"],
    )


def _breaker(row: Row) -> Breaker:
    return Breaker(
        shop_id=row["shop_id"],
        provider=row["provider"],
        failures=row["failures"],
        open_until=_time(row["open_until"]),
        trying_until=_time(row["trying_until"]),
        reason=row["reason"],
    )


def _text(at: datetime | None) -> str:
    return to_text(at) if at else ""


def _time(text: str) -> datetime | None:
    return from_text(text) if text else None
