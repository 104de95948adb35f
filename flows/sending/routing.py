"""By which provider a message goes, and when: rates, waiting times, breakers and fall-over, inside T4 and T5.

- A provider's account has a rate that all workers keep together (GCRA in one row, taken in the transaction that freezes
  the message, so that no two workers spend the same share). Who finds it used up gets a slot of its own; order mail has
  slots apart, so that a campaign never stands before it.
- A wish to wait (Retry-After) holds for the whole account.
- A provider that failed `FAILURES` times in a row for a shop gets nothing for a while; then one message tries.
- Where a shop names several providers, the next takes what the one before certainly did not accept. What may have been
  accepted stays with its provider for ever: elsewhere no key is known.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime, timedelta

from connector.config import ShopSettings
from connector.contracts import Accepted, Outcome, Rate, Rejected, Retry, Scope, Unknown
from connector.log import get_log
from connector.model import Effect, Purpose
from connector.store import providers
from connector.store.db import Tx
from connector.store.providers import Account, Breaker

FAILURES = 3
_OPEN_FIRST, OPEN_MOST = timedelta(seconds=30), timedelta(minutes=15)
TRYING = timedelta(minutes=5)
"""How long a message that tries may take: an effect's lease."""
_SHORTLY = timedelta(seconds=1)
RATE, DOWN = "provider_rate", "provider_down"

log = get_log("routing")


@dataclass(frozen=True, slots=True, kw_only=True)
class Provider:
    """A configured channel as routing sees it. `account` is shared by channels of one account; `looks_up`: it can be
    asked what became of a message; `tells`: its events are read here."""

    name: str
    account: str
    rate: Rate | None = None
    looks_up: bool = False
    tells: bool = False


@dataclass(frozen=True, slots=True)
class Go:
    """Now, by this provider. `passed`: those before it, and why not. `trying`: it finds out whether that answers."""

    provider: str
    passed: Mapping[str, str] = field(default_factory=dict)
    trying: Breaker | None = None


@dataclass(frozen=True, slots=True)
class Wait:
    """Not before `until`. `rule` and `detail` are kept in the run's diary."""

    until: datetime
    rule: str
    detail: Mapping[str, str]


@dataclass(frozen=True, slots=True)
class Gone:
    """It may have gone out by a provider that is not in the configuration any more."""

    provider: str


class Routing:
    """`of` tells about a configured channel; `None` for one that is not configured."""

    def __init__(self, of: Callable[[str], Provider | None]) -> None:
        self._of = of

    def choose(self, tx: Tx, effect: Effect, settings: ShopSettings, medium: str, now: datetime) -> Go | Wait | Gone:
        """The first provider that takes the effect now. Nothing is spent: see `take`."""
        names = self._names(tx, effect, settings, medium)
        if not names and not effect.tainted:
            return Go("")  # policy says why there is no way
        if not names:
            return Gone(self.provider_of(tx, effect, settings, medium))
        passed: dict[str, str] = {}
        waits: list[Wait] = []
        for name in names:
            closed = self._closed(tx, effect.shop_id, name, now)
            if isinstance(closed, Wait):
                passed[name] = closed.detail["why"]
                waits.append(closed)
                continue
            full = self._full(tx, name, effect, now)
            return full or Go(name, passed, closed)
        return min(waits, key=lambda wait: wait.until)

    def take(self, tx: Tx, effect: Effect, settings: ShopSettings, medium: str, go: Go, now: datetime) -> bool:
        """Spend the account's share and note the provider; False when another worker was first."""
        provider = self._of(go.provider)
        if provider is not None and provider.rate is not None:
            account = providers.accounts(tx).get(provider.account, Account(name=provider.account))
            begun = max(account.full_until or now, now)
            if not providers.take(tx, provider.account, begun + _interval(provider.rate)):
                return False
        if go.trying is not None and not providers.try_once(tx, go.trying, now + TRYING):
            return False
        if len(settings.providers(medium)) > 1 or (provider is not None and (provider.looks_up or provider.tells)):
            providers.go_by(tx, effect.shop_id, effect.id, go.provider)
        return True

    def provider_of(self, tx: Tx, effect: Effect, settings: ShopSettings, medium: str) -> str:
        """The provider an effect went by last, or would by itself; empty where its shop has none."""
        first = (*settings.providers(medium), "")[0]
        return (providers.way_of(tx, effect.shop_id, effect.id).provider if effect.attempts else "") or first

    def looks_up(self, name: str) -> bool:
        provider = self._of(name)
        return provider is not None and provider.looks_up

    def tells(self, name: str) -> bool:
        provider = self._of(name)
        return provider is not None and provider.tells

    def next_after(self, tx: Tx, effect: Effect, settings: ShopSettings, medium: str, name: str, now: datetime) -> str:
        """The provider that takes over what `name` certainly did not accept; empty where none can."""
        names = settings.providers(medium)
        if effect.tainted or name not in names:
            return ""
        later = names[names.index(name) + 1 :]
        return next((one for one in later if not isinstance(self._closed(tx, effect.shop_id, one, now), Wait)), "")

    def learn(self, tx: Tx, results: Iterable[tuple[str, str, Outcome]], now: datetime) -> None:
        """What a batch taught of its providers: (shop, provider, outcome). Any clear answer closes a breaker."""
        answered: set[tuple[str, str]] = set()
        failed: dict[tuple[str, str], Retry | Unknown] = {}
        for shop_id, name, outcome in results:
            if isinstance(outcome, Accepted | Rejected) or (
                isinstance(outcome, Retry) and outcome.scope is Scope.MESSAGE
            ):
                answered.add((shop_id, name))
            elif name:
                failed[shop_id, name] = outcome
                self._block(tx, name, outcome, now)
        for shop_id, name in answered - failed.keys():
            if name in providers.breakers_of(tx, shop_id):
                providers.close(tx, shop_id, name)
        for key, outcome in failed.items():
            if key not in answered or (isinstance(outcome, Retry) and outcome.scope is Scope.SHOP):
                self._count(tx, *key, outcome, now)

    def _block(self, tx: Tx, name: str, outcome: Retry | Unknown, now: datetime) -> None:
        provider = self._of(name)
        wish = outcome.after if isinstance(outcome, Retry) and outcome.scope is Scope.ACCOUNT else None
        if provider is None or not wish:
            return
        until = now + timedelta(seconds=wish)
        known = providers.accounts(tx).get(provider.account)
        if known is None or known.blocked_until is None or known.blocked_until < until:
            providers.block(tx, provider.account, until, outcome.text)

    def _count(self, tx: Tx, shop_id: str, name: str, outcome: Retry | Unknown, now: datetime) -> None:
        known = providers.breakers_of(tx, shop_id).get(name)
        failures = (known.failures if known else 0) + 1
        wish = outcome.after if isinstance(outcome, Retry) and outcome.scope is Scope.SHOP else None
        opens = timedelta(seconds=wish) if wish else None
        if opens is None and failures >= FAILURES:
            opens = min(_OPEN_FIRST * 2 ** min(failures - FAILURES, 10), OPEN_MOST)
        until = now + opens if opens else None
        breaker = Breaker(
            shop_id=shop_id, provider=name, failures=failures, open_until=until, reason=outcome.text[:300]
        )
        providers.fail(tx, breaker)
        if until:
            log.warning("provider_closed", provider=name, shop_id=shop_id, until=until, reason=breaker.reason)

    def _names(self, tx: Tx, effect: Effect, settings: ShopSettings, medium: str) -> Sequence[str]:
        """Whom to ask, in order. What may have been accepted has one provider, or none when that is gone."""
        names = settings.providers(medium)
        if not effect.attempts or (len(names) == 1 and not effect.tainted):
            return names
        last = providers.way_of(tx, effect.shop_id, effect.id).provider
        if effect.tainted:
            mine = last or names[0]
            return (mine,) if self._of(mine) is not None else ()
        return (last, *(name for name in names if name != last)) if last in names else names

    def _closed(self, tx: Tx, shop_id: str, name: str, now: datetime) -> Wait | Breaker | None:
        """Why nothing goes there now; the breaker when one message may try; `None` when it is open to all."""
        provider = self._of(name)
        account = providers.accounts(tx).get(provider.account) if provider else None
        if account is not None and account.blocked_until and account.blocked_until > now:
            return Wait(account.blocked_until, DOWN, {"provider": name, "why": account.reason})
        breaker = providers.breakers_of(tx, shop_id).get(name)
        if breaker is None or breaker.open_until is None:
            return None
        why = f"{breaker.failures} failures in a row; the last said: {breaker.reason}"
        if breaker.open_until > now:
            return Wait(breaker.open_until, DOWN, {"provider": name, "why": why})
        if breaker.trying_until and breaker.trying_until > now:
            soon = min(breaker.trying_until, now + 5 * _SHORTLY)
            return Wait(soon, DOWN, {"provider": name, "why": f"{why}; one message is trying"})
        return breaker

    def _full(self, tx: Tx, name: str, effect: Effect, now: datetime) -> Wait | None:
        """The slot to wait for when the account's rate is used up. The slot is given away."""
        provider = self._of(name)
        if provider is None or provider.rate is None:
            return None
        account = providers.accounts(tx).get(provider.account, Account(name=provider.account))
        interval = _interval(provider.rate)
        free_at = (account.full_until or now) - interval * (provider.rate.burst - 1)
        if free_at <= now + interval / 2:  # a worker that comes a little late must not lose its turn
            return None
        mine = 0 if effect.purpose is Purpose.TRANSACTIONAL else 1
        last = account.slots[mine]
        slot = max(free_at, last + interval) if last and last > now else free_at
        slots = (slot, account.slots[1]) if mine == 0 else (account.slots[0], slot)
        providers.give_slot(tx, provider.account, slots)
        per = f"{provider.rate.messages:g} in {provider.rate.seconds:g} s"
        return Wait(slot, RATE, {"provider": name, "why": f"the account may send {per}"})


def _interval(rate: Rate) -> timedelta:
    return timedelta(seconds=rate.seconds / rate.messages)


def shortly(now: datetime) -> datetime:
    """When to ask again after another worker was first."""
    return now + _SHORTLY / 20
