"""Asking a provider about messages whose outcome nobody knows, before they are repeated or left to a person.

Outside any transaction; what it says is recorded in one. A provider that cannot say yet is asked again until `PATIENCE`
has passed since the first attempt: then the rules for an unknown outcome hold as if it could not be asked.
"""

from __future__ import annotations

from collections.abc import Iterable
from datetime import datetime, timedelta

from connector.app import Kiitos
from connector.contracts import Accepted, LooksUp
from connector.errors import KiitosError, StoreUnavailable, Transient
from connector.log import get_log
from connector.model import Effect, EffectStatus
from connector.store import effects
from connector.working.intake import again_if_moved

PATIENCE = timedelta(minutes=10)
_AGAIN = timedelta(seconds=30)

log = get_log("doubts")


class Asking:
    """One worker's questions."""

    def __init__(self, kiitos: Kiitos) -> None:
        self._kiitos = kiitos

    def ask(self, doubtful: Iterable[Effect], now: datetime, limit: float) -> frozenset[tuple[str, str]]:
        """Ask about each until the clock's `limit`; those that must not be prepared now: settled, put off, or not
        reached any more."""
        done: set[tuple[str, str]] = set()
        for effect in doubtful:
            provider = self._provider_of(effect)
            if not provider:
                continue
            if self._kiitos.clock.monotonic() > limit or self._ask(effect, provider, now):
                done.add((effect.shop_id, effect.id))
        return frozenset(done)

    def _provider_of(self, effect: Effect) -> str:
        """The provider to ask; empty where none can be, or a key makes asking needless."""
        kiitos = self._kiitos
        if effect.kind != "message" or effect.status is not EffectStatus.PENDING or not effect.content:
            return ""
        settings = kiitos.catalog.settings(effect.shop_id)
        with kiitos.store.work.read() as tx:
            name = kiitos.routing.provider_of(tx, effect, settings, effect.channel or "email")
        return name if kiitos.routing.looks_up(name) else ""

    def _ask(self, effect: Effect, provider: str, now: datetime) -> bool:
        """Whether the effect is done with for this round."""
        channel, message = self._kiitos.channels.named(provider), self._kiitos.outbox.frozen(effect)
        since = effect.first_try_at or now
        if not isinstance(channel, LooksUp) or message is None:
            return False
        try:
            found = channel.look_up(message, since)
        except StoreUnavailable:
            raise
        except Transient as error:
            if now - since >= PATIENCE:
                return False
            pause = timedelta(seconds=error.retry_after) if error.retry_after else _AGAIN
            with self._kiitos.store.work.transaction() as tx:
                reason = f"{provider} was asked whether it has the message: {error.message}"
                effects.defer(tx, effect.shop_id, effect.id, now + pause, reason)
            return True
        except KiitosError as error:
            log.warning("provider_not_asked", shop_id=effect.shop_id, effect_id=effect.id, code=error.code)
            return False
        except Exception as error:
            log.exception("look_up_failed", error, shop_id=effect.shop_id, effect_id=effect.id)
            return False
        return again_if_moved(lambda: self._record(effect, provider, found, now))

    def _record(self, effect: Effect, provider: str, found: Accepted | None, now: datetime) -> bool:
        with self._kiitos.store.work.transaction() as tx:
            current = effects.get(tx, effect.shop_id, effect.id)
            if current is None or current.status is not EffectStatus.PENDING or current.attempts != effect.attempts:
                return True  # another worker took it up meanwhile
            self._kiitos.outbox.looked(tx, current, provider, found, now)
        return found is not None
