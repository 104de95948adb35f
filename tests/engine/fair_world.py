"""Two shops of one client, some flows and people, and messages put straight into the outbox: what limits are shown on.

Store, outbox and policy are the product's own; only rendering is left out, and the channel is a list.
"""

from __future__ import annotations

import random  # noqa: TID251 - a seeded story
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from itertools import pairwise
from pathlib import Path
from typing import Any
from zoneinfo import ZoneInfo

from connector.app import Kiitos, build
from connector.clock import ManualClock
from connector.config import parse_config
from connector.contracts import Accepted
from connector.model import (
    Address,
    Customer,
    Effect,
    EffectStatus,
    Event,
    EventKind,
    Purpose,
    Ref,
    Run,
    RunStatus,
)
from connector.registry import PLATFORMS, Registry
from connector.rehearsal.platform import NAME, Rehearsed
from connector.store import effects, pace, runs
from connector.store.store import Store
from flows.sending.composing import Composed, Composer

START = datetime(2026, 3, 2, 9, 0, tzinfo=UTC)
SHOPS = ("c-north", "c-south")
FLOWS = {"low": 10, "middle": 50, "high": 80}
ORDER_MAIL = "orders"
_KEY = "rehearsal=" + "cmVoZWFyc2FsIGtleSB0aGF0IGlzIDMyIGJ5dGVzISE="
PLACES = {"FI": "Europe/Helsinki", "JP": "Asia/Tokyo", "PE": "America/Lima"}
COUNTRIES = tuple(PLACES)


@dataclass(frozen=True, slots=True)
class Wanted:
    """A message somebody's flow wants to send."""

    at: datetime
    shop: str
    flow: str
    person: int
    channel: str = "email"


@dataclass(frozen=True, slots=True)
class Sent:
    at: datetime
    effect: Effect


class FairWorld:
    """`want`, let time `pass_until`, then look at `sent` and at the rows."""

    def __init__(self, folder: Path, store: Store, limits: Mapping[str, Any] | None = None, **flows: Any) -> None:
        self.clock = ManualClock(START)
        self.store = store
        self.folder = folder
        self._config = parse_config(self._document(limits or {}, flows), folder / "app.toml", {"KEY": _KEY})
        self.kiitos = self.another(store)
        self.sent: list[Sent] = []
        self.repeatable = 0.0  # seconds for which the channel knows a repetition
        self._count = 0
        self._greet()

    def another(self, store: Store) -> Kiitos:
        """The application once more, as another process would build it on the same database."""
        registry = Registry(extra={(PLATFORMS, NAME): Rehearsed})
        return build(self._config, clock=self.clock, registry=registry, store=store)

    def _document(self, limits: Mapping[str, Any], flows: Mapping[str, Any]) -> dict[str, Any]:
        shop = {
            "platform": NAME,
            "sender": "Shop <shop@example.test>",
            "timezone": "Europe/Helsinki",
            "country": "FI",
            "flows": {name: {"file": f"{name}.toml", **flows.get(name, {})} for name in (*FLOWS, ORDER_MAIL, *flows)},
        }
        for name in (*FLOWS, ORDER_MAIL):
            purpose = "transactional" if name == ORDER_MAIL else "marketing"
            priority = f"priority = {FLOWS[name]}\n" if name in FLOWS else ""
            (self.folder / f"{name}.toml").write_text(
                f'id = "{name}"\ntrigger = "custom.never"\nsubject = "customer"\npurpose = "{purpose}"\n{priority}'
                '[[steps]]\nid = "tell"\ndo = "send"\ntemplate = "order_confirmation"\n',
                encoding="utf-8",
            )
        return {
            "schema": 1,
            "app": {"master_key": {"env": "KEY"}},
            "channels": {"mail": {"kind": "memory"}},
            "defaults": {"email": "mail", "sms": "mail", "soft_opt_in": ["marketing"], "limits": dict(limits)},
            "clients": {
                "c": {"shops": {name: {**shop, "domain": f"{name}.example"} for name in ("north", "south")}},
                "other": {"shops": {"east": {**shop, "domain": "east.example"}}},
            },
        }

    def _greet(self) -> None:
        """Everybody has an account in every shop, and lives somewhere."""
        for shop in (*SHOPS, "other-east"):
            known = [
                Event(
                    kind=EventKind.CUSTOMER_CREATED,
                    key=f"customer/{number}",
                    subject=Ref("customer", f"p{number}"),
                    at=START,
                    customer_id=f"p{number}",
                    customer=Customer(
                        id=f"p{number}",
                        email=address(number),
                        phone=f"+35840123456{number}",
                        default_address=Address(country=COUNTRIES[number % len(COUNTRIES)]),
                        updated_at=START,
                    ),
                )
                for number in range(4)
            ]
            with self.store.work.transaction() as tx:
                self.kiitos.runner.ingest(tx, shop, known, START)

    def want(self, wanted: Wanted) -> str:
        """A run that has decided to send; the effect's id."""
        self._count += 1
        flow = next(each for each in self.kiitos.catalog.flows(wanted.shop) if each.id == wanted.flow)
        run = Run(
            shop_id=wanted.shop,
            id=f"run{self._count}",
            flow_id=flow.id,
            version=flow.version,
            subject_kind="customer",
            subject_id=f"p{wanted.person}",
            entry_key=f"entry{self._count}",
            status=RunStatus.ACTING,
            step=0,
            created_at=wanted.at,
            updated_at=wanted.at,
            customer_id=f"p{wanted.person}",
            email_key=address(wanted.person),
            acted=True,
        )
        effect = Effect(
            shop_id=wanted.shop,
            id=f"run{self._count}:tell",
            run_id=run.id,
            flow_id=flow.id,
            version=flow.version,
            step_id="tell",
            kind="message",
            purpose=Purpose.MARKETING if wanted.flow != ORDER_MAIL else Purpose.TRANSACTIONAL,
            request={"template": "order_confirmation", "to": "customer", "channel": wanted.channel},
            status=EffectStatus.PENDING,
            due_at=wanted.at,
            created_at=wanted.at,
            channel=wanted.channel,
        )
        with self.store.work.transaction() as tx:
            self.kiitos.catalog.pin(tx, wanted.shop, flow, wanted.at)
            runs.start(tx, run)
            effects.put(tx, effect)
        return effect.id

    def tick(self, limit: int = 100, kiitos: Kiitos | None = None) -> int:
        """What a worker does with what is due now; how many were sent."""
        now, worker = self.clock.now(), kiitos or self.kiitos
        with worker.store.work.transaction() as tx:
            due = worker.outbox.in_order(effects.due(tx, now, limit))
            worker.outbox.foresee(tx, due)
            prepared = [
                ready for one in due if (ready := worker.outbox.prepare(tx, one, now, self.repeatable)) is not None
            ]
        with worker.store.work.transaction() as tx:
            for ready in prepared:
                assert ready.message is not None
                worker.outbox.record(tx, ready, Accepted(key=ready.message.key), now, self.repeatable)
        self.sent += [Sent(now, ready.effect) for ready in prepared]
        return len(prepared)

    def pass_until(self, at: datetime) -> None:
        rounds = 0
        while (due := self.next_due()) is not None and due <= at:
            if due > self.clock.now():
                self.clock.advance(due - self.clock.now())
            self.tick()
            rounds += 1
            if rounds > 2000:
                raise AssertionError("it never comes to an end")
        if at > self.clock.now():
            self.clock.advance(at - self.clock.now())

    def next_due(self) -> datetime | None:
        with self.store.work.read() as tx:
            return effects.next_due(tx)

    def rows(self) -> list[Effect]:
        """Every effect, as the store has it."""
        with self.store.work.read() as tx:
            found = [effects.of_run(tx, shop, f"run{n}") for n in range(1, self._count + 1) for shop in _ALL]
        return [effect for each in found for effect in each]

    def effect(self, effect_id: str) -> Effect:
        return next(each for each in self.rows() if each.id == effect_id)

    def journal(self, effect_id: str) -> list[tuple[str, Mapping[str, str]]]:
        effect = self.effect(effect_id)
        with self.store.work.read() as tx:
            return [(row.what, row.detail) for row in runs.journal_of(tx, effect.shop_id, effect.run_id)]

    def release(self, shop: str, flow: str) -> None:
        with self.store.work.transaction() as tx:
            for effect in pace.held(tx, shop, flow, 1000):
                pace.release(tx, shop, effect.id, self.clock.now())


_ALL = (*SHOPS, "other-east")


def address(person: int) -> str:
    return f"person{person}@example.test"


@contextmanager
def without_rendering() -> Iterator[None]:
    """What a message looks like is shown elsewhere, and costs a hundred times what is looked at here."""
    compose = Composer.compose
    Composer.compose = lambda *_: Composed(b"message", "subject")  # type: ignore[method-assign]
    try:
        yield
    finally:
        Composer.compose = compose  # type: ignore[method-assign]


def a_story(seed: int, length: int = 24) -> list[Wanted]:
    """Messages that flows of two shops want to send to three people on two channels within some days."""
    chance = random.Random(seed)
    names = [*FLOWS, *FLOWS, ORDER_MAIL]
    at = START
    story = []
    for _ in range(length):
        at += timedelta(minutes=chance.choice((0, 0, 1, 45, 200, 600, 1500)))
        story.append(
            Wanted(
                at,
                chance.choice(SHOPS),
                chance.choice(names),
                chance.randrange(3),
                chance.choice(("email", "email", "sms")),
            )
        )
    return story


def play(world: FairWorld, story: list[Wanted]) -> None:
    """Everything happens when it happens, and then four days pass."""
    for wanted in story:
        world.pass_until(wanted.at)
        world.want(wanted)
    world.pass_until(story[-1].at + timedelta(days=4))


# -- oracles: from what was wanted and what was sent, without asking any part of policy -------------------------------

CAPS = {"email": timedelta(hours=16), "sms": timedelta(hours=24)}
PATIENCE = timedelta(hours=48)


def broken(world: FairWorld, story: list[Wanted], daily: int = 10**9) -> set[str]:
    """Which promises the world broke, by name."""
    rows = {f"run{number}:tell": row for number, row in enumerate(story, 1)}
    ends = {effect.id: effect for effect in world.rows()}
    sent = [(one.at, one.effect.id, rows[one.effect.id]) for one in world.sent]
    found = set(_too_close(sent))
    for at, effect_id, wanted in sent:
        order_mail = wanted.flow == ORDER_MAIL
        if order_mail and at != wanted.at:
            found.add("order mail waited")
        if not order_mail and wanted.channel == "sms" and not 9 <= _wall(at, wanted.person) < 20:
            found.add("rung at night")
        if not order_mail and at > wanted.at + PATIENCE:
            found.add("sent too late")
        if ends[effect_id].status is not EffectStatus.SENT:
            found.add("sent but not on record")
    found |= _outranked(sent, rows, ends)
    for effect_id, effect in ends.items():
        found |= _ending(world, effect, rows[effect_id])
    return found | _budget(sent, daily)


def _too_close(sent: list[tuple[datetime, str, Wanted]]) -> Iterator[str]:
    for person in range(3):
        for channel, cap in CAPS.items():
            times = sorted(
                at
                for at, _, wanted in sent
                if (wanted.person, wanted.channel) == (person, channel) and wanted.flow != ORDER_MAIL
            )
            if any(later - earlier < cap for earlier, later in pairwise(times)):
                yield f"two by {channel} too close"


def _wall(at: datetime, person: int) -> float:
    wall = at.astimezone(ZoneInfo(PLACES[COUNTRIES[person % len(COUNTRIES)]]))
    return wall.hour + wall.minute / 60


def _outranked(
    sent: list[tuple[datetime, str, Wanted]], rows: Mapping[str, Wanted], ends: Mapping[str, Effect]
) -> set[str]:
    """Nobody gets the slot while a more important message for the same person and channel waits for it."""
    times = {effect_id: at for at, effect_id, _ in sent}
    for at, _, wanted in sent:
        if wanted.flow == ORDER_MAIL:
            continue
        for other_id, other in rows.items():
            same = (other.person, other.channel) == (wanted.person, wanted.channel)
            if not same or other.flow == ORDER_MAIL or FLOWS[other.flow] <= FLOWS[wanted.flow]:
                continue
            over = times.get(other_id) or ends[other_id].done_at
            if ends[other_id].status is not EffectStatus.HELD and other.at < at and (over is None or over > at):
                return {"the less important went first"}
    return set()


def _ending(world: FairWorld, effect: Effect, wanted: Wanted) -> set[str]:
    if effect.status in (EffectStatus.PENDING, EffectStatus.SENDING):
        return {"stuck"}
    if effect.status is EffectStatus.SKIPPED:
        early = effect.done_at is None or effect.done_at < wanted.at + PATIENCE
        return {"dropped too early"} if early else ({"dropped without a word"} if not effect.reason else set())
    noted = [what for what, _ in world.journal(effect.id)]
    if effect.status is EffectStatus.SENT and wanted.flow != ORDER_MAIL and "allowed" not in noted:
        return {"no reason on record"}
    return set()


def _budget(sent: list[tuple[datetime, str, Wanted]], daily: int) -> set[str]:
    days: dict[tuple[str, str, str], int] = {}
    for at, _, wanted in sent:
        if wanted.flow != ORDER_MAIL:
            day = at.astimezone(ZoneInfo("Europe/Helsinki")).date().isoformat()
            key = (wanted.shop, wanted.flow, day)
            days[key] = days.get(key, 0) + 1
    return {"over the budget"} if any(count > daily for count in days.values()) else set()
