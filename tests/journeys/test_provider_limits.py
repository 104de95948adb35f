"""Which provider takes a message, and when: rates kept by all workers, waiting times, breakers, fall-over."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import datetime, timedelta
from pathlib import Path
from typing import Any

import pytest

from connector.contracts import Rejected, Retry, Scope
from connector.errors import ConfigError
from connector.model import EffectStatus
from connector.store import providers
from connector.worker import Worker
from tests.journeys.two_providers import (
    ASKING,
    START,
    Make,
    down,
    houses,
    silent,
)


@pytest.fixture
def house(tmp_path: Path) -> Iterator[Make]:
    with houses(tmp_path) as make:
        yield make


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
