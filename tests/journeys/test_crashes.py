"""The worker dies at every commit and at every call to the outside, one after the other; another takes over.

A small life of one WooCommerce customer: confirmed, parcel told, asked for a review, thanked with a code, invited with
a code. A fuse counts the moments before and after each commit that changed something, each message handed over and
each call of the shop's API; it blows at the n-th. A new worker on the same database goes on. Whatever n is:

* every transactional message was delivered at least once, and twice only where nobody could know;
* marketing was delivered at most once (a question nobody can answer is shown as uncertain, never guessed);
* each code and each review exists exactly once in the shop;
* nothing is left being sent, every run is where it would have been.
"""

from __future__ import annotations

import contextlib
import email
import email.policy
import itertools
import re
from collections import Counter
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass, field, replace
from datetime import datetime, timedelta
from typing import Any

import pytest

from connector.clock import ManualClock
from connector.contracts import Access, DiscountRef, DiscountRequest, Message, Outcome
from connector.contracts.channel import OnWire
from connector.model import Effect, EffectStatus
from connector.registry import PLATFORMS, Registry
from connector.store import effects
from connector.store.db import Tx
from connector.store.store import Store
from connector.testing.demo.scenario import JAM, LIISA, MONDAY
from connector.testing.fakes.woocommerce import FakeWoo
from connector.testing.fakes.woocommerce.hooks import sign
from connector.testing.fakes.woocommerce.state import php_json
from connector.testing.world import WOO, WOO_URL
from connector.worker import Worker
from connector.working import clockwatch
from flows import outbox
from flows.channels.memory import Memory
from flows.sending.outcomes import Prepared
from platforms.woocommerce.platform import WooCommerce
from tests.journeys.bare import ENVIRON, Door, build_bare

TRANSACTIONAL = ("order_confirmation", "shipment_shipped")
MARKETING = ("review_request", "review_thanks", "referral_invite")


class Crash(BaseException):
    """The process is gone: not an Exception, so that nothing on the way can handle it."""


@dataclass
class Fuse:
    """Blows once, at the `at`-th moment; 0 never. `passed` counts, `blown` says where."""

    at: int = 0
    passed: int = 0
    blown: str = ""
    armed: bool = True

    def moment(self, where: str) -> None:
        if not self.armed:
            return
        self.passed += 1
        if self.passed == self.at:
            self.blown = where
            raise Crash(where)


class FusedChannel(Memory):
    def __init__(self, fuse: Fuse) -> None:
        super().__init__()
        self.fuse = fuse

    def send_all(self, messages: Iterable[Message], on_wire: OnWire | None = None) -> Iterator[Outcome]:
        for message in messages:
            self.fuse.moment("before a message")
            yield from super().send_all([message], on_wire)
            self.fuse.moment("after a message")


class FusedWoo(WooCommerce):
    """Each call that changes the shop may be the last thing the process did, or did not do."""

    fuse: Fuse

    def create_discount(self, *given: Any) -> Any:
        return self._fused(super().create_discount, *given)

    def publish_review(self, *given: Any) -> Any:
        return self._fused(super().publish_review, *given)

    def _fused(self, call: Any, *given: Any) -> Any:
        self.fuse.moment(f"before {call.__name__}")
        answer = call(*given)
        self.fuse.moment(f"after {call.__name__}")
        return answer


@dataclass
class Life:
    """What was seen at the end of one life. `taken` counts (template, message key)."""

    fuse: Fuse
    taken: Counter[tuple[str, str]] = field(default_factory=Counter)
    statuses: Counter[tuple[str, str]] = field(default_factory=Counter)
    codes: list[str] = field(default_factory=list)
    reviews: int = 0
    open: list[str] = field(default_factory=list)


def fused_commits(store: Store, fuse: Fuse, monkeypatch: pytest.MonkeyPatch) -> None:
    """A moment before and one after each commit that changes something; idle looks are left alone."""
    real = store.work.transaction

    @contextlib.contextmanager
    def transaction() -> Iterator[Tx]:
        connection = store.work._session().connection
        with real() as tx:
            before = connection.total_changes
            yield tx
            changed = connection.total_changes != before
            if changed:
                fuse.moment("before a commit")
        if changed:
            fuse.moment("after a commit")

    monkeypatch.setattr(store.work, "transaction", transaction)


class Mortal:
    """The product with a worker that dies with the fuse and is replaced by another."""

    def __init__(self, woo: FakeWoo, clock: ManualClock, fuse: Fuse, monkeypatch: pytest.MonkeyPatch) -> None:
        self.clock, self.fuse, self.woo = clock, fuse, woo
        self.store = Store.open("sqlite://:memory:")
        self.channel = FusedChannel(fuse)
        self.registry = Registry(extra={(PLATFORMS, "woocommerce"): FusedWoo})
        monkeypatch.setattr(FusedWoo, "fuse", fuse, raising=False)
        self.kiitos = build_bare(clock, self.store, registry=self.registry, woo_url=woo.api_url)
        self.door = Door(self.kiitos)
        fused_commits(self.store, fuse, monkeypatch)
        self._be_born()

    def _be_born(self) -> None:
        self.kiitos.use_channel("mail", self.channel)
        self.worker = Worker(self.kiitos)

    def drain(self) -> None:
        while True:
            try:
                self.worker.drain(1000)
            except Crash:
                with self.store.work.transaction() as tx:  # what an idle worker does each day
                    clockwatch.confirm(tx, self.clock.now())
                self.kiitos = build_bare(self.clock, self.store, registry=self.registry, woo_url=self.woo.api_url)
                self._be_born()
            else:
                return

    def until(self, **span: float) -> None:
        end = self.clock.now() + timedelta(**span)
        self.drain()
        while (due := self.worker.next_due()) is not None and due <= end:
            self.clock.advance(max(due - self.clock.now(), timedelta(microseconds=1)))
            self.drain()
        self.clock.advance(max(end - self.clock.now(), timedelta(0)))

    def hear(self) -> None:
        """What the shop has to say, through the receiver."""
        while self.woo.queue.pending:
            number, order_id = self.woo.queue.pending.pop(0)
            hook = self.woo.queue.hooks[number]
            body = php_json(self.woo.queue.payload(hook, order_id))
            headers = [
                ("Content-Type", "application/json"),
                ("X-WC-Webhook-Source", f"{WOO_URL}/"),
                ("X-WC-Webhook-Topic", hook.topic),
                ("X-WC-Webhook-ID", str(hook.id)),
                ("X-WC-Webhook-Signature", sign(ENVIRON["WOO_WEBHOOK_SECRET"], body)),
            ]
            assert self.door.post(WOO, headers, body) == 200

    def review(self) -> None:
        """The customer follows the link in the question, if the question came."""
        bodies = (email.message_from_bytes(m.content, policy=email.policy.default) for m in self.channel.messages)
        texts = [body.get_content() for mail in bodies if (body := mail.get_body(("plain",))) is not None]
        links = [link[0] for text in texts if (link := re.search(r"/p/review/\w+", text))]
        if links:
            path = links[0]
            page = self.door.client.get(path).text
            product = re.search(r'name="rating-([^"]+)"', page)
            assert product is not None
            answer = self.door.client.post(path, data={f"rating-{product[1]}": "4", f"text-{product[1]}": "Hyvä."})
            assert answer.status_code == 303


def live(at: int, monkeypatch: pytest.MonkeyPatch) -> Life:
    """The whole life with a fuse at the `at`-th moment."""
    clock, fuse = ManualClock(MONDAY), Fuse()
    with (
        FakeWoo(clock, WOO_URL, "ck_demo", "cs_demo", "woo-demo-webhook-secret") as woo,
        monkeypatch.context() as patch,
    ):
        mortal = Mortal(woo, clock, fuse, patch)
        try:
            return _live(mortal, at)
        finally:
            mortal.door.close()
            mortal.kiitos.close()


def _live(mortal: Mortal, at: int) -> Life:
    woo, fuse = mortal.woo, mortal.fuse
    woo.connect("http://127.0.0.1:9/")  # pinged in vain: what is queued is carried by `hear`
    fuse.at = at
    order = woo.place_order([(JAM, 1)], LIISA)
    mortal.hear()
    mortal.until(days=1)
    woo.add_tracking(order, "JJFI65300000000000001")
    woo.set_status(order, "completed")
    mortal.hear()
    mortal.until(days=15)
    fuse.armed = False  # the page is another process, and not the one that dies here
    mortal.review()
    fuse.armed = True
    mortal.until(days=20)
    return _seen(mortal)


def _seen(mortal: Mortal) -> Life:
    life = Life(mortal.fuse)
    with mortal.store.work.read() as tx:
        rows = effects.of_order(tx, WOO, "11")
    names = {outbox.derive_token(mortal.kiitos.salt, "message", WOO, row.id, length=24): row for row in rows}
    for message in mortal.channel.messages:
        row = names.get(message.key)
        life.taken[str(row.request["template"]) if row else "nobody's", message.key] += 1
    for row in rows:
        life.statuses[str(row.request.get("template") or row.request.get("do") or row.kind), str(row.status)] += 1
    life.open = [row.id for row in rows if row.status in (EffectStatus.PENDING, EffectStatus.SENDING)]
    life.codes = [str(coupon["code"]) for coupon in mortal.woo.coupons.values()]
    life.reviews = len(mortal.woo.reviews)
    return life


def faults(life: Life) -> list[str]:
    """What must not be, wherever the fuse blew."""
    found = [f"left open: {life.open}"] if life.open else []
    by_template: Counter[str] = Counter()
    for (template, _), count in life.taken.items():
        by_template[template] += count
    for template in TRANSACTIONAL:
        # Between the message and the record nobody can know; then, and only then, it is sent once more.
        most = 2 if life.fuse.blown in ("after a message", "before a commit") else 1
        if not 1 <= by_template[template] <= most:
            found.append(f"{template} delivered {by_template[template]} times ({life.fuse.blown})")
    for template in MARKETING:
        if by_template[template] > 1:
            found.append(f"{template} delivered {by_template[template]} times")
        if by_template[template] == 0 and not life.statuses[template, "uncertain"] and _was_asked(life, template):
            found.append(f"{template} neither delivered nor uncertain")
    if set(by_template) - {*TRANSACTIONAL, *MARKETING, "review_reminder"}:
        found.append(f"unheard of: {dict(by_template)}")
    kinds = Counter(code.partition("-")[0] for code in life.codes)
    wanted = Counter({"friend": 1, "kiitos": 1}) if _was_reviewed(life) else Counter({"friend": 1})
    if kinds != wanted or life.reviews != int(_was_reviewed(life)):
        found.append(f"codes {life.codes}, {life.reviews} reviews")
    return found


def _was_reviewed(life: Life) -> bool:
    return any(template == "review_request" for template, _ in life.taken)


def _was_asked(life: Life, template: str) -> bool:
    return template != "review_thanks" or _was_reviewed(life)


def moments(monkeypatch: pytest.MonkeyPatch) -> int:
    """How many moments a life without a crash has."""
    life = live(0, monkeypatch)
    assert faults(life) == []
    assert set(life.taken.values()) == {1}
    return life.fuse.passed


def test_the_worker_dies_at_every_moment(monkeypatch: pytest.MonkeyPatch) -> None:
    wrong = {}
    for at in range(1, moments(monkeypatch) + 1):
        life = live(at, monkeypatch)
        assert life.fuse.blown, f"the fuse at {at} never blew"
        if found := faults(life):
            wrong[at, life.fuse.blown] = found
    assert wrong == {}


def first_fault(monkeypatch: pytest.MonkeyPatch, plant: Callable[[pytest.MonkeyPatch], None], last: int = 90) -> str:
    """Where a planted bug shows first; "" when the whole search passes it by."""
    with monkeypatch.context() as patch:
        plant(patch)
        for at in range(last):
            if found := faults(live(at, monkeypatch)):
                return f"{at}: {found}"
    return ""


def key_of_the_attempt(patch: pytest.MonkeyPatch) -> None:
    """The message's key is another one at each attempt, so no provider could tell a repetition."""
    real, count = outbox.derive_token, itertools.count()

    def derive(salt: bytes, *parts: str, length: int = 26) -> str:
        more = (str(next(count)),) if parts[0] == "message" else ()
        return real(salt, *parts, *more, length=length)

    patch.setattr(outbox, "derive_token", derive)


def sent_before_sending(patch: pytest.MonkeyPatch) -> None:
    """The effect is recorded as sent in the transaction that freezes it."""
    real = outbox.Outbox.prepare

    def prepare(self: outbox.Outbox, tx: Tx, effect: Effect, now: datetime, window: float = 0.0) -> Prepared | None:
        ready = real(self, tx, effect, now, window)
        if ready is not None and ready.message is not None:
            effects.settle(tx, effect.shop_id, effect.id, now, EffectStatus.SENT)
        return ready

    patch.setattr(outbox.Outbox, "prepare", prepare)


def unknown_is_tried_again(patch: pytest.MonkeyPatch) -> None:
    """What nobody knows is simply sent again, marketing too, and nothing looks once more before it leaves."""
    patch.setattr(outbox, "forgotten", lambda *_: False)

    def unknown(self: outbox.Outbox, tx: Tx, effect: Effect, now: datetime, text: str, *_: object) -> None:
        effects.retry(tx, effect.shop_id, effect.id, now, now, text, tainted=True)

    patch.setattr(outbox.Outbox, "unknown", unknown)


def unknown_is_given_up(patch: pytest.MonkeyPatch) -> None:
    """What nobody knows is never sent again, confirmations neither."""

    def unknown(self: outbox.Outbox, tx: Tx, effect: Effect, now: datetime, text: str, *_: object) -> None:
        effects.settle(tx, effect.shop_id, effect.id, now, EffectStatus.UNCERTAIN, reason=text)

    patch.setattr(outbox.Outbox, "unknown", unknown)


def code_by_chance(patch: pytest.MonkeyPatch) -> None:
    """Each attempt makes up a code of its own."""
    real, count = WooCommerce.create_discount, itertools.count()

    def create(self: WooCommerce, access: Access, request: DiscountRequest) -> DiscountRef:
        return real(self, access, replace(request, code=f"{request.code}{next(count)}"))

    patch.setattr(WooCommerce, "create_discount", create)


@pytest.mark.parametrize(
    "plant",
    [key_of_the_attempt, sent_before_sending, unknown_is_tried_again, unknown_is_given_up, code_by_chance],
    ids=lambda plant: plant.__name__,
)
def test_a_planted_bug_is_found(monkeypatch: pytest.MonkeyPatch, plant: Callable[[pytest.MonkeyPatch], None]) -> None:
    """Negative controls of the search above."""
    assert first_fault(monkeypatch, plant) != ""
