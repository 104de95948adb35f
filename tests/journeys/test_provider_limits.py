"""Which provider takes a message, and when: rates kept by all workers, waiting times, breakers, fall-over, look-ups."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any, ClassVar

import pytest

from connector.app import Kiitos, build
from connector.clock import ManualClock
from connector.config import parse_config
from connector.contracts import Accepted, LooksUp, Message, Outcome, Rejected, Retry, Scope, Unknown
from connector.errors import ConfigError, Refused, Transient
from connector.explain import explain
from connector.model import Effect, EffectStatus
from connector.rehearsal import VOCABULARY
from connector.rehearsal.life import Life
from connector.store import effects, providers, runs
from connector.store.store import Store
from connector.testing.world import WOO, document
from connector.worker import Worker
from flows.channels.memory import Memory
from tests.journeys.bare import ENVIRON, RENDERER

START = datetime(2026, 11, 23, 9, 0, tzinfo=UTC)
FLOW = """
id = "office"
trigger = "order.paid"
purpose = "{purpose}"

[[steps]]
id = "tell"
do = "send"
template = "{template}"
"""
ORDERS = FLOW.format(purpose="transactional", template="order_confirmation")
ASKING = FLOW.format(purpose="review", template="review_request")
Mood = Callable[[Message], Outcome | None]


class Moody(Memory):
    """Does what its mood says; without one it takes everything. `tried` counts what reached it."""

    def __init__(self, mood: Mood | None = None) -> None:
        super().__init__()
        self.mood = mood
        self.tried: list[str] = []

    def send_all(self, messages: Any, on_wire: Any = None) -> Iterator[Outcome]:
        for message in messages:
            self.tried.append(message.key)
            if self.mood and (said := self.mood(message)) is not None:
                self.answers[message.key] = said
            yield from super().send_all([message], on_wire)


class Remembering(Moody, LooksUp):
    """Can be asked; `knows` says what it answers."""

    knows: ClassVar[str] = "truth"

    def __init__(self, mood: Mood | None = None) -> None:
        super().__init__(mood)
        self.asked = 0
        self.answer: str = "truth"

    def look_up(self, message: Message, since: datetime) -> Accepted | None:
        self.asked += 1
        if self.answer == "later":
            raise Transient("not indexed", retry_after=60)
        if self.answer == "refused":
            raise Refused("no such right")
        if self.answer == "bug":
            raise RuntimeError("oops")
        there = any(each.key == message.key for each in self.messages)
        return Accepted(key=message.key, provider_id="looked-up") if there else None


def down(message: Message) -> Outcome:
    return Retry(key=message.key, text="nobody there", scope=Scope.ACCOUNT)


def silent(message: Message) -> Outcome:
    return Unknown(key=message.key, text="no answer in time")


@dataclass
class House:
    clock: ManualClock
    store: Store
    kiitos: Kiitos
    life: Life
    worker: Worker
    channels: dict[str, Moody] = field(default_factory=dict)

    def orders(self, *numbers: int) -> None:
        with self.store.work.transaction() as tx:
            for number in numbers:
                events = VOCABULARY["order"](self.life, str(number), self.clock.now())
                self.kiitos.runner.ingest(tx, WOO, events, self.clock.now())

    def until(self, **span: float) -> None:
        end = self.clock.now() + timedelta(**span)
        self.worker.drain()
        while (due := self.worker.next_due()) is not None and due <= end:
            self.clock.advance(max(due - self.clock.now(), timedelta(microseconds=1)))
            self.worker.drain()
        self.clock.advance(max(end - self.clock.now(), timedelta()))

    def all(self) -> list[Effect]:
        with self.store.work.read() as tx:
            return [effect for run in runs.all_of_shop(tx, WOO) for effect in effects.of_run(tx, WOO, run.id)]

    def statuses(self) -> list[EffectStatus]:
        return [effect.status for effect in self.all()]

    def sent(self, name: str) -> int:
        return len(self.channels[name].messages)

    def story(self) -> str:
        """What `kiitos explain` says of every order."""
        with self.store.work.read() as tx:
            orders = {run.order_id or "" for run in runs.all_of_shop(tx, WOO)}
        found = [explain(self.store, WOO, order_id) for order_id in orders]
        lines = [line for one in found if one is not None for line in one.lines]
        return "\n".join(f"{line.what}: {line.text} {dict(line.detail)}" for line in lines)


Make = Callable[..., House]


@pytest.fixture
def house(tmp_path: Path) -> Iterator[Make]:
    made: list[House] = []

    def build_house(
        flow: str = ORDERS, email: Any = ("main", "backup"), kinds: dict[str, Moody] | None = None, **tables: Any
    ) -> House:
        (tmp_path / "office.toml").write_text(flow, "utf-8")
        found = document(flows={}, fetch_before_send=False)
        found["app"]["base_url"] = "http://localhost"
        found["channels"] = {name: {"kind": "memory", **tables.get(name, {})} for name in ("main", "backup")}
        found["defaults"]["email"] = list(email) if isinstance(email, tuple) else email
        metsa = found["clients"]["demo"]["shops"]["metsa"]
        metsa |= {"flows": {"office": {"file": "office.toml"}}, "soft_opt_in": ["review"]}
        clock, store = ManualClock(START), Store.open("sqlite://:memory:")
        kiitos = build(parse_config(found, tmp_path / "app.toml", ENVIRON), clock=clock, store=store)
        kiitos.renderer = RENDERER
        channels = {"main": Moody(), "backup": Moody()} | (kinds or {})
        for name, channel in channels.items():
            kiitos.use_channel(name, channel)
        one = House(clock, store, kiitos, Life(kiitos.config.shop(WOO).shop, {}, {}), Worker(kiitos), channels)
        made.append(one)
        return one

    yield build_house
    for one in made:
        one.kiitos.close()


def test_the_first_provider_takes_all_while_it_works(house: Make) -> None:
    life = house()
    life.orders(*range(1, 6))
    life.until(minutes=1)
    assert (life.sent("main"), life.sent("backup")) == (5, 0)
    assert "backup" not in life.story()


def test_what_the_first_did_not_accept_goes_to_the_second_at_once(house: Make) -> None:
    life = house()
    life.channels["main"].mood = down
    life.orders(1)
    life.worker.drain()
    assert (life.sent("main"), life.sent("backup")) == (0, 1)
    assert "backup" in life.story()
    assert "nobody there" in life.story()


def test_what_may_have_been_accepted_stays_where_it_went(house: Make) -> None:
    life = house()
    life.channels["main"].accepts_unknown = False
    life.channels["main"].mood = silent
    life.orders(1)
    life.worker.drain()
    life.channels["main"].mood = down  # the repetition finds it down: it still may not go elsewhere
    life.until(minutes=30)
    assert life.channels["backup"].tried == []
    life.channels["main"].mood = None
    life.until(hours=2)
    assert (life.sent("main"), life.sent("backup")) == (1, 0)
    assert life.statuses() == [EffectStatus.SENT]


def test_a_refusal_of_the_message_itself_goes_nowhere_else(house: Make) -> None:
    life = house()
    life.channels["main"].mood = lambda m: Rejected(key=m.key, code="413", text="too large")
    life.orders(1)
    life.until(minutes=5)
    assert life.channels["backup"].tried == []
    assert life.statuses() == [EffectStatus.FAILED]


def test_a_server_that_says_later_for_one_message_is_not_left(house: Make) -> None:
    life = house()
    life.channels["main"].mood = lambda m: Retry(key=m.key, text="451 greylisted")
    life.orders(1)
    life.worker.drain()
    assert life.channels["backup"].tried == []


def test_three_failures_open_the_breaker_and_one_message_tries_later(house: Make) -> None:
    life = house(email="main")
    main = life.channels["main"]
    main.mood = down
    life.orders(*range(1, 31))
    life.until(minutes=2)
    first = len(main.tried)
    with life.store.work.read() as tx:
        (breaker,) = providers.breakers(tx).values()
    assert breaker.failures >= 3
    life.until(hours=6)
    assert len(main.tried) - first <= 60, "thirty messages waiting six hours must not knock again and again"
    assert EffectStatus.FAILED not in life.statuses()
    assert "provider_down" in life.story()
    assert "nobody there" in life.story()
    main.mood = None
    life.until(minutes=31)
    assert life.statuses() == [EffectStatus.SENT] * 30
    assert len(main.messages) == 30
    with life.store.work.read() as tx:
        assert providers.breakers(tx) == {}


def test_half_open_means_one_message_not_thirty(house: Make) -> None:
    life = house(email="main")
    main = life.channels["main"]
    main.mood = down
    life.orders(1)
    life.until(minutes=5)
    with life.store.work.read() as tx:
        (breaker,) = providers.breakers(tx).values()
    assert breaker.open_until is not None
    life.orders(*range(2, 31))
    tried = len(main.tried)
    life.clock.advance(max(breaker.open_until - life.clock.now(), timedelta()))
    life.worker.tick()
    assert len(main.tried) == tried + 1


def test_a_breaker_belongs_to_one_shop(house: Make) -> None:
    life = house(email="main")
    with life.store.work.transaction() as tx:
        providers.fail(
            tx, providers.Breaker(shop_id="other", provider="main", failures=9, open_until=START + timedelta(days=1))
        )
    life.orders(1)
    life.worker.drain()
    assert life.sent("main") == 1


def test_an_unverified_sender_waits_as_long_as_asked_and_the_backup_takes_over(house: Make) -> None:
    life = house()
    life.channels["main"].mood = lambda m: Retry(key=m.key, text="sender not verified", after=300, scope=Scope.SHOP)
    life.orders(1)
    life.worker.drain()
    life.orders(2)
    life.worker.drain()
    assert life.sent("backup") == 2
    assert len(life.channels["main"].tried) == 1, "the second does not ask main again for five minutes"


def test_retry_after_holds_for_the_whole_account(house: Make) -> None:
    """Two channels of one account: what the provider said to one, the other heeds."""
    life = house(main={"account": "shared"}, backup={"account": "shared"})
    life.channels["main"].mood = lambda m: Retry(key=m.key, text="429", after=120, scope=Scope.ACCOUNT)
    life.orders(1, 2)
    life.worker.drain()
    assert life.channels["backup"].tried == []
    life.channels["main"].mood = None
    life.until(seconds=119)
    assert life.sent("main") == 0
    life.until(minutes=3)
    assert life.sent("main") == 2


def test_a_rate_is_kept_by_all_workers_together(house: Make) -> None:
    life = house(email="main", main={"rate": "10/min", "burst": 1})
    times: list[datetime] = []
    life.channels["main"].mood = lambda m: times.append(life.clock.now())  # type: ignore[func-returns-value]
    others = [Worker(life.kiitos) for _ in range(2)]
    life.orders(*range(1, 31))
    end = life.clock.now() + timedelta(minutes=6)
    while life.clock.now() < end and life.sent("main") < 30:
        for worker in (life.worker, *others):
            worker.tick()
        life.clock.advance(timedelta(seconds=1))
    assert life.sent("main") == 30
    for start in times:
        window = [at for at in times if start <= at < start + timedelta(minutes=1)]
        assert len(window) <= 11
    assert times[-1] - times[0] <= timedelta(minutes=4), "and what the account allows is used"
    assert "provider_rate" in life.story()


def test_order_mail_does_not_stand_behind_a_campaign(house: Make, tmp_path: Path) -> None:
    life = house(ASKING, email="main", main={"rate": "6/min"})
    life.orders(*range(1, 31))
    life.worker.drain()
    assert life.sent("main") == 1
    waiting = sorted(effect.due_at for effect in life.all() if effect.status is EffectStatus.PENDING)
    assert waiting[-1] - START >= timedelta(minutes=4), "the campaign has slots far into the future"
    with life.store.work.transaction() as tx:
        state = providers.accounts(tx)["main"]
    assert state.slots[0] is None
    assert state.slots[1] == waiting[-1]


def test_without_a_rate_or_a_failure_nothing_is_written(house: Make) -> None:
    life = house(email="main")
    life.orders(*range(1, 6))
    life.until(minutes=1)
    with life.store.work.read() as tx:
        assert providers.accounts(tx) == {}
        assert providers.breakers(tx) == {}
        assert tx.all("provider_accounts_all") == []


@pytest.mark.parametrize("flow", [ORDERS, ASKING], ids=["order", "marketing"])
def test_an_unknown_outcome_is_looked_up_first(house: Make, flow: str) -> None:
    life = house(flow, email="main", kinds={"main": Remembering(silent)})
    life.orders(1)
    life.until(minutes=5)
    main = life.channels["main"]
    assert isinstance(main, Remembering)
    assert main.asked == 1
    assert len(main.tried) == 1, "it was there: nothing was repeated"
    (effect,) = life.all()
    assert (effect.status, effect.provider_id) == (EffectStatus.SENT, "looked-up")
    assert "has the message" in life.story()


@pytest.mark.parametrize(
    ("flow", "tries", "status"), [(ORDERS, 2, EffectStatus.SENT), (ASKING, 1, EffectStatus.UNCERTAIN)]
)
def test_no_trace_repeats_order_mail_once_and_marketing_never(
    house: Make, flow: str, tries: int, status: EffectStatus
) -> None:
    main = Remembering(silent)
    main.accepts_unknown = False
    life = house(flow, email="main", kinds={"main": main})
    life.orders(1)
    life.worker.drain()
    main.mood = None
    life.until(minutes=20)
    assert (len(main.tried), life.statuses()) == (tries, [status])
    assert "no trace" in life.story()


def test_twice_unknown_without_a_trace_is_left_to_a_person(house: Make) -> None:
    main = Remembering(silent)
    main.accepts_unknown = False
    life = house(email="main", kinds={"main": main})
    life.orders(1)
    life.until(hours=3)
    assert (len(main.tried), life.statuses()) == (2, [EffectStatus.UNCERTAIN])


@pytest.mark.parametrize("answer", ["later", "refused", "bug"])
def test_a_provider_that_cannot_say_leaves_the_rules_as_they_are(house: Make, answer: str) -> None:
    main = Remembering(silent)
    main.answer = answer
    life = house(ASKING, email="main", kinds={"main": main})
    life.orders(1)
    life.until(hours=1)
    assert (len(main.tried), life.statuses()) == (1, [EffectStatus.UNCERTAIN])
    assert main.asked == (1 if answer != "later" else main.asked)
    assert main.asked <= 12


def test_a_provider_taken_out_of_the_configuration_is_not_replaced_for_what_is_in_doubt(house: Make) -> None:
    life = house()
    life.channels["main"].mood = silent
    life.orders(1)
    life.worker.tick()
    life.worker.tick()
    del life.kiitos.config.channels["main"]  # type: ignore[attr-defined]
    life.until(minutes=10)
    assert life.channels["backup"].tried == []
    assert life.statuses() == [EffectStatus.UNCERTAIN]
    assert "not configured any more" in life.story()


@pytest.mark.parametrize(
    ("more", "fault"),
    [
        ({"email": ("main", "mian")}, "did you mean 'main'"),
        ({"email": ("main", "main")}, "named twice"),
        ({"main": {"rate": "fast"}}, "channels.main.rate"),
        ({"main": {"rate": "0/s"}}, "channels.main.rate"),
        ({"main": {"burst": 0}}, "channels.main.burst"),
        ({"main": {"account": 3}}, "channels.main.account"),
        ({"email": ()}, "email"),
    ],
)
def test_faults_are_named_when_the_file_is_read(house: Make, more: dict[str, Any], fault: str) -> None:
    with pytest.raises(ConfigError, match=fault):
        house(**more)


class Keyed(Moody):
    """Knows keys for a quarter of an hour: a repetition is no second message."""

    idempotent_for = 900.0

    def send_all(self, messages: Any, on_wire: Any = None) -> Iterator[Outcome]:
        for message in messages:
            known = [each for each in self.messages if each.key == message.key]
            yield from super().send_all([message], on_wire)
            if known:
                self.messages.pop()


@pytest.mark.parametrize("flow", [ORDERS, ASKING], ids=["order", "marketing"])
def test_the_window_is_that_of_the_provider_it_went_by(house: Make, flow: str) -> None:
    life = house(flow, kinds={"backup": Keyed(silent)})
    life.channels["main"].mood = down
    life.orders(1)
    life.worker.tick()
    life.worker.tick()
    backup = life.channels["backup"]
    assert len(backup.tried) == 1
    life.channels["main"].mood = None
    backup.mood = None
    life.until(minutes=5)
    assert (len(backup.tried), len(backup.messages)) == (2, 1)
    assert len(life.channels["main"].tried) == 1
    assert life.statuses() == [EffectStatus.SENT]


class Dies(Moody):
    """Takes the message, and the worker is killed before it can say so."""

    def send_all(self, messages: Any, on_wire: Any = None) -> Iterator[Outcome]:
        for message in messages:
            self.tried.append(message.key)
            self.messages.append(message)
            if len(self.tried) == 1:
                raise SystemExit
            yield Accepted(key=message.key)


def test_a_worker_killed_at_the_second_provider_leaves_its_message_there(house: Make) -> None:
    life = house(kinds={"backup": Dies()})
    life.channels["main"].mood = down
    life.orders(1)
    with pytest.raises(SystemExit):
        life.worker.drain()
    life.channels["main"].mood = None
    life.worker = Worker(life.kiitos)
    life.clock.advance(timedelta(minutes=6))
    life.until(minutes=5)
    assert len(life.channels["main"].tried) == 1, "it never goes back to the first, which knows nothing of it"
    assert len(life.channels["backup"].tried) == 2, "order mail once more, where it may be"
    assert life.statuses() == [EffectStatus.SENT]


def test_a_closed_provider_is_logged_with_its_reason(house: Make, caplog: pytest.LogCaptureFixture) -> None:
    life = house(email="main")
    life.channels["main"].mood = down
    life.orders(1)
    with caplog.at_level("WARNING"):
        life.until(minutes=5)
    logged = [record for record in caplog.records if record.getMessage().startswith("provider_closed")]
    assert logged
    assert "nobody there" in str(vars(logged[0]))
    assert "aino" not in str(vars(logged[0]))


def test_where_events_are_read_they_are_waited_for_before_order_mail_is_repeated(house: Make) -> None:
    life = house(email="main", main={"webhook_secret": "whsec"})
    main = life.channels["main"]
    main.mood = silent
    life.orders(1)
    life.worker.drain()
    main.mood = None
    life.until(minutes=4)
    assert len(main.tried) == 1
    life.until(minutes=2)
    assert (len(main.tried), life.statuses()) == (2, [EffectStatus.SENT])


def test_where_none_are_read_it_is_repeated_at_once(house: Make) -> None:
    life = house(email="main")
    main = life.channels["main"]
    main.mood = silent
    life.orders(1)
    life.worker.drain()
    main.mood = None
    life.until(seconds=5)
    assert (len(main.tried), life.statuses()) == (2, [EffectStatus.SENT])
