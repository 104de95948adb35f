"""The whole product with real providers behind HTTP: counted at the receiving end when answers are lost."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import timedelta

import pytest

from connector.clock import ManualClock
from connector.model import EffectStatus
from connector.registry import Registry
from connector.testing.fakes.providers import GOOD_KEY, FakeProviders, Mishap
from tests.journeys.test_provider_limits import house
from tests.journeys.two_providers import ASKING, ORDERS, House, Make

__all__ = ["house"]


@pytest.fixture
def providers() -> Iterator[FakeProviders]:
    with FakeProviders() as running:
        yield running


def with_provider(
    make: Make, name: str, providers: FakeProviders, flow: str, email: str | tuple[str, ...] = ("main", "backup")
) -> House:
    """A house whose first channel is a real one over HTTP; the second keeps what falls over."""
    life = make(flow, email=email)
    own = {"domain": "mg.metsa.example"} if name == "mailgun" else {}
    table = {"api_key": GOOD_KEY, "url": providers.url, "timeout": 10, "connections": 1, **own}
    life.kiitos.use_channel("main", Registry().channel(name).from_settings(table, life.clock))
    assert isinstance(life.clock, ManualClock)
    return life


LOST = [
    # provider, flow, what the recipient has in the end, what is known
    ("resend", ORDERS, 1, EffectStatus.SENT),
    ("resend", ASKING, 1, EffectStatus.SENT),
    ("brevo", ORDERS, 1, EffectStatus.SENT),
    ("brevo", ASKING, 1, EffectStatus.SENT),
    ("postmark", ORDERS, 1, EffectStatus.SENT),
    ("postmark", ASKING, 1, EffectStatus.SENT),
    ("mailgun", ORDERS, 1, EffectStatus.SENT),
    ("mailgun", ASKING, 1, EffectStatus.SENT),
    ("sendgrid", ORDERS, 2, EffectStatus.SENT),  # it knows no key and cannot be asked: order mail once more
    ("sendgrid", ASKING, 1, EffectStatus.UNCERTAIN),
]


@pytest.mark.parametrize(("name", "flow", "arrived", "status"), LOST)
def test_an_answer_lost_after_acceptance(
    house: Make, providers: FakeProviders, name: str, flow: str, arrived: int, status: EffectStatus
) -> None:
    life = with_provider(house, name, providers, flow)
    providers.mishaps.append(Mishap(after_work=True))
    life.orders(1)
    life.until(minutes=30)
    assert len(providers.box) == arrived
    assert len({taken.key for taken in providers.box}) == 1, "and it is the same message"
    assert life.statuses() == [status]
    assert life.sent("backup") == 0


@pytest.mark.parametrize("name", ["postmark", "mailgun"])
def test_asked_while_the_index_lags_it_is_not_repeated(house: Make, providers: FakeProviders, name: str) -> None:
    life = with_provider(house, name, providers, ORDERS)
    providers.indexed = False
    providers.mishaps.append(Mishap(after_work=True))
    life.orders(1)
    life.until(seconds=45)
    assert len(providers.box) == 1
    providers.indexed = True
    life.until(minutes=10)
    assert (len(providers.box), life.statuses()) == (1, [EffectStatus.SENT])


@pytest.mark.parametrize("name", ["resend", "postmark", "sendgrid", "mailgun", "brevo"])
def test_six_hours_of_503_lose_nothing_and_knock_seldom(house: Make, providers: FakeProviders, name: str) -> None:
    life = with_provider(house, name, providers, ORDERS, "main")
    providers.mishaps.extend([Mishap(status=503)] * 500)
    life.orders(*range(1, 11))
    life.until(hours=6)
    knocked = len(providers.requests)
    assert providers.box == []
    assert knocked < 60
    providers.mishaps.clear()
    life.until(hours=1)
    assert sorted(taken.key for taken in providers.box) == sorted({taken.key for taken in providers.box})
    assert len(providers.box) == 10
    assert life.statuses() == [EffectStatus.SENT] * 10


def test_down_with_a_second_provider_nobody_waits(house: Make, providers: FakeProviders) -> None:
    life = with_provider(house, "resend", providers, ORDERS)
    providers.mishaps.extend([Mishap(status=429, retry_after="600")] * 500)
    life.orders(*range(1, 11))
    life.until(seconds=10)
    assert (len(providers.box), life.sent("backup")) == (0, 10)
    providers.mishaps.clear()
    life.clock.advance(timedelta(minutes=11))
    life.orders(11)
    life.worker.drain()
    assert len(providers.box) == 1, "and the first has its work back when its time is over"
