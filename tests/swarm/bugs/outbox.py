"""Messages that are repeated, lost or never finished."""

from __future__ import annotations

from datetime import timedelta
from itertools import count
from typing import Any

import pytest

from connector.contracts import EffectDone, EffectSkipped
from connector.model import EffectStatus
from connector.store import effects
from flows import outbox
from flows.outbox import Outbox
from flows.steps.create_discount import CreateDiscount
from tests.swarm.bugs.planting import Bug, reword, wrap
from tests.swarm.house import House


def unknown_is_repeated(patch: pytest.MonkeyPatch, house: House) -> None:
    """Whatever the class: what may have arrived is sent again, and nothing looks again before it leaves."""
    patch.setattr(outbox, "forgotten", lambda *_: False)
    patch.setattr(
        Outbox,
        "unknown",
        lambda self, tx, effect, now, text, *_: effects.retry(
            tx, effect.shop_id, effect.id, now, now + timedelta(seconds=1), text, tainted=True
        ),
    )


def repeated_after_the_window(patch: pytest.MonkeyPatch, house: House) -> None:
    """A repetition that was put off until the provider knows the key no more is sent (found by this search)."""
    patch.setattr(outbox, "forgotten", lambda *_: False)


def taint_is_cleared(patch: pytest.MonkeyPatch, house: House) -> None:
    """After an unknown outcome a later "certainly not" makes all forgotten."""
    real = effects.retry

    def retry(tx: Any, shop_id: str, effect_id: str, *given: Any, **more: Any) -> None:
        real(tx, shop_id, effect_id, *given, **more)
        if not more.get("tainted"):
            tx.script("UPDATE effects SET tainted = 0 WHERE shop_id = ? AND effect_id = ?", (shop_id, effect_id))

    patch.setattr(effects, "retry", retry)


def never_tainted(patch: pytest.MonkeyPatch, house: House) -> None:
    wrap(patch, effects, "retry", lambda real, *given, **more: real(*given, **{**more, "tainted": None}))


def later_means_sent(patch: pytest.MonkeyPatch, house: House) -> None:
    patch.setattr(Outbox, "again", lambda self, tx, effect, now, *_: self.done(tx, effect, now, {}))


def wish_not_heeded(patch: pytest.MonkeyPatch, house: House) -> None:
    """The server said after how long to come back."""
    wrap(patch, Outbox, "again", lambda real, self, tx, effect, now, text, *_: real(self, tx, effect, now, text, None))


def lease_never_ends(patch: pytest.MonkeyPatch, house: House) -> None:
    patch.setattr(effects, "expired", lambda *_: [])


def lease_of_no_length(patch: pytest.MonkeyPatch, house: House) -> None:
    patch.setattr(outbox, "LEASE", timedelta(0))


def begun_is_not_written(patch: pytest.MonkeyPatch, house: House) -> None:
    """The intent is not committed before the call, only the outcome after it."""
    patch.setattr(effects, "take", lambda tx, beginning: None)


def outcome_is_not_written(patch: pytest.MonkeyPatch, house: House) -> None:
    def done(self: Outbox, tx: Any, effect: Any, now: Any, values: Any, provider_id: str = "") -> None:
        self._runner.settle(tx, effect, EffectDone(values), now)

    patch.setattr(Outbox, "done", done)


def a_key_an_attempt(patch: pytest.MonkeyPatch, house: House) -> None:
    numbers = count()
    wrap(
        patch,
        outbox,
        "derive_token",
        lambda real, salt, *parts, length=26: real(salt, *parts, str(next(numbers)), length=length),
    )


def a_code_an_attempt(patch: pytest.MonkeyPatch, house: House) -> None:
    def perform(real: Any, self: Any, adapter: Any, access: Any, request: Any, key: str) -> Any:
        terms = request["discount"]
        fresh = {**terms, "code": terms["code"] + access.clock.token(3).upper()}
        return real(self, adapter, access, {**request, "discount": fresh}, key)

    wrap(patch, CreateDiscount, "perform", perform)


def put_off_for_ever(patch: pytest.MonkeyPatch, house: House) -> None:
    wrap(
        patch,
        effects,
        "defer",
        lambda real, tx, shop_id, effect_id, until, reason: real(
            tx, shop_id, effect_id, until + timedelta(days=4000), reason
        ),
    )


def put_off_while_it_is_sent(patch: pytest.MonkeyPatch, house: House) -> None:
    """What another worker has begun meanwhile is put back to be sent again (found by this search)."""
    reword(patch, house, "effect_defer", "SET due_at", "SET status = 'pending', due_at")
    reword(patch, house, "effect_defer", "AND status = 'pending'", "AND status IN ('pending', 'sending')")


def doubt_is_called_silence(patch: pytest.MonkeyPatch, house: House) -> None:
    """What may have arrived and is not repeated is written down as not sent (found by this search)."""

    def drop(self: Outbox, tx: Any, effect: Any, now: Any, code: str, reason: str, detail: Any = None) -> None:
        effects.settle(tx, effect.shop_id, effect.id, now, EffectStatus.SKIPPED, reason=f"{code}: {reason}")
        self._runner.settle(tx, effect, EffectSkipped(code), now)

    patch.setattr(Outbox, "_drop", drop)


def any_no_is_a_bounce(patch: pytest.MonkeyPatch, house: House) -> None:
    """A refused message blames the address."""
    wrap(
        patch,
        Outbox,
        "fail",
        lambda real, self, tx, effect, now, code, text: (
            self._blame(tx, effect, effect.recipient or "aino@example.com", now),
            real(self, tx, effect, now, code, text),
        ),
    )


def reason_is_left_out(patch: pytest.MonkeyPatch, house: House) -> None:
    wrap(patch, effects, "settle", lambda real, *given, **more: real(*given, **{**more, "reason": ""}))


BUGS = (
    Bug("an unknown outcome is repeated", unknown_is_repeated),
    Bug("repeated after the provider's window", repeated_after_the_window),
    Bug("a taint is cleared", taint_is_cleared),
    Bug("nothing is ever tainted", never_tainted),
    Bug("later is taken for sent", later_means_sent),
    Bug("the server's wish is not heeded", wish_not_heeded),
    Bug("a lease never ends", lease_never_ends),
    Bug("a lease has no length", lease_of_no_length),
    Bug("the intent is not written before the call", begun_is_not_written),
    Bug("the outcome is not written", outcome_is_not_written),
    Bug("a message key an attempt", a_key_an_attempt),
    Bug("a code an attempt", a_code_an_attempt),
    Bug("put off for ever", put_off_for_ever),
    Bug("put off while it is sent", put_off_while_it_is_sent),
    Bug("doubt is called silence", doubt_is_called_silence),
    Bug("any refusal blames the address", any_no_is_a_bounce),
    Bug("no reason is kept", reason_is_left_out),
)
