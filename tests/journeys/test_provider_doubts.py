"""What becomes of a message whose provider gave no answer: looked up, repeated where that is known, or left alone."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest

from connector.contracts import Accepted, Outcome
from connector.model import EffectStatus
from connector.worker import Worker
from tests.journeys.two_providers import (
    ASKING,
    ORDERS,
    Make,
    Moody,
    Remembering,
    down,
    houses,
    silent,
)


@pytest.fixture
def house(tmp_path: Path) -> Iterator[Make]:
    with houses(tmp_path) as make:
        yield make


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
