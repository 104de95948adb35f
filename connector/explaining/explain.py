"""Why a customer heard something, or did not: the rule, the value it saw, the flow's version, the times.

Answered from rows alone (runs, journal, effects, deliveries that could not or must not be used), never from logs.
"""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import UTC, datetime
from typing import Any

from connector import codec
from connector.clock import to_text
from connector.errors import MalformedPayload
from connector.explaining.care import kept_away
from connector.explaining.gifts import taken_back
from connector.explaining.sentences import sentence
from connector.model import Effect, EffectStatus, Order, Run, email_key
from connector.store import channel_events, deliveries, effects, entities, events, inbox, referrals, runs, wakeups
from connector.store import flows as flow_store
from connector.store.channel_events import HeardRow
from connector.store.db import Tx
from connector.store.store import Store
from flows.authoring.flips import guard_flip, policy_flip, rule_flip
from flows.referring.reasons import reason_text

_EVER = datetime(2000, 1, 1, tzinfo=UTC)
_UNUSED = 100
"""Failed deliveries of the shop that are looked into, newest first; of quarantined ones as many."""
_OF_ORDER = re.compile(r"orders?[./]")


@dataclass(frozen=True, slots=True, kw_only=True)
class Line:
    """One thing that happened or did not. `what` is a stable word, `text` a sentence, `detail` the values behind it.

    `order` is the number of the order it was about, where there is one. `flip` is the smallest change that would have
    made it otherwise (`flows.authoring.flips`), empty where nothing was decided.
    """

    at: datetime
    what: str
    text: str
    flow: str = ""
    version: str = ""
    step: str = ""
    order: str = ""
    flip: str = ""
    detail: Mapping[str, str]


@dataclass(frozen=True, slots=True, kw_only=True)
class Story:
    """One order's or customer's timeline, oldest first. `note` is a sentence about the answer itself, often empty."""

    shop_id: str
    subject: str
    note: str = ""
    orders: tuple[Order, ...]
    lines: tuple[Line, ...]


def explain(store: Store, shop_id: str, who: str) -> Story | None:
    """The story of an order (number or id) or a customer (e-mail address); `None` when there is none of that name."""
    with store.work.read() as tx:
        key = email_key(who)
        found = _of_order(tx, shop_id, who) if key is None else _of_person(tx, shop_id, who, key)
        names = frozenset({who, f"#{who}"} | {name for order in found.orders for name in (order.id, order.number)})
        unused = _unused_lines(store, tx, shop_id, names, key)
    lines = tuple(sorted((*found.lines, *unused), key=lambda line: line.at))
    return replace(found, lines=lines) if lines or found.orders else None


def _of_person(tx: Tx, shop_id: str, who: str, address: str) -> Story:
    orders = entities.orders_of(tx, shop_id, address)
    followed = _runs_of(tx, shop_id, address, orders)
    story = _story(tx, shop_id, who, orders, followed, address)
    if not (orders or followed):
        return story
    planned = _planned(tx, shop_id, address, orders)
    return replace(story, lines=(*_with_others(tx, story, followed, address), *planned))


def _planned(tx: Tx, shop_id: str, address: str, orders: Sequence[Order]) -> list[Line]:
    """What flows will look at the person for by themselves (a birthday, a silence): not yet is no silence."""
    account = next((order.customer.id for order in orders if order.customer and order.customer.id), None)
    rows = [row for row in wakeups.of_person(tx, shop_id, address, account) if row.due_at is not None]
    return [
        Line(
            at=row.due_at or row.moment,
            what="planned",
            text=f"'{row.flow_id}' looks at them then, and may begin",
            flow=row.flow_id,
            detail={"counted_from": row.origin, "subject": str(row.subject)},
        )
        for row in sorted(rows, key=lambda row: row.moment)
    ]


def _of_order(tx: Tx, shop_id: str, who: str) -> Story:
    """By number first, which is what people know; an id of the same digits is told of in the note."""
    named, same_id = _by_number(tx, shop_id, who.lstrip("#")), entities.order(tx, shop_id, who)
    order = named or same_id
    if order is None:
        return _of_unseen(tx, shop_id, who)
    story = _story(tx, shop_id, f"order {order.number}", [order], runs.of_order(tx, shop_id, order.id))
    if same_id is None or same_id.id == order.id:
        return story
    return replace(story, note=f"{who} is also the id of order {same_id.number}: ask for that number to see it")


def _by_number(tx: Tx, shop_id: str, number: str) -> Order | None:
    return entities.order_by_number(tx, shop_id, number) or entities.order_by_number(tx, shop_id, f"#{number}")


def _of_unseen(tx: Tx, shop_id: str, order_id: str) -> Story:
    """An order that is not here, from what is: its parcels' events and runs."""
    lines = [_of_event(row, "") for row in events.for_order(tx, shop_id, order_id)]
    for run in runs.of_order(tx, shop_id, order_id):
        lines += _of_run(tx, run)
    note = "the order itself is not here: it never came, could not be used, or was deleted"
    return Story(shop_id=shop_id, subject=f"order {order_id}", note=note, orders=(), lines=tuple(lines))


def _unused_lines(store: Store, tx: Tx, shop_id: str, names: frozenset[str], address: str | None) -> list[Line]:
    """The newest failed and quarantined deliveries of the shop about these orders (ids or numbers) or this address."""
    rows = {row.delivery_id: row for row in deliveries.failed(tx, shop_id, _UNUSED)}
    kept_back = deliveries.quarantined(tx, shop_id, _UNUSED)
    if not rows and not kept_back:
        return []
    with store.inbox.read() as log:
        kept = inbox.by_ids(log, [*rows, *kept_back])
    about = [each for each in kept if _is_about(each, names, address)]
    return [_of_failed(rows[each.id], each) if each.id in rows else _of_quarantined(each) for each in about]


def _is_about(delivery: inbox.Delivery, names: frozenset[str], address: str | None) -> bool:
    if address is not None and f'"{address}"'.encode() in delivery.body.lower():
        return True
    try:
        body = codec.decode(delivery.body, dict[str, object])
    except MalformedPayload:
        return False
    if not _OF_ORDER.match(delivery.topic):
        return str(body.get("order_id", "")) in names
    number = body.get("order_number", body.get("number", ""))  # Shopify's `number` counts from 1 beside the other
    return not names.isdisjoint({str(body.get("id", "")), str(body.get("name", "")), str(number)})


def _of_failed(row: deliveries.FailedDelivery, delivery: inbox.Delivery) -> Line:
    text = f"delivery {delivery.id} ({delivery.topic}) could not be used: {row.error_code}: {row.error_text}"
    return Line(
        at=delivery.received_at,
        what="delivery.failed",
        text=f"{text}; `kiitos deliveries replay` takes it again",
        detail={"delivery": str(delivery.id), "topic": delivery.topic, "code": row.error_code},
    )


def _of_quarantined(delivery: inbox.Delivery) -> Line:
    return Line(
        at=delivery.received_at,
        what="delivery.quarantined",
        text=f"delivery {delivery.id} ({delivery.topic}) is kept and not acted on: {delivery.quarantine}",
        detail={"delivery": str(delivery.id), "topic": delivery.topic, "reason": delivery.quarantine},
    )


def _runs_of(tx: Tx, shop_id: str, address: str, orders: Sequence[Order]) -> list[Run]:
    """The person's runs, their orders' (a parcel's run that began before the order came knows no address), and those
    that reward them for a friend's order: why no reward came is asked about the advocate."""
    found = {run.id: run for run in runs.of_email(tx, shop_id, address)}
    for order in orders:
        found |= {run.id: run for run in runs.of_order(tx, shop_id, order.id)}
    for referral in referrals.of_advocate(tx, shop_id, address):
        rewarding = (run for run in runs.of_order(tx, shop_id, referral.friend_order_id) if _rewards(run, referral.id))
        found |= {run.id: run for run in rewarding}
    return sorted(found.values(), key=lambda run: run.created_at)


def _rewards(run: Run, referral_id: str) -> bool:
    return run.event.get("referral_id") == referral_id


def _story(
    tx: Tx, shop_id: str, subject: str, orders: Sequence[Order], followed: Sequence[Run], address: str = ""
) -> Story:
    number = {order.id: order.number for order in orders}
    lines = [
        Line(at=each.at, what=each.what, text=each.text, order=number.get(each.order_id, ""), detail={})
        for each in kept_away(tx, shop_id, number, address)
    ]
    for order in orders:
        lines += [
            _of_event(row, order.number)
            for row in events.for_order(tx, shop_id, order.id)
            if not row.kind.endswith(".updated")
        ]
    for run in followed:
        lines += _of_run(tx, run)
    lines.sort(key=lambda line: line.at)
    return Story(shop_id=shop_id, subject=subject, orders=tuple(orders), lines=tuple(lines))


def _with_others(tx: Tx, story: Story, followed: Sequence[Run], address: str) -> tuple[Line, ...]:
    """The story with what reached the person through somebody else's run (a reward for a friend's order)."""
    known = {run.id for run in followed}
    sent = effects.sent_to(tx, story.shop_id, address, _EVER)
    others = [
        _of_effect(effect, _number(tx, story.shop_id, effect.order_id)) for effect in sent if effect.run_id not in known
    ]
    return tuple(sorted((*story.lines, *others), key=lambda line: line.at))


def _of_event(row: events.EventRow, order: str) -> Line:
    """What the platform said, at the time we heard it; `happened_at` is when it says it happened."""
    subject = f"{row.subject_kind} {row.subject_id}"
    detail = {"kind": row.kind, "subject": subject, "happened_at": to_text(row.at), **row.data}
    reason = row.data.get("reason", "")
    why = f": {reason_text(reason) if row.kind.startswith('referral.') else reason}" if reason else ""
    text = f"{row.kind} ({subject}){why}"
    return Line(at=row.recorded_at, what="event", text=text, order=order, detail=detail)


def _number(tx: Tx, shop_id: str, order_id: str | None) -> str:
    order = entities.order(tx, shop_id, order_id) if order_id else None
    return order.number if order else ""


def _of_run(tx: Tx, run: Run) -> list[Line]:
    number = _number(tx, run.shop_id, run.order_id)
    found = [
        Line(
            at=row.at,
            what=row.what,
            text=sentence(row.what, row.step_id, row.detail),
            flow=run.flow_id,
            version=run.version,
            step=row.step_id,
            order=number,
            flip=_flip(tx, run, row),
            detail=row.detail,
        )
        for row in runs.journal_of(tx, run.shop_id, run.id)
    ]
    acted = effects.of_run(tx, run.shop_id, run.id)
    heard = channel_events.of_effects(tx, run.shop_id, [effect.id for effect in acted])
    for effect in acted:
        line = _of_effect(effect, number)
        found.append(replace(line, flip=effect_flip(tx, effect)))
        found += [_of_heard(effect, row, number) for row in heard.get(effect.id, ())]
        found += _of_gift(tx, effect, number)
    return found


def _of_gift(tx: Tx, effect: Effect, order: str) -> list[Line]:
    """What was given in the shop and then taken back, or could not be."""
    gone = taken_back(tx, effect)
    if gone is None:
        return []
    return [
        Line(
            at=gone.at,
            what="taken_back",
            text=gone.text,
            flow=effect.flow_id,
            version=effect.version,
            step=effect.step_id,
            order=order,
            detail={"key": gone.key, "state": gone.state, "cause": gone.cause, "reason": gone.reason},
        )
    ]


def _sent_flip(tx: Tx, effect: Effect) -> str:
    """What would have kept back something that went out."""
    guards = _when(tx, effect.shop_id, effect.flow_id, effect.version, effect.step_id)
    told = _unless(guards, "not have gone out")
    if effect.kind != "message" or not effect.purpose.needs_consent:
        return told
    no = "a no to this kind of message by then would have kept it back"
    return f"{told}; {no}" if told else no


def _of_heard(effect: Effect, row: HeardRow, order: str) -> Line:
    """What the message's provider said of it."""
    name = str(effect.request.get("template") or effect.kind)
    code = f" ({row.code})" if row.code else ""
    detail = {"channel": row.channel, "raw": row.raw_kind, "bounce": str(row.bounce or ""), "code": row.code}
    return Line(
        at=row.at,
        what=f"heard.{row.kind}",
        text=f"{name}: {row.kind}{code}, says {row.channel}",
        flow=effect.flow_id,
        version=effect.version,
        step=effect.step_id,
        order=order,
        detail={key: value for key, value in detail.items() if value},
    )


def _of_effect(effect: Effect, order: str) -> Line:
    name = str(effect.request.get("template") or effect.request.get("do") or effect.kind)
    at = effect.done_at or effect.first_try_at or effect.created_at
    text = {
        EffectStatus.SENT: _done(effect, name),
        EffectStatus.SKIPPED: f"{name} not sent: {effect.reason}",
        EffectStatus.FAILED: f"{name} failed: {effect.reason}",
        EffectStatus.UNCERTAIN: f"{name}: nobody knows whether it arrived ({effect.reason})",
        EffectStatus.PENDING: f"{name} waits until {effect.due_at:%Y-%m-%d %H:%M} UTC {effect.reason}".rstrip(),
        EffectStatus.SENDING: f"{name} is being sent",
        EffectStatus.HELD: f"{name} waits for a person: {effect.reason}",
    }.get(effect.status, name)
    detail = {key: str(value) for key, value in effect.result.items()}
    if effect.subject:
        detail["subject"] = effect.subject
    if effect.channel not in ("", "email"):
        detail["channel"] = effect.channel
    return Line(
        at=at,
        what=f"effect.{effect.status}",
        text=text,
        flow=effect.flow_id,
        version=effect.version,
        step=effect.step_id,
        order=order,
        detail=detail,
    )


def _flip(tx: Tx, run: Run, row: runs.JournalRow) -> str:
    """What would have made a line of the diary another."""
    seen = row.detail
    match row.what:
        case "not_started":
            return rule_flip(seen.get("rule", ""), seen.get("saw", ""), "started it", row.at)
        case "skipped" | "exited" if "path" in seen:
            would = f"let step {row.step_id} go on" if row.step_id else "kept it going"
            path, op, wanted, saw = (seen.get(key, "") for key in ("path", "op", "wanted", "saw"))
            return guard_flip(path, op, wanted, saw, would, row.at)
        case "exited" if row.step_id:
            return _unless(_when(tx, run.shop_id, run.flow_id, run.version, row.step_id), "have gone on")
        case "started":
            return _unless(_when(tx, run.shop_id, run.flow_id, run.version, ""), "not have started")
        case "cancelled":
            return f"without {seen.get('reason', 'that')} it would have gone on"
        case "deferred" | "held":
            return policy_flip(seen.get("rule", ""), seen)
    return ""


def _when(tx: Tx, shop_id: str, flow_id: str, version: str, step_id: str) -> list[str]:
    """The guards of a step (of the flow, where none is named) in the version that was followed."""
    body = flow_store.get(tx, shop_id, flow_id, version)
    text = codec.decode(body, dict[str, Any]) if body else {}
    steps = text.get("steps", []) if step_id else [text]
    found: list[str] = next((each.get("when") or [] for each in steps if not step_id or each.get("id") == step_id), [])
    return found


def _unless(guards: Sequence[str], would: str) -> str:
    """Of what went through all its guards: any one of them failing would have been enough."""
    if not guards:
        return ""
    return f"had {guards[0]} not held, it would {would}" + (
        f" (nor without {', '.join(guards[1:])})" if guards[1:] else ""
    )


def effect_flip(tx: Tx, effect: Effect) -> str:
    """What would have let an effect out that was not, or kept back one that was."""
    code, _, rest = effect.reason.partition(": ")
    match effect.status:
        case EffectStatus.SENT:
            return _sent_flip(tx, effect)
        case EffectStatus.PENDING | EffectStatus.HELD if effect.reason:
            # The row says only which rule it waits for; what the rule saw stands in the diary.
            rows = runs.journal_of(tx, effect.shop_id, effect.run_id)
            seen = [row.detail for row in rows if row.step_id == effect.step_id and row.detail.get("rule") == code]
            return policy_flip(code, seen[-1]) if seen else ""
        case EffectStatus.SKIPPED if code == "no_longer_true":
            return rule_flip(rest, effect.result.get("saw", ""), "let it out", effect.done_at)
        case EffectStatus.SKIPPED if code == "cancelled":
            return f"without {rest} it would have gone out"
        case EffectStatus.SKIPPED:
            return policy_flip(code, effect.result)
    return ""


def _done(effect: Effect, name: str) -> str:
    if effect.kind == "message":
        return f"{name} to {effect.recipient}: {effect.subject}".removesuffix(": ")  # kept for a while only
    made = effect.result.get("code")
    return f"{name}: {made}, {effect.result.get('value', '')}".rstrip(", ") if made else f"{name} done"
