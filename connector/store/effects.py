"""The outbox. An effect is committed as `sending` before the call, so that a crash leaves a trace and never a guess."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from datetime import datetime
from functools import lru_cache
from typing import Any, NamedTuple

from connector import codec
from connector.clock import from_text, to_text
from connector.contracts import Message
from connector.model import Effect, EffectStatus, Purpose, Run, email_key
from connector.store.contents import pack_content, unpack_content
from connector.store.db import Row, Tx
from connector.store.turns import Turn, share_out

BY_HAND = "by_hand"
"""In `result` of an effect that may go out though its run has ended (a retry by hand, a late review): since when."""

_FIRST, _LATER = 0, 1  # transactional effects never wait behind a campaign


class Beginning(NamedTuple):
    """A row of `begin_many`; a plain tuple of the same order is as good."""

    shop_id: str
    effect_id: str
    now: datetime
    lease_until: datetime
    recipient: str = ""
    sender: str = ""
    subject: str = ""
    content: bytes | None = None
    message_key: str | None = None


class Settlement(NamedTuple):
    """A row of `settle_many`; a plain tuple of the first four or more fields is as good."""

    shop_id: str
    effect_id: str
    now: datetime
    status: EffectStatus
    provider_id: str = ""
    reason: str = ""
    result: Mapping[str, str] = {}


def put(tx: Tx, effect: Effect) -> bool:
    """Into the outbox; `False` when an effect with this id is there (then nothing changes)."""
    changed = tx.run("effect_put", **_columns(effect))
    if changed == 1 and effect.content is not None:
        _freeze(tx, effect.shop_id, effect.id, effect.content)
    return changed == 1


def queue(tx: Tx, effect: Effect) -> None:
    """`put` together with others, for an effect without content."""
    tx.later("effect_put", **_columns(effect))


def _columns(effect: Effect) -> dict[str, Any]:
    return {
        "shop_id": effect.shop_id,
        "effect_id": effect.id,
        "run_id": effect.run_id,
        "flow_id": effect.flow_id,
        "version": effect.version,
        "step_id": effect.step_id,
        "kind": effect.kind,
        "purpose": effect.purpose.value,
        "priority": _FIRST if effect.purpose is Purpose.TRANSACTIONAL else _LATER,
        "request": codec.encode_text(effect.request),
        "status": effect.status.value,
        "due_at": to_text(effect.due_at),
        "created_at": to_text(effect.created_at),
        "order_id": effect.order_id,
        "channel": effect.channel,
        "attempts": effect.attempts,
        "tainted": int(effect.tainted),
        "lease_until": _text(effect.lease_until),
        "first_try_at": _text(effect.first_try_at),
        "done_at": _text(effect.done_at),
        "recipient": effect.recipient,
        "recipient_key": _recipient_key(effect.recipient) if effect.recipient else "",
        "sender": effect.sender,
        "subject": effect.subject,
        "provider_id": effect.provider_id,
        "reason": effect.reason,
        "result": codec.encode_text(effect.result) if effect.result else "{}",
    }


def get(tx: Tx, shop_id: str, effect_id: str) -> Effect | None:
    row = tx.one("effect_get", shop_id=shop_id, effect_id=effect_id)
    return effect_of(row) if row else None


def of_run(tx: Tx, shop_id: str, run_id: str) -> list[Effect]:
    """Oldest first."""
    return [effect_of(row) for row in tx.all("effect_of_run", shop_id=shop_id, run_id=run_id)]


def of_order(tx: Tx, shop_id: str, order_id: str) -> list[Effect]:
    """Oldest first."""
    return [effect_of(row) for row in tx.all("effect_of_order", shop_id=shop_id, order_id=order_id)]


def told_of_subject(tx: Tx, run: Run) -> list[tuple[dict[str, str], dict[str, Any]]]:
    """Trigger and request of each message the other runs of the run's flow and subject sent, newest first.

    What is being sent, or may have been, counts. Only for subjects other than orders.
    """
    rows = tx.all(
        "effect_told_of_subject",
        shop_id=run.shop_id,
        subject_id=run.subject_id,
        subject_kind=run.subject_kind,
        flow_id=run.flow_id,
        run_id=run.id,
    )
    return [(codec.decode(row["event"], dict[str, str]), codec.decode(row["request"], dict[str, Any])) for row in rows]


def troubled(tx: Tx, shop_id: str = "", status: str = "", limit: int = 50) -> list[Effect]:
    """What failed or is uncertain, newest first, of one shop or all, of one of the two statuses or both."""
    return [effect_of(row) for row in tx.all("effect_troubled", shop_id=shop_id, status=status, limit=limit)]


def reopen(tx: Tx, shop_id: str, effect_id: str, now: datetime) -> bool:
    """Due at once although it had ended; `False` when it is neither failed nor uncertain. Marked as a person's word."""
    result = codec.encode_text({BY_HAND: to_text(now)})
    return tx.run("effect_reopen", shop_id=shop_id, effect_id=effect_id, now=to_text(now), result=result) == 1


def due(tx: Tx, now: datetime, limit: int, turn: Turn | None = None) -> list[Effect]:
    """Pending effects whose time has come: transactional ones first, then by time.

    When there are more than `limit`, each shop has a share (`connector.store.turns`).
    """
    rows = _due(tx, _FIRST, now, limit, turn or Turn())
    if len(rows) < limit:
        rows += _due(tx, _LATER, now, limit - len(rows), turn or Turn())
    return _with_contents(tx, rows)


def _due(tx: Tx, priority: int, now: datetime, limit: int, turn: Turn) -> list[Row]:
    at = to_text(now)

    def after(shop_id: str, count: int) -> list[str]:
        rows = tx.all("effect_due_shops", priority=priority, now=at, after=shop_id, limit=count)
        return [row["shop_id"] for row in rows]

    def of(shop_id: str, count: int) -> list[Row]:
        return tx.all("effect_due_of", priority=priority, shop_id=shop_id, now=at, limit=count)

    oldest = tx.all("effect_due", priority=priority, now=at, limit=limit)
    return share_out(oldest, limit, turn, after, of, "effect_id")


def expired(tx: Tx, now: datetime, limit: int) -> list[Effect]:
    """Effects whose sending began and was never settled: their outcome is unknown."""
    return _with_contents(tx, tx.all("effect_expired", now=to_text(now), limit=limit))


def _with_contents(tx: Tx, rows: list[Row]) -> list[Effect]:
    tried: dict[str, list[str]] = {}
    for row in rows:
        if row["attempts"]:  # content is frozen by the first attempt
            tried.setdefault(row["shop_id"], []).append(row["effect_id"])
    if not tried:
        names = tuple(rows[0]) if rows else ()
        return [_untried(names, tuple(row.values())) for row in rows]
    contents = {}
    for shop_id, ids in tried.items():
        for found in tx.all("effect_contents_of", shop_id=shop_id, ids=codec.encode_text(ids)):
            contents[shop_id, found["effect_id"]] = found
    return [effect_of(row | contents.get((row["shop_id"], row["effect_id"]), {})) for row in rows]


@lru_cache(maxsize=512)
def _untried(names: tuple[str, ...], values: tuple[Any, ...]) -> Effect:
    # What is due is read twice, before and in the transaction that begins it. Kept by its very row, so never stale.
    return effect_of(dict(zip(names, values, strict=True)))


def begin(
    tx: Tx,
    shop_id: str,
    effect_id: str,
    now: datetime,
    lease_until: datetime,
    recipient: str = "",
    sender: str = "",
    subject: str = "",
    content: bytes | None = None,
) -> bool:
    """Mark as `sending` before the call, counting the attempt; `False` when it was not pending any more.

    The first `content` is frozen: what later attempts pass does not replace it.
    """
    row = Beginning(shop_id, effect_id, now, lease_until, recipient, sender, subject, content)
    return begin_many(tx, [row]) == 1


def begin_many(tx: Tx, rows: Iterable[Beginning | tuple[Any, ...]]) -> int:
    """`begin` for several; return how many were pending."""
    begun = 0
    for row in rows:
        b = Beginning(*row)
        changed = tx.run("effect_begin", **_begun(b))
        begun += changed
        if changed and b.content is not None:
            _freeze(tx, b.shop_id, b.effect_id, b.content)
    return begun


def take(tx: Tx, beginning: Beginning) -> None:
    """`begin` together with others, for an effect that this transaction found pending: it is (or `StoreCollision`)."""
    tx.later("effect_begin", exact=True, **_begun(beginning))
    if beginning.content is not None:
        _freeze(tx, beginning.shop_id, beginning.effect_id, beginning.content)


def beginning(effect: Effect, message: Message, subject: str, now: datetime, lease_until: datetime) -> Beginning:
    """What `take` keeps of a message that is about to be sent: its key finds it again in what its provider tells."""
    frozen = (message.recipient, message.sender, subject, message.content, message.key)
    return Beginning(effect.shop_id, effect.id, now, lease_until, *frozen)


def _begun(b: Beginning) -> dict[str, Any]:
    return {
        "shop_id": b.shop_id,
        "effect_id": b.effect_id,
        "now": to_text(b.now),
        "lease_until": to_text(b.lease_until),
        "recipient": b.recipient,
        "recipient_key": _recipient_key(b.recipient),
        "sender": b.sender,
        "subject": b.subject,
        "message_key": b.message_key,
    }


def _freeze(tx: Tx, shop_id: str, effect_id: str, content: bytes) -> None:
    encoding, packed = pack_content(content)
    tx.later("effect_freeze", shop_id=shop_id, effect_id=effect_id, encoding=encoding, content=packed)


def settle(
    tx: Tx,
    shop_id: str,
    effect_id: str,
    now: datetime,
    status: EffectStatus,
    provider_id: str = "",
    reason: str = "",
    result: Mapping[str, str] | None = None,
) -> None:
    """Record the outcome. `uncertain` taints the effect for good; what was `sent` stays so."""
    settle_many(tx, [Settlement(shop_id, effect_id, now, status, provider_id, reason, result or {})])


def settle_many(tx: Tx, rows: Iterable[Settlement | tuple[Any, ...]]) -> None:
    for row in rows:
        s = Settlement(*row)
        tx.later(
            "effect_settle",
            shop_id=s.shop_id,
            effect_id=s.effect_id,
            now=to_text(s.now),
            status=str(s.status),
            provider_id=s.provider_id,
            reason=s.reason,
            result=codec.encode_text(s.result) if s.result else "{}",
        )


def retry(
    tx: Tx,
    shop_id: str,
    effect_id: str,
    now: datetime,
    due_at: datetime,
    reason: str,
    tainted: bool | None = None,
) -> None:
    """Back to pending, not before `due_at`. `tainted=True` says the attempt's outcome is unknown; nothing clears it."""
    del now
    tx.run(
        "effect_retry",
        shop_id=shop_id,
        effect_id=effect_id,
        due_at=to_text(due_at),
        reason=reason,
        tainted=int(bool(tainted)),
    )


def defer(tx: Tx, shop_id: str, effect_id: str, due_at: datetime, reason: str) -> None:
    """Put off: quiet hours, caps, a provider that asks to wait."""
    tx.run("effect_defer", shop_id=shop_id, effect_id=effect_id, due_at=to_text(due_at), reason=reason)


def release(tx: Tx, shop_id: str, reason: str, now: datetime) -> int:
    """What was put off for a reason that begins so is due at once; how many."""
    return tx.run("effect_release", shop_id=shop_id, reason=f"{reason}%", now=to_text(now))


def choose_channel(tx: Tx, shop_id: str, effect_id: str, channel: str) -> None:
    """Of several channels this one takes the message."""
    tx.run("effect_channel", shop_id=shop_id, effect_id=effect_id, channel=channel)


def next_due(tx: Tx) -> datetime | None:
    """When an effect may next be tried, or a lease ends."""
    rows = [tx.one("effect_next_due", priority=priority) for priority in (_FIRST, _LATER)]
    rows.append(tx.one("effect_next_expiry"))
    times = [row["due_at"] for row in rows if row and row["due_at"]]
    return from_text(min(times)) if times else None


def counts(tx: Tx) -> dict[EffectStatus, int]:
    """How many effects there are of each status that occurs."""
    return {EffectStatus.of(row["status"]): row["total"] for row in tx.all("effect_counts")}


def sent_to(tx: Tx, shop_id: str, recipient_key: str, since: datetime) -> list[Effect]:
    """What the person got since then, oldest first, without contents."""
    rows = tx.all("effect_sent_to", shop_id=shop_id, recipient_key=recipient_key, since=to_text(since))
    return [effect_of(row) for row in rows]


def granted_since(tx: Tx, shop_id: str, since: datetime) -> list[str]:
    """The platform's ids of what effects of the shop gave since then (`granted` in their results)."""
    rows = tx.all("effect_results_since", shop_id=shop_id, since=to_text(since))
    found = (codec.decode(row["result"], dict[str, str]).get("granted") for row in rows)
    return [each for each in found if each]


def _recipient_key(recipient: str) -> str:
    """An address in the form consent and caps know it; other recipients (phone numbers) as they are."""
    return email_key(recipient) or recipient


def _text(at: datetime | None) -> str | None:
    return to_text(at) if at else None


def _time(text: str | None) -> datetime | None:
    return from_text(text) if text else None


def effect_of(row: Row) -> Effect:
    content = row.get("content")
    return Effect(
        shop_id=row["shop_id"],
        id=row["effect_id"],
        run_id=row["run_id"],
        flow_id=row["flow_id"],
        version=row["version"],
        step_id=row["step_id"],
        kind=row["kind"],
        purpose=Purpose.of(row["purpose"]),
        request=codec.decode(row["request"], dict[str, Any]),
        status=EffectStatus.of(row["status"]),
        due_at=from_text(row["due_at"]),
        created_at=from_text(row["created_at"]),
        order_id=row["order_id"],
        channel=row["channel"],
        attempts=row["attempts"],
        tainted=bool(row["tainted"]),
        lease_until=_time(row["lease_until"]),
        first_try_at=_time(row["first_try_at"]),
        done_at=_time(row["done_at"]),
        recipient=row["recipient"],
        sender=row["sender"],
        subject=row["subject"],
        content=unpack_content(row["encoding"], content) if content is not None else None,
        provider_id=row["provider_id"],
        reason=row["reason"],
        result=codec.decode(row["result"], dict[str, str]) if row["result"] != "{}" else {},
    )
