"""What providers tell of messages, applied: kept once, doubts settled, addresses blocked, flows told.

Each event touches the one shop whose message it is: an account may be shared by several. Events come late, repeatedly
and in any order; what is known of a message only ever goes forward (`flows.sending.became`).
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta

from connector.clock import Clock, to_text
from connector.contracts.channel_events import ChannelEvent, ChannelEventKind
from connector.log import get_log
from connector.model import Channel, Customer, Effect, EffectStatus, Event, EventKind, Ref, email_key, guest_id
from connector.store import channel_events, effects, notices, pace, runs
from connector.store.channel_events import account_of
from connector.store.db import Tx
from flows.limits.alarms import COMPLAINT, objected
from flows.outbox import Outbox
from flows.people.choices import Reachable, Said, reachable, withdraw
from flows.people.saying_no import BY_REPLY, complained, resume
from flows.people.stop_words import Order, order_in
from flows.people.suppressing import block
from flows.render.mime import split_sender
from flows.runner import Runner
from flows.sending.fate import CAME_BACK, learn
from flows.sending.telling import NOTIFY

log = get_log("afterwards")

REPLY = "reply"
"""The kind of notice by which a merchant reads what somebody answered."""
MOST_REPLIES = 20
"""Answers to one message that are passed on: two machines that answer one another end here."""
LOOK_BACK = timedelta(days=90)
"""How old a message may be that is found by its provider's name for it, or by who answers."""
_TOLD = {
    ChannelEventKind.DELIVERED: EventKind.MESSAGE_DELIVERED,
    ChannelEventKind.BOUNCED: EventKind.MESSAGE_BOUNCED,
    ChannelEventKind.FAILED: EventKind.MESSAGE_FAILED,
    ChannelEventKind.COMPLAINED: EventKind.MESSAGE_COMPLAINED,
    ChannelEventKind.CLICKED: EventKind.MESSAGE_CLICKED,
    ChannelEventKind.REPLIED: EventKind.MESSAGE_REPLIED,
}


@dataclass(frozen=True, slots=True)
class Account:
    """A configured channel: its name, what it carries, and the shops that send by it."""

    name: str
    medium: Channel
    shops: Sequence[str]


class Afterwards:
    """Applies events in the caller's transaction. `outbox` is asked for when a doubt is settled."""

    def __init__(self, runner: Runner, clock: Clock, outbox: Callable[[], Outbox]) -> None:
        self._runner = runner
        self._clock = clock
        self._outbox = outbox

    def hear(self, tx: Tx, account: Account, event: ChannelEvent, now: datetime, delivery_id: int | None) -> bool:
        """Apply one event; `False` when no message of ours is known for it (`keep_unmatched` is next)."""
        effect = self._find(tx, account, event)
        if effect is None:
            return False
        fresh = channel_events.put(tx, effect.shop_id, effect.id, account.name, event, now, delivery_id)
        if fresh and self._runner.catalog.knows(effect.shop_id):
            self._follow(tx, account, effect, event, now)
        return True

    def keep_unmatched(
        self, tx: Tx, account: Account, event: ChannelEvent, now: datetime, delivery_id: int | None
    ) -> None:
        """Nobody's message, or one that was forgotten. It is kept and shown; where only one shop sends by the account,
        what it says of the address holds for that shop."""
        hidden = masked(event.recipient)
        owner = account_of(account.name)
        if not channel_events.put(tx, owner, "", account.name, event, now, delivery_id, recipient=hidden):
            return
        log.info("event_unmatched", channel=account.name, kind=str(event.kind))
        if len(account.shops) == 1 and self._runner.catalog.knows(account.shops[0]):
            key = address_key(account.medium, event.recipient)
            if key is not None:
                self._block(tx, account.shops[0], account.medium, key, event, now)

    def _find(self, tx: Tx, account: Account, event: ChannelEvent) -> Effect | None:
        """By our key, else by the provider's name for it, else an answer by who wrote it."""
        if event.key:
            place = channel_events.message_of(tx, event.key)
            effect = effects.get(tx, *place) if place else None
            # An account speaks of what it carries: the key of a mail in a text's event is not believed.
            return effect if effect is not None and _medium_of(effect) is account.medium else None
        who = address_key(account.medium, event.recipient)
        if who is None or not (event.provider_id or event.kind is ChannelEventKind.REPLIED):
            return None
        found: list[Effect] = []
        for shop_id in account.shops:
            sent = effects.sent_to(tx, shop_id, who, event.at - LOOK_BACK)
            found += [one for one in sent if one.kind == "message" and _medium_of(one) is account.medium]
        if event.provider_id:
            named = [one for one in found if one.provider_id and one.provider_id == event.provider_id]
            if named or event.kind is not ChannelEventKind.REPLIED:
                return named[0] if named else None
        return max(found, key=lambda one: to_text(one.done_at or one.created_at), default=None)

    def _follow(self, tx: Tx, account: Account, effect: Effect, event: ChannelEvent, now: datetime) -> None:
        self._settle_doubt(tx, effect, now)
        if effect.kind == NOTIFY or not effect.recipient:
            return  # to the merchant's own people, or of somebody who was forgotten
        key = address_key(account.medium, effect.recipient)
        if key is not None:
            self._block(tx, effect.shop_id, account.medium, key, event, now)
            if event.kind is ChannelEventKind.CLICKED and not event.by_machine:
                pace.note(tx, effect.shop_id, key, "click", event.at)
            if event.kind is ChannelEventKind.REPLIED:
                self._answer(tx, account, effect, key, event, now)
        self._tell_flows(tx, effect, event, now)

    def _settle_doubt(self, tx: Tx, effect: Effect, now: datetime) -> None:
        """What may or may not have gone out is known now: it is not repeated, and counts as what it was."""
        waiting = effect.status is EffectStatus.PENDING and effect.tainted
        if not waiting and effect.status is not EffectStatus.UNCERTAIN:
            return
        sent = learn(tx, effect, now)
        if sent is None:
            return
        if waiting and sent:
            self._outbox().done(tx, effect, now, dict(effect.result), effect.provider_id)
        elif waiting:
            self._outbox().fail(tx, effect, now, *CAME_BACK)
        else:  # its run has gone on long ago
            status = EffectStatus.SENT if sent else EffectStatus.FAILED
            reason = "" if sent else ": ".join(CAME_BACK)
            effects.settle(tx, effect.shop_id, effect.id, now, status, effect.provider_id, reason, effect.result)

    def _block(
        self, tx: Tx, shop_id: str, medium: Channel, address_key: str, event: ChannelEvent, now: datetime
    ) -> None:
        reason = block(tx, shop_id, medium, address_key, event, now)
        if reason is not None:
            log.info("suppressed", shop_id=shop_id, reason=reason)
        who = reachable(tx, shop_id, medium, address_key)
        if event.kind is ChannelEventKind.COMPLAINED:
            complained(tx, self._runner, who, now)
            objected(tx, self._runner.catalog, shop_id, address_key, COMPLAINT, now)
        if event.kind is ChannelEventKind.UNSUBSCRIBED:
            self._withdraw(tx, who, "unsubscribed at the provider", now)

    def _answer(self, tx: Tx, account: Account, effect: Effect, key: str, event: ChannelEvent, now: datetime) -> None:
        """STOP and START act; any other word is for a person of the merchant's."""
        order, who = order_in(event.text), reachable(tx, effect.shop_id, account.medium, key)
        if order is Order.STOP:
            self._withdraw(tx, who, BY_REPLY, now)
            return
        if order is Order.START:
            resume(tx, self._runner, who, now)
            return
        if key in self._own_addresses(effect.shop_id):
            return  # the shop's own people, or a machine that sends our notices back
        pace.note(tx, effect.shop_id, key, "reply", event.at)
        heard = channel_events.of_effects(tx, effect.shop_id, [effect.id])[effect.id]
        if sum(row.kind is ChannelEventKind.REPLIED for row in heard) <= MOST_REPLIES:
            notices.put_about(tx, effect.shop_id, REPLY, f"{account.name}|{event.id}|{effect.id}", now)

    def _own_addresses(self, shop_id: str) -> set[str | None]:
        settings = self._runner.catalog.settings(shop_id)
        written = (settings.sender, settings.reply_to, settings.shop.support_email)
        return {email_key(split_sender(text)[1]) for text in written if text}

    def _withdraw(self, tx: Tx, who: Reachable, source: str, now: datetime) -> None:
        withdraw(tx, self._runner, who, Said(source, "unsubscribed"), now, self._clock.new_id())

    def _tell_flows(self, tx: Tx, effect: Effect, event: ChannelEvent, now: datetime) -> None:
        """Flows hear of it once a message and kind; of deliveries, which are many, only where a flow listens."""
        kind = _TOLD.get(event.kind)
        if kind is None or (event.by_machine and kind is EventKind.MESSAGE_CLICKED):
            return
        shop_id = effect.shop_id
        if kind is EventKind.MESSAGE_DELIVERED and not self._listened_to(shop_id, kind):
            return
        run = runs.get(tx, shop_id, effect.run_id) if effect.run_id else None
        address = email_key(effect.recipient)
        customer_id = run.customer_id if run is not None else None
        if effect.order_id is None and customer_id is None and address is None:
            return
        nameless = address is not None and not effect.order_id and not customer_id
        told = {
            "message": effect.id,
            "flow": effect.flow_id,
            "step": effect.step_id,
            "purpose": str(effect.purpose),
            "channel": effect.channel or str(Channel.EMAIL),
            "bounce": str(event.bounce or ""),
            "code": event.code,
        }
        heard = Event(
            kind=kind,
            key=f"message/{effect.id}/{event.kind}",
            subject=_subject(effect.order_id, customer_id, address),
            at=event.at,
            order_id=effect.order_id,
            customer_id=customer_id,
            customer=Customer(id=None, email=effect.recipient) if nameless else None,
            data={name: value for name, value in told.items() if value},
        )
        self._runner.ingest(tx, shop_id, [heard], now)

    def _listened_to(self, shop_id: str, kind: EventKind) -> bool:
        return any(kind in flow.event_kinds for flow in self._runner.catalog.flows(shop_id))


def _subject(order_id: str | None, customer_id: str | None, address: str | None) -> Ref:
    if order_id:
        return Ref("order", order_id)
    return Ref("customer", customer_id or guest_id(str(address)))


def _medium_of(effect: Effect) -> Channel:
    return Channel.of(effect.channel or str(Channel.EMAIL))


def address_key(medium: Channel, recipient: str) -> str | None:
    """The address in the form suppressions know it."""
    if medium is Channel.EMAIL:
        return email_key(recipient.rpartition("<")[2].strip("<> ").replace("\0", "")) if recipient else None
    digits = "".join(recipient.replace("\0", "").split())
    return digits or None


def masked(recipient: str) -> str:
    """Enough to recognise a mistake by, too little to be anybody: `a***@example.com`, `+35***67`."""
    name, at, domain = recipient.rpartition("<")[2].strip("<> ").rpartition("@")
    if at:
        return f"{name[:1]}***@{domain}"
    return f"{domain[:3]}***{domain[-2:]}" if len(domain) > 6 else "***" if domain else ""
